/* The candidates of each pair of rules, in every world: see diff.h. */
#include "policy-engine/lib/diff.h"

struct rule_pair {
    struct diff *diff;
    uint32_t rules[2]; /* POLICY_NO_RULE */
    bool same;         /* each other's counterpart */
    struct rule_words words[2];
    bool has[2]; /* false: decided by no rule of that policy */
    struct need need;
};

static int try_spelled(struct diff *d, const struct shape *s)
{
    struct world w = {0};
    int r = world_make(s, &d->search[0].fresh, &w);

    if (r)
        return r < 0 ? r : 0;
    r = diff_try(d, &(struct diff_trial){w.domains, w.source, w.target, s});
    world_deinit(&w);
    return r;
}

/* Decided by an ask that offers what all rules bring in. */
static bool offers(const struct rule_pair *p, size_t side)
{
    return p->has[side] && p->words[side].action == POLICY_ASK &&
           p->words[side].redirect.kind == TOKEN_BAD;
}

static bool asks_for_one(const struct rule_pair *p, size_t side)
{
    return p->has[side] && p->words[side].action == POLICY_ASK && !offers(p, side);
}

/*
 * All domains run and none is internal. One that is halted takes the same choices from both asks,
 * and the same allows where neither may start it; where just one may, they differ in that already.
 * One that is internal is no choice, but can be the target= of an ask.
 */
static int try_shape(const struct rule_pair *p, const struct shape *shape)
{
    struct shape s = *shape;
    int r = try_spelled(p->diff, &s);

    if (r || !((offers(p, 0) && asks_for_one(p, 1)) || (asks_for_one(p, 0) && offers(p, 1))))
        return r;
    s.internal = true;
    return try_spelled(p->diff, &s);
}

static bool is_shown(const struct rule_pair *p)
{
    return seen_has(&p->diff->seen, mix(MIX_START, p->rules, sizeof(p->rules)));
}

/* The domains that a rule's own target= leads to, or a call for @dispvm, must be there. */
static int try_endings(const struct rule_pair *p, const struct shape *base)
{
    int r = try_shape(p, base);

    for (size_t i = 0; !r && i < 2; i++) {
        struct shape s = *base;
        struct ending e;

        if (!p->has[i] || p->words[i].action == POLICY_DENY)
            continue;
        if (p->words[i].redirect.kind == TOKEN_BAD ? shape_ending(&s, &e)
                                                   : shape_redirect(&s, p->words[i].redirect, &e))
            r = try_shape(p, &s);
    }
    return r;
}

/* ---- Choices ---- */

static bool lead(struct shape *s, enum leading how, struct word w)
{
    switch (how) {
    case LEAD_DOMAIN:
    case LEAD_DOM0: return class_require(&s->other, w);
    case LEAD_DISPOSABLE: return class_require_disposable(&s->other, w);
    case LEAD_ADMINVM: return w.kind == TOKEN_ADMINVM;
    case LEAD_STANDARD:
        return w.kind == TOKEN_ANY || w.kind == TOKEN_ANYVM || w.kind == TOKEN_DISPVM;
    }
    return false;
}

/* How a rule leads to dom0: it is two choices, its name (with tags and type) and the keyword. */
enum dom0_way { EITHER_WAY, BY_KEYWORD, BY_NAME };

static enum dom0_way dom0_way(const struct search *s, const struct rule_words *w)
{
    const struct rule *r = &s->policy->rules[w - s->words];

    if (w->redirect.kind != TOKEN_BAD)
        return EITHER_WAY;
    return strcmp(rule_text(s->policy, r->target_spelled), "@adminvm") == 0 ? BY_KEYWORD : BY_NAME;
}

static bool by_any(const struct search *s, const struct rule_words *w)
{
    (void)s;
    (void)w;
    return true;
}

static bool by_keyword(const struct search *s, const struct rule_words *w)
{
    return dom0_way(s, w) == BY_KEYWORD;
}

