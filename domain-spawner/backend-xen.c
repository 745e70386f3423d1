/*
 * The Xen backend: libxl builds and ends domains. The only file that includes Xen's toolstack.
 *
 *   building  libxl_domain_create_new() runs              → its operation completes
 *   agent     the domain runs, its daemon starts          → the daemon says READY=1
 *   running                                               → it shuts down, crashes, dies
 *   ending    the daemon goes, libxl_domain_destroy() runs → both are over
 *
 * libxl never blocks us: every operation is asynchronous and completes as an event, and libxl's
 * descriptors and timeouts are handed to our epoll set through its hooks. An event carries the
 * serial of the domain it is for, so one for a domain that is no more finds nobody. Guests are PV
 * or PVH with a kernel given by path.
 */
#include "domain-spawner/backend.h"

#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/watch.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <xentoollog.h>

#define NOTIFY_DIR "/run/qubes/domains"

enum xen_state { XEN_BUILDING, XEN_AGENT, XEN_RUNNING, XEN_ENDING };

/* What an event of libxl is about: serial << 8 | one of these. */
enum xen_about { ABOUT_DEATH, ABOUT_CREATE, ABOUT_UNPAUSE, ABOUT_DESTROY, ABOUT_OTHER };

struct backend_domain {
    struct backend_domain *next;
    struct backend *backend;
    struct domain_spec spec;
    uint64_t serial;
    enum xen_state state;
    enum domain_end end;
    char reason[DOMAIN_TEXT_SIZE]; /* why it never ran; "": it ran, or was destroyed */
    uint64_t deadline;
    size_t daemon_wait;
    libxl_domain_config config; /* libxl keeps it while it builds */
    uint32_t domid;             /* ~0: none yet */
    bool building, destroying;  /* an operation of libxl runs */
    libxl_evgen_domain_death *death;
    struct process daemon;
    struct watch notify;
};

struct backend {
    xentoollog_logger log; /* first: it is what libxl's messages come with */
    libxl_ctx *ctx;
    struct watch_set set;
    const struct backend_events *events;
    struct backend_domain *domains;
    struct xen_timeout *timeouts;
    uint64_t serial;
};

/* A descriptor, and a timeout, that libxl wants watched. */
struct xen_fd {
    struct watch watch;
    struct backend *backend;
    int fd; /* libxl's own */
    short events;
    void *libxl;
};

struct xen_timeout {
    struct xen_timeout *next;
    uint64_t at; /* clock_ms() */
    void *libxl;
};

static void log_message(xentoollog_logger *logger, xentoollog_level level, int errnum,
                        const char *context, const char *fmt, va_list ap)
{
    char text[512];

    (void)logger;
    vsnprintf(text, sizeof(text), fmt, ap);
    if (level >= XTL_WARN)
        log_warning("libxl: %s%s%s%s%s", context ? context : "", context ? ": " : "", text,
                    errnum >= 0 ? ": " : "", errnum >= 0 ? strerror(errnum) : "");
}

static void log_destroy(xentoollog_logger *logger)
{
    (void)logger; /* it lies in the backend */
}

