/*
 * The socket transport: a stream at $VCHAN_SOCKET_DIR/vchan.SERVER.CLIENT.PORT.sock.
 *
 * A server takes one peer; its name goes then, since the port may be used again while it is still
 * busy with what that peer sent. A control channel's server listens as long as it lives: the next
 * peer waits in its backlog until vchan_reset(). A client tries, and tries again when something
 * appears in the directory, and after a back-off besides: a name may stand there before anybody
 * listens, stay after its server died, or be a link to a place that is not watched. None of these
 * is an error. The directory protects the socket, so the socket itself is open to all.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/vchan/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define RING_LEAST   65536
#define NO_REPLACE   1U   /* RENAME_NOREPLACE, which not every C library has */
#define BACKOFF_NEAR 50   /* ms at most, while a name is there but nobody listens */
#define BACKOFF_FAR  1000 /* ms at most, while nothing is there and the directory is watched */
/*
 * A server of data mostly comes at once, or never. A hundred clients that wait for such would all
 * be woken by each server that comes for another, and a user has 128 watches of this kind in all.
 */
#define WATCH_MS 2000

struct socket_vchan {
    struct vchan base;
    size_t ring;
    int conn; /* the peer, or -1 */
    bool server;
    bool control; /* serves one peer after the other */
    bool reads;   /* its owner waits to read, and sees the end there */
    bool drained; /* what had come is read: poll(2) is the first to know of more */
    int listener; /* server, while it takes a peer; else -1 */
    dev_t dev;    /* of the socket's name, so that only our own is removed */
    ino_t ino;
    int changes;   /* client: tells that it is worth to try again */
    bool watching; /* changes really watches the directory */
    int backoff;   /* client: ms until the next try */
    bool late;     /* client: the watch was given up, tries go on */
    uint64_t since;
    struct sockaddr_un address;
    char dir[UNIX_PATH_SIZE];
};

static struct socket_vchan *socket_vchan(const struct vchan *v)
{
    return (struct socket_vchan *)(uintptr_t)v;
}

static int socket_own_domain(uint32_t *ret)
{
    const char *text = getenv("VCHAN_DOMAIN");

    if (text)
        return parse_u32(text, UINT32_MAX, ret);
    *ret = 0;
    return 0;
}

static int set_address(struct socket_vchan *s, uint32_t server, uint32_t client, uint32_t port)
{
    const char *dir = secure_getenv("VCHAN_SOCKET_DIR");
    int r;

    r = dir && *dir ? format(s->dir, sizeof(s->dir), "%s", dir)
                    : format(s->dir, sizeof(s->dir), "%s/run/vchan", paths_root());
    if (r)
        return r;
    s->address.sun_family = AF_UNIX;
    return format(s->address.sun_path, sizeof(s->address.sun_path), "%s/vchan.%u.%u.%u.sock",
                  s->dir, server, client, port);
}

/* A name that nobody else uses, in the same directory; no longer than the real one. */
static int name_of(const struct socket_vchan *s, pid_t pid, char buf[static UNIX_PATH_SIZE])
{
    uint32_t own = 0;

    (void)socket_own_domain(&own);
    return format(buf, UNIX_PATH_SIZE, "%s/.%u.%x", s->dir, own, (unsigned)pid);
}

static int own_name(const struct socket_vchan *s, char buf[static UNIX_PATH_SIZE])
{
    return name_of(s, getpid(), buf);
}

static bool is_ours(const struct socket_vchan *s, const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino;
}

/*
 * The next server of this name may bind it at any moment. So it is moved away first and looked at
 * then; what turns out to be the next one's goes back, unless there is a newer one yet.
 */
static void remove_name(const struct socket_vchan *s)
{
    char aside[UNIX_PATH_SIZE];

    if (!is_ours(s, s->address.sun_path) || own_name(s, aside) ||
        rename(s->address.sun_path, aside) < 0)
        return;
    if (is_ours(s, aside) ||
        syscall(SYS_renameat2, AT_FDCWD, aside, AT_FDCWD, s->address.sun_path, NO_REPLACE) < 0)
        unlink(aside);
}

static void stop_listening(struct socket_vchan *s)
{
    if (s->listener >= 0)
        remove_name(s);
    close_fd(&s->listener);
}

static void socket_free(struct vchan *v)
{
    struct socket_vchan *s = socket_vchan(v);

    stop_listening(s);
    close_fd(&s->conn);
    close_fd(&s->changes);
    free(s);
}

static void socket_vchan_freep(struct socket_vchan **s)
{
    if (*s)
        socket_free(&(*s)->base);
}

