/*
 * Moving the bytes of a data connection, between its streams and its vchan: see relay-driver.h.
 *
 * Descriptors that we made for a program (its socket pairs) are non-blocking and shut one way at a
 * time. The caller's own stdin and stdout belong to others too: their flags are left alone. A pipe
 * is opened a second time to have flags of our own; where that fails, no more is written than a
 * pipe that is ready takes at once.
 */
#include "libqrexec/relay/relay-driver.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PIPE_WANTED (1 << 18) /* bytes in a pipe of the caller's, where it may be that many */

#define ROUNDS 8 /* chunks of one source before the others have their turn */

/* Ours alone: non-blocking. Others' pipes: opened again. The rest stays as it is. */
static void own_flags(struct driver *d, enum relay_stream stream, int flags)
{
    int *fd = &d->fds[stream], again;
    char path[64];
    struct stat st;

    if (*fd < 0 || fstat(*fd, &st) < 0)
        return;
    d->eager[stream] = S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode);
    if (S_ISSOCK(st.st_mode))
        return;
    if (S_ISFIFO(st.st_mode) && d->p->role == RELAY_SERVICE) {
        d->eager[stream] = fd_set_nonblock(*fd, true) == 0;
        return;
    }
    again = -1;
    if (S_ISFIFO(st.st_mode) && format(path, sizeof(path), "/proc/self/fd/%d", *fd) == 0)
        again = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    if (again >= 0) {
        close_fd(fd);
        *fd = again;
        (void)fcntl(again, F_SETPIPE_SZ, PIPE_WANTED);
        d->eager[stream] = true;
    } else if (!S_ISREG(st.st_mode)) {
        d->most[stream] = 4096; /* PIPE_BUF: what a ready pipe takes */
    }
}

int driver_take_fds(struct driver *d)
{
    struct relay_params *p = d->p;
    bool same = p->in_fd >= 0 && p->in_fd == p->out_fd;

    d->shut = same || p->child || p->socket_service;
    d->fds[RELAY_IN] = take_fd(&p->in_fd);
    d->fds[RELAY_OUT] = take_fd(&p->out_fd);
    d->fds[p->role == RELAY_SERVICE ? RELAY_ERR : RELAY_ERROUT] = take_fd(&p->err_fd);
    if (same) {
        d->fds[RELAY_OUT] = fcntl(d->fds[RELAY_IN], F_DUPFD_CLOEXEC, 3);
        if (d->fds[RELAY_OUT] < 0)
            return -errno;
    }
    own_flags(d, RELAY_IN, O_RDONLY);
    own_flags(d, RELAY_ERR, O_RDONLY);
    own_flags(d, RELAY_OUT, O_WRONLY);
    own_flags(d, RELAY_ERROUT, O_WRONLY);
    if (p->own_err_fd >= 0)
        fd_set_nonblock(p->own_err_fd, true);
    return 0;
}

/* A stream that the machine closed. in and out may be one socket, or change places later. */
static void close_stream(struct driver *d, enum relay_stream stream)
{
    int *fd = &d->fds[stream];

    if (stream == RELAY_OUT && d->out_shut)
        return;
    if (stream == RELAY_OUT && d->shut && shutdown(*fd, SHUT_WR) == 0) {
        d->out_shut = true;
        return;
    }
    if (stream == RELAY_IN && d->switched)
        (void)shutdown(*fd, SHUT_RD);
    close_fd(fd);
}

void driver_close_streams(struct driver *d)
{
    for (size_t i = 0; i < RELAY_STREAMS; i++)
        if (d->fds[i] >= 0 && d->relay.streams[i] == RELAY_CLOSED)
            close_stream(d, (enum relay_stream)i);
}

/* The stdout pair is empty and shut: output comes from the stdin pair from now on. */
static void switch_input(struct driver *d)
{
    d->switching = false;
    d->switched = true;
    close_fd(&d->fds[RELAY_IN]);
    d->fds[RELAY_IN] = fcntl(d->fds[RELAY_OUT], F_DUPFD_CLOEXEC, 3);
}

/* A SIGUSR1 that was sent before the output ended comes first. */
static int end_of_input(struct driver *d, enum relay_stream stream)
{
    int r;

    if (stream == RELAY_ERR)
        return driver_step(d, RELAY_EV_ERR_EOF);
    r = driver_on_signal(d);
    if (r)
        return r;
    if (!d->switching || d->fds[RELAY_OUT] < 0)
        return driver_step(d, RELAY_EV_IN_EOF);
    switch_input(d);
    return 0;
}

ssize_t relay_read_some(int fd, bool *no_socket, void *data, size_t n)
{
    ssize_t got = *no_socket ? -1 : recv(fd, data, n, MSG_DONTWAIT);

    *no_socket |= got < 0 && errno == ENOTSOCK;
    if (*no_socket)
        got = read(fd, data, n);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    return got;
}

static int read_stream(struct driver *d, enum relay_stream stream)
{
    unsigned char *p;
    ssize_t got;
    int r = relay_reserve(&d->relay, &p);

    if (r)
        return r;
    got = relay_read_some(d->fds[stream], &d->no_socket[stream], p, relay_chunk(&d->relay));
    if (got == -EAGAIN)
        return 0;
    if (got <= 0) /* an error ends a stream like its end: EIO of a terminal, ECONNRESET */
        return end_of_input(d, stream);
    if (stream == RELAY_ERR && d->p->own_err_fd >= 0)
        (void)!write(d->p->own_err_fd, p, (size_t)got); /* a log that is full loses it */
    return relay_commit(&d->relay, stream, (size_t)got);
}