/* libxl's descriptors are its own: we watch duplicates, which watch_remove() may close. */
static void on_libxl_fd(struct watch *w)
{
    struct xen_fd *f = w->user;
    struct pollfd p = {.fd = w->fd, .events = f->events};

    if (poll(&p, 1, 0) > 0)
        libxl_osevent_occurred_fd(f->backend->ctx, f->libxl, f->fd, f->events, p.revents);
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
    struct backend *b = user;
    struct xen_fd *f = calloc(1, sizeof(*f));
    int copy = f ? dup(fd) : -1;

    if (copy < 0 || watch_add(&b->set, &f->watch, copy, on_libxl_fd, f)) {
        free(f);
        return -1;
    }
    f->backend = b;
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
    struct backend *b = user;
    struct xen_timeout *t = calloc(1, sizeof(*t));
    struct timeval now;
    int64_t left;

    if (!t)
        return -1;
    gettimeofday(&now, NULL); /* libxl's times are of that clock */
    left = ((int64_t)at.tv_sec - now.tv_sec) * 1000 + (at.tv_usec - now.tv_usec) / 1000;
    t->at = clock_ms() + (left > 0 ? (uint64_t)left : 0);
    t->libxl = for_libxl;
    t->next = b->timeouts;
    b->timeouts = t;
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

static libxl_asyncop_how how(const struct backend_domain *d, enum xen_about about)
{
    return (libxl_asyncop_how){.u.for_event = d->serial << 8 | about};
}

static void end(struct backend_domain *d, enum domain_end how_it_ends)
{
    libxl_asyncop_how destroy = how(d, ABOUT_DESTROY);

    if (d->state != XEN_ENDING) {
        d->state = XEN_ENDING;
        d->end = how_it_ends;
        d->deadline = clock_ms() + DAEMON_END_MS;
        process_kill(&d->daemon, SIGTERM);
    }
    if (d->domid == ~0U || d->building || d->destroying)
        return; /* while it is being built: once that is over */
    d->destroying = libxl_domain_destroy(d->backend->ctx, d->domid, &destroy) == 0;
    if (!d->destroying)
        d->domid = ~0U; /* libxl has said why */
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
    if (d->state == XEN_RUNNING)
        log_warning("%s: %s", d->spec.name, text);
    else
        (void)format(d->reason, sizeof(d->reason), "%s", text);
    end(d, DOMAIN_CRASH);
}

static void domain_free(struct backend_domain *d)
{
    if (d->death)
        libxl_evdisable_domain_death(d->backend->ctx, d->death);
    watch_remove(&d->notify);
    watch_remove(&d->daemon.watch);
    libxl_domain_config_dispose(&d->config);
    free(d);
}

static bool is_over(const struct backend_domain *d)
{
    return d->state == XEN_ENDING && !d->building && !d->destroying && d->domid == ~0U &&
           !process_alive(&d->daemon);
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
        guest_logs_remove(&d->spec);
    if (*d->reason)
        ev->start_failed(ev->user, &d->spec, d->reason);
    else
        ev->gone(ev->user, &d->spec, d->end);
    domain_free(d);
}

static void on_daemon_end(struct process *p, int status)
{
    struct backend_domain *d = p->user;

    watch_remove(&d->notify);
    if (d->state == XEN_AGENT) {
        fail(d, "its daemon ended before its agent answered (exit code %d)",
             spawn_exit_code(status));
    } else if (d->state == XEN_RUNNING && d->spec.disposable) {
        fail(d, "its daemon ended (exit code %d), so the disposable does", spawn_exit_code(status));
    } else if (d->state == XEN_RUNNING) {
        d->daemon_wait = guest_daemon_next_wait(d->daemon_wait);
        d->deadline = clock_ms() + d->daemon_wait;
    }
}

static void on_notify(struct watch *w)
{
    struct backend_domain *d = w->user;
    const struct backend_events *ev = d->backend->events;

    if (!guest_daemon_is_ready(w->fd))
        return;
    d->daemon_wait = 0;
    if (d->state != XEN_AGENT)
        return;
    d->state = XEN_RUNNING;
    d->deadline = 0;
    ev->running(ev->user, &d->spec, d->domid);
}

static int start_daemon(struct backend_domain *d)
{
    char path[PATH_SIZE];
    pid_t pid;
    int fd, r = path_get(path, NOTIFY_DIR "/%u.notify", d->domid);

    if (!r)
        r = notify_server(path, &fd);
    if (!r)
        r = watch_add(&d->backend->set, &d->notify, fd, on_notify, d);
    if (!r)
        r = guest_daemon_start(&d->spec, d->domid, "xen", path, &pid);
    if (!r)
        r = process_watch(&d->backend->set, &d->daemon, pid, on_daemon_end, d);
    return r;
}

static void on_built(struct backend_domain *d, int rc)
{
    libxl_asyncop_how unpause = how(d, ABOUT_UNPAUSE);
    int r;

    d->building = false;
    if (d->state == XEN_ENDING) {
        end(d, d->end);
        return;
    }
    if (rc) {
        fail(d, "libxl cannot build it (%d); its log says why", rc);
        return;
    }
    d->state = XEN_AGENT;
    if (libxl_evenable_domain_death(d->backend->ctx, d->domid, d->serial << 8 | ABOUT_DEATH,
                                    &d->death) ||
        libxl_domain_unpause(d->backend->ctx, d->domid, &unpause)) {
        fail(d, "libxl cannot start it");
        return;
    }
    r = start_daemon(d);
    if (r)
        fail(d, "cannot start its qrexec-daemon: %s", strerror(-r));
}

static void on_operation(struct backend_domain *d, enum xen_about about, int rc)
{
    if (about == ABOUT_CREATE) {
        on_built(d, rc);
    } else if (about == ABOUT_UNPAUSE && rc) {
        fail(d, "libxl cannot start it (%d)", rc);
    } else if (about == ABOUT_DESTROY) {
        if (rc)
            log_error("%s: libxl cannot destroy domain %u (%d)", d->spec.name, d->domid, rc);
        d->destroying = false;
        d->domid = ~0U;
    }
}

static void on_death(struct backend_domain *d, const libxl_event *ev)
{
    bool crash = ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH ||
                 ev->u.domain_shutdown.shutdown_reason == LIBXL_SHUTDOWN_REASON_CRASH ||
                 ev->u.domain_shutdown.shutdown_reason == LIBXL_SHUTDOWN_REASON_WATCHDOG;

    if (d->state == XEN_RUNNING)
        end(d, crash ? DOMAIN_CRASH : DOMAIN_SHUTDOWN);
    else
        fail(d, "it ended before its agent answered");
}

static void take_events(struct backend *b)
{
    libxl_event *ev;

    while (libxl_event_check(b->ctx, &ev, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        struct backend_domain *d = b->domains;

        while (d && d->serial != ev->for_user >> 8)
            d = d->next;
        if (d && ev->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
            on_operation(d, (enum xen_about)(ev->for_user & 0xff), ev->u.operation_complete.rc);
        else if (d && (ev->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN ||
                       ev->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH))
            on_death(d, ev);
        libxl_event_free(b->ctx, ev);
    }
}

static void fire_timeouts(struct backend *b)
{
    struct xen_timeout **at = &b->timeouts;

    while (*at) {
        struct xen_timeout *t = *at;

        if (t->at > clock_ms()) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        libxl_osevent_occurred_timeout(b->ctx, t->libxl);
        free(t);
        at = &b->timeouts; /* libxl may have made others */
    }
}

static void check_deadline(struct backend_domain *d)
{
    if (deadline_left(d->deadline) != 0)
        return;
    d->deadline = 0;
    if (d->state == XEN_ENDING)
        process_kill(&d->daemon, SIGKILL);
    else if (d->state == XEN_RUNNING && start_daemon(d))
        d->deadline = clock_ms() + DAEMON_WAIT_MAX;
    else if (d->state < XEN_RUNNING)
        fail(d, "no agent answered within %u seconds", d->spec.start_seconds);
}

static void xen_dispatch(struct backend *b)
{
    struct backend_domain *next;

    watch_set_dispatch(&b->set);
    fire_timeouts(b);
    take_events(b);
    for (struct backend_domain *d = b->domains; d; d = next) {
        next = d->next;
        check_deadline(d);
        if (is_over(d))
            finish(d);
    }
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int xen_timeout(const struct backend *b)
{
    int least = -1;

    for (const struct backend_domain *d = b->domains; d; d = d->next)
        least = sooner(least, is_over(d) ? 0 : deadline_left(d->deadline));
    for (const struct xen_timeout *t = b->timeouts; t; t = t->next)
        least = sooner(least, deadline_left(t->at));
    return least;
}

static int xen_fd(const struct backend *b)
{
    return b->set.epoll;
}

static int add_disk(libxl_domain_config *c, const char *path, const char *name)
{
    libxl_device_disk *disks, *disk;

    if (!*path)
        return 0;
    disks = reallocarray(c->disks, (size_t)c->num_disks + 1, sizeof(*disks));
    if (!disks)
        return -ENOMEM;
    c->disks = disks;
    disk = &disks[c->num_disks++];
    libxl_device_disk_init(disk);
    disk->pdev_path = strdup(path);
    disk->vdev = strdup(name);
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->readwrite = 1;
    return disk->pdev_path && disk->vdev ? 0 : -ENOMEM;
}

static int add_nic(libxl_domain_config *c, const struct domain_spec *spec)
{
    if (!spec->networked)
        return 0;
    c->nics = calloc(1, sizeof(*c->nics));
    if (!c->nics)
        return -ENOMEM;
    c->num_nics = 1;
    libxl_device_nic_init(&c->nics[0]);
    c->nics[0].backend_domid = spec->netvm;
    return 0;
}

static int set_build_info(struct backend *b, const struct domain_spec *spec,
                          libxl_domain_build_info *info)
{
    info->max_vcpus = (int)spec->vcpus;
    if (libxl_cpu_bitmap_alloc(b->ctx, &info->avail_vcpus, info->max_vcpus))
        return -ENOMEM;
    for (int i = 0; i < info->max_vcpus; i++)
        libxl_bitmap_set(&info->avail_vcpus, i);
    info->target_memkb = (uint64_t)spec->memory_mib * 1024;
    info->max_memkb =
        (uint64_t)(spec->maxmem_mib > spec->memory_mib ? spec->maxmem_mib : spec->memory_mib) *
        1024;
    info->kernel = strdup(spec->kernel);
    info->ramdisk = *spec->ramdisk ? strdup(spec->ramdisk) : NULL;
    info->cmdline = strdup(spec->kernelopts);
    return info->kernel && info->cmdline && (info->ramdisk || !*spec->ramdisk) ? 0 : -ENOMEM;
}

static int set_config(struct backend *b, const struct domain_spec *spec, libxl_domain_config *c)
{
    libxl_domain_type type =
        str_equal(spec->virt_mode, "pvh") ? LIBXL_DOMAIN_TYPE_PVH : LIBXL_DOMAIN_TYPE_PV;
    int r;

    libxl_domain_create_info_init(&c->c_info);
    libxl_domain_build_info_init(&c->b_info);
    c->c_info.type = type;
    c->c_info.name = strdup(spec->name);
    if (!c->c_info.name || libxl_uuid_from_string(&c->c_info.uuid, spec->uuid))
        return -EINVAL;
    libxl_domain_build_info_init_type(&c->b_info, type);
    /* what ends a domain is ours to decide: libxl leaves it until we destroy it */
    c->on_poweroff = c->on_reboot = c->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    c->on_crash = c->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    r = set_build_info(b, spec, &c->b_info);
    if (!r)
        r = add_disk(c, spec->root_image, "xvda");
    if (!r)
        r = add_disk(c, spec->private_image, "xvdb");
    return r ? r : add_nic(c, spec);
}

static int build(struct backend_domain *d)
{
    libxl_asyncop_how create = how(d, ABOUT_CREATE);
    int r = set_config(d->backend, &d->spec, &d->config);

    if (!r && libxl_domain_create_new(d->backend->ctx, &d->config, &d->domid, &create, NULL))
        r = -EIO;
    d->building = !r;
    return r;
}

static int xen_create(struct backend *b, const struct domain_spec *spec,
                      struct backend_domain **ret, uint32_t *ret_domid)
{
    struct backend_domain *d;
    int r;

    for (d = b->domains; d; d = d->next)
        if (str_equal(d->spec.name, spec->name) || str_equal(d->spec.uuid, spec->uuid))
            return BACKEND_E_EXISTS;
    if (!*spec->kernel)
        return -EINVAL;
    if (str_equal(spec->virt_mode, "hvm"))
        return BACKEND_E_UNSUPPORTED;
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->backend = b;
    d->spec = *spec;
    d->serial = ++b->serial;
    d->domid = ~0U;
    d->daemon = PROCESS_NULL;
    d->notify = WATCH_NULL;
    d->deadline = clock_ms() + (uint64_t)spec->start_seconds * 1000;
    libxl_domain_config_init(&d->config);
    d->next = b->domains;
    b->domains = d;
    r = build(d);
    if (r)
        fail(d, "libxl cannot build it: %s", strerror(-r)); /* its event comes from dispatch */
    *ret = d;
    *ret_domid = 0;
    return 0;
}

static int xen_shutdown(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (d->state != XEN_RUNNING)
        return BACKEND_E_UNKNOWN;
    return libxl_domain_shutdown(d->backend->ctx, d->domid, &other) ? -EIO : 0;
}

static void xen_destroy(struct backend_domain *d)
{
    end(d, DOMAIN_DESTROY);
}

static int xen_pause(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (d->state != XEN_RUNNING)
        return BACKEND_E_UNKNOWN;
    return libxl_domain_pause(d->backend->ctx, d->domid, &other) ? -EIO : 0;
}

static int xen_unpause(struct backend_domain *d)
{
    libxl_asyncop_how other = how(d, ABOUT_OTHER);

    if (d->state != XEN_RUNNING)
        return BACKEND_E_UNKNOWN;
    return libxl_domain_unpause(d->backend->ctx, d->domid, &other) ? -EIO : 0;
}

static int xen_stats(struct backend_domain *d, struct domain_stats *ret)
{
    libxl_dominfo info;
    int r = 0;

    if (d->state != XEN_RUNNING)
        return BACKEND_E_UNKNOWN;
    libxl_dominfo_init(&info);
    if (libxl_domain_info(d->backend->ctx, &info, d->domid))
        r = -EIO;
    else
        *ret = (struct domain_stats){info.current_memkb, info.max_memkb, info.cpu_time};
    libxl_dominfo_dispose(&info);
    return r;
}

static void xen_close(struct backend *b)
{
    while (b->domains) {
        struct backend_domain *d = b->domains;

        b->domains = d->next;
        if (d->domid != ~0U && !d->building)
            (void)libxl_domain_destroy(b->ctx, d->domid, NULL);
        process_kill(&d->daemon, SIGKILL);
        domain_free(d);
    }
    libxl_ctx_free(b->ctx);
    while (b->timeouts) {
        struct xen_timeout *t = b->timeouts;

        b->timeouts = t->next;
        free(t);
    }
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
    *b = (struct backend){.log = {.vmessage = log_message, .destroy = log_destroy},
                          .set = {.epoll = -1},
                          .events = events};
    r = path_get(path, NOTIFY_DIR);
    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = watch_set_init(&b->set);
    if (!r && libxl_ctx_alloc(&b->ctx, LIBXL_VERSION, 0, &b->log)) {
        *ret_why = "libxl cannot reach Xen: this must be dom0, as root, with xenstored running";
        r = -ENODEV;
    }
    if (r) {
        watch_set_deinit(&b->set);
        free(b);
        return r;
    }
    libxl_osevent_register_hooks(b->ctx, &hooks, b);
    libxl_childproc_setmode(b->ctx, &children, b);
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
    .shutdown = xen_shutdown,
    .destroy = xen_destroy,
    .pause = xen_pause,
    .unpause = xen_unpause,
    .stats = xen_stats,
};
