/*
 * The Xen backend: what a domain is doing. Its neighbours: xen-builder.h builds, xen-config.c and
 * xen-disk.c say what, xen-loop.c lets libxl run in our loop; no other files know Xen's toolstack.
 *
 *   building  a builder process has it                     → it answers: the domain is there,
 * paused agent     the domain runs, its daemon starts           → the daemon says READY=1 running
 * → it shuts down, crashes, is destroyed ending    daemon and builder go, then libxl destroys it →
 * all three are over
 *
 * Nothing blocks: building is a process, libxl's operations are asynchronous and complete as
 * events. An event carries the serial of the domain it is for, so one for a domain that is no more
 * finds nobody. What is ended while it is built, or whose builder died, is found by its uuid.
 *
 * Domains outlive this process. The next one adopts those that the front names: they are in state
 * "agent" again, but one that ran before is never ended for its agent's silence. One that never ran
 * a moment was still being built, and is ended; so is a disposable, whose call is gone.
 */
#include "domain-spawner/backend.h"

#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/xen-builder.h"
#include "domain-spawner/xen-find.h"
#include "domain-spawner/xen-loop.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <libxl_event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#define NOTIFY_DIR    "/run/qubes/domains"
#define CONSOLE_LOG   "/var/log/xen/console/guest-%s.log" /* xenconsoled --log=guest writes it */
#define DESTROY_TRIES 3
#define DESTROY_MS    500 /* between them: somebody else may be at it, too */
#define NO_DOMID      UINT32_MAX

enum xen_state { XEN_BUILDING, XEN_AGENT, XEN_RUNNING, XEN_ENDING };

/* What an event of libxl is about: serial << 8 | one of these. */
enum xen_about { ABOUT_DEATH, ABOUT_UNPAUSE, ABOUT_DESTROY, ABOUT_OTHER };

struct backend_domain {
    struct backend_domain *next;
    struct backend *backend;
    struct domain_spec spec;
    uint64_t serial;
    enum xen_state state;
    bool adopted;
    enum domain_end end;
    char reason[DOMAIN_TEXT_SIZE]; /* why it never ran; "": it ran, or was destroyed */
    uint64_t deadline;
    uint64_t daemon_at; /* when to start its daemon again; 0: it is there, or will not be */
    size_t daemon_wait;
    uint32_t domid;  /* NO_DOMID: none yet */
    bool destroying; /* an operation of libxl runs */
    bool destroyed;
    int destroy_tries;
    uint64_t destroy_at; /* not before that */
    struct xen_build *build;
    libxl_evgen_domain_death *death;
    struct process daemon;
    struct watch notify;
};

struct backend {
    struct xen_loop loop;
    struct watch_set set;
    struct xen_builders builders;
    const struct backend_events *events;
    struct backend_domain *domains;
    uint64_t serial;
};

static libxl_asyncop_how how(const struct backend_domain *d, enum xen_about about)
{
    return (libxl_asyncop_how){.u.for_event = d->serial << 8 | about};
}

static void end(struct backend_domain *d, enum domain_end how_it_ends)
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

_printf_(2, 3) static void fail(struct backend_domain *d, const char *fmt, ...)
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
    if (d->state == XEN_RUNNING || d->adopted)
        log_warning("%s: %s", d->spec.name, text);
    else
        memcpy(d->reason, text, sizeof(text));
    end(d, DOMAIN_CRASH);
}

static int notify_path(const struct backend_domain *d, char path[static PATH_SIZE])
{
    return path_get(path, NOTIFY_DIR "/%s.notify", d->spec.uuid);
}

static void stop_notify(struct backend_domain *d)
{
    char path[PATH_SIZE];

    if (d->notify.fd >= 0 && notify_path(d, path) == 0)
        (void)unlink(path);
    watch_remove(&d->notify);
}

