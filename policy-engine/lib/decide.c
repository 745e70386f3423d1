/*
 * Deciding: the contract's "Evaluating a request", step by step. What denies says why; a denial
 * has notify yes unless the rule's own notify counts (reasons policy and autostart).
 */
#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/index.h"

#include <stdio.h>

const char *policy_reason_text(enum policy_reason reason)
{
    static const char *const texts[] = {
        [POLICY_REASON_NONE] = "none",
        [POLICY_REASON_POLICY] = "policy",
        [POLICY_REASON_NO_MATCH] = "no-match",
        [POLICY_REASON_INVALID_TARGET] = "invalid-target",
        [POLICY_REASON_INVALID_SOURCE] = "invalid-source",
        [POLICY_REASON_NOT_DISPVM_TEMPLATE] = "not-dispvm-template",
        [POLICY_REASON_NO_TARGET] = "no-target",
        [POLICY_REASON_NO_DISPVM] = "no-dispvm",
        [POLICY_REASON_AUTOSTART] = "autostart",
        [POLICY_REASON_LOOPBACK] = "loopback",
        [POLICY_REASON_NO_RELAY] = "no-relay",
        [POLICY_REASON_USER] = "user",
        [POLICY_REASON_BAD_ANSWER] = "bad-answer",
        [POLICY_REASON_NO_GUIVM] = "no-guivm",
        [POLICY_REASON_REGEX_LIMIT] = "regex-limit",
    };

    return texts[reason];
}

void policy_verdict_deny(struct policy_verdict *v, enum policy_reason reason)
{
    v->action = POLICY_DENY;
    v->reason = reason;
    v->notify = true;
}

void policy_verdict_deinit(struct policy_verdict *v)
{
    for (size_t i = 0; i < v->n_choices; i++)
        free(v->choices[i]);
    free(v->choices);
    free(v->owned[0]);
    free(v->owned[1]);
    *v = (struct policy_verdict){0};
}

/* A target as a caller or a target= may name it: one that names no domain becomes @default. */
static enum policy_reason check_target(const struct policy_domains *d, const char **target)
{
    struct subject s = subject_of(d, *target);

    if (!token_allowed(s.kind, TOKEN_REQUEST))
        return POLICY_REASON_INVALID_TARGET;
    if ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && !s.domain)
        *target = "@default";
    if (s.kind == TOKEN_DISPVM_NAME && (!s.domain || !s.domain->template_for_dispvms))
        return POLICY_REASON_NOT_DISPVM_TEMPLATE;
    return POLICY_REASON_NONE;
}

/* A relay speaks for a remote domain only if that domain names it. */
static bool may_speak_for(const struct policy_domains *d, const char *relay, const char *remote)
{
    const struct policy_domain *dom = domains_find(d, span_of(remote));
    const struct policy_domain *by = domains_find(d, span_of(relay));

    if (!dom || !dom->type || strcmp(dom->type, "RemoteVM") != 0 || !dom->relayvm)
        return false;
    return strcmp(dom->relayvm, relay) == 0 || (by && domains_find(d, span_of(dom->relayvm)) == by);
}

/* A source is a domain: a keyword in its place would match the rules that name that keyword. */
static bool is_source(const char *source)
{
    enum token_kind kind = token_kind(span_of(source));

    return kind == TOKEN_NAME || kind == TOKEN_UUID || kind == TOKEN_ADMINVM;
}

bool decide_prepare(struct match *m, const struct policy_request *request, struct policy_verdict *v)
{
    const char *argument = request->argument ? request->argument : "+";
    const char *target = request->target && *request->target ? request->target : "@default";
    struct span service = span_of(request->service), arg = span_of(argument);
    enum policy_reason reason = check_target(m->domains, &target);

    v->source = request->source;
    v->rule = POLICY_NO_RULE;
    if (reason) {
        policy_verdict_deny(v, reason);
        return false;
    }
    v->requested_target = target;
    if (!is_source(v->source)) {
        policy_verdict_deny(v, POLICY_REASON_INVALID_SOURCE);
        return false;
    }
    if (request->requested_source && *request->requested_source) {
        if (!may_speak_for(m->domains, request->source, request->requested_source)) {
            policy_verdict_deny(v, POLICY_REASON_INVALID_SOURCE);
            return false;
        }
        v->source = request->requested_source;
        v->policy_source = request->requested_source;
    }
    m->service = names_find(&m->policy->names, service, names_hash(service));
    m->argument = names_find(&m->policy->names, arg, names_hash(arg));
    m->argument_text = arg.len ? span_skip(arg, 1) : arg;
    m->source = subject_of(m->domains, v->source);
    m->target = subject_of(m->domains, target);
    m->default_dispvm = m->source.domain ? m->source.domain->default_dispvm : NULL;
    if (m->default_dispvm && !*m->default_dispvm)
        m->default_dispvm = NULL;
    v->guivm = m->source.domain ? m->source.domain->guivm : NULL;
    return true;
}

