/* All that may call, by class, and what closes the rest. */
#include "policy-engine/lib/search.h"

/* Rules that lead to the same choices make the same class, which is shown once. */
struct once {
    policy_example_fn *fn;
    void *data;
    struct seen seen;
};

static int show_once(void *data, const struct policy_example *e)
{
    struct once *o = data;
    uint64_t hash = mix(MIX_START, &e->rule, sizeof(e->rule));
    bool new;
    int r = seen_add(&o->seen, mix_text(mix_text(hash, e->source_class), e->target_class), &new);

    return r || !new ? r : o->fn(o->data, e);
}

int policy_who_can(const struct policy *p, const struct policy_domains *today,
                   const struct policy_goal *q, policy_example_fn *fn, void *data,
                   struct policy_closers *ret)
{
    struct once once = {.fn = fn, .data = data};
    struct search s;
    int r = search_init(&s, p, today, q);

    s.fn = show_once;
    s.data = &once;
    for (uint32_t i = 0; !r && i < p->n; i++) {
        enum policy_action action = p->rules[i].action;

        if (action == POLICY_ALLOW ? !q->allow : action == POLICY_ASK ? !q->ask : true)
            continue;
        r = today ? search_rule_today(&s, i) : search_rule_worlds(&s, i);
    }
    if (!r && ret)
        r = search_close(&s);
    if (!r && ret) {
        *ret = s.closers;
        s.closers = (struct policy_closers){0};
    }
    seen_deinit(&once.seen);
    search_deinit(&s);
    return r;
}
