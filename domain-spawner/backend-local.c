/*
 * The local backend: a domain is a set of Linux namespaces.
 *
 *   prepare   a child makes the home                        → it ends with 0
 *   sandbox   bubblewrap makes the walls, tells its pid     → the init says that all stands
 *   network   slirp4netns, if there is a netvm              → it says the network is up
 *   agent     the init goes on, the domain's daemon starts  → the daemon says READY=1
 *   running                                               (late, but not if it is a disposable)
 *   ending    all processes are told to go, then killed     → the last one is reaped
 *   removing  a disposable's home is removed by a child     → it ends
 *
 * Whatever goes wrong leads to ending, with the reason; what was begun is undone there, and only
 * there. Each state but running has a deadline. A domain lives while its init lives: bubblewrap,
 * the init, slirp4netns and the daemon all end when this process does, by the kernel.
 */
#include "domain-spawner/local-domain.h"

#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/local-home.h"
#include "domain-spawner/local-net.h"
#include "domain-spawner/local-proc.h"
#include "domain-spawner/local-stage.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FIRST_DOMID 1

struct backend {
    struct watch_set set;
    struct vchan_switch vchans;
    const struct backend_events *events;
    struct local_domain *domains;
    struct process sweeper;
    uint32_t next_domid;
};

struct backend_domain {
    struct local_domain local;
};

static void step_ending(struct local_domain *d);

static void end(struct local_domain *d, enum domain_end how)
{
    if (d->state >= LOCAL_ENDING)
        return;
    d->end = how;
    d->state = LOCAL_ENDING;
    d->deadline = clock_ms() + DAEMON_END_MS;
    close_fd(&d->leash);
    watch_remove(&d->info);
    watch_remove(&d->up);
    watch_remove(&d->net_ready);
    process_kill(&d->prepare, SIGKILL);
    process_kill(&d->daemon, SIGTERM);
    local_kill_init(d);
    process_kill(&d->bwrap, SIGKILL);
    step_ending(d);
}

_printf_(2, 3) static void fail(struct local_domain *d, const char *fmt, ...)
{
    char text[DOMAIN_TEXT_SIZE];
    va_list ap;

    if (d->state >= LOCAL_ENDING)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (d->state == LOCAL_RUNNING)
        log_warning("%s: %s", d->spec.name, text);
    else
        (void)format(d->reason, sizeof(d->reason), "%s", text);
    end(d, DOMAIN_CRASH);
}

