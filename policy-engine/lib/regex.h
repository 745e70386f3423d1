/*
 * [ext] The argument column's ~REGEX: PCRE2, anchored at both ends, with limits.
 *
 * Compiled when the policy is loaded, and match data is made then too, so that matching allocates
 * nothing. For that a regex must not be used by two threads at a time.
 */
#ifndef QREXEC_POLICY_REGEX_H
#define QREXEC_POLICY_REGEX_H

#include "policy-engine/lib/common.h"

struct regex;

#define REGEX_E_SYNTAX 1

/* 0; REGEX_E_SYNTAX with the reason added to *why; -ENOMEM. */
int regex_new(struct span pattern, struct regex **ret, struct text *why);
void regex_free(struct regex *re);

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };
enum regex_result regex_match(const struct regex *re, struct span subject);

#endif
