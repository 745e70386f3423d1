/*
 * The peer is gone: see hangup.h.
 *
 * An epoll instance reports a hang-up even where no event is asked for, and is itself readable
 * then; so the loop needs to know about readable descriptors alone.
 */
#include "libqrexec/base/hangup.h"

#include <errno.h>
#include <sys/epoll.h>

static void on_hangup(struct watch *w, short revents)
{
    struct hangup *h = container_of(w, struct hangup, watch);

    (void)revents;
    h->fn(h);
}

int hangup_watch(struct hangup *h, int fd)
{
    _cleanup_(closep) int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event nothing = {0};

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &nothing) < 0)
        return -errno;
    hangup_stop(h);
    h->watch.fn = on_hangup;
    watch_set(&h->watch, take_fd(&epoll), POLLIN);
    return 0;
}

void hangup_stop(struct hangup *h)
{
    int fd = h->watch.fd;

    if (!h->watch.events)
        return;
    watch_stop(&h->watch);
    close_fd(&fd);
}
