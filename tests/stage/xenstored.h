/*
 * A xenstored for tests, in a process of its own: it knows one domain's number, lives of domains,
 * and one key, and tells watches. XENSTORED_PATH leads to it.
 */
#ifndef QREXEC_TESTS_STAGE_XENSTORED_H
#define QREXEC_TESTS_STAGE_XENSTORED_H

#include "libqrexec/base/util.h"

#define STAGE_DOMAINS 16

/* What it answers; may be changed at any time. */
struct stage_xenstore {
    uint32_t own;             /* the asking domain's number */
    bool dead[STAGE_DOMAINS]; /* not introduced any more */
    bool has_channel;         /* every event-channel key is there */
    bool no_watches;          /* the quota is used up */
    unsigned removed;         /* nodes that were removed so far */
    char removed_last[128];   /* the last one */
    unsigned watches;         /* that are set, as of the last answer */
};

struct stage_xenstore *stage_xenstored_start(const char *path);
void stage_xenstored_end(void);
/* Fires every watch whose path ends like that, and returns when that was sent. */
void stage_xenstored_fire(const char *end);

#endif
