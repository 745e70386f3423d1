/*
 * A policy that follows its files: loaded anew after any change of what it was read from.
 *
 * Watched are the files and directories that loading looks at, and each component of their paths,
 * also through symbolic links, by its name in its directory: so an editor's rename, a link that
 * moves and a directory that is replaced anywhere above show too. Watches are set before reading,
 * and a change that comes while files are read makes them be read again: what is in force was on
 * disk as a whole at one moment. It is swapped whole; who holds the old one keeps it.
 *
 * A policy that does not load is none (deny everything); one that violates a never line [ext] is
 * not taken over, and the old one stays. Either is said once, until another error.
 */
#ifndef QREXEC_POLICY_WATCH_H
#define QREXEC_POLICY_WATCH_H

#include "libqrexec/base/loop.h"
#include "policy-engine/policy-service.h"

struct policy_watch {
    const struct policy_files *files;
    const char *what, *so; /* for messages: "the policy", and what it means that there is none */
    struct policy *policy; /* NULL: it does not load */
    char *trouble;         /* why that, or why it is still the old one: "FILE:LINE: TEXT" */
    char *said;            /* the trouble that was told last */
    /* After a load; said_now: it failed, in a way that was not told before. */
    void (*on_load)(struct policy_watch *w, bool said_now);
    bool stale;
    struct watch changes; /* inotify */
    struct timer settle;
    uint64_t settle_by; /* clock_ms(); while settle is set: the load waits no longer */
    int *whole; /* watches for which any event counts; others count by the name of the event */
    size_t n_whole;
    char **names;
    size_t n_names;
};

/* Needs the loop. Loads; on_load may be NULL and is not called from in here. 0 or negative errno.
 */
int policy_watch_init(struct policy_watch *w, const struct policy_files *files, const char *what,
                      const char *so, void (*on_load)(struct policy_watch *w, bool said_now));
void policy_watch_deinit(struct policy_watch *w);

/*
 * The policy, with all that changed before the loop found ready whatever it serves now: the notices
 * come first. NULL: it does not load, and w->trouble says why.
 */
struct policy *policy_watch_get(struct policy_watch *w);
/* Loads again, whatever the notices say. */
void policy_watch_reload(struct policy_watch *w);

#endif
