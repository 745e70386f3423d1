/*
 * What the daemon would make of a request now, asking nobody: where the policy asks and the user's
 * answer to just that is kept, what comes of that answer. See kept-answers.h.
 */
#ifndef QREXEC_POLICY_KEPT_VERDICT_H
#define QREXEC_POLICY_KEPT_VERDICT_H

#include "policy-engine/kept-answers.h"
#include "policy-engine/policy-cli.h"

/*
 * The answers that are kept beside the policy that c names: none where c names other directories
 * than the daemon's, as for the daemon; none, and a warning, where the file cannot be read.
 */
void kept_verdict_read(const struct cli *c, struct kept_answers *ret);

/*
 * policy_decide(), and then that. *ret_by: the answer that counts, one of k; NULL: none does. 0 or
 * -ENOMEM.
 */
int kept_verdict_decide(const struct kept_answers *k, const struct policy *p,
                        const struct policy_domains *d, const struct policy_request *q,
                        struct policy_verdict *ret, const struct kept_answer **ret_by);

#endif
