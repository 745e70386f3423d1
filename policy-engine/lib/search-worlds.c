/*
 * The candidates of a rule in every world: for each way to ask, the request with the fewest
 * properties that the rule decides and that ends where the question wants it.
 */
#include "policy-engine/lib/search.h"

/* The choice that the candidate is about. */
static void add_choice(const struct candidate *c, const struct world *w, struct text *ret)
{
    const char *name = c->ending.domain == &c->shape.target     ? w->target_name
                       : c->ending.domain == &c->shape.standard ? w->standard_name
                                                                : w->other_name;

    if (name)
        text_addf(ret, "%s%s", c->ending.disposable ? "@dispvm:" : "", name);
}

static int try_spelled(struct candidate *c, bool source_by_uuid, bool target_by_uuid)
{
    _cleanup_(text_deinit) struct text source = {0}, target = {0}, choice = {0};
    struct shape shape = c->shape;
    struct world w = {0};
    int r;

    c->search->at = c;
    shape.source_by_uuid = source_by_uuid;
    shape.target_by_uuid = target_by_uuid;
    r = world_make(&shape, &c->search->fresh, &w);
    if (r)
        return r < 0 ? r : 0;
    class_describe(&source, &c->shape.source);
    ending_describe(&target, &c->shape, &c->ending);
    add_choice(c, &w, &choice);
    if (source.failed || target.failed || choice.failed)
        r = -ENOMEM;
    else
        r = search_try(c->search, &(struct trial){.rule = c->rule,
                                                  .domains = w.domains,
                                                  .source = w.source,
                                                  .target = w.target,
                                                  .source_class = source.data,
                                                  .target_class = target.data,
                                                  .choice = choice.data});
    world_deinit(&w);
    return r;
}

/* With what the rule itself wants and no more: 1, 0, -ENOMEM. */
static int is_decided(struct candidate *c)
{
    struct world w = {0};
    int r = world_make(&c->shape, &c->search->fresh, &w);

    if (r)
        return r < 0 ? r : 0;
    r = search_decides(c->search, &(struct trial){.rule = c->rule,
                                                  .domains = w.domains,
                                                  .source = w.source,
                                                  .target = w.target});
    world_deinit(&w);
    return r;
}

/* A call to oneself passes where one of the two is spelled by uuid. */
int candidate_try(struct candidate *c)
{
    int r = try_spelled(c, false, false);

    if (r == SEARCH_LOOP && c->shape.asking == ASK_DOMAIN)
        r = try_spelled(c, false, true);
    if (r == SEARCH_LOOP)
        r = try_spelled(c, true, false);
    return r == SEARCH_LOOP ? 0 : r;
}

static int try_ending(struct candidate *c)
{
    return ending_require(&c->ending, c->search->target) ? candidate_try(c) : 0;
}

/* ---- The choices of an ask ---- */

bool candidate_lead(struct candidate *c, enum leading how, struct word w)
{
    struct shape *s = &c->shape;
    bool any = w.kind == TOKEN_ANY || w.kind == TOKEN_ANYVM;

    s->has_other = how != LEAD_STANDARD;
    s->other = (struct domain_class){.dom0 = how == LEAD_DOM0 || how == LEAD_ADMINVM,
                                     .template = how == LEAD_DISPOSABLE};
    c->ending = (struct ending){.domain = &s->other, .disposable = how == LEAD_DISPOSABLE};
    switch (how) {
    case LEAD_DOMAIN:
    case LEAD_DOM0: return class_require(&s->other, w);
    case LEAD_DISPOSABLE: return class_require_disposable(&s->other, w);
    case LEAD_ADMINVM: return w.kind == TOKEN_ADMINVM;
    case LEAD_STANDARD:
        s->has_standard = true;
        c->ending = (struct ending){.domain = &s->standard, .disposable = true};
        return any || w.kind == TOKEN_DISPVM;
    }
    return false;
}

/* The ask's choices that the rule k brings in. */
static int try_provider(const struct candidate *base, const struct need *need, uint32_t k)
{
    struct search *s = base->search;
    struct rule_words by = s->words[k];
    struct need both = *need;
    int r = 0;

    if (by.action == POLICY_DENY || !need_add(&both, by.service, by.argument))
        return 0;
    for (size_t how = 0; (!r || r == SEARCH_FOUND) && how < LEADINGS; how++) {
        struct candidate c = *base;

        if (!class_require(&c.shape.source, by.source) ||
            !candidate_lead(&c, (enum leading)how, by.leads) ||
            !ending_require(&c.ending, s->target))
            continue;
        c.need = both;
        r = search_is_offered(s, k, (enum leading)how);
        search_choose(s, &both);
        r = r == 1 ? candidate_try(&c) : r;
    }
    return r;
}

static int try_ask(const struct candidate *base, const struct rule_words *w,
                   const struct need *need)
{
    struct candidate c = *base;
    int r = 0;

    if (w->redirect.kind != TOKEN_BAD) {
        search_choose(c.search, need);
        return shape_redirect(&c.shape, w->redirect, &c.ending) ? try_ending(&c) : 0;
    }
    search_choose(c.search, need);
    r = is_decided(&c);
    if (r <= 0)
        return r;
    r = 0;
    for (uint32_t k = 0; (!r || r == SEARCH_FOUND) && k < base->search->policy->n; k++)
        if (!base->search->repeats[k])
            r = try_provider(base, need, k);
    return r;
}

static int try_allow(const struct candidate *base, const struct rule_words *w,
                     const struct need *need)
{
    struct candidate c = *base;
    bool ends = w->redirect.kind == TOKEN_BAD ? shape_ending(&c.shape, &c.ending)
                                              : shape_redirect(&c.shape, w->redirect, &c.ending);

    search_choose(c.search, need);
    return ends ? try_ending(&c) : 0;
}

static int try_asking(struct search *s, uint32_t rule, const struct rule_words *w,
                      const struct need *need, bool dom0, enum asking asking)
{
    struct candidate c = {
        .search = s, .rule = rule, .shape = shape_start(dom0, asking), .need = *need};

    if (!class_require(&c.shape.source, w->source) || !class_require(&c.shape.source, s->source) ||
        !shape_require_target(&c.shape, w->target))
        return 0;
    return w->action == POLICY_ASK ? try_ask(&c, w, need) : try_allow(&c, w, need);
}

int search_rule_worlds(struct search *s, uint32_t rule)
{
    struct rule_words w = s->words[rule];
    struct need need = s->need;
    int r = 0;

    if (!need_add(&need, w.service, w.argument))
        return 0;
    for (size_t i = 0; i < 2 * ASKINGS; i++) {
        r = try_asking(s, rule, &w, &need, i >= ASKINGS, (enum asking)(i % ASKINGS));
        if (r && r != SEARCH_FOUND)
            return r;
    }
    return 0;
}

/* Calls to just what is asked about: what decides them is what closes it. */
int search_close(struct search *s)
{
    int r = 0;

    search_choose(s, &s->need);
    for (size_t i = 0; !r && i < 2 * ASKINGS; i++) {
        struct candidate c = {.search = s,
                              .rule = POLICY_NO_RULE,
                              .shape = shape_start(i >= ASKINGS, (enum asking)(i % ASKINGS))};

        if (class_require(&c.shape.source, s->source) && shape_ending(&c.shape, &c.ending))
            r = try_ending(&c);
    }
    return r;
}
