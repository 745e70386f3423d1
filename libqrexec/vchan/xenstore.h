/*
 * A small client of xenstore: what a vchan needs of it, without a thread.
 *
 * One connection, one descriptor for the owner's loop. A request waits for its reply, which
 * xenstored gives in well under a millisecond; for a stuck one there is a deadline (-ETIMEDOUT).
 * What takes long is waited for with a watch: its descriptor becomes readable, xenstore_dispatch()
 * says which watches fired. A watch fires once when it is set. Events are not counted, only
 * remembered: whoever waits looks at the state anyway.
 *
 * Everything that comes is checked against the protocol (xen/io/xs_wire.h). A reply that is too
 * long, or of another type than was asked, ends the connection: each later call gives -EPROTO. A
 * reply to a request that is not waited for any more is passed over. What xenstored refuses is the
 * errno that it names, -EIO for a name that we do not know.
 *
 * A domain has 128 watches for all its programs together: set one where there is no other way.
 */
#ifndef QREXEC_VCHAN_XENSTORE_H
#define QREXEC_VCHAN_XENSTORE_H

#include "libqrexec/base/util.h"

#define XENSTORE_WATCHES 8 /* numbers of watches, from 0 */

struct xenstore;

/* In dom0 the daemon's socket, in a VM the kernel's device. 0 or negative errno. */
int xenstore_open(struct xenstore **ret);
/* On a connected descriptor, which it takes over if it succeeds. */
int xenstore_new(int fd, struct xenstore **ret);
void xenstore_free(struct xenstore *x);
static inline void xenstore_freep(struct xenstore **x)
{
    xenstore_free(*x);
}

int xenstore_fd(const struct xenstore *x);

/* A value as a C string. -ENOENT, -EACCES; -EMSGSIZE: longer, or with a NUL inside. */
int xenstore_read(struct xenstore *x, const char *path, char *buf, size_t size);
/* path and what is below it. */
int xenstore_remove(struct xenstore *x, const char *path);
int xenstore_is_introduced(struct xenstore *x, uint32_t domain, bool *ret);

/* number: of the watch, below XENSTORE_WATCHES; what xenstore_dispatch() says. */
int xenstore_watch(struct xenstore *x, const char *path, unsigned number);
int xenstore_unwatch(struct xenstore *x, const char *path, unsigned number);

/* Takes what has arrived. *ret_fired: a bit for each watch that fired. Does not wait. */
int xenstore_dispatch(struct xenstore *x, unsigned *ret_fired);
/* A watch fired while a reply was waited for: dispatch it, the descriptor does not say so. */
bool xenstore_has_news(const struct xenstore *x);

#endif
