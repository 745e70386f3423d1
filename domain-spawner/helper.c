/*
 * The helper: see helper.h.
 *
 * This file is the only caller of the backend's hooks. A domain is in the list from create to its
 * last event. What the front does not read in time is queued, up to a bound that a working front
 * never reaches; a front that does has failed, and all ends.
 */
#include "domain-spawner/helper.h"

#include "domain-spawner/helper-protocol.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <sys/socket.h>

#define REQUESTS_A_TURN 16
#define MOST_DOMAINS    4096
#define MOST_UNREAD     65536 /* messages; the least domains can cause is far below */

struct domain {
    struct domain *next;
    struct backend_domain *backend;
    char uuid[DOMAIN_UUID_SIZE];
    bool stays; /* when we end */
};

struct unread {
    struct unread *next;
    size_t n;
    char data[];
};

struct helper {
    int socket;
    struct unread *first, **last; /* messages that the socket did not take yet */
    size_t n_unread;
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_events events;
    struct domain *domains;
    size_t n_domains;
    bool ending;
};

static const struct backend_ops *const backends[] = {
    &backend_local,
#ifdef HAVE_XEN
    &backend_xen,
#endif
};

const struct backend_ops *backend_find(const char *name)
{
    if (!*name)
        name = access("/proc/xen", F_OK) == 0 || access("/dev/xen/xenbus", F_OK) == 0 ? "xen"
                                                                                      : "local";
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
        if (str_equal(backends[i]->name, name))
            return backends[i];
    return NULL;
}

static struct domain *find(struct helper *h, const char *uuid)
{
    for (struct domain *d = h->domains; d; d = d->next)
        if (str_equal(d->uuid, uuid))
            return d;
    return NULL;
}

static void forget(struct helper *h, const char *uuid)
{
    for (struct domain **at = &h->domains; *at; at = &(*at)->next)
        if (str_equal((*at)->uuid, uuid)) {
            struct domain *d = *at;

            *at = d->next;
            h->n_domains--;
            free(d);
            return;
        }
}

static void drop_unread(struct helper *h)
{
    while (h->first) {
        struct unread *u = h->first;

        h->first = u->next;
        free(u);
    }
    h->last = &h->first;
    h->n_unread = 0;
}

/* Its end is seen when it is read; only what it should still hear goes. */
static void flush(struct helper *h)
{
    while (h->first) {
        struct unread *u = h->first;

        if (send(h->socket, u->data, u->n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno != EAGAIN && errno != EINTR)
                drop_unread(h);
            return;
        }
        h->first = u->next;
        if (!h->first)
            h->last = &h->first;
        h->n_unread--;
        free(u);
    }
}

static int queue(struct helper *h, const char *text, size_t n)
{
    struct unread *u = h->n_unread < MOST_UNREAD ? malloc(sizeof(*u) + n) : NULL;

    if (!u)
        return -ENOBUFS;
    u->next = NULL;
    u->n = n;
    memcpy(u->data, text, n);
    *h->last = u;
    h->last = &u->next;
    h->n_unread++;
    return 0;
}

static void tell(struct helper *h, const struct helper_message *m)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    if (h->socket < 0)
        return;
    r = helper_message_format(m, &text, &n);
    if (!r)
        r = queue(h, text, n);
    if (r) {
        log_error("the front cannot be told what becomes of its domains: %s", strerror(-r));
        helper_end(h);
        return;
    }
    flush(h);
}

static void answer(struct helper *h, uint64_t id, uint32_t domid, const struct domain_stats *stats,
                   const char *error)
{
    struct helper_message m = {.type = HELPER_ANSWER, .id = id, .domid = domid};

    if (stats)
        m.stats = *stats;
    (void)format(m.text, sizeof(m.text), "%s", error);
    tell(h, &m);
}

static const char *error_text(int r)
{
    switch (r) {
    case 0: return "";
    case BACKEND_E_UNSUPPORTED: return "this backend cannot do that";
    case BACKEND_E_UNKNOWN: return "the domain is not running";
    case BACKEND_E_EXISTS: return "a domain of that name, uuid or home is running";
    default: return strerror(r < 0 ? -r : EINVAL);
    }
}

static int create_or_adopt(struct helper *h, const struct helper_request *rq,
                           struct backend_domain **ret, struct helper_message *m)
{
    if (find(h, rq->spec.uuid))
        return BACKEND_E_EXISTS;
    if (rq->type == HELPER_CREATE)
        return h->ops->create(h->backend, &rq->spec, ret, &m->domid);
    return h->ops->adopt ? h->ops->adopt(h->backend, &rq->spec, ret, &m->domid, &m->paused)
                         : BACKEND_E_UNSUPPORTED;
}

static void begin(struct helper *h, const struct helper_request *rq)
{
    struct helper_message m = {.type = HELPER_ANSWER, .id = rq->id};
    struct domain *d = h->n_domains < MOST_DOMAINS ? calloc(1, sizeof(*d)) : NULL;
    int r = d ? create_or_adopt(h, rq, &d->backend, &m) : -ENOMEM;

    if (r) {
        free(d);
        answer(h, rq->id, 0, NULL, error_text(r));
        return;
    }
    memcpy(d->uuid, rq->spec.uuid, sizeof(d->uuid));
    d->stays = h->ops->adopt && !rq->spec.disposable;
    d->next = h->domains;
    h->domains = d;
    h->n_domains++;
    tell(h, &m);
}

static int optional(int (*hook)(struct backend_domain *d), struct backend_domain *d)
{
    return hook ? hook(d) : BACKEND_E_UNSUPPORTED;
}

