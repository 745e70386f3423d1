/*
 * A second evaluator of policy, written from the contract and from nothing else: slow, linear, one
 * sentence of the contract after the other. It is what the engine is compared with.
 *
 * It takes the rules as the engine's parser read them (policy_get_rule()) and shares no other code
 * with the engine: no index, no interned names, no tokens taken apart beforehand. All strings of a
 * verdict belong to the policy, the domains, the request or the verdict itself.
 */
#ifndef QREXEC_TESTS_RANDOM_ORACLE_H
#define QREXEC_TESTS_RANDOM_ORACLE_H

#include "policy-engine/lib/policy.h"

#define ORACLE_TEXT    1024
#define ORACLE_CHOICES 96 /* more than the test's domains can make */

struct oracle_world {
    const struct policy_domain *domains;
    size_t n_domains;
    const struct policy *policy;
};

struct oracle_verdict {
    enum policy_action action;
    enum policy_reason reason;
    bool notify, autostart;
    const char *source, *requested_target, *user, *policy_source;
    const char *target, *service; /* as in struct policy_verdict */
    const char *default_target, *guivm;
    char choice[ORACLE_CHOICES][ORACLE_TEXT / 8]; /* byte-sorted */
    size_t n_choices;
    bool ruled; /* by this rule: */
    struct policy_rule_view rule;
    uint32_t rule_place;
    char target_text[ORACLE_TEXT], service_text[2 * ORACLE_TEXT], default_text[ORACLE_TEXT];
};

void oracle_decide(const struct oracle_world *w, const struct policy_request *q,
                   struct oracle_verdict *ret);
/* The user's answer to what oracle_decide() gave as an ask; chosen NULL: no. */
void oracle_answer(const struct oracle_world *w, const struct policy_request *q,
                   const struct oracle_verdict *asked, const char *chosen,
                   struct oracle_verdict *ret);
/* What is asked for in the answer's target_uuid; false: there is none. */
bool oracle_target_uuid(const struct oracle_world *w, const char *target, char *buf, size_t size);
bool oracle_is_dom0(const char *x);

#endif
