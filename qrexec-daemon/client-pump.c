/*
 * Joining streams: see client-pump.h. One poll loop, one buffer a direction; a direction reads only
 * when its buffer is empty, so a slow reader holds up its own direction alone.
 */
#include "qrexec-daemon/client-pump.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/wire/text.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define CHUNK 65536

struct direction {
    int from, to; /* -1: over */
    struct buf buf;
    bool filter;
};

/* Nothing more will come; what waits still goes out. */
static void end_input(struct direction *d)
{
    d->from = -1;
}

static int direction_read(struct direction *d)
{
    ssize_t n = buf_read_fd(&d->buf, d->from, CHUNK);

    if (n == 0)
        end_input(d);
    if (n > 0 && d->filter)
        wire_filter_unsafe(d->buf.data + d->buf.start, buf_len(&d->buf));
    return n < 0 && n != -EAGAIN ? (int)n : 0;
}

static int direction_write(struct direction *d)
{
    ssize_t n = buf_write_fd(&d->buf, d->to);

    return n < 0 && n != -EAGAIN ? (int)n : 0;
}

static void direction_poll(const struct direction *d, struct pollfd p[static 2])
{
    bool full = buf_len(&d->buf) > 0;

    p[0] = (struct pollfd){.fd = full ? -1 : d->from, .events = POLLIN};
    p[1] = (struct pollfd){.fd = full ? d->to : -1, .events = POLLOUT};
}

/* The service reads no more: its input is over. */
static void direction_turn_in(struct direction *d, const struct pollfd p[static 2])
{
    int r = p[0].revents ? direction_read(d) : 0;

    if (!r && p[1].revents)
        r = direction_write(d);
    if (!r && (d->from >= 0 || buf_len(&d->buf)))
        return;
    shutdown(d->to, SHUT_WR);
    d->from = d->to = -1;
    buf_consume(&d->buf, buf_len(&d->buf));
}

int client_pump(int in, int service_in, int service_out, int out, bool filter)
{
    _cleanup_(closep) int owned_in = service_in;
    _cleanup_(closep) int owned_out = service_out;
    struct direction to = {in, owned_in, BUF_NULL(CHUNK), false};
    struct direction back = {owned_out, out, BUF_NULL(CHUNK), filter};
    struct pollfd p[4];
    int r = 0;

    if (fd_set_nonblock(owned_in, true) || fd_set_nonblock(owned_out, true))
        r = -EIO;
    while (!r && (back.from >= 0 || buf_len(&back.buf))) {
        direction_poll(&to, p);
        direction_poll(&back, p + 2);
        if (poll(p, 4, -1) < 0 && errno != EINTR)
            r = -errno;
        if (!r && to.to >= 0)
            direction_turn_in(&to, p);
        if (!r && p[2].revents)
            r = direction_read(&back);
        if (!r && p[3].revents)
            r = direction_write(&back);
    }
    buf_deinit(&to.buf);
    buf_deinit(&back.buf);
    return r;
}
