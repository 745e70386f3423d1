/* Buckets of rules, and the walk through those of a request. */
#include "policy-engine/lib/index.h"

/* What a rule is sorted by: its bucket, then its place. */
struct key {
    uint32_t service, argument, rule;
};

static int order_of_numbers(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int order_of_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int o = order_of_numbers(a->service, b->service);

    if (!o)
        o = order_of_numbers(a->argument, b->argument);
    return o ? o : order_of_numbers(a->rule, b->rule);
}

static struct key *make_keys(const struct policy *p)
{
    struct key *keys = calloc(p->n + 1, sizeof(*keys));

    for (size_t i = 0; keys && i < p->n; i++) {
        const struct rule *r = &p->rules[i];

        keys[i] = (struct key){r->service, r->regex ? NAME_NONE : r->argument, (uint32_t)i};
    }
    if (keys)
        qsort(keys, p->n, sizeof(*keys), order_of_keys);
    return keys;
}

int index_make(struct policy *p)
{
    _cleanup_(freep) struct key *keys = make_keys(p);

    p->buckets = calloc(p->n + 1, sizeof(*p->buckets));
    p->places = calloc(p->n + 1, sizeof(*p->places));
    if (!keys || !p->buckets || !p->places)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->n; i++) {
        if (!i || keys[i].service != keys[i - 1].service ||
            keys[i].argument != keys[i - 1].argument)
            p->buckets[p->n_buckets++] = (struct bucket){keys[i].service, keys[i].argument, i, 0};
        p->buckets[p->n_buckets - 1].n++;
        p->places[i] = keys[i].rule;
    }
    return 0;
}

static const struct bucket *find(const struct policy *p, uint32_t service, uint32_t argument)
{
    size_t low = 0, high = p->n_buckets;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct bucket *b = &p->buckets[middle];
        int o = order_of_numbers(service, b->service);

        if (!o)
            o = order_of_numbers(argument, b->argument);
        if (!o)
            return b;
        if (o < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void add_part(struct walk *w, uint32_t service, uint32_t argument)
{
    const struct bucket *b = find(w->policy, service, argument);

    if (!b)
        return;
    w->part[w->n_parts].rules = w->policy->places + b->first;
    w->part[w->n_parts++].n = b->n;
}

struct walk walk_start(const struct policy *p, uint32_t service, uint32_t argument, bool backwards)
{
    struct walk w = {.policy = p, .backwards = backwards};

    if (service != NAME_NONE && service != NAME_ANY) {
        if (argument != NAME_NONE && argument != NAME_ANY)
            add_part(&w, service, argument);
        add_part(&w, service, NAME_ANY);
        add_part(&w, service, NAME_NONE);
    }
    add_part(&w, NAME_ANY, NAME_ANY);
    return w;
}

const struct rule *walk_next(struct walk *w)
{
    size_t best = WALK_BUCKETS;
    uint32_t rule = 0;

    for (size_t i = 0; i < w->n_parts; i++) {
        size_t n = w->part[i].n;
        uint32_t next = n ? w->part[i].rules[w->backwards ? n - 1 : 0] : 0;

        if (n && (best == WALK_BUCKETS || (w->backwards ? next > rule : next < rule))) {
            best = i;
            rule = next;
        }
    }
    if (best == WALK_BUCKETS)
        return NULL;
    w->part[best].n--;
    if (!w->backwards)
        w->part[best].rules++;
    return &w->policy->rules[rule];
}
