/* A token bucket a source: see refusals.h. */
#include "policy-engine/refusals.h"

#define COUNT_OLD_MS 10000 /* a flood is told that often while it goes on */
#define LAST_SIZE    256

struct refusal_account {
    struct refusal_account *next;
    uint64_t tokens, filled_ms, last_ms;
    uint64_t count, since_ms; /* not told */
    char last[LAST_SIZE];
    char source[];
};

void refusals_deinit(struct refusals *r)
{
    while (r->first) {
        struct refusal_account *a = r->first;

        r->first = a->next;
        free(a);
    }
    r->n = 0;
}

/* The account in use last comes first: a flood finds its own at once. */
static struct refusal_account *find_or_add(struct refusals *r, const char *source, uint64_t now)
{
    size_t n = strlen(source) + 1;
    struct refusal_account *a, **p;

    for (p = &r->first; *p; p = &(*p)->next)
        if (str_equal((*p)->source, source)) {
            a = *p;
            *p = a->next;
            a->next = r->first;
            r->first = a;
            return a;
        }
    a = r->n < REFUSALS_SOURCES ? calloc(1, sizeof(*a) + n) : NULL;
    if (!a)
        return NULL;
    memcpy(a->source, source, n);
    a->tokens = REFUSALS_BURST;
    a->filled_ms = now;
    a->next = r->first;
    r->first = a;
    r->n++;
    return a;
}

static void refill(struct refusal_account *a, uint64_t now)
{
    uint64_t more = now > a->filled_ms ? (now - a->filled_ms) / REFUSALS_REFILL_MS : 0;

    a->filled_ms += more * REFUSALS_REFILL_MS;
    a->tokens = more < REFUSALS_BURST && a->tokens + more < REFUSALS_BURST ? a->tokens + more
                                                                           : REFUSALS_BURST;
}

bool refusals_take(struct refusals *r, const char *source, uint64_t now, const char *last)
{
    struct refusal_account *a = find_or_add(r, source, now);

    if (!a)
        return true;
    refill(a, now);
    a->last_ms = now;
    if (a->tokens > 0 && !a->count) {
        a->tokens--;
        return true;
    }
    if (!a->count++)
        a->since_ms = now;
    (void)format(a->last, sizeof(a->last), "%s", last); /* what does not fit is cut */
    return false;
}

static bool is_due(const struct refusal_account *a, uint64_t now)
{
    return a->count && (now - a->last_ms >= REFUSALS_QUIET_MS || now - a->since_ms >= COUNT_OLD_MS);
}

static bool is_full(const struct refusal_account *a, uint64_t now)
{
    return !a->count && now - a->last_ms >= REFUSALS_BURST * REFUSALS_REFILL_MS;
}

uint64_t refusals_flush(struct refusals *r, uint64_t now, bool all,
                        void (*tell)(void *user, const struct refusals_repeat *repeat), void *user)
{
    struct refusal_account **p = &r->first, *a;

    while ((a = *p)) {
        if (a->count && (all || is_due(a, now))) {
            tell(user, &(struct refusals_repeat){.source = a->source,
                                                 .last = a->last,
                                                 .count = a->count,
                                                 .ms = now - a->since_ms});
            a->count = 0;
        }
        if (is_full(a, now)) {
            *p = a->next;
            r->n--;
            free(a);
        } else {
            p = &a->next;
        }
    }
    return r->first ? REFUSALS_QUIET_MS : 0;
}
