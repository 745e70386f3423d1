/*
 * libxl's hooks: see xen-loop.h.
 *
 * libxl's descriptors are its own, so duplicates are watched, which watch_remove() may close. Its
 * timeouts are times of the wall clock, computed a moment before they are handed over: what is
 * left of them is taken at once, and kept on the monotonic clock, so a clock that is set later
 * neither fires nor holds them. libxl never takes a timeout back: it asks for it to fire now.
 *
 * Its children are reaped by it alone, each by its number, and ours by us, each by its number
 * (watch.c), so neither takes the other's.
 */
#include "domain-spawner/xen-loop.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libxl_event.h>
#include <poll.h>
#include <sys/time.h>

/* A descriptor, and a timeout, that libxl wants watched. */
struct xen_fd {
    struct watch watch;
    struct xen_loop *loop;
    int fd; /* libxl's own */
    short events;
    void *libxl;
};

struct xen_timeout {
    struct xen_timeout *next;
    uint64_t at; /* clock_ms() */
    void *libxl;
};

static void on_fd(struct watch *w)
{
    struct xen_fd *f = w->user;
    struct pollfd p = {.fd = w->fd, .events = f->events};

    if (poll(&p, 1, 0) > 0)
        libxl_osevent_occurred_fd(f->loop->ctx, f->libxl, f->fd, f->events, p.revents);
}

static int fd_modify(void *user, int fd, void **registration, short events)
{
    struct xen_fd *f = *registration;

    (void)user;
    (void)fd;
    f->events = events;
    return watch_modify(&f->watch, (events & POLLIN) != 0, (events & POLLOUT) != 0) ? -1 : 0;
}

static int fd_register(void *user, int fd, void **ret, short events, void *for_libxl)
{
    struct xen_loop *l = user;
    struct xen_fd *f = calloc(1, sizeof(*f));
    int copy = f ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

    if (copy < 0 || watch_add(l->set, &f->watch, copy, on_fd, f)) {
        free(f);
        return -1;
    }
    f->loop = l;
    f->fd = fd;
    f->libxl = for_libxl;
    *ret = f;
    return fd_modify(user, fd, ret, events);
}

static void fd_deregister(void *user, int fd, void *registration)
{
    struct xen_fd *f = registration;

    (void)user;
    (void)fd;
    watch_remove(&f->watch);
    free(f);
}

static int timeout_register(void *user, void **ret, struct timeval at, void *for_libxl)
{
    struct xen_loop *l = user;
    struct xen_timeout *t = calloc(1, sizeof(*t));
    struct timeval now;
    int64_t left;

    if (!t)
        return -1;
    gettimeofday(&now, NULL);
    left = ((int64_t)at.tv_sec - now.tv_sec) * 1000 + (at.tv_usec - now.tv_usec) / 1000;
    t->at = clock_ms() + (left > 0 ? (uint64_t)left : 0);
    t->libxl = for_libxl;
    t->next = l->timeouts;
    l->timeouts = t;
    *ret = t;
    return 0;
}

static int timeout_modify(void *user, void **registration, struct timeval at)
{
    struct xen_timeout *t = *registration;

    (void)user;
    (void)at; /* always: as soon as possible */
    t->at = clock_ms();
    return 0;
}

static const libxl_osevent_hooks hooks = {
    .fd_register = fd_register,
    .fd_modify = fd_modify,
    .fd_deregister = fd_deregister,
    .timeout_register = timeout_register,
    .timeout_modify = timeout_modify,
};

static const libxl_childproc_hooks children = {
    .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
};

int xen_loop_init(struct xen_loop *l, struct watch_set *set)
{
    *l = (struct xen_loop){.set = set};
    xen_log_init(&l->log);
    if (libxl_ctx_alloc(&l->ctx, LIBXL_VERSION, 0, &l->log.logger))
        return -ENODEV;
    libxl_osevent_register_hooks(l->ctx, &hooks, l);
    libxl_childproc_setmode(l->ctx, &children, l);
    return 0;
}

void xen_loop_deinit(struct xen_loop *l)
{
    if (l->ctx)
        libxl_ctx_free(l->ctx);
    l->ctx = NULL;
    while (l->timeouts) {
        struct xen_timeout *t = l->timeouts;

        l->timeouts = t->next;
        free(t);
    }
}

void xen_loop_fire(struct xen_loop *l)
{
    struct xen_timeout **at = &l->timeouts;

    while (*at) {
        struct xen_timeout *t = *at;

        if (t->at > clock_ms()) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        libxl_osevent_occurred_timeout(l->ctx, t->libxl);
        free(t);
        at = &l->timeouts; /* libxl may have made others */
    }
}

int xen_loop_timeout(const struct xen_loop *l)
{
    int least = -1;

    for (const struct xen_timeout *t = l->timeouts; t; t = t->next) {
        int left = t->at > clock_ms() ? deadline_left(t->at) : 0;

        if (least < 0 || left < least)
            least = left;
    }
    return least;
}
