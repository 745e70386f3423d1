/* The decision log as it is written: see decision-log.h. */
#include "policy-engine/decision-log.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LINES_KEPT 16384 /* memory that is kept between records */
#define TAIL_FIRST 16384 /* the last record is nearly always within that */
/* A one-shot program holds the lock for a moment, a daemon for long. */
#define LOCK_TRIES 25
#define LOCK_MS    2

/* ---- The file ---- */

/* The hash of the last whole record among the last n bytes of the file; "" if there is none. */
static int find_hash(int fd, off_t size, size_t n, char ret[static DECISION_HASH_SIZE])
{
    _cleanup_(freep) char *data = malloc(n + 1);
    char right[DECISION_HASH_SIZE], has[DECISION_HASH_SIZE], prev[DECISION_HASH_SIZE];
    ssize_t got;

    *ret = 0;
    if (!data)
        return -ENOMEM;
    got = pread(fd, data, n, size - (off_t)n);
    if (got < 0)
        return -errno;
    for (char *end = memrchr(data, '\n', (size_t)got); end;) {
        char *start = memrchr(data, '\n', (size_t)(end - data));
        char *line = start ? start + 1 : data;

        if (decision_line_hashes(line, (size_t)(end - line), right, has, prev)) {
            memcpy(ret, has, sizeof(has));
            return 0;
        }
        end = start;
    }
    return 0;
}

static int last_hash(int fd, off_t size, char ret[static DECISION_HASH_SIZE])
{
    size_t most = size_min((size_t)size, DECISION_LINE_MAX), first = size_min(most, TAIL_FIRST);
    int r = find_hash(fd, size, first, ret);

    return r || *ret || first == most ? r : find_hash(fd, size, most, ret);
}

/* Does the file end inside a line? A crash cut it: the next record starts on a line of its own. */
static int mend_end(int fd, off_t *size)
{
    char c = '\n';

    if (*size && pread(fd, &c, 1, *size - 1) == 1 && c != '\n') {
        if (write(fd, "\n", 1) != 1)
            return -errno;
        ++*size;
    }
    return 0;
}

static int open_regular(const char *path, off_t *ret_size, int *ret)
{
    _cleanup_(closep) int fd =
        open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    struct stat st, now;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK || i == LOCK_TRIES)
            return errno == EWOULDBLOCK ? -EBUSY : -errno;
        (void)poll(NULL, 0, LOCK_MS);
    }
    /* who had the lock wrote to it, or turned it over */
    if (fstat(fd, &st) < 0 || stat(path, &now) < 0)
        return -errno;
    if (now.st_dev != st.st_dev || now.st_ino != st.st_ino)
        return -EAGAIN;
    *ret_size = st.st_size;
    *ret = take_fd(&fd);
    return 0;
}

static int open_file(struct decision_log *l)
{
    int r = open_regular(l->path, &l->size, &l->fd);

    if (r == -EAGAIN)
        r = open_regular(l->path, &l->size, &l->fd);
    return r ? r : mend_end(l->fd, &l->size);
}

/* Where the chain goes on: the file's last record, or that of the one turned over last. */
static void resume(struct decision_log *l)
{
    _cleanup_(freep) char *older = format_new("%s.1", l->path);
    _cleanup_(closep) int fd = -1;
    struct stat st;

    memcpy(l->prev, DECISION_HASH_START, sizeof(l->prev));
    if (l->size && last_hash(l->fd, l->size, l->prev) == 0 && *l->prev)
        return;
    fd = older ? open(older, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0 || fstat(fd, &st) < 0 || last_hash(fd, st.st_size, l->prev) || !*l->prev)
        memcpy(l->prev, DECISION_HASH_START, sizeof(l->prev));
}

static int rename_on(const char *path, unsigned from)
{
    _cleanup_(freep) char *old = from ? format_new("%s.%u", path, from) : strdup(path);
    _cleanup_(freep) char *new = format_new("%s.%u", path, from + 1);

    if (!old || !new)
        return -ENOMEM;
    return rename(old, new) < 0 && (errno != ENOENT || !from) ? -errno : 0;
}

/* A failure leaves the file as it is, to grow on. */
static void turn_over(struct decision_log *l)
{
    int r = 0;

    for (unsigned i = l->keep; !r && i-- > 0;)
        r = rename_on(l->path, i);
    if (!r) {
        close_fd(&l->fd);
        r = open_file(l);
    }
    if (r) {
        log_warning("cannot turn over the decision log %s: %s", l->path, strerror(-r));
        l->max += l->max / 4 + 1; /* say it again only when it has grown */
    }
}

/* ---- The journal ---- */

static int open_journal(struct decision_log *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[PATH_SIZE];
    int r = path_get(path, "/run/systemd/journal/socket");

    if (!r)
        r = format(a.sun_path, sizeof(a.sun_path), "%s", path);
    l->fd = r ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!r && (l->fd < 0 || connect(l->fd, (struct sockaddr *)&a, sizeof(a)) < 0))
        r = -errno;
    memcpy(l->prev, DECISION_HASH_START, sizeof(l->prev));
    return r;
}