static int use_default_dispvm(struct match *m, struct policy_verdict *v)
{
    _cleanup_(text_deinit) struct text t = {0};

    if (!m->default_dispvm) {
        policy_verdict_deny(v, POLICY_REASON_NO_DISPVM);
        return 0;
    }
    text_addf(&t, "@dispvm:%s", m->default_dispvm);
    free(v->owned[0]);
    v->owned[0] = NULL;
    if (text_take(&t, &v->owned[0]))
        return -ENOMEM;
    v->target = v->owned[0];
    return 0;
}

static bool may_stay_down(const struct match *m, const char *target)
{
    struct subject s = subject_of(m->domains, target);

    if (s.kind == TOKEN_ADMINVM)
        return true;
    return s.kind != TOKEN_DISPVM_NAME && s.domain && s.domain->power_state &&
           strcmp(s.domain->power_state, "Running") == 0;
}

/* A remote domain is reached through its relay, under another service name. */
static int use_relay(const struct match *m, const struct policy_request *q,
                     struct policy_verdict *v)
{
    struct subject s = subject_of(m->domains, v->target);
    _cleanup_(text_deinit) struct text t = {0};
    const struct policy_domain *d = s.domain;

    if (s.kind == TOKEN_ADMINVM || s.kind == TOKEN_DISPVM_NAME || !d || !d->type ||
        strcmp(d->type, "RemoteVM") != 0)
        return 0;
    if (!d->relayvm || !*d->relayvm || !d->transport_rpc || !*d->transport_rpc) {
        policy_verdict_deny(v, POLICY_REASON_NO_RELAY);
        return 0;
    }
    text_addf(&t, "%s+%s+%s%s", d->transport_rpc, v->requested_target, q->service,
              q->argument ? q->argument : "+");
    if (text_take(&t, &v->owned[1]))
        return -ENOMEM;
    v->service = v->owned[1];
    v->target = d->relayvm;
    v->user = "DEFAULT";
    return 0;
}

/* From the loopback check on: the same for an allow rule and for the user's answer. */
static int finish_allow(const struct match *m, const struct policy_request *q,
                        struct policy_verdict *v)
{
    int r = 0;

    if (!q->just_evaluate &&
        span_equal(token_canonical(span_of(v->source)), token_canonical(span_of(v->target)))) {
        policy_verdict_deny(v, POLICY_REASON_LOOPBACK);
        return 0;
    }
    v->action = POLICY_ALLOW;
    if (is_dom0(span_of(v->target))) {
        v->target = "dom0";
        v->policy_source = NULL;
    } else if (!q->just_evaluate) {
        r = use_relay(m, q, v);
    }
    return r;
}

static int decide_allow(struct match *m, const struct rule *rule, const struct policy_request *q,
                        struct policy_verdict *v)
{
    enum policy_reason reason;
    int r = 0;

    v->target =
        rule->redirect == NAME_NONE ? v->requested_target : rule_text(m->policy, rule->redirect);
    reason = check_target(m->domains, &v->target);
    if (!reason && strcmp(v->target, "@default") == 0)
        reason = POLICY_REASON_NO_TARGET;
    if (reason) {
        policy_verdict_deny(v, reason);
        return 0;
    }
    v->action = POLICY_ALLOW;
    if (strcmp(v->target, "@dispvm") == 0)
        r = use_default_dispvm(m, v);
    if (r || v->action == POLICY_DENY)
        return r;
    if (!rule->autostart && !may_stay_down(m, v->target)) {
        policy_verdict_deny(v, POLICY_REASON_AUTOSTART);
        v->notify = rule->notify;
        return 0;
    }
    return finish_allow(m, q, v);
}

static int decide_rule(struct match *m, const struct rule *rule, const struct policy_request *q,
                       struct policy_verdict *v)
{
    const char *user = rule_text(m->policy, rule->user);

