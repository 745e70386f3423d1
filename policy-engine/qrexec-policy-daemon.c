/* qrexec-policy-daemon: see policy-server.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/policy-server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static int usage(int code)
{
    fprintf(
        code ? stderr : stdout,
        "usage: qrexec-policy-daemon [--root=DIR] [--policy-path=DIR]... [--socket-path=PATH]\n");
    return code;
}

static int make_parent(const char *path)
{
    char dir[PATH_SIZE];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || format(dir, sizeof(dir), "%.*s", (int)(slash - path), path))
        return 0;
    return mkdir_all(dir, 0755);
}

/* Each request holds descriptors; the daemon says itself how many requests there may be. */
static void raise_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"policy-path", required_argument, NULL, 'p'},
                                          {"socket-path", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    static struct policy_files files;
    struct policy_server *server = NULL;
    const char *root = NULL, *socket = NULL;
    char path[PATH_SIZE];
    int c, r;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("qrexec-policy-daemon", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'r')
            root = optarg;
        else if (c == 's')
            socket = optarg;
        else if (c == 'p' && files.n_dirs < SERVICE_DIRS_MOST)
            files.dirs[files.n_dirs++] = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    r = paths_init(root, PATHS_DAEMON);
    if (!r)
        r = policy_files_init(&files);
    if (!r)
        r = socket ? format(path, sizeof(path), "%s", socket)
                   : path_get(path, "/run/qubes/policy.sock");
    if (!r)
        r = make_parent(path);
    if (!r && *paths_root() && setenv("QREXEC_ROOT", paths_root(), 1) < 0)
        r = -errno; /* for qrexec-client */
    if (r) {
        log_error("cannot start: %s", strerror(-r));
        return 1;
    }
    raise_limit();
    if (loop_init() || policy_server_new(&files, path, &server))
        return 1;
    (void)notify_send("READY=1");
    r = loop_run();
    policy_server_free(server);
    return r;
}