/* Without a descriptor there is nothing to read, and nobody to write to. */
static int missing_streams(struct driver *d, struct relay_wants w)
{
    int r = 0;

    if (w.read[RELAY_IN] && d->fds[RELAY_IN] < 0)
        r = driver_step(d, RELAY_EV_IN_EOF);
    if (!r && w.write[RELAY_OUT] && d->fds[RELAY_OUT] < 0)
        r = driver_step(d, RELAY_EV_OUT_GONE);
    if (!r && w.write[RELAY_ERROUT] && d->fds[RELAY_ERROUT] < 0)
        r = driver_step(d, RELAY_EV_ERROUT_GONE);
    return r;
}

static ssize_t write_some(int fd, bool *no_socket, const void *data, size_t n)
{
    ssize_t put = *no_socket ? -1 : send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    *no_socket |= put < 0 && errno == ENOTSOCK;
    if (*no_socket)
        put = write(fd, data, n);
    if (put < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    return put;
}

/* A reader that left has had what it wanted; otherwise bytes are missing. */
static int end_of_output(struct driver *d, enum relay_stream stream, int error)
{
    if (d->relay.role == RELAY_CALLER && error != -EPIPE && error != -ECONNRESET) {
        log_error("cannot write what the service %s: %s",
                  stream == RELAY_OUT ? "gives" : "says on its stderr", strerror(-error));
        d->relay.output_lost |= stream == RELAY_OUT;
    }
    return driver_step(d, stream == RELAY_OUT ? RELAY_EV_OUT_GONE : RELAY_EV_ERROUT_GONE);
}

static int write_stream(struct driver *d, enum relay_stream stream)
{
    struct buf *queue = &d->relay.queues[stream];
    size_t n = buf_len(queue);
    ssize_t put;

    if (d->most[stream])
        n = size_min(n, d->most[stream]);
    put = write_some(d->fds[stream], &d->no_socket[stream], buf_data(queue), n);
    if (put == -EAGAIN)
        return 0;
    if (put < 0)
        return end_of_output(d, stream, (int)put);
    buf_consume(queue, (size_t)put);
    return driver_step(d, RELAY_EV_MOVED);
}

int driver_on_stream(struct driver *d, enum relay_stream stream, short revents)
{
    struct relay_wants w = relay_wants(&d->relay);

    if (d->fds[stream] < 0)
        return 0;
    if (w.read[stream])
        return read_stream(d, stream);
    if (w.write[stream])
        return write_stream(d, stream);
    if (stream == RELAY_OUT && revents & (POLLHUP | POLLERR))
        return driver_step(d, RELAY_EV_OUT_GONE);
    return 0;
}

static int read_peer(struct driver *d, bool *ret_more)
{
    struct buf *b = &d->relay.from_peer;
    unsigned char *p;
    ssize_t got;
    size_t n;
    int r;

    *ret_more = false;
    n = size_min(buf_room(b), WIRE_HEADER_SIZE + WIRE_CHUNK);
    r = buf_reserve(b, n, &p);
    if (r)
        return r;
    got = vchan_read(d->vchan, p, n);
    if (got == 0)
        return 0;
    *ret_more = true;
    if (got < 0)
        return driver_step(d, RELAY_EV_PEER_GONE);
    buf_commit(b, (size_t)got);
    return driver_step(d, RELAY_EV_PEER_BYTES);
}

static int write_peer(struct driver *d, bool *ret_more)
{
    struct buf *b = &d->relay.to_peer;
    ssize_t put = vchan_write(d->vchan, buf_data(b), buf_len(b));

    *ret_more = put > 0;
    if (put < 0)
        return driver_step(d, RELAY_EV_PEER_DEAF);
    buf_consume(b, (size_t)put);
    return driver_step(d, RELAY_EV_MOVED);
}

/* After bytes came from the peer: out to whoever takes them without blocking. */
static int write_eagerly(struct driver *d)
{
    if (d->fds[RELAY_OUT] < 0 || !d->eager[RELAY_OUT] || !relay_wants(&d->relay).write[RELAY_OUT])
        return 0;
    return write_stream(d, RELAY_OUT);
}

/* After bytes went to the peer: the next ones, if they are there already. */
static int read_eagerly(struct driver *d)
{
    if (d->fds[RELAY_IN] < 0 || !d->eager[RELAY_IN] || !relay_wants(&d->relay).read[RELAY_IN])
        return 0;
    return read_stream(d, RELAY_IN);
}

int driver_pump(struct driver *d, bool *ret_more)
{
    bool in = true, out = true;
    int r = 0;

    for (int i = 0; i < ROUNDS && (in || out) && !r; i++) {
        struct relay_wants w = relay_wants(&d->relay);

        in = out = false;
        r = missing_streams(d, w);
        if (!r && d->relay.phase == RELAY_HELLO && w.write_peer) /* whatever the peer says */
            r = write_peer(d, &out);
        if (!r && w.read_peer)
            r = read_peer(d, &in);
        if (!r && in)
            r = write_eagerly(d);
        if (!r && relay_wants(&d->relay).write_peer)
            r = write_peer(d, &out);
        if (!r && out)
            r = read_eagerly(d);
    }
    /* a closed vchan is not polled any more: it is read until it says so itself */
    *ret_more =
        in || out || (vchan_state(d->vchan) == VCHAN_CLOSED && relay_wants(&d->relay).read_peer);
    return r;
}
