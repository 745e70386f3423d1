/*
 * qvm-open-in-vm TARGET FILE|URL, qvm-open-in-dvm FILE|URL: opens it in another domain.
 *
 * The answer goes to a temporary file, and takes the original's place only after the call ended
 * with 0: a domain that is killed half-way changes nothing.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/call.h"
#include "rpc-services/child.h"
#include "rpc-services/openinvm.h"
#include "rpc-services/url.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const char *name;
static bool to_dvm; /* called as qvm-open-in-dvm */

static int usage(FILE *f, int code)
{
    fprintf(f, "usage: %s [--view-only] [--] %sFILE|URL\n", name, to_dvm ? "" : "TARGET ");
    return code;
}

/* Another disposable from within one that was opened for us: only if a person says so. */
static bool may_nest(const char *target)
{
    static const char question[] = "Open one more disposable from within this one?";
    char *zenity[] = {(char *)"zenity", (char *)"--question", (char *)"--text", (char *)question,
                      NULL};
    char *kdialog[] = {(char *)"kdialog", (char *)"--yesno", (char *)question, NULL};
    const char *serving = getenv("QREXEC_SERVICE_FULL_NAME");
    int r;

    if (!serving ||
        (!str_starts(serving, "qubes.OpenInVM+") && !str_starts(serving, "qubes.OpenURL+")))
        return true;
    if (!str_starts(target, "@dispvm") && !str_starts(target, "$dispvm"))
        return true;
    r = run_program(zenity, -1, -1, -1);
    if (r < 0)
        r = run_program(kdialog, -1, -1, -1);
    if (r < 0)
        log_error(
            "refused: this already serves %s, and nobody can be asked about one more disposable",
            serving);
    else if (r)
        log_error("cancelled");
    return r == 0;
}

static int open_url(const char *target, const char *url)
{
    _cleanup_(freep) char *line = format_new("%s\n", url);
    int r = line ? call_run(target, "qubes.OpenURL", line, strlen(line), -1, -1) : -ENOMEM;

    return r < 0 ? 255 : r;
}

/* Owner, permissions and extended attributes of the original; what may not be set is left. */
static void copy_attributes(int from, int to, const struct stat *st)
{
    char names[4096], value[65536];
    ssize_t n = flistxattr(from, names, sizeof(names)), len;

    if (fchown(to, st->st_uid, st->st_gid) < 0 && fchown(to, (uid_t)-1, st->st_gid) < 0)
        log_debug("the owner could not be kept");
    (void)fchmod(to, st->st_mode & 0777);
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
        len = fgetxattr(from, names + i, value, sizeof(value));
        if (len >= 0 && fsetxattr(to, names + i, value, (size_t)len, 0) < 0)
            log_debug("attribute %s could not be kept", names + i);
    }
}

/*
 * What comes back. It has no name before it is complete, so that nothing is left of a command that
 * was killed; where the file system cannot do that, a name from the start.
 */
struct answer {
    int fd;
    char path[PATH_SIZE]; /* "": no name yet */
    char pattern[PATH_SIZE];
    bool beside; /* beside the original: it can take its place */
};

static void answer_deinit(struct answer *a)
{
    close_fd(&a->fd);
    if (a->path[0])
        unlink(a->path);
}

