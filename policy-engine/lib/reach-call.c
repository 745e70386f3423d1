/* One call of a chain: what its domains are, and whether it is decided so. */
#include "policy-engine/lib/reach.h"

#include <stdio.h>

static const char *const created[] = {"created-by-dom0", "disp-created-by-dom0"};

static const struct domain_class *end_class(const struct shape *s, const struct edge *e)
{
    return e->part == END_TARGET ? &s->target : e->part == END_STANDARD ? &s->standard : &s->other;
}

static bool is_created(const char *tag)
{
    return strcmp(tag, created[0]) == 0 || strcmp(tag, created[1]) == 0;
}

static bool is_disposable_name(const char *name)
{
    return strncmp(name, "disp", 4) == 0 && name[4] && !name[4 + strspn(name + 4, "0123456789")];
}

struct domain_class reach_end(const struct shape *s, const struct edge *e)
{
    const struct domain_class *c = end_class(s, e);
    struct domain_class node = *c;

    if (!e->disposable)
        return node;
    node = (struct domain_class){.type = "DispVM"};
    for (size_t i = 0; i < 2; i++)
        node.tags[node.n_tags++] = created[i];
    for (size_t i = 0; i < c->n_tags && node.n_tags < CLASS_TAGS_MAX; i++)
        if (!is_created(c->tags[i]))
            node.tags[node.n_tags++] = c->tags[i];
    return node;
}

bool reach_narrow(struct shape *s, const struct edge *e, const struct domain_class *node)
{
    struct domain_class *c = (struct domain_class *)end_class(s, e), tags = {0};

    if (!e->disposable)
        return class_join(c, node);
    if (node->dom0 || node->uuid || /* that is new with each disposable */
        (node->name && !is_disposable_name(node->name)) ||
        (node->type && strcmp(node->type, "DispVM") != 0))
        return false;
    tags.dom0 = c->dom0;
    for (size_t i = 0; i < node->n_tags; i++)
        if (!is_created(node->tags[i]))
            tags.tags[tags.n_tags++] = node->tags[i];
    return class_join(c, &tags);
}

/* Two classes of one uuid are one domain, so a name of either is the other's too. */
static void share_names(struct domain_class *const all[static 4])
{
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++)
            if (!all[i]->name && all[k]->name && all[i]->uuid && all[k]->uuid &&
                strcmp(all[i]->uuid, all[k]->uuid) == 0)
                all[i]->name = all[k]->name;
}

static void name_class(const struct reach *r, struct domain_class *const all[static 4],
                       struct domain_class *c, char buf[static 40], const char *stem,
                       unsigned number)
{
    share_names(all);
    if (c->dom0 || c->name)
        return;
    fresh_name(buf, r->search.policy, r->words, stem, number);
    c->name = buf;
}

static const char *stem_of(const struct domain_class *c)
{
    return c->type && strcmp(c->type, "DispVM") == 0 ? "disp" : "vm-";
}

void reach_name(const struct reach *r, struct shape *s, const struct edge *e, unsigned depth,
                struct reach_names *names)
{
    struct domain_class *end = (struct domain_class *)end_class(s, e);
    struct domain_class *const all[] = {&s->source, &s->target, &s->standard, &s->other};

    name_class(r, all, &s->source, names->source, stem_of(&s->source), depth + 1);
    name_class(r, all, end, names->end, e->disposable ? "dvm-" : stem_of(end), depth + 2);
    for (size_t i = 1; i < 4; i++)
        if (all[i] != end)
            name_class(r, all, all[i], names->other[i - 1], i == 2 ? "default-dvm-" : "other-vm-",
                       depth * 3 + (unsigned)i);
}

static int hop_copy(const char *from, char **to)
{
    *to = span_dup(span_of(from));
    return *to ? 0 : -ENOMEM;
}

static void hop_deinit(struct policy_hop *h)
{
    free(h->service);
    free(h->argument);
    free(h->source);
    free(h->target);
    free(h->final);
}

void policy_chain_deinit(struct policy_chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        hop_deinit(&c->hops[i]);
    free(c->hops);
    policy_domains_unref(c->domains);
    policy_closers_deinit(&c->closers);
    *c = (struct policy_chain){0};
}

int chain_add(struct policy_chain *c, const struct policy_example *e)
{
    struct policy_hop h = {.rule = e->rule, .action = e->action};
    size_t cap = c->n; /* chains are short: each hop makes place for itself */
    int r = array_grow(&c->hops, &cap, c->n, sizeof(*c->hops));

    if (r)
        return r;
    r = hop_copy(e->service, &h.service);
    if (!r)
        r = hop_copy(e->argument, &h.argument);
    if (!r)
        r = hop_copy(e->source, &h.source);
    if (!r)
        r = hop_copy(e->target, &h.target);
    if (!r)
        r = hop_copy(e->final, &h.final);
    if (r)
        hop_deinit(&h);
    else
        c->hops[c->n++] = h;
    return r;
}

/* The name that the end must be known by, as a token. */
static bool end_word(const struct shape *s, const struct edge *e, char *buf, size_t size)
{
    const struct domain_class *c = end_class(s, e);
    int n =
        snprintf(buf, size, "%s%s", e->disposable ? "@dispvm:" : "", c->dom0 ? "dom0" : c->name);

    return n > 0 && (size_t)n < size;
}

int reach_holds(struct reach *r, const struct edge *e, const struct shape *shape, unsigned depth,
                const struct policy_domains *in)
{
    struct reach_names names;
    struct shape s = *shape;
    struct world w = {0};
    char end[128];
    int result;

    reach_name(r, &s, e, depth, &names);
    result = world_make(&s, &r->search.fresh, &w);
    if (result || !end_word(&s, e, end, sizeof(end))) {
        world_deinit(&w);
        return result < 0 ? result : 0;
    }
    r->search.target = word_of(end);
    search_choose(&r->search, &e->need);
    result = search_try(&r->search, &(struct trial){.rule = e->rule,
                                                    .domains = in ? in : w.domains,
                                                    .source = w.source,
                                                    .target = w.target});
    world_deinit(&w);
    return result == SEARCH_LOOP ? 0 : result;
}
