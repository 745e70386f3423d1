/*
 * Which choices no ask can ever offer: a shortcut of the search, decided apart from any ask.
 *
 * Of the rules that lead to a choice the first counts, whichever rule it is that asks. If in the
 * world with the fewest properties a denying one comes first, it does in every world.
 */
#include "policy-engine/lib/search.h"

/* Does rule l, too, lead these sources to this choice? */
static bool covers(const struct search *s, const struct rule_words *l, const struct world *w,
                   const struct policy_domain *source, enum leading how, const char *choice)
{
    bool any = l->leads.kind == TOKEN_ANY || l->leads.kind == TOKEN_ANYVM;

    if ((l->service && strcmp(l->service, w->service) != 0) ||
        (l->argument && strcmp(l->argument, s->arguments.text[0]) != 0) ||
        !word_matches_domain(l->source, source))
        return false;
    if (how == LEAD_STANDARD)
        return any || l->leads.kind == TOKEN_DISPVM;
    return word_matches_final(l->leads, w->domains, choice);
}

/* The denying rule that comes before all others, or POLICY_NO_RULE. */
static uint32_t find_keeper(const struct search *s, const struct world *w, enum leading how,
                            const char *choice)
{
    const struct policy_domain *source = policy_domains_find(w->domains, w->source);

    for (uint32_t l = 0; l < s->policy->n; l++)
        if (covers(s, &s->words[l], w, source, how, choice))
            return s->words[l].action == POLICY_DENY ? l : POLICY_NO_RULE;
    return POLICY_NO_RULE;
}

/* The choice is asked for as if it were the target, so that the world has it and its name. */
static int find_out(struct search *s, uint32_t k, enum leading how, bool dom0)
{
    const struct rule_words *by = &s->words[k];
    struct candidate c = {.search = s, .shape = shape_start(dom0, ASK_DEFAULT)};
    struct need need = s->need;
    struct world w = {0};
    uint32_t keeper;
    int r;

    if (!need_add(&need, by->service, by->argument) ||
        !class_require(&c.shape.source, by->source) || !class_require(&c.shape.source, s->source) ||
        !candidate_lead(&c, how, by->leads) || !ending_require(&c.ending, s->target))
        return 0;
    if (how != LEAD_STANDARD) {
        c.shape.asking = how == LEAD_DISPOSABLE ? ASK_TEMPLATE : ASK_DOMAIN;
        c.shape.target = c.shape.other;
        c.shape.has_other = false;
    }
    search_choose(s, &need);
    c.shape.service = s->service;
    r = world_make(&c.shape, &s->fresh, &w);
    if (r)
        return r < 0 ? r : 0;
    keeper = find_keeper(s, &w, how, w.target);
    r = keeper == POLICY_NO_RULE ? 1 : search_closed_by_rule(s, keeper);
    world_deinit(&w);
    return r;
}

uint32_t search_first_lead(const struct search *s, const struct shape *base, enum leading how,
                           search_filter_fn *filter)
{
    struct shape shape = *base;
    const struct policy_domain *source;
    struct world w = {0};
    uint32_t l = 0;
    int r;

    shape.asking = how == LEAD_DISPOSABLE ? ASK_TEMPLATE : ASK_DOMAIN;
    shape.target = how == LEAD_STANDARD ? (struct domain_class){.dom0 = false} : shape.other;
    shape.has_other = false;
    shape.service = s->service;
    r = world_make(&shape, &s->fresh, &w);
    if (r || s->has_regex) {
        if (!r)
            world_deinit(&w);
        return r < 0 ? POLICY_NO_RULE : (uint32_t)s->policy->n;
    }
    source = policy_domains_find(w.domains, w.source);
    while (l < s->policy->n &&
           (!filter(s, &s->words[l]) || !covers(s, &s->words[l], &w, source, how, w.target)))
        l++;
    world_deinit(&w);
    return l;
}

int search_is_offered(struct search *s, uint32_t k, enum leading how)
{
    unsigned char *known = &s->offered[k * LEADINGS + how];
    int r = 0;

    /* the keyword and dom0's own name are two choices until the end; and regexes are only tried */
    if (s->has_regex || how == LEAD_DOM0 || how == LEAD_ADMINVM)
        return 1;
    for (int dom0 = 0; !*known && !r && dom0 < 2; dom0++)
        r = find_out(s, k, how, dom0);
    if (r < 0)
        return r;
    if (!*known)
        *known = r ? 2 : 1;
    return *known == 2;
}
