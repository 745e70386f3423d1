/* A client of xenstore: see xenstore.h. */
#include "libqrexec/vchan/xenstore.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* xsd_errors[] is there when errno.h came before */
#include <xen/io/xs_wire.h>

#define REPLY_MS    5000
#define HEADER_SIZE sizeof(struct xsd_sockmsg)
#define REQUEST_MAX 1024 /* paths of ours are short */

struct xenstore {
    int fd;
    int error; /* sticks: the connection makes no sense any more */
    uint32_t last_id;
    unsigned fired; /* watches, as bits */
    size_t have;    /* bytes of in */
    unsigned char in[HEADER_SIZE + XENSTORE_PAYLOAD_MAX];
};

/* A message at the start of in. */
struct message {
    struct xsd_sockmsg h;
    const char *body;
};

int xenstore_new(int fd, struct xenstore **ret)
{
    struct xenstore *x = calloc(1, sizeof(*x));
    int r = x ? fd_set_nonblock(fd, true) : -ENOMEM;

    if (r) {
        free(x);
        return r;
    }
    x->fd = fd;
    *ret = x;
    return 0;
}

static int open_daemon(int *ret)
{
    static const char *const paths[] = {"/run/xenstored/socket", "/var/run/xenstored/socket"};
    const char *given = secure_getenv("XENSTORED_PATH");
    int r = given ? unix_connect(given, ret) : -ENOENT;

    for (size_t i = 0; i < ARRAY_SIZE(paths) && (r == -ENOENT || r == -ECONNREFUSED); i++)
        r = unix_connect(paths[i], ret);
    return r;
}