static int answer_open_in(struct answer *a, const char *dir)
{
    a->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (a->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return a->fd < 0 ? -errno : 0;
    memcpy(a->path, a->pattern, sizeof(a->path));
    a->fd = mkostemp(a->path, O_CLOEXEC);
    if (a->fd < 0)
        a->path[0] = 0;
    return a->fd < 0 ? -errno : 0;
}

/* file is absolute. */
static int answer_open(struct answer *a, const char *file)
{
    char dir[PATH_SIZE];
    const char *base = strrchr(file, '/') + 1;
    int r = format(dir, sizeof(dir), "%.*s", (int)(base - file), file);

    if (!r)
        r = format(a->pattern, sizeof(a->pattern), "%s.%.200s.XXXXXX", dir, base);
    if (!r)
        r = answer_open_in(a, dir);
    a->beside = r == 0;
    if (!r)
        return 0;
    r = format(a->pattern, sizeof(a->pattern), "/tmp/file_edited_in_dvm.XXXXXX");
    return r ? r : answer_open_in(a, "/tmp");
}

static int answer_name(struct answer *a)
{
    char self[64];
    int r = a->path[0] ? 0 : -EEXIST;

    (void)format(self, sizeof(self), "/proc/self/fd/%d", a->fd);
    for (int tries = 0; r == -EEXIST && tries < 100; tries++) {
        /* a name that is free, as the C library makes them */
        memcpy(a->path, a->pattern, sizeof(a->path));
        r = mkostemp(a->path, O_CLOEXEC);
        if (r < 0)
            return -errno;
        close(r);
        unlink(a->path);
        r = linkat(AT_FDCWD, self, AT_FDCWD, a->path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
    }
    if (r)
        a->path[0] = 0;
    return r;
}

static void sync_dir_of(const char *file)
{
    char dir[PATH_SIZE];
    int fd;

    if (format(dir, sizeof(dir), "%.*s", (int)(strrchr(file, '/') + 1 - file), file))
        return;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* the rename is done; a crash now shows the old or the new */
    close_fd(&fd);
}

/* The file is still the one that was sent. */
static bool is_unchanged(const char *file, const struct stat *sent)
{
    struct stat now;

    return stat(file, &now) == 0 && now.st_dev == sent->st_dev && now.st_ino == sent->st_ino &&
           now.st_size == sent->st_size && now.st_mtim.tv_sec == sent->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == sent->st_mtim.tv_nsec;
}

/* 0, or 1 where the original is not what came back; told. */
static int answer_take(struct answer *a, const char *file, int original, const struct stat *st)
{
    bool same = is_unchanged(file, st);
    int r;

    copy_attributes(original, a->fd, st);
    r = fsync(a->fd) < 0 ? -errno : answer_name(a);
    if (r) {
        log_error("the edited file could not be stored: %s", strerror(-r));
        return 1;
    }
    if (same && a->beside && rename(a->path, file) == 0) {
        a->path[0] = 0;
        sync_dir_of(file);
        return 0;
    }
    log_error("%s %s; the edited file is %s", file,
              same ? "cannot be written" : "was changed here meanwhile", a->path);
    a->path[0] = 0; /* it stays */
    return 1;
}

/* The file that is meant. 0; else the exit code, told. */
static int find_file(const char *word, char **ret_path, int *ret_fd, struct stat *ret_st)
{
    _cleanup_(freep) char *path = realpath(word, NULL);
    _cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    int error = fd < 0 ? errno : 0;

    if (!error && fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode)) {
        *ret_path = take(path);
        *ret_fd = take_fd(&fd);
        return 0;
    }
    log_error("%s: %s", word, error ? strerror(error) : "neither a file nor a URL");
    return error == EACCES ? 1 : usage(stderr, 2);
}

static int open_file(const char *target, const char *word, bool view_only)
{
    _cleanup_(answer_deinit) struct answer a = {.fd = -1};
    _cleanup_(freep) char *file = NULL;
    _cleanup_(closep) int fd = -1;
    unsigned char field[OPENINVM_FIELD];
    struct stat st, got;
    int r = find_file(word, &file, &fd, &st);

    if (r)
        return r;
    openinvm_put_name(field, word, view_only);
    r = view_only ? 0 : answer_open(&a, file);
    if (r) {
        log_error("no place for the edited file, here or in /tmp: %s", strerror(-r));
        return 1;
    }
    /* nothing that came is taken before the call has ended well */
    r = call_run(target, "qubes.OpenInVM", field, sizeof(field), fd, a.fd);
    if (r || view_only || fstat(a.fd, &got) < 0 || got.st_size == 0)
        return r < 0 ? 1 : r;
    return answer_take(&a, file, fd, &st);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"view-only", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool view_only = false;
    const char *target;
    int c;

    name = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1
           : argc > 0                        ? argv[0]
                                             : "qvm-open-in-vm";
    to_dvm = str_equal(name, "qvm-open-in-dvm");
    signal(SIGPIPE, SIG_IGN);
    if (process_begin() || argc < 1)
        return 1;
    log_open(name, LOG_TARGET_STDERR);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == '?')
            return usage(stderr, 2);
        if (c == 'h')
            return usage(stdout, 0);
        view_only = true;
    }
    if (argc - optind != (to_dvm ? 1 : 2))
        return usage(stderr, 2);
    target = to_dvm ? "@dispvm" : argv[optind];
    if (!may_nest(target))
        return 1;
    if (url_looks_like_one(argv[argc - 1]))
        return open_url(target, argv[argc - 1]);
    return open_file(target, argv[argc - 1], view_only);
}
