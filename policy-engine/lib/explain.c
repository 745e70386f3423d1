/*
 * Explaining: the decision again, told. First what and why, then the rule, then what the words of
 * the request stand for, then each earlier rule and the column that let it pass by, and for a
 * refusal what would change it.
 */
#include "policy-engine/lib/advice.h"
#include "policy-engine/lib/index.h"
#include "policy-engine/lib/lines.h"

static void tell_verdict(struct text *t, const struct policy_request *q,
                         const struct policy_verdict *v)
{
    static const char *const words[] = {"denied", "allowed", "ask"};

    text_addf(t, "%s: %s%s from %s to %s", words[v->action], q->service,
              q->argument ? q->argument : "+", v->source ? v->source : q->source,
              q->target && *q->target ? q->target : "@default");
    if (v->source && strcmp(v->source, q->source) != 0)
        text_addf(t, " (through %s)", q->source);
    text_addf(t, "\n");
    if (v->action == POLICY_DENY) {
        text_addf(t, "  %s: ", policy_reason_text(v->reason));
        tell_reason(t, q, v);
        text_addf(t, "\n");
    } else if (v->action == POLICY_ALLOW) {
        text_addf(t, "  goes to %s as user %s%s\n", v->target, v->user,
                  v->autostart ? "" : ", which must be running already");
        if (v->service)
            text_addf(t, "  a remote domain: its relay is called, for %s\n", v->service);
    } else {
        text_addf(t, "  the user chooses among:");
        for (size_t i = 0; i < v->n_choices; i++)
            text_addf(t, " %s", v->choices[i]);
        text_addf(t, "\n");
        if (!v->guivm)
            text_addf(t, "  but %s has no guivm to ask in, so it is denied\n", v->source);
    }
}

/* The line with single blanks. */
static void tell_rule(struct text *t, const struct policy *p, const struct rule *r)
{
    struct policy_rule_view v;
    struct span line, word;
    const char *blank = "";

    policy_get_rule(p, (size_t)(r - p->rules), &v);
    line = span_of(v.text);
    text_addf(t, "  %s:%u: ", v.file, v.line);
    if (!line.len)
        text_addf(t, "(what every R4.0 file with an argument ends in: all else is denied)");
    while (word_next(&line, &word)) {
        text_addf(t, "%s%.*s", blank, SPAN_FMT(word));
        blank = " ";
    }
    text_addf(t, "\n");
}

static void tell_domain(struct text *t, const char *what, const struct subject *s)
{
    const struct policy_domain *dom = s->domain;

    text_addf(t, "  %s %s: ", what, s->spelled);
    if (!dom) {
        text_addf(t, "no such domain, so only its name, @anyvm and * match it\n");
        return;
    }
    text_addf(t, "%s, %s", dom->type ? dom->type : "no type",
              dom->power_state ? dom->power_state : "no power state");
    for (size_t i = 0; i < dom->n_tags; i++)
        text_addf(t, "%s%s", i ? " " : ", tags ", dom->tags[i]);
    if (dom->template_for_dispvms)
        text_addf(t, ", template for disposables");
    text_addf(t, "\n");
}

static void tell_words(struct text *t, const struct match *m, const struct policy_request *q)
{
    text_addf(t, "What the words stand for\n");
    tell_domain(t, "source", &m->source);
    switch (m->target.kind) {
    case TOKEN_DEFAULT:
        text_addf(t, "  target @default: %s\n",
                  q->target && *q->target && strcmp(q->target, "@default") != 0
                      ? "no domain has the name that was asked for"
                      : "the caller names none");
        break;
    case TOKEN_DISPVM:
        text_addf(t, "  target @dispvm: a disposable of the source's default_dispvm, %s\n",
                  m->default_dispvm ? m->default_dispvm : "which is not set");
        break;
    default: tell_domain(t, "target", &m->target);
    }
}

static void tell_column(struct text *t, const struct match *m, const struct rule *r,
                        enum match_column c, const struct policy_request *q)
{
    const struct policy *p = m->policy;

    if (c == MATCH_ARGUMENT)
        text_addf(t, "    argument %s is not %s\n", q->argument ? q->argument : "+",
                  rule_text(p, r->argument));
    if (c == MATCH_SOURCE)
        text_addf(t, "    source %s is not %s\n", m->source.spelled, rule_text(p, r->source));
    if (c == MATCH_TARGET)
        text_addf(t, "    target %s is not %s\n", m->target.spelled,
                  rule_text(p, r->target_spelled));
}

/* The rules of this service before the one that decided, and why each was passed by. */
static void tell_passed(struct text *t, struct match *m, const struct policy_request *q,
                        uint32_t decided)
{
    const struct policy *p = m->policy;
    bool first = true;

    for (size_t i = 0; i < p->n && i < decided; i++) {
        enum match_column c = match_rule(m, &p->rules[i]);

        if (c == MATCH_SERVICE)
            continue;
        if (first)
            text_addf(t, "Rules of this service that come before and do not match\n");
        first = false;
        tell_rule(t, p, &p->rules[i]);
        tell_column(t, m, &p->rules[i], c, q);
    }
    if (first && decided == POLICY_NO_RULE)
        text_addf(t, "No rule is about this service.\n");
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
    tell_verdict(&t, q, &v);
    if (v.rule != POLICY_NO_RULE) {
        text_addf(&t, "Decided by\n");
        tell_rule(&t, p, &p->rules[v.rule]);
    }
    r = tell_advice(&t, p, d, q, &v);
    if (r)
        return r;
    if (decide_prepare(&m, q, &prepared)) {
        tell_words(&t, &m, q);
        tell_passed(&t, &m, q, v.rule);
    }
    return text_take(&t, ret);
}
