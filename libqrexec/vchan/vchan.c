/*
 * Chooses the transport, once in a process: QREXEC_TRANSPORT, else Xen where this is a Xen domain,
 * else sockets. Everything else goes straight to it.
 */
#include "libqrexec/vchan/vchan.h"

#include "libqrexec/vchan/transport.h"

#include <errno.h>

static const struct vchan_transport *const transports[] = {
    &vchan_socket_transport,
#if defined(HAVE_XEN) && !defined(VCHAN_SOCKET_ONLY)
    &vchan_xen_transport,
#endif
};

static bool on_xen(void)
{
    return access("/dev/xen/xenbus", F_OK) == 0 || access("/proc/xen/xenbus", F_OK) == 0 ||
           access("/proc/xen/capabilities", F_OK) == 0;
}

static int choose(const struct vchan_transport **ret)
{
    const char *name = secure_getenv("QREXEC_TRANSPORT");

    if (!name || !*name)
        name = on_xen() ? "xen" : "socket";
    for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
        if (str_equal(transports[i]->name, name)) {
            *ret = transports[i];
            return 0;
        }
    }
    return -EPROTONOSUPPORT;
}

bool vchan_is_built_in(void)
{
    const struct vchan_transport *t;

    return choose(&t) == 0;
}

int vchan_own_domain(uint32_t *ret)
{
    const struct vchan_transport *t;
    int r = choose(&t);

    return r ? r : t->own_domain(ret);
}

bool vchan_rings_are_limited(void)
{
    const struct vchan_transport *t;

    return choose(&t) == 0 && t->ring;
}

size_t vchan_ring(size_t n)
{
    const struct vchan_transport *t;

    return choose(&t) == 0 && t->ring ? t->ring(n) : VCHAN_RING;
}

int vchan_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret)
{
    const struct vchan_transport *t;
    int r = choose(&t);

    return r ? r : t->listen(peer, port, ring, ret);
}

int vchan_connect(uint32_t peer, uint32_t port, struct vchan **ret)
{
    const struct vchan_transport *t;
    int r = choose(&t);

    return r ? r : t->connect(peer, port, ret);
}

int vchan_reset(struct vchan *v)
{
    return v->transport->reset(v);
}

void vchan_free(struct vchan *v)
{
    if (v)
        v->transport->free(v);
}

enum vchan_state vchan_state(const struct vchan *v)
{
    return v->state;
}

int vchan_fd(const struct vchan *v)
{
    return v->transport->fd(v);
}

short vchan_events(struct vchan *v, bool want_read, bool want_write)
{
    return v->transport->events(v, want_read, want_write);
}

int vchan_timeout(const struct vchan *v)
{
    return v->transport->timeout(v);
}

int vchan_dispatch(struct vchan *v)
{
    return v->transport->dispatch(v);
}

void vchan_lose(struct vchan *v)
{
    v->gone = true;
    v->transport->lose(v);
}

bool vchan_is_gone(const struct vchan *v)
{
    return v->gone;
}

ssize_t vchan_read(struct vchan *v, void *data, size_t n)
{
    return v->transport->read(v, data, n);
}

ssize_t vchan_write(struct vchan *v, const void *data, size_t n)
{
    return v->transport->write(v, data, n);
}

const char *vchan_error_text(int error)
{
    switch (error) {
    case -EHOSTDOWN: return "the other domain is gone";
    case -ENOSPC:
        return "this domain's grants are used up: end some calls, or raise the limit of "
               "xen_gntalloc (/sys/module/xen_gntalloc/parameters/limit)";
    case -EDQUOT:
        return "this domain's share of xenstore is used up (transactions or nodes): end some "
               "calls, or raise xenstored's quotas in dom0";
    case -EPROTONOSUPPORT:
        return "there is no such transport: QREXEC_TRANSPORT is xen or socket, and xen must have "
               "been built";
    default: return strerror(-error);
    }
}

int vchan_deaths_new(struct vchan_deaths **ret)
{
    const struct vchan_transport *t;
    struct vchan_deaths *d;
    int r = choose(&t);

    if (r)
        return r;
    if (t->deaths_new)
        return t->deaths_new(ret);
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->transport = t;
    *ret = d;
    return 0;
}

void vchan_deaths_free(struct vchan_deaths *d)
{
    if (d && d->transport->deaths_free)
        d->transport->deaths_free(d);
    else
        free(d);
}

int vchan_deaths_fd(const struct vchan_deaths *d)
{
    return d->transport->deaths_fd ? d->transport->deaths_fd(d) : -1;
}

int vchan_deaths_follow(struct vchan_deaths *d, uint32_t domain)
{
    return d->transport->deaths_follow ? d->transport->deaths_follow(d, domain) : 0;
}

int vchan_deaths_dispatch(struct vchan_deaths *d, vchan_death_fn fn, void *user)
{
    return d->transport->deaths_dispatch ? d->transport->deaths_dispatch(d, fn, user) : 0;
}

void vchan_forget(uint32_t domain)
{
    const struct vchan_transport *t;

    if (!choose(&t) && t->forget)
        t->forget(domain);
}

void vchan_forget_port(uint32_t domain, uint32_t port, pid_t pid)
{
    const struct vchan_transport *t;

    if (!choose(&t) && t->forget_port)
        t->forget_port(domain, port, pid);
}
