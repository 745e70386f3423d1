/*
 * Other domains that end.
 *
 * Inside a Xen VM nothing tells that the domain at the other end of a connection was destroyed, so
 * we tell our agent, for each connection that is not reported as over. We know of those whose port
 * we allotted, and of those whose port we passed on. It is told of no other domain than it had to
 * do with: what becomes of the rest is nothing to it.
 *
 * A port stays taken until the agent reports its end, as always.
 */
#include "qrexec-daemon/daemon.h"

#include "libqrexec/base/log.h"

#include <errno.h>

static void on_death(void *user, uint32_t domain)
{
    struct daemon *d = user;
    uint32_t port = 0;

    log_info("%s: domain %u is gone", d->name, domain);
    if (!ports_next(&d->ports, domain, &port))
        control_send_gone(d, domain, 0);
    else
        do
            control_send_gone(d, domain, port);
        while (ports_next(&d->ports, domain, &port));
}

/* Without it calls go on; an end that is not noticed is left to their own time limits. */
static void take_deaths(struct daemon *d)
{
    int r = vchan_deaths_dispatch(d->deaths, on_death, d);

    if (!r)
        return;
    log_error("%s: ends of other domains are not noticed any more: %s", d->name, strerror(-r));
    watch_stop(&d->deaths_watch);
}

static void on_deaths(struct watch *w, short revents)
{
    (void)revents;
    take_deaths(container_of(w, struct daemon, deaths_watch));
}

int deaths_start(struct daemon *d)
{
    int r = vchan_deaths_new(&d->deaths);

    if (r)
        return r;
    d->deaths_watch.fn = on_deaths;
    if (vchan_deaths_fd(d->deaths) >= 0)
        watch_set(&d->deaths_watch, vchan_deaths_fd(d->deaths), POLLIN);
    return 0;
}

void deaths_stop(struct daemon *d)
{
    watch_stop(&d->deaths_watch);
    vchan_deaths_free(d->deaths);
    d->deaths = NULL;
}

void deaths_recall(struct daemon *d)
{
    uint32_t domain;
    size_t at = 0;

    while (ports_next_domain(&d->ports, &at, &domain))
        if (domain && vchan_deaths_follow(d->deaths, domain) == -EHOSTDOWN)
            on_death(d, domain);
    take_deaths(d);
}

void deaths_follow(struct daemon *d, uint32_t domain, uint32_t port)
{
    int r = domain ? ports_note(&d->ports, domain, port) : 0;

    if (!domain) /* dom0 is not outlived */
        return;
    if (!r)
        r = vchan_deaths_follow(d->deaths, domain);
    if (!r)
        take_deaths(d);
    if (r == -EHOSTDOWN)
        on_death(d, domain);
    else if (r)
        log_error("%s: the end of domain %u will not be noticed: %s", d->name, domain,
                  strerror(-r));
}
