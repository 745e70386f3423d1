/*
 * Chains of calls among the domains at hand, and the disposables that these calls could make: a
 * search by breadth over domains.
 */
#include "policy-engine/lib/reach.h"

#include <stdio.h>

struct visit {
    bool reached;
    size_t from;             /* domain */
    struct policy_chain hop; /* of one call: how it was reached */
};

struct today {
    struct reach *reach;
    struct policy_domains *view; /* the domains, then a disposable for each template */
    size_t n_real;
    struct visit *visits;
    size_t *queue, n_queue;
    uint32_t rule; /* whose calls are tried */
    bool answered; /* it has asked; what it offers does not depend on the target */
    size_t goal;   /* the domain that was looked for, once it is reached */
    bool found;
};

static int add_disposable(struct today *t, const struct policy_domain *template, unsigned number)
{
    const char *tags[64] = {"created-by-dom0", "disp-created-by-dom0"};
    char name[40];
    struct policy_domain dom = *template;

    fresh_name(name, t->reach->search.policy, t->reach->words, "disp", number);
    dom.name = name;
    dom.uuid = NULL;
    dom.type = "DispVM";
    dom.tags = tags;
    for (size_t i = 0; i < template->n_tags && i < 62; i++)
        tags[2 + i] = template->tags[i];
    dom.n_tags = 2 + (template->n_tags < 62 ? template->n_tags : 62);
    dom.template_for_dispvms = false;
    dom.power_state = "Running";
    if (!dom.default_dispvm || !*dom.default_dispvm)
        dom.default_dispvm = template->name;
    return policy_domains_add(t->view, &dom);
}

static int make_view(struct today *t, const struct policy_domains *d)
{
    int r = policy_domains_new(policy_domains_generation(d), &t->view);

    t->n_real = d->n;
    for (size_t i = 0; !r && i < d->n; i++)
        r = policy_domains_add(t->view, &d->list[i]);
    for (size_t i = 0; !r && i < d->n; i++)
        if (d->list[i].template_for_dispvms)
            r = add_disposable(t, &d->list[i], 9001 + (unsigned)i);
    return r;
}

/* The domain that a final target means; of @dispvm:X, that template's disposable. */
static const struct policy_domain *domain_of(const struct today *t, const char *final)
{
    struct word w = word_of(final);
    const struct policy_domain *dom;
    size_t place = t->n_real;

    if (w.kind != TOKEN_DISPVM_NAME)
        return policy_domains_find(t->view, final);
    dom = policy_domains_find(t->view, w.rest);
    if (!dom || !dom->template_for_dispvms)
        return NULL;
    for (size_t i = 0; &t->view->list[i] != dom; i++)
        place += t->view->list[i].template_for_dispvms;
    return &t->view->list[place];
}

static int arrive(struct today *t, size_t from, const struct policy_domain *at,
                  const struct policy_example *e)
{
    struct visit *v;
    size_t i;
    int r;

    if (!at)
        return 0;
    i = (size_t)(at - t->view->list);
    v = &t->visits[i];
    if (v->reached)
        return 0;
    r = chain_add(&v->hop, e);
    if (r)
        return r;
    v->reached = true;
    v->from = from;
    t->queue[t->n_queue++] = i;
    if (!t->found && (word_matches_domain(t->reach->to, at) ||
                      word_matches_final(t->reach->to, t->view, e->final))) {
        t->found = true;
        t->goal = i;
    }
    return 0;
}

static int arrive_at(struct today *t, size_t from, const struct policy_request *q,
                     const struct policy_verdict *v, const char *final)
{
    struct policy_example e = {.action = v->action,
                               .rule = v->rule,
                               .service = q->service,
                               .argument = q->argument,
                               .source = q->source,
                               .target = q->target,
                               .final = final};
    int r = arrive(t, from, domain_of(t, final), &e);
    const struct policy_domain *at = policy_domains_find(t->view, final);

    /* the relay sees what goes to the remote domain */
    if (!r && at && at->type && strcmp(at->type, "RemoteVM") == 0 && at->relayvm) {
        e.final = at->relayvm;
        r = arrive(t, from, policy_domains_find(t->view, at->relayvm), &e);
    }
    return r;
}

/* Has this been asked already, by another rule? */
static int is_new(struct today *t, size_t from, const char *argument, const char *target, bool *ret)
{
    uint64_t hash = mix(MIX_START, &from, sizeof(from));

    hash = mix_text(mix_text(hash, t->reach->search.service), argument);
    return seen_add(&t->reach->seen, mix_text(hash, target), ret);
}

