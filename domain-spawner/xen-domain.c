/*
 * What a domain of the Xen backend is doing: see xen-domain.h.
 *
 * One that outlived an earlier helper is adopted: it is in state "agent" again. If its agent had
 * answered before, it is never ended for its silence; else its start goes on, with a new deadline.
 * One that is no disposable is not ended for being late, either.
 */
#include "domain-spawner/xen-domain.h"

#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/xen-log.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

libxl_asyncop_how xen_domain_how(const struct backend_domain *d, enum xen_about about)
{
    return (libxl_asyncop_how){.u.for_event = d->serial << 8 | about};
}

struct backend_domain *xen_domain_new(struct backend *b, const struct domain_spec *spec)
{
    struct backend_domain *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->backend = b;
    d->spec = *spec;
    d->serial = ++b->serial;
    d->domid = NO_DOMID;
    d->daemon = PROCESS_NULL;
    d->notify = WATCH_NULL;
    d->deadline = clock_ms() + (uint64_t)spec->start_seconds * 1000;
    d->next = b->domains;
    b->domains = d;
    return d;
}

void xen_domain_free(struct backend_domain *d)
{
    if (d->death)
        libxl_evdisable_domain_death(d->backend->loop.ctx, d->death);
    if (d->build)
        xen_build_abandon(d->build);
    xen_daemon_forget(d);
    watch_remove(&d->daemon.watch);
    free(d);
}

void xen_domain_end(struct backend_domain *d, enum domain_end how_it_ends)
{
    if (d->state == XEN_ENDING)
        return;
    d->state = XEN_ENDING;
    d->end = how_it_ends;
    d->deadline = clock_ms() + DAEMON_END_MS;
    d->daemon_at = 0;
    process_kill(&d->daemon, SIGTERM);
    if (d->build)
        xen_build_kill(d->build);
}

/* "; see FILE" if that is there: what the domain itself had to say. */
static void add_console_hint(const struct backend_domain *d, char *text, size_t size)
{
    char path[PATH_SIZE];
    size_t n = strlen(text);

    if (!format(path, sizeof(path), CONSOLE_LOG, d->spec.name) && access(path, F_OK) == 0 &&
        format(text + n, size - n, "; see %s", path))
        text[n] = 0;
}

void xen_domain_fail(struct backend_domain *d, const char *fmt, ...)
{
    char text[DOMAIN_TEXT_SIZE];
    va_list ap;

    if (d->state == XEN_ENDING)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (d->state == XEN_AGENT)
        add_console_hint(d, text, sizeof(text));
    if (d->state == XEN_RUNNING || d->patient)
        log_warning("%s: %s", d->spec.name, text);
    else
        memcpy(d->reason, text, sizeof(text));
    xen_domain_end(d, DOMAIN_CRASH);
}

int xen_domain_attend(struct backend_domain *d)
{
    d->state = XEN_AGENT;
    return libxl_evenable_domain_death(d->backend->loop.ctx, d->domid, d->serial << 8 | ABOUT_DEATH,
                                       &d->death);
}

static void let_builder_go(struct backend_domain *d)
{
    if (!d->build)
        return;
    xen_build_release(d->build);
    xen_builders_hurry(&d->backend->builders);
}

void xen_domain_runs(struct backend_domain *d)
{
    const struct backend_events *ev = d->backend->events;

    d->state = XEN_RUNNING;
    d->deadline = 0;
    let_builder_go(d);
    ev->running(ev->user, &d->spec, d->domid);
}

/* It is let run first: its kernel takes longest. */
static void on_built(void *user, uint32_t domid, const char *error)
{
    struct backend_domain *d = user;
    libxl_asyncop_how unpause = xen_domain_how(d, ABOUT_UNPAUSE);
    int r;

    if (*error) {
        xen_domain_fail(d, "%s", error);
        return;
    }
    d->domid = domid;
    if (d->state == XEN_ENDING)
        return;
    if (xen_domain_attend(d) || libxl_domain_unpause(d->backend->loop.ctx, d->domid, &unpause)) {
        xen_domain_fail(d, "libxl cannot start it");
        return;
    }
    r = xen_daemon_start(d);
    if (r)
        xen_domain_fail(d, "cannot start its qrexec-daemon: %s", strerror(-r));
}

