/*
 * A queue of bytes with a limit: appended at the end, consumed at the front.
 *
 * The limit is set by who owns the buffer, and is checked before memory is taken, so a peer can
 * make it hold no more than that. A zeroed struct with a limit set is an empty buffer.
 */
#ifndef QREXEC_BASE_BUF_H
#define QREXEC_BASE_BUF_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct buf {
    unsigned char *data; /* allocated */
    size_t start;        /* first byte not consumed */
    size_t end;          /* behind the last byte */
    size_t size;         /* of data */
    size_t limit;        /* most bytes it may hold */
};

#define BUF_NULL(most) ((struct buf){.limit = (most)})

void buf_deinit(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline const unsigned char *buf_data(const struct buf *b)
{
    return b->data ? b->data + b->start : NULL;
}

static inline size_t buf_room(const struct buf *b)
{
    return b->limit - buf_len(b);
}

/* Makes place for n more bytes at the end. 0, -ENOBUFS over the limit, -ENOMEM. */
int buf_reserve(struct buf *b, size_t n, unsigned char **ret);
/* Declares that n bytes were written into what buf_reserve() gave. */
void buf_commit(struct buf *b, size_t n);
int buf_append(struct buf *b, const void *data, size_t n);
int buf_append_str(struct buf *b, const char *s); /* without its NUL */
int buf_appendf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
void buf_consume(struct buf *b, size_t n);
/*
 * The first n bytes of `from` go to the end of `to`: 0, -ENOBUFS, -ENOMEM. Where `to` is empty and
 * less lies behind them than they are, the memory changes hands and what is behind is copied.
 */
int buf_move(struct buf *from, size_t n, struct buf *to);

/*
 * One read() of at most n bytes (and never over the limit) into the buffer, one write() out of it.
 * Bytes moved; 0 at end of file (read) or when empty (write); -EAGAIN; other negative errno.
 * -ENOBUFS: the buffer is full. Sockets get MSG_NOSIGNAL; a pipe's SIGPIPE is the caller's to
 * ignore.
 */
ssize_t buf_read_fd(struct buf *b, int fd, size_t n);
ssize_t buf_write_fd(struct buf *b, int fd);

#endif
