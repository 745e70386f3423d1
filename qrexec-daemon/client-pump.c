/*
 * Joining streams: see client-pump.h. One poll loop, one buffer a direction; a direction reads only
 * when its buffer is empty, so a slow reader holds up its own direction alone. A direction is over
 * when its source has ended and its buffer is out, or its reader is gone. Our own streams belong to
 * others too, so their flags are left alone: no more is written than what is ready takes at once.
 */
#include "qrexec-daemon/client-pump.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/wire/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#define CHUNK 65536

enum { IN, OUT, ERR, DIRECTIONS };

struct direction {
    int from, to; /* from -1: it has ended; to -1: over */
    struct buf buf;
    bool filter;
};

static struct direction direction(int from, int to, bool filter)
{
    return (struct direction){from, from < 0 ? -1 : to, BUF_NULL(CHUNK), filter};
}

static bool is_open(const struct direction *d)
{
    return d->to >= 0;
}

static int direction_read(struct direction *d)
{
    ssize_t n = buf_read_fd(&d->buf, d->from, CHUNK);

    if (n == 0)
        d->from = -1; /* what waits still goes out */
    if (n > 0 && d->filter)
        wire_filter_unsafe(d->buf.data + d->buf.start, buf_len(&d->buf));
    return n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* Whatever it is, it has room: a pipe for PIPE_BUF bytes, a socket says how much. */
static int direction_write(struct direction *d)
{
    size_t n = buf_len(&d->buf);
    ssize_t put = send(d->to, buf_data(&d->buf), n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (put < 0 && errno == ENOTSOCK)
        put = write(d->to, buf_data(&d->buf), size_min(n, PIPE_BUF));
    if (put < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    buf_consume(&d->buf, (size_t)put);
    return 0;
}

static void direction_poll(const struct direction *d, struct pollfd p[static 2])
{
    bool full = buf_len(&d->buf) > 0;

    p[0] = (struct pollfd){.fd = full ? -1 : d->from, .events = POLLIN};
    p[1] = (struct pollfd){.fd = full ? d->to : -1, .events = POLLOUT};
}

static void direction_end(struct direction *d, bool shut)
{
    if (shut && is_open(d))
        (void)shutdown(d->to, SHUT_WR);
    d->from = d->to = -1;
    buf_deinit(&d->buf);
}

/* shut: a reader hears of the end by a half-close. */
static int direction_turn(struct direction *d, const struct pollfd p[static 2], bool shut)
{
    int r = p[0].revents ? direction_read(d) : 0;

    if (!r && p[1].revents)
        r = direction_write(d);
    if (r || (d->from < 0 && !buf_len(&d->buf)))
        direction_end(d, shut);
    return r;
}

/* The directions, then the service's end. That it reads no more is no error of ours. */
static int turn(struct direction d[static DIRECTIONS], bool out_is_socket, int *child)
{
    struct pollfd p[2 * DIRECTIONS + 1];
    int r = 0;

    for (size_t i = 0; i < DIRECTIONS; i++)
        direction_poll(&d[i], p + 2 * i);
    p[2 * DIRECTIONS] = (struct pollfd){.fd = *child, .events = POLLIN};
    if (poll(p, ARRAY_SIZE(p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (is_open(&d[IN]))
        (void)direction_turn(&d[IN], p, true);
    if (is_open(&d[OUT]))
        r = direction_turn(&d[OUT], p + 2 * OUT, out_is_socket);
    if (is_open(&d[ERR]))
        (void)direction_turn(&d[ERR], p + 2 * ERR, false);
    if (p[2 * DIRECTIONS].revents) {
        direction_end(&d[IN], true);
        close_fd(child);
    }
    return r;
}

int client_pump(const struct client_pump *p)
{
    _cleanup_(closep) int service_in = p->service_in;
    _cleanup_(closep) int service_out = p->service_out;
    _cleanup_(closep) int service_err = p->service_err;
    _cleanup_(closep) int child = -1;
    struct direction d[DIRECTIONS] = {[IN] = direction(p->in, service_in, false),
                                      [OUT] = direction(service_out, p->out, p->filter),
                                      [ERR] = direction(service_err, p->err, true)};
    size_t n = p->prefix ? strlen(p->prefix) : 0;
    int r = fd_set_nonblock(service_in, true);

    d[IN].buf.limit = n > CHUNK ? n : CHUNK;
    if (!r)
        r = fd_set_nonblock(service_out, true);
    if (!r)
        r = buf_append(&d[IN].buf, p->prefix, n);
    if (!r && spawn_pidfd(p->child, &child))
        child = -1; /* an old kernel: the end of its output is its end */
    while (!r && (is_open(&d[OUT]) || is_open(&d[ERR]) || (is_open(&d[IN]) && child >= 0)))
        r = turn(d, p->out_is_socket, &child);
    for (size_t i = 0; i < DIRECTIONS; i++)
        buf_deinit(&d[i].buf);
    return r;
}
