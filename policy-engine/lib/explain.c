/*
 * Explaining: the decision again, told. For a refusal it ends with the line that would allow just
 * this request, and where it must stand to be the first that matches.
 */
#include "policy-engine/lib/decide.h"

static const char *const reasons[] = {
    [POLICY_REASON_NONE] = "",
    [POLICY_REASON_POLICY] = "a rule says so",
    [POLICY_REASON_NO_MATCH] = "no rule matches, and what no rule allows is refused",
    [POLICY_REASON_INVALID_TARGET] = "the target is no name and no keyword that a caller may use",
    [POLICY_REASON_INVALID_SOURCE] =
        "the caller may not speak for that source (a RemoteVM whose relayvm it is)",
    [POLICY_REASON_NOT_DISPVM_TEMPLATE] = "the target's template is no template for disposables "
                                          "(qvm-prefs VM template_for_dispvms True)",
    [POLICY_REASON_NO_TARGET] = "a rule matches, but it leaves no domain to call",
    [POLICY_REASON_NO_DISPVM] =
        "the source has no default_dispvm (qvm-prefs VM default_dispvm TEMPLATE)",
    [POLICY_REASON_AUTOSTART] = "the target is not running, and the rule says autostart=no",
    [POLICY_REASON_LOOPBACK] = "source and target are the same domain",
    [POLICY_REASON_NO_RELAY] = "the remote target has no relayvm or no transport_rpc",
    [POLICY_REASON_USER] = "the user said no",
    [POLICY_REASON_BAD_ANSWER] = "the prompt's answer was none of the choices",
    [POLICY_REASON_NO_GUIVM] = "a rule asks, and the source has no guivm to ask in",
    [POLICY_REASON_REGEX_LIMIT] = "a regular expression ran into its limits",
};

static const char *const columns[] = {
    [MATCH_ALL] = "matches",
    [MATCH_SERVICE] = "another service",
    [MATCH_ARGUMENT] = "another argument",
    [MATCH_SOURCE] = "the source does not match",
    [MATCH_TARGET] = "the target does not match",
};

static void tell_request(struct text *t, const struct policy_request *q,
                         const struct policy_verdict *v)
{
    text_addf(t, "%s -> %s, service %s%s\n", q->source,
              q->target && *q->target ? q->target : "@default", q->service,
              q->argument ? q->argument : "+");
    if (v->requested_target && q->target && strcmp(v->requested_target, q->target) != 0)
        text_addf(t, "  no domain is called \"%s\", so the target is %s\n", q->target,
                  v->requested_target);
}

static void tell_verdict(struct text *t, const struct policy_verdict *v)
{
    if (v->action == POLICY_ALLOW)
        text_addf(t, "allow: the call goes to %s, as user %s%s\n", v->target, v->user,
                  v->autostart ? "" : ", if it is running");
    else if (v->action == POLICY_DENY)
        text_addf(t, "deny (%s): %s\n", policy_reason_text(v->reason), reasons[v->reason]);
    else {
        text_addf(t, "ask: the user chooses among");
        for (size_t i = 0; i < v->n_choices; i++)
            text_addf(t, " %s", v->choices[i]);
        text_addf(t, v->guivm ? "\n"
                              : "\n  but the source has no guivm to ask in, so it is refused\n");
    }
}

static void tell_rule(struct text *t, const struct policy *p, const struct rule *r)
{
    const char *line = rule_text(p, r->text);

    text_addf(t, "%s:%u: %s", rule_text(p, r->file), r->line,
              line && *line ? line : "(what the file's end implies: everything else is denied)");
}

/* The rules of this service before the one that decided, and why each was passed by. */
static void tell_passed(struct text *t, struct match *m, uint32_t decided)
{
    const struct policy *p = m->policy;
    bool first = true;

    for (size_t i = 0; i < p->n && i < decided; i++) {
        enum match_column c = match_rule(m, &p->rules[i]);

        if (c == MATCH_SERVICE)
            continue;
        text_addf(t, first ? "Passed by:\n  " : "  ");
        first = false;
        tell_rule(t, p, &p->rules[i]);
        text_addf(t, "\n      %s\n", columns[c]);
    }
    if (first)
        text_addf(t, decided == POLICY_NO_RULE ? "No rule is about this service.\n" : "");
}

/* Would a line for this request help at all? */
static bool line_would_help(const struct policy_verdict *v)
{
    switch (v->reason) {
    case POLICY_REASON_POLICY:
    case POLICY_REASON_NO_MATCH:
    case POLICY_REASON_NO_TARGET:
    case POLICY_REASON_USER:
    case POLICY_REASON_NO_GUIVM: return v->action == POLICY_DENY;
    default: return v->action == POLICY_ASK;
    }
}

static void tell_advice(struct text *t, const struct policy_request *q,
                        const struct policy_verdict *v)
{
    if (!line_would_help(v) || !v->requested_target)
        return;
    text_addf(t, "To allow just this, put this line first into /etc/qubes/policy.d/30-user.policy");
    if (v->rule_file)
        text_addf(t, ",\nor in any file before %s", v->rule_file);
    text_addf(t, ":\n  %s %s %s %s allow%s\n", q->service, q->argument ? q->argument : "+",
              v->source, v->requested_target,
              strcmp(v->requested_target, "@default") == 0 ? " target=DOMAIN" : "");
}

int policy_explain(const struct policy *p, const struct policy_domains *d,
                   const struct policy_request *q, char **ret)
{
    struct match m = {.policy = p, .domains = d};
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0}, prepared = {0};
    _cleanup_(text_deinit) struct text t = {0};
    int r = policy_decide(p, d, q, &v);

    if (r)
        return r;
    tell_verdict(&t, &v);
    tell_request(&t, q, &v);
    if (v.rule != POLICY_NO_RULE) {
        text_addf(&t, "Decided by:\n  ");
        tell_rule(&t, p, &p->rules[v.rule]);
        text_addf(&t, "\n");
    }
    if (decide_prepare(&m, q, &prepared)) {
        if (m.target.kind == TOKEN_DISPVM)
            text_addf(&t, "@dispvm means the source's default_dispvm: %s\n",
                      m.default_dispvm ? m.default_dispvm : "none");
        tell_passed(&t, &m, v.rule);
    }
    tell_advice(&t, q, &v);
    return text_take(&t, ret);
}
