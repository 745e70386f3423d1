/* All calls of today's domains: see sweep.h. */
#include "policy-engine/sweep.h"

#include "libqrexec/base/util.h"

#include <errno.h>

#define ANY_SERVICE "a.service.that.no.rule.names"

void sweep_deinit(struct sweep *s)
{
    for (size_t i = 0; i < s->n_targets; i++)
        free(s->targets[i]);
    free(s->targets);
    free(s->calls);
    *s = (struct sweep){0};
}

int sweep_add_call(struct sweep *s, const char *service, const char *argument)
{
    if (s->n_calls == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct sweep_call *calls = reallocarray(s->calls, cap, sizeof(*calls));

        if (!calls)
            return -ENOMEM;
        s->calls = calls;
        s->cap = cap;
    }
    s->calls[s->n_calls++] = (struct sweep_call){service, argument};
    return 0;
}

int sweep_add_rules(struct sweep *s, const struct policy *p)
{
    int r = 0;

    for (size_t i = 0; !r && i < policy_count_rules(p); i++) {
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        s->n_regex += v.argument[0] == '~';
        r = sweep_add_call(s, v.service, v.argument[0] == '+' ? v.argument : "+");
    }
    return r;
}

static int add_target(struct sweep *s, const char *prefix, const char *name)
{
    char *target = format_new("%s%s", prefix, name);

    if (!target)
        return -ENOMEM;
    s->targets[s->n_targets++] = target;
    return 0;
}

int sweep_set_targets(struct sweep *s, const struct policy_domains *d)
{
    size_t n = policy_domains_count(d);
    int r = 0;

    s->targets = calloc(2 * n + 2, sizeof(*s->targets));
    if (!s->targets)
        return -ENOMEM;
    for (size_t i = 0; !r && i < n; i++)
        r = add_target(s, "", policy_domains_at(d, i)->name);
    if (!r)
        r = add_target(s, "", "@dispvm");
    for (size_t i = 0; !r && i < n; i++)
        if (policy_domains_at(d, i)->template_for_dispvms)
            r = add_target(s, "@dispvm:", policy_domains_at(d, i)->name);
    return r ? r : add_target(s, "", "@default");
}

static int order_of_calls(const void *a, const void *b)
{
    const struct sweep_call *x = a, *y = b;
    int o = strcmp(x->service, y->service);

    return o ? o : strcmp(x->argument, y->argument);
}

void sweep_sort(struct sweep *s)
{
    size_t n = 0;

    if (s->n_calls)
        qsort(s->calls, s->n_calls, sizeof(*s->calls), order_of_calls);
    for (size_t i = 0; i < s->n_calls; i++)
        if (!n || order_of_calls(&s->calls[n - 1], &s->calls[i]) != 0)
            s->calls[n++] = s->calls[i];
    s->n_calls = n;
}

struct policy_request sweep_request(const struct sweep_call *call, const char *source,
                                    const char *target)
{
    return (struct policy_request){
        .service = str_equal(call->service, "*") ? ANY_SERVICE : call->service,
        .argument = call->argument,
        .source = source,
        .target = target,
    };
}
