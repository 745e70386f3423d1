/*
 * What to do about a refusal: for the reader who has to make a call work, at midnight.
 *
 * Where a line of policy helps, that line (advice-line.c); where a property of a domain is in the
 * way, the command that changes it; where a name is misspelt, the name. What a rule with target=
 * does is not about the target that was asked for, so that one's spelling comes last.
 */
#include "policy-engine/lib/advice-parts.h"

/* ---- Properties in the way ---- */

static bool is_remote(const struct policy_domain *dom)
{
    return dom->type && strcmp(dom->type, "RemoteVM") == 0;
}

/* What qvm-start takes: no disposable, for that is made by the call. Or NULL. */
static const struct policy_domain *startable(const struct advice *a, const char *target)
{
    enum token_kind kind = token_kind(span_of(target));
    const struct policy_domain *dom = policy_domains_find(a->domains, target);

    return (kind == TOKEN_NAME || kind == TOKEN_UUID) && dom && !is_remote(dom) ? dom : NULL;
}

static void tell_autostart(const struct advice *a, const struct policy_domain *start,
                           const char *it)
{
    const struct policy_verdict *v = a->verdict;

    if (start)
        text_addf(a->text, "Start %s, or remove autostart=no from %s:%u:\n  qvm-start %s\n", it,
                  v->rule_file, v->rule_line, start->name);
    else
        text_addf(a->text, "Remove autostart=no from %s:%u; nothing can be started beforehand.\n",
                  v->rule_file, v->rule_line);
}

static void tell_template(const struct advice *a, const char *target)
{
    const char *redirect = redirect_of(a);

    text_addf(a->text, "Name a template for disposables");
    if (redirect)
        text_addf(a->text, " in the place of target=%s in %s:%u", redirect, a->verdict->rule_file,
                  a->verdict->rule_line);
    text_addf(a->text,
              " (qvm-ls --fields name,template_for_dispvms), or make it one:\n"
              "  qvm-prefs %s template_for_dispvms True\n",
              domain_name(a, target));
}

static void tell_source(const struct advice *a)
{
    const struct policy_request *q = a->request;
    const char *remote = q->requested_source && *q->requested_source ? q->requested_source : NULL;
    const struct policy_domain *dom = remote ? policy_domains_find(a->domains, remote) : NULL;

    if (!remote)
        text_addf(a->text, "No line of policy changes that.\n");
    else if (!dom)
        tell_unknown(a, remote);
    else if (!is_remote(dom))
        text_addf(a->text, "%s is no RemoteVM, and only for such a one another may speak.\n",
                  dom->name);
    else
        text_addf(a->text, "If %s is to speak for it:\n  qvm-prefs %s relayvm %s\n",
                  domain_name(a, q->source), dom->name, domain_name(a, q->source));
}

static void tell_loopback(const struct advice *a)
{
    const char *redirect = redirect_of(a);

    if (redirect)
        text_addf(a->text, "The rule sends it there: name another domain in target=%s in %s:%u.\n",
                  redirect, a->verdict->rule_file, a->verdict->rule_line);
    else
        text_addf(a->text, "No line of policy changes that.\n");
}

void tell_remedy(const struct advice *a, const struct policy_verdict *v)
{
    const char *target = v->target ? v->target : asked_target(a->request);
    const char *source = domain_name(a, v->source), *name = domain_name(a, target);
    struct text *t = a->text;

    switch (v->reason) {
    case POLICY_REASON_NOT_DISPVM_TEMPLATE: tell_template(a, target); break;
    case POLICY_REASON_NO_DISPVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s default_dispvm TEMPLATE\n", source);
        break;
    case POLICY_REASON_AUTOSTART: tell_autostart(a, startable(a, target), "it"); break;
    case POLICY_REASON_NO_RELAY:
        text_addf(t,
                  "Give it both:\n  qvm-prefs %s relayvm VM\n  qvm-prefs %s transport_rpc "
                  "SERVICE\n",
                  name, name);
        break;
    case POLICY_REASON_NO_GUIVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s guivm dom0\n", source);
        break;
    case POLICY_REASON_INVALID_SOURCE: tell_source(a); break;
    case POLICY_REASON_INVALID_TARGET:
        text_addf(t, "No line of policy changes that: the caller has to ask for one of these.\n");
        break;
    case POLICY_REASON_LOOPBACK: tell_loopback(a); break;
    default: break;
    }
}

/* ---- Names of nothing ---- */

/* True: the target that was asked for does not exist. */
static bool tell_misspelt(const struct advice *a)
{
    struct span asked = span_of(asked_target(a->request));
    enum token_kind kind = token_kind(asked);

    return (kind == TOKEN_NAME || kind == TOKEN_UUID || kind == TOKEN_DISPVM_NAME) &&
           tell_unknown(a, token_rest(asked).data);
}

