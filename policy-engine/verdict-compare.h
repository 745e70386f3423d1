/* Two policies on all calls of today's domains. */
#ifndef QREXEC_POLICY_VERDICT_COMPARE_H
#define QREXEC_POLICY_VERDICT_COMPARE_H

#include "policy-engine/lib/policy.h"

#include <stdio.h>

/* Equal in everything but which rule decided. */
bool verdicts_equal(const struct policy_verdict *a, const struct policy_verdict *b);

/*
 * Calls fn for each call that they decide differently; its services and arguments are those that
 * either names, and one of each that neither does. 0 or -ENOMEM.
 */
int policies_compare(const struct policy *a, const struct policy *b, const struct policy_domains *d,
                     void (*fn)(void *user, const struct policy_request *q,
                                const struct policy_verdict *was, const struct policy_verdict *is),
                     void *user);

/* A line about a difference, for a person. */
void difference_print(FILE *f, const struct policy_request *q, const struct policy_verdict *was,
                      const struct policy_verdict *is);

#endif
