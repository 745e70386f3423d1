/* The receiver of qubes.Filecopy: see receive.h. */
#include "rpc-services/receive.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MODE_KEPT  01777 /* never setuid or setgid */
#define NSEC_LIMIT 1000000000

/* Reads and counts. 0, or at_end where the stream stops. */
static int take_bytes(struct receiver *r, void *data, size_t n, int at_end)
{
    int e = read_full(r->in, data, n);

    if (e)
        return e == -EPIPE ? at_end : -e;
    r->crc = filecopy_crc(r->crc, data, n);
    return 0;
}

/* One component down. The answer to a failure names it. */
static int open_component(struct receiver *r, int dir, const char *name, size_t n, int *ret)
{
    char part[256];
    int fd = -1, e = n < sizeof(part) ? 0 : ENAMETOOLONG;

    if (!e) {
        memcpy(part, name, n);
        part[n] = 0;
        fd = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        e = fd < 0 ? errno : 0;
    }
    if (e) {
        memcpy(r->shown, name, n);
        r->shown[n] = 0;
        return e == ELOOP ? ENOTDIR : e;
    }
    *ret = fd;
    return 0;
}

/* The directory that holds r->name, and the last component. */
static int open_parent(struct receiver *r, int *ret, const char **ret_base)
{
    _cleanup_(closep) int fd = fcntl(r->dir, F_DUPFD_CLOEXEC, 0);
    const char *p = r->name, *slash;

    if (fd < 0)
        return errno;
    for (; (slash = strchr(p, '/')); p = slash + 1) {
        int next, e = open_component(r, fd, p, (size_t)(slash - p), &next);

        if (e)
            return e;
        close_fd(&fd);
        fd = next;
    }
    *ret_base = p;
    *ret = take_fd(&fd);
    return 0;
}

static void header_times(const struct filecopy_header *h, struct timespec t[static 2])
{
    t[0] = (struct timespec){.tv_sec = h->atime, .tv_nsec = h->atime_nsec};
    t[1] = (struct timespec){.tv_sec = h->mtime, .tv_nsec = h->mtime_nsec};
}

/* ---- Files ---- */

struct incoming {
    int parent, fd;
    const char *base;
    bool named; /* it has its name already */
};

static void incoming_deinit(struct incoming *i)
{
    close_fd(&i->fd);
    close_fd(&i->parent);
}

