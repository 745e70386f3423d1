/* Two policies over the domains at hand: requests whose source a changed rule is about. */
#include "policy-engine/lib/diff.h"

static bool is_source(const struct diff *d, const char *service, const struct policy_domain *dom)
{
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < d->search[side].policy->n; i++) {
            const struct rule_words *w = &d->search[side].words[i];

            if (d->changed[side][i] && (!w->service || strcmp(w->service, service) == 0) &&
                word_matches_domain(w->source, dom))
                return true;
        }
    return false;
}

static int try_target(struct diff *d, const char *source, const char *target)
{
    return diff_try(
        d, &(struct diff_trial){.domains = d->search[0].today, .source = source, .target = target});
}

static int try_domain(struct diff *d, const char *source, const struct policy_domain *target)
{
    _cleanup_(text_deinit) struct text t = {0};
    int r = try_target(d, source, target->name);

    if (r || !target->template_for_dispvms)
        return r;
    text_addf(&t, "@dispvm:%s", target->name);
    return t.failed ? -ENOMEM : try_target(d, source, t.data);
}

static int try_service(struct diff *d, const char *service)
{
    static const char *const words[] = {"@dispvm", "@default", "@adminvm"};
    const struct policy_domains *view = d->search[0].today;
    struct need need = {.service = service};
    int r = 0;

    diff_choose(d, &need, true);
    for (size_t i = 0; !r && i < view->n; i++) {
        const char *source = view->list[i].name;

        if (!is_source(d, service, &view->list[i]))
            continue;
        for (size_t k = 0; !r && k < view->n; k++)
            r = try_domain(d, source, &view->list[k]);
        for (size_t k = 0; !r && k < 3; k++)
            r = try_target(d, source, words[k]);
    }
    return r;
}

int diff_today(struct diff *d)
{
    struct seen services = {0};
    int r = try_service(d, d->search[0].fresh.service);

    for (size_t side = 0; side < 2; side++) {
        const struct policy *p = d->search[side].policy;

        for (size_t i = 0; !r && i < p->n; i++) {
            const char *service = rule_text(p, p->rules[i].service);
            bool new;

            if (p->rules[i].service == NAME_ANY)
                continue;
            r = seen_add(&services, mix_text(MIX_START, service), &new);
            if (!r && new)
                r = try_service(d, service);
        }
    }
    seen_deinit(&services);
    return r;
}
