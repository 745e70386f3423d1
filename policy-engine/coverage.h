/*
 * Which rules of a policy something used, and when last.
 *
 * A use is a decision that the rule made. A rule that only adds to or takes from the choices of
 * another one's ask is not used by that. The denies that end an R4.0 file are nobody's lines and
 * are not counted.
 */
#ifndef QREXEC_POLICY_COVERAGE_H
#define QREXEC_POLICY_COVERAGE_H

#include "policy-engine/lib/policy.h"

#define COVERAGE_NEVER INT64_MIN

struct coverage_use {
    bool tested;
    bool called;
    int64_t last; /* seconds since 1970; COVERAGE_NEVER: not called, or no record has a time */
};

struct coverage {
    const struct policy *policy; /* the caller's, for as long as this lives */
    struct coverage_use *use;    /* one a rule */
    uint32_t *by_place;          /* numbers of rules, by file and line */
    size_t n;
};

int coverage_init(struct coverage *c, const struct policy *p);
void coverage_deinit(struct coverage *c);

/* rule: POLICY_NO_RULE is fine. */
void coverage_add_test(struct coverage *c, uint32_t rule);
void coverage_add_call_of(struct coverage *c, uint32_t rule, int64_t time);
/* place: "FILE:LINE". False: this policy has no such rule. */
bool coverage_add_call(struct coverage *c, const char *place, int64_t time);

/* Counts as used: by a test, or by a call not before `since` (COVERAGE_NEVER: whenever). */
bool coverage_is_used(const struct coverage *c, size_t rule, int64_t since);

#endif