static int incoming_open(struct incoming *i)
{
    /* early, so that the sender need not send it all to hear it */
    if (faccessat(i->parent, i->base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    i->fd = openat(i->parent, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0);
    if (i->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        i->fd = openat(i->parent, i->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
        i->named = i->fd >= 0;
    }
    return i->fd < 0 ? errno : 0;
}

static int incoming_fill(struct receiver *r, const struct incoming *i, uint64_t left)
{
    unsigned char buf[65536];

    while (left > 0) {
        size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
        int e = take_bytes(r, buf, n, FILECOPY_E_CUT);

        if (!e)
            e = -write_full(i->fd, buf, n);
        if (e)
            return e;
        left -= n;
    }
    return 0;
}

/* Mode and times first: from its first moment the file is what was sent. */
static int incoming_finish(const struct incoming *i, const struct filecopy_header *h)
{
    struct timespec times[2];
    char self[64];

    header_times(h, times);
    if (fchmod(i->fd, h->mode & MODE_KEPT) < 0 || futimens(i->fd, times) < 0)
        return errno;
    if (i->named)
        return 0;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", i->fd);
    return linkat(AT_FDCWD, self, i->parent, i->base, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int receive_file(struct receiver *r, const struct filecopy_header *h)
{
    _cleanup_(incoming_deinit) struct incoming i = {.parent = -1, .fd = -1};
    int e = open_parent(r, &i.parent, &i.base);

    if (!e)
        e = incoming_open(&i);
    if (!e)
        e = incoming_fill(r, &i, h->filelen);
    if (!e)
        e = incoming_finish(&i, h);
    if (e && i.named)
        (void)unlinkat(i.parent, i.base, 0);
    return e;
}

/* ---- Links and directories ---- */

static int check_target(const struct receiver *r, const char *target, size_t n)
{
    if (strlen(target) != n || (!r->all_names && !filecopy_is_safe_text(target)))
        return EILSEQ;
    return filecopy_check_link(r->name, target);
}

static int receive_link(struct receiver *r, const struct filecopy_header *h)
{
    _cleanup_(closep) int parent = -1;
    char target[FILECOPY_NAME_MAX];
    struct timespec times[2];
    const char *base;
    int e;

    if (h->filelen >= sizeof(target))
        return ENAMETOOLONG;
    e = take_bytes(r, target, (size_t)h->filelen, FILECOPY_E_CUT);
    if (e)
        return e;
    target[h->filelen] = 0;
    e = check_target(r, target, (size_t)h->filelen);
    if (e) {
        memcpy(r->shown, target, (size_t)h->filelen + 1);
        return e;
    }
    e = open_parent(r, &parent, &base);
    if (e)
        return e;
    if (symlinkat(target, parent, base) < 0)
        return errno;
    header_times(h, times);
    (void)utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* Comes twice: the first time makes it, the second sets mode and times. */
static int receive_dir(struct receiver *r, const struct filecopy_header *h)
{
    _cleanup_(closep) int parent = -1, fd = -1;
    struct timespec times[2];
    const char *base;
    int e = open_parent(r, &parent, &base);

    if (e)
        return e;
    if (mkdirat(parent, base, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP ? ENOTDIR : errno;
    header_times(h, times);
    return fchmod(fd, h->mode & MODE_KEPT) < 0 || futimens(fd, times) < 0 ? errno : 0;
}

/* ---- The stream ---- */

static int receive_name(struct receiver *r, uint32_t n)
{
    int e;

    if (n > sizeof(r->name))
        return ENAMETOOLONG;
    e = take_bytes(r, r->name, n, FILECOPY_E_CUT);
    if (e) {
        r->name[0] = 0;
        return e;
    }
    if (r->name[n - 1] || strlen(r->name) != n - 1) {
        r->name[n - 1] = 0;
        return EILSEQ;
    }
    return filecopy_check_name(r->name, r->all_names);
}

/* One entry. 0, an error for the answer; *ret_end at the end mark. */
static int receive_entry(struct receiver *r, bool *ret_end)
{
    unsigned char raw[FILECOPY_HEADER];
    struct filecopy_header h;
    int e = take_bytes(r, raw, sizeof(raw), EREMOTEIO);

    if (e)
        return e;
    filecopy_get_header(raw, &h);
    *ret_end = h.namelen == 0;
    if (h.namelen == 0)
        return 0;
    e = receive_name(r, h.namelen);
    if (e)
        return e;
    if (h.atime_nsec >= NSEC_LIMIT || h.mtime_nsec >= NSEC_LIMIT)
        return EINVAL;
    if (S_ISREG(h.mode))
        return receive_file(r, &h);
    if (S_ISLNK(h.mode))
        return receive_link(r, &h);
    return S_ISDIR(h.mode) ? receive_dir(r, &h) : EINVAL;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static const char *name_of(const struct receiver *r)
{
    return r->shown[0] ? r->shown : r->name;
}

static void answer(const struct receiver *r, int error)
{
    const char *name = name_of(r);
    unsigned char head[FILECOPY_ANSWER + 4] = {0};
    size_t n = strlen(name);
    int e;

    put_u32(head, (uint32_t)error);
    put_u32(head + 8, r->crc);
    put_u32(head + FILECOPY_ANSWER, (uint32_t)n);
    e = write_full(r->out, head, n ? sizeof(head) : FILECOPY_ANSWER);
    if (!e)
        e = write_full(r->out, name, n);
    if (e)
        log_warning("the answer could not be sent: %s", strerror(-e));
}

int receive(struct receiver *r)
{
    bool end = false;
    int e = 0;

    while (!e && !end)
        e = receive_entry(r, &end);
    if (!e && syncfs(r->dir) < 0)
        e = errno;
    if (e)
        log_warning("%s%s%s", name_of(r), *name_of(r) ? ": " : "",
                    filecopy_error_text((uint32_t)e));
    answer(r, e);
    return e;
}
