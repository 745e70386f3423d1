/*
 * qubes.Filecopy: takes files of another domain into ~/QubesIncoming/CALLER.
 *
 * Every name is opened below that directory without following links (openat2), files are written
 * nameless and linked when complete: nothing is overwritten, nothing half-written is seen. Data is
 * synced before the answer.
 */
#include "rpc-services/filecopy.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct receiver {
    int dir;
    bool all_names;
    uint32_t crc;
    char name[FILECOPY_NAME_MAX];  /* last worked on */
    char shown[FILECOPY_NAME_MAX]; /* what the answer names; empty: name */
};

/* Reads and counts. 0, or at_end where the stream stops. */
static int take_bytes(struct receiver *r, void *data, size_t n, int at_end)
{
    int e = read_full(STDIN_FILENO, data, n);

    if (e)
        return e == -EPIPE ? at_end : -e;
    r->crc = filecopy_crc(r->crc, data, n);
    return 0;
}

static int open_beneath(int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
                           .mode = mode,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* The directory that holds name, and the last component. A link or file on the way: ENOTDIR. */
static int open_parent(struct receiver *r, int *ret, const char **ret_base)
{
    char *slash = strrchr(r->name, '/');
    int fd;

    *ret_base = slash ? slash + 1 : r->name;
    if (slash)
        *slash = 0;
    fd = open_beneath(r->dir, slash ? r->name : ".", O_PATH | O_DIRECTORY, 0);
    if (slash)
        *slash = '/';
    if (fd < 0)
        return errno == ELOOP ? ENOTDIR : errno;
    *ret = fd;
    return 0;
}

static void header_times(const struct filecopy_header *h, struct timespec t[static 2])
{
    t[0] = (struct timespec){.tv_sec = h->atime, .tv_nsec = h->atime_nsec};
    t[1] = (struct timespec){.tv_sec = h->mtime, .tv_nsec = h->mtime_nsec};
}

static int receive_content(struct receiver *r, int fd, uint64_t left)
{
    unsigned char buf[65536];

    while (left > 0) {
        size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
        int e = take_bytes(r, buf, n, FILECOPY_E_CUT);

        if (!e)
            e = -write_full(fd, buf, n);
        if (e)
            return e;
        left -= n;
    }
    return 0;
}

static int receive_file(struct receiver *r, const struct filecopy_header *h)
{
    _cleanup_(closep) int parent = -1, fd = -1;
    struct timespec times[2];
    char self[64];
    const char *base;
    int e = open_parent(r, &parent, &base);

    if (e)
        return e;
    if (faccessat(parent, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    fd = openat(parent, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    e = receive_content(r, fd, h->filelen);
    if (e)
        return e;
    header_times(h, times);
    if (fchmod(fd, h->mode & 0777) < 0 || futimens(fd, times) < 0 ||
        format(self, sizeof(self), "/proc/self/fd/%d", fd))
        return errno;
    return linkat(AT_FDCWD, self, parent, base, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int receive_link(struct receiver *r, const struct filecopy_header *h)
{
    static char target[FILECOPY_NAME_MAX];
    _cleanup_(closep) int parent = -1;
    struct timespec times[2];
    const char *base;
    int e;

    if (h->filelen >= sizeof(target))
        return ENAMETOOLONG;
    e = take_bytes(r, target, (size_t)h->filelen, FILECOPY_E_CUT);
    if (e)
        return e;
    target[h->filelen] = 0;
    e = strlen(target) != h->filelen ? EILSEQ : filecopy_check_link(r->name, target);
    if (e) {
        memcpy(r->shown, target, sizeof(r->shown));
        return e;
    }
    e = open_parent(r, &parent, &base);
    if (!e && symlinkat(target, parent, base) < 0)
        e = errno;
    header_times(h, times);
    if (!e)
        (void)utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW);
    return e;
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
    return fchmod(fd, h->mode & 0777) < 0 || futimens(fd, times) < 0 ? errno : 0;
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
    if (h.namelen > sizeof(r->name))
        return ENAMETOOLONG;
    e = take_bytes(r, r->name, h.namelen, FILECOPY_E_CUT);
    if (e) {
        r->name[0] = 0;
        return e;
    }
    if (r->name[h.namelen - 1] || strlen(r->name) != h.namelen - 1) {
        r->name[h.namelen - 1] = 0;
        return EILSEQ;
    }
    if (h.atime_nsec > 999999999 || h.mtime_nsec > 999999999)
        return EINVAL;
    e = filecopy_check_name(r->name, r->all_names);
    if (e)
        return e;
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

static int answer(const struct receiver *r, int error)
{
    const char *name = r->shown[0] ? r->shown : r->name;
    unsigned char head[FILECOPY_ANSWER + 4] = {0};
    size_t n = strlen(name);

    put_u32(head, (uint32_t)error);
    put_u32(head + 8, r->crc);
    put_u32(head + FILECOPY_ANSWER, (uint32_t)n);
    if (write_full(STDOUT_FILENO, head, n ? sizeof(head) : FILECOPY_ANSWER) == 0 && n)
        (void)write_full(STDOUT_FILENO, name, n);
    return error & 0xff;
}

static int open_target(const char *caller, int *ret)
{
    const char *home = getenv("HOME");
    char path[PATH_SIZE];
    int e = home ? format(path, sizeof(path), "%s/QubesIncoming/%s", home, caller) : -ENOENT;

    if (!e)
        e = mkdir_all(path, 0700);
    if (e)
        return e;
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    static struct receiver r;
    const char *caller = getenv("QREXEC_REMOTE_DOMAIN");
    bool end = false;
    int e;

    signal(SIGPIPE, SIG_IGN);
    umask(0);
    if (fd_open_standard())
        return 1;
    log_open("qubes.Filecopy", LOG_TARGET_STDERR);
    if (argc > 2 || (argc == 2 && *argv[1] && !str_equal(argv[1], "allow-all-names"))) {
        log_error("the argument is none, or allow-all-names");
        return 1;
    }
    r.all_names = argc == 2 && *argv[1];
    if (!caller || !*caller || strchr(caller, '/') || caller[0] == '.') {
        log_error("not called by a domain");
        return 1;
    }
    e = open_target(caller, &r.dir);
    if (e) {
        log_error("cannot make ~/QubesIncoming/%s: %s", caller, strerror(-e));
        return 1;
    }
    for (e = 0; !e && !end;)
        e = receive_entry(&r, &end);
    if (!e && syncfs(r.dir) < 0)
        e = errno;
    if (e)
        log_warning("%s: %s", r.name, e == FILECOPY_E_CUT ? "the stream ended early" : strerror(e));
    return answer(&r, e);
}
