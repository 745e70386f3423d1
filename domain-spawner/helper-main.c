/* domain-spawner-helper: makes and ends domains for the front, which starts it. See helper.h. */
#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/helper.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#ifdef HAVE_XEN
#include "domain-spawner/xen-builder.h"
#endif

#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char usage[] = "usage: domain-spawner-helper [--root=DIR] [--backend=local|xen]\n";

struct rim {
    struct ev_loop *loop;
    struct helper *helper;
    ev_io front, backend;
    ev_timer timer;
    ev_signal term, interrupt;
};

static void turn(struct rim *rim)
{
    int left;

    helper_dispatch(rim->helper);
    ev_io_stop(rim->loop, &rim->front);
    if (helper_socket(rim->helper) >= 0) {
        ev_io_set(&rim->front, helper_socket(rim->helper),
                  EV_READ | (helper_has_unread(rim->helper) ? EV_WRITE : 0));
        ev_io_start(rim->loop, &rim->front);
    }
    if (helper_is_over(rim->helper)) {
        ev_break(rim->loop, EVBREAK_ALL);
        return;
    }
    left = helper_timeout(rim->helper);
    ev_timer_stop(rim->loop, &rim->timer);
    if (left >= 0) {
        ev_now_update(rim->loop);
        ev_timer_set(&rim->timer, left / 1e3, 0);
        ev_timer_start(rim->loop, &rim->timer);
    }
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    turn(w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    turn(w->data);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    struct rim *rim = w->data;

    (void)loop;
    (void)events;
    helper_end(rim->helper);
    turn(rim);
}

static int run(struct helper *h)
{
    struct rim rim = {.loop = ev_loop_new(EVFLAG_AUTO), .helper = h};

    if (!rim.loop)
        return -ENOMEM;
    ev_io_init(&rim.front, on_io, helper_socket(h), EV_READ);
    ev_io_init(&rim.backend, on_io, helper_backend_fd(h), EV_READ);
    ev_timer_init(&rim.timer, on_timer, 0, 0);
    ev_signal_init(&rim.term, on_signal, SIGTERM);
    ev_signal_init(&rim.interrupt, on_signal, SIGINT);
    rim.front.data = rim.backend.data = rim.timer.data = &rim;
    rim.term.data = rim.interrupt.data = &rim;
    ev_io_start(rim.loop, &rim.front);
    ev_io_start(rim.loop, &rim.backend);
    ev_signal_start(rim.loop, &rim.term);
    ev_signal_start(rim.loop, &rim.interrupt);
    ev_run(rim.loop, 0);
    ev_loop_destroy(rim.loop);
    return 0;
}

/* What the Xen backend starts this program for, see xen-builder.h. */
static int build(void)
{
#ifdef HAVE_XEN
    return xen_builder_run(HELPER_FD);
#else
    return 2;
#endif
}

static int check_front(void)
{
    int type;
    socklen_t n = sizeof(type);

    if (getsockopt(HELPER_FD, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_SEQPACKET) {
        fprintf(stderr, "domain-spawner-helper: descriptor 3 is not the front's socket: it is "
                        "domain-spawner that starts this program\n");
        return -EINVAL;
    }
    return fd_set_cloexec(HELPER_FD, true);
}

static int serve(const char *name)
{
    const struct backend_ops *ops = backend_find(name);
    struct helper *h;
    const char *why = "";
    int r;

    if (!ops) {
        log_error("no backend \"%s\" in this build (configure says why)", name);
        return 1;
    }
    r = helper_new(HELPER_FD, ops, &h, &why);
    if (r) {
        log_error("backend %s: %s (%s)", ops->name, *why ? why : "cannot begin", strerror(-r));
        return 1;
    }
    r = run(h);
    helper_free(h);
    return r ? 1 : 0;
}

static int bad_usage(void)
{
    fputs(usage, stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"root", required_argument, NULL, 'r'},
        {"backend", required_argument, NULL, 'b'},
        {"builder", no_argument, NULL, 'B'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *root = NULL, *backend = "";
    bool builder = false;
    int c;

    if (process_begin() || argc < 1)
        return 2;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r': root = optarg; break;
        case 'b': backend = optarg; break;
        case 'B': builder = true; break;
        case 'h': fputs(usage, stdout); return 0;
        default: return bad_usage();
        }
    }
    if (optind != argc)
        return bad_usage();
    if (paths_init(root, PATHS_DAEMON)) {
        fprintf(stderr, "domain-spawner-helper: --root wants an absolute path\n");
        return 2;
    }
    if (check_front())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    log_open("domain-spawner-helper", LOG_TARGET_STDERR);
    return builder ? build() : serve(backend);
}
