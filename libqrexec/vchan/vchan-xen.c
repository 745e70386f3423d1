/*
 * The Xen transport: libxenvchan, and xenstore for finding each other.
 *
 * The server offers its rings under /local/domain/SERVER/data/vchan/CLIENT/PORT. The client waits
 * with one watch on that place's event-channel key, attaches, and rings the event channel: only
 * that tells the server, which then removes the place. A domain cannot connect to itself.
 *
 * A process has one connection to xenstore for a vchan, and at most one watch in a VM, where all
 * programs share a quota. So a client does not watch its own domid, which changes when the domain
 * is saved and restored: such a wait ends with its owner's time limit. In dom0, which has no quota,
 * both ends also watch for domains that end; then there are two sources of events, and the
 * descriptor is an epoll descriptor over both.
 *
 * Setting up a server takes a transaction of xenstore (ten at a time in a domain) and grants (1,024
 * pages in a domain). Where no transaction is to be had, it is tried again after a back-off: that
 * server waits without rings. Where grants run out, smaller rings are taken. libxenvchan does not
 * say which of the two it was, but what it logs does.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/vchan/lives.h"
#include "libqrexec/vchan/transport-xen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>

/* In this order: the former decides what Xen's own headers declare. */
#include <xenctrl.h>

#include <libxenvchan.h>
#include <xentoollog.h>

#define OFFER_MS      5000  /* for a place in xenstore */
#define LOCKED_MS     30000 /* for others that set up theirs */
#define PAUSE_FIRST   1
#define PAUSE_LONGEST 200
#define LOOK_LONGEST  1000   /* of a client without a watch */
#define DOMID_LAST    0x7fef /* the numbers above have other meanings */
#define WATCH_PLACE   0U
#define WATCH_ENDS    1U
#define PAGE          4096
#define LIMIT_FILE    "/sys/module/xen_gntalloc/parameters/limit"
#define LIMIT_DEFAULT 1024
#define RING_MOST     (1U << 20) /* the library takes no more */

struct xen_vchan {
    struct vchan base;
    uint32_t own, peer, port;
    size_t ring;
    bool server;
    struct libxenvchan *ctrl; /* NULL: a client that waits, a server without rings yet */
    struct xenstore *xs;      /* in a VM until connected */
    struct life life;         /* dom0: the peer's */
    int both;                 /* dom0: epoll over xs and the event channel; else -1 */
    char path[96];            /* of the rings in xenstore */
    uint64_t locked_until, offer_until, offer_at; /* server without rings */
    unsigned pause;                               /* ms */
    bool unwatched;                               /* client: it got no watch, and looks by itself */
    uint64_t look_at;                             /* then */
};

static struct xen_vchan *xen_vchan(const struct vchan *v)
{
    return (struct xen_vchan *)(uintptr_t)v;
}

static int read_domid(struct xenstore *xs, uint32_t *ret)
{
    char text[16];
    int r = xenstore_read(xs, "domid", text, sizeof(text));

    return r ? r : parse_u32(text, DOMID_LAST, ret);
}

static int xen_own_domain(uint32_t *ret)
{
    _cleanup_(xenstore_freep) struct xenstore *xs = NULL;
    int r = xenstore_open(&xs);

    return r ? r : read_domid(xs, ret);
}

static int event_fd(const struct xen_vchan *x)
{
    return libxenvchan_fd_for_select(x->ctrl);
}

static int watch_both(struct xen_vchan *x, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};

    return x->both >= 0 && epoll_ctl(x->both, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* The event channel is read whether there is an event or not, by the library too. */
static int take_ctrl(struct xen_vchan *x)
{
    int r = fd_set_nonblock(event_fd(x), true);

    x->ctrl->blocking = 0;
    return r ? r : watch_both(x, event_fd(x));
}

/* The library would remove a server's place once more: by then it may be the next one's. */
static void forget_place(struct xen_vchan *x)
{
    free(x->ctrl->xs_path);
    x->ctrl->xs_path = NULL;
}

static void drop_ctrl(struct xen_vchan *x)
{
    if (!x->ctrl)
        return;
    if (x->both >= 0)
        (void)epoll_ctl(x->both, EPOLL_CTL_DEL, event_fd(x), NULL);
    libxenvchan_close(take(x->ctrl));
}

static void drop_xs(struct xen_vchan *x)
{
    if (x->both >= 0 && x->xs)
        (void)epoll_ctl(x->both, EPOLL_CTL_DEL, xenstore_fd(x->xs), NULL);
    xenstore_free(take(x->xs));
}

static void xen_free(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);

    drop_ctrl(x);
    drop_xs(x);
    close_fd(&x->both);
    free(x);
}

