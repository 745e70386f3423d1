/* The loop with libev: see loop.h. */
#include "libqrexec/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <signal.h>

#define NEVER 1e10 /* seconds since 1970 */
#define REST  1.0  /* seconds */

static struct ev_loop *loop;
static int exit_code;

/*
 * An idle process sleeps. libev wakes once a minute to see whether the clock was set, unless the
 * kernel tells it, and that it asks for with the first timer that stands for a time of day.
 */
static ev_periodic no_clock_to_watch;

static void never_fired(struct ev_loop *l, ev_periodic *p, int revents)
{
    (void)l;
    (void)p;
    (void)revents;
}

static ev_timer rest;

static void rest_fired(struct ev_loop *l, ev_timer *t, int revents)
{
    (void)l;
    (void)t;
    (void)revents;
    malloc_trim(0);
}

void loop_rest(void)
{
    if (ev_is_active(&rest))
        return;
    ev_timer_set(&rest, REST, 0.0);
    ev_timer_start(loop, &rest);
}

static void io_fired(struct ev_loop *l, ev_io *io, int revents)
{
    struct watch *w = io->data;

    (void)l;
    w->fn(w, (short)((revents & EV_READ ? POLLIN : 0) | (revents & EV_WRITE ? POLLOUT : 0)));
}

void watch_set(struct watch *w, int fd, short events)
{
    _Static_assert(sizeof(ev_io) <= LOOP_IMPL_SIZE && sizeof(ev_timer) <= LOOP_IMPL_SIZE,
                   "LOOP_IMPL_SIZE");
    _Static_assert(EV_MAXPRI > 0, "this libev knows no urgent watch");
    ev_io *io = (ev_io *)(void *)w->impl;
    int ev = (events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0);

    if (w->events && w->fd == fd && w->events == events)
        return;
    if (w->events)
        ev_io_stop(loop, io);
    w->fd = fd;
    w->events = events;
    if (!events)
        return;
    ev_io_init(io, io_fired, fd, ev);
    ev_set_priority(io, w->urgent ? EV_MAXPRI : 0);
    io->data = w;
    ev_io_start(loop, io);
}

void watch_stop(struct watch *w)
{
    watch_set(w, w->fd, 0);
}

static void timer_fired(struct ev_loop *l, ev_timer *t, int revents)
{
    struct timer *timer = t->data;

    (void)l;
    (void)revents;
    timer->set = false;
    timer->fn(timer);
}

void timer_set(struct timer *t, uint64_t ms)
{
    ev_timer *ev = (ev_timer *)(void *)t->impl;

    timer_stop(t);
    ev_now_update(loop);
    ev_timer_init(ev, timer_fired, (double)ms / 1000.0, 0.0);
    ev->data = t;
    ev_timer_start(loop, ev);
    t->set = true;
}

void timer_stop(struct timer *t)
{
    if (t->set)
        ev_timer_stop(loop, (ev_timer *)(void *)t->impl);
    t->set = false;
}

static struct {
    ev_signal signal;
    void (*fn)(void *user);
    void *user;
} signals[LOOP_SIGNALS];
static size_t n_signals;

static void signal_fired(struct ev_loop *l, ev_signal *w, int revents)
{
    size_t i = (size_t)(uintptr_t)w->data;

    (void)l;
    (void)revents;
    signals[i].fn(signals[i].user);
}

void loop_on_signal(int signo, void (*fn)(void *user), void *user)
{
    size_t i = n_signals++;

    assert(i < LOOP_SIGNALS);
    signals[i].fn = fn;
    signals[i].user = user;
    ev_signal_init(&signals[i].signal, signal_fired, signo);
    signals[i].signal.data = (void *)(uintptr_t)i;
    ev_signal_start(loop, &signals[i].signal);
}

static void on_term(void *user)
{
    (void)user;
    loop_quit(0);
}

int loop_init(void)
{
    loop = ev_loop_new(EVFLAG_NOENV);
    if (!loop)
        return -ENOMEM;
    ev_periodic_init(&no_clock_to_watch, never_fired, NEVER, 0.0, NULL);
    ev_periodic_start(loop, &no_clock_to_watch);
    ev_init(&rest, rest_fired);
    loop_on_signal(SIGTERM, on_term, NULL);
    loop_on_signal(SIGINT, on_term, NULL);
    return 0;
}

/* What the start needed is given back. */
int loop_run(void)
{
    malloc_trim(0);
    ev_run(loop, 0);
    return exit_code;
}

void loop_quit(int code)
{
    exit_code = code;
    ev_break(loop, EVBREAK_ALL);
}

void loop_deinit(void)
{
    while (n_signals > 0)
        ev_signal_stop(loop, &signals[--n_signals].signal);
    ev_timer_stop(loop, &rest);
    ev_periodic_stop(loop, &no_clock_to_watch);
    ev_loop_destroy(loop);
    loop = NULL;
}
