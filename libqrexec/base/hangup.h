/*
 * Notices that the peer of a stream socket is gone altogether.
 *
 * A peer that has merely half-closed makes its socket readable for ever and still waits for an
 * answer; one that has closed waits for nothing. Between the two only the kernel's hang-up tells.
 * A hangup is a member of its owner, and may be stopped inside its own callback.
 */
#ifndef QREXEC_BASE_HANGUP_H
#define QREXEC_BASE_HANGUP_H

#include "libqrexec/base/loop.h"

struct hangup {
    void (*fn)(struct hangup *h);
    struct watch watch;
};

/* fd stays the caller's, and must not be closed before hangup_stop(). 0 or negative errno. */
int hangup_watch(struct hangup *h, int fd);
/* Also for a zeroed or a stopped one. */
void hangup_stop(struct hangup *h);

#endif