static void on_builder_end(void *user, int status)
{
    struct backend_domain *d = user;

    d->build = NULL;
    if (d->state == XEN_BUILDING)
        xen_domain_fail(d, "its builder ended (exit code %d); the helper's log says why",
                        spawn_exit_code(status));
    else if (d->state == XEN_AGENT && !d->patient)
        log_warning("%s: its builder ended early (exit code %d)", d->spec.name,
                    spawn_exit_code(status));
}

int xen_domain_build(struct backend_domain *d)
{
    static const struct xen_build_events events = {on_built, on_builder_end};

    return xen_build_begin(&d->backend->builders, &d->spec, &events, d, &d->build);
}

static void on_operation(struct backend_domain *d, enum xen_about about, int rc)
{
    if (about == ABOUT_UNPAUSE && rc)
        xen_domain_fail(d, "libxl cannot start it (%d)", rc);
    else if (about == ABOUT_DESTROY)
        xen_domain_destroyed(d, rc);
}

static void on_death(struct backend_domain *d, const libxl_event *ev)
{
    static const char *const words[] = {"shut down", "crashed", "was destroyed"};
    enum domain_end how_it_ended = DOMAIN_SHUTDOWN;

    if (ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH)
        how_it_ended = DOMAIN_DESTROY;
    else if (ev->u.domain_shutdown.shutdown_reason == LIBXL_SHUTDOWN_REASON_CRASH ||
             ev->u.domain_shutdown.shutdown_reason == LIBXL_SHUTDOWN_REASON_WATCHDOG)
        how_it_ended = DOMAIN_CRASH;
    if (d->state == XEN_RUNNING || d->patient)
        xen_domain_end(d, how_it_ended);
    else
        xen_domain_fail(d, "it %s before its agent answered", words[how_it_ended]);
}

void xen_domain_event(struct backend_domain *d, const libxl_event *ev)
{
    if (ev->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
        on_operation(d, (enum xen_about)(ev->for_user & 0xff), ev->u.operation_complete.rc);
    else if (ev->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN ||
             ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH)
        on_death(d, ev);
}

/* A disposable's call is refused, so it is of no use; others may only be slow. */
static void on_silence(struct backend_domain *d)
{
    const struct backend_events *ev = d->backend->events;
    char text[DOMAIN_TEXT_SIZE];

    snprintf(text, sizeof(text), "no agent answered within %u seconds", d->spec.start_seconds);
    if (d->spec.disposable) {
        xen_domain_fail(d, "%s", text);
        return;
    }
    d->patient = true;
    add_console_hint(d, text, sizeof(text));
    let_builder_go(d);
    ev->late(ev->user, &d->spec, text);
}

static void on_deadline(struct backend_domain *d)
{
    d->deadline = 0;
    if (d->state == XEN_ENDING) {
        process_kill(&d->daemon, SIGKILL);
    } else if (d->patient && d->state == XEN_AGENT) {
        log_warning("%s: its agent does not answer; it is left running", d->spec.name);
        xen_domain_runs(d);
    } else if (d->state == XEN_BUILDING) {
        xen_domain_fail(d, "it was not built within %u seconds", d->spec.start_seconds);
    } else if (d->state == XEN_AGENT) {
        on_silence(d);
    }
}

void xen_domain_check_times(struct backend_domain *d)
{
    if (deadline_left(d->deadline) == 0)
        on_deadline(d);
    if (deadline_left(d->daemon_at) != 0)
        return;
    d->daemon_at = xen_daemon_start(d) ? clock_ms() + DAEMON_WAIT_MAX : 0;
}
