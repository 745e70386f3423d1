/*
 * A networked domain's way out: one slirp4netns, in the domain's network namespace, as the
 * domain's uid on the host. It ends when its exit descriptor closes.
 */
#ifndef QREXEC_SPAWNER_LOCAL_NET_H
#define QREXEC_SPAWNER_LOCAL_NET_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct net_params {
    pid_t init;  /* a process in the namespace */
    uid_t uid;   /* run as, if we are root */
    int log_fd;  /* its stdout and stderr */
    int exit_fd; /* its life: the read end of a pipe */
};

/*
 * Starts it: 0, *ret_pid and *ret_ready, which becomes readable when the network is up (a byte)
 * or never will be (end of file). Negative errno and *ret_why, one static line that says what to
 * do.
 */
int net_start(const struct net_params *p, pid_t *ret_pid, int *ret_ready, const char **ret_why);

#endif
