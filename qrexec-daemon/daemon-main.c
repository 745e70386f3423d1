/* qrexec-daemon: options, start, the loop. See daemon.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "qrexec-daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define EXIT_TIMEOUT    3
#define STARTUP_SECONDS 60
#define DEFAULT_PROGRAM "/usr/bin/qrexec-policy-exec"

static int parent_fd = -1; /* told when we serve, where we went into the background */

/* ---- Start ---- */

static struct timer startup;

static void on_startup_timeout(struct timer *t)
{
    (void)t;
    log_error("no agent answered in time; the domain's log says more");
    loop_quit(EXIT_TIMEOUT);
}

static void on_ready(struct daemon *d)
{
    (void)d;
    timer_stop(&startup);
    (void)notify_send("READY=1");
    if (parent_fd >= 0 && write(parent_fd, "", 1) < 0)
        log_warning("who started us is gone");
    close_fd(&parent_fd);
}

static int usage(int code)
{
    fprintf(code ? stderr : stdout, "usage: qrexec-daemon [-q] [-D] [--root=DIR] "
                                    "[--socket-dir=DIR] [-p PROGRAM] -u UUID DOMID NAME [USER]\n");
    return code;
}

static int parse(int argc, char **argv, struct daemon *d, bool *direct)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"socket-dir", required_argument, NULL, 's'},
                                          {"policy-program", required_argument, NULL, 'p'},
                                          {"direct", no_argument, NULL, 'D'},
                                          {"uuid", required_argument, NULL, 'u'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *root = NULL, *socket_dir = NULL, *uuid = NULL;
    int c, r;

    while ((c = getopt_long(argc, argv, "qp:Du:h", longs, NULL)) != -1)
        switch (c) {
        case 'r': root = optarg; break;
        case 's': socket_dir = optarg; break;
        case 'p': d->policy_program = optarg; break;
        case 'D': *direct = true; break;
        case 'u': uuid = optarg; break;
        case 'q': break;
        case 'h': return usage(0);
        default: return usage(2);
        }
    if (!uuid || argc - optind < 2 || argc - optind > 3 ||
        parse_u32(argv[optind], INT32_MAX, &d->domid) || !d->domid)
        return usage(2);
    d->uuid = str_starts(uuid, "uuid:") ? uuid + strlen("uuid:") : uuid;
    d->name = argv[optind + 1];
    d->default_user = argc - optind == 3 ? argv[optind + 2] : "user";
    r = paths_init(root, PATHS_DAEMON);
    if (!r)
        r = socket_dir ? format(d->socket_dir, PATH_SIZE, "%s", socket_dir)
                       : path_get(d->socket_dir, "/run/qubes");
    if (r)
        log_error("--root and --socket-dir take absolute paths");
    return r ? 2 : -1;
}

/* Parent: waits until the child serves or ends. Child: goes on, -1. */
static int go_to_background(const struct daemon *d)
{
    char path[PATH_SIZE], byte;
    int p[2], log;
    pid_t pid;

    if (pipe2(p, O_CLOEXEC) < 0)
        return 1;
    pid = fork();
    if (pid < 0)
        return 1;
    if (pid > 0) {
        close(p[1]);
        return read(p[0], &byte, 1) == 1 ? 0 : EXIT_TIMEOUT;
    }
    close(p[0]);
    parent_fd = p[1];
    (void)setsid();
    log = path_get(path, "/var/log/qubes/qrexec.%s.log", d->name)
              ? -1
              : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        close(log);
    }
    return -1;
}

static uint64_t startup_seconds(void)
{
    const char *text = getenv("QREXEC_STARTUP_TIMEOUT");
    uint32_t v;

    return text && parse_u32(text, 1000000, &v) == 0 ? v : STARTUP_SECONDS;
}

int main(int argc, char **argv)
{
    static struct daemon d;
    bool direct = false, no_wait = getenv("QREXEC_STARTUP_NOWAIT") != NULL;
    int r;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("qrexec-daemon", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    d.listener = -1;
    d.policy_program = DEFAULT_PROGRAM;
    d.pending.most = DAEMON_CALLS_MOST;
    d.on_ready = on_ready;
    r = parse(argc, argv, &d, &direct);
    if (r < 0 && !direct)
        r = go_to_background(&d);
    if (r >= 0)
        return r;
    if (loop_init())
        return 1;
    ports_init(&d.ports, d.domid);
    startup.fn = on_startup_timeout;
    if (no_wait)
        on_ready(&d);
    else
        timer_set(&startup, startup_seconds() * 1000);
    r = control_start(&d);
    if (r) {
        log_error("%s: cannot wait for its agent: %s", d.name, strerror(-r));
        return 1;
    }
    r = loop_run();
    control_stop(&d);
    timer_stop(&startup);
    ports_deinit(&d.ports);
    return r;
}
