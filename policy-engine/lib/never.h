/*
 * [ext] never lines: what no rule may bring about, whatever the rules say.
 *
 * A line names a service, an argument, a source and a final target. It has the last word on a
 * decision: an allow that it forbids is a denial, a choice of an ask that it forbids goes. So a
 * policy is safe also while domains change; that the rules keep to the lines in every world is
 * checked apart from this (policy_check_never()).
 */
#ifndef QREXEC_POLICY_NEVER_H
#define QREXEC_POLICY_NEVER_H

#include "policy-engine/lib/match.h"

/* Numbers are of the policy's names. */
struct never {
    uint32_t service, argument; /* NAME_ANY: any */
    uint32_t source, target;    /* canonical spelling */
    enum token_kind source_kind, target_kind;
    bool allow, ask; /* which ends it forbids: an allow by a rule; an ask that offers it */
    uint32_t file, text;
    unsigned line;
};

/* SERVICE|* +ARG|* SOURCE TARGET [allow|ask]. 0; POLICY_E_INVALID and *why; -ENOMEM. */
int never_parse(struct names *names, struct span line, struct never *ret, struct text *why);

/*
 * The final target of an allow that a rule gives (how: POLICY_ALLOW) or of the user's answer
 * (POLICY_ASK), before it is sent through a relay. True: v has become the denial.
 */
bool never_forbids(const struct match *m, const char *target, enum policy_action how,
                   struct policy_verdict *v);

/* Takes the forbidden choices of an ask away; with the last one the verdict is a denial. 0 or
 * -ENOMEM. */
int never_filter(const struct match *m, struct policy_verdict *v);

#endif
