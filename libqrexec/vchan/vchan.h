/*
 * A vchan: a reliable byte stream between (server domain, client domain, port).
 *
 * Two transports behind one interface, chosen at run time (QREXEC_TRANSPORT=xen|socket). The
 * descriptor says "changed", not "readable": after it fires (or the timeout passes) call
 * vchan_dispatch(), then read and write until 0 comes back or the budget is spent. The descriptor
 * and the events may change after each dispatch. Nothing here blocks.
 *
 * Once VCHAN_CLOSED, do not wait for the descriptor any more (it may fire for ever, or never): read
 * until -EPIPE. A failed write can be what tells.
 */
#ifndef QREXEC_VCHAN_VCHAN_H
#define QREXEC_VCHAN_VCHAN_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

#define VCHAN_CONTROL_PORT 512

struct vchan;

enum vchan_state {
    VCHAN_WAITING,   /* for its peer */
    VCHAN_CONNECTED, /* bytes can flow */
    VCHAN_CLOSED,    /* the peer left; what it sent before can still be read */
};

/* This process's own domain number (VCHAN_DOMAIN, xenstore); 0 in dom0. */
int vchan_own_domain(uint32_t *ret);

/*
 * A server for the domain peer. ring: least buffer in bytes a direction (65536 for data, 4096 for
 * control).
 */
int vchan_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret);
/* A client; waits for the server to appear. Time limits are the caller's. */
int vchan_connect(uint32_t peer, uint32_t port, struct vchan **ret);
/* Server: drop the peer, listen again at the same place. */
int vchan_reset(struct vchan *v);
void vchan_free(struct vchan *v);
static inline void vchan_freep(struct vchan **v)
{
    vchan_free(*v);
}

enum vchan_state vchan_state(const struct vchan *v);
int vchan_fd(const struct vchan *v);
/* POLLIN and POLLOUT to wait for; want_*: what the owner could do now. */
short vchan_events(const struct vchan *v, bool want_read, bool want_write);
/* Milliseconds after which dispatch must be called without an event (a client's back-off); -1. */
int vchan_timeout(const struct vchan *v);
/* Takes up what happened. 0, or negative errno when the vchan is lost (state is VCHAN_CLOSED). */
int vchan_dispatch(struct vchan *v);

/* Bytes moved; 0: nothing now; -EPIPE: closed (read: and nothing left). */
ssize_t vchan_read(struct vchan *v, void *data, size_t n);
ssize_t vchan_write(struct vchan *v, const void *data, size_t n);

#endif