static void xen_vchan_freep(struct xen_vchan **x)
{
    if (*x)
        xen_free(&(*x)->base);
}

/* The watch comes before the look, so that no end passes unseen between them. */
static int follow_peer(struct xen_vchan *x)
{
    int r;

    if (x->own)
        return 0;
    x->both = epoll_create1(EPOLL_CLOEXEC);
    if (x->both < 0)
        return -errno;
    r = lives_watch(x->xs, WATCH_ENDS);
    if (!r)
        r = life_begin(x->xs, x->peer, &x->life);
    return r ? r : watch_both(x, xenstore_fd(x->xs));
}

static int xen_vchan_new(uint32_t peer, uint32_t port, bool server, struct xen_vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = calloc(1, sizeof(*x));
    int r;

    if (!x)
        return -ENOMEM;
    x->base.transport = &vchan_xen_transport;
    x->base.state = VCHAN_WAITING;
    x->peer = peer;
    x->port = port;
    x->server = server;
    x->both = -1;
    r = xenstore_open(&x->xs);
    if (!r)
        r = read_domid(x->xs, &x->own);
    if (!r && (x->own == peer || peer > DOMID_LAST))
        r = -EINVAL;
    if (!r)
        r = format(x->path, sizeof(x->path), "/local/domain/%u/data/vchan/%u/%u",
                   server ? x->own : peer, server ? peer : x->own, port);
    if (!r)
        r = follow_peer(x);
    if (!r)
        *ret = take(x);
    return r;
}

/* ---- Server ---- */

/* What libxenvchan's libraries say about a failure: for us, not for the user's terminal. */
struct listener {
    struct xentoollog_logger base; /* first */
    int grants;                    /* errno of a grant that failed, 0 none */
};

static void on_message(struct xentoollog_logger *base, xentoollog_level level, int error,
                       const char *context, const char *text, va_list args)
{
    (void)text;
    (void)args;
    if (level >= XTL_WARN && context && str_equal(context, "gntshr"))
        ((struct listener *)base)->grants = error > 0 ? error : EIO;
}

static int check_device(const char *path)
{
    return access(path, R_OK | W_OK) < 0 ? -errno : 0;
}

/* Why the library could not set up a server: -ENOSPC grants, -EDQUOT xenstore, or what it needs. */
static int why_no_server(const struct listener *l)
{
    int r = check_device("/dev/xen/evtchn");

    if (!r)
        r = check_device("/dev/xen/gntalloc");
    if (r)
        return r;
    if (l->grants)
        return l->grants == ENOMEM ? -ENOSPC : -l->grants;
    return -EDQUOT;
}

/*
 * Processes that are forked go without the rings: while one of them had them mapped, the peer
 * would not be told that we are gone.
 */
static void keep_from_children(const struct libxenvchan *ctrl)
{
    const struct libxenvchan_ring *rings[] = {&ctrl->read, &ctrl->write};

    (void)madvise(ctrl->ring, PAGE, MADV_DONTFORK);
    for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
        if (1UL << rings[i]->order >= PAGE)
            (void)madvise(rings[i]->buffer, 1UL << rings[i]->order, MADV_DONTFORK);
}

/*
 * libxenvchan 4.17 does not clear what it allocates, and where it fails before it came to xenstore
 * it frees a path that it never set. The allocator hands out next what was given back last: make
 * that zeroes.
 */
