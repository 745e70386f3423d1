/*
 * Ways out of a domain: each is a function that returns true if something of the host, or of
 * another domain, was reached. They run one a process.
 */
#ifndef QREXEC_TESTS_INTEGRATION_ESCAPE_H
#define QREXEC_TESTS_INTEGRATION_ESCAPE_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

#define SECRET "the host's secret"

/* What there is on the host. */
struct bait {
    char dir[512]; /* with secret, and sockets at their places below run */
    pid_t pid;
    unsigned port; /* TCP, on 127.0.0.1 */
    key_t key;     /* of shared memory and a message queue */
    char abstract[64];
};

extern struct bait bait;

struct way {
    const char *name;
    bool (*is_open)(void);
};

#define WAY(f)                                                                                     \
    {                                                                                              \
#f, f                                                                                      \
    }

extern const struct way ways_by_files[], ways_by_processes[], ways_by_channels[];

#endif
