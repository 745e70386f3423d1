/* The candidates of a rule among the domains at hand: all that its columns match. */
#include "policy-engine/lib/search.h"

/* A call to oneself passes where the source is spelled by uuid. */
static int try_target(struct search *s, uint32_t rule, const struct policy_domain *source,
                      const char *target)
{
    const struct rule_words *w = &s->words[rule];
    const char *leads = w->redirect.kind == TOKEN_BAD ? w->target.text : w->redirect.text;
    struct trial t = {.rule = rule,
                      .domains = s->today,
                      .source = source->name,
                      .target = target,
                      .target_class = s->target.kind == TOKEN_ANY ? leads : NULL};
    _cleanup_(text_deinit) struct text uuid = {0};
    int r = search_try(s, &t);

    if (r != SEARCH_LOOP || !source->uuid)
        return r == SEARCH_LOOP ? 0 : r;
    text_addf(&uuid, "uuid:%s", source->uuid);
    if (uuid.failed)
        return -ENOMEM;
    t.source = uuid.data;
    r = search_try(s, &t);
    return r == SEARCH_LOOP ? 0 : r;
}

static int try_template(struct search *s, uint32_t rule, const struct policy_domain *source,
                        const struct policy_domain *template)
{
    _cleanup_(text_deinit) struct text t = {0};

    text_addf(&t, "@dispvm:%s", template->name);
    return t.failed ? -ENOMEM : try_target(s, rule, source, t.data);
}

static int try_source(struct search *s, uint32_t rule, struct word target,
                      const struct policy_domain *source)
{
    static const char *const words[] = {"@dispvm", "@default", "@adminvm"};
    const struct policy_domains *d = s->today;
    bool disposable = target.kind == TOKEN_ANY || target.kind == TOKEN_ANYVM ||
                      target.kind == TOKEN_DISPVM_NAME || target.kind == TOKEN_DISPVM_TAG;
    int r = 0;

    for (size_t i = 0; !r && i < d->n; i++) {
        if (word_matches_domain(target, &d->list[i]))
            r = try_target(s, rule, source, d->list[i].name);
        if (!r && disposable && d->list[i].template_for_dispvms)
            r = try_template(s, rule, source, &d->list[i]);
    }
    for (size_t i = 0; !r && i < sizeof(words) / sizeof(words[0]); i++)
        r = try_target(s, rule, source, words[i]);
    return r;
}

static int try_sources(struct search *s, uint32_t rule, const struct rule_words *w)
{
    for (size_t i = 0; i < s->today->n; i++) {
        const struct policy_domain *source = &s->today->list[i];
        int r;

        if (!word_matches_domain(w->source, source) || !word_matches_domain(s->source, source))
            continue;
        r = try_source(s, rule, w->target, source);
        if (r && r != SEARCH_FOUND)
            return r;
    }
    return 0;
}

int search_rule_today(struct search *s, uint32_t rule)
{
    struct rule_words w = s->words[rule];
    struct need need = s->need, each;
    int r = 0;

    if (!need_add(&need, w.service, w.argument))
        return 0;
    for (uint32_t k = 0; !r && search_next_need(s, rule, &need, &k, &each);) {
        search_choose(s, &each);
        r = try_sources(s, rule, &w);
    }
    return r;
}
