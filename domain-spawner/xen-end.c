/*
 * The end of a domain of the Xen backend: see xen-domain.h. Daemon and builder go first, then
 * libxl destroys what there is, some times if it must; then logs go, and the front is told.
 */
#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/xen-domain.h"
#include "domain-spawner/xen-find.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#define DESTROY_TRIES 3
#define DESTROY_MS    500 /* between them: somebody else may be at it, too */

static void find_half_built(struct backend_domain *d)
{
    libxl_dominfo info;

    if (!xen_find_uuid(d->backend->loop.ctx, d->spec.uuid, &info))
        return;
    d->domid = info.domid;
    libxl_dominfo_dispose(&info);
}

bool xen_domain_has_step(const struct backend_domain *d)
{
    return d->state == XEN_ENDING && !d->build && !d->destroying && !d->destroyed;
}

void xen_domain_step(struct backend_domain *d)
{
    libxl_asyncop_how destroy = xen_domain_how(d, ABOUT_DESTROY);

    if (!xen_domain_has_step(d) || deadline_left(d->destroy_at) > 0)
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

void xen_domain_destroyed(struct backend_domain *d, int rc)
{
    d->destroying = false;
    /* one that somebody else destroyed is not there any more */
    d->destroyed = !rc || libxl_domain_info(d->backend->loop.ctx, NULL, d->domid) != 0;
    d->destroy_at = clock_ms() + DESTROY_MS;
}

bool xen_domain_is_over(const struct backend_domain *d)
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

void xen_domain_finish(struct backend_domain *d)
{
    const struct backend_events *ev = d->backend->events;

    for (struct backend_domain **at = &d->backend->domains; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    if (d->domid != NO_DOMID)
        guest_daemon_forget(&d->spec, d->domid);
    if (d->spec.disposable)
        remove_logs(d);
    if (*d->reason)
        ev->start_failed(ev->user, &d->spec, d->reason);
    else
        ev->gone(ev->user, &d->spec, d->end);
    xen_domain_free(d);
}
