/* Which rules of two policies are each other's counterpart: a longest common subsequence. */
#include "policy-engine/lib/diff.h"

#define TABLE_MAX (4U << 20) /* cells; past that all between the common ends counts as changed */

static uint64_t *hashes(const struct policy *p)
{
    uint64_t *h = calloc(p->n + 1, sizeof(*h));

    for (size_t i = 0; h && i < p->n; i++) {
        const struct rule *r = &p->rules[i];
        const uint32_t words[] = {r->service,  r->argument,       r->source, r->target_spelled,
                                  r->redirect, r->default_target, r->user};
        const unsigned char flags[] = {r->autostart, r->notify, (unsigned char)r->action};

        h[i] = mix(MIX_START, flags, sizeof(flags));
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
            h[i] = mix_text(h[i], rule_text(p, words[k]));
    }
    return h;
}

/* From the ends of both; lengths[i][k] of the rest from i and k on. */
static int common(const uint64_t *a, size_t n, const uint64_t *b, size_t m, bool *changed_a,
                  bool *changed_b)
{
    uint16_t *length;
    size_t i = 0, k = 0, w = m + 1;

    if (!n || !m || (n + 1) * w > TABLE_MAX || n > UINT16_MAX || m > UINT16_MAX)
        return 0;
    length = calloc((n + 1) * w, sizeof(*length));
    if (!length)
        return -ENOMEM;
    for (i = n; i-- > 0;)
        for (k = m; k-- > 0;) {
            uint16_t down = length[(i + 1) * w + k], right = length[i * w + k + 1];

            length[i * w + k] = a[i] == b[k]   ? (uint16_t)(length[(i + 1) * w + k + 1] + 1)
                                : down > right ? down
                                               : right;
        }
    for (i = k = 0; i < n && k < m;) {
        if (a[i] == b[k])
            changed_a[i++] = changed_b[k++] = false;
        else if (length[(i + 1) * w + k] >= length[i * w + k + 1])
            i++;
        else
            k++;
    }
    free(length);
    return 0;
}

int diff_align(struct diff *d)
{
    const struct policy *a = d->search[0].policy, *b = d->search[1].policy;
    _cleanup_(freep) uint64_t *x = hashes(a), *y = hashes(b);
    size_t first = 0, n = a->n, m = b->n;
    int r;

    d->counterpart = calloc(a->n + 1, sizeof(*d->counterpart));
    for (size_t i = 0; i < 2; i++) {
        size_t rules = d->search[i].policy->n;

        d->changed[i] = calloc(rules + 1, sizeof(bool));
        if (d->changed[i])
            memset(d->changed[i], true, rules);
    }
    if (!x || !y || !d->counterpart || !d->changed[0] || !d->changed[1])
        return -ENOMEM;
    while (first < n && first < m && x[first] == y[first]) {
        d->changed[0][first] = d->changed[1][first] = false;
        first++;
    }
    while (n > first && m > first && x[n - 1] == y[m - 1])
        d->changed[0][--n] = d->changed[1][--m] = false;
    r = common(x + first, n - first, y + first, m - first, d->changed[0] + first,
               d->changed[1] + first);
    /* what is left of both is the same, in order */
    for (size_t i = 0, k = 0; !r && i < a->n; i++) {
        if (d->changed[0][i])
            continue;
        while (d->changed[1][k])
            k++;
        d->counterpart[i] = (uint32_t)k++;
    }
    return r;
}
