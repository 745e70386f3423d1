/*
 * Chooses the transport, once in a process: QREXEC_TRANSPORT, else Xen where this is a Xen domain,
 * else sockets. Everything else goes straight to it.
 */
#include "libqrexec/vchan/vchan.h"

#include "libqrexec/vchan/transport.h"

#include <errno.h>

static const struct vchan_transport *const transports[] = {
    &vchan_socket_transport,
#ifdef HAVE_XEN
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

int vchan_own_domain(uint32_t *ret)
{
    const struct vchan_transport *t;
    int r = choose(&t);

    return r ? r : t->own_domain(ret);
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

short vchan_events(const struct vchan *v, bool want_read, bool want_write)
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

ssize_t vchan_read(struct vchan *v, void *data, size_t n)
{
    return v->transport->read(v, data, n);
}

ssize_t vchan_write(struct vchan *v, const void *data, size_t n)
{
    return v->transport->write(v, data, n);
}
