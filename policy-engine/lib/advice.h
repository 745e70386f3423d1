/* What to do about a refusal: see advice.c; advice-….c are its parts. */
#ifndef QREXEC_POLICY_ADVICE_H
#define QREXEC_POLICY_ADVICE_H

#include "policy-engine/lib/decide.h"

/* Adds to t why v refuses the request, in words with the names that are meant. */
void tell_reason(struct text *t, const struct policy_request *q, const struct policy_verdict *v);
/* Adds to t what would make the request pass; nothing for an allow. 0 or -ENOMEM. */
int tell_advice(struct text *t, const struct policy *p, const struct policy_domains *d,
                const struct policy_request *q, const struct policy_verdict *v);
/* Edits that make a of b, but 3 for 3 and more, and for long names. */
size_t name_distance(const char *a, const char *b);
/* A domain whose name is nearly this one, or NULL. */
const char *similar_domain(const struct policy_domains *d, const char *name);

#endif
