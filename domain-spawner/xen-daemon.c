/*
 * The qrexec-daemon beside a domain: see xen-domain.h. It ends with the domain and with us; before
 * that it is started again, but a disposable ends with it, since its call has.
 */
#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/xen-domain.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

static int notify_path(const struct backend_domain *d, char path[static PATH_SIZE])
{
    return path_get(path, NOTIFY_DIR "/%s.notify", d->spec.uuid);
}

void xen_daemon_forget(struct backend_domain *d)
{
    char path[PATH_SIZE];

    if (d->notify.fd >= 0 && notify_path(d, path) == 0)
        (void)unlink(path);
    watch_remove(&d->notify);
}

static void on_daemon_end(struct process *p, int status)
{
    struct backend_domain *d = p->user;
    int code = spawn_exit_code(status);

    xen_daemon_forget(d);
    if (d->state == XEN_AGENT && !d->patient) {
        xen_domain_fail(d, "its daemon ended before its agent answered (exit code %d)", code);
    } else if (d->state != XEN_ENDING && d->spec.disposable) {
        xen_domain_fail(d, "its daemon ended (exit code %d), so the disposable does", code);
    } else if (d->state != XEN_ENDING) {
        d->daemon_wait = guest_daemon_next_wait(d->daemon_wait);
        d->daemon_at = clock_ms() + d->daemon_wait;
        log_warning("%s: its daemon ended (exit code %d), started again in %zu ms", d->spec.name,
                    code, d->daemon_wait);
    }
}

static void on_notify(struct watch *w)
{
    struct backend_domain *d = w->user;

    if (!guest_daemon_is_ready(w->fd))
        return;
    d->daemon_wait = 0;
    if (d->state == XEN_AGENT)
        xen_domain_runs(d);
}

int xen_daemon_start(struct backend_domain *d)
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
        xen_daemon_forget(d);
    return r;
}