static bool by_name(const struct search *s, const struct rule_words *w)
{
    return dom0_way(s, w) == BY_NAME;
}

/* The first rule that leads there, to dom0 by that way. What keeps it out must come before. */
static uint32_t first_lead(const struct rule_pair *p, size_t side, const struct shape *s,
                           enum leading how, enum dom0_way way)
{
    const struct search *there = &p->diff->search[side];

    if (how != LEAD_DOM0 && how != LEAD_ADMINVM)
        return search_first_lead(there, s, how, by_any);
    if (way == EITHER_WAY)
        return (uint32_t)there->policy->n;
    return search_first_lead(there, s, LEAD_DOM0, way == BY_NAME ? by_name : by_keyword);
}

/* What keeps out the one may leave the other: rule l did, and one of these denies that. */
static int try_other_way(const struct rule_pair *p, const struct shape *base,
                         const struct need *need, size_t side, enum dom0_way kept)
{
    struct diff *d = p->diff;
    const struct search *there = &d->search[!side];
    enum dom0_way other = kept == BY_NAME ? BY_KEYWORD : kept == BY_KEYWORD ? BY_NAME : EITHER_WAY;
    uint32_t first = 0;
    int r = 0;

    if (d->both_offer_dom0 && !is_shown(p))
        first = first_lead(p, !side, base, LEAD_DOM0, other);
    if (first == POLICY_NO_RULE)
        return -ENOMEM;
    for (size_t i = 0; !r && d->both_offer_dom0 && !is_shown(p) && i < d->n_denies[!side]; i++) {
        const struct rule_words *by = &there->words[d->denies[!side][i]];
        struct need both = *need;
        struct shape s = *base;

        if (d->denies[!side][i] > first || (kept && dom0_way(there, by) == kept) ||
            !need_add(&both, by->service, by->argument) || !class_require(&s.source, by->source) ||
            !class_require(&s.other, by->leads))
            continue;
        diff_choose(d, &both, false);
        r = try_shape(p, &s);
        d->both_offer_dom0 = true;
    }
    return r;
}

/* Whether l, or a change of rule k itself, can keep out what k brings in. */
static bool may_differ(const struct rule_pair *p, size_t side, const struct rule_words *k,
                       const struct rule_words *l, enum dom0_way *ret)
{
    const struct search *here = &p->diff->search[side];
    enum dom0_way in = dom0_way(here, k), out = l ? dom0_way(&p->diff->search[!side], l) : in;

    *ret = l ? out : EITHER_WAY;
    return l ? !in || !out || in == out : p->diff->changed[side][k - here->words];
}

/*
 * A choice that rule number k of the one policy brings in, and rule l of the other (or none) keeps
 * out. first: of each way to lead to it, the first rule there; without l it is found out.
 */
static int try_choice(const struct rule_pair *p, const struct shape *base, size_t side,
                      uint32_t number, const struct rule_words *l, uint32_t first[static LEADINGS])
{
    struct search *search = &p->diff->search[side];
    const struct rule_words *k = &search->words[number];
    struct need need = p->need;
    enum dom0_way kept;
    int r = 0;

    if (!need_add(&need, k->service, k->argument) ||
        (l && !need_add(&need, l->service, l->argument)))
        return 0;
    for (size_t how = 0; !r && how < LEADINGS; how++) {
        struct shape s = *base;
        bool dom0 = how == LEAD_DOM0 || how == LEAD_ADMINVM;

        s.has_other = how != LEAD_STANDARD;
        s.has_standard |= how == LEAD_STANDARD;
        s.other = (struct domain_class){.dom0 = dom0, .template = how == LEAD_DISPOSABLE};
        if (l && l - p->diff->search[!side].words > first[how])
            continue;
        if (!class_require(&s.source, k->source) || !lead(&s, (enum leading)how, k->leads) ||
            (l && (!class_require(&s.source, l->source) || !lead(&s, (enum leading)how, l->leads))))
            continue;
        r = search_is_offered(search, number, (enum leading)how);
        if (r <= 0)
            continue;
        diff_choose(p->diff, &need, false);
        r = try_shape(p, &s);
        if (!r && dom0 && may_differ(p, side, k, l, &kept))
            r = try_other_way(p, &s, &need, side, kept);
    }
    return r;
}

