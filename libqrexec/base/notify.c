/* Readiness and socket activation: see notify.h. */
#include "libqrexec/base/notify.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FIRST_FD 3

static int address(const char *path, struct sockaddr_un *ret, socklen_t *ret_len)
{
    size_t n = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || n >= sizeof(ret->sun_path))
        return -EINVAL;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, n);
    if (path[0] == '@')
        ret->sun_path[0] = 0;
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
    return 0;
}

int notify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a;
    socklen_t len;
    int r;

    if (!path || !*path)
        return 0;
    r = address(path, &a, &len);
    if (r)
        return r;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&a, len) < 0)
        return -errno;
    return 0;
}

/* The place of name in a list joined by colons, or -1. */
static int name_index(const char *names, const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; names; i++) {
        const char *end = strchrnul(names, ':');

        if ((size_t)(end - names) == n && memcmp(names, name, n) == 0)
            return i;
        names = *end ? end + 1 : NULL;
    }
    return -1;
}

int notify_listen_fd(const char *name, int *ret)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    uint32_t p, n;
    int i = -1, r;

    *ret = -1;
    if (!pid || !count || parse_u32(pid, INT32_MAX, &p) || parse_u32(count, 64, &n) ||
        (pid_t)p != getpid() || n == 0)
        return 0;
    i = name_index(getenv("LISTEN_FDNAMES"), name);
    if (i < 0 && n == 1)
        i = 0;
    if (i < 0 || (uint32_t)i >= n)
        return 0;
    r = fd_set_cloexec(FIRST_FD + i, true);
    if (!r)
        r = fd_set_nonblock(FIRST_FD + i, true);
    if (!r)
        *ret = FIRST_FD + i;
    return r;
}

int notify_server(const char *path, int *ret)
{
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a;
    socklen_t len;
    int r;

    r = address(path, &a, &len);
    if (r)
        return r;
    unlink(path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0)
        return -errno;
    *ret = take_fd(&fd);
    return 0;
}
