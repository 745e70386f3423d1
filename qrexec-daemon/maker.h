/*
 * What a call has of the spawner: a disposable, or the start of its target
 * (tests/talk/daemon-disposable-test.c).
 *
 * A disposable is a lease: the connection that asked for it stays open, and its end is the
 * disposable's. Where the spawner is another's, and knows no leases, it is created and started over
 * the Admin API, and killed when the maker is dropped, even if its creation is answered only later.
 */
#ifndef QREXEC_DAEMON_MAKER_H
#define QREXEC_DAEMON_MAKER_H

#include "libqrexec/base/util.h"

#define MAKER_NAME_SIZE 64

struct maker;

enum maker_event {
    MAKER_MADE,   /* text: the name of what runs now; "" after a start */
    MAKER_FAILED, /* text: why */
    MAKER_GONE,   /* the disposable, or its spawner, ended */
};

typedef void (*maker_fn)(void *user, enum maker_event ev, const char *text);

/*
 * source: the domain for which it is made. by_uuid: template is a "uuid:…". fn is called with a
 * later turn; it may drop the maker. 0 or -ENOMEM and the like.
 */
int maker_lease(const char *source, const char *template, bool by_uuid, maker_fn fn, void *user,
                struct maker **ret);
/* admin.vm.Start. One that is not halted is fine. */
int maker_start(const char *target, maker_fn fn, void *user, struct maker **ret);
/* NULL is fine. Nothing is heard any more; a disposable is destroyed. */
void maker_drop(struct maker *m);
/* The process ends: what was said to the spawner is said, its answers are not waited for. */
void makers_end(void);

#endif