/* For try_choice(): with what rule k wants, who leads there first? Whatever else is wanted. */
static int find_first(const struct rule_pair *p, const struct shape *base, size_t side, uint32_t k,
                      uint32_t first[static LEADINGS])
{
    struct search *here = &p->diff->search[side];
    const struct rule_words *by = &here->words[k];
    struct need need = p->need;

    if (!need_add(&need, by->service, by->argument))
        return 0;
    diff_choose(p->diff, &need, false);
    for (size_t how = 0; how < LEADINGS; how++) {
        struct shape s = *base;
        bool dom0 = how == LEAD_DOM0 || how == LEAD_ADMINVM;

        s.other = (struct domain_class){.dom0 = dom0, .template = how == LEAD_DISPOSABLE};
        first[how] = 0;
        if (!class_require(&s.source, by->source) || !lead(&s, (enum leading)how, by->leads))
            continue;
        first[how] = first_lead(p, !side, &s, (enum leading)how, dom0_way(here, by));
        if (first[how] == POLICY_NO_RULE)
            return -ENOMEM;
    }
    return 0;
}

/* The one target of an ask, which the other policy offers too unless a rule there keeps it out. */
static int try_kept_ending(const struct rule_pair *p, const struct shape *base, size_t side)
{
    struct diff *d = p->diff;
    const struct search *there = &d->search[!side];
    int r = 0;

    for (size_t i = 0; !r && !is_shown(p) && i < d->n_denies[!side]; i++) {
        const struct rule_words *by = &there->words[d->denies[!side][i]];
        struct need need = p->need;
        struct shape s = *base;
        struct ending e;

        if (!need_add(&need, by->service, by->argument) ||
            !shape_redirect(&s, p->words[side].redirect, &e) ||
            !class_require(&s.source, by->source) || !ending_require(&e, by->leads))
            continue;
        diff_choose(d, &need, false);
        r = try_shape(p, &s);
        if (!r && s.has_other && s.other.dom0)
            r = try_other_way(p, &s, &need, side, dom0_way(there, by));
    }
    return r;
}

/* What a choice is looked for by, the most likely first. */
enum looking { BY_CHANGED, BY_CHANGED_KEEPER, BY_ANY, LOOKINGS };

/*
 * Where the deciding rules are counterparts, a choice that an unchanged rule brings in can be kept
 * out by a changed one only.
 */
static int try_keepers(const struct rule_pair *p, const struct shape *base, size_t side, uint32_t k,
                       enum looking how)
{
    struct diff *d = p->diff;
    const struct search *there = &d->search[!side];
    bool changed = d->changed[side][k];
    size_t n = changed ? d->n_denies[!side] : d->n_changed_denies[!side];
    uint32_t first[LEADINGS];
    int r = 0;

    if (d->search[side].words[k].action == POLICY_DENY || changed != (how == BY_CHANGED))
        return 0;
    if (changed || (how == BY_ANY && !p->same))
        r = try_choice(p, base, side, k, NULL, first);
    if (how == BY_ANY || !offers(p, !side))
        return r;
    if (!r && n && !is_shown(p))
        r = find_first(p, base, side, k, first);
    for (size_t i = 0; !r && i < n && !is_shown(p); i++)
        r = try_choice(p, base, side, k, &there->words[d->denies[!side][i]], first);
    return r;
}

static int try_choices(const struct rule_pair *p, const struct shape *base)
{
    int r = 0;

    for (size_t i = 0; i < LOOKINGS * 2; i++) {
        size_t side = i % 2, n = p->diff->search[side].policy->n;

        for (uint32_t k = 0; offers(p, side) && !r && !is_shown(p) && k < n; k++)
            if (!p->diff->search[side].repeats[k])
                r = try_keepers(p, base, side, k, (enum looking)(i / 2));
    }
    return r;
}

