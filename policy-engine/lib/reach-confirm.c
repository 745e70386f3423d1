/* A chain as a whole: one world in which each of its calls is decided as it should be. */
#include "policy-engine/lib/reach.h"

#define CHAIN_MAX  64
#define UNION_TAGS 64

/* Domains of several worlds, by name. */
struct merged {
    struct policy_domain dom;
    const char *tags[UNION_TAGS];
};

struct whole {
    struct shape shapes[CHAIN_MAX];
    const struct edge *edges[CHAIN_MAX];
    size_t n;
    struct world worlds[CHAIN_MAX]; /* of each call; they own the texts */
    struct reach_names names[CHAIN_MAX];
    char by_uuid[CHAIN_MAX][40]; /* names for domains of which only the uuid matters */
    struct merged *domains;
    size_t n_domains, cap;
};

/* The calls in order; each ends at what the next starts from. */
static bool gather(const struct reach *r, size_t step, const struct shape *last, struct whole *w)
{
    for (size_t s = step; s != NO_STEP; s = r->steps[s].parent)
        w->n++;
    if (w->n > CHAIN_MAX)
        return false;
    for (size_t i = w->n; i > 0; i--, step = r->steps[step].parent) {
        w->edges[i - 1] = &r->edges[r->steps[step].edge];
        w->shapes[i - 1] = i == w->n ? *last : r->steps[step].shape;
        if (i < w->n && !reach_narrow(&w->shapes[i - 1], w->edges[i - 1], &w->shapes[i].source))
            return false;
    }
    return true;
}

static struct domain_class *class_at(struct whole *w, size_t i)
{
    struct shape *s = &w->shapes[i / 4];
    struct domain_class *const all[] = {&s->source, &s->target, &s->standard, &s->other};

    return all[i % 4];
}

/* What has this one's uuid, in whichever call, has its name. */
static void spread_name(struct whole *w, const struct domain_class *c)
{
    for (size_t k = 0; k < 4 * w->n; k++) {
        struct domain_class *other = class_at(w, k);

        if (!other->name && other->uuid && strcmp(other->uuid, c->uuid) == 0)
            other->name = c->name;
    }
}

/* One uuid is one domain in all calls of the chain. */
static void share_names(const struct reach *r, struct whole *w)
{
    unsigned n = 0;

    for (size_t i = 0; i < 4 * w->n; i++)
        if (class_at(w, i)->uuid && class_at(w, i)->name)
            spread_name(w, class_at(w, i));
    for (size_t i = 0; i < 4 * w->n && n < CHAIN_MAX; i++) {
        struct domain_class *c = class_at(w, i);

        if (!c->uuid || c->name)
            continue;
        fresh_name(w->by_uuid[n], r->search.policy, r->words, "uuid-vm-", n);
        c->name = w->by_uuid[n++];
        spread_name(w, c);
    }
}

static struct merged *find(struct whole *w, const char *name)
{
    for (size_t i = 0; i < w->n_domains; i++)
        if (strcmp(w->domains[i].dom.name, name) == 0)
            return &w->domains[i];
    return NULL;
}

static void add_tags(struct merged *m, const struct policy_domain *dom)
{
    for (size_t i = 0; i < dom->n_tags; i++) {
        bool have = m->dom.n_tags == UNION_TAGS;

        for (size_t k = 0; k < m->dom.n_tags; k++)
            have |= strcmp(m->tags[k], dom->tags[i]) == 0;
        if (!have)
            m->tags[m->dom.n_tags++] = dom->tags[i];
    }
}

static bool is_made_up(const struct fresh *f, const char *uuid)
{
    for (size_t i = 0; i < 4; i++)
        if (strcmp(uuid, f->uuid[i]) == 0)
            return true;
    return false;
}

static int merge(struct whole *w, const struct fresh *f, const struct policy_domain *dom)
{
    struct merged *m = find(w, dom->name);
    bool uuid = dom->uuid && !is_made_up(f, dom->uuid);

    if (!m) {
        int r = ARRAY_GROW(w->domains, w->cap, w->n_domains);

        if (r)
            return r;
        m = &w->domains[w->n_domains++];
        *m = (struct merged){.dom = *dom};
        m->dom.n_tags = 0;
        m->dom.uuid = NULL;
    }
    if (strcmp(m->dom.type, f->type) == 0)
        m->dom.type = dom->type;
    if (uuid)
        m->dom.uuid = dom->uuid;
    if (dom->default_dispvm)
        m->dom.default_dispvm = dom->default_dispvm;
    if (dom->relayvm) {
        m->dom.relayvm = dom->relayvm;
        m->dom.transport_rpc = dom->transport_rpc;
    }
    m->dom.template_for_dispvms |= dom->template_for_dispvms;
    add_tags(m, dom);
    return 0;
}

static int make_worlds(struct reach *r, struct whole *w)
{
    int result = 0;

    share_names(r, w);
    for (size_t i = 0; !result && i < w->n; i++) {
        struct shape s = w->shapes[i];

        reach_name(r, &s, w->edges[i], (unsigned)i, &w->names[i]);
        result = world_make(&s, &r->search.fresh, &w->worlds[i]);
        for (size_t k = 0; !result && k < policy_domains_count(w->worlds[i].domains); k++)
            result = merge(w, &r->search.fresh, policy_domains_at(w->worlds[i].domains, k));
    }
    return result;
}

static int make_union(struct whole *w, struct policy_domains **ret)
{
    struct policy_domains *d = NULL;
    int result = policy_domains_new(0, &d);

    for (size_t i = 0; !result && i < w->n_domains; i++) {
        w->domains[i].dom.tags = w->domains[i].tags;
        result = policy_domains_add(d, &w->domains[i].dom);
    }
    if (result)
        policy_domains_unref(d);
    else
        *ret = d;
    return result == POLICY_E_EXISTS ? WORLD_E_NONE : result;
}

static int decide_all(struct reach *r, struct whole *w, struct policy_chain *ret)
{
    struct policy_chain chain = {0};
    int result = make_union(w, &chain.domains);

    r->chain = &chain;
    for (size_t i = 0; !result && i < w->n; i++) {
        result = reach_holds(r, w->edges[i], &w->shapes[i], (unsigned)i, chain.domains);
        result = result == SEARCH_FOUND ? 0 : result ? result : WORLD_E_NONE;
    }
    r->chain = NULL;
    if (!result && ret)
        *ret = chain;
    else
        policy_chain_deinit(&chain);
    return !result ? SEARCH_FOUND : result == WORLD_E_NONE ? 0 : result;
}

int reach_confirm(struct reach *r, size_t step, const struct shape *last, struct policy_chain *ret)
{
    struct whole *w = calloc(1, sizeof(*w));
    int result = -ENOMEM;

    if (!w)
        return result;
    result = gather(r, step, last, w) ? make_worlds(r, w) : WORLD_E_NONE;
    if (!result)
        result = decide_all(r, w, ret);
    for (size_t i = 0; i < w->n && i < CHAIN_MAX; i++)
        world_deinit(&w->worlds[i]);
    free(w->domains);
    free(w);
    return result == WORLD_E_NONE ? 0 : result;
}