/* ---- Both ---- */

static int start(struct decision_log *l, const char *path, uint64_t max, unsigned keep)
{
    int r;

    *l = DECISION_LOG_NULL;
    l->max = (off_t)max;
    l->keep = keep;
    l->lines = BUF_NULL(DECISION_LINE_MAX);
    if (str_equal(path, "journal")) {
        r = open_journal(l);
    } else {
        l->path = strdup(path);
        r = l->path ? open_file(l) : -ENOMEM;
        if (!r)
            resume(l);
    }
    memcpy(l->written, l->prev, sizeof(l->written));
    l->works = !r;
    return r;
}

int decision_log_open(struct decision_log *l, const char *path, uint64_t max, unsigned keep)
{
    int r = start(l, path, max, keep);

    if (r) {
        log_error("decisions are not recorded, for %s cannot be opened: %s",
                  str_equal(path, "journal") ? "the journal" : path,
                  r == -EBUSY ? "another policy daemon writes to it" : strerror(-r));
        close_fd(&l->fd);
    }
    return r;
}

void decision_log_deinit(struct decision_log *l)
{
    decision_log_flush(l);
    close_fd(&l->fd);
    free(take(l->path));
    buf_deinit(&l->lines);
}

int decision_log_once(const char *path, struct decision_record *d)
{
    struct decision_log l;
    int r = start(&l, path, DECISION_LOG_MAX, DECISION_LOG_KEEP);

    if (!r)
        decision_log_add(&l, d);
    decision_log_deinit(&l);
    return r;
}

void decision_log_reopen(struct decision_log *l)
{
    struct decision_log fresh;
    int r;

    decision_log_flush(l);
    if (!l->path)
        return;
    fresh = *l;
    fresh.fd = -1;
    close_fd(&l->fd);
    r = open_file(&fresh);
    if (r)
        log_error("decisions are not recorded, for %s cannot be opened: %s", l->path, strerror(-r));
    l->fd = fresh.fd;
    l->size = fresh.size;
}

/* The chain goes on from the last record that is there. */
static void note_lost(struct decision_log *l, uint64_t n, int error)
{
    if (!l->lost)
        log_error("decisions go on, but are not recorded: cannot write to %s: %s",
                  l->path ? l->path : "the journal", strerror(-error));
    l->lost += n;
    memcpy(l->prev, l->written, sizeof(l->prev));
}

static int put_file(struct decision_log *l)
{
    size_t n = buf_len(&l->lines);
    ssize_t put;
    int r = 0;

    if (l->size && l->size + (off_t)n > l->max)
        turn_over(l);
    if (l->fd < 0)
        r = open_file(l);
    if (r)
        return r;
    put = write(l->fd, buf_data(&l->lines), n);
    if (put == (ssize_t)n) {
        l->size += put;
        return 0;
    }
    r = put < 0 ? -errno : -ENOSPC;
    if (put > 0 && ftruncate(l->fd, l->size) < 0)
        (void)mend_end(l->fd, &l->size); /* half a record is a line that is none */
    return r;
}

static int put_journal(struct decision_log *l)
{
    _cleanup_(freep) char *text =
        format_new("PRIORITY=6\nSYSLOG_IDENTIFIER=%s\nMESSAGE=a decision\nQREXEC_DECISION=%.*s",
                   log_who(), (int)buf_len(&l->lines), (const char *)buf_data(&l->lines));

    if (!text)
        return -ENOMEM;
    return send(l->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void decision_log_flush(struct decision_log *l)
{
    int r = 0;

    if (!l->added)
        return;
    r = l->path ? put_file(l) : put_journal(l);
    if (r) {
        note_lost(l, l->added, r);
    } else {
        memcpy(l->written, l->prev, sizeof(l->written));
        if (l->lost)
            log_warning("decisions are recorded again; %llu are missing",
                        (unsigned long long)l->lost);
        l->lost = 0;
    }
    l->added = 0;
    if (l->lines.size > LINES_KEPT)
        buf_deinit(&l->lines);
    else
        buf_consume(&l->lines, buf_len(&l->lines));
}

void decision_log_add(struct decision_log *l, struct decision_record *d)
{
    size_t before = buf_len(&l->lines);
    char hash[DECISION_HASH_SIZE];
    int r;

    if (l->fd < 0 && !l->works)
        return;
    d->lost = l->added ? 0 : l->lost; /* the first one that is written again says so */
    r = decision_record_write(d, l->prev, &l->lines, hash);
    if (r) {
        l->lines.end = l->lines.start + before;
        note_lost(l, 1, r);
        return;
    }
    memcpy(l->prev, hash, sizeof(hash));
    l->added++;
    if (!l->path || buf_len(&l->lines) >= LINES_KEPT / 2)
        decision_log_flush(l);
}