static void clear_next_allocation(void)
{
    struct libxenvchan *next = malloc(sizeof(*next));

    if (next)
        memset(next, 0, sizeof(*next));
    __asm__ volatile("" : : "r"(next) : "memory"); /* this is not for nothing */
    free(next);
}

static int offer_rings(struct xen_vchan *x, size_t read_size, size_t write_size)
{
    struct listener l = {.base = {.vmessage = on_message}};

    clear_next_allocation();
    x->ctrl = libxenvchan_server_init(&l.base, (int)x->peer, x->path, read_size, write_size);
    if (!x->ctrl)
        return why_no_server(&l);
    keep_from_children(x->ctrl);
    return take_ctrl(x);
}

/* As large as wanted, or as the domain's grants allow; the last lies in the page that is shared. */
static int offer_some_rings(struct xen_vchan *x)
{
    static const size_t smaller[] = {16384, 4096};
    int r = offer_rings(x, x->ring, x->ring);

    for (size_t i = 0; i < ARRAY_SIZE(smaller) && r == -ENOSPC; i++)
        if (smaller[i] < x->ring)
            r = offer_rings(x, smaller[i], smaller[i]);
    return r == -ENOSPC ? offer_rings(x, 1024, 2048) : r;
}

/* Of the device's limit, which its module tells; without a word of it, the driver's default. */
static size_t grants_in_all(void)
{
    _cleanup_(freep) char *text = NULL;
    uint32_t limit;
    size_t n;

    if (file_read(LIMIT_FILE, 32, &text, &n))
        return LIMIT_DEFAULT;
    text[strcspn(text, "\n")] = 0;
    return parse_u32(text, INT32_MAX, &limit) ? LIMIT_DEFAULT : limit;
}

/*
 * The largest of which all n + 1 fit into a quarter of the grants: as many of each size as can have
 * been given leave a quarter for those that need one page only.
 */
static size_t xen_ring(size_t n)
{
    static const size_t sizes[] = {VCHAN_RING, 16384, 4096};
    size_t most = grants_in_all() / 4;

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        if ((2 * sizes[i] / PAGE + 1) * (n + 1) <= most)
            return sizes[i];
    return 1024;
}

/*
 * One at a time in a VM: all its servers write below the same nodes, so that of those at once one
 * gets through and the others begin anew. In a VM the connection is a device that all have open.
 * A lock that is never given back is passed over in the end.
 */
static bool may_offer(const struct xen_vchan *x)
{
    return flock(xenstore_fd(x->xs), LOCK_EX | LOCK_NB) == 0 || !deadline_left(x->locked_until);
}

/* What was refused for want of a transaction is tried again. */
static int server_offer(struct xen_vchan *x)
{
    int r = -EAGAIN;

    if (may_offer(x)) {
        r = offer_some_rings(x);
        (void)flock(xenstore_fd(x->xs), LOCK_UN);
        if (r == -EDQUOT && !x->offer_until)
            x->offer_until = clock_ms() + OFFER_MS;
    }
    if (r != -EAGAIN && (r != -EDQUOT || !deadline_left(x->offer_until)))
        return r;
    x->offer_at = clock_ms() + x->pause;
    x->pause = x->pause * 2 < PAUSE_LONGEST ? x->pause * 2 : PAUSE_LONGEST;
    return 0;
}

static int server_start(struct xen_vchan *x)
{
    x->base.state = VCHAN_WAITING;
    x->locked_until = clock_ms() + LOCKED_MS;
    x->offer_until = 0;
    x->pause = PAUSE_FIRST;
    return server_offer(x);
}

static int xen_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = NULL;
    int r;

    if (ring > RING_MOST)
        ring = RING_MOST;
    r = xen_vchan_new(peer, port, true, &x);
    if (r)
        return r;
    x->ring = ring;
    r = server_start(x);
    if (!r)
        *ret = &take(x)->base;
    return r;
}

static int xen_reset(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);
    int r = 0;

    if (!x->server)
        return -EOPNOTSUPP;
    drop_ctrl(x);
    if (!x->xs)
        r = xenstore_open(&x->xs);
    return r ? r : server_start(x);
}