/* True: the rule sends the call to a domain that does not exist. */
static bool tell_lost(const struct advice *a)
{
    const struct policy_verdict *v = a->verdict;
    const char *redirect = redirect_of(a);
    const char *name = redirect ? token_rest(span_of(redirect)).data : NULL;

    if (!name || name[0] == '@' || policy_domains_find(a->domains, name) || is_dom0(span_of(name)))
        return false;
    text_addf(a->text, "Mend target=%s in %s:%u. ", redirect, v->rule_file, v->rule_line);
    return tell_unknown(a, name);
}

/* ---- An ask without choices ---- */

#define SHOWN 8

static void tell_choices(const struct advice *a, const struct policy_verdict *v)
{
    const struct policy_domain *start = NULL;

    text_addf(a->text, "Nothing is running that the rule offers:");
    for (size_t i = 0; i < v->n_choices && i < SHOWN; i++)
        text_addf(a->text, " %s", v->choices[i]);
    text_addf(a->text, v->n_choices > SHOWN ? " and more.\n" : ".\n");
    for (size_t i = 0; i < v->n_choices; i++) {
        const struct policy_domain *dom = startable(a, v->choices[i]);

        if (dom && (!start || dom == policy_domains_find(a->domains, asked_target(a->request))))
            start = dom;
    }
    tell_autostart(a, start, v->n_choices > 1 ? "one of them" : "it");
}

/* What the ask would offer if its rule had no autostart=no; true: something, which is told. */
static int tell_stopped(const struct advice *a, bool *ret)
{
    struct match m = {.policy = a->policy, .domains = a->domains};
    _cleanup_(policy_verdict_deinit) struct policy_verdict prepared = {0};
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {.action = POLICY_ASK};
    struct rule rule = *deciding_rule(a);
    int r = 0;

    *ret = false;
    if (rule.autostart || !decide_prepare(&m, a->request, &prepared))
        return 0;
    rule.autostart = true;
    r = ask_choices(&m, &rule, &v);
    *ret = !r && v.action == POLICY_ASK;
    if (*ret)
        tell_choices(a, &v);
    return r;
}

/* True: the one choice would be a disposable, which the source has no template for. */
static bool tell_no_template(const struct advice *a)
{
    const struct policy_domain *dom = policy_domains_find(a->domains, a->verdict->source);
    struct policy_verdict v = *a->verdict;

    if (strcmp(a->verdict->requested_target, "@dispvm") != 0 || !dom ||
        (dom->default_dispvm && *dom->default_dispvm))
        return false;
    v.reason = POLICY_REASON_NO_DISPVM;
    tell_reason(a->text, a->request, &v);
    text_addf(a->text, ". ");
    tell_remedy(a, &v);
    if (!deciding_rule(a)->autostart)
        tell_autostart(a, NULL, NULL);
    return true;
}

static int tell_empty_ask(const struct advice *a)
{
    bool stopped;
    int r = tell_stopped(a, &stopped);

    return r || stopped || tell_no_template(a) ? r : tell_line(a);
}

/* ---- All together ---- */

static int tell_cause(const struct advice *a)
{
    const struct policy_verdict *v = a->verdict;
    const struct rule *rule = deciding_rule(a);

    switch (v->reason) {
    case POLICY_REASON_NO_TARGET:
        if (tell_lost(a))
            return 0;
        return rule->action == POLICY_ASK ? tell_empty_ask(a) : tell_line(a);
    case POLICY_REASON_POLICY:
    case POLICY_REASON_NO_MATCH:
    case POLICY_REASON_REGEX_LIMIT: return tell_line(a);
    case POLICY_REASON_NOT_DISPVM_TEMPLATE:
        if (tell_lost(a))
            return 0;
        break;
    default: break;
    }
    tell_remedy(a, v);
    return 0;
}

int tell_advice(struct text *t, const struct policy *p, const struct policy_domains *d,
                const struct policy_request *q, const struct policy_verdict *v)
{
    const struct advice a = {.text = t, .policy = p, .domains = d, .request = q, .verdict = v};
    bool by_target = !redirect_of(&a) && v->reason != POLICY_REASON_INVALID_SOURCE;
    struct policy_verdict asked = *v;
    int r = 0;

    if (v->action == POLICY_ALLOW || (v->action == POLICY_ASK && v->guivm))
        return 0;
    if (!is_dom0(span_of(q->source)) && tell_unknown(&a, q->source))
        return 0;
    if (v->action == POLICY_ASK) {
        asked.reason = POLICY_REASON_NO_GUIVM;
        tell_remedy(&a, &asked);
        return 0;
    }
    if (by_target && tell_misspelt(&a))
        return 0;
    r = tell_cause(&a);
    if (!r && !by_target)
        tell_misspelt(&a);
    return r;
}
