/* Domains as the spawner tells them: the JSON of internal.GetSystemInfo. */
#ifndef QREXEC_POLICY_SYSTEM_INFO_H
#define QREXEC_POLICY_SYSTEM_INFO_H

#include "policy-engine/lib/policy.h"

/* From the JSON text. 0; -EBADMSG: not that JSON; -ENOMEM. Its "generation" [ours], else 0, is
 * kept. */
int system_info_parse(const char *json, size_t n, struct policy_domains **ret);

/* The same with jansson alone. */
int system_info_parse_tree(const char *json, size_t n, struct policy_domains **ret);

/* Asks the spawner and waits for the answer. 0 or negative errno (-EPROTO: an exception came). */
int system_info_fetch(struct policy_domains **ret);

#endif
