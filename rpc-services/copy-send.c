/* The sender of qubes.Filecopy: see copy-send.h. */
#include "rpc-services/copy-send.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/filecopy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#define LOOK_EVERY 15000000 /* bytes between two looks for an early answer */
#define SHOW_EVERY 100      /* ms */

#define SEND_E_ANSWERED 20 /* the receiver has answered, or has gone, before the end */

/* ---- First walk ---- */

static int measure(void *user, const struct copy_entry *e)
{
    struct copy_sender *s = user;

    if (S_ISREG(e->st->st_mode)) {
        s->total += (uint64_t)e->st->st_size;
        if (faccessat(AT_FDCWD, e->path, R_OK, AT_EACCESS) < 0) {
            log_error("%s: %s", e->path, strerror(errno));
            return COPY_E_FAILED;
        }
    }
    s->odd_names |= filecopy_check_name(e->name, false) != 0;
    s->odd_names |= e->target && !filecopy_is_safe_text(e->target);
    return 0;
}

int copy_measure(struct copy_sender *s, char *const *files)
{
    struct copy_walk w = {.ignore_symlinks = s->ignore_symlinks, .visit = measure, .user = s};
    int r = copy_walk_all(&w, files);

    s->skipped = w.skipped;
    return r ? COPY_E_FAILED : 0;
}

/* ---- Progress ---- */

static unsigned long long kilobytes(uint64_t bytes)
{
    return bytes / 1024 + (bytes % 1024 != 0);
}

static int show(struct copy_sender *s)
{
    char line[32];

    s->shown_at = clock_ms();
    if (s->progress == COPY_PROGRESS_TEXT) {
        fprintf(stderr, "sent %llu/%llu KB\r", kilobytes(s->done), kilobytes(s->total));
        s->line = true;
    }
    if (s->progress != COPY_PROGRESS_GUI)
        return 0;
    if (format(line, sizeof(line), "%llu\n", (unsigned long long)s->done) ||
        write_full(s->gui, line, strlen(line)))
        return COPY_E_DISPLAY;
    return 0;
}

/* What is told next has a line of its own. */
static void end_line(struct copy_sender *s)
{
    if (s->line)
        fputc('\n', stderr);
    s->line = false;
}

/* ---- Second walk ---- */

