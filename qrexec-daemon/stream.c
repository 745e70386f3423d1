/* Connections of ours to local services: see stream.h. */
#include "qrexec-daemon/stream.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <sys/socket.h>

#define SAY_MAX  (160U << 10)
#define RETRY_MS 10
#define TRIES    1000 /* while the service's backlog is full */

static void arm(struct stream *s)
{
    watch_set(&s->watch, s->fd, (short)(POLLIN | (buf_len(&s->out) ? POLLOUT : 0)));
}

static void fail_later(struct stream *s, int error)
{
    s->error = error;
    timer_set(&s->timer, 0);
}

/* 0 or negative errno. */
static int flush(struct stream *s)
{
    ssize_t n = 1;

    while (buf_len(&s->out) && n > 0)
        n = buf_write_fd(&s->out, s->fd);
    if (n < 0 && n != -EAGAIN)
        return (int)n;
    if (s->half_close && !buf_len(&s->out)) {
        s->half_close = false;
        (void)shutdown(s->fd, SHUT_WR);
    }
    return 0;
}

/* An answer may be there although the rest of what we say was not wanted: read first. */
static void on_watch(struct watch *w, short revents)
{
    struct stream *s = container_of(w, struct stream, watch);
    ssize_t n = buf_read_fd(&s->in, s->fd, buf_room(&s->in));
    int r = n == 0 ? STREAM_END : n < 0 && n != -EAGAIN ? (int)n : 0;

    (void)revents;
    if (!r)
        r = flush(s);
    if (r)
        watch_stop(w);
    else
        arm(s);
    if (r || n > 0)
        s->fn(s, r);
}

static void try_connect(struct stream *s)
{
    int r = call_id_connect(s->path, s->call_id ? s->call_id : "", s->to, &s->fd);

    if (r == -EAGAIN && ++s->tries < TRIES) {
        timer_set(&s->timer, RETRY_MS);
        return;
    }
    if (!r)
        r = flush(s);
    if (r)
        fail_later(s, r);
    else
        arm(s);
}

static void on_timer(struct timer *t)
{
    struct stream *s = container_of(t, struct stream, timer);

    if (s->error)
        s->fn(s, s->error);
    else
        try_connect(s);
}

static void set_up(struct stream *s, size_t most_in, void (*fn)(struct stream *s, int status))
{
    const char *call_id = s->call_id;
    enum call_id_to to = s->to;

    stream_close(s);
    *s = STREAM_NULL;
    s->call_id = call_id;
    s->to = to;
    s->fn = fn;
    s->watch.fn = on_watch;
    s->timer.fn = on_timer;
    s->in = BUF_NULL(most_in);
    s->out = BUF_NULL(SAY_MAX);
}

int stream_open(struct stream *s, const char *path, const void *data, size_t n, bool half_close,
                size_t most_in, void (*fn)(struct stream *s, int status))
{
    int r;

    set_up(s, most_in, fn);
    r = format(s->path, sizeof(s->path), "%s", path);
    if (!r)
        r = buf_append(&s->out, data, n);
    if (r)
        return r;
    s->half_close = half_close;
    try_connect(s);
    return 0;
}

int stream_adopt(struct stream *s, int fd, size_t most_in, void (*fn)(struct stream *s, int status))
{
    int r = fd_set_nonblock(fd, true);

    set_up(s, most_in, fn);
    s->fd = fd;
    if (r)
        fail_later(s, r);
    else
        arm(s);
    return 0;
}

int stream_say(struct stream *s, const void *data, size_t n)
{
    int r = buf_append(&s->out, data, n);

    if (!r && s->fd >= 0 && !s->error)
        arm(s);
    return r;
}

void stream_close(struct stream *s)
{
    if (s->watch.events)
        watch_stop(&s->watch);
    timer_stop(&s->timer);
    close_fd(&s->fd);
    buf_deinit(&s->in);
    buf_deinit(&s->out);
}
