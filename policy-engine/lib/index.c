/* Buckets, nodes and leaves of the rules, and the walk through a request's buckets. */
#include "policy-engine/lib/index.h"

#include "policy-engine/lib/rules.h"

void index_deinit(struct policy *p)
{
    struct index *ix = &p->index;

    pairs_deinit(&ix->buckets);
    pairs_deinit(&ix->nodes);
    pairs_deinit(&ix->leaves);
    free(ix->bucket_rules);
    free(ix->node_first);
    free(ix->node_rules);
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

static int add_rule(struct index *ix, const struct rule *r, uint32_t place, uint32_t *ret_bucket,
                    uint32_t *ret_node)
{
    const struct pair *bucket =
        pairs_put(&ix->buckets, r->service, r->regex ? NAME_NONE : r->argument, place,
                  (uint32_t)ix->buckets.n);
    const struct pair *node;

    if (!bucket)
        return -ENOMEM;
    *ret_bucket = bucket->value;
    *ret_node = NAME_NONE;
    ix->uses[r->source] |= USED_SOURCE;
    ix->uses[r->target] |= USED_TARGET;
    if (r->regex)
        return 0;
    node = pairs_put(&ix->nodes, *ret_bucket, r->source, place, (uint32_t)ix->nodes.n);
    if (!node)
        return -ENOMEM;
    *ret_node = node->value;
    return pairs_put(&ix->leaves, *ret_node, r->target, place, 0) ? 0 : -ENOMEM;
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

int index_make(struct policy *p)
{
    struct index *ix = &p->index;
    _cleanup_(freep) uint32_t *bucket_of = malloc((p->n + 1) * sizeof(*bucket_of));
    _cleanup_(freep) uint32_t *node_of = malloc((p->n + 1) * sizeof(*node_of));
    int r = 0;

    ix->uses = calloc(p->names.n + 1, 1);
    if (!bucket_of || !node_of || !ix->uses)
        return -ENOMEM;
    for (uint32_t i = 0; !r && i < p->n; i++)
        r = add_rule(ix, &p->rules[i], i, &bucket_of[i], &node_of[i]);
    if (!r)
        r = list_buckets(p, bucket_of);
    return r ? r : group(node_of, p->n, ix->nodes.n, &ix->node_first, &ix->node_rules);
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

static uint32_t lowest_of_node(const struct policy *p, uint32_t node, const struct tokens *target,
                               uint32_t best)
{
    for (size_t i = 0; i < target->n; i++) {
        const struct pair *leaf = pairs_find(&p->index.leaves, node, target->id[i]);

        if (leaf && leaf->lowest < best)
            best = leaf->lowest;
    }
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
