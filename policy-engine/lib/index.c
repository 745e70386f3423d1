/* Buckets, nodes and leaves of the rules, and the walk through a request's buckets. */
#include "policy-engine/lib/index.h"

#include "policy-engine/lib/rules.h"

#define SCAN_MAX 4 /* rules of a node that are looked through one by one */

void index_deinit(struct policy *p)
{
    struct index *ix = &p->index;

    pairs_deinit(&ix->buckets);
    pairs_deinit(&ix->nodes);
    pairs_deinit(&ix->leaves);
    free(ix->bucket_rules);
    free(ix->node_first);
    free(ix->node_rules);
    free(ix->node_targets);
    free(ix->uses);
    free(p->buckets);
    *ix = (struct index){0};
}

/* ---- Making ---- */

/* Group numbers of the rules (NAME_NONE: in no group) into lists of rules, one group after the
 * other. */
static int group(const uint32_t *group_of, size_t n_rules, size_t n_groups, uint32_t **ret_first,
                 uint32_t **ret_rules)
{
    uint32_t *first = *ret_first = calloc(n_groups + 2, sizeof(*first));
    uint32_t *rules = *ret_rules = malloc((n_rules + 1) * sizeof(*rules));

    if (!first || !rules)
        return -ENOMEM;
    /* sizes go two places up, so that placing a group's rules moves its start to where it belongs
     */
    for (size_t i = 0; i < n_rules; i++)
        if (group_of[i] != NAME_NONE)
            first[group_of[i] + 2]++;
    for (size_t i = 2; i < n_groups + 2; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < n_rules; i++)
        if (group_of[i] != NAME_NONE)
            rules[first[group_of[i] + 1]++] = (uint32_t)i;
    return 0;
}

/* Also which names are tokens of which column: at least one node will be there for each source. */
static int make_buckets(struct policy *p, uint32_t *bucket_of)
{
    struct index *ix = &p->index;
    size_t n_sources = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        const struct rule *r = &p->rules[i];
        const struct pair *b =
            pairs_put(&ix->buckets, r->service, r->regex ? NAME_NONE : r->argument, i,
                      (uint32_t)ix->buckets.n);

        if (!b)
            return -ENOMEM;
        bucket_of[i] = b->value;
        n_sources += !(ix->uses[r->source] & USED_SOURCE);
        ix->uses[r->source] |= USED_SOURCE;
        ix->uses[r->target] |= USED_TARGET;
    }
    return pairs_reserve(&ix->nodes, n_sources);
}

#define AHEAD 16 /* rules whose places in the table are fetched meanwhile */

static int make_nodes(struct policy *p, const uint32_t *bucket_of, uint32_t *node_of)
{
    struct pairs *t = &p->index.nodes;

    for (uint32_t i = 0; i < p->n; i++) {
        const struct rule *r = &p->rules[i];
        const struct pair *node;

        if (i + AHEAD < p->n)
            pairs_expect(t, bucket_of[i + AHEAD], p->rules[i + AHEAD].source);
        node_of[i] = NAME_NONE;
        if (r->regex)
            continue;
        node = pairs_put(t, bucket_of[i], r->source, i, (uint32_t)t->n);
        if (!node)
            return -ENOMEM;
        node_of[i] = node->value;
    }
    return 0;
}

static int list_buckets(struct policy *p, const uint32_t *bucket_of)
{
    _cleanup_(freep) uint32_t *first = NULL;
    size_t n = p->index.buckets.n;
    int r = group(bucket_of, p->n, n, &first, &p->index.bucket_rules);

    p->buckets = calloc(n + 1, sizeof(*p->buckets));
    if (r || !p->buckets)
        return -ENOMEM;
    p->n_buckets = n;
    for (size_t i = 0; i < n; i++) {
        const struct rule *r0 = &p->rules[p->index.bucket_rules[first[i]]];

        p->buckets[i] = (struct bucket){r0->service, r0->regex ? NAME_NONE : r0->argument, first[i],
                                        first[i + 1] - first[i]};
    }
    return 0;
}

/* The targets of each node: as a list, and in the table where the list is long. */
static int list_targets(struct policy *p)
{
    struct index *ix = &p->index;

    ix->node_targets = malloc((p->n + 1) * sizeof(*ix->node_targets));
    if (!ix->node_targets)
        return -ENOMEM;
    for (uint32_t node = 0; node < ix->nodes.n; node++) {
        uint32_t first = ix->node_first[node], end = ix->node_first[node + 1];

        for (uint32_t i = first; i < end; i++) {
            uint32_t rule = ix->node_rules[i];

            ix->node_targets[i] = p->rules[rule].target;
            if (end - first > SCAN_MAX &&
                !pairs_put(&ix->leaves, node, ix->node_targets[i], rule, 0))
                return -ENOMEM;
        }
    }
    return 0;
}

