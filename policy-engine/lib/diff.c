/* Deciding a request by two policies, and what a difference is. */
#include "policy-engine/lib/diff.h"

/* By name or by uuid: the same domain, or a disposable of it. */
static bool same_end(const struct policy_domains *d, const char *a, const char *b)
{
    struct word x = word_of(a), y = word_of(b);
    bool disposable = x.kind == TOKEN_DISPVM_NAME;
    const struct policy_domain *dom = policy_domains_find(d, disposable ? x.rest : a);

    if (strcmp(x.text, y.text) == 0)
        return true;
    return disposable == (y.kind == TOKEN_DISPVM_NAME) && dom &&
           dom == policy_domains_find(d, disposable ? y.rest : b);
}

/* *at: where it is likely to be, and then the place behind it, since both lists are in order. */
static bool has_choice(const struct policy_domains *d, const struct policy_verdict *v,
                       const char *choice, size_t *at)
{
    for (size_t i = 0; i < v->n_choices; i++) {
        size_t k = (*at + i) % v->n_choices;

        if (strcmp(v->choices[k], choice) == 0) {
            *at = k + 1;
            return true;
        }
    }
    for (size_t i = 0; i < v->n_choices; i++)
        if (same_end(d, v->choices[i], choice))
            return true;
    return false;
}

/* Everything that b leads to, a does too, as the same user and under no harder terms. */
static bool covers(const struct policy_domains *d, const struct policy_verdict *a,
                   const struct policy_verdict *b)
{
    size_t at = 0;

    if (b->action == POLICY_DENY)
        return true;
    if (a->action == POLICY_DENY || strcmp(a->user, b->user) != 0 ||
        (b->autostart && !a->autostart))
        return false;
    if (b->action == POLICY_ALLOW)
        return a->action == POLICY_ALLOW && same_end(d, a->target, b->target);
    for (size_t i = 0; i < b->n_choices; i++) {
        const char *choice = b->choices[i];

        if (a->action == POLICY_ALLOW ? !same_end(d, a->target, choice)
                                      : !has_choice(d, a, choice, &at))
            return false;
    }
    return true;
}

static bool same(const struct policy_domains *d, const struct policy_verdict *a,
                 const struct policy_verdict *b)
{
    const char *default_a = a->default_target ? a->default_target : "";
    const char *default_b = b->default_target ? b->default_target : "";

    return a->action == b->action && covers(d, a, b) && covers(d, b, a) &&
           (a->action == POLICY_DENY || strcmp(default_a, default_b) == 0);
}

static void describe(struct text *t, const struct policy_verdict *v, const struct policy_verdict *o)
{
    static const char *const actions[] = {"deny", "allow", "ask"};

    text_addf(t, "%s", actions[v->action]);
    if (v->action == POLICY_DENY)
        text_addf(t, " %s", policy_reason_text(v->reason));
    if (v->action == POLICY_ALLOW)
        text_addf(t, " %s", v->target);
    for (size_t i = 0; i < v->n_choices; i++)
        text_addf(t, "%s%s", i ? "," : " ", v->choices[i]);
    if (v->action == POLICY_DENY || o->action == POLICY_DENY)
        return;
    if (strcmp(v->user, o->user) != 0)
        text_addf(t, " user=%s", v->user);
    if (v->autostart != o->autostart)
        text_addf(t, " autostart=%s", v->autostart ? "yes" : "no");
    if (v->action == POLICY_ASK)
        text_addf(t, " default_target=%s", v->default_target ? v->default_target : "");
}

static uint64_t pair_of(const struct policy_verdict *a, const struct policy_verdict *b)
{
    const uint32_t pair[] = {a->rule, b->rule};

    return mix(MIX_START, pair, sizeof(pair));
}

static int show(struct diff *d, const struct diff_trial *t, const struct policy_request *q,
                const struct policy_verdict *a, const struct policy_verdict *b)
{
    _cleanup_(text_deinit) struct text before = {0}, after = {0}, source = {0}, target = {0};
    bool new;
    int r;

    describe(&before, a, b);
    describe(&after, b, a);
    if (t->shape) {
        class_describe(&source, &t->shape->source);
        shape_describe_target(&target, t->shape);
    }
    if (before.failed || after.failed || source.failed || target.failed)
        return -ENOMEM;
    r = seen_add(&d->seen, pair_of(a, b), &new);
    if (!r && new)
        r = d->fn(d->data, &(struct policy_difference){
                               .rule_a = a->rule,
                               .rule_b = b->rule,
                               .source_class = t->shape ? source.data : t->source,
                               .target_class = t->shape ? target.data : t->target,
                               .service = q->service,
                               .argument = q->argument,
                               .source = q->source,
                               .target = q->target,
                               .verdict_a = before.data,
                               .verdict_b = after.data,
                               .wider = !covers(t->domains, a, b),
                               .domains = t->domains,
                               .approximate = d->search[0].regex_here || d->search[1].regex_here});
    return r;
}

