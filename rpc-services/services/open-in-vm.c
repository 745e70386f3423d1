/*
 * qubes.OpenInVM: shows a file of another domain, and gives it back if it was changed.
 *
 * Exit code 0 also where the application failed (it says so on its screen), 1 for our own errors.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/child.h"
#include "rpc-services/openinvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

/* What tells a changed file: a write within the clock's grain still changes size or content. */
struct before {
    struct stat st;
    uint64_t sum;
};

/* FNV-1a over the content; only to notice a change that kept size and times. */
static int sum_content(const char *path, struct before *ret)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    unsigned char buf[65536];
    uint64_t h = 0xcbf29ce484222325;
    ssize_t n;

    if (fd < 0 || fstat(fd, &ret->st) < 0)
        return -errno;
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            h = (h ^ buf[i]) * 0x100000001b3;
    ret->sum = h;
    return n < 0 ? -errno : 0;
}

static bool is_changed(const struct before *a, const struct before *b)
{
    return a->st.st_mtim.tv_sec != b->st.st_mtim.tv_sec ||
           a->st.st_mtim.tv_nsec != b->st.st_mtim.tv_nsec || a->st.st_size != b->st.st_size ||
           a->sum != b->sum;
}

static int receive(const char *path, bool view_only)
{
    _cleanup_(closep) int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0)
        return -errno;
    r = copy_all(STDIN_FILENO, fd);
    if (!r && view_only && fchmod(fd, 0400) < 0)
        r = -errno;
    return r;
}

static int give_back(const char *path)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? -errno : copy_all(fd, STDOUT_FILENO);
}

/* Nobody else will tell the person in front of this domain. */
static void show_failure(const char *name)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    _cleanup_(freep) char *text = format_new("Opening %s failed.", name);
    char *zenity[] = {
        (char *)"zenity", (char *)"--error", (char *)"--no-markup", (char *)"--text", text, NULL};
    char *kdialog[] = {(char *)"kdialog", (char *)"--error", text, NULL};

    if (!text || !((x && *x) || (wayland && *wayland)))
        return;
    if (run_program(zenity, -1, -1, -1) < 0)
        (void)run_program(kdialog, -1, -1, -1);
}

static int serve(const char *dir, const char *name, bool view_only)
{
    char path[OPENINVM_FIELD + 400], *argv[] = {(char *)"qubes-open", path, NULL};
    struct before before, after;
    int r;

    r = format(path, sizeof(path), "%s/%s", dir, name);
    if (!r)
        r = receive(path, view_only);
    if (!r)
        r = sum_content(path, &before);
    if (r) {
        log_error("cannot store the file: %s", strerror(-r));
        return 1;
    }
    r = run_program(argv, -1, STDERR_FILENO, STDERR_FILENO);
    if (r) {
        log_error("opening %s failed: %s", name,
                  r < 0 ? strerror(-r) : "see the application's message");
        show_failure(name);
    }
    r = sum_content(path, &after);
    if (r)
        log_error("%s cannot be read any more, so it counts as unchanged: %s", name, strerror(-r));
    if (r || !is_changed(&before, &after))
        return 0;
    r = give_back(path);
    if (r)
        log_error("cannot send the changed file back: %s", strerror(-r));
    return r ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *caller = getenv("QREXEC_REMOTE_DOMAIN");
    unsigned char field[OPENINVM_FIELD];
    char name[OPENINVM_FIELD], dir[320];
    bool view_only;
    int r;

    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (process_begin())
        return 1;
    log_open("qubes.OpenInVM", LOG_TARGET_STDERR);
    if (!caller || !*caller || strchr(caller, '/') || str_equal(caller, ".") ||
        str_equal(caller, "..") || format(dir, sizeof(dir), "/tmp/%s-XXXXXX", caller)) {
        log_error("not called by a domain");
        return 1;
    }
    if (read_full(STDIN_FILENO, field, sizeof(field)) ||
        !openinvm_get_name(field, name, &view_only)) {
        log_error("the caller sent no valid file name");
        return 1;
    }
    if (!mkdtemp(dir)) {
        log_error("cannot make a directory in /tmp: %s", strerror(errno));
        return 1;
    }
    r = serve(dir, name, view_only);
    (void)remove_all(dir);
    return r;
}
