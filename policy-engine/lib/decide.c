/*
 * Deciding: the contract's "Evaluating a request", step by step. What denies says why; a denial
 * has notify yes unless the rule's own notify counts (reasons policy and autostart).
 */
#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/index.h"
#include "policy-engine/lib/never.h"

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
        [POLICY_REASON_NEVER] = "never",
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
    free(v->choices); /* the texts are the policy's and the domains' */
    free(v->owned[0]);
    free(v->owned[1]);
    *v = (struct policy_verdict){0};
}

/* A target as a caller or a target= may name it: one that names no domain becomes @default. */
static enum policy_reason check_target(const struct policy_domains *d, const char *spelled,
                                       struct subject *ret)
{
    struct subject s = subject_of(d, spelled);

    if (!token_allowed(s.kind, TOKEN_REQUEST))
        return POLICY_REASON_INVALID_TARGET;
    if ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && !s.domain)
        s = (struct subject){.spelled = "@default", .kind = TOKEN_DEFAULT};
    if (s.kind == TOKEN_DISPVM_NAME && (!s.domain || !s.domain->template_for_dispvms))
        return POLICY_REASON_NOT_DISPVM_TEMPLATE;
    *ret = s;
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
static bool is_source(const struct subject *s)
{
    return s->kind == TOKEN_NAME || s->kind == TOKEN_UUID || s->kind == TOKEN_ADMINVM;
}

static void use_source(struct match *m, struct subject source, struct policy_verdict *v)
{
    const struct policy_domain *dom = source.domain;

    m->source = source;
    m->default_dispvm = dom ? dom->default_dispvm : NULL;
    if (m->default_dispvm && !*m->default_dispvm)
        m->default_dispvm = NULL;
    v->source = source.spelled;
    v->guivm = dom ? dom->guivm : NULL;
}

static bool deny(struct policy_verdict *v, enum policy_reason reason)
{
    policy_verdict_deny(v, reason);
    return false;
}

bool decide_prepare(struct match *m, const struct policy_request *request, struct policy_verdict *v)
{
    const char *target = request->target && *request->target ? request->target : "@default";
    const char *remote = request->requested_source;
    struct span service = span_of(request->service);
    struct span argument = request->argument ? span_of(request->argument) : SPAN("+");
    enum policy_reason reason = check_target(m->domains, target, &m->target);
    struct subject source = subject_of(m->domains, request->source);

    v->source = request->source;
    v->rule = POLICY_NO_RULE;
    if (reason)
        return deny(v, reason);
    v->requested_target = m->target.spelled;
    if (!is_source(&source))
        return deny(v, POLICY_REASON_INVALID_SOURCE);
    if (remote && *remote) {
        if (!may_speak_for(m->domains, request->source, remote))
            return deny(v, POLICY_REASON_INVALID_SOURCE);
        source = subject_of(m->domains, remote);
        v->policy_source = remote;
    }
    use_source(m, source, v);
    m->service = names_find(&m->policy->names, service, names_hash(service));
    m->argument = names_find(&m->policy->names, argument, names_hash(argument));
    m->argument_text = argument.len ? span_skip(argument, 1) : argument;
    match_collect_tokens(m);
    return true;
}

/* False: a denial. */
static bool use_default_dispvm(const struct match *m, struct subject *target,
                               struct policy_verdict *v)
{
    const struct policy_domains *d = m->domains;

    if (!m->default_dispvm)
        return deny(v, POLICY_REASON_NO_DISPVM);
    *target =
        (struct subject){.spelled = domains_text(d, domain_view(d, m->source.domain)->default_text),
                         .kind = TOKEN_DISPVM_NAME};
    return true;
}

static bool may_stay_down(const struct subject *s)
{
    if (s->kind == TOKEN_ADMINVM)
        return true;
    return s->kind != TOKEN_DISPVM_NAME && s->domain && s->domain->power_state &&
           strcmp(s->domain->power_state, "Running") == 0;
}

