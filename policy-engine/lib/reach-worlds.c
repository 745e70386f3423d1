/* The search for a chain in every world: see reach.h. */
#include "policy-engine/lib/reach.h"

#define STEPS_MAX 50000

/* ---- Edges ---- */

static uint64_t mix_class(uint64_t h, const struct domain_class *c)
{
    uint64_t tags = 0;

    h = mix(h, (const bool[]){c->dom0, c->template}, 2 * sizeof(bool));
    h = mix_text(mix_text(mix_text(h, c->name), c->uuid), c->type);
    for (size_t i = 0; i < c->n_tags; i++)
        tags ^= mix_text(7, c->tags[i]);
    return mix(h, &tags, sizeof(tags));
}

static uint64_t mix_shape(const struct shape *s)
{
    uint64_t h = MIX_START;
    const bool flags[] = {s->has_standard, s->has_other, s->source_by_uuid, s->target_by_uuid};

    h = mix(h, &s->asking, sizeof(s->asking));
    h = mix(h, flags, sizeof(flags));
    h = mix_class(mix_class(h, &s->source), &s->target);
    return mix_class(mix_class(h, &s->standard), &s->other);
}

static int add_edge(void *data, const struct policy_example *example)
{
    struct reach *r = data;
    const struct candidate *c = r->search.at;
    struct edge e = {
        .rule = c->rule, .shape = c->shape, .disposable = c->ending.disposable, .need = c->need};
    int result;

    (void)example;
    e.part = c->ending.domain == &c->shape.target     ? END_TARGET
             : c->ending.domain == &c->shape.standard ? END_STANDARD
                                                      : END_OTHER;
    e.hash =
        mix(mix_shape(&e.shape), (const uint32_t[]){e.part, e.disposable}, 2 * sizeof(uint32_t));
    e.hash = mix_text(mix_text(e.hash, e.need.service), e.need.argument.literal);
    e.hash = mix_text(e.hash, e.need.argument.pattern);
    for (size_t i = r->n_edges; i > 0 && r->edges[i - 1].rule == e.rule; i--)
        if (r->edges[i - 1].hash == e.hash)
            return 0;
    result = ARRAY_GROW(r->edges, r->edges_cap, r->n_edges);
    if (!result)
        r->edges[r->n_edges++] = e;
    return result;
}

static int find_edges(struct reach *r)
{
    const struct policy *p = r->search.policy;
    int result = 0;

    r->search.fn = add_edge;
    r->search.data = r;
    for (uint32_t i = 0; !result && i < p->n; i++)
        if (p->rules[i].action == POLICY_ALLOW ||
            (p->rules[i].action == POLICY_ASK && r->goal->ask))
            result = search_rule_worlds(&r->search, i);
    return result;
}

/* ---- Steps ---- */

static unsigned depth_of(const struct reach *r, size_t step)
{
    unsigned depth = 0;

    for (; step != NO_STEP; step = r->steps[step].parent)
        depth++;
    return depth;
}

/* Narrows the step before to end at what the new call starts from; 0: it cannot. */
static int check_before(struct reach *r, size_t parent, const struct domain_class *node,
                        unsigned depth)
{
    struct shape before;
    const struct edge *e;

    if (parent == NO_STEP)
        return SEARCH_FOUND;
    before = r->steps[parent].shape;
    e = &r->edges[r->steps[parent].edge];
    if (!reach_narrow(&before, e, node))
        return 0;
    if (mix_shape(&before) == mix_shape(&r->steps[parent].shape))
        return SEARCH_FOUND;
    return reach_holds(r, e, &before, depth, NULL);
}

/* One that is complete: is there a world in which it holds? */
static int check_chain(struct reach *r, size_t step, const struct shape *last)
{
    int result = reach_holds(r, &r->edges[r->steps[step].edge], last, depth_of(r, step) - 1, NULL);

    if (result != SEARCH_FOUND)
        return result;
    result = reach_confirm(r, step, last, &r->result);
    r->doubtful |= result == 0;
    return result;
}

/* Does the call end at what is looked for? Then the chain is complete. */
static int check_end(struct reach *r, size_t step)
{
    const struct edge *e = &r->edges[r->steps[step].edge];
    struct shape last = r->steps[step].shape;
    struct domain_class node = reach_end(&last, e);
    struct ending ending = {.disposable = e->disposable,
                            .domain = e->part == END_TARGET     ? &last.target
                                      : e->part == END_STANDARD ? &last.standard
                                                                : &last.other};
    int result = 0;

    if (class_require(&node, r->to) && reach_narrow(&last, e, &node))
        result = check_chain(r, step, &last);
    last = r->steps[step].shape;
    if (result || !e->disposable || !ending_require(&ending, r->to))
        return result;
    return check_chain(r, step, &last);
}

/* ---- What a chain demands ---- */

static const struct domain_class *class_of(const struct shape *s, size_t i)
{
    const struct domain_class *const all[] = {&s->source, &s->target, &s->standard, &s->other};

    return all[i];
}

static bool is_known(const struct domain_class *c)
{
    return c->dom0 || c->name || c->uuid;
}

