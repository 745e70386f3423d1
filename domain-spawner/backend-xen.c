/*
 * The Xen backend: the hooks of backend.h, over the domains of xen-domain.h. Its other neighbours:
 * xen-builder.h builds, xen-config.c and xen-disk.c say what, xen-loop.c lets libxl run in our
 * loop; no other files know Xen's toolstack.
 *
 * Domains outlive this process. The next one adopts those that the front names. One that never ran
 * a moment was still being built, and is ended; so is a disposable, whose call is gone.
 */
#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/xen-domain.h"
#include "domain-spawner/xen-find.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <signal.h>

static void take_events(struct backend *b)
{
    libxl_event *ev;

    while (libxl_event_check(b->loop.ctx, &ev, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        struct backend_domain *d = b->domains;

        while (d && d->serial != ev->for_user >> 8)
            d = d->next;
        if (d)
            xen_domain_event(d, ev);
        libxl_event_free(b->loop.ctx, ev);
    }
}

/* libxl may complete an operation within the call that begins it, so its events come last, too. */
static void xen_dispatch(struct backend *b)
{
    struct backend_domain *next;

    watch_set_dispatch(&b->set);
    xen_loop_fire(&b->loop);
    take_events(b);
    for (struct backend_domain *d = b->domains; d; d = d->next) {
        xen_domain_check_times(d);
        xen_domain_step(d);
    }
    take_events(b);
    for (struct backend_domain *d = b->domains; d; d = next) {
        next = d->next;
        if (xen_domain_is_over(d))
            xen_domain_finish(d);
    }
    xen_builders_tend(&b->builders);
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int next_step(const struct backend_domain *d)
{
    if (xen_domain_is_over(d))
        return 0;
    if (xen_domain_has_step(d))
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

static void xen_list(struct backend *b, void (*found)(void *user, const char *uuid), void *user)
{
    xen_find_all(b->loop.ctx, found, user);
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
    struct backend_domain *d = xen_domain_new(b, spec);

    if (!d)
        return -ENOMEM;
    d->patient = !spec->starting;
    d->domid = info->domid;
    *ret = d;
    if (spec->disposable || !info->cpu_time) {
        log_info("%s: domain %u is left from before, and destroyed", spec->name, d->domid);
        xen_domain_end(d, DOMAIN_DESTROY);
        return 0;
    }
    log_info("%s: domain %u is ours again", spec->name, d->domid);
    if (xen_domain_attend(d))
        xen_domain_fail(d, "libxl cannot say when it ends");
    else if (xen_daemon_start(d))
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
        *ret_paused = info.paused && (*ret)->state != XEN_ENDING;
    }
    libxl_dominfo_dispose(&info);
    return r;
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
    d = xen_domain_new(b, spec);
    if (!d)
        return -ENOMEM;
    r = xen_domain_build(d);
    if (r)
        xen_domain_fail(d, "its builder cannot be started: %s",
                        strerror(-r)); /* told by dispatch */
    *ret = d;
    *ret_domid = 0;
    return 0;
}

/* It runs, and may be told to do otherwise. */
static bool can_be_told(const struct backend_domain *d)
{
    return d->state == XEN_RUNNING || (d->state == XEN_AGENT && d->patient);
}

static int xen_shutdown(struct backend_domain *d)
{
    libxl_asyncop_how other = xen_domain_how(d, ABOUT_OTHER);

    if (!can_be_told(d))
        return BACKEND_E_UNKNOWN;
    return libxl_domain_shutdown(d->backend->loop.ctx, d->domid, &other) ? -EIO : 0;
}

static void xen_destroy(struct backend_domain *d)
{
    xen_domain_end(d, DOMAIN_DESTROY);
}

static int xen_pause(struct backend_domain *d)
{
    libxl_asyncop_how other = xen_domain_how(d, ABOUT_OTHER);

    if (!can_be_told(d))
        return BACKEND_E_UNKNOWN;
    return libxl_domain_pause(d->backend->loop.ctx, d->domid, &other) ? -EIO : 0;
}

static int xen_unpause(struct backend_domain *d)
{
    libxl_asyncop_how other = xen_domain_how(d, ABOUT_OTHER);

    if (!can_be_told(d))
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
        xen_domain_free(d);
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