/* A remote domain is reached through its relay, under another service name. */
static int use_relay(const struct policy_domain *d, const struct policy_request *q,
                     struct policy_verdict *v)
{
    _cleanup_(text_deinit) struct text t = {0};

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

static bool same_spelling(const struct subject *a, const struct subject *b)
{
    if (a->kind == TOKEN_ADMINVM || b->kind == TOKEN_ADMINVM)
        return a->kind == b->kind;
    return strcmp(a->spelled, b->spelled) == 0;
}

/* From the loopback check on: the same for an allow rule and for the user's answer. */
static int finish_allow(const struct match *m, const struct policy_request *q,
                        const struct subject *target, struct policy_verdict *v)
{
    const struct policy_domain *dom = target->kind == TOKEN_DISPVM_NAME ? NULL : target->domain;

    v->target = target->spelled;
    if (!q->just_evaluate && same_spelling(&m->source, target)) {
        policy_verdict_deny(v, POLICY_REASON_LOOPBACK);
        return 0;
    }
    if (never_forbids(m, v->target, v->action == POLICY_ASK ? POLICY_ASK : POLICY_ALLOW, v))
        return 0;
    v->action = POLICY_ALLOW;
    if (target->kind == TOKEN_ADMINVM) {
        v->target = "dom0";
        v->policy_source = NULL;
    } else if (!q->just_evaluate && dom && dom->type && strcmp(dom->type, "RemoteVM") == 0) {
        return use_relay(dom, q, v);
    }
    return 0;
}

static int decide_allow(struct match *m, const struct rule *rule, const struct policy_request *q,
                        struct policy_verdict *v)
{
    struct subject target = m->target;
    enum policy_reason reason = POLICY_REASON_NONE;

    v->target = target.spelled; /* a denial tells it too */
    if (rule->redirect != NAME_NONE) {
        v->target = rule_text(m->policy, rule->redirect);
        reason = check_target(m->domains, v->target, &target);
    }
    if (!reason && target.kind == TOKEN_DEFAULT)
        reason = POLICY_REASON_NO_TARGET;
    if (reason) {
        policy_verdict_deny(v, reason);
        return 0;
    }
    if (target.kind == TOKEN_DISPVM && !use_default_dispvm(m, &target, v))
        return 0;
    v->target = target.spelled;
    if (!rule->autostart && !may_stay_down(&target)) {
        policy_verdict_deny(v, POLICY_REASON_AUTOSTART);
        v->notify = rule->notify;
        return 0;
    }
    return finish_allow(m, q, &target, v);
}

static void name_rule(const struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    v->rule = (uint32_t)(rule - m->policy->rules);
    v->rule_file = rule_text(m->policy, rule->file);
    v->rule_line = rule->line;
}

static int decide_rule(struct match *m, const struct rule *rule, const struct policy_request *q,
                       struct policy_verdict *v)
{
    const char *user = rule_text(m->policy, rule->user);

    name_rule(m, rule, v);
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
    const struct rule *rule = match_first(m);

    if (rule && !m->regex_limit)
        return decide_rule(m, rule, q, v);
    if (rule)
        name_rule(m, rule, v);
    policy_verdict_deny(v, rule ? POLICY_REASON_REGEX_LIMIT : POLICY_REASON_NO_MATCH);
    return 0;
}

/* Not zeroed as a whole: the lists of tokens are filled before they are looked at. */
static void match_init(struct match *m, const struct policy *p, const struct policy_domains *d)
{
    m->policy = p;
    m->domains = d;
    m->regex_limit = false;
}

int policy_decide(const struct policy *p, const struct policy_domains *d,
                  const struct policy_request *q, struct policy_verdict *ret)
{
    struct match m;
    struct policy_verdict v = {0};
    int r;

    match_init(&m, p, d);
    r = decide_prepare(&m, q, &v) ? decide_by_rules(&m, q, &v) : 0;
    if (r) {
        policy_verdict_deinit(&v);
        return r;
    }
    *ret = v;
    return 0;
}

uint32_t decide_rule_only(const struct policy *p, const struct policy_domains *d,
                          const struct policy_request *q)
{
    struct match m;
    struct policy_verdict v = {0};
    const struct rule *rule;

    match_init(&m, p, d);
    rule = decide_prepare(&m, q, &v) ? match_first(&m) : NULL;
    return rule ? (uint32_t)(rule - p->rules) : POLICY_NO_RULE;
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

    if (s.kind == TOKEN_DISPVM && !use_default_dispvm(m, &s, v))
        return 0;
    if ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && !s.domain) {
        policy_verdict_deny(v, POLICY_REASON_NO_TARGET);
        return 0;
    }
    return finish_allow(m, q, &s, v);
}

int policy_answer_ask(const struct policy *p, const struct policy_domains *d,
                      const struct policy_request *q, const struct policy_verdict *asked,
                      const char *chosen, struct policy_verdict *ret)
{
    struct match m;
    struct policy_verdict v = {0};
    int r = 0;

    match_init(&m, p, d);
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
