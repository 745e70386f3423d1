/*
 * qubes-open FILE|URL: opens it with the default application and ends when that has ended.
 *
 * xdg-open where there is a display. Without one xdg-open passes desktop entries by, so they are
 * asked for through GLib then. Many launchers return at once: we wait until no process is left
 * that has FILE in its command line.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/child.h"
#include "rpc-services/launch.h"
#include "rpc-services/url.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static bool has_argument(const char *pid, const char *word)
{
    char path[64], *text = NULL;
    bool found = false;
    size_t n = 0;

    if (format(path, sizeof(path), "/proc/%s/cmdline", pid) || file_read(path, 1 << 20, &text, &n))
        return false;
    for (size_t i = 0; i < n && !found; i += strlen(text + i) + 1)
        found = strstr(text + i, word) != NULL;
    free(text);
    return found;
}

/* Another one of us that waits for the same file would wait for us. */
static bool is_one_of_us(const char *pid)
{
    char path[64], *text = NULL;
    bool same;
    size_t n;

    if (format(path, sizeof(path), "/proc/%s/comm", pid) || file_read(path, 64, &text, &n))
        return false;
    same = str_equal(text, "qubes-open\n");
    free(text);
    return same;
}

/* A process with the word in its command line that is not one of us; 0: none. */
static pid_t find_user(const char *word)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    uint32_t pid = 0;

    while (d && (e = readdir(d)))
        if (isdigit((unsigned char)e->d_name[0]) && parse_u32(e->d_name, INT32_MAX, &pid) == 0 &&
            (pid_t)pid != getpid() && (pid_t)pid != getppid() && has_argument(e->d_name, word) &&
            !is_one_of_us(e->d_name))
            break;
        else
            pid = 0;
    if (d)
        closedir(d);
    return (pid_t)pid;
}

static void wait_until_unused(const char *word)
{
    pid_t pid;

    while ((pid = find_user(word))) {
        struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

        if (p.fd >= 0)
            (void)poll(&p, 1, -1);
        close_fd(&p.fd);
    }
}

static int open_by_entry(const char *what)
{
    _cleanup_(freep) char *error = NULL;
    GAppInfo *app = launch_default_for(what);
    int r;

    if (!app) {
        log_error("no application is set for %s (a desktop entry and mimeapps.list say which)",
                  what);
        return 3;
    }
    r = launch_and_wait(app, what, &error);
    if (r < 0)
        log_error("cannot start %s: %s", g_app_info_get_name(app), error ? error : "out of memory");
    g_object_unref(app);
    return r < 0 ? 4 : r;
}

static bool has_display(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

    return (x && *x) || (wayland && *wayland);
}

int main(int argc, char **argv)
{
    char path[PATH_SIZE], *open[] = {(char *)"xdg-open", NULL, NULL}, *full = NULL;
    struct stat st;
    int r;

    signal(SIGPIPE, SIG_IGN);
    if (process_begin())
        return 1;
    log_open("qubes-open", LOG_TARGET_STDERR);
    if (argc != 2 || argv[1][0] == '-') {
        log_error("usage: qubes-open FILE|URL");
        return 1;
    }
    if (!url_looks_like_one(argv[1])) {
        full = realpath(argv[1], NULL);
        if (!full || stat(full, &st) < 0) {
            log_error("cannot open %s: %s", argv[1], strerror(errno));
            return 2;
        }
    }
    open[1] = full ? full : argv[1];
    if (has_display() && find_program("xdg-open", path, sizeof(path)) == 0) {
        setenv("DE", "generic", 1);
        r = run_program(open, -1, STDOUT_FILENO, STDERR_FILENO);
    } else {
        r = open_by_entry(open[1]);
    }
    if (full)
        wait_until_unused(full);
    free(full);
    return r < 0 ? 1 : r;
}
