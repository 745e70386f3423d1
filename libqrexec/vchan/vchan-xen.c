/*
 * The Xen transport: libxenvchan, and xenstore for finding each other.
 *
 * The server offers its rings under /local/domain/SERVER/data/vchan/CLIENT/PORT. The client waits
 * with xenstore watches on that place's event-channel key, on its own domid (save and restore
 * change it) and on the release of domains, then attaches and rings the event channel: only that
 * tells the server, which then removes the place. Neither end is told when the other's domain
 * dies, so both look every ten seconds. A domain cannot connect to itself.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/vchan/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <xenstore.h>

/* In this order: the former decides what Xen's own headers declare. */
#include <xenctrl.h>

#include <libxenvchan.h>

#define LOOK_MS 10000

struct xen_vchan {
    struct vchan base;
    uint32_t peer, port;
    size_t ring;
    bool server;
    struct libxenvchan *ctrl; /* NULL: a client that waits */
    struct xs_handle *xs;     /* until connected */
    xc_interface *xc;         /* to ask whether the event channel still has another end */
    char path[128];           /* of the rings in xenstore */
    char watched[160];        /* client: path/event-channel as watched now, or "" */
    uint64_t look_at;         /* when to look whether the peer is alive */
};

static struct xen_vchan *xen_vchan(const struct vchan *v)
{
    return (struct xen_vchan *)(uintptr_t)v;
}

static int read_domid(struct xs_handle *xs, uint32_t *ret)
{
    unsigned len;
    _cleanup_(freep) char *text = xs_read(xs, XBT_NULL, "domid", &len);

    return text ? parse_u32(text, 0x7fff, ret) : -errno;
}

static void xs_closep(struct xs_handle **xs)
{
    if (*xs)
        xs_close(*xs);
}

static int xen_own_domain(uint32_t *ret)
{
    _cleanup_(xs_closep) struct xs_handle *xs = xs_open(0);

    return xs ? read_domid(xs, ret) : -errno;
}

static void drop_xs(struct xen_vchan *x)
{
    if (x->xs)
        xs_close(take(x->xs));
}

/* The library removes a server's place when it closes; a second removal harms nobody. */
static void drop_ctrl(struct xen_vchan *x)
{
    if (x->ctrl)
        libxenvchan_close(take(x->ctrl));
}

static void xen_free(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);

    if (x->server && x->ctrl && x->xs)
        xs_rm(x->xs, XBT_NULL, x->path);
    drop_ctrl(x);
    drop_xs(x);
    if (x->xc)
        xc_interface_close(x->xc);
    free(x);
}

static void xen_vchan_freep(struct xen_vchan **x)
{
    if (*x)
        xen_free(&(*x)->base);
}

static int xen_vchan_new(uint32_t peer, uint32_t port, bool server, struct xen_vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->base.transport = &vchan_xen_transport;
    x->base.state = VCHAN_WAITING;
    x->peer = peer;
    x->port = port;
    x->server = server;
    x->look_at = clock_ms() + LOOK_MS;
    x->xs = xs_open(0);
    if (!x->xs)
        return -errno;
    x->xc = xc_interface_open(NULL, NULL, 0); /* optional: without it a dead domain shows later */
    *ret = take(x);
    return 0;
}

static int set_path(struct xen_vchan *x)
{
    uint32_t own;
    int r;

    r = read_domid(x->xs, &own);
    if (r)
        return r;
    if (own == x->peer)
        return -EINVAL;
    return format(x->path, sizeof(x->path), "/local/domain/%u/data/vchan/%u/%u",
                  x->server ? own : x->peer, x->server ? x->peer : own, x->port);
}

static int server_offer(struct xen_vchan *x)
{
    int r = set_path(x);

    if (r)
        return r;
    errno = 0;
    x->ctrl = libxenvchan_server_init(NULL, (int)x->peer, x->path, x->ring, x->ring);
    if (!x->ctrl)
        return errno ? -errno : -EIO;
    x->ctrl->blocking = 0;
    x->base.state = VCHAN_WAITING;
    x->look_at = clock_ms() + LOOK_MS;
    return 0;
}

static int xen_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = NULL;
    int r;

    r = xen_vchan_new(peer, port, true, &x);
    if (r)
        return r;
    x->ring = ring;
    r = server_offer(x);
    if (r)
        return r;
    *ret = &take(x)->base;
    return 0;
}

static int xen_reset(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);

    if (!x->server)
        return -EOPNOTSUPP;
    drop_ctrl(x);
    if (!x->xs)
        x->xs = xs_open(0);
    if (!x->xs)
        return -errno;
    return server_offer(x);
}

/* Watches the place that belongs to our present domid. */
static int client_watch(struct xen_vchan *x)
{
    char key[sizeof(x->watched)];
    int r;

    r = set_path(x);
    if (!r)
        r = format(key, sizeof(key), "%s/event-channel", x->path);
    if (r)
        return r;
    if (str_equal(key, x->watched))
        return 0;
    if (x->watched[0])
        xs_unwatch(x->xs, x->watched, "rings");
    x->watched[0] = 0;
    if (!xs_watch(x->xs, key, "rings"))
        return -errno;
    memcpy(x->watched, key, sizeof(key));
    return 0;
}

