/* A queue of bytes with a limit: see buf.h. */
#include "libqrexec/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

void buf_deinit(struct buf *b)
{
    free(b->data);
    *b = BUF_NULL(b->limit);
}

int buf_reserve(struct buf *b, size_t n, unsigned char **ret)
{
    unsigned char *p;
    size_t size;

    if (n > buf_room(b))
        return -ENOBUFS;
    if (n > b->size - b->end && b->start) {
        memmove(b->data, b->data + b->start, buf_len(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (n > b->size - b->end) {
        size = b->size ? b->size : 256;
        while (size - b->end < n)
            size *= 2;
        p = realloc(b->data, size);
        if (!p)
            return -ENOMEM;
        b->data = p;
        b->size = size;
    }
    *ret = b->data + b->end;
    return 0;
}

void buf_commit(struct buf *b, size_t n)
{
    assert(n <= b->size - b->end);
    b->end += n;
}

int buf_append(struct buf *b, const void *data, size_t n)
{
    unsigned char *p;
    int r;

    if (!n)
        return 0;
    r = buf_reserve(b, n, &p);
    if (r)
        return r;
    memcpy(p, data, n);
    buf_commit(b, n);
    return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_appendf(struct buf *b, const char *fmt, ...)
{
    _cleanup_(freep) char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0) {
        s = NULL;
        return -ENOMEM;
    }
    return buf_append(b, s, (size_t)n);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= buf_len(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

static void swap_memory(struct buf *a, struct buf *b)
{
    struct buf old = *a;

    *a = *b;
    *b = old;
    b->limit = a->limit;
    a->limit = old.limit;
}

int buf_move(struct buf *from, size_t n, struct buf *to)
{
    size_t behind = buf_len(from) - n;
    unsigned char *p;
    int r;

    assert(n <= buf_len(from));
    if (buf_len(to) || behind >= n) {
        r = buf_append(to, buf_data(from), n);
        if (!r)
            buf_consume(from, n);
        return r;
    }
    if (n > to->limit)
        return -ENOBUFS;
    r = behind ? buf_reserve(to, behind, &p) : 0;
    if (r)
        return r;
    if (behind)
        memcpy(p, buf_data(from) + n, behind);
    buf_commit(to, behind);
    from->end -= behind;
    swap_memory(from, to);
    return 0;
}

ssize_t buf_read_fd(struct buf *b, int fd, size_t n)
{
    unsigned char *p;
    ssize_t got;
    int r;

    n = size_min(n, buf_room(b));
    if (!n)
        return -ENOBUFS;
    r = buf_reserve(b, n, &p);
    if (r)
        return r;
    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    buf_commit(b, (size_t)got);
    return got;
}

ssize_t buf_write_fd(struct buf *b, int fd)
{
    ssize_t put;

    if (!buf_len(b))
        return 0;
    do {
        put = send(fd, buf_data(b), buf_len(b), MSG_NOSIGNAL);
        if (put < 0 && errno == ENOTSOCK)
            put = write(fd, buf_data(b), buf_len(b));
    } while (put < 0 && errno == EINTR);
    if (put < 0)
        return -errno;
    buf_consume(b, (size_t)put);
    return put;
}
