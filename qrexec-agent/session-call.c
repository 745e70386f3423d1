/* See session-call.h. */
#include "qrexec-agent/session-call.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Room for one descriptor. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int session_call_send(int link, const struct wire_fork *f, struct wire_text line, int fd)
{
    static unsigned char data[WIRE_CONTROL_MAX + WIRE_FORK_SIZE];
    struct wire_writer w = wire_writer(data, sizeof(data));
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = data};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    if (wire_write_fork(&w, f, line))
        return -EINVAL;
    part.iov_len = w.len;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    if (sendmsg(link, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    return errno == ECONNRESET ? -EPIPE : -errno;
}

static int take_descriptor(struct msghdr *m, int *ret)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return -EBADMSG;
    memcpy(ret, CMSG_DATA(c), sizeof(int));
    return 0;
}

int session_call_receive(int link, struct wire_fork *ret, char **ret_line, int *ret_fd)
{
    static unsigned char data[WIRE_CONTROL_MAX + WIRE_FORK_SIZE];
    union control control = {.bytes = {0}};
    struct iovec part = {data, sizeof(data)};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(link, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct wire_reader r = wire_reader(data, WIRE_FORK_SIZE);
    const char *line = (const char *)data + WIRE_FORK_SIZE;
    _cleanup_(closep) int fd = -1;

    if (n <= 0)
        return n == 0 ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
    if (take_descriptor(&m, &fd) || n < WIRE_FORK_SIZE || wire_read_fork(&r, ret) ||
        ret->cmdline_len != (size_t)n - WIRE_FORK_SIZE ||
        memchr(line, 0, ret->cmdline_len) != line + ret->cmdline_len - 1)
        return -EBADMSG;
    *ret_line = strdup(line);
    if (!*ret_line)
        return -ENOMEM;
    *ret_fd = take_fd(&fd);
    return 0;
}