/* ---- Pairs ---- */

/* With what the two rules want and no more, do they decide? If not, others always come first. */
static int is_decided(const struct rule_pair *p, const struct shape *s)
{
    struct world w = {0};
    int r = world_make(s, &p->diff->search[0].fresh, &w);

    if (r)
        return r < 0 ? r : 0;
    r = diff_decides(
        p->diff, &(struct diff_trial){.domains = w.domains, .source = w.source, .target = w.target},
        p->rules);
    world_deinit(&w);
    return r;
}

static int try_asking(const struct rule_pair *p, bool dom0, enum asking asking)
{
    struct shape s = shape_start(dom0, asking);
    int r;

    for (size_t k = 0; k < 2; k++)
        if (p->has[k] && (!class_require(&s.source, p->words[k].source) ||
                          !shape_require_target(&s, p->words[k].target)))
            return 0;
    diff_choose(p->diff, &p->need, false);
    r = is_decided(p, &s);
    if (r <= 0)
        return r;
    r = p->same ? 0 : try_endings(p, &s);
    for (size_t side = 0; !r && side < 2; side++)
        if (asks_for_one(p, side) && offers(p, !side))
            r = try_kept_ending(p, &s, side);
    return r ? r : try_choices(p, &s);
}

static int pair_up(struct diff *d, uint32_t a, uint32_t b)
{
    struct rule_pair p = {.diff = d, .rules = {a, b}};
    bool deny = true; /* nothing can be wider than what denies */
    int r = 0;

    p.same = a != POLICY_NO_RULE && !d->changed[0][a] && d->counterpart[a] == b;
    for (size_t i = 0; i < 2; i++) {
        p.has[i] = p.rules[i] != POLICY_NO_RULE;
        if (!p.has[i])
            continue;
        p.words[i] = d->search[i].words[p.rules[i]];
        deny &= p.words[i].action == POLICY_DENY || (d->wider && i == 0);
        if (!need_add(&p.need, p.words[i].service, p.words[i].argument))
            return 0;
    }
    for (size_t i = 0; !deny && !r && !is_shown(&p) && i < 2 * ASKINGS; i++)
        r = try_asking(&p, i >= ASKINGS, (enum asking)(i % ASKINGS));
    return r;
}

static int list_denies(struct diff *d, size_t side)
{
    size_t rules = d->search[side].policy->n, n = 0;
    uint32_t *list = calloc(rules + 1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    for (size_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < rules; i++)
            if (d->search[side].words[i].action == POLICY_DENY && d->changed[side][i] == !pass)
                list[n++] = i;
        if (!pass)
            d->n_changed_denies[side] = n;
    }
    free(d->denies[side]);
    d->denies[side] = list;
    d->n_denies[side] = n;
    return 0;
}

/* Some rule changed that could bring a choice in, or keep one out. */
static bool any_changed(const struct diff *d)
{
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < d->search[side].policy->n; i++)
            if (d->changed[side][i])
                return true;
    return false;
}

int diff_worlds(struct diff *d)
{
    const struct policy *a = d->search[0].policy, *b = d->search[1].policy;
    int r = 0;

    if (!any_changed(d))
        return 0;
    for (size_t side = 0; !r && side < 2; side++)
        r = list_denies(d, side);
    for (uint32_t i = 0; !r && i <= a->n; i++) {
        uint32_t x = i < a->n ? i : POLICY_NO_RULE;
        bool changed = i < a->n && d->changed[0][i];

        for (uint32_t k = 0; !r && k <= b->n; k++)
            if (changed || (k < b->n && d->changed[1][k]))
                r = pair_up(d, x, k < b->n ? k : POLICY_NO_RULE);
        if (!r && i < a->n && !changed && a->rules[i].action == POLICY_ASK)
            r = pair_up(d, i, d->counterpart[i]);
    }
    return r;
}
