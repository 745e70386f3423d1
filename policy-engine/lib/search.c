/* Trying candidates: see search.h. */
#include "policy-engine/lib/search.h"

bool need_add(struct need *n, const char *service, const char *argument)
{
    if (service && n->service && strcmp(service, n->service) != 0)
        return false;
    if (service)
        n->service = service;
    argument_require(&n->argument, argument);
    return !n->argument.none;
}

static struct rule_words rule_words_of(const struct policy *p, const struct rule *r)
{
    const char *redirect = rule_text(p, r->redirect);

    return (struct rule_words){
        .service = r->service == NAME_ANY ? NULL : rule_text(p, r->service),
        .argument = r->argument == NAME_ANY ? NULL : rule_text(p, r->argument),
        .source = word_of(rule_text(p, r->source)),
        .target = word_of(rule_text(p, r->target)),
        .leads = word_of(redirect ? redirect : rule_text(p, r->target)),
        .redirect = redirect ? word_of(redirect) : (struct word){.kind = TOKEN_BAD},
        .action = r->action,
    };
}

static bool word_is_good(const char *text, enum token_place place, struct word *ret)
{
    *ret = word_of(text ? text : "*");
    return token_allowed(ret->kind, place);
}

static int find_repeats(struct search *s)
{
    const struct policy *p = s->policy;
    struct seen seen = {0};
    int r = 0;

    /* one set for both: the keys are of different lengths */
    for (size_t i = 0; !r && i < p->n; i++) {
        const struct rule *rule = &p->rules[i];
        const uint32_t key[] = {rule->service, rule->argument, rule->source,
                                rule->redirect == NAME_NONE ? rule->target_spelled
                                                            : rule->redirect};
        bool new = true;

        if (rule->action != POLICY_DENY)
            r = seen_add(&seen, mix(MIX_START, key, sizeof(key)), &new);
        s->repeats[i] = !new;
        if (!r && rule->action != POLICY_DENY)
            r = seen_add(&seen, mix(MIX_START, key, 2 * sizeof(key[0])), &new);
        s->same_call[i] = !new;
    }
    seen_deinit(&seen);
    return r;
}

int search_init(struct search *s, const struct policy *p, const struct policy_domains *today,
                const struct policy_goal *q)
{
    const struct policy *const policies[] = {p, NULL};
    const char *words[5];
    size_t n = 0;

    *s = (struct search){.policy = p, .today = today, .question = q};
    if (!word_is_good(q->source, TOKEN_SOURCE, &s->source) ||
        !word_is_good(q->target, TOKEN_TARGET, &s->target))
        return POLICY_E_INVALID;
    if (q->service && strcmp(q->service, "*") != 0)
        words[n++] = s->need.service = q->service;
    if (q->argument && strcmp(q->argument, "*") != 0)
        words[n++] = s->need.argument.literal = q->argument;
    if (q->source)
        words[n++] = q->source;
    if (q->target)
        words[n++] = q->target;
    words[n] = NULL;
    fresh_init(&s->fresh, policies, words);
    s->repeats = calloc(p->n + 1, sizeof(*s->repeats));
    s->same_call = calloc(p->n + 1, sizeof(*s->same_call));
    s->words = calloc(p->n + 1, sizeof(*s->words));
    s->offered = calloc((p->n + 1) * LEADINGS, sizeof(*s->offered));
    if (!s->offered || !s->repeats || !s->same_call || !s->words || find_repeats(s))
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++)
        s->words[i] = rule_words_of(p, &p->rules[i]);
    for (size_t i = 0; i < p->n; i++)
        s->has_regex |= p->rules[i].regex != NULL;
    return 0;
}

void search_deinit(struct search *s)
{
    free(s->repeats);
    free(s->same_call);
    free(s->offered);
    free(s->words);
    policy_closers_deinit(&s->closers);
}

