/* qrexec-policy-agent: see agent.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/prompt/agent.h"
#include "policy-engine/prompt/bus.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

struct prompt {
    struct bus *bus;
    struct agent *agent;
};

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-agent [--terminal] [-s|--socket-path=PATH]\n");
    return code;
}

static int front_new(bool terminal, struct bus *bus, struct front **ret)
{
    int r = -ENOSYS;

    if (terminal)
        r = terminal_front_new(STDIN_FILENO, STDOUT_FILENO, ret);
#ifdef HAVE_GTK
    else
        r = window_front_new(bus, ret);
#else
    (void)bus;
#endif
    if (r == -ENOSYS)
        log_error("this build has no window: give --terminal");
    else if (r == -ENOTCONN)
        log_error("there is no display for a window (DISPLAY, WAYLAND_DISPLAY): give --terminal");
    else if (r == -ENOTTY)
        log_error("cannot ask on a terminal: standard input is none");
    else if (r)
        log_error("cannot start: %s", strerror(-r));
    return r;
}

static void on_lock(void *user)
{
    struct prompt *p = user;

    agent_set_locked(p->agent, bus_is_locked(p->bus));
}

static int run(const char *path, bool terminal)
{
    struct prompt p = {.bus = bus_new()};
    struct front *front = NULL;
    int r = 1;

    if (!p.bus || loop_init() || front_new(terminal, p.bus, &front))
        return 1;
    if (agent_new(path, front, &p.agent) == 0) {
        bus_on_lock(p.bus, on_lock, &p);
        on_lock(&p);
        if (terminal)
            printf("Calls that the policy asks about are asked about here (%s).\n", path);
        fflush(stdout);
        (void)notify_send("READY=1");
        r = loop_run();
        agent_free(p.agent);
    } else {
        front->ops->free(front);
    }
    bus_free(p.bus);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"terminal", no_argument, NULL, 't'},
                                          {"socket-path", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *socket = NULL;
    bool terminal = false;
    char path[PATH_SIZE];
    int c, r;

    if (argc < 1 || process_begin())
        return 1;
    log_open("qrexec-policy-agent", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "hs:", longs, NULL)) != -1) {
        if (c == 't')
            terminal = true;
        else if (c == 's')
            socket = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    r = paths_init(NULL, PATHS_TOOL);
    if (!r)
        r = socket ? format(path, sizeof(path), "%s", socket)
                   : path_get(path, "/run/qubes/policy-agent.sock");
    if (r) {
        log_error("cannot start: %s (QREXEC_ROOT must be an absolute path)", strerror(-r));
        return 1;
    }
    return run(path, terminal);
}
