/*
 * Rules that ask although there is nothing to choose: such a call is refused without a question.
 *
 * Whatever domains there are: a rule whose target is @default offers nothing by itself, so another
 * rule of that service must. With today's domains: every call that such a rule decides is tried,
 * until one of them is offered something.
 */
#include "policy-engine/lib/lint.h"

static bool same_or_any(uint32_t a, uint32_t b)
{
    return a == b || a == NAME_ANY || b == NAME_ANY;
}

/* May a call that r decides meet s as well? Domains are not looked at, so more than will. */
static bool may_meet(const struct rule *r, const struct rule *s)
{
    bool names = r->source_kind == TOKEN_NAME && s->source_kind == TOKEN_NAME;

    return same_or_any(r->service, s->service) &&
           (r->regex || s->regex || same_or_any(r->argument, s->argument)) &&
           (!names || r->source == s->source);
}

static bool may_offer(const struct lint *l, const struct rule *r)
{
    const struct policy *p = l->policy;

    if (r->redirect != NAME_NONE || r->target_kind != TOKEN_DEFAULT)
        return true;
    for (size_t i = 0; i < p->n; i++) {
        const struct rule *s = &p->rules[i];

        if (s->action != POLICY_DENY && may_meet(r, s) &&
            (s->redirect != NAME_NONE || s->target_kind != TOKEN_DEFAULT))
            return true;
    }
    return false;
}

/* ---- With today's domains ---- */

enum outcome { MISSED, REFUSED, OFFERED };

static int try_call(const struct lint *l, const struct rule *r, const char *source,
                    const char *target, enum outcome *outcome)
{
    const char *argument = rule_text(l->policy, r->argument);
    struct policy_request q = {.service = rule_text(l->policy, r->service),
                               .argument = *argument == '+' ? argument : "+",
                               .source = source,
                               .target = target};
    struct policy_verdict v = {0};
    int e;

    if (r->service == NAME_ANY)
        q.service = "any.Service";
    e = policy_decide(l->policy, l->domains, &q, &v);
    if (!e && v.rule == r - l->policy->rules) {
        if (v.action == POLICY_ASK)
            *outcome = OFFERED;
        else if (v.reason == POLICY_REASON_NO_TARGET)
            *outcome = REFUSED;
    }
    policy_verdict_deinit(&v);
    return e;
}

static int try_source(const struct lint *l, const struct rule *r, const char *source,
                      enum outcome *outcome)
{
    const struct policy_domains *d = l->domains;
    bool one = token_allowed(r->target_kind, TOKEN_REQUEST);
    int e = try_call(l, r, source, one ? rule_text(l->policy, r->target) : "@default", outcome);

    for (size_t i = 0; !e && !one && *outcome != OFFERED && i < d->n; i++) {
        _cleanup_(text_deinit) struct text disposable = {0};

        e = try_call(l, r, source, d->list[i].name, outcome);
        if (e || *outcome == OFFERED || !d->list[i].template_for_dispvms)
            continue;
        text_addf(&disposable, "@dispvm:%s", d->list[i].name);
        e = disposable.failed ? -ENOMEM : try_call(l, r, source, disposable.data, outcome);
    }
    return e;
}

static int lint_today(struct lint *l, const struct rule *r)
{
    const struct policy_domains *d = l->domains;
    enum outcome outcome = MISSED;
    int e = 0;

    for (size_t i = 0; !e && outcome != OFFERED && i < d->n; i++)
        e = try_source(l, r, d->list[i].name, &outcome);
    if (e || outcome != REFUSED)
        return e;
    text_addf(&l->text, "asks, but no domain that there is could be chosen: every such call is "
                        "refused");
    return lint_add(l, r);
}

/* A disposable is made for the call, so it is none of the running domains that autostart=no leaves.
 */
static int lint_autostart(struct lint *l, const struct rule *r)
{
    const char *redirect = rule_text(l->policy, r->redirect);
    enum token_kind kind = redirect                    ? token_kind(span_of(redirect))
                           : r->action == POLICY_ALLOW ? r->target_kind
                                                       : TOKEN_ANY;

    if (r->action == POLICY_DENY || r->autostart ||
        (kind != TOKEN_DISPVM && kind != TOKEN_DISPVM_NAME && kind != TOKEN_DISPVM_TAG))
        return 0;
    text_addf(&l->text, "every such call is refused: with autostart=no only a domain that runs can "
                        "be called, and a disposable is a new one");
    return lint_add(l, r);
}

int lint_ask(struct lint *l)
{
    const struct policy *p = l->policy;
    int e = 0;

    for (size_t i = 0; !e && i < p->n; i++) {
        const struct rule *r = &p->rules[i];

        e = lint_autostart(l, r);
        if (e)
            break;

        if (r->action != POLICY_ASK || r->redirect != NAME_NONE)
            continue;
        if (may_offer(l, r)) {
            e = l->domains && !r->regex ? lint_today(l, r) : 0;
            continue;
        }
        text_addf(&l->text, "asks, but there is nothing to choose from: @default stands for no "
                            "domain, and no other rule of this service names one (target=)");
        e = lint_add(l, r);
    }
    return e;
}