void search_choose(struct search *s, const struct need *need)
{
    const struct policy *p = s->policy;
    struct arguments *a = &s->arguments;

    a->n = 0;
    s->service = need->service ? need->service : s->fresh.service;
    s->regex_here = false;
    for (size_t i = 0; s->has_regex && i < p->n; i++)
        s->regex_here |=
            p->rules[i].regex && strcmp(rule_text(p, p->rules[i].service), s->service) == 0;
    if (need->argument.literal) {
        arguments_add(a, need->argument.literal);
        return;
    }
    if (need->argument.pattern)
        arguments_sample(a, need->argument.pattern);
    arguments_add(a, s->fresh.argument);
    if (!s->regex_here)
        return;
    /* perhaps a regex catches that one and not these */
    arguments_add(a, "+");
    arguments_add(a, "+7");
    arguments_add(a, "+Z_z");
    for (size_t i = 0; i < p->n; i++) {
        const struct rule *r = &p->rules[i];

        if (!need->argument.pattern || r->argument == NAME_ANY ||
            strcmp(rule_text(p, r->service), s->service) != 0)
            continue;
        if (r->regex)
            arguments_sample(a, rule_text(p, r->argument) + 1);
        else
            arguments_add(a, rule_text(p, r->argument));
    }
}

bool search_next_need(const struct search *s, uint32_t rule, const struct need *own, uint32_t *k,
                      struct need *ret)
{
    const struct rule_words *w = &s->words[rule];

    *ret = *own;
    if ((*k)++ == 0)
        return true;
    if (w->action != POLICY_ASK || w->redirect.kind != TOKEN_BAD)
        return false;
    for (; *k - 2 < s->policy->n; (*k)++) {
        const struct rule_words *by = &s->words[*k - 2];

        *ret = *own;
        if (by->action == POLICY_DENY || s->same_call[*k - 2] ||
            !need_add(ret, by->service, by->argument))
            continue;
        return true;
    }
    return false;
}

/* ---- Closers ---- */

void policy_closers_deinit(struct policy_closers *c)
{
    free(c->rules);
    *c = (struct policy_closers){0};
}

int search_closed_by_rule(struct search *s, uint32_t rule)
{
    struct policy_closers *c = &s->closers;
    size_t i = 0;
    int r;

    while (i < c->n && c->rules[i] < rule)
        i++;
    if (i < c->n && c->rules[i] == rule)
        return 0;
    r = ARRAY_GROW(c->rules, c->cap, c->n);
    if (r)
        return r;
    memmove(c->rules + i + 1, c->rules + i, (c->n - i) * sizeof(*c->rules));
    c->rules[i] = rule;
    c->n++;
    return 0;
}

int search_closed_by(struct search *s, const struct policy_verdict *v)
{
    s->closers.approximate |= s->regex_here;
    if (v->rule != POLICY_NO_RULE)
        return search_closed_by_rule(s, v->rule);
    s->closers.no_rule |= v->reason == POLICY_REASON_NO_MATCH;
    return 0;
}

/* ---- A request ---- */

/* Where an allow ends, before a relay carries it on. */
const char *search_final(const struct policy *p, const struct policy_verdict *v)
{
    const char *redirect = rule_text(p, p->rules[v->rule].redirect);

    if (!v->service)
        return v->target;
    return redirect ? redirect : v->requested_target;
}

static bool leads_nowhere(const struct policy_domains *d, const char *choice)
{
    struct word w = word_of(choice);

    return w.kind != TOKEN_ADMINVM &&
           !policy_domains_find(d, w.kind == TOKEN_DISPVM_NAME ? w.rest : w.text);
}

/* What was found: where it ends and, of an ask, the choice that leads there. */
struct end {
    const char *final, *choice;
};

/* The end itself or, where that counts, the relay that carries it on; NULL: neither is wanted. */
static const char *end_or_relay(const struct search *s, const struct policy_domains *d,
                                const char *final)
{
    const struct policy_domain *dom = policy_domains_find(d, final);

    if (word_matches_final(s->target, d, final))
        return final;
    if (!s->today || !s->question->relays || !dom || !dom->type ||
        strcmp(dom->type, "RemoteVM") != 0 || !dom->relayvm)
        return NULL;
    return word_matches_final(s->target, d, dom->relayvm) ? dom->relayvm : NULL;
}