/* Attaches if the server's rings are there. Not there, or half there: wait on. */
static int client_try(struct xen_vchan *x)
{
    unsigned len;
    char *key;
    int r;

    r = client_watch(x);
    if (r)
        return r;
    key = xs_read(x->xs, XBT_NULL, x->watched, &len);
    free(key);
    if (!key)
        return 0;
    x->ctrl = libxenvchan_client_init(NULL, (int)x->peer, x->path);
    if (!x->ctrl)
        return 0;
    x->ctrl->blocking = 0;
    xenevtchn_notify(x->ctrl->event, x->ctrl->event_port);
    x->base.state = VCHAN_CONNECTED;
    drop_xs(x);
    return 0;
}

static int xen_connect(uint32_t peer, uint32_t port, struct vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = NULL;
    int r;

    r = xen_vchan_new(peer, port, false, &x);
    if (r)
        return r;
    /* a domain without the right to the latter notices by looking */
    if (!xs_watch(x->xs, "domid", "domid"))
        return -errno;
    (void)xs_watch(x->xs, "@releaseDomain", "release");
    r = client_try(x);
    if (r)
        return r;
    *ret = &take(x)->base;
    return 0;
}

static int xen_fd(const struct vchan *v)
{
    const struct xen_vchan *x = xen_vchan(v);

    return x->ctrl ? libxenvchan_fd_for_select(x->ctrl) : xs_fileno(x->xs);
}

/* The event channel tells of everything, wanted or not. */
static short xen_events(const struct vchan *v, bool want_read, bool want_write)
{
    (void)v;
    (void)want_read;
    (void)want_write;
    return POLLIN;
}

static int xen_timeout(const struct vchan *v)
{
    return v->state == VCHAN_CLOSED ? -1 : deadline_left(xen_vchan(v)->look_at);
}

static bool fd_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* Connected: the event channel has another end. Not yet: xenstore knows the domain. */
static bool peer_alive(struct xen_vchan *x)
{
    xc_evtchn_status_t status = {.dom = DOMID_SELF};

    if (x->base.state == VCHAN_WAITING)
        return x->peer == 0 || xs_is_domain_introduced(x->xs, x->peer);
    if (!x->xc)
        return true;
    status.port = x->ctrl->event_port;
    return xc_evtchn_status(x->xc, &status) < 0 || status.status == EVTCHNSTAT_interdomain;
}

static void take_state(struct xen_vchan *x)
{
    switch (libxenvchan_is_open(x->ctrl)) {
    case 0: x->base.state = VCHAN_CLOSED; break;
    case 1:
        if (x->base.state == VCHAN_WAITING && x->xs) {
            xs_rm(x->xs, XBT_NULL, x->path);
            drop_xs(x);
        }
        x->base.state = VCHAN_CONNECTED;
        break;
    default: break;
    }
}

static int dispatch_waiting_client(struct xen_vchan *x)
{
    char **news;

    while ((news = xs_check_watch(x->xs)))
        free(news);
    return client_try(x);
}

static int xen_dispatch(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);
    int r = 0;

    if (v->state == VCHAN_CLOSED)
        return 0;
    if (!x->ctrl) {
        r = dispatch_waiting_client(x);
    } else {
        if (fd_readable(libxenvchan_fd_for_select(x->ctrl)) && libxenvchan_wait(x->ctrl) < 0)
            r = errno ? -errno : -EIO;
        take_state(x);
    }
    if (!r && v->state != VCHAN_CLOSED && clock_ms() >= x->look_at) {
        x->look_at = clock_ms() + LOOK_MS;
        if (!peer_alive(x))
            r = -EHOSTDOWN;
    }
    if (r)
        v->state = VCHAN_CLOSED;
    return r;
}

/* A ring counter that cannot be is the peer's doing, and ends the connection. */
static ssize_t xen_read(struct vchan *v, void *data, size_t n)
{
    struct xen_vchan *x = xen_vchan(v);
    int ready;

    if (!x->ctrl || v->state == VCHAN_WAITING)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    ready = libxenvchan_data_ready(x->ctrl);
    if (ready < 0 || ready > 1 << x->ctrl->read.order) {
        v->state = VCHAN_CLOSED;
        return -EPIPE;
    }
    if (ready == 0) {
        take_state(x);
        return v->state == VCHAN_CLOSED && libxenvchan_data_ready(x->ctrl) <= 0 ? -EPIPE : 0;
    }
    ready = libxenvchan_read(x->ctrl, data, size_min(n, (size_t)ready));
    if (ready < 0)
        v->state = VCHAN_CLOSED;
    return ready < 0 ? -EPIPE : ready;
}

static ssize_t xen_write(struct vchan *v, const void *data, size_t n)
{
    struct xen_vchan *x = xen_vchan(v);
    int put;

    if (v->state != VCHAN_CONNECTED)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    put = libxenvchan_write(x->ctrl, data, size_min(n, 1 << 30));
    if (put < 0)
        v->state = VCHAN_CLOSED;
    return put < 0 ? -EPIPE : put;
}

const struct vchan_transport vchan_xen_transport = {
    .name = "xen",
    .own_domain = xen_own_domain,
    .listen = xen_listen,
    .connect = xen_connect,
    .reset = xen_reset,
    .free = xen_free,
    .fd = xen_fd,
    .events = xen_events,
    .timeout = xen_timeout,
    .dispatch = xen_dispatch,
    .read = xen_read,
    .write = xen_write,
};