/* ---- Client ---- */

/*
 * Attaches if the server's rings are there. Not there, half there, or left by a server that died:
 * wait on, a new server's rings fire the watch.
 */
static int client_look(struct xen_vchan *x)
{
    struct listener l = {.base = {.vmessage = on_message}};
    char key[sizeof(x->path) + 16], text[16];
    int r = format(key, sizeof(key), "%s/event-channel", x->path);

    if (!r)
        r = xenstore_read(x->xs, key, text, sizeof(text));
    if (r)
        return r == -ENOENT || r == -EACCES || r == -EMSGSIZE ? 0 : r;
    x->ctrl = libxenvchan_client_init(&l.base, (int)x->peer, x->path);
    if (!x->ctrl)
        return 0;
    xenevtchn_notify(x->ctrl->event, x->ctrl->event_port);
    x->base.state = VCHAN_CONNECTED;
    if (x->both < 0)
        drop_xs(x);
    else
        (void)xenstore_unwatch(x->xs, key, WATCH_PLACE);
    return take_ctrl(x);
}

static int client_try(struct xen_vchan *x)
{
    x->look_at = clock_ms() + x->pause;
    x->pause = x->pause * 2 < LOOK_LONGEST ? x->pause * 2 : LOOK_LONGEST;
    return client_look(x);
}

/* All that wait in a VM have 128 watches together: who gets none of them is not lost for that. */
static int xen_connect(uint32_t peer, uint32_t port, struct vchan **ret)
{
    _cleanup_(xen_vchan_freep) struct xen_vchan *x = NULL;
    char key[sizeof(x->path) + 16];
    int r = xen_vchan_new(peer, port, false, &x);

    if (!r)
        r = check_device("/dev/xen/evtchn");
    if (!r)
        r = check_device("/dev/xen/gntdev");
    if (!r)
        r = format(key, sizeof(key), "%s/event-channel", x->path);
    if (!r) {
        x->pause = PAUSE_FIRST;
        x->unwatched = xenstore_watch(x->xs, key, WATCH_PLACE) != 0;
        r = client_try(x);
    }
    if (!r)
        *ret = &take(x)->base;
    return r;
}

/* ---- Both ---- */

static int xen_fd(const struct vchan *v)
{
    const struct xen_vchan *x = xen_vchan(v);

    if (x->both >= 0)
        return x->both;
    return x->ctrl ? event_fd(x) : xenstore_fd(x->xs);
}

/* The event channel tells of everything, wanted or not. */
static short xen_events(struct vchan *v, bool want_read, bool want_write)
{
    (void)v;
    (void)want_read;
    (void)want_write;
    return POLLIN;
}

static bool waits_for_rings(const struct xen_vchan *x)
{
    return x->base.state == VCHAN_WAITING && x->server && !x->ctrl;
}

static int xen_timeout(const struct vchan *v)
{
    const struct xen_vchan *x = xen_vchan(v);

    if (v->state != VCHAN_CLOSED && x->xs && xenstore_has_news(x->xs))
        return 0;
    if (v->state == VCHAN_WAITING && x->unwatched)
        return deadline_left(x->look_at);
    return waits_for_rings(x) ? deadline_left(x->offer_at) : -1;
}

static void take_state(struct xen_vchan *x)
{
    int open = libxenvchan_is_open(x->ctrl);

    if (open == 0)
        x->base.state = VCHAN_CLOSED;
    if (x->base.state != VCHAN_WAITING || open != 1)
        return;
    x->base.state = VCHAN_CONNECTED;
    (void)xenstore_remove(x->xs, x->path);
    forget_place(x);
    if (x->both < 0)
        drop_xs(x);
}

/* What is in the ring stays readable: its pages are ours as long as they are mapped. */
static int peer_is_gone(struct xen_vchan *x)
{
    bool waiting = x->base.state == VCHAN_WAITING;

    x->base.gone = true;
    x->base.state = VCHAN_CLOSED;
    return waiting ? -EHOSTDOWN : 0;
}

