/*
 * What to do about a refusal: for the reader who has to make a call work, at midnight.
 *
 * Where a line of policy helps, that line (advice-line.c); where a property of a domain is in the
 * way, the command that changes it; where a name is misspelt, the name.
 */
#include "policy-engine/lib/advice-parts.h"

/* ---- Properties in the way ---- */

void tell_remedy(const struct advice *a, const struct policy_verdict *v)
{
    const char *target = v->target ? v->target : asked_target(a->request);
    const char *source = domain_name(a, v->source), *name = domain_name(a, target);
    struct text *t = a->text;

    switch (v->reason) {
    case POLICY_REASON_NOT_DISPVM_TEMPLATE:
        text_addf(t,
                  "Name a template for disposables (qvm-ls --fields name,template_for_dispvms), or "
                  "make it one:\n  qvm-prefs %s template_for_dispvms True\n",
                  name);
        break;
    case POLICY_REASON_NO_DISPVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s default_dispvm TEMPLATE\n", source);
        break;
    case POLICY_REASON_AUTOSTART:
        text_addf(t, "Start it, or remove autostart=no from %s:%u:\n  qvm-start %s\n", v->rule_file,
                  v->rule_line, target);
        break;
    case POLICY_REASON_NO_RELAY:
        text_addf(t,
                  "Give it both:\n  qvm-prefs %s relayvm VM\n  qvm-prefs %s transport_rpc "
                  "SERVICE\n",
                  name, name);
        break;
    case POLICY_REASON_NO_GUIVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s guivm dom0\n", source);
        break;
    case POLICY_REASON_INVALID_SOURCE:
        text_addf(t, "If %s is a remote domain that %s speaks for:\n  qvm-prefs %s relayvm %s\n",
                  a->request->requested_source, a->request->source, a->request->requested_source,
                  a->request->source);
        break;
    case POLICY_REASON_INVALID_TARGET:
        text_addf(t, "No line of policy changes that: the caller has to ask for one of these.\n");
        break;
    case POLICY_REASON_LOOPBACK: text_addf(t, "No line of policy changes that.\n"); break;
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

/* ---- All together ---- */

static int tell_cause(const struct advice *a)
{
    const struct policy_verdict *v = a->verdict;

    switch (v->reason) {
    case POLICY_REASON_NO_TARGET:
        if (tell_lost(a))
            return 0;
        return tell_line(a);
    case POLICY_REASON_POLICY:
    case POLICY_REASON_NO_MATCH:
    case POLICY_REASON_REGEX_LIMIT: return tell_line(a);
    default: break;
    }
    tell_remedy(a, v);
    return 0;
}

int tell_advice(struct text *t, const struct policy *p, const struct policy_domains *d,
                const struct policy_request *q, const struct policy_verdict *v)
{
    const struct advice a = {.text = t, .policy = p, .domains = d, .request = q, .verdict = v};
    struct policy_verdict asked = *v;

    if (v->action == POLICY_ALLOW || (v->action == POLICY_ASK && v->guivm))
        return 0;
    if (!is_dom0(span_of(q->source)) && tell_unknown(&a, q->source))
        return 0;
    if (v->action == POLICY_ASK) {
        asked.reason = POLICY_REASON_NO_GUIVM;
        tell_remedy(&a, &asked);
        return 0;
    }
    return tell_misspelt(&a) ? 0 : tell_cause(&a);
}
