/*
 * A vchan: a reliable byte stream between (server domain, client domain, port).
 *
 * Two transports behind one interface, chosen at run time (QREXEC_TRANSPORT=xen|socket). The
 * descriptor says "changed", not "readable", and it says so once: after it fires (or the timeout
 * passes) call vchan_dispatch(), then read and write until 0 comes back or the budget is spent. An
 * owner that stopped before that tries again by itself; nothing will fire for what is there
 * already. The descriptor and the events may change after each dispatch. Nothing here blocks.
 *
 * There is no half-close: the end of a vchan is the end of both directions. Once VCHAN_CLOSED, do
 * not wait for the descriptor any more (it may fire for ever, or never): read until -EPIPE. A
 * failed write can be what tells.
 *
 * A peer process that dies is noticed by both transports. That its whole domain is gone is noticed
 * in dom0 (also before it ever connected: vchan_dispatch() gives -EHOSTDOWN then), and in a local
 * domain, where it is the end of a socket. In a Xen VM nothing tells: the daemon does (see
 * vchan_deaths), and its word is passed on with vchan_lose().
 */
#ifndef QREXEC_VCHAN_VCHAN_H
#define QREXEC_VCHAN_VCHAN_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

#define VCHAN_CONTROL_PORT 512
#define VCHAN_RING         65536 /* bytes a direction, of a data connection */

struct vchan;

enum vchan_state {
    VCHAN_WAITING,   /* for its peer */
    VCHAN_CONNECTED, /* bytes can flow */
    VCHAN_CLOSED,    /* the peer left; what it sent before can still be read */
};

/* Whether this program has the transport that is in use here; small clients may lack Xen's. */
bool vchan_is_built_in(void);

/* This process's own domain number (VCHAN_DOMAIN, xenstore); 0 in dom0. */
int vchan_own_domain(uint32_t *ret);

/*
 * A server for the domain peer. ring: wanted buffer in bytes a direction (65536 for data, 4096 for
 * control); on Xen it is less where the domain's grants are nearly used up. A server may have to
 * wait for a place in xenstore: that shows in vchan_timeout() only, and ends with an error of
 * vchan_dispatch().
 */
int vchan_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret);
/*
 * The ring for a call of this domain beside n others that it has open. Rings are taken out of a
 * limited number of grants on Xen: there they are the smaller the more there are, so that a hundred
 * calls find room under the default limit.
 */
size_t vchan_ring(size_t n);
/* Whether that depends on n. */
bool vchan_rings_are_limited(void);
/*
 * A client; waits for the server to appear. Time limits are the caller's. -EHOSTDOWN: in dom0,
 * there is no such domain.
 */
int vchan_connect(uint32_t peer, uint32_t port, struct vchan **ret);
/* Server: drop the peer, listen again at the same place. Stop watching the descriptor before. */
int vchan_reset(struct vchan *v);
void vchan_free(struct vchan *v);
static inline void vchan_freep(struct vchan **v)
{
    vchan_free(*v);
}

enum vchan_state vchan_state(const struct vchan *v);
int vchan_fd(const struct vchan *v);
/*
 * POLLIN and POLLOUT to wait for; want_*: what the owner does after dispatch. Who wants to read
 * hears of the peer's end by reading.
 */
short vchan_events(struct vchan *v, bool want_read, bool want_write);
/*
 * Milliseconds after which dispatch must be called without an event (a back-off, news that came
 * beside others); -1.
 */
int vchan_timeout(const struct vchan *v);
/*
 * Takes up what happened. 0, or negative errno when the vchan is lost (state is VCHAN_CLOSED):
 * -EHOSTDOWN the peer's domain is gone, -ENOSPC no grants are left, -EDQUOT xenstore gives no
 * room; vchan_error_text() says what to do.
 */
int vchan_dispatch(struct vchan *v);
/* The owner was told that the peer's domain is gone: as if the peer had closed. */
void vchan_lose(struct vchan *v);

/* Whether it was closed by that, told by vchan_lose() or noticed. */
bool vchan_is_gone(const struct vchan *v);

/* Bytes moved; 0: nothing now; -EPIPE: closed (read: and nothing left). */
ssize_t vchan_read(struct vchan *v, void *data, size_t n);
ssize_t vchan_write(struct vchan *v, const void *data, size_t n);

/* A sentence for the user. error: negative errno of a function here. */
const char *vchan_error_text(int error);

/*
 * Deaths of domains, for those in dom0 that have to tell others. Where a dead domain is the end
 * of its sockets there is nothing to tell: the descriptor is -1 then, and nobody dies.
 */
struct vchan_deaths;
typedef void (*vchan_death_fn)(void *user, uint32_t domain);

int vchan_deaths_new(struct vchan_deaths **ret);
void vchan_deaths_free(struct vchan_deaths *d);
/* POLLIN; -1: none. */
int vchan_deaths_fd(const struct vchan_deaths *d);
/*
 * Until its death, which is told once. -EHOSTDOWN: it is gone already. Dispatch afterwards: what
 * happened meanwhile does not show in the descriptor.
 */
int vchan_deaths_follow(struct vchan_deaths *d, uint32_t domain);
/* Calls fn for each domain that is gone; fn may not follow others. */
int vchan_deaths_dispatch(struct vchan_deaths *d, vchan_death_fn fn, void *user);

/* That domain is gone: removes what this domain's servers left for it. Nothing there is fine. */
void vchan_forget(uint32_t domain);
/*
 * The process that served there is gone: removes the name that it left, if it was killed before its
 * peer came. Only where nobody can serve there again yet.
 * pid: of that process, which may have left more; 0: not known.
 */
void vchan_forget_port(uint32_t domain, uint32_t port, pid_t pid);

#endif