/*
 * Without xenstore a connected vchan goes on; that its peer's domain ends is not noticed any more.
 */
static int take_news(struct xen_vchan *x)
{
    unsigned fired = 0;
    int r = xenstore_dispatch(x->xs, &fired);

    if (!r && fired & 1U << WATCH_ENDS)
        r = life_look(x->xs, &x->life);
    if (r == -EHOSTDOWN)
        return peer_is_gone(x);
    if (r && x->base.state == VCHAN_CONNECTED) {
        drop_xs(x);
        r = 0;
    }
    return r;
}

/* 1: there was one, 0: none. */
static int take_event(struct xen_vchan *x)
{
    errno = 0;
    if (libxenvchan_wait(x->ctrl) < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno ? -errno : -EIO;
    take_state(x);
    return 1;
}

static int try_again(struct xen_vchan *x)
{
    if (!x->server)
        return client_try(x);
    return deadline_left(x->offer_at) ? 0 : server_offer(x);
}

/*
 * While events come, the peer lives: its domain is looked at when there are none. The descriptor
 * goes on to say so until then.
 */
static int xen_dispatch(struct vchan *v)
{
    struct xen_vchan *x = xen_vchan(v);
    int r = 0;

    if (v->state == VCHAN_CLOSED)
        return 0;
    if (x->ctrl)
        r = take_event(x);
    if (r == 0 && x->xs)
        r = take_news(x);
    if (r == 0 && !x->ctrl)
        r = try_again(x);
    if (r < 0)
        v->state = VCHAN_CLOSED;
    return r < 0 ? r : 0;
}

static void xen_lose(struct vchan *v)
{
    (void)peer_is_gone(xen_vchan(v));
}

/* A counter that cannot be is the peer's doing. The library takes such a ring for an empty one. */
static bool counters_are_sane(const struct libxenvchan_ring *ring)
{
    uint32_t used = *(volatile uint32_t *)&ring->shr->prod - *(volatile uint32_t *)&ring->shr->cons;

    return used <= 1U << ring->order;
}

/* -1 also where the peer wrote and left between the library's two looks. */
static int read_ring(struct xen_vchan *x, void *data, int n)
{
    int got = libxenvchan_read(x->ctrl, data, (size_t)n);

    if (got < 0 && libxenvchan_data_ready(x->ctrl) > 0)
        got = libxenvchan_read(x->ctrl, data, (size_t)n);
    return got;
}

static ssize_t xen_read(struct vchan *v, void *data, size_t n)
{
    struct xen_vchan *x = xen_vchan(v);
    int got;

    if (!x->ctrl || v->state == VCHAN_WAITING)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    if (!n)
        return 0;
    got = read_ring(x, data, (int)size_min(n, RING_MOST));
    if (got > 0)
        return got;
    if (got < 0 || x->base.gone || !counters_are_sane(&x->ctrl->read))
        v->state = VCHAN_CLOSED;
    return v->state == VCHAN_CLOSED ? -EPIPE : 0;
}

static ssize_t xen_write(struct vchan *v, const void *data, size_t n)
{
    struct xen_vchan *x = xen_vchan(v);
    int put;

    if (v->state != VCHAN_CONNECTED)
        return v->state == VCHAN_CLOSED ? -EPIPE : 0;
    if (!n)
        return 0;
    put = libxenvchan_write(x->ctrl, data, size_min(n, RING_MOST));
    if (put < 0 || (put == 0 && !counters_are_sane(&x->ctrl->write)))
        v->state = VCHAN_CLOSED;
    return v->state == VCHAN_CLOSED ? -EPIPE : put;
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
    .lose = xen_lose,
    .read = xen_read,
    .write = xen_write,
    .ring = xen_ring,
    .deaths_new = xen_deaths_new,
    .deaths_free = xen_deaths_free,
    .deaths_fd = xen_deaths_fd,
    .deaths_follow = xen_deaths_follow,
    .deaths_dispatch = xen_deaths_dispatch,
    .forget = xen_forget,
    .forget_port = xen_forget_port,
};
