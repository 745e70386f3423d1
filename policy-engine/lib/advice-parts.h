/* What the files of advice.h share. */
#ifndef QREXEC_POLICY_ADVICE_PARTS_H
#define QREXEC_POLICY_ADVICE_PARTS_H

#include "policy-engine/lib/advice.h"

/* What is advised about; the text is what grows. */
struct advice {
    struct text *text;
    const struct policy *policy;
    const struct policy_domains *domains;
    const struct policy_request *request;
    const struct policy_verdict *verdict;
};

static inline const char *asked_target(const struct policy_request *q)
{
    return q->target && *q->target ? q->target : "@default";
}

/* The rule that decided, or NULL. */
static inline const struct rule *deciding_rule(const struct advice *a)
{
    return a->verdict->rule == POLICY_NO_RULE ? NULL : &a->policy->rules[a->verdict->rule];
}

/* Its target=, or NULL. */
static inline const char *redirect_of(const struct advice *a)
{
    const struct rule *rule = deciding_rule(a);

    return rule ? rule_text(a->policy, rule->redirect) : NULL;
}

/* advice-names.c: a service that rules name, where none names this one but one of nearly that name;
 * or NULL. */
const char *similar_service(const struct policy *p, const char *service);
/* True: no domain has that name, which is told. */
bool tell_unknown(const struct advice *a, const char *name);
/* The name of the domain that NAME, uuid:UUID or @dispvm:… speaks of, for a command. */
const char *domain_name(const struct advice *a, const char *spelled);

/* advice-line.c: the line for this request and its place, or why there is none. 0, -ENOMEM. */
int tell_line(const struct advice *a);

/* advice.c: what to do about v, a denial of this request for something that is no line's matter. */
void tell_remedy(const struct advice *a, const struct policy_verdict *v);

#endif
