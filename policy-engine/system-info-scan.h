/*
 * The domain spawner's JSON as it mostly is, read in one pass: a fifth of what a tree of it costs,
 * and that is most of a one-shot decision.
 *
 * Only a part of JSON is understood: strings of plain ASCII without escapes, no key twice where
 * that would matter, numbers only as the generation. What is read is what jansson reads; for all
 * else, valid or not, the caller asks jansson, whose word counts.
 */
#ifndef QREXEC_POLICY_SYSTEM_INFO_SCAN_H
#define QREXEC_POLICY_SYSTEM_INFO_SCAN_H

#include "policy-engine/lib/policy.h"

#define SCAN_E_OTHER 1

/* text: n bytes, which are written to. 0; SCAN_E_OTHER: not of this form; -ENOMEM. */
int system_info_scan(char *text, size_t n, struct policy_domains **ret);

#endif