static int open_device(int *ret)
{
    int fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        fd = open("/proc/xen/xenbus", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

int xenstore_open(struct xenstore **ret)
{
    _cleanup_(closep) int fd = -1;
    int r = open_daemon(&fd);

    if (r == -ENOENT || r == -ECONNREFUSED)
        r = open_device(&fd);
    if (!r)
        r = xenstore_new(fd, ret);
    if (!r)
        (void)take_fd(&fd);
    return r;
}

void xenstore_free(struct xenstore *x)
{
    if (!x)
        return;
    close_fd(&x->fd);
    free(x);
}

int xenstore_fd(const struct xenstore *x)
{
    return x->fd;
}

/* ---- What comes ---- */

/* 1: *ret is there, 0: not all of it yet, -EPROTO. */
static int peek_message(const struct xenstore *x, struct message *ret)
{
    if (x->have < HEADER_SIZE)
        return 0;
    memcpy(&ret->h, x->in, HEADER_SIZE);
    if (ret->h.len > XENSTORE_PAYLOAD_MAX)
        return -EPROTO;
    ret->body = (const char *)x->in + HEADER_SIZE;
    return x->have - HEADER_SIZE >= ret->h.len;
}

/* No more than one message is ever there. */
static void drop_message(struct xenstore *x)
{
    x->have = 0;
}

/* A path, then the token that came with the watch: one digit, each with its NUL. */
static int take_event(struct xenstore *x, const struct message *m)
{
    const char *end = memchr(m->body, 0, m->h.len), *token;
    unsigned number;

    if (!end || end + 3 != m->body + m->h.len || end[2])
        return -EPROTO;
    token = end + 1;
    number = (unsigned)(*token - '0');
    if (*token < '0' || number >= XENSTORE_WATCHES)
        return -EPROTO;
    x->fired |= 1U << number;
    return 0;
}

/*
 * Bytes that are there, not beyond the message that they belong to: what is left has to show in
 * the descriptor. 0: none now.
 */
static int fill(struct xenstore *x)
{
    size_t all = HEADER_SIZE;
    struct xsd_sockmsg h;
    ssize_t n;

    if (x->have >= HEADER_SIZE) {
        memcpy(&h, x->in, HEADER_SIZE);
        all += h.len; /* has been checked */
    }
    n = read(x->fd, x->in + x->have, all - x->have);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    x->have += (size_t)n;
    return 1;
}

/* The kernel's device answers a watch itself, and puts no id there. */
static bool is_reply_to(const struct message *m, const struct xsd_sockmsg *asked)
{
    if (!asked)
        return false;
    if (m->h.req_id == asked->req_id)
        return true;
    return m->h.req_id == 0 && m->h.type == asked->type &&
           (asked->type == XS_WATCH || asked->type == XS_UNWATCH);
}

/*
 * Takes events, passes over replies to others than asked (NULL: to all). 1: *ret is its reply; it
 * stays in the buffer. 0: it has not come yet.
 */
static int take_messages(struct xenstore *x, const struct xsd_sockmsg *asked, struct message *ret)
{
    int r;

    for (;;) {
        struct message m;

        r = peek_message(x, &m);
        if (r < 0)
            return r;
        if (r == 0) {
            r = fill(x);
            if (r <= 0)
                return r;
            continue;
        }
        if (m.h.type == XS_WATCH_EVENT) {
            r = take_event(x, &m);
            if (r)
                return r;
        } else if (is_reply_to(&m, asked)) {
            *ret = m;
            return 1;
        }
        drop_message(x);
    }
}

/* What ended the connection stays said. */
static int broken(struct xenstore *x, int r)
{
    if (r < 0 && !x->error)
        x->error = r;
    return r;
}

int xenstore_dispatch(struct xenstore *x, unsigned *ret_fired)
{
    struct message none;
    int r = x->error ? x->error : broken(x, take_messages(x, NULL, &none));

    if (r < 0)
        return r;
    *ret_fired = x->fired;
    x->fired = 0;
    return 0;
}

bool xenstore_has_news(const struct xenstore *x)
{
    return x->fired != 0;
}

/* ---- Requests ---- */

static int wait_for(const struct xenstore *x, short events, uint64_t deadline)
{
    struct pollfd p = {.fd = x->fd, .events = events};
    int left = deadline_left(deadline);

    if (!left)
        return -ETIMEDOUT;
    return poll(&p, 1, left) < 0 && errno != EINTR ? -errno : 0;
}

/* The kernel's device takes a request whole, and answers some by the error of this write. */
static int send_request(struct xenstore *x, const unsigned char *data, size_t n, uint64_t deadline)
{
    size_t done = 0;
    int r;

    while (done < n) {
        ssize_t put = send(x->fd, data + done, n - done, MSG_NOSIGNAL);

        if (put < 0 && errno == ENOTSOCK)
            put = write(x->fd, data + done, n - done);
        if (put >= 0) {
            done += (size_t)put;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return done ? broken(x, -errno) : -errno;
        r = wait_for(x, POLLOUT, deadline);
        if (r)
            return done ? broken(x, r) : r;
    }
    return 0;
}

/* Waits. The reply stays in the buffer until drop_message(). */
static int wait_reply(struct xenstore *x, const struct xsd_sockmsg *asked, uint64_t deadline,
                      struct message *ret)
{
    int r;

    for (;;) {
        r = broken(x, take_messages(x, asked, ret));
        if (r)
            return r < 0 ? r : 0;
        r = wait_for(x, POLLIN, deadline);
        if (r)
            return r;
    }
}

static int error_number(const struct message *m)
{
    for (size_t i = 0; m->h.len && i < ARRAY_SIZE(xsd_errors); i++)
        if (!m->body[m->h.len - 1] && str_equal(m->body, xsd_errors[i].errstring))
            return -xsd_errors[i].errnum;
    return -EIO;
}

/* The reply's body into buf. 0 and *ret_len, or negative errno. */
static int request(struct xenstore *x, uint32_t type, const void *body, size_t n, char *buf,
                   size_t size, size_t *ret_len)
{
    uint64_t deadline = clock_ms() + REPLY_MS;
    unsigned char data[HEADER_SIZE + REQUEST_MAX];
    struct xsd_sockmsg h = {.type = type, .len = (uint32_t)n};
    struct message m;
    int r = x->error;

    if (r)
        return r;
    if (n > REQUEST_MAX)
        return -ENAMETOOLONG;
    if (!++x->last_id)
        x->last_id = 1;
    h.req_id = x->last_id;
    memcpy(data, &h, HEADER_SIZE);
    memcpy(data + HEADER_SIZE, body, n);
    r = send_request(x, data, HEADER_SIZE + n, deadline);
    if (!r)
        r = wait_reply(x, &h, deadline, &m);
    if (r)
        return r;
    if (m.h.type == XS_ERROR)
        r = error_number(&m);
    else if (m.h.type != type)
        r = broken(x, -EPROTO);
    else if (m.h.len > size)
        r = -EMSGSIZE;
    else
        memcpy(buf, m.body, m.h.len);
    *ret_len = r ? 0 : m.h.len;
    drop_message(x);
    return r;
}

/* One that is answered by "OK" or "T" or "F", with a NUL. */
static int request_word(struct xenstore *x, uint32_t type, const void *body, size_t n, char ret[3])
{
    size_t len;
    int r = request(x, type, body, n, ret, 3, &len);

    if (!r && (len < 2 || ret[len - 1]))
        r = broken(x, -EPROTO);
    return r;
}

int xenstore_read(struct xenstore *x, const char *path, char *buf, size_t size)
{
    size_t n;
    int r = request(x, XS_READ, path, strlen(path) + 1, buf, size - 1, &n);

    if (r)
        return r;
    if (memchr(buf, 0, n))
        return -EMSGSIZE;
    buf[n] = 0;
    return 0;
}

int xenstore_remove(struct xenstore *x, const char *path)
{
    char word[3];

    return request_word(x, XS_RM, path, strlen(path) + 1, word);
}

int xenstore_is_introduced(struct xenstore *x, uint32_t domain, bool *ret)
{
    char number[16], word[3];
    int r = format(number, sizeof(number), "%u", domain);

    if (!r)
        r = request_word(x, XS_IS_DOMAIN_INTRODUCED, number, strlen(number) + 1, word);
    if (!r)
        *ret = str_equal(word, "T");
    return r;
}

static int watch_request(struct xenstore *x, uint32_t type, const char *path, unsigned number)
{
    char body[REQUEST_MAX], word[3];
    int n = snprintf(body, sizeof(body), "%s%c%u", path, 0, number);

    if (number >= XENSTORE_WATCHES || n < 0 || (size_t)n >= sizeof(body))
        return -EINVAL;
    return request_word(x, type, body, (size_t)n + 1, word);
}

int xenstore_watch(struct xenstore *x, const char *path, unsigned number)
{
    return watch_request(x, XS_WATCH, path, number);
}

int xenstore_unwatch(struct xenstore *x, const char *path, unsigned number)
{
    return watch_request(x, XS_UNWATCH, path, number);
}