static int call(struct today *t, size_t from, const char *target)
{
    struct search *s = &t->reach->search;
    const struct policy_domain *source = &t->view->list[from];
    _cleanup_(text_deinit) struct text standard = {0};
    int r = 0;

    if (source->default_dispvm)
        text_addf(&standard, "@dispvm:%s", source->default_dispvm);
    if (standard.failed)
        return -ENOMEM;
    for (size_t i = 0; !r && i < s->arguments.n; i++) {
        _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
        struct policy_request q = {.service = s->service,
                                   .argument = s->arguments.text[i],
                                   .source = source->name,
                                   .target = target};

        bool new;

        r = is_new(t, from, q.argument, target, &new);
        if (r || !new)
            continue;
        r = policy_decide(s->policy, t->view, &q, &v);
        if (!r && v.action == POLICY_ALLOW)
            r = arrive_at(t, from, &q, &v, search_final(s->policy, &v));
        for (size_t k = 0; !r && t->reach->goal->ask && k < v.n_choices; k++)
            r = arrive_at(t, from, &q, &v,
                          strcmp(v.choices[k], "@dispvm") == 0 && standard.data ? standard.data
                                                                                : v.choices[k]);
        if (!r && v.action == POLICY_DENY)
            r = search_closed_by(s, &v);
        t->answered |= v.action == POLICY_ASK && v.rule == t->rule && s->arguments.n == 1;
    }
    return r;
}

static int call_all(struct today *t, size_t from, struct word target)
{
    static const char *const words[] = {"@dispvm", "@default", "@adminvm"};
    int r = 0;

    t->answered = false;
    for (size_t i = 0; !r && !t->answered && i < t->view->n; i++) {
        const struct policy_domain *dom = &t->view->list[i];
        char disposable[128];

        if (word_matches_domain(target, dom)) /* itself too: target= may lead on */
            r = call(t, from, dom->name);
        if (!r && dom->template_for_dispvms && target.kind != TOKEN_NAME &&
            snprintf(disposable, sizeof(disposable), "@dispvm:%s", dom->name) <
                (int)sizeof(disposable))
            r = call(t, from, disposable);
    }
    for (size_t i = 0; !r && i < 3; i++)
        r = call(t, from, words[i]);
    return r;
}

static int go_on(struct today *t, size_t from)
{
    struct search *s = &t->reach->search;
    int r = 0;

    for (uint32_t i = 0; !r && !t->found && i < s->policy->n; i++) {
        struct rule_words w = s->words[i];
        struct need need = s->need, each;

        if (w.action == POLICY_DENY || (w.action == POLICY_ASK && !t->reach->goal->ask) ||
            !word_matches_domain(w.source, &t->view->list[from]) ||
            !need_add(&need, w.service, w.argument))
            continue;
        for (uint32_t k = 0; !r && search_next_need(s, i, &need, &k, &each);) {
            t->rule = i;
            search_choose(s, &each);
            r = call_all(t, from, w.target);
        }
    }
    return r;
}

/* From the goal back to the start, then turned round. */
static void build_chain(struct today *t, struct policy_chain *c)
{
    size_t n = 0, at = t->goal;

    for (; t->visits[at].hop.n; at = t->visits[at].from)
        n++;
    c->hops = calloc(n, sizeof(*c->hops));
    if (!c->hops)
        return;
    c->n = n;
    for (at = t->goal; n > 0; at = t->visits[at].from) {
        c->hops[--n] = t->visits[at].hop.hops[0];
        free(take(t->visits[at].hop.hops));
        t->visits[at].hop.n = 0;
    }
    c->domains = policy_domains_ref(t->view);
}

static int search(struct today *t)
{
    int r = 0;

    for (size_t i = 0; i < t->n_real; i++)
        if (word_matches_domain(t->reach->from, &t->view->list[i])) {
            t->visits[i].reached = true;
            t->queue[t->n_queue++] = i;
        }
    for (size_t i = 0; !r && !t->found && i < t->n_queue; i++)
        r = go_on(t, t->queue[i]);
    if (!r && t->found) {
        build_chain(t, &t->reach->result);
        r = t->reach->result.hops ? SEARCH_FOUND : -ENOMEM;
    }
    return r;
}

int reach_today(struct reach *reach)
{
    struct today t = {.reach = reach};
    int r = make_view(&t, reach->search.today);
    size_t n = t.view ? t.view->n : 0;

    if (!r) {
        t.visits = calloc(n + 1, sizeof(*t.visits));
        t.queue = calloc(n + 1, sizeof(*t.queue));
        r = t.visits && t.queue ? search(&t) : -ENOMEM;
    }
    for (size_t i = 0; t.visits && i < n; i++)
        policy_chain_deinit(&t.visits[i].hop);
    free(t.visits);
    free(t.queue);
    policy_domains_unref(t.view);
    return r;
}