int index_make(struct policy *p)
{
    struct index *ix = &p->index;
    _cleanup_(freep) uint32_t *bucket_of = malloc((p->n + 1) * sizeof(*bucket_of));
    _cleanup_(freep) uint32_t *node_of = malloc((p->n + 1) * sizeof(*node_of));
    int r;

    ix->uses = calloc(p->names.n + 1, 1);
    if (!bucket_of || !node_of || !ix->uses)
        return -ENOMEM;
    r = make_buckets(p, bucket_of);
    if (!r)
        r = make_nodes(p, bucket_of, node_of);
    if (!r)
        r = list_buckets(p, bucket_of);
    if (!r)
        r = group(node_of, p->n, ix->nodes.n, &ix->node_first, &ix->node_rules);
    return r ? r : list_targets(p);
}

/* ---- Looking up ---- */

static void add_bucket(const struct policy *p, uint32_t service, uint32_t argument, uint32_t *list,
                       size_t *n)
{
    const struct pair *b = pairs_find(&p->index.buckets, service, argument);

    if (b)
        list[(*n)++] = b->value;
}

size_t index_buckets(const struct policy *p, uint32_t service, uint32_t argument,
                     uint32_t ret[static INDEX_BUCKETS])
{
    size_t n = 0;

    if (service != NAME_NONE && service != NAME_ANY) {
        if (argument != NAME_NONE && argument != NAME_ANY)
            add_bucket(p, service, argument, ret, &n);
        add_bucket(p, service, NAME_ANY, ret, &n);
    }
    add_bucket(p, NAME_ANY, NAME_ANY, ret, &n);
    return n;
}

bool tokens_have(const struct tokens *t, uint32_t token)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->id[i] == token)
            return true;
    return false;
}

static uint32_t lowest_by_table(const struct policy *p, uint32_t node, const struct tokens *target,
                                uint32_t best)
{
    for (size_t i = 0; i < target->n; i++)
        pairs_expect(&p->index.leaves, node, target->id[i]);
    for (size_t i = 0; i < target->n; i++) {
        const struct pair *leaf = pairs_find(&p->index.leaves, node, target->id[i]);

        if (leaf && leaf->lowest < best)
            best = leaf->lowest;
    }
    return best;
}

static uint32_t lowest_of_node(const struct policy *p, uint32_t node, const struct tokens *target,
                               uint32_t best)
{
    const struct index *ix = &p->index;
    uint32_t end = ix->node_first[node + 1];

    if (end - ix->node_first[node] > SCAN_MAX)
        return lowest_by_table(p, node, target, best);
    for (uint32_t i = ix->node_first[node]; i < end && ix->node_rules[i] < best; i++)
        if (tokens_have(target, ix->node_targets[i]))
            return ix->node_rules[i];
    return best;
}

uint32_t index_lowest(const struct policy *p, const uint32_t *buckets, size_t n,
                      const struct tokens *source, const struct tokens *target)
{
    uint32_t best = NAME_NONE;

    for (size_t i = 0; i < n; i++) {
        if (p->index.bucket_rules[p->buckets[buckets[i]].first] >= best)
            continue;
        for (size_t k = 0; k < source->n; k++) {
            const struct pair *node = pairs_find(&p->index.nodes, buckets[i], source->id[k]);

            if (node && node->lowest < best)
                best = lowest_of_node(p, node->value, target, best);
        }
    }
    return best;
}

struct places index_bucket(const struct policy *p, uint32_t bucket)
{
    return (struct places){p->index.bucket_rules + p->buckets[bucket].first, p->buckets[bucket].n};
}

struct places index_from(const struct policy *p, uint32_t bucket, uint32_t source)
{
    const struct pair *node = pairs_find(&p->index.nodes, bucket, source);
    const uint32_t *first = node ? &p->index.node_first[node->value] : NULL;

    return node ? (struct places){p->index.node_rules + first[0], first[1] - first[0]}
                : (struct places){0};
}

struct places index_regex(const struct policy *p, uint32_t service)
{
    const struct pair *b =
        service == NAME_NONE ? NULL : pairs_find(&p->index.buckets, service, NAME_NONE);

    return b ? index_bucket(p, b->value) : (struct places){0};
}

/* ---- Walking ---- */

struct walk walk_start(const struct policy *p, uint32_t service, uint32_t argument, bool backwards)
{
    struct walk w = {.policy = p, .backwards = backwards};
    uint32_t buckets[INDEX_BUCKETS];

    w.n_parts = index_buckets(p, service, argument, buckets);
    for (size_t i = 0; i < w.n_parts; i++)
        w.part[i] = index_bucket(p, buckets[i]);
    w.part[w.n_parts++] = index_regex(p, service);
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
