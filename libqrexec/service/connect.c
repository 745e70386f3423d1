/*
 * Socket services: a connection to a Unix socket or to a TCP address, and what is sent there first.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define CONNECT_SECONDS 60 /* for a far host, or a queue; wire.md has none, a call must end */

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
    uint64_t deadline = clock_ms() + CONNECT_SECONDS * 1000;
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

/* An IPv6 address may name its interface: fe80::1%eth0, or by number. */
static int address_v6(const char *host, struct sockaddr_in6 *ret)
{
    const char *scope = strchr(host, '%');
    char text[INET6_ADDRSTRLEN];

    if (format(text, sizeof(text), "%.*s", (int)strcspn(host, "%"), host) ||
        inet_pton(AF_INET6, text, &ret->sin6_addr) != 1)
        return -EINVAL;
    if (scope && !(ret->sin6_scope_id = if_nametoindex(scope + 1)) &&
        parse_u32(scope + 1, UINT32_MAX, &ret->sin6_scope_id))
        return -EINVAL;
    return 0;
}

/* Numeric ones only: no resolver is asked. */
static int connect_address(const struct service *s, int *ret)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.v6 = {.sin6_family = AF_INET6}};
    socklen_t n = sizeof(a.v6);
    _cleanup_(closep) int fd = -1;
    uint32_t port;
    int r = parse_u32(s->port, UINT16_MAX, &port);

    if (r)
        return r;
    if (strpbrk(s->host, ":%")) {
        r = address_v6(s->host, &a.v6);
        a.v6.sin6_port = htons((uint16_t)port);
    } else {
        a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        n = sizeof(a.v4);
        r = inet_pton(AF_INET, s->host, &a.v4.sin_addr) == 1 ? 0 : -EINVAL;
    }
    if (r)
        return r;
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, &a.any, n) < 0 && errno != EINPROGRESS))
        return -errno;
    r = wait_connected(fd);
    if (!r)
        *ret = take_fd(&fd);
    return r;
}

static int connect_tcp(const struct service *s, int *ret, char *reterr)
{
    int r = connect_address(s, ret);

    if (r == -EINVAL)
        return failed(s, "not a numeric address", reterr);
    return r ? failed(s, strerror(-r), reterr) : 0;
}

int service_connect(const struct service *s, int *ret, char reterr[static SERVICE_TEXT_MAX])
{
    _cleanup_(closep) int fd = -1;
    int r;

    if (s->kind == SERVICE_TCP)
        r = connect_tcp(s, &fd, reterr);
    else
        r = unix_connect_wait(s->path, CONNECT_SECONDS, &fd);
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
