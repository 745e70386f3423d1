/* One notice a minute: see notices.h. */
#include "policy-engine/prompt/notices.h"

struct notice {
    struct notice *next;
    char *source, *service; /* service NULL: several */
    size_t more;
    uint64_t until;
};

static void notice_free(struct notice *e)
{
    free(e->source);
    free(e->service);
    free(e);
}

static bool is_about(const struct notice *e, const char *source, const char *service)
{
    if (!str_equal(e->source, source))
        return false;
    return e->service && service ? str_equal(e->service, service) : e->service == service;
}

static struct notice *find(const struct notices *n, const char *source, const char *service)
{
    struct notice *e = n->first;

    while (e && !is_about(e, source, service))
        e = e->next;
    return e;
}

static size_t count_services(const struct notices *n, const char *source)
{
    size_t services = 0;

    for (const struct notice *e = n->first; e; e = e->next)
        services += str_equal(e->source, source) && e->service;
    return services;
}

static void begin(struct notices *n, const char *source, const char *service, uint64_t now)
{
    struct notice *e = calloc(1, sizeof(*e));

    if (!e)
        return;
    e->source = strdup(source);
    e->service = service ? strdup(service) : NULL;
    if (!e->source || (service && !e->service)) {
        notice_free(e);
        return;
    }
    e->until = now + NOTICES_MS;
    e->next = n->first;
    n->first = e;
    n->n++;
}

bool notices_add(struct notices *n, const char *source, const char *service, uint64_t now)
{
    struct notice *e = find(n, source, service);

    if (!e && count_services(n, source) >= NOTICES_SERVICES) {
        service = NULL;
        e = find(n, source, NULL);
    }
    if (e) { /* also one that is over and was not told yet */
        e->more++;
        return false;
    }
    if (n->n >= NOTICES_MOST)
        return false;
    begin(n, source, service, now);
    return true;
}

uint64_t notices_next(const struct notices *n)
{
    uint64_t next = 0;

    for (const struct notice *e = n->first; e; e = e->next)
        if (!next || e->until < next)
            next = e->until;
    return next;
}

void notices_expire(struct notices *n, uint64_t now,
                    void (*fn)(void *user, const char *source, const char *service, size_t more),
                    void *user)
{
    for (struct notice **p = &n->first; *p;) {
        struct notice *e = *p;

        if (now < e->until) {
            p = &e->next;
            continue;
        }
        *p = e->next;
        n->n--;
        if (e->more)
            fn(user, e->source, e->service, e->more);
        notice_free(e);
    }
}

void notices_deinit(struct notices *n)
{
    while (n->first) {
        struct notice *e = n->first;

        n->first = e->next;
        notice_free(e);
    }
    *n = (struct notices){0};
}