/* By whatever spelling. */
static bool same_end(const struct policy_domains *d, const char *a, const char *b)
{
    struct word x = word_of(a), y = word_of(b);
    const struct policy_domain *dom;

    if (strcmp(a, b) == 0)
        return true;
    if (x.kind == TOKEN_DISPVM_NAME && y.kind == TOKEN_DISPVM_NAME)
        return same_end(d, x.rest, y.rest);
    if (x.kind == TOKEN_DISPVM_NAME || y.kind == TOKEN_DISPVM_NAME)
        return false;
    dom = policy_domains_find(d, a);
    return dom && dom == policy_domains_find(d, b);
}

/* The keyword stays in a choice only by target=. */
static bool standard_ends(const struct search *s, const struct trial *t,
                          const struct policy_verdict *v)
{
    const struct policy_domain *source = policy_domains_find(t->domains, v->source);
    const char *standard = source ? source->default_dispvm : NULL;

    if (!standard || !word_matches_disposable(s->target, t->domains, standard))
        return false;
    return !t->choice || (word_of(t->choice).kind == TOKEN_DISPVM_NAME &&
                          same_end(t->domains, word_of(t->choice).rest, standard));
}

static struct end choice_in(const struct search *s, const struct trial *t,
                            const struct policy_verdict *v)
{
    for (size_t i = 0; i < v->n_choices; i++) {
        const char *choice = v->choices[i], *final;

        if (strcmp(choice, "@dispvm") == 0) {
            if (standard_ends(s, t, v))
                return (struct end){choice, choice};
            continue;
        }
        if (leads_nowhere(t->domains, choice) ||
            (t->choice && !same_end(t->domains, t->choice, choice)))
            continue;
        final = end_or_relay(s, t->domains, choice);
        if (final)
            return (struct end){final, choice};
    }
    return (struct end){0};
}

/* The end that counts; empty: none. */
static struct end ending_in(const struct search *s, const struct trial *t,
                            const struct policy_verdict *v)
{
    const char *final = NULL;

    if (v->action == POLICY_ASK && s->question->ask)
        return choice_in(s, t, v);
    if (v->action == POLICY_ALLOW && s->question->allow)
        final = end_or_relay(s, t->domains, search_final(s->policy, v));
    return (struct end){final, final};
}

static int found(struct search *s, const struct trial *t, const struct policy_request *q,
                 const struct policy_verdict *v, const struct end *end)
{
    int r = s->fn(s->data, &(struct policy_example){
                               .action = v->action,
                               .rule = v->rule,
                               .source_class = t->source_class ? t->source_class : t->source,
                               .target_class = t->target_class ? t->target_class : end->final,
                               .service = q->service,
                               .argument = q->argument,
                               .source = q->source,
                               .target = q->target,
                               .final = end->choice,
                               .domains = t->domains,
                               .approximate = s->regex_here});

    return r ? r : SEARCH_FOUND;
}

int search_decides(struct search *s, const struct trial *t)
{
    bool decides = false;

    for (size_t i = 0; !decides && i < s->arguments.n; i++) {
        _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
        struct policy_request q = {.service = s->service,
                                   .argument = s->arguments.text[i],
                                   .source = t->source,
                                   .target = t->target};
        int r = policy_decide(s->policy, t->domains, &q, &v);

        decides = v.rule == t->rule;
        if (!r && !decides)
            r = search_closed_by(s, &v);
        if (r)
            return r;
    }
    return decides;
}

int search_try(struct search *s, const struct trial *t)
{
    int last = 0;

    for (size_t i = 0; i < s->arguments.n; i++) {
        _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
        struct policy_request q = {.service = s->service,
                                   .argument = s->arguments.text[i],
                                   .source = t->source,
                                   .target = t->target};
        struct end end = {0};
        int r = policy_decide(s->policy, t->domains, &q, &v);

        if (!r && v.action != POLICY_DENY && v.rule == t->rule)
            end = ending_in(s, t, &v);
        if (!r && end.final)
            return found(s, t, &q, &v, &end);
        last = v.reason == POLICY_REASON_LOOPBACK && v.rule == t->rule ? SEARCH_LOOP : 0;
        if (!r && !last)
            r = search_closed_by(s, &v);
        if (r)
            return r;
    }
    return last;
}