static void finish(struct local_domain *d)
{
    struct backend *b = d->backend;
    const struct backend_events *ev = b->events;

    for (struct local_domain **at = &b->domains; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    if (ev && *d->reason)
        ev->start_failed(ev->user, &d->spec, d->reason);
    else if (ev)
        ev->gone(ev->user, &d->spec, d->end);
    local_domain_free(d);
}

static void on_removed(struct process *p, int status)
{
    struct local_domain *d = p->user;

    if (status)
        log_warning("%s: its home %s could not be removed", d->spec.name, d->spec.home);
    finish(d);
}

/* The processes are gone: everything else of the domain goes. */
static void remove_rest(struct local_domain *d)
{
    struct backend *b = d->backend;
    pid_t pid;
    int r;

    d->state = LOCAL_REMOVING;
    vchan_switch_remove(&b->vchans, d->domid);
    local_remove_files(d);
    if (!d->spec.disposable) {
        finish(d);
        return;
    }
    r = home_start_remove(&d->spec, &pid);
    if (!r)
        r = process_watch(&b->set, &d->remove, pid, on_removed, d);
    if (r) {
        log_warning("%s: its home %s could not be removed: %s", d->spec.name, d->spec.home,
                    strerror(-r));
        finish(d);
    }
}

static void step_ending(struct local_domain *d)
{
    if (d->state == LOCAL_ENDING && !local_processes_left(d))
        d->state = LOCAL_ENDED; /* remove_rest() may free it: from dispatch, not from a handler */
}

static void on_daemon_end(struct process *p, int status)
{
    struct local_domain *d = p->user;

    watch_remove(&d->notify);
    if (d->state == LOCAL_AGENT) {
        fail(d, "its daemon ended before its agent answered (exit code %d)%s%s",
             spawn_exit_code(status), *d->last_line ? ": " : "", d->last_line);
    } else if (d->state == LOCAL_RUNNING && d->spec.disposable) {
        fail(d, "its daemon ended (exit code %d), so the disposable does", spawn_exit_code(status));
    } else if (d->state == LOCAL_RUNNING) {
        d->daemon_wait = guest_daemon_next_wait(d->daemon_wait);
        d->deadline = clock_ms() + d->daemon_wait;
        log_warning("%s: its daemon ended (exit code %d), started again in %zu ms", d->spec.name,
                    spawn_exit_code(status), d->daemon_wait);
    }
    step_ending(d);
}

static void on_notify(struct watch *w)
{
    struct local_domain *d = w->user;
    const struct backend_events *ev = d->backend->events;

    if (!guest_daemon_is_ready(w->fd))
        return;
    d->daemon_wait = 0;
    if (d->ran || (d->state != LOCAL_AGENT && d->state != LOCAL_RUNNING))
        return;
    d->state = LOCAL_RUNNING;
    d->deadline = 0;
    d->ran = true;
    if (ev)
        ev->running(ev->user, &d->spec, d->domid);
}

static int start_daemon(struct local_domain *d)
{
    struct backend *b = d->backend;
    char path[PATH_SIZE];
    pid_t pid;
    int fd, r = format(path, sizeof(path), "%s/notify", d->dir);

    if (!r)
        r = notify_server(path, &fd);
    if (!r)
        r = watch_add(&b->set, &d->notify, fd, on_notify, d);
    if (!r)
        r = guest_daemon_start(&d->spec, d->domid, "socket", path, &pid);
    if (!r)
        r = process_watch(&b->set, &d->daemon, pid, on_daemon_end, d);
    if (r)
        watch_remove(&d->notify);
    return r;
}

/* The walls and the network stand: the init may go on, and the daemon waits for its agent. */
static void step_agent(struct local_domain *d)
{
    int r;

    d->state = LOCAL_AGENT;
    if (write(d->leash, "x", 1) != 1) {
        fail(d, "its sandbox ended: %s", d->last_line);
        return;
    }
    r = start_daemon(d);
    if (r)
        fail(d, "cannot start its qrexec-daemon: %s", strerror(-r));
}

static void on_net_end(struct process *p, int status)
{
    struct local_domain *d = p->user;

    if (d->state == LOCAL_NETWORK)
        fail(d, "its network did not come up: %s", d->last_line);
    else if (d->state < LOCAL_ENDING)
        log_warning("%s: its network is gone: slirp4netns ended (exit code %d)", d->spec.name,
                    spawn_exit_code(status));
    step_ending(d);
}

static void on_net_ready(struct watch *w)
{
    struct local_domain *d = w->user;
    char c;

    if (read(w->fd, &c, 1) == 1 && d->state == LOCAL_NETWORK) {
        watch_remove(w);
        step_agent(d);
    } else {
        watch_remove(w); /* its end is reported by on_net_end() */
    }
}

static void step_network(struct local_domain *d)
{
    struct backend *b = d->backend;
    const char *why = "cannot start slirp4netns";
    int ready = -1, r;
    pid_t pid;

    d->state = LOCAL_NETWORK;
    if (!d->spec.networked) {
        step_agent(d);
        return;
    }
    r = local_start_net(d, &pid, &ready, &why);
    if (!r)
        r = process_watch(&b->set, &d->net, pid, on_net_end, d);
    if (!r)
        r = watch_add(&b->set, &d->net_ready, take_fd(&ready), on_net_ready, d);
    close_fd(&ready);
    if (r)
        fail(d, "%s (%s)", why, strerror(-r));
}

static void on_init_end(struct watch *w)
{
    struct local_domain *d = w->user;

    watch_remove(w); /* its exit code is bubblewrap's */
    step_ending(d);
}

static void on_info(struct watch *w)
{
    struct local_domain *d = w->user;
    struct backend *b = d->backend;
    int pidfd, r = local_read_info(d);

    if (r == -EAGAIN)
        return;
    watch_remove(w);
    if (r)
        return; /* bubblewrap ends, and its end is reported */
    r = spawn_pidfd(d->init_pid, &pidfd);
    if (r == -ESRCH)
        return; /* it ended at once: bubblewrap does, too, and says why */
    if (!r)
        r = watch_add(&b->set, &d->init, pidfd, on_init_end, d);
    if (r)
        fail(d, "its init is gone: %s", strerror(-r));
}

/*
 * slirp4netns comes after this only: it sets the loopback device up, which bubblewrap takes for a
 * failure of its own while it does the same.
 */
static void on_up(struct watch *w)
{
    struct local_domain *d = w->user;
    char c;
    ssize_t n = read(w->fd, &c, 1);

    watch_remove(w);
    if (n != 1)
        return; /* bubblewrap ends, and its end is reported */
    if (d->init.fd < 0)
        on_info(&d->info); /* it came first, but both were there */
    if (d->state == LOCAL_SANDBOX && d->init.fd < 0)
        fail(d, "bubblewrap did not tell its init's number");
    else if (d->state == LOCAL_SANDBOX)
        step_network(d);
}

static void on_bwrap_end(struct process *p, int status)
{
    struct local_domain *d = p->user;
    int code = spawn_exit_code(status);

    local_drain_log(d);
    if (d->state == LOCAL_RUNNING)
        end(d, code == 0 ? DOMAIN_SHUTDOWN : DOMAIN_CRASH);
    else if (d->state < LOCAL_ENDING)
        fail(d, "its sandbox ended (exit code %d)%s%s%s", code, *d->last_line ? ": " : "",
             d->last_line, local_advice(d));
    step_ending(d);
}

static void step_sandbox(struct local_domain *d)
{
    struct backend *b = d->backend;
    const char *why = "cannot start bubblewrap";
    int ends[2] = {-1, -1}, r;
    pid_t pid;

    d->state = LOCAL_SANDBOX;
    r = vchan_switch_add(&b->vchans, d->domid, d->uid);
    if (!r)
        r = local_start_sandbox(d, &pid, ends, &why);
    if (!r)
        r = process_watch(&b->set, &d->bwrap, pid, on_bwrap_end, d);
    if (!r)
        r = watch_add(&b->set, &d->info, take_fd(&ends[0]), on_info, d);
    if (!r)
        r = watch_add(&b->set, &d->up, take_fd(&ends[1]), on_up, d);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
    if (r)
        fail(d, "%s (%s)", why, strerror(-r));
}

static void on_prepared(struct process *p, int status)
{
    struct local_domain *d = p->user;

    local_drain_log(d);
    if (d->state == LOCAL_PREPARE && status == 0)
        step_sandbox(d);
    else
        fail(d, "%s", *d->last_line ? d->last_line : "its home could not be made");
    step_ending(d);
}

static void on_log(struct watch *w)
{
    local_read_log(w->user);
}

static int begin(struct local_domain *d)
{
    struct backend *b = d->backend;
    int log, r = d->spec.disposable ? home_note(&d->spec) : 0;
    pid_t pid;

    if (!r)
        r = local_make_files(d, &log);
    if (!r)
        r = watch_add(&b->set, &d->log, log, on_log, d);
    if (!r)
        r = home_start_prepare(&d->spec, d->uid, d->log_write, &pid);
    return r ? r : process_watch(&b->set, &d->prepare, pid, on_prepared, d);
}

/* The home's own uid if nobody uses it, else the next one that nobody has. */
static uid_t choose_uid(const struct backend *b, const struct domain_spec *spec, uint32_t domid)
{
    uid_t own = spec->disposable ? 0 : home_uid(spec->home), uid = STAGE_UID_BASE + domid;
    bool again = true;

    if (geteuid() != 0)
        return geteuid();
    for (const struct local_domain *d = b->domains; d; d = d->next)
        if (d->uid == own)
            own = 0;
    while (again) {
        again = false;
        for (const struct local_domain *d = b->domains; d; d = d->next)
            if (d->uid == uid) {
                uid++;
                again = true;
            }
    }
    return own ? own : uid;
}

static int local_create(struct backend *b, const struct domain_spec *spec,
                        struct backend_domain **ret, uint32_t *ret_domid)
{
    struct backend_domain *bd;
    int r;

    for (struct local_domain *d = b->domains; d; d = d->next)
        if (str_equal(d->spec.name, spec->name) || str_equal(d->spec.uuid, spec->uuid) ||
            str_equal(d->spec.home, spec->home))
            return BACKEND_E_EXISTS;
    if (!*spec->home || b->next_domid > DOMAIN_NUMBER_MAX)
        return *spec->home ? -ENOSPC : -EINVAL;
    bd = calloc(1, sizeof(*bd));
    if (!bd)
        return -ENOMEM;
    local_domain_init(&bd->local, b, spec, b->next_domid);
    bd->local.uid = choose_uid(b, spec, b->next_domid);
    bd->local.deadline = clock_ms() + (uint64_t)spec->start_seconds * 1000;
    bd->local.next = b->domains;
    b->domains = &bd->local;
    b->next_domid++;
    r = begin(&bd->local);
    if (r)
        fail(&bd->local, "cannot begin: %s", strerror(-r)); /* its event comes from dispatch */
    *ret = bd;
    *ret_domid = bd->local.domid;
    return 0;
}

static int local_shutdown(struct backend_domain *bd)
{
    if (bd->local.state != LOCAL_RUNNING)
        return BACKEND_E_UNKNOWN;
    close_fd(&bd->local.leash);
    return 0;
}

static void local_destroy(struct backend_domain *bd)
{
    end(&bd->local, DOMAIN_DESTROY);
}

static int local_pause(struct backend_domain *bd)
{
    return bd->local.state == LOCAL_RUNNING ? proc_stop(bd->local.init_pid, true)
                                            : BACKEND_E_UNKNOWN;
}

static int local_unpause(struct backend_domain *bd)
{
    return bd->local.state == LOCAL_RUNNING ? proc_stop(bd->local.init_pid, false)
                                            : BACKEND_E_UNKNOWN;
}

static int local_stats(struct backend_domain *bd, struct domain_stats *ret)
{
    struct local_domain *d = &bd->local;
    struct domain_stats now;
    int r = d->init.fd >= 0 ? proc_stats(d->init_pid, &now) : BACKEND_E_UNKNOWN;

    if (r)
        return r;
    /* what ended unwaited-for is no longer counted, but time does not go back */
    d->cpu_ns = now.cpu_ns = now.cpu_ns > d->cpu_ns ? now.cpu_ns : d->cpu_ns;
    *ret = now;
    return 0;
}

/* A disposable's call is refused, so it is of no use; others may only be slow. */
static void on_silence(struct local_domain *d)
{
    const struct backend_events *ev = d->backend->events;
    char text[DOMAIN_TEXT_SIZE];

    snprintf(text, sizeof(text), "no agent answered within %u seconds%s%.256s",
             d->spec.start_seconds, *d->last_line ? ": " : "", d->last_line);
    if (d->state != LOCAL_AGENT || d->spec.disposable) {
        fail(d, "%s", text);
        return;
    }
    d->state = LOCAL_RUNNING;
    if (ev)
        ev->late(ev->user, &d->spec, text);
}

static void check_deadline(struct local_domain *d)
{
    int r;

    if (deadline_left(d->deadline) != 0)
        return;
    d->deadline = 0;
    if (d->state == LOCAL_ENDING) {
        process_kill(&d->daemon, SIGKILL);
        process_kill(&d->net, SIGKILL);
        d->deadline = clock_ms() + DAEMON_END_MS;
    } else if (d->state == LOCAL_RUNNING) {
        r = start_daemon(d);
        if (r)
            d->deadline = clock_ms() + DAEMON_WAIT_MAX;
    } else if (d->state < LOCAL_RUNNING) {
        on_silence(d);
    }
}

static void local_dispatch(struct backend *b)
{
    struct local_domain *next;

    watch_set_dispatch(&b->set);
    for (struct local_domain *d = b->domains; d; d = next) {
        next = d->next;
        check_deadline(d);
        if (d->state == LOCAL_ENDED)
            remove_rest(d);
    }
}

static int local_fd(const struct backend *b)
{
    return b->set.epoll;
}

static int local_timeout(const struct backend *b)
{
    int least = -1;

    for (const struct local_domain *d = b->domains; d; d = d->next) {
        int left = d->state == LOCAL_ENDED ? 0 : deadline_left(d->deadline);

        if (left >= 0 && (least < 0 || left < least))
            least = left;
    }
    return least;
}

static void local_close(struct backend *b)
{
    struct local_domain *d;

    b->events = NULL;
    for (d = b->domains; d; d = d->next)
        end(d, DOMAIN_DESTROY);
    while ((d = b->domains)) {
        b->domains = d->next;
        local_domain_free(d);
    }
    watch_remove(&b->sweeper.watch);
    vchan_switch_deinit(&b->vchans);
    watch_set_deinit(&b->set);
    free(b);
}

static void on_swept(struct process *p, int status)
{
    (void)p;
    if (status)
        log_warning("some homes of former disposables could not be removed");
}

static int sweep(struct backend *b)
{
    pid_t pid;
    int r = local_sweep_files();

    if (!r)
        r = home_start_sweep(&pid);
    if (!r && pid)
        r = process_watch(&b->set, &b->sweeper, pid, on_swept, b);
    return r;
}

static int local_open(const struct backend_events *events, struct backend **ret,
                      const char **ret_why)
{
    struct backend *b = calloc(1, sizeof(*b));
    int r;

    *ret_why = "";
    if (!b)
        return -ENOMEM;
    *b = (struct backend){.set = {.epoll = -1},
                          .vchans = {.inotify = WATCH_NULL},
                          .events = events,
                          .sweeper = PROCESS_NULL,
                          .next_domid = FIRST_DOMID};
    r = watch_set_init(&b->set);
    if (!r)
        r = vchan_switch_init(&b->vchans, &b->set);
    if (!r)
        r = sweep(b);
    if (r) {
        *ret_why = "cannot make its directories below /run and /var/lib/qubes";
        local_close(b);
        return r;
    }
    *ret = b;
    return 0;
}

const struct backend_ops backend_local = {
    .name = "local",
    .open = local_open,
    .close = local_close,
    .fd = local_fd,
    .timeout = local_timeout,
    .dispatch = local_dispatch,
    .create = local_create,
    .shutdown = local_shutdown,
    .destroy = local_destroy,
    .pause = local_pause,
    .unpause = local_unpause,
    .stats = local_stats,
};
