/*
 * Calls of the policy.* services from dom0 itself.
 *
 * The request is complete before the service starts: a client that is killed half-way changes
 * nothing, since the service never sees a part of the new text as if it were the whole.
 */
#ifndef QREXEC_RPC_POLICY_CLIENT_H
#define QREXEC_RPC_POLICY_CLIENT_H

#include "rpc-services/dom0/policy-store.h"

/* "[include/]NAME", with or without ".policy". */
struct policy_name {
    bool include;
    char name[ADMIN_NAME_MAX + 1];
};
/* False: too long. What characters a name may have is the service's to say. */
bool policy_name_parse(const char *text, struct policy_name *ret);

/*
 * Runs the instance's policy.VERB or policy.include.VERB. 0 and what it answered (the caller frees;
 * may be NULL); ADMIN_E_* or a negative errno, and why.
 */
int policy_call(const char *verb, const struct policy_name *name, const char *token,
                const char *content, size_t len, char **ret, size_t *ret_len,
                char reterr[static ADMIN_TEXT_MAX]);

#endif
