/* The helper's one conversation: see helper.h. */
#include "domain-spawner/helper.h"

#include "domain-spawner/helper-protocol.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <sys/socket.h>

#define DOMAINS_MAX 4096

struct entry {
    struct entry *next;
    char uuid[DOMAIN_UUID_SIZE];
    struct backend_domain *domain;
};

struct helper {
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_events events;
    struct entry *first;
    size_t n;
    bool front_gone;
};

static void say(const struct helper_message *m)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r = helper_message_format(m, &text, &n);

    /* a full socket is waited for: the front always reads, and is all that we serve */
    if (!r && send(HELPER_FD, text, n, MSG_NOSIGNAL) < 0)
        r = -errno;
    if (r)
        log_error("cannot tell the domain spawner about a domain: %s", strerror(-r));
}

static void set_text(struct helper_message *m, const char *text)
{
    (void)format(m->text, sizeof(m->text), "%s", text);
}

static void set_uuid(struct helper_message *m, const char *uuid)
{
    (void)format(m->uuid, sizeof(m->uuid), "%s", uuid);
}

static struct entry **find(struct helper *h, const char *uuid)
{
    struct entry **p = &h->first;

    while (*p && !str_equal((*p)->uuid, uuid))
        p = &(*p)->next;
    return p;
}

static void forget(struct helper *h, const char *uuid)
{
    struct entry **p = find(h, uuid), *e = *p;

    if (!e)
        return;
    *p = e->next;
    h->n--;
    free(e);
}

static void on_running(void *user, const struct domain_spec *spec, uint32_t domid)
{
    struct helper_message m = {.type = HELPER_RUNNING, .domid = domid};

    (void)user;
    set_uuid(&m, spec->uuid);
    say(&m);
}

static void on_start_failed(void *user, const struct domain_spec *spec, const char *reason)
{
    struct helper_message m = {.type = HELPER_START_FAILED};

    forget(user, spec->uuid);
    set_uuid(&m, spec->uuid);
    set_text(&m, reason);
    say(&m);
}

static void on_gone(void *user, const struct domain_spec *spec, enum domain_end end)
{
    struct helper_message m = {.type = HELPER_GONE, .end = end};

    forget(user, spec->uuid);
    set_uuid(&m, spec->uuid);
    say(&m);
}

static const char *error_text(int r)
{
    switch (r) {
    case 0: return "";
    case BACKEND_E_UNSUPPORTED: return "this backend cannot do that";
    case BACKEND_E_UNKNOWN: return "no such domain runs";
    case BACKEND_E_EXISTS: return "a domain of that name or uuid runs already";
    default: return r < 0 ? strerror(-r) : "failed";
    }
}

static int create(struct helper *h, const struct domain_spec *spec, uint32_t *ret_domid)
{
    struct entry *e = calloc(1, sizeof(*e));
    int r = -ENOMEM;

    if (e && h->n >= DOMAINS_MAX)
        r = -EMFILE;
    else if (e && *find(h, spec->uuid))
        r = BACKEND_E_EXISTS;
    else if (e)
        r = h->ops->create(h->backend, spec, &e->domain, ret_domid);
    if (r) {
        free(e);
        return r;
    }
    memcpy(e->uuid, spec->uuid, sizeof(e->uuid));
    e->next = h->first;
    h->first = e;
    h->n++;
    return 0;
}

static int optional(int (*hook)(struct backend_domain *), struct backend_domain *d)
{
    return hook ? hook(d) : BACKEND_E_UNSUPPORTED;
}

static int carry_out(struct helper *h, const struct helper_request *rq,
                     struct helper_message *answer)
{
    struct entry *e = *find(h, rq->spec.uuid);

    if (rq->type == HELPER_CREATE)
        return create(h, &rq->spec, &answer->domid);
    if (!e)
        return BACKEND_E_UNKNOWN;
    switch (rq->type) {
    case HELPER_SHUTDOWN: return h->ops->shutdown(e->domain);
    case HELPER_DESTROY: h->ops->destroy(e->domain); return 0;
    case HELPER_PAUSE: return optional(h->ops->pause, e->domain);
    case HELPER_UNPAUSE: return optional(h->ops->unpause, e->domain);
    case HELPER_STATS:
        return h->ops->stats ? h->ops->stats(e->domain, &answer->stats) : BACKEND_E_UNSUPPORTED;
    case HELPER_CREATE: break;
    }
    return BACKEND_E_UNSUPPORTED;
}

static void one_request(struct helper *h, const char *data, size_t n)
{
    struct helper_message answer = {.type = HELPER_ANSWER};
    struct helper_request rq;
    const char *field = NULL;
    int r = helper_request_parse(data, n, &rq, &answer.id, &field);

    if (r == HELPER_E_FIELD)
        (void)format(answer.text, sizeof(answer.text), "the request's field \"%s\" is not allowed",
                     field);
    else if (r)
        set_text(&answer, "not a request");
    if (!r) {
        answer.id = rq.id;
        set_text(&answer, error_text(carry_out(h, &rq, &answer)));
    }
    say(&answer);
}

static void destroy_all(struct helper *h)
{
    h->front_gone = true;
    for (struct entry *e = h->first; e; e = e->next)
        h->ops->destroy(e->domain);
}

bool helper_dispatch(struct helper *h)
{
    static char data[HELPER_DATAGRAM_MAX + 1];

    for (int budget = 64; budget > 0 && !h->front_gone; budget--) {
        ssize_t n = recv(HELPER_FD, data, sizeof(data), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0)
            destroy_all(h);
        else
            one_request(h, data, (size_t)n);
    }
    h->ops->dispatch(h->backend);
    return !h->front_gone || h->first;
}

void helper_end(struct helper *h)
{
    if (!h->front_gone)
        destroy_all(h);
}

int helper_backend_fd(const struct helper *h)
{
    return h->ops->fd(h->backend);
}

int helper_timeout(const struct helper *h)
{
    return h->ops->timeout(h->backend);
}

int helper_new(const struct backend_ops *ops, struct helper **ret, const char **ret_why)
{
    struct helper_message hello = {.type = HELPER_HELLO};
    struct helper *h = calloc(1, sizeof(*h));
    int r;

    if (!h)
        return -ENOMEM;
    h->ops = ops;
    h->events = (struct backend_events){
        .running = on_running, .start_failed = on_start_failed, .gone = on_gone, .user = h};
    r = ops->open(&h->events, &h->backend, ret_why);
    if (r) {
        free(h);
        return r;
    }
    set_text(&hello, ops->name);
    say(&hello);
    *ret = h;
    return 0;
}

void helper_free(struct helper *h)
{
    if (!h)
        return;
    h->ops->close(h->backend);
    while (h->first)
        forget(h, h->first->uuid);
    free(h);
}
