/*
 * qrexec-agent: options, signals and the event loop; what it does is in agent.h.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define AGENT_SOCKET "/run/qubes/qrexec-agent"
#define FORK_SERVER  "/run/qubes/qrexec-server.%s.sock"

static void on_child(void *agent)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        calls_reap(agent, pid);
}

static void usage(FILE *f)
{
    fputs("usage: qrexec-agent [-a|--agent-socket=PATH] [-s|--fork-server-socket=PATH] "
          "[-S|--no-fork-server]\n"
          "  PATH of the fork server's socket: %s in it is the user's name\n",
          f);
}

/* 0 go on; else the exit code + 1. */
static int read_options(int argc, char **argv, const char **ret_socket, const char **ret_server)
{
    static const struct option longs[] = {
        {"agent-socket", required_argument, NULL, 'a'},
        {"fork-server-socket", required_argument, NULL, 's'},
        {"no-fork-server", no_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int o;

    while ((o = getopt_long(argc, argv, "a:s:Sh", longs, NULL)) >= 0) {
        switch (o) {
        case 'a': *ret_socket = optarg; break;
        case 's': *ret_server = optarg; break;
        case 'S': *ret_server = NULL; break;
        case 'h': usage(stdout); return 1;
        default: usage(stderr); return 3;
        }
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "qrexec-agent: unexpected argument %s\n", argv[optind]);
    usage(stderr);
    return 3;
}

/* Each caller and each call holds a descriptor; programs get the old limit. */
static void raise_files(struct agent *a)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, &a->calls.files) < 0)
        return;
    most = a->calls.files;
    most.rlim_cur = most.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &most) < 0)
        a->calls.files = (struct rlimit){0};
}

static int run(struct agent *a)
{
    int code = 0, r = loop_init();

    if (r)
        return r;
    loop_on_signal(SIGCHLD, on_child, a);
    clients_init(a);
    r = control_init(a);
    if (!r)
        code = loop_run();
    clients_deinit(a);
    calls_deinit(a);
    control_deinit(a);
    loop_deinit();
    return r ? r : code;
}

int main(int argc, char **argv)
{
    static struct agent agent;
    char server[PATH_SIZE];
    const char *path = NULL, *fork_server = server;
    int r = process_begin();

    if (r || argc < 1)
        return 1;
    log_open("qrexec-agent", LOG_TARGET_STDERR);
    r = paths_init(NULL, PATHS_DAEMON);
    if (!r)
        r = path_get(server, "%s", FORK_SERVER);
    if (!r)
        r = format(agent.clients.path, sizeof(agent.clients.path), "%s" AGENT_SOCKET, paths_root());
    if (r) {
        log_error("QREXEC_ROOT: %s", strerror(-r));
        return 1;
    }
    r = read_options(argc, argv, &path, &fork_server);
    if (r)
        return r - 1;
    if (path && format(agent.clients.path, sizeof(agent.clients.path), "%s", path)) {
        log_error("--agent-socket: the path is too long");
        return 2;
    }
    agent.calls.fork_server = fork_server;
    log_open("qrexec-agent", LOG_TARGET_SYSTEM);
    signal(SIGPIPE, SIG_IGN);
    raise_files(&agent);
    r = run(&agent);
    if (r < 0)
        log_error("control vchan: %s", vchan_error_text(r));
    return r < 0 ? 1 : r;
}
