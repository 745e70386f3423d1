/*
 * qrexec-daemon: options, start, the loop. See daemon.h.
 *
 * In the background the parent waits until the agent has answered, so that who starts a domain
 * knows by its exit code that calls will reach it.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/sandbox.h"
#include "libqrexec/base/spawn.h"
#include "qrexec-daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define EXIT_TROUBLE    1
#define EXIT_USAGE      2
#define EXIT_TIMEOUT    3
#define STARTUP_SECONDS 60
#define DEFAULT_USER    "user"

struct start {
    bool direct;  /* stay in the foreground */
    bool no_wait; /* the parent does not wait for the agent */
    uint64_t limit_ms;
    int parent; /* told when the agent has answered; -1 */
};

static struct start start = {.parent = -1};
static struct timer startup;

static const char help[] =
    "usage: qrexec-daemon [options] -u UUID DOMID NAME [DEFAULT_USER]\n"
    "  -u, --uuid=UUID           the domain's\n"
    "  -D, --direct              stay in the foreground, log to stderr\n"
    "  -q                        say less\n"
    "  -p, --policy-program=P    asked when the policy service does not decide\n"
    "      --socket-dir=DIR      where to serve (/run/qubes)\n"
    "      --root=DIR            a private instance\n"
    "Environment: QREXEC_STARTUP_TIMEOUT (seconds, 60, also for 0; exit code 3 past it),\n"
    "QREXEC_STARTUP_NOWAIT (return at once, no limit).\n";

static int usage(const char *why)
{
    log_error("%s", why);
    fputs(help, stderr);
    return EXIT_USAGE;
}

static void tell_parent(void)
{
    if (start.parent >= 0 && write(start.parent, "", 1) < 0)
        log_debug("who started us is gone");
    close_fd(&start.parent);
}

static void on_startup_timeout(struct timer *t)
{
    (void)t;
    log_error("the agent did not answer in %llu s; the domain's own log says more",
              (unsigned long long)start.limit_ms / 1000);
    loop_quit(EXIT_TIMEOUT);
}

static void on_ready(struct daemon *d)
{
    (void)d;
    timer_stop(&startup);
    (void)notify_send("READY=1");
    tell_parent();
}

/* It stands in paths and in what services are told. */
static bool name_is_valid(const char *name)
{
    return *name && *name != '.' && strlen(name) < WIRE_NAME_SIZE &&
           wire_text_allowed(WIRE_CHARS_NAME, wire_text(name));
}

static int read_arguments(int argc, char **argv, struct daemon *d, const char *uuid)
{
    if (!uuid)
        return usage("-u is missing");
    if (argc < 2 || argc > 3)
        return usage("DOMID and NAME are needed, and at most a user");
    if (parse_u32(argv[0], INT32_MAX, &d->domid) || !d->domid)
        return usage("DOMID is a number from 1 on");
    d->uuid = str_starts(uuid, "uuid:") ? uuid + strlen("uuid:") : uuid;
    d->name = argv[1];
    d->default_user = argc == 3 ? argv[2] : DEFAULT_USER;
    if (!name_is_valid(d->name) || !name_is_valid(d->uuid))
        return usage("that is no name, or no UUID, of a domain");
    return -1;
}

static int set_paths(struct daemon *d, const char *root, const char *socket_dir,
                     const char *program)
{
    static char program_path[PATH_SIZE];
    int r = paths_init(root, PATHS_DAEMON);

    if (!r)
        r = socket_dir ? format(d->socket_dir, sizeof(d->socket_dir), "%s", socket_dir)
                       : format(d->socket_dir, sizeof(d->socket_dir), "%s/run/qubes", paths_root());
    if (!r)
        r = program ? format(program_path, PATH_SIZE, "%s", program)
                    : path_program(program_path, PATH_BIN, "qrexec-policy-exec");
    if (r)
        return usage("--root takes an absolute path, and none may be too long");
    program_init(&d->program, program_path);
    return -1;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct daemon *d)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"socket-dir", required_argument, NULL, 's'},
                                          {"policy-program", required_argument, NULL, 'p'},
                                          {"direct", no_argument, NULL, 'D'},
                                          {"uuid", required_argument, NULL, 'u'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *root = NULL, *socket_dir = NULL, *uuid = NULL, *program = NULL;
    int c, r;

    while ((c = getopt_long(argc, argv, "qp:Du:h", longs, NULL)) != -1)
        switch (c) {
        case 'r': root = optarg; break;
        case 's': socket_dir = optarg; break;
        case 'p': program = optarg; break;
        case 'D': start.direct = true; break;
        case 'u': uuid = optarg; break;
        case 'q': break; /* there is nothing that it could leave out */
        case 'h': fputs(help, stdout); return 0;
        default: fputs(help, stderr); return EXIT_USAGE;
        }
    r = read_arguments(argc - optind, argv + optind, d, uuid);
    return r >= 0 ? r : set_paths(d, root, socket_dir, program);
}