static bool is_demanded(const struct reach *r, size_t step, uint64_t class)
{
    for (; step != NO_STEP; step = r->steps[step].parent)
        for (size_t i = 0; i < 4; i++)
            if (mix_class(MIX_START, class_of(&r->steps[step].shape, i)) == class)
                return true;
    return false;
}

/*
 * The set of what the calls up to this one demand of domains that are known by name or uuid, as the
 * sum of its members. A domain that nothing is known of is another one in each call.
 */
static uint64_t demands(const struct reach *r, size_t parent, const struct shape *s)
{
    uint64_t sum = parent == NO_STEP ? 0 : r->steps[parent].demands;

    for (size_t i = 0; i < 4; i++) {
        uint64_t class = mix_class(MIX_START, class_of(s, i));

        if (is_known(class_of(s, i)) && !is_demanded(r, parent, class))
            sum += class;
    }
    return sum;
}

static bool is_one(const struct domain_class *a, const struct domain_class *b)
{
    if (a->dom0 || b->dom0)
        return a->dom0 && b->dom0;
    if ((a->name && b->name && strcmp(a->name, b->name) == 0) ||
        (a->uuid && b->uuid && strcmp(a->uuid, b->uuid) == 0))
        return true;
    return mix_class(MIX_START, a) == mix_class(MIX_START, b);
}

/* It, or one like it, has called before: what follows could have followed there. */
static bool is_loop(const struct reach *r, size_t step, const struct domain_class *source)
{
    for (; step != NO_STEP; step = r->steps[step].parent)
        if (is_one(&r->steps[step].shape.source, source))
            return true;
    return false;
}

/* ---- The search ---- */

/* The one added last. SEARCH_FOUND: it goes on. */
static int check_whole(struct reach *r)
{
    size_t step = r->n_steps - 1;
    struct shape s = r->steps[step].shape;
    int result = reach_confirm(r, step, &s, NULL);

    if (result != SEARCH_FOUND)
        r->n_steps--;
    return result;
}

static int try_edge(struct reach *r, size_t parent, const struct domain_class *from, size_t edge)
{
    struct step s = {.parent = parent, .edge = edge, .shape = r->edges[edge].shape};
    uint64_t hash;
    unsigned depth = depth_of(r, parent);
    bool new;
    int result;

    if (!class_join(&s.shape.source, from))
        return 0;
    if (r->thorough && is_loop(r, parent, &s.shape.source))
        return 0;
    if (r->thorough)
        s.demands = demands(r, parent, &s.shape);
    hash = mix(mix(mix_shape(&s.shape), &edge, sizeof(edge)), &s.demands, sizeof(s.demands));
    if (seen_has(&r->seen, hash))
        return 0;
    result = check_before(r, parent, &s.shape.source, depth ? depth - 1 : 0);
    if (result != SEARCH_FOUND)
        return result;
    result = seen_add(&r->seen, hash, &new);
    if (result)
        return result;
    if (mix_shape(&s.shape) != mix_shape(&r->edges[edge].shape)) {
        result = reach_holds(r, &r->edges[edge], &s.shape, depth, NULL);
        if (result != SEARCH_FOUND)
            return result;
    }
    if (r->n_steps == STEPS_MAX)
        return POLICY_E_TOO_MUCH;
    result = ARRAY_GROW(r->steps, r->steps_cap, r->n_steps);
    if (result)
        return result;
    r->steps[r->n_steps++] = s;
    if (r->thorough) {
        result = check_whole(r);
        if (result != SEARCH_FOUND)
            return result;
    }
    return check_end(r, r->n_steps - 1);
}

static int try_edges(struct reach *r, size_t parent, const struct domain_class *from)
{
    int result = 0;

    for (size_t i = 0; !result && i < r->n_edges; i++)
        if (r->edges[i].shape.source.dom0 == from->dom0)
            result = try_edge(r, parent, from, i);
    return result;
}

static int ignore(void *data, const struct policy_example *e)
{
    struct reach *r = data;

    return r->chain ? chain_add(r->chain, e) : 0;
}

static int search_chains(struct reach *r)
{
    int result = 0;

    for (int dom0 = 0; !result && dom0 < 2; dom0++) {
        struct domain_class from = {.dom0 = dom0};

        if (class_require(&from, r->from))
            result = try_edges(r, NO_STEP, &from);
    }
    for (size_t i = 0; !result && i < r->n_steps; i++) {
        struct domain_class node = reach_end(&r->steps[i].shape, &r->edges[r->steps[i].edge]);

        result = try_edges(r, i, &node);
    }
    return result;
}

int reach_worlds(struct reach *r)
{
    int result = find_edges(r);

    /* what stood in the way of rules that have nothing to do with it is no reason */
    policy_closers_deinit(&r->search.closers);
    r->search.fn = ignore;
    if (!result)
        result = search_chains(r);
    if (!result && r->doubtful) {
        r->thorough = true;
        r->n_steps = 0;
        seen_deinit(&r->seen);
        result = search_chains(r);
    }
    r->search.source = r->from;
    r->search.target = r->to;
    return result ? result : search_close(&r->search);
}
