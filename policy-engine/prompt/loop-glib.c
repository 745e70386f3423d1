/*
 * The loop with GLib, whose main context the window and D-Bus live in: see loop.h.
 *
 * Each watch and timer keeps its GSource in its impl bytes. GLib dispatches a source that was
 * destroyed in the same turn no more, so a stopped one calls nobody.
 */
#include "libqrexec/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>

static GMainLoop *loop;
static int exit_code;

static GSource **source_of(void *impl)
{
    return impl;
}

static void source_stop(void *impl)
{
    GSource *s = *source_of(impl);

    *source_of(impl) = NULL;
    g_source_destroy(s);
    g_source_unref(s);
}

static void source_start(void *impl, GSource *s, GSourceFunc fn, void *user)
{
    g_source_set_callback(s, fn, user, NULL);
    g_source_attach(s, NULL);
    *source_of(impl) = s;
}

static gboolean fd_fired(gint fd, GIOCondition condition, gpointer user)
{
    struct watch *w = user;
    /* a hang-up or an error is found by reading or writing */
    bool other = (condition & (G_IO_HUP | G_IO_ERR)) != 0;

    (void)fd;
    w->fn(w, (short)((condition & G_IO_IN || (other && w->events & POLLIN) ? POLLIN : 0) |
                     (condition & G_IO_OUT || (other && w->events & POLLOUT) ? POLLOUT : 0)));
    return G_SOURCE_CONTINUE;
}

void watch_set(struct watch *w, int fd, short events)
{
    GIOCondition condition = (events & POLLIN ? G_IO_IN : 0) | (events & POLLOUT ? G_IO_OUT : 0);
    GSource *s;

    if (w->events && w->fd == fd && w->events == events)
        return;
    if (w->events)
        source_stop(w->impl);
    w->fd = fd;
    w->events = events;
    if (!events)
        return;
    s = g_unix_fd_source_new(fd, condition | G_IO_HUP | G_IO_ERR);
    g_source_set_priority(s, w->urgent ? G_PRIORITY_HIGH : G_PRIORITY_DEFAULT);
    source_start(w->impl, s, G_SOURCE_FUNC(fd_fired), w);
}

void watch_stop(struct watch *w)
{
    watch_set(w, w->fd, 0);
}

static gboolean timer_fired(gpointer user)
{
    struct timer *t = user;

    timer_stop(t);
    t->fn(t);
    return G_SOURCE_REMOVE;
}

void timer_set(struct timer *t, uint64_t ms)
{
    timer_stop(t);
    source_start(t->impl, g_timeout_source_new((guint)(ms < INT32_MAX ? ms : INT32_MAX)),
                 timer_fired, t);
    t->set = true;
}

void timer_stop(struct timer *t)
{
    if (t->set)
        source_stop(t->impl);
    t->set = false;
}

static struct {
    GSource *source;
    void (*fn)(void *user);
    void *user;
} signals[LOOP_SIGNALS];
static size_t n_signals;

static gboolean signal_fired(gpointer user)
{
    size_t i = GPOINTER_TO_SIZE(user);

    signals[i].fn(signals[i].user);
    return G_SOURCE_CONTINUE;
}

void loop_on_signal(int signo, void (*fn)(void *user), void *user)
{
    size_t i = n_signals++;

    assert(i < LOOP_SIGNALS);
    signals[i].fn = fn;
    signals[i].user = user;
    source_start(&signals[i].source, g_unix_signal_source_new(signo), signal_fired,
                 GSIZE_TO_POINTER(i));
}

static void on_term(void *user)
{
    (void)user;
    loop_quit(0);
}

int loop_init(void)
{
    loop = g_main_loop_new(NULL, FALSE);
    loop_on_signal(SIGTERM, on_term, NULL);
    loop_on_signal(SIGINT, on_term, NULL);
    return 0;
}

int loop_run(void)
{
    g_main_loop_run(loop);
    return exit_code;
}

void loop_quit(int code)
{
    exit_code = code;
    g_main_loop_quit(loop);
}

void loop_deinit(void)
{
    while (n_signals > 0)
        source_stop(&signals[--n_signals].source);
    g_main_loop_unref(loop);
    loop = NULL;
}
