/* Pairs of numbers: putting and growing. */
#include "policy-engine/lib/pairs.h"

void pairs_deinit(struct pairs *t)
{
    free(t->slots);
    *t = (struct pairs){0};
}

static struct pair *free_slot(struct pairs *t, uint32_t a, uint32_t b)
{
    size_t at = pairs_start(t, a, b);

    while (t->slots[at].lowest != NAME_NONE)
        at = (at + 1) & (t->n_slots - 1);
    return &t->slots[at];
}

int pairs_reserve(struct pairs *t, size_t n)
{
    struct pairs more = {.n_slots = t->n_slots ? t->n_slots : 8, .n = t->n};

    while (more.n_slots < n * 2)
        more.n_slots *= 2;
    if (more.n_slots == t->n_slots)
        return 0;
    more.slots = malloc(more.n_slots * sizeof(*more.slots));
    if (!more.slots)
        return -ENOMEM;
    memset(more.slots, 0xff, more.n_slots * sizeof(*more.slots));
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].lowest != NAME_NONE)
            *free_slot(&more, t->slots[i].a, t->slots[i].b) = t->slots[i];
    free(t->slots);
    *t = more;
    return 0;
}

const struct pair *pairs_put(struct pairs *t, uint32_t a, uint32_t b, uint32_t rule, uint32_t value)
{
    const struct pair *old = pairs_find(t, a, b);
    struct pair *slot;

    if (old)
        return old;
    if (pairs_reserve(t, t->n + 1))
        return NULL;
    slot = free_slot(t, a, b);
    *slot = (struct pair){a, b, rule, value};
    t->n++;
    return slot;
}
