/* The shadow policy: see shadow.h. */
#include "policy-engine/shadow.h"

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && str_equal(a, b));
}

static bool are_same_choices(const struct policy_verdict *a, const struct policy_verdict *b)
{
    bool same = a->n_choices == b->n_choices && is_same_text(a->default_target, b->default_target);

    for (size_t i = 0; same && i < a->n_choices; i++)
        same = str_equal(a->choices[i], b->choices[i]);
    return same;
}

/* Of a denial its reason is no difference: the caller sees none. */
bool shadow_is_other(const struct policy_verdict *a, const struct policy_verdict *b)
{
    if (a->action != b->action)
        return true;
    if (a->action == POLICY_ASK)
        return !are_same_choices(a, b);
    return a->action == POLICY_ALLOW &&
           (!is_same_text(a->target, b->target) || !is_same_text(a->user, b->user) ||
            !is_same_text(a->service, b->service) || a->autostart != b->autostart);
}

static char *join_choices(const struct policy_verdict *v)
{
    char *all = strdup("");

    for (size_t i = 0; all && i < v->n_choices; i++) {
        char *more = format_new("%s%s%s", all, i ? ", " : "", v->choices[i]);

        free(all);
        all = more;
    }
    return all;
}

static char *rule_of(const struct policy_verdict *v)
{
    return v->rule_file ? format_new("%s:%u", v->rule_file, v->rule_line) : strdup("no rule");
}

char *shadow_verdict_text(const struct policy_verdict *v)
{
    _cleanup_(freep) char *rule = rule_of(v);
    _cleanup_(freep) char *choices = v->action == POLICY_ASK ? join_choices(v) : NULL;

    if (!rule)
        return NULL;
    switch (v->action) {
    case POLICY_ALLOW: return format_new("allow to %s (%s)", v->target, rule);
    case POLICY_ASK: return choices ? format_new("ask about %s (%s)", choices, rule) : NULL;
    case POLICY_DENY: break;
    }
    return format_new("deny (%s, %s)", policy_reason_text(v->reason), rule);
}

char *shadow_difference(const struct policy *p, const struct policy_domains *d,
                        const struct policy_question *q, const struct policy_verdict *live)
{
    struct policy_request rq = policy_question_request(q);
    struct policy_verdict v = {0};
    char *text = NULL;

    if (!p || policy_decide(p, d, &rq, &v))
        return NULL;
    policy_settle(q, &v);
    if (shadow_is_other(live, &v))
        text = shadow_verdict_text(&v);
    policy_verdict_deinit(&v);
    return text;
}