static bool has_answer(const struct copy_sender *s)
{
    struct pollfd p = {.fd = s->from, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static int flush(struct copy_sender *s)
{
    int r = write_full(s->to, s->out, s->used);

    s->used = 0;
    return r ? SEND_E_ANSWERED : 0;
}

static int put(struct copy_sender *s, const void *data, size_t n)
{
    const unsigned char *p = data;
    int r = 0;

    s->crc = filecopy_crc(s->crc, data, n);
    while (!r && n > 0) {
        size_t part = size_min(n, sizeof(s->out) - s->used);

        memcpy(s->out + s->used, p, part);
        s->used += part;
        p += part;
        n -= part;
        if (s->used == sizeof(s->out))
            r = flush(s);
    }
    return r;
}

static int put_header(struct copy_sender *s, const struct copy_entry *e, const struct stat *st)
{
    struct filecopy_header h = {
        .namelen = (uint32_t)strlen(e->name) + 1,
        .mode = st->st_mode,
        .filelen = e->target              ? strlen(e->target)
                   : S_ISREG(st->st_mode) ? (uint64_t)st->st_size
                                          : 0,
        .atime = (uint32_t)st->st_atim.tv_sec,
        .atime_nsec = (uint32_t)st->st_atim.tv_nsec,
        .mtime = (uint32_t)st->st_mtim.tv_sec,
        .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
    };
    unsigned char raw[FILECOPY_HEADER];
    int r;

    filecopy_put_header(raw, &h);
    r = put(s, raw, sizeof(raw));
    return r ? r : put(s, e->name, h.namelen);
}

static int look(struct copy_sender *s)
{
    int r = clock_ms() - s->shown_at >= SHOW_EVERY ? show(s) : 0;

    if (r || s->done - s->looked < LOOK_EVERY)
        return r;
    s->looked = s->done;
    return has_answer(s) ? SEND_E_ANSWERED : 0;
}

static int fail(struct copy_sender *s, const char *path, const char *why)
{
    end_line(s);
    log_error("%s: %s", path, why);
    return COPY_E_FAILED;
}

/* The header has promised so many bytes: a file that grew is cut, one that shrank ends it. */
static int send_content(struct copy_sender *s, const char *path, int fd, uint64_t left)
{
    static unsigned char buf[65536];
    int r = 0;

    while (!r && left > 0) {
        ssize_t n = read(fd, buf, left < sizeof(buf) ? (size_t)left : sizeof(buf));

        if (n < 0)
            return fail(s, path, strerror(errno));
        if (n == 0)
            return fail(s, path, "it became shorter while it was sent");
        r = put(s, buf, (size_t)n);
        left -= (uint64_t)n;
        s->done += (uint64_t)n;
        if (!r)
            r = look(s);
    }
    return r;
}

static int send_file(struct copy_sender *s, const struct copy_entry *e, struct stat *ret)
{
    _cleanup_(closep) int fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int r;

    if (fd < 0 || fstat(fd, ret) < 0)
        return fail(s, e->path, strerror(errno));
    if (!S_ISREG(ret->st_mode))
        return fail(s, e->path, "it was replaced while the copy ran");
    r = put_header(s, e, ret);
    return r ? r : send_content(s, e->path, fd, (uint64_t)ret->st_size);
}

static int send_entry(void *user, const struct copy_entry *e)
{
    struct copy_sender *s = user;
    struct stat st = *e->st;
    int r;

    if (S_ISREG(st.st_mode)) {
        r = send_file(s, e, &st);
    } else {
        r = put_header(s, e, &st);
        if (!r && e->target)
            r = put(s, e->target, strlen(e->target));
    }
    if (!r && s->record && !e->again && copy_record_add(&s->sent, e->path, &st))
        r = fail(s, e->path, strerror(ENOMEM));
    if (!r && has_answer(s))
        r = SEND_E_ANSWERED;
    return r ? r : look(s);
}

/* ---- The answer ---- */

static uint32_t get_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The name that the answer is about; "" where it has none. Cleaned for display. */
static void read_name(int fd, char *buf, size_t size)
{
    unsigned char raw[4];
    size_t n;

    buf[0] = 0;
    if (read_full(fd, raw, sizeof(raw)))
        return;
    n = size_min(get_u32(raw), size - 1);
    if (read_full(fd, buf, n))
        n = 0;
    buf[n] = 0;
    filecopy_clean(buf, n);
}

static int read_answer(struct copy_sender *s)
{
    unsigned char head[FILECOPY_ANSWER];
    char name[1024];
    uint32_t error;

    if (read_full(s->from, head, sizeof(head)))
        return COPY_E_NO_ANSWER;
    read_name(s->from, name, sizeof(name));
    error = get_u32(head);
    if (error) {
        end_line(s);
        /* some receivers send the negative of it */
        log_error("the other domain refused%s%s%s: %s", *name ? " \"" : "", name, *name ? "\"" : "",
                  filecopy_error_text(error > INT32_MAX ? -error : error));
        return COPY_E_FAILED;
    }
    if (get_u32(head + 8) != s->crc || get_u32(head + 12)) {
        end_line(s);
        log_error("the checksums differ: what arrived is not what was sent");
        return COPY_E_FAILED;
    }
    return 0;
}

int copy_send(struct copy_sender *s, char *const *files)
{
    struct copy_walk w = {.ignore_symlinks = s->ignore_symlinks, .visit = send_entry, .user = s};
    static const unsigned char end[FILECOPY_HEADER];
    bool complete;
    int r = show(s);

    if (!r)
        r = copy_walk_all(&w, files);
    if (!r)
        r = put(s, end, sizeof(end));
    if (!r)
        r = flush(s);
    complete = r == 0;
    s->skipped |= w.skipped;
    close_fd(&s->to);
    if (r && r != SEND_E_ANSWERED)
        return r == COPY_E_DISPLAY ? r : COPY_E_FAILED;
    r = read_answer(s);
    if (!r && !complete) {
        end_line(s);
        log_error("the other domain said that all had arrived before it was sent");
        return COPY_E_FAILED;
    }
    if (!r)
        r = show(s);
    end_line(s);
    return r;
}
