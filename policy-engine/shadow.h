/*
 * A shadow policy [ext]: another folder, evaluated beside the policy that is in force. What it says
 * otherwise is told, and never enforced.
 */
#ifndef QREXEC_POLICY_SHADOW_H
#define QREXEC_POLICY_SHADOW_H

#include "policy-engine/policy-service.h"

/*
 * What the shadow says of the question where that is not what `live` says (before a user was
 * asked): "deny (policy, FILE:LINE)"; for the caller to free. NULL: the same, or p is NULL, or no
 * memory.
 */
char *shadow_difference(const struct policy *p, const struct policy_domains *d,
                        const struct policy_question *q, const struct policy_verdict *live);

/* "allow to work", "ask about dom0, work", "deny (no-match)"; the rule as ", FILE:LINE". */
char *shadow_verdict_text(const struct policy_verdict *v);

/* Would a caller see another outcome? */
bool shadow_is_other(const struct policy_verdict *a, const struct policy_verdict *b);

#endif
