/*
 * The choices of an ask: all rules of the service, argument and source, each adding its targets or
 * (deny) taking them away; of two rules that speak of the same target the lower one counts.
 *
 * So it is enough to know for each token, and through its tokens for each domain and each domain's
 * @dispvm: form, the lowest rule that names it; order of looking does not matter. There are more
 * rules than tokens: it is the tokens that are looked up in the other's names, once.
 */
#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/never.h"

/* Numbers of rules; NAME_NONE: none. */
struct offers {
    uint32_t *by_token; /* of each of the policy's names */
    uint32_t *by_name;  /* and then of each of the view's */
    uint32_t any, anyvm, dispvm, adminvm;
};

static void lower(uint32_t *to, uint32_t rule)
{
    if (rule < *to)
        *to = rule;
}

static void offer_rule(const struct match *m, struct offers *o, const struct rule *r)
{
    uint32_t token = r->redirect == NAME_NONE ? r->target_spelled : r->redirect;
    uint32_t rule = (uint32_t)(r - m->policy->rules);

    switch (token) {
    case NAME_ANY: lower(&o->any, rule); return;
    case NAME_ANYVM: lower(&o->anyvm, rule); return;
    case NAME_DISPVM: lower(&o->dispvm, rule); return;
    /* by the keyword it is one choice, by name or uuid another, until the end */
    case NAME_ADMINVM: lower(&o->adminvm, rule); return;
    case NAME_DEFAULT: return;
    default: lower(&o->by_token[token], rule); return;
    }
}

static void offer_places(struct match *m, struct offers *o, struct places list, bool check)
{
    for (size_t i = 0; i < list.n; i++) {
        const struct rule *r = &m->policy->rules[list.rules[i]];

        if (!check || match_source(m, r))
            offer_rule(m, o, r);
    }
}

static void collect(struct match *m, struct offers *o)
{
    const struct policy *p = m->policy;
    uint32_t buckets[INDEX_BUCKETS];
    size_t n = index_buckets(p, m->service, m->argument, buckets);

    for (size_t i = 0; i < n; i++) {
        if (m->source_tokens.too_many)
            offer_places(m, o, index_bucket(p, buckets[i]), true);
        for (size_t k = 0; !m->source_tokens.too_many && k < m->source_tokens.n; k++)
            offer_places(m, o, index_from(p, buckets[i], m->source_tokens.id[k]), false);
    }
    offer_places(m, o, index_regex(p, m->service), true);
}

static void name_tokens(const struct match *m, struct offers *o)
{
    const struct names *names = &m->domains->names;

    for (uint32_t i = 0; i < names->n; i++) {
        uint32_t token = names_find(&m->policy->names, names_span(names, i), names->list[i].hash);

        o->by_name[i] = token == NAME_NONE ? NAME_NONE : o->by_token[token];
    }
}

static uint32_t lowest_in(const struct match *m, const struct offers *o, struct token_range range)
{
    uint32_t lowest = NAME_NONE;

    for (uint32_t i = 0; i < range.n; i++)
        lower(&lowest, o->by_name[m->domains->tokens[range.first + i]]);
    return lowest;
}

static bool adds(const struct match *m, uint32_t rule)
{
    return rule != NAME_NONE && m->policy->rules[rule].action != POLICY_DENY;
}

/* ---- What is offered ---- */

struct chooser {
    struct match *m;
    const struct rule *rule; /* the ask */
    struct offers offers;
    uint32_t wide, wide_vm;                 /* for dom0, for all others */
    const struct policy_domain *disposable; /* whose @dispvm: form @dispvm stands for, or NULL */
};

static bool is_dom0_itself(const struct policy_domain *dom)
{
    return strcmp(dom->name, "dom0") == 0;
}

static bool is_up(const struct policy_domain *dom)
{
    return is_dom0_itself(dom) || (dom->power_state && strcmp(dom->power_state, "Running") == 0);
}

static bool offers_domain(const struct chooser *c, const struct policy_domain *dom)
{
    const struct domain_view *v = domain_view(c->m->domains, dom);
    bool dom0 = is_dom0_itself(dom);
    uint32_t lowest = dom0 ? c->wide : c->wide_vm;

    if (dom->internal || dom == c->m->source.domain || (!c->rule->autostart && !is_up(dom)))
        return false;
    lower(&lowest, lowest_in(c->m, &c->offers, v->self));
    lower(&lowest, lowest_in(c->m, &c->offers, v->properties));
    return adds(c->m, lowest) || (dom0 && adds(c->m, c->offers.adminvm));
}

