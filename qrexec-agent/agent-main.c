/*
 * qrexec-agent: options, signals and the event loop; what it does is in agent.h.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define AGENT_SOCKET "/run/qubes/qrexec-agent"
#define FORK_SERVER  "/run/qubes/qrexec-server.%s.sock"

_Static_assert(sizeof(ev_io) <= LOOP_IMPL_SIZE, "a watch has room for libev's");
_Static_assert(sizeof(ev_timer) <= LOOP_IMPL_SIZE, "a timer has room for libev's");

static struct ev_loop *loop;
static int exit_code;

static void on_io(struct ev_loop *l, ev_io *io, int revents)
{
    struct watch *w = io->data;

    (void)l;
    w->fn(w, (short)((revents & EV_READ ? POLLIN : 0) | (revents & EV_WRITE ? POLLOUT : 0)));
}

void watch_set(struct watch *w, int fd, short events)
{
    ev_io *io = (ev_io *)w->impl;

    if (w->events && w->fd == fd && w->events == events)
        return;
    watch_stop(w);
    if (!events || fd < 0)
        return;
    w->fd = fd;
    w->events = events;
    ev_io_init(io, on_io, fd, (events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0));
    io->data = w;
    ev_io_start(loop, io);
}

void watch_stop(struct watch *w)
{
    if (w->events)
        ev_io_stop(loop, (ev_io *)w->impl);
    w->events = 0;
}

static void on_time(struct ev_loop *l, ev_timer *t, int revents)
{
    struct timer *timer = t->data;

    (void)l;
    (void)revents;
    timer->set = false;
    timer->fn(timer);
}

void timer_set(struct timer *t, uint64_t ms)
{
    ev_timer *timer = (ev_timer *)t->impl;

    timer_stop(t);
    ev_timer_init(timer, on_time, (double)ms / 1000, 0);
    timer->data = t;
    t->set = true;
    ev_now_update(loop);
    ev_timer_start(loop, timer);
}

void timer_stop(struct timer *t)
{
    if (t->set)
        ev_timer_stop(loop, (ev_timer *)t->impl);
    t->set = false;
}

void loop_quit(int code)
{
    exit_code = code;
    ev_break(loop, EVBREAK_ALL);
}

static void on_child(struct ev_loop *l, ev_signal *s, int revents)
{
    int status;
    pid_t pid;

    (void)l;
    (void)revents;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        calls_reap(s->data, pid);
}

static void on_term(struct ev_loop *l, ev_signal *s, int revents)
{
    (void)l;
    (void)s;
    (void)revents;
    loop_quit(0);
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
    ev_signal child, term, interrupt;
    int r;

    loop = ev_loop_new(EVFLAG_AUTO);
    if (!loop)
        return -ENOMEM;
    ev_signal_init(&child, on_child, SIGCHLD);
    child.data = a;
    ev_signal_start(loop, &child);
    ev_signal_init(&term, on_term, SIGTERM);
    ev_signal_start(loop, &term);
    ev_signal_init(&interrupt, on_term, SIGINT);
    ev_signal_start(loop, &interrupt);
    clients_init(a);
    r = control_init(a);
    if (!r)
        ev_run(loop, 0);
    clients_deinit(a);
    calls_deinit(a);
    control_deinit(a);
    ev_signal_stop(loop, &child);
    ev_signal_stop(loop, &term);
    ev_signal_stop(loop, &interrupt);
    ev_loop_destroy(loop);
    return r;
}

int main(int argc, char **argv)
{
    static struct agent agent;
    char server[PATH_SIZE];
    const char *path = NULL, *fork_server = server;
    int r = fd_open_standard();

    if (r || argc < 1)
        return 1;
    log_open("qrexec-agent", LOG_TARGET_STDERR);
    r = paths_init(NULL, PATHS_DAEMON);
    if (!r)
        r = path_get(server, "%s", FORK_SERVER);
    if (!r)
        r = path_get(agent.clients.path, "%s", AGENT_SOCKET);
    if (r) {
        log_error("QREXEC_ROOT: %s", strerror(-r));
        return 1;
    }
    r = read_options(argc, argv, &path, &fork_server);
    if (r)
        return r - 1;
    if (path && format(agent.clients.path, PATH_SIZE, "%s", path)) {
        log_error("--agent-socket: the path is too long");
        return 2;
    }
    agent.calls.fork_server = fork_server;
    log_open("qrexec-agent", LOG_TARGET_SYSTEM);
    signal(SIGPIPE, SIG_IGN);
    raise_files(&agent);
    r = run(&agent);
    if (r)
        log_error("control vchan: %s", strerror(-r));
    return r ? 1 : exit_code;
}
