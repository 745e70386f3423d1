/*
 * The choices of an ask: all rules of the service, argument and source, from last to first, each
 * adding its targets or (deny) taking them away.
 *
 * A set of places: every domain, every domain's @dispvm: form, @dispvm, @adminvm.
 */
#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/index.h"

struct set {
    bool *has; /* n domains, n disposables, then @dispvm and @adminvm */
    size_t n;
};

static size_t place_dispvm(const struct set *s)
{
    return 2 * s->n;
}

static size_t place_adminvm(const struct set *s)
{
    return 2 * s->n + 1;
}

static void put_domain(struct set *s, const struct policy_domains *d,
                       const struct policy_domain *dom, bool on)
{
    if (dom)
        s->has[dom - d->list] = on;
}

static void put_disposable(struct set *s, const struct policy_domains *d,
                           const struct policy_domain *dom, bool on)
{
    if (dom && dom->template_for_dispvms)
        s->has[s->n + (size_t)(dom - d->list)] = on;
}

/* Expands * or @anyvm, a tag, a type, templates of a tag. */
static void put_matching(struct set *s, const struct policy_domains *d, enum token_kind kind,
                         const char *rest, bool on)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct policy_domain *dom = &d->list[i];

        if (kind == TOKEN_ANY || (kind == TOKEN_ANYVM && strcmp(dom->name, "dom0") != 0) ||
            (kind == TOKEN_TAG && domain_has_tag(dom, rest)) ||
            (kind == TOKEN_TYPE && dom->type && strcmp(dom->type, rest) == 0))
            put_domain(s, d, dom, on);
        if (kind == TOKEN_ANY || kind == TOKEN_ANYVM ||
            (kind == TOKEN_DISPVM_TAG && domain_has_tag(dom, rest)))
            put_disposable(s, d, dom, on);
    }
    if (kind == TOKEN_ANY || kind == TOKEN_ANYVM)
        s->has[place_dispvm(s)] = on;
}

static void put_token(struct set *s, const struct policy_domains *d, struct span word, bool on)
{
    enum token_kind kind = token_kind(word);

    switch (kind) {
    case TOKEN_NAME:
    case TOKEN_UUID: put_domain(s, d, domains_find(d, word), on); break;
    case TOKEN_DISPVM_NAME: put_disposable(s, d, domains_find(d, token_rest(word)), on); break;
    case TOKEN_DISPVM: s->has[place_dispvm(s)] = on; break;
    case TOKEN_ADMINVM:
        /* by the keyword it is one choice, by name or uuid another, until the end */
        if (span_equal(word, SPAN("@adminvm")))
            s->has[place_adminvm(s)] = on;
        else
            put_domain(s, d, domains_find(d, word), on);
        break;
    case TOKEN_DEFAULT:
    case TOKEN_BAD: break;
    default: put_matching(s, d, kind, token_rest(word).data, on);
    }
}

static void collect(struct match *m, struct set *s)
{
    const struct policy *p = m->policy;
    struct walk w = walk_start(p, m->service, m->argument, true);
    const struct rule *r;

    while ((r = walk_next(&w))) {
        enum match_column c = match_rule(m, r);

        if (c == MATCH_ALL || c == MATCH_TARGET)
            put_token(
                s, m->domains,
                names_span(&p->names, r->redirect == NAME_NONE ? r->target_spelled : r->redirect),
                r->action != POLICY_DENY);
    }
}

static void resolve(struct match *m, struct set *s)
{
    const struct policy_domains *d = m->domains;
    const struct policy_domain *dom;

    if (s->has[place_dispvm(s)] && m->default_dispvm) {
        dom = domains_find(d, span_of(m->default_dispvm));
        if (dom)
            s->has[s->n + (size_t)(dom - d->list)] = true;
    }
    if (s->has[place_adminvm(s)])
        put_domain(s, d, domains_find(d, SPAN("dom0")), true);
    put_domain(s, d, m->source.domain, false);
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].internal)
            s->has[i] = s->has[s->n + i] = false;
}

static bool is_up(const struct policy_domain *dom)
{
    return strcmp(dom->name, "dom0") == 0 ||
           (dom->power_state && strcmp(dom->power_state, "Running") == 0);
}

static int add_choice(struct policy_verdict *v, size_t *cap, const char *prefix, const char *name)
{
    _cleanup_(text_deinit) struct text t = {0};
    int r = ARRAY_GROW(v->choices, *cap, v->n_choices);

    if (r)
        return r;
    text_addf(&t, "%s%s", prefix, name);
    r = text_take(&t, &v->choices[v->n_choices]);
    if (!r)
        v->n_choices++;
    return r;
}

static int list_choices(struct match *m, const struct rule *rule, const struct set *s,
                        struct policy_verdict *v)
{
    const struct policy_domains *d = m->domains;
    size_t cap = 0;
    int r = 0;

    for (size_t i = 0; !r && i < d->n; i++) {
        if (s->has[i] && (rule->autostart || is_up(&d->list[i])))
            r = add_choice(v, &cap, "", d->list[i].name);
        if (!r && s->has[s->n + i] && rule->autostart)
            r = add_choice(v, &cap, "@dispvm:", d->list[i].name);
    }
    if (v->n_choices)
        qsort(v->choices, v->n_choices, sizeof(v->choices[0]), order_of_strings);
    return r;
}

/* target= is the one choice, as it stands. */
static int one_choice(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    const char *redirect = rule_text(m->policy, rule->redirect);
    struct subject s = subject_of(m->domains, redirect);
    bool up = s.kind == TOKEN_ADMINVM ||
              ((s.kind == TOKEN_NAME || s.kind == TOKEN_UUID) && s.domain && is_up(s.domain));
    size_t cap = 0;

    if (!rule->autostart && !up)
        return 0;
    return add_choice(v, &cap, "", s.kind == TOKEN_ADMINVM ? "dom0" : redirect);
}

static int many_choices(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    struct set s = {.n = m->domains->n};
    int r;

    s.has = calloc(2 * s.n + 2, sizeof(*s.has));
    if (!s.has)
        return -ENOMEM;
    collect(m, &s);
    resolve(m, &s);
    r = list_choices(m, rule, &s, v);
    free(s.has);
    return r;
}

static void choose_default(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    const char *wanted = rule_text(m->policy, rule->default_target);
    struct span word = wanted ? span_of(wanted) : SPAN("");

    for (size_t i = 0; wanted && i < v->n_choices; i++) {
        const char *c = v->choices[i];
        bool same = strcmp(c, wanted) == 0;

        if (token_kind(word) == TOKEN_ADMINVM)
            same = strcmp(c, "dom0") == 0;
        if (token_kind(word) == TOKEN_DISPVM)
            same = same || (m->default_dispvm && span_starts(span_of(c), DISPVM_COLON) &&
                            strcmp(c + DISPVM_COLON.len, m->default_dispvm) == 0);
        if (same)
            v->default_target = c;
    }
}

int ask_choices(struct match *m, const struct rule *rule, struct policy_verdict *v)
{
    int r = rule->redirect == NAME_NONE ? many_choices(m, rule, v) : one_choice(m, rule, v);

    if (r)
        return r;
    if (m->regex_limit) /* the rule that gave up might have taken choices away */
        policy_verdict_deny(v, POLICY_REASON_REGEX_LIMIT);
    else if (!v->n_choices)
        policy_verdict_deny(v, POLICY_REASON_NO_TARGET);
    else
        choose_default(m, rule, v);
    return 0;
}