static bool offers_disposable(const struct chooser *c, const struct policy_domain *dom)
{
    const struct domain_view *v = domain_view(c->m->domains, dom);
    uint32_t lowest = c->wide_vm;

    if (dom->internal || !c->rule->autostart)
        return false;
    if (dom == c->disposable)
        return true;
    if (!dom->template_for_dispvms)
        return false;
    lower(&lowest, lowest_in(c->m, &c->offers, v->disposable));
    lower(&lowest, lowest_in(c->m, &c->offers, v->disposable_tags));
    return adds(c->m, lowest);
}

static void resolve(struct chooser *c)
{
    const struct policy_domains *d = c->m->domains;
    struct offers *o = &c->offers;

    c->wide = c->wide_vm = o->any;
    lower(&c->wide_vm, o->anyvm);
    lower(&o->dispvm, c->wide_vm);
    if (adds(c->m, o->dispvm) && c->m->default_dispvm)
        c->disposable = domains_at_name(d, domain_view(d, c->m->source.domain)->default_name);
}

/* Texts of the domains' view, so nothing is copied. Both runs are in order already: by name. */
static void list_choices(const struct chooser *c, struct policy_verdict *v)
{
    const struct policy_domains *d = c->m->domains;
    size_t i = 0, k = 0;

    while (true) {
        const char *name, *disposable;

        while (i < d->n && !offers_domain(c, &d->list[d->sorted[i]]))
            i++;
        while (k < d->n && !offers_disposable(c, &d->list[d->sorted[k]]))
            k++;
        if (i == d->n && k == d->n)
            return;
        name = i < d->n ? d->list[d->sorted[i]].name : NULL;
        disposable = k < d->n ? domains_text(d, d->views[d->sorted[k]].disposable_text) : NULL;
        if (!disposable || (name && strcmp(name, disposable) < 0)) {
            v->choices[v->n_choices++] = (char *)name;
            i++;
        } else {
            v->choices[v->n_choices++] = (char *)disposable;
            k++;
        }
    }
}

static int many_choices(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    const struct policy_domains *d = m->domains;
    struct chooser c = {
        .m = m, .rule = rule, .offers = {NULL, NULL, NAME_NONE, NAME_NONE, NAME_NONE, NAME_NONE}};
    size_t n = m->policy->names.n;
    _cleanup_(freep) uint32_t *lowest = malloc((n + d->names.n) * sizeof(*lowest));

    v->choices = malloc((2 * d->n + 1) * sizeof(*v->choices));
    if (!lowest || !v->choices)
        return -ENOMEM;
    memset(lowest, 0xff, n * sizeof(*lowest));
    c.offers.by_token = lowest;
    c.offers.by_name = lowest + n;
    collect(m, &c.offers);
    name_tokens(m, &c.offers);
    resolve(&c);
    list_choices(&c, v);
    return 0;
}

/* target= is the one choice, as it stands. */
static int one_choice(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    const char *redirect = rule_text(m->policy, rule->redirect);
    struct subject s = subject_of(m->domains, redirect);
    bool up = s.kind == TOKEN_ADMINVM ||
              ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && s.domain && is_up(s.domain));

    if (!rule->autostart && !up)
        return 0;
    v->choices = malloc(sizeof(*v->choices));
    if (!v->choices)
        return -ENOMEM;
    v->choices[v->n_choices++] = s.kind == TOKEN_ADMINVM ? (char *)"dom0" : (char *)redirect;
    return 0;
}

static const char *find_choice(const struct policy_verdict *v, const char *wanted)
{
    char *const *found =
        wanted ? bsearch(&wanted, v->choices, v->n_choices, sizeof(v->choices[0]), order_of_strings)
               : NULL;

    return found ? *found : NULL;
}

static void choose_default(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    const char *wanted = rule_text(m->policy, rule->default_target);
    enum token_kind kind = wanted ? token_kind(span_of(wanted)) : TOKEN_BAD;

    if (kind == TOKEN_ADMINVM)
        wanted = "dom0";
    if (kind == TOKEN_DISPVM) /* resolved, so never the @dispvm of a target=@dispvm */
        wanted =
            m->default_dispvm
                ? domains_text(m->domains, domain_view(m->domains, m->source.domain)->default_text)
                : NULL;
    v->default_target = find_choice(v, wanted);
}

int ask_choices(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    int r = rule->redirect == NAME_NONE ? many_choices(m, rule, v) : one_choice(m, rule, v);

    if (!r)
        r = never_filter(m, v);
    if (r || v->action == POLICY_DENY)
        return r;
    if (m->regex_limit) /* the rule that gave up might have taken choices away */
        policy_verdict_deny(v, POLICY_REASON_REGEX_LIMIT);
    else if (!v->n_choices)
        policy_verdict_deny(v, POLICY_REASON_NO_TARGET);
    else
        choose_default(m, rule, v);
    return 0;
}