/*
 * The verdict as far as it matters here: where an allow ends, whatever relay carries it on; and
 * what ends at the source itself, by whatever spelling, is a denial, for no such call can succeed.
 */
static int decide(const struct policy *p, const struct policy_domains *d,
                  const struct policy_request *q, struct policy_verdict *v)
{
    size_t n = 0;
    int r = policy_decide(p, d, q, v);

    if (r)
        return r;
    if (v->action == POLICY_ALLOW) {
        v->target = search_final(p, v);
        if (same_end(d, v->target, v->source))
            policy_verdict_deny(v, POLICY_REASON_LOOPBACK);
    }
    for (size_t i = 0; v->action == POLICY_ASK && i < v->n_choices; i++) {
        char *choice = v->choices[i];

        if (!same_end(d, choice, v->source))
            v->choices[n++] = choice;
    }
    v->n_choices = n;
    if (v->action == POLICY_ASK && !n)
        policy_verdict_deny(v, POLICY_REASON_NO_TARGET);
    return 0;
}

bool diff_decides(struct diff *d, const struct diff_trial *t, const uint32_t rules[static 2])
{
    for (size_t i = 0; i < d->search[0].arguments.n; i++) {
        const struct policy_request q = {.service = d->search[0].service,
                                         .argument = d->search[0].arguments.text[i],
                                         .source = t->source,
                                         .target = t->target};

        if (decide_rule_only(d->search[0].policy, t->domains, &q) == rules[0] &&
            decide_rule_only(d->search[1].policy, t->domains, &q) == rules[1])
            return true;
    }
    return false;
}

static bool offers_dom0(const struct policy_verdict *v)
{
    for (size_t i = 0; v->action == POLICY_ASK && i < v->n_choices; i++)
        if (word_of(v->choices[i]).kind == TOKEN_ADMINVM)
            return true;
    return false;
}

int diff_try(struct diff *d, const struct diff_trial *t)
{
    d->both_offer_dom0 = false;
    for (size_t i = 0; i < d->search[0].arguments.n; i++) {
        _cleanup_(policy_verdict_deinit) struct policy_verdict a = {0}, b = {0};
        struct policy_request q = {.service = d->search[0].service,
                                   .argument = d->search[0].arguments.text[i],
                                   .source = t->source,
                                   .target = t->target};
        int r = decide(d->search[0].policy, t->domains, &q, &a);

        if (!r)
            r = decide(d->search[1].policy, t->domains, &q, &b);
        if (!r)
            d->both_offer_dom0 |= offers_dom0(&a) && offers_dom0(&b);
        if (!r && !seen_has(&d->seen, pair_of(&a, &b)) && !same(t->domains, &a, &b) &&
            (!d->wider || !covers(t->domains, &a, &b)))
            r = show(d, t, &q, &a, &b);
        if (r)
            return r;
    }
    return 0;
}

void diff_choose(struct diff *d, const struct need *need, bool any)
{
    struct search *a = &d->search[0], *b = &d->search[1];

    search_choose(a, need);
    search_choose(b, need);
    for (size_t i = 0; i < b->arguments.n; i++)
        arguments_add(&a->arguments, b->arguments.text[i]);
    for (size_t k = 0; any && k < 2; k++) {
        const struct policy *p = d->search[k].policy;

        for (size_t i = 0; !need->argument.literal && i < p->n; i++)
            if (!p->rules[i].regex && p->rules[i].argument != NAME_ANY &&
                strcmp(rule_text(p, p->rules[i].service), a->service) == 0)
                arguments_add(&a->arguments, rule_text(p, p->rules[i].argument));
    }
}

static void deinit(struct diff *d)
{
    for (size_t i = 0; i < 2; i++) {
        search_deinit(&d->search[i]);
        free(d->changed[i]);
        free(d->denies[i]);
    }
    free(d->counterpart);
    seen_deinit(&d->seen);
}

int policy_diff(const struct policy *a, const struct policy *b, const struct policy_domains *today,
                bool wider, policy_difference_fn *fn, void *data)
{
    static const struct policy_goal any = {.allow = true, .ask = true};
    static const char *const none[] = {NULL};
    const struct policy *const policies[] = {a, b, NULL};
    struct diff d = {.fn = fn, .data = data};
    int r = search_init(&d.search[0], a, today, &any);

    if (!r)
        r = search_init(&d.search[1], b, today, &any);
    if (!r)
        r = diff_align(&d);
    fresh_init(&d.search[0].fresh, policies, none);
    d.search[1].fresh = d.search[0].fresh;
    /* first what is wider, so that each pair of rules is shown by that if it can be */
    for (size_t i = 0; !r && i < (wider ? 1 : 2); i++) {
        d.wider = i == 0;
        r = today ? diff_today(&d) : diff_worlds(&d);
    }
    deinit(&d);
    return r;
}
