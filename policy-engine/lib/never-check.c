/* Whether the rules keep to the never lines by themselves, in every world. */
#include "policy-engine/lib/never.h"
#include "policy-engine/lib/search.h"

struct finding {
    const struct policy *policy;
    const struct never *never;
    struct policy_violation *violation;
};

void policy_violation_deinit(struct policy_violation *v)
{
    free(v->never_file);
    free(v->rule_file);
    free(v->service);
    free(v->argument);
    free(v->source);
    free(v->target);
    free(v->final);
    free(v->text);
    policy_domains_unref(v->domains);
    *v = (struct policy_violation){0};
}

static int copy(const char *from, char **to)
{
    *to = span_dup(span_of(from));
    return *to ? 0 : -ENOMEM;
}

static int copy_domains(const struct policy_domains *from, struct policy_domains **ret)
{
    struct policy_domains *d = NULL;
    int r = policy_domains_new(policy_domains_generation(from), &d);

    for (size_t i = 0; !r && i < policy_domains_count(from); i++)
        r = policy_domains_add(d, policy_domains_at(from, i));
    if (r)
        policy_domains_unref(d);
    else
        *ret = d;
    return r;
}

static int tell(const struct policy_example *e, struct policy_violation *v)
{
    _cleanup_(text_deinit) struct text t = {0};

    text_addf(&t, "%s:%u: never, and yet %s:%u %s %s%s from %s to %s, which %s %s (%s to %s)",
              v->never_file, v->never_line, v->rule_file, v->rule_line,
              e->action == POLICY_ALLOW ? "allows" : "asks for", e->service, e->argument, e->source,
              e->target, e->action == POLICY_ALLOW ? "ends at" : "offers", e->final,
              e->source_class, e->target_class);
    return text_take(&t, &v->text);
}

static int found(void *data, const struct policy_example *e)
{
    struct finding *f = data;
    struct policy_violation v = {.action = e->action};
    struct policy_rule_view rule;
    int r;

    policy_get_rule(f->policy, e->rule, &rule);
    v.rule_line = rule.line;
    v.never_line = f->never->line;
    r = copy(rule.file, &v.rule_file);
    if (!r)
        r = copy(rule_text(f->policy, f->never->file), &v.never_file);
    if (!r)
        r = copy(e->service, &v.service);
    if (!r)
        r = copy(e->argument, &v.argument);
    if (!r)
        r = copy(e->source, &v.source);
    if (!r)
        r = copy(e->target, &v.target);
    if (!r)
        r = copy(e->final, &v.final);
    if (!r)
        r = copy_domains(e->domains, &v.domains);
    if (!r)
        r = tell(e, &v);
    if (r) {
        policy_violation_deinit(&v);
        return r;
    }
    *f->violation = v;
    return POLICY_E_NEVER;
}

int policy_check_never(const struct policy *p, const struct policy_domains *today,
                       struct policy_violation *ret)
{
    struct policy bare = *p; /* what the rules alone say */
    struct finding f = {.policy = p, .violation = ret};
    int r = 0;

    bare.n_nevers = 0;
    for (size_t i = 0; !r && i < p->n_nevers; i++) {
        const struct never *n = f.never = &p->nevers[i];
        const struct policy_goal q = {.service = rule_text(p, n->service),
                                      .argument = rule_text(p, n->argument),
                                      .source = rule_text(p, n->source),
                                      .target = rule_text(p, n->target),
                                      .allow = n->allow,
                                      .ask = n->ask};

        r = policy_who_can(&bare, today, &q, found, &f, NULL);
    }
    return r;
}