static void read_environment(void)
{
    const char *text = getenv("QREXEC_STARTUP_TIMEOUT"), *no_wait = getenv("QREXEC_STARTUP_NOWAIT");
    uint32_t seconds = STARTUP_SECONDS;

    if (text && parse_u32(text, 1000000, &seconds))
        log_warning("QREXEC_STARTUP_TIMEOUT=%s is no number of seconds; %d is used", text,
                    STARTUP_SECONDS);
    if (!seconds) /* as in the field */
        seconds = STARTUP_SECONDS;
    start.limit_ms = seconds * 1000ULL;
    start.no_wait = no_wait && *no_wait;
}

static int log_path(const struct daemon *d, char path[static PATH_SIZE])
{
    return path_get(path, "/var/log/qubes/qrexec.%s.log", d->name);
}

/* What is said from now on goes to the domain's log. */
static void open_log(const struct daemon *d)
{
    char path[PATH_SIZE];
    int fd = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (path_get(path, "/var/log/qubes") == 0)
        (void)mkdir_all(path, 0755);
    if (log_path(d, path) == 0)
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        log_warning("%s: %s; messages stay on stderr", path, strerror(errno));
    if (null >= 0)
        (void)dup2(null, STDIN_FILENO);
    if (fd >= 0 && (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0))
        log_warning("%s: %s", path, strerror(errno));
    close_fd(&fd);
    close_fd(&null);
}

/* Who started us sees nothing of the log, which may not even be there. */
static int tell_failure(const struct daemon *d, int code)
{
    char path[PATH_SIZE] = "";

    if (log_path(d, path) || access(path, F_OK) < 0)
        snprintf(path, sizeof(path), "its messages above");
    if (code == EXIT_TIMEOUT)
        log_error("%s: the agent did not answer in %llu s (QREXEC_STARTUP_TIMEOUT); see %s and the "
                  "domain's own log",
                  d->name, (unsigned long long)start.limit_ms / 1000, path);
    else
        log_error("%s: qrexec-daemon ended before the agent had answered; see %s", d->name, path);
    return code > 0 ? code : EXIT_TROUBLE;
}

/* Parent: until the child serves, or ends: its exit code. Child: -1. */
static int go_to_background(const struct daemon *d)
{
    int p[2];
    char byte;
    pid_t pid;

    if (pipe2(p, O_CLOEXEC) < 0)
        return EXIT_TROUBLE;
    pid = fork();
    if (pid < 0) {
        log_error("cannot go to the background: %s", strerror(errno));
        return EXIT_TROUBLE;
    }
    if (pid > 0) {
        close(p[1]);
        if (start.no_wait || read_full(p[0], &byte, 1) == 0)
            return 0;
        return tell_failure(d, spawn_wait(pid));
    }
    close(p[0]);
    start.parent = p[1];
    (void)setsid();
    signal(SIGHUP, SIG_IGN);
    open_log(d);
    return -1;
}

/* Each open call needs a few. */
static void raise_limits(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int serve(struct daemon *d)
{
    int r = sandbox_enter(SANDBOX_LAUNCHER);

    if (!r)
        r = loop_init();
    startup.fn = on_startup_timeout;
    if (!r && !start.no_wait)
        timer_set(&startup, start.limit_ms);
    if (!r)
        r = deaths_start(d);
    if (!r)
        r = control_start(d);
    if (r) {
        log_error("%s: cannot wait for its agent: %s", d->name, vchan_error_text(r));
        return EXIT_TROUBLE;
    }
    see_start(d);
    r = loop_run();
    control_stop(d);
    deaths_stop(d);
    calls_deinit(d);
    see_stop(d);
    timer_stop(&startup);
    return r;
}

static void keep_ports(struct daemon *d)
{
    char path[PATH_SIZE];
    int r = format(path, sizeof(path), "%s/ports.%u", d->socket_dir, d->domid);

    r = r ? r : ports_keep(&d->ports, path, d->uuid);
    if (r)
        log_warning("%s: %s; a daemon that is started again will not know the calls that run", path,
                    strerror(-r));
}

int main(int argc, char **argv)
{
    static struct daemon d = {.listener = -1, .pending.most = DAEMON_CALLS_MOST};
    int r;

    if (argc < 1 || process_begin())
        return EXIT_TROUBLE;
    log_open("qrexec-daemon", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    r = read_options(argc, argv, &d);
    if (r >= 0)
        return r;
    read_environment();
    d.on_ready = on_ready;
    d.start = call_id_clock();
    /* dom0's end finds the same instance */
    if (*paths_root() && setenv("QREXEC_ROOT", paths_root(), 1) < 0)
        return EXIT_TROUBLE;
    r = start.direct ? -1 : go_to_background(&d);
    if (r >= 0)
        return r;
    raise_limits();
    ports_init(&d.ports, d.domid);
    keep_ports(&d);
    r = serve(&d);
    program_deinit(&d.program);
    ports_deinit(&d.ports);
    return r;
}
