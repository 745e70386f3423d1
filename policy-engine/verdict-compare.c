/* Comparing policies: see verdict-compare.h. */
#include "policy-engine/verdict-compare.h"

#include "libqrexec/base/util.h"
#include "policy-engine/sweep.h"

#define OTHER_ARGUMENT "+an-argument-that-no-rule-names"

static bool same(const char *a, const char *b)
{
    return a && b ? str_equal(a, b) : a == b;
}

bool verdicts_equal(const struct policy_verdict *a, const struct policy_verdict *b)
{
    bool equal = a->action == b->action && a->reason == b->reason && a->notify == b->notify &&
                 a->autostart == b->autostart && a->n_choices == b->n_choices &&
                 same(a->requested_target, b->requested_target) && same(a->user, b->user) &&
                 same(a->target, b->target) && same(a->service, b->service) &&
                 same(a->policy_source, b->policy_source) &&
                 same(a->default_target, b->default_target) && same(a->guivm, b->guivm);

    for (size_t i = 0; equal && i < a->n_choices; i++)
        equal = str_equal(a->choices[i], b->choices[i]);
    return equal;
}

struct comparison {
    const struct policy *a, *b;
    const struct policy_domains *domains;
    void (*fn)(void *user, const struct policy_request *q, const struct policy_verdict *was,
               const struct policy_verdict *is);
    void *user;
};

static int compare_request(const struct comparison *c, const struct policy_request *q)
{
    struct policy_verdict was = {0}, is = {0};
    int r = policy_decide(c->a, c->domains, q, &was);

    if (!r)
        r = policy_decide(c->b, c->domains, q, &is);
    if (!r && !verdicts_equal(&was, &is))
        c->fn(c->user, q, &was, &is);
    policy_verdict_deinit(&was);
    policy_verdict_deinit(&is);
    return r;
}

static int compare_call(const struct comparison *c, const struct sweep *s,
                        const struct sweep_call *call)
{
    int r = 0;

    for (size_t i = 0; i < policy_domains_count(c->domains); i++)
        for (size_t t = 0; !r && t < s->n_targets; t++) {
            struct policy_request q =
                sweep_request(call, policy_domains_at(c->domains, i)->name, s->targets[t]);

            r = compare_request(c, &q);
        }
    return r;
}

/* Each service with an argument that none names. */
static int add_others(struct sweep *s)
{
    size_t n = s->n_calls;
    int r = sweep_add_call(s, "*", OTHER_ARGUMENT);

    for (size_t i = 0; !r && i < n; i++)
        if (!i || !str_equal(s->calls[i].service, s->calls[i - 1].service))
            r = sweep_add_call(s, s->calls[i].service, OTHER_ARGUMENT);
    sweep_sort(s);
    return r;
}

int policies_compare(const struct policy *a, const struct policy *b, const struct policy_domains *d,
                     void (*fn)(void *user, const struct policy_request *q,
                                const struct policy_verdict *was, const struct policy_verdict *is),
                     void *user)
{
    struct comparison c = {a, b, d, fn, user};
    _cleanup_(sweep_deinit) struct sweep s = {0};
    int r = sweep_add_rules(&s, a);

    if (!r)
        r = sweep_add_rules(&s, b);
    if (r)
        return r;
    sweep_sort(&s);
    r = add_others(&s);
    if (!r)
        r = sweep_set_targets(&s, d);
    for (size_t i = 0; !r && i < s.n_calls; i++)
        r = compare_call(&c, &s, &s.calls[i]);
    return r;
}

static void print_verdict(FILE *f, const char *when, const struct policy_verdict *v)
{
    static const char *const words[] = {
        [POLICY_DENY] = "deny", [POLICY_ALLOW] = "allow", [POLICY_ASK] = "ask"};

    fprintf(f, " %s %s", when, words[v->action]);
    if (v->action == POLICY_ALLOW)
        fprintf(f, " to %s as %s", v->target, v->user);
    if (v->action == POLICY_DENY)
        fprintf(f, " (%s)", policy_reason_text(v->reason));
    for (size_t i = 0; i < v->n_choices; i++)
        fprintf(f, " %s%s", v->choices[i], v->choices[i] == v->default_target ? "!" : "");
}

void difference_print(FILE *f, const struct policy_request *q, const struct policy_verdict *was,
                      const struct policy_verdict *is)
{
    fprintf(f, "%s%s %s %s:", q->service, q->argument, q->source, q->target);
    print_verdict(f, "was", was);
    print_verdict(f, "- would be", is);
    fprintf(f, "\n");
}
