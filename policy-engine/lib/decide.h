/* Between deciding and asking. */
#ifndef QREXEC_POLICY_DECIDE_H
#define QREXEC_POLICY_DECIDE_H

#include "policy-engine/lib/match.h"

/* The choices of an ask into v, or its denial. 0 or -ENOMEM. */
int ask_choices(struct match *m, const struct rule *rule, struct policy_verdict *v);

/*
 * The request against the domains: who is the source, what is the target. True: go on to the
 * rules; false: v is a denial.
 */
bool decide_prepare(struct match *m, const struct policy_request *request,
                    struct policy_verdict *v);

/* The rule that policy_decide() would name, without what it leads to; or POLICY_NO_RULE. */
uint32_t decide_rule_only(const struct policy *p, const struct policy_domains *d,
                          const struct policy_request *q);

#endif
