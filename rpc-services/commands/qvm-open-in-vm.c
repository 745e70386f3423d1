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

struct answer {
    char path[PATH_SIZE]; /* the temporary file */
    int fd;
    bool beside; /* beside the original: it can take its place */
};

static int answer_open(const char *file, struct answer *ret)
{
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;

    ret->beside = true;
    ret->fd = -1;
    if (format(ret->path, sizeof(ret->path), "%.*s.%.200s.XXXXXX", (int)(base - file), file,
               base) == 0)
        ret->fd = mkostemp(ret->path, O_CLOEXEC);
    if (ret->fd < 0) {
        ret->beside = false;
        (void)format(ret->path, sizeof(ret->path), "/tmp/file_edited_in_dvm.XXXXXX");
        ret->fd = mkostemp(ret->path, O_CLOEXEC);
    }
    return ret->fd < 0 ? -errno : 0;
}

static int answer_take(const struct answer *a, const char *file, int original,
                       const struct stat *st)
{
    copy_attributes(original, a->fd, st);
    if (fsync(a->fd) < 0)
        return -errno;
    if (a->beside && rename(a->path, file) == 0)
        return 0;
    log_error("%s cannot be written; the edited file is %s", file, a->path);
    return a->beside ? -EACCES : 0;
}

static int finish(struct answer *a, const char *file, int original, const struct stat *st, int code)
{
    struct stat got;
    int r;

    if (code || fstat(a->fd, &got) < 0 || got.st_size == 0) {
        unlink(a->path);
        return code < 0 ? 1 : code;
    }
    r = answer_take(a, file, original, st);
    return r ? 1 : 0;
}

static int open_file(const char *target, const char *word, bool view_only)
{
    unsigned char field[OPENINVM_FIELD];
    _cleanup_(freep) char *file = realpath(word, NULL);
    _cleanup_(closep) int fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    struct answer a = {.fd = -1};
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        log_error("%s: %s", word, fd < 0 ? strerror(errno) : "neither a file nor a URL");
        return usage(stderr, 2);
    }
    openinvm_put_name(field, word, view_only);
    if (view_only) {
        r = call_run(target, "qubes.OpenInVM", field, sizeof(field), fd, -1);
        return r < 0 ? 1 : r;
    }
    r = answer_open(file, &a);
    if (r) {
        log_error("no place for the edited file, here or in /tmp: %s", strerror(-r));
        return 1;
    }
    r = call_run(target, "qubes.OpenInVM", field, sizeof(field), fd, a.fd);
    r = finish(&a, file, fd, &st, r);
    close_fd(&a.fd);
    return r;
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
    if (fd_open_standard() || argc < 1)
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
