/*
 * A table from a pair of numbers to the lowest rule that has it, and a number of the owner's.
 *
 * Open addressing in one flat block that grows; nothing is ever taken out. Rules are put in order,
 * so the first one put under a pair is the lowest.
 */
#ifndef QREXEC_POLICY_PAIRS_H
#define QREXEC_POLICY_PAIRS_H

#include "policy-engine/lib/names.h"

struct pair {
    uint32_t a, b;
    uint32_t lowest; /* NAME_NONE: a free slot */
    uint32_t value;
};

/* Zeroed is empty. */
struct pairs {
    struct pair *slots;
    size_t n_slots; /* 0 or a power of two, at least twice n */
    size_t n;
};

void pairs_deinit(struct pairs *t);
/* Place for n entries at once. 0 or -ENOMEM. */
int pairs_reserve(struct pairs *t, size_t n);
/* The entry of (a, b), made with this rule and value if it is not there. NULL: no memory. */
const struct pair *pairs_put(struct pairs *t, uint32_t a, uint32_t b, uint32_t rule,
                             uint32_t value);

static inline size_t pairs_start(const struct pairs *t, uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15;

    h ^= h >> 32;
    return (size_t)(h * 0x9e3779b97f4a7c15 >> 32) & (t->n_slots - 1);
}

static inline void pairs_expect(const struct pairs *t, uint32_t a, uint32_t b)
{
    if (t->n_slots)
        __builtin_prefetch(&t->slots[pairs_start(t, a, b)], 1);
}

/* NULL: not there. */
static inline const struct pair *pairs_find(const struct pairs *t, uint32_t a, uint32_t b)
{
    if (!t->n_slots)
        return NULL;
    for (size_t at = pairs_start(t, a, b);; at = (at + 1) & (t->n_slots - 1)) {
        const struct pair *p = &t->slots[at];

        if (p->lowest == NAME_NONE)
            return NULL;
        if (p->a == a && p->b == b)
            return p;
    }
}

#endif