static int socket_vchan_new(size_t ring, struct socket_vchan **ret)
{
    struct socket_vchan *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->base.transport = &vchan_socket_transport;
    s->base.state = VCHAN_WAITING;
    s->ring = ring > RING_LEAST ? ring : RING_LEAST;
    s->conn = s->listener = s->changes = -1;
    *ret = s;
    return 0;
}

/* The kernel counts its own overhead into the buffer, about as much again. */
static void take_peer(struct socket_vchan *s, int fd)
{
    int size = s->ring > INT32_MAX / 2 ? INT32_MAX : (int)(2 * s->ring);

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    s->conn = fd;
    s->base.state = VCHAN_CONNECTED;
}

static int new_socket(int *ret)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

/* Without asking whether somebody serves the old name: asking would be a connection to it. */
static int server_bind(struct socket_vchan *s)
{
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[UNIX_PATH_SIZE];
    struct stat st;
    mode_t old;
    int r;

    r = own_name(s, path);
    if (!r)
        r = format(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (!r)
        r = new_socket(&fd);
    if (r)
        return r;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    old = umask(0111);
    r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
    umask(old);
    if (r)
        return r;
    if (listen(fd, 8) < 0 || lstat(path, &st) < 0 || rename(path, s->address.sun_path) < 0) {
        r = -errno;
        unlink(path);
        return r;
    }
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    close_fd(&s->listener);
    s->listener = take_fd(&fd);
    return 0;
}

static int socket_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret)
{
    _cleanup_(socket_vchan_freep) struct socket_vchan *s = NULL;
    uint32_t own;
    int r;

    r = socket_own_domain(&own);
    if (!r)
        r = socket_vchan_new(ring, &s);
    if (!r)
        r = set_address(s, own, peer, port);
    if (!r)
        r = server_bind(s);
    if (r)
        return r;
    s->server = true;
    s->control = port == VCHAN_CONTROL_PORT;
    *ret = &take(s)->base;
    return 0;
}

/* Drops the peer. A name that is no longer ours (the directory was made anew) is bound again. */
static int socket_reset(struct vchan *v)
{
    struct socket_vchan *s = socket_vchan(v);

    if (!s->server)
        return -EOPNOTSUPP;
    close_fd(&s->conn);
    s->base.state = VCHAN_WAITING;
    return s->listener >= 0 && is_ours(s, s->address.sun_path) ? 0 : server_bind(s);
}

static int server_accept(struct socket_vchan *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
    take_peer(s, fd);
    if (!s->control)
        stop_listening(s);
    return 0;
}

/* Always gives the client a descriptor to wait for, at worst one that never fires. */
static int client_watch(struct socket_vchan *s)
{
    if (s->changes < 0)
        s->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (s->changes >= 0 && !s->watching && !s->late)
        s->watching = inotify_add_watch(s->changes, s->dir, IN_CREATE | IN_MOVED_TO) >= 0;
    if (s->changes < 0)
        s->changes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->changes < 0 ? -errno : 0;
}

/* The descriptor's number stays: its owner may be waiting for it. */
static void client_unwatch(struct socket_vchan *s)
{
    _cleanup_(closep) int never = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (never < 0 || dup3(never, s->changes, O_CLOEXEC) < 0)
        return;
    s->late = true;
    s->watching = false;
}

static void client_back_off(struct socket_vchan *s)
{
    struct stat st;
    bool there = lstat(s->address.sun_path, &st) == 0;
    int most = !s->late && (there || !s->watching) ? BACKOFF_NEAR : BACKOFF_FAR;

    if (!s->control && !s->late && clock_ms() - s->since > WATCH_MS)
        client_unwatch(s);

    s->backoff = s->backoff ? s->backoff * 2 : 1;
    if (s->backoff > most)
        s->backoff = most;
}

/* 0: connected, or not yet and *ret_wait says so; negative errno. */
static int client_connect(struct socket_vchan *s, bool *ret_wait)
{
    _cleanup_(closep) int fd = -1;
    int r = new_socket(&fd);

    *ret_wait = false;
    if (r)
        return r;
    if (connect(fd, (struct sockaddr *)&s->address, sizeof(s->address)) == 0) {
        take_peer(s, take_fd(&fd));
        if (s->control)
            close_fd(&s->changes);
        return 0;
    }
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
    case ELOOP:   /* a link to itself for a moment */
    case ENOTDIR: /* something else stands there: whoever serves will replace it */
    case EAGAIN:  /* its backlog is full */
    case EINTR: *ret_wait = true; return 0;
    default: return -errno;
    }
}

/*
 * Who has to wait tries once more when the watch is there, so that nothing appears between them
 * unseen. The watch is not closed before the end: the kernel takes milliseconds for that. Only a
 * control channel lives so long that what nobody reads there would add up.
 */