    v->rule = (uint32_t)(rule - m->policy->rules);
    v->rule_file = rule_text(m->policy, rule->file);
    v->rule_line = rule->line;
    v->notify = rule->notify;
    v->user = user ? user : "DEFAULT";
    v->autostart = rule->autostart;
    switch (rule->action) {
    case POLICY_ALLOW: return decide_allow(m, rule, q, v);
    case POLICY_ASK: v->action = POLICY_ASK; return ask_choices(m, rule, v);
    case POLICY_DENY:
        policy_verdict_deny(v, POLICY_REASON_POLICY);
        v->notify = rule->notify;
        return 0;
    }
    return 0;
}

static int decide_by_rules(struct match *m, const struct policy_request *q,
                           struct policy_verdict *v)
{
    struct walk w = walk_start(m->policy, m->service, m->argument, false);
    const struct rule *rule;

    while ((rule = walk_next(&w))) {
        bool all = match_rule(m, rule) == MATCH_ALL;

        if (m->regex_limit) {
            v->rule = (uint32_t)(rule - m->policy->rules);
            v->rule_file = rule_text(m->policy, rule->file);
            v->rule_line = rule->line;
            policy_verdict_deny(v, POLICY_REASON_REGEX_LIMIT);
            return 0;
        }
        if (all)
            return decide_rule(m, rule, q, v);
    }
    policy_verdict_deny(v, POLICY_REASON_NO_MATCH);
    return 0;
}

int policy_decide(const struct policy *p, const struct policy_domains *d,
                  const struct policy_request *q, struct policy_verdict *ret)
{
    struct match m = {.policy = p, .domains = d};
    struct policy_verdict v = {0};
    int r = decide_prepare(&m, q, &v) ? decide_by_rules(&m, q, &v) : 0;

    if (r) {
        policy_verdict_deinit(&v);
        return r;
    }
    *ret = v;
    return 0;
}

static bool is_choice(const struct policy_verdict *v, const char *chosen)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (strcmp(v->choices[i], chosen) == 0)
            return true;
    return false;
}

/* The rule says where: a target= is resolved only now, and may turn out to name nothing. */
static int carry_out_choice(struct match *m, const struct policy_request *q,
                            struct policy_verdict *v)
{
    struct subject s = subject_of(m->domains, v->target);
    int r = 0;

    if (s.kind == TOKEN_DISPVM)
        r = use_default_dispvm(m, v);
    else if ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && !s.domain)
        policy_verdict_deny(v, POLICY_REASON_NO_TARGET);
    return r || v->action == POLICY_DENY ? r : finish_allow(m, q, v);
}

int policy_answer_ask(const struct policy *p, const struct policy_domains *d,
                      const struct policy_request *q, const struct policy_verdict *asked,
                      const char *chosen, struct policy_verdict *ret)
{
    struct match m = {.policy = p, .domains = d};
    struct policy_verdict v = {0};
    int r = 0;

    if (!decide_prepare(&m, q, &v)) {
        *ret = v;
        return 0;
    }
    v.action = POLICY_ASK;
    v.rule = asked->rule;
    v.rule_file = asked->rule_file;
    v.rule_line = asked->rule_line;
    v.notify = asked->notify;
    v.user = asked->user;
    v.autostart = asked->autostart;
    if (!chosen || !is_choice(asked, chosen)) {
        policy_verdict_deny(&v, chosen ? POLICY_REASON_BAD_ANSWER : POLICY_REASON_USER);
        v.notify = chosen ? true : asked->notify;
    } else if (!asked->guivm) {
        policy_verdict_deny(&v, POLICY_REASON_NO_GUIVM);
    } else {
        v.target = v.owned[0] = span_dup(span_of(chosen));
        r = v.target ? carry_out_choice(&m, q, &v) : -ENOMEM;
    }
    if (r) {
        policy_verdict_deinit(&v);
        return r;
    }
    *ret = v;
    return 0;
}

int policy_target_uuid(const struct policy_domains *d, const char *target, char *buf, size_t size)
{
    struct subject s = subject_of(d, target);
    int n;

    if (!s.domain || !s.domain->uuid || s.kind == TOKEN_ADMINVM)
        return 1;
    n = snprintf(buf, size, "%suuid:%s", s.kind == TOKEN_DISPVM_NAME ? "@dispvm:" : "",
                 s.domain->uuid);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
