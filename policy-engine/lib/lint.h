/* Between the parts of lint. */
#ifndef QREXEC_POLICY_LINT_H
#define QREXEC_POLICY_LINT_H

#include "policy-engine/lib/domains.h"
#include "policy-engine/lib/findings.h"
#include "policy-engine/lib/rules.h"

struct lint {
    const struct policy *policy;
    const struct policy_domains *domains; /* NULL: not known */
    struct policy_findings findings;
    struct text text; /* of the finding that is being made */
};

/* Adds l->text as a finding of this rule, and empties it. */
int lint_add(struct lint *l, const struct rule *r);
/* ask rules that can never offer anything. */
int lint_ask(struct lint *l);
/* Domains without network that a rule gives one, through a disposable. */
int lint_network(struct lint *l);

#endif