static int client_try(struct socket_vchan *s)
{
    bool wait, watched = s->changes >= 0;
    int r = client_connect(s, &wait);

    if (r || !wait)
        return r;
    r = client_watch(s);
    if (!r && !watched)
        r = client_connect(s, &wait);
    if (!r && wait)
        client_back_off(s);
    return r;
}

static int socket_connect(uint32_t peer, uint32_t port, struct vchan **ret)
{
    _cleanup_(socket_vchan_freep) struct socket_vchan *s = NULL;
    uint32_t own;
    int r;

    r = socket_own_domain(&own);
    if (!r)
        r = socket_vchan_new(RING_LEAST, &s);
    if (!r)
        r = set_address(s, peer, own, port);
    if (r)
        return r;
    s->control = port == VCHAN_CONTROL_PORT;
    s->since = clock_ms();
    r = client_try(s);
    if (r)
        return r;
    *ret = &take(s)->base;
    return 0;
}

static int socket_fd(const struct vchan *v)
{
    const struct socket_vchan *s = socket_vchan(v);

    if (s->conn >= 0)
        return s->conn;
    return s->listener >= 0 ? s->listener : s->changes;
}

static short socket_events(struct vchan *v, bool want_read, bool want_write)
{
    socket_vchan(v)->reads = want_read;
    if (v->state == VCHAN_WAITING)
        return POLLIN;
    return (short)((want_read ? POLLIN : 0) | (want_write ? POLLOUT : 0));
}

static int socket_timeout(const struct vchan *v)
{
    const struct socket_vchan *s = socket_vchan(v);

    return v->state == VCHAN_WAITING && !s->server ? s->backoff : -1;
}

/* For an owner that does not want to read now. */
static void notice_hangup(struct socket_vchan *s)
{
    struct pollfd p = {.fd = s->conn};

    if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR))
        s->base.state = VCHAN_CLOSED;
}

static int client_retry(struct socket_vchan *s)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } news;
    ssize_t n = read(s->changes, &news, sizeof(news));

    if (n > 0) {
        s->backoff = 0;
        if (news.event.mask & IN_IGNORED) /* the directory itself went away */
            s->watching = false;
    }
    return client_try(s);
}

static int socket_dispatch(struct vchan *v)
{
    struct socket_vchan *s = socket_vchan(v);
    int r = 0;

    s->drained = false;
    if (v->state == VCHAN_CONNECTED && !s->reads)
        notice_hangup(s);
    else if (v->state == VCHAN_WAITING)
        r = s->server ? server_accept(s) : client_retry(s);
    if (r)
        v->state = VCHAN_CLOSED;
    return r;
}

/* What has arrived stays readable; behind it is the end. */
static void socket_lose(struct vchan *v)
{
    struct socket_vchan *s = socket_vchan(v);

    if (s->conn >= 0)
        (void)shutdown(s->conn, SHUT_RDWR);
    v->state = VCHAN_CLOSED;
}

/* What a failed or empty transfer means. */
static ssize_t not_moved(struct vchan *v, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    v->state = VCHAN_CLOSED;
    if (n == 0 || errno == ECONNRESET)
        return -EPIPE;
    return -errno;
}

static ssize_t socket_read(struct vchan *v, void *data, size_t n)
{
    struct socket_vchan *s = socket_vchan(v);
    ssize_t got;

    if (s->conn < 0)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    if (!n || (s->drained && v->state == VCHAN_CONNECTED))
        return 0;
    got = recv(s->conn, data, n, MSG_DONTWAIT);
    s->drained = got < (ssize_t)n;
    return got > 0 ? got : not_moved(v, got);
}

static ssize_t socket_write(struct vchan *v, const void *data, size_t n)
{
    struct socket_vchan *s = socket_vchan(v);
    ssize_t put;

    if (v->state != VCHAN_CONNECTED)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    if (!n)
        return 0;
    put = send(s->conn, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return put > 0 ? put : not_moved(v, put);
}

static void unlink_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
}

static void socket_forget_port(uint32_t domain, uint32_t port, pid_t pid)
{
    struct socket_vchan s = {0};
    char path[UNIX_PATH_SIZE];
    uint32_t own;

    if (socket_own_domain(&own) || set_address(&s, own, domain, port))
        return;
    unlink_socket(s.address.sun_path);
    if (pid > 0 && !name_of(&s, pid, path))
        unlink_socket(path);
}

const struct vchan_transport vchan_socket_transport = {
    .name = "socket",
    .own_domain = socket_own_domain,
    .listen = socket_listen,
    .connect = socket_connect,
    .reset = socket_reset,
    .free = socket_free,
    .fd = socket_fd,
    .events = socket_events,
    .timeout = socket_timeout,
    .dispatch = socket_dispatch,
    .lose = socket_lose,
    .read = socket_read,
    .write = socket_write,
    .forget_port = socket_forget_port,
};