static void domain_free(struct backend_domain *d)
{
    if (d->death)
        libxl_evdisable_domain_death(d->backend->loop.ctx, d->death);
    if (d->build)
        xen_build_abandon(d->build);
    stop_notify(d);
    watch_remove(&d->daemon.watch);
    free(d);
}

static bool is_over(const struct backend_domain *d)
{
    return d->state == XEN_ENDING && d->destroyed && !d->build && !process_alive(&d->daemon);
}

/* A disposable's logs go with it, but what a failed start has to say stays. */
static void remove_logs(const struct backend_domain *d)
{
    char path[PATH_SIZE];

    guest_logs_remove(&d->spec);
    if (!*d->reason && !format(path, sizeof(path), CONSOLE_LOG, d->spec.name))
        (void)unlink(path);
}

static void finish(struct backend_domain *d)
{
    const struct backend_events *ev = d->backend->events;

    for (struct backend_domain **at = &d->backend->domains; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    if (d->spec.disposable)
        remove_logs(d);
    if (*d->reason)
        ev->start_failed(ev->user, &d->spec, d->reason);
    else
        ev->gone(ev->user, &d->spec, d->end);
    domain_free(d);
}

static void xen_list(struct backend *b, void (*found)(void *user, const char *uuid), void *user)
{
    xen_find_all(b->loop.ctx, found, user);
}

static void find_half_built(struct backend_domain *d)
{
    libxl_dominfo info;

    if (!xen_find_uuid(d->backend->loop.ctx, d->spec.uuid, &info))
        return;
    d->domid = info.domid;
    libxl_dominfo_dispose(&info);
}

static bool has_a_step(const struct backend_domain *d)
{
    return d->state == XEN_ENDING && !d->build && !d->destroying && !d->destroyed;
}

/* The next thing that its end needs. */
static void step_ending(struct backend_domain *d)
{
    libxl_asyncop_how destroy = how(d, ABOUT_DESTROY);

    if (!has_a_step(d) || deadline_left(d->destroy_at) > 0)
        return;
    d->destroy_at = 0;
    if (d->domid == NO_DOMID)
        find_half_built(d);
    if (d->domid == NO_DOMID)
        d->destroyed = true;
    else if (d->destroy_tries++ == DESTROY_TRIES ||
             libxl_domain_destroy(d->backend->loop.ctx, d->domid, &destroy)) {
        log_error("%s: domain %u cannot be destroyed: end it with xl destroy %u", d->spec.name,
                  d->domid, d->domid);
        d->destroyed = true;
    } else {
        d->destroying = true;
    }
}

static void on_destroyed(struct backend_domain *d, int rc)
{
    d->destroying = false;
    /* one that somebody else destroyed is not there any more */
    d->destroyed = !rc || libxl_domain_info(d->backend->loop.ctx, NULL, d->domid) != 0;
    d->destroy_at = clock_ms() + DESTROY_MS;
}

static void on_daemon_end(struct process *p, int status)
{
    struct backend_domain *d = p->user;
    int code = spawn_exit_code(status);

    stop_notify(d);
    if (d->state == XEN_AGENT && !d->adopted) {
        fail(d, "its daemon ended before its agent answered (exit code %d)", code);
    } else if (d->state != XEN_ENDING && d->spec.disposable) {
        fail(d, "its daemon ended (exit code %d), so the disposable does", code);
    } else if (d->state != XEN_ENDING) {
        d->daemon_wait = guest_daemon_next_wait(d->daemon_wait);
        d->daemon_at = clock_ms() + d->daemon_wait;
        log_warning("%s: its daemon ended (exit code %d), started again in %zu ms", d->spec.name,
                    code, d->daemon_wait);
    }
}

static void runs(struct backend_domain *d)
{
    const struct backend_events *ev = d->backend->events;

    d->state = XEN_RUNNING;
    d->deadline = 0;
    if (d->build) {
        xen_build_release(d->build);
        xen_builders_hurry(&d->backend->builders);
    }
    ev->running(ev->user, &d->spec, d->domid);
}

static void on_notify(struct watch *w)
{
    struct backend_domain *d = w->user;

    if (!guest_daemon_is_ready(w->fd))
        return;
    d->daemon_wait = 0;
    if (d->state == XEN_AGENT)
        runs(d);
}

static int start_daemon(struct backend_domain *d)
{
    char path[PATH_SIZE];
    pid_t pid;
    int fd, r = notify_path(d, path);

    if (!r)
        r = notify_server(path, &fd);
    if (!r)
        r = watch_add(&d->backend->set, &d->notify, fd, on_notify, d);
    if (!r)
        r = guest_daemon_start(&d->spec, d->domid, "xen", path, &pid);
    if (!r)
        r = process_watch(&d->backend->set, &d->daemon, pid, on_daemon_end, d);
    if (r)
        stop_notify(d);
    return r;
}

/* The domain is there: from now on its end is heard of, and its daemon waits for its agent. */
static int attend(struct backend_domain *d)
{
    d->state = XEN_AGENT;
    return libxl_evenable_domain_death(d->backend->loop.ctx, d->domid, d->serial << 8 | ABOUT_DEATH,
                                       &d->death);
}

/* It is let run first: its kernel takes longest. */
static void on_built(void *user, uint32_t domid, const char *error)
{
    struct backend_domain *d = user;
    libxl_asyncop_how unpause = how(d, ABOUT_UNPAUSE);
    int r;

    if (*error) {
        fail(d, "%s", error);
        return;
    }
    d->domid = domid;
    if (d->state == XEN_ENDING)
        return;
    if (attend(d) || libxl_domain_unpause(d->backend->loop.ctx, d->domid, &unpause)) {
        fail(d, "libxl cannot start it");
        return;
    }
    r = start_daemon(d);
    if (r)
        fail(d, "cannot start its qrexec-daemon: %s", strerror(-r));
}

static void on_builder_end(void *user, int status)
{
    struct backend_domain *d = user;

    d->build = NULL;
    if (d->state == XEN_BUILDING)
        fail(d, "its builder ended (exit code %d); the helper's log says why",
             spawn_exit_code(status));
    else if (d->state == XEN_AGENT)
        log_warning("%s: its builder ended early (exit code %d)", d->spec.name,
                    spawn_exit_code(status));
}

static void on_operation(struct backend_domain *d, enum xen_about about, int rc)
{
    if (about == ABOUT_UNPAUSE && rc)
        fail(d, "libxl cannot start it (%d)", rc);
    else if (about == ABOUT_DESTROY)
        on_destroyed(d, rc);
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
    if (d->state == XEN_RUNNING || d->adopted)
        end(d, how_it_ended);
    else
        fail(d, "it %s before its agent answered", words[how_it_ended]);
}

static void take_events(struct backend *b)
{
    libxl_event *ev;

    while (libxl_event_check(b->loop.ctx, &ev, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        struct backend_domain *d = b->domains;

        while (d && d->serial != ev->for_user >> 8)
            d = d->next;
        if (d && ev->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
            on_operation(d, (enum xen_about)(ev->for_user & 0xff), ev->u.operation_complete.rc);
        else if (d && (ev->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN ||
                       ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH))
            on_death(d, ev);
        libxl_event_free(b->loop.ctx, ev);
    }
}

static void on_deadline(struct backend_domain *d)
{
    d->deadline = 0;
    if (d->state == XEN_ENDING) {
        process_kill(&d->daemon, SIGKILL);
    } else if (d->adopted && d->state == XEN_AGENT) {
        log_warning("%s: its agent does not answer; it is left running", d->spec.name);
        runs(d);
    } else if (d->state == XEN_BUILDING) {
        fail(d, "it was not built within %u seconds", d->spec.start_seconds);
    } else if (d->state == XEN_AGENT) {
        fail(d, "no agent answered within %u seconds", d->spec.start_seconds);
    }
}

static void check_times(struct backend_domain *d)
{
    if (deadline_left(d->deadline) == 0)
        on_deadline(d);
    if (deadline_left(d->daemon_at) != 0)
        return;
    d->daemon_at = start_daemon(d) ? clock_ms() + DAEMON_WAIT_MAX : 0;
}

/* libxl may complete an operation within the call that begins it, so its events come last, too. */
static void xen_dispatch(struct backend *b)
{
    struct backend_domain *next;

    watch_set_dispatch(&b->set);
    xen_loop_fire(&b->loop);
    take_events(b);
    for (struct backend_domain *d = b->domains; d; d = d->next) {
        check_times(d);
        step_ending(d);
    }
    take_events(b);
    for (struct backend_domain *d = b->domains; d; d = next) {
        next = d->next;
        if (is_over(d))
            finish(d);
    }
    xen_builders_tend(&b->builders);
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int next_step(const struct backend_domain *d)
{
    if (is_over(d))
        return 0;
    if (has_a_step(d))
        return d->destroy_at ? deadline_left(d->destroy_at) : 0;
    return sooner(deadline_left(d->deadline), deadline_left(d->daemon_at));
}

static int xen_timeout(const struct backend *b)
{
    int least = sooner(xen_loop_timeout(&b->loop), xen_builders_timeout(&b->builders));

    for (const struct backend_domain *d = b->domains; d; d = d->next)
        least = sooner(least, next_step(d));
    return least;
}

static int xen_fd(const struct backend *b)
{
    return b->set.epoll;
}

static struct backend_domain *domain_new(struct backend *b, const struct domain_spec *spec)
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

static struct backend_domain *find_ours(struct backend *b, const struct domain_spec *spec)
{
    struct backend_domain *d = b->domains;

    while (d && !str_equal(d->spec.name, spec->name) && !str_equal(d->spec.uuid, spec->uuid))
        d = d->next;
    return d;
}

/* An end that was missed meanwhile is told by libxl as soon as it is asked. */
static int adopt_found(struct backend *b, const struct domain_spec *spec, const libxl_dominfo *info,
                       struct backend_domain **ret)
{
    struct backend_domain *d = domain_new(b, spec);

    if (!d)
        return -ENOMEM;
    d->adopted = true;
    d->domid = info->domid;
    *ret = d;
    if (spec->disposable || !info->cpu_time) {
        log_info("%s: domain %u is left from before, and destroyed", spec->name, d->domid);
        end(d, DOMAIN_DESTROY);
        return 0;
    }
    log_info("%s: domain %u is ours again", spec->name, d->domid);
    if (attend(d))
        fail(d, "libxl cannot say when it ends");
    else if (start_daemon(d))
        d->daemon_at = clock_ms() + DAEMON_WAIT_MS;
    return 0;
}

static int xen_adopt(struct backend *b, const struct domain_spec *spec, struct backend_domain **ret,
                     uint32_t *ret_domid, bool *ret_paused)
{
    libxl_dominfo info;
    int r;

    if (find_ours(b, spec))
        return BACKEND_E_EXISTS;
    if (!xen_find_uuid(b->loop.ctx, spec->uuid, &info))
        return BACKEND_E_UNKNOWN;
    r = adopt_found(b, spec, &info, ret);
    if (!r) {
        *ret_domid = info.domid;
        *ret_paused = info.paused;
    }
    libxl_dominfo_dispose(&info);
    return r;
}

static int begin(struct backend_domain *d)
{
    static const struct xen_build_events events = {on_built, on_builder_end};

    return xen_build_begin(&d->backend->builders, &d->spec, &events, d, &d->build);
}

/* A front that has just come back may start what lives: that is then adopted. */
static int xen_create(struct backend *b, const struct domain_spec *spec,
                      struct backend_domain **ret, uint32_t *ret_domid)
{
    struct backend_domain *d;
    bool paused = false;
    int r;

    if (find_ours(b, spec))
        return BACKEND_E_EXISTS;
    if (!*spec->kernel)
        return -EINVAL;
    if (str_equal(spec->virt_mode, "hvm"))
        return BACKEND_E_UNSUPPORTED;
    r = xen_adopt(b, spec, ret, ret_domid, &paused);
    if (!r && paused)
        (void)libxl_domain_unpause(b->loop.ctx, *ret_domid, NULL);
    if (r != BACKEND_E_UNKNOWN)
        return r;
    d = domain_new(b, spec);
    if (!d)
        return -ENOMEM;
    r = begin(d);
    if (r)
        fail(d, "its builder cannot be started: %s", strerror(-r)); /* told by dispatch */
    *ret = d;
    *ret_domid = 0;
    return 0;
}

static int xen_shutdown(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (d->state != XEN_RUNNING)
        return BACKEND_E_UNKNOWN;
    return libxl_domain_shutdown(d->backend->loop.ctx, d->domid, &other) ? -EIO : 0;
}

static void xen_destroy(struct backend_domain *d)
{
    end(d, DOMAIN_DESTROY);
}

static bool can_pause(const struct backend_domain *d)
{
    return d->state == XEN_RUNNING || (d->state == XEN_AGENT && d->adopted);
}

static int xen_pause(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (!can_pause(d))
        return BACKEND_E_UNKNOWN;
    return libxl_domain_pause(d->backend->loop.ctx, d->domid, &other) ? -EIO : 0;
}

static int xen_unpause(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (!can_pause(d))
        return BACKEND_E_UNKNOWN;
    return libxl_domain_unpause(d->backend->loop.ctx, d->domid, &other) ? -EIO : 0;
}

static int xen_stats(struct backend_domain *d, struct domain_stats *ret)
{
    libxl_dominfo info;
    int r = 0;

    if (d->domid == NO_DOMID || d->state == XEN_ENDING)
        return BACKEND_E_UNKNOWN;
    libxl_dominfo_init(&info);
    if (libxl_domain_info(d->backend->loop.ctx, &info, d->domid))
        r = -EIO;
    else
        *ret = (struct domain_stats){info.current_memkb, info.max_memkb, info.cpu_time};
    libxl_dominfo_dispose(&info);
    return r;
}

/* Domains stay; their daemons end with us, and a builder destroys what never ran. */
static void xen_close(struct backend *b)
{
    while (b->domains) {
        struct backend_domain *d = b->domains;

        b->domains = d->next;
        process_kill(&d->daemon, SIGTERM);
        domain_free(d);
    }
    xen_builders_deinit(&b->builders);
    xen_loop_deinit(&b->loop);
    watch_set_deinit(&b->set);
    free(b);
}

static int xen_open(const struct backend_events *events, struct backend **ret, const char **ret_why)
{
    struct backend *b = calloc(1, sizeof(*b));
    char path[PATH_SIZE];
    int r = b ? 0 : -ENOMEM;

    *ret_why = "";
    if (r)
        return r;
    b->set.epoll = -1;
    b->events = events;
    b->builders.set = &b->set;
    r = path_get(path, NOTIFY_DIR);
    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = watch_set_init(&b->set);
    if (!r) {
        r = xen_loop_init(&b->loop, &b->set);
        if (r)
            *ret_why = "libxl cannot reach Xen: this must be dom0, as root, with xenstored running";
    }
    if (r) {
        xen_loop_deinit(&b->loop);
        watch_set_deinit(&b->set);
        free(b);
        return r;
    }
    xen_builders_tend(&b->builders);
    *ret = b;
    return 0;
}

const struct backend_ops backend_xen = {
    .name = "xen",
    .open = xen_open,
    .close = xen_close,
    .fd = xen_fd,
    .timeout = xen_timeout,
    .dispatch = xen_dispatch,
    .create = xen_create,
    .adopt = xen_adopt,
    .list = xen_list,
    .shutdown = xen_shutdown,
    .destroy = xen_destroy,
    .pause = xen_pause,
    .unpause = xen_unpause,
    .stats = xen_stats,
};
