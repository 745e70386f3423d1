/*
 * domain-spawner-helper: the process with the rights. Started by domain-spawner with their socket
 * as descriptor 3; not for people.
 */
#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/helper.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

struct state {
    struct helper *helper;
    ev_timer timer;
};

static void turn(struct ev_loop *loop, struct state *s)
{
    int ms;

    if (!helper_dispatch(s->helper)) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    ms = helper_timeout(s->helper);
    ev_timer_stop(loop, &s->timer);
    if (ms >= 0) {
        ev_timer_set(&s->timer, (double)ms / 1000.0, 0.0);
        ev_timer_start(loop, &s->timer);
    }
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)revents;
    turn(loop, w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    turn(loop, w->data);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    struct state *s = w->data;

    (void)revents;
    helper_end(s->helper);
    turn(loop, s);
}

static int run(struct helper *helper)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    struct state s = {.helper = helper};
    ev_io front, backend;
    ev_signal term, intr;

    if (!loop)
        return 1;
    ev_io_init(&front, on_io, HELPER_FD, EV_READ);
    ev_io_init(&backend, on_io, helper_backend_fd(helper), EV_READ);
    ev_timer_init(&s.timer, on_timer, 0.0, 0.0);
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_init(&intr, on_signal, SIGINT);
    front.data = backend.data = s.timer.data = term.data = intr.data = &s;
    ev_io_start(loop, &front);
    ev_io_start(loop, &backend);
    ev_signal_start(loop, &term);
    ev_signal_start(loop, &intr);
    turn(loop, &s);
    ev_run(loop, 0);
    ev_loop_destroy(loop);
    return 0;
}

static const struct backend_ops *choose(const char *name)
{
    return str_equal(name, "local") || str_equal(name, "auto") ? &backend_local : NULL;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"root", required_argument, NULL, 'r'}, {"backend", required_argument, NULL, 'b'}, {0}};
    const char *root = NULL, *backend = "auto", *why = "";
    struct helper *helper = NULL;
    int c, r;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("domain-spawner-helper", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'r')
            root = optarg;
        else if (c == 'b')
            backend = optarg;
        else
            return 2;
    }
    if (paths_init(root, PATHS_DAEMON) || fcntl(HELPER_FD, F_GETFD) < 0) {
        log_error("this program is started by domain-spawner, with its socket as descriptor 3");
        return 2;
    }
    (void)fd_set_cloexec(HELPER_FD, true);
    if (!choose(backend)) {
        log_error("no such backend: %s (local)", backend);
        return 2;
    }
    r = helper_new(choose(backend), &helper, &why);
    if (r) {
        log_error("cannot use the %s backend: %s%s%s", choose(backend)->name, strerror(-r),
                  *why ? ": " : "", why);
        return 1;
    }
    r = run(helper);
    helper_free(helper);
    return r;
}
