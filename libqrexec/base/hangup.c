/* The end of a peer: see hangup.h. */
#include "libqrexec/base/hangup.h"

#include "libqrexec/base/util.h"

#include <errno.h>
#include <sys/epoll.h>

int hangup_fd(int fd, int *ret)
{
    /* no events asked for: hang-up and error are reported all the same, and nothing else */
    struct epoll_event none = {.events = 0};
    _cleanup_(closep) int e = epoll_create1(EPOLL_CLOEXEC);

    if (e < 0 || epoll_ctl(e, EPOLL_CTL_ADD, fd, &none) < 0)
        return -errno;
    *ret = take_fd(&e);
    return 0;
}
