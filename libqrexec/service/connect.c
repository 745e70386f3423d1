/*
 * Socket services: a connection to a Unix socket or to a TCP address, and what is sent there first.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define TCP_SECONDS 60 /* for a far host to answer; wire.md has none, a call must end */

static int failed(const struct service *s, const char *why, char *reterr)
{
    if (s->kind == SERVICE_TCP)
        snprintf(reterr, SERVICE_TEXT_MAX, "%.255s: %s, port %s: %.150s", s->words.name, s->host,
                 s->port, why);
    else
        snprintf(reterr, SERVICE_TEXT_MAX, "%.300s: %.150s", s->path, why);
    return SERVICE_E_TROUBLE;
}

/* Until a connection that was begun is there. */
static int wait_connected(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint64_t deadline = clock_ms() + TCP_SECONDS * 1000;
    socklen_t n = sizeof(int);
    int error = 0, r;

    do
        r = poll(&p, 1, deadline_left(deadline));
    while (r < 0 && errno == EINTR);
    if (r <= 0)
        return r < 0 ? -errno : -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return -errno;
    return -error;
}

static int connect_tcp(const struct service *s, int *ret, char *reterr)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *a = NULL;
    _cleanup_(closep) int fd = -1;
    int r;

    hints.ai_family = strpbrk(s->host, ":%") ? AF_INET6 : AF_INET;
    r = getaddrinfo(s->host, s->port, &hints, &a);
    if (r)
        return failed(s, gai_strerror(r), reterr);
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    r = fd < 0 || (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS) ? -errno : 0;
    freeaddrinfo(a);
    if (!r)
        r = wait_connected(fd);
    if (r)
        return failed(s, strerror(-r), reterr);
    *ret = take_fd(&fd);
    return 0;
}

int service_connect(const struct service *s, int *ret, char reterr[static SERVICE_TEXT_MAX])
{
    _cleanup_(closep) int fd = -1;
    int r;

    if (s->kind == SERVICE_TCP)
        r = connect_tcp(s, &fd, reterr);
    else
        r = unix_connect(s->path, &fd);
    if (r < 0)
        return failed(s, strerror(-r), reterr);
    if (r)
        return r;
    if (!s->settings.skip_service_descriptor) {
        r = write_full(fd, s->words.descriptor, strlen(s->words.descriptor) + 1);
        if (r)
            return failed(s, strerror(-r), reterr);
    }
    *ret = take_fd(&fd);
    return 0;
}
