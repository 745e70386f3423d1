/* The life of a policy and of its errors; the rules as written. */
#include "policy-engine/lib/rules.h"

void policy_error_deinit(struct policy_error *e)
{
    free(e->file);
    free(e->text);
    *e = (struct policy_error){0};
}

struct policy *policy_ref(struct policy *p)
{
    if (p)
        p->refs++;
    return p;
}

void policy_unref(struct policy *p)
{
    if (!p || --p->refs)
        return;
    for (size_t i = 0; i < p->n; i++)
        regex_free(p->rules[i].regex);
    free(p->rules);
    for (size_t i = 0; i < p->n_contents; i++)
        free(p->contents[i].data);
    free(p->contents);
    index_deinit(p);
    free(p->nevers);
    names_deinit(&p->names);
    free(p);
}

void policy_unrefp(struct policy **p)
{
    policy_unref(*p);
}

void policy_strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

uint64_t policy_signature(const struct policy *p)
{
    return p->signature;
}

size_t policy_count_rules(const struct policy *p)
{
    return p->n;
}

void policy_get_rule(const struct policy *p, size_t n, struct policy_rule_view *ret)
{
    static const char *const actions[] = {"deny", "allow", "ask"};
    const struct rule *r = &p->rules[n];

    *ret = (struct policy_rule_view){
        .service = rule_text(p, r->service),
        .argument = rule_text(p, r->argument),
        .source = rule_text(p, r->source),
        .target = rule_text(p, r->target_spelled),
        .action = actions[r->action],
        .redirect = rule_text(p, r->redirect),
        .default_target = rule_text(p, r->default_target),
        .user = rule_text(p, r->user),
        .notify = r->notify,
        .autostart = r->autostart,
        .file = rule_text(p, r->file),
        .line = r->line,
        .text = rule_line(p, r),
    };
}