static void act(struct helper *h, const struct helper_request *rq)
{
    struct domain *d = find(h, rq->spec.uuid);
    struct domain_stats stats = {0};
    int r = d ? 0 : BACKEND_E_UNKNOWN;

    switch (r ? (enum helper_request_type)HELPER_CREATE : rq->type) {
    case HELPER_CREATE:
    case HELPER_ADOPT: break;
    case HELPER_SHUTDOWN: r = h->ops->shutdown(d->backend); break;
    case HELPER_DESTROY: h->ops->destroy(d->backend); break;
    case HELPER_PAUSE: r = optional(h->ops->pause, d->backend); break;
    case HELPER_UNPAUSE: r = optional(h->ops->unpause, d->backend); break;
    case HELPER_STATS:
        r = h->ops->stats ? h->ops->stats(d->backend, &stats) : BACKEND_E_UNSUPPORTED;
        break;
    }
    answer(h, rq->id, 0, r ? NULL : &stats, error_text(r));
}

static void take_request(struct helper *h, const char *data, size_t n)
{
    struct helper_request rq;
    const char *field = "";
    char text[DOMAIN_TEXT_SIZE];
    uint64_t id = 0;
    int r = helper_request_parse(data, n, &rq, &id, &field);

    if (r == HELPER_E_FIELD) {
        (void)format(text, sizeof(text), "request refused: field \"%s\"", field);
        answer(h, id, 0, NULL, text);
    } else if (r) {
        log_warning("a request that cannot be read (%zu bytes) was ignored", n);
    } else if (rq.type == HELPER_CREATE || rq.type == HELPER_ADOPT) {
        begin(h, &rq);
    } else {
        act(h, &rq);
    }
}

static void on_running(void *user, const struct domain_spec *spec, uint32_t domid)
{
    struct helper_message m = {.type = HELPER_RUNNING, .domid = domid};

    memcpy(m.uuid, spec->uuid, sizeof(m.uuid));
    tell(user, &m);
}

static void on_late(void *user, const struct domain_spec *spec, const char *reason)
{
    struct helper_message m = {.type = HELPER_LATE};

    log_warning("%s: %s; it is left running", spec->name, reason);
    memcpy(m.uuid, spec->uuid, sizeof(m.uuid));
    (void)format(m.text, sizeof(m.text), "%s", reason);
    tell(user, &m);
}

static void on_start_failed(void *user, const struct domain_spec *spec, const char *reason)
{
    struct helper_message m = {.type = HELPER_START_FAILED};

    log_warning("%s: %s", spec->name, reason);
    memcpy(m.uuid, spec->uuid, sizeof(m.uuid));
    (void)format(m.text, sizeof(m.text), "%s", reason);
    forget(user, spec->uuid);
    tell(user, &m);
}

static void on_gone(void *user, const struct domain_spec *spec, enum domain_end end)
{
    static const char *const how[] = {"shut down", "crashed", "was destroyed"};
    struct helper_message m = {.type = HELPER_GONE, .end = end};

    memcpy(m.uuid, spec->uuid, sizeof(m.uuid));
    log_info("%s: it %s", spec->name, how[end]);
    forget(user, spec->uuid);
    tell(user, &m);
}

static void on_found(void *user, const char *uuid)
{
    struct helper_message m = {.type = HELPER_FOUND};

    (void)format(m.uuid, sizeof(m.uuid), "%s", uuid);
    tell(user, &m);
}

int helper_new(int socket, const struct backend_ops *ops, struct helper **ret, const char **ret_why)
{
    struct helper_message hello = {.type = HELPER_HELLO};
    struct helper *h = calloc(1, sizeof(*h));
    int r;

    if (!h)
        return -ENOMEM;
    h->socket = socket;
    h->last = &h->first;
    h->ops = ops;
    h->events = (struct backend_events){on_running, on_late, on_start_failed, on_gone, h};
    r = ops->open(&h->events, &h->backend, ret_why);
    if (r) {
        close_fd(&h->socket);
        free(h);
        return r;
    }
    if (ops->list)
        ops->list(h->backend, on_found, h);
    hello.outlive = ops->adopt != NULL;
    (void)format(hello.text, sizeof(hello.text), "%s", ops->name);
    tell(h, &hello);
    *ret = h;
    return 0;
}

void helper_free(struct helper *h)
{
    if (!h)
        return;
    h->ops->close(h->backend);
    while (h->domains)
        forget(h, h->domains->uuid);
    drop_unread(h);
    close_fd(&h->socket);
    free(h);
}

bool helper_has_unread(const struct helper *h)
{
    return h->socket >= 0 && h->first;
}

int helper_socket(const struct helper *h)
{
    return h->socket;
}

int helper_backend_fd(const struct helper *h)
{
    return h->ops->fd(h->backend);
}

int helper_timeout(const struct helper *h)
{
    return h->ops->timeout(h->backend);
}

void helper_end(struct helper *h)
{
    h->ending = true;
    for (struct domain *d = h->domains; d; d = d->next)
        if (!d->stays)
            h->ops->destroy(d->backend);
}

bool helper_is_over(const struct helper *h)
{
    const struct domain *d = h->domains;

    while (d && d->stays)
        d = d->next;
    return h->ending && !d;
}

/* A datagram that is cut was longer than any of ours. */
static void read_front(struct helper *h)
{
    char data[HELPER_DATAGRAM_MAX + 1];

    for (int i = 0; i < REQUESTS_A_TURN && !h->ending; i++) {
        ssize_t n = recv(h->socket, data, sizeof(data), MSG_DONTWAIT);

        if (n > 0) {
            take_request(h, data, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            drop_unread(h);
            close_fd(&h->socket);
            helper_end(h);
        } else {
            return;
        }
    }
}

void helper_dispatch(struct helper *h)
{
    if (h->socket >= 0)
        read_front(h);
    h->ops->dispatch(h->backend);
    if (h->socket >= 0)
        flush(h);
}
