/*
 * Domains without network that policy gives one: they may start a disposable of a template that
 * has it, and tell it what to send.
 *
 * Every bucket of rules is tried with every such domain and every way to ask for such a disposable,
 * so redirects and default disposables count as they do in a call.
 */
#include "policy-engine/lib/lint.h"

#include "policy-engine/lib/index.h"

#define ANY_SERVICE "any.Service" /* stands for one that no rule names */

static bool has_network(const struct policy_domain *dom)
{
    return dom && dom->netvm && *dom->netvm;
}

/* Offline on purpose: neither connected nor itself what connects others. */
static bool is_offline(const struct policy_domains *d, const struct policy_domain *dom)
{
    if (has_network(dom) || !dom->type || strcmp(dom->name, "dom0") == 0 ||
        strcmp(dom->type, "TemplateVM") == 0 || strcmp(dom->type, "RemoteVM") == 0)
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].netvm && strcmp(d->list[i].netvm, dom->name) == 0)
            return false;
    return true;
}

static int report(struct lint *l, const struct policy_verdict *v, const char *target)
{
    struct span word = span_of(target);
    const struct policy_domain *dom;

    if (token_kind(word) != TOKEN_DISPVM_NAME)
        return 0;
    dom = domains_find(l->domains, token_rest(word));
    if (!has_network(dom))
        return 0;
    text_addf(&l->text, "%s has no network and gets one through %s (netvm %s)%s", v->source, target,
              dom->netvm, v->action == POLICY_ASK ? ", when the user says yes" : "");
    return lint_add(l, &l->policy->rules[v->rule]);
}

static int try_request(struct lint *l, const struct bucket *b, const char *source,
                       const char *target)
{
    const char *argument = rule_text(l->policy, b->argument);
    struct policy_request q = {
        .service = b->service == NAME_ANY ? ANY_SERVICE : rule_text(l->policy, b->service),
        .argument = argument && *argument == '+' ? argument : "+",
        .source = source,
        .target = target,
    };
    struct policy_verdict v = {0};
    int e = policy_decide(l->policy, l->domains, &q, &v);

    if (!e && v.action == POLICY_ALLOW)
        e = report(l, &v, v.target);
    for (size_t i = 0; !e && v.action == POLICY_ASK && i < v.n_choices; i++)
        e = report(l, &v, v.choices[i]);
    policy_verdict_deinit(&v);
    return e;
}

static int try_domain(struct lint *l, const struct bucket *b, const char *source)
{
    const struct policy_domains *d = l->domains;
    int e = try_request(l, b, source, "@default");

    if (!e)
        e = try_request(l, b, source, "@dispvm");
    for (size_t i = 0; !e && i < d->n; i++) {
        _cleanup_(text_deinit) struct text target = {0};

        if (!d->list[i].template_for_dispvms || !has_network(&d->list[i]))
            continue;
        text_addf(&target, "@dispvm:%s", d->list[i].name);
        e = target.failed ? -ENOMEM : try_request(l, b, source, target.data);
    }
    return e;
}

int lint_network(struct lint *l)
{
    const struct policy_domains *d = l->domains;
    int e = 0;

    for (size_t i = 0; !e && i < d->n; i++) {
        if (!is_offline(d, &d->list[i]))
            continue;
        for (size_t k = 0; !e && k < l->policy->n_buckets; k++)
            e = try_domain(l, &l->policy->buckets[k], d->list[i].name);
    }
    return e;
}
