/*
 * The prompt's JSON: what policy.Ask and policy.Notify are told, and what may come back.
 */
#ifndef QREXEC_POLICY_ASK_USER_H
#define QREXEC_POLICY_ASK_USER_H

#include "policy-engine/policy-service.h"

/* The request for the prompt, ASCII; NULL without memory. The caller frees. */
char *ask_user_json(const struct policy_domains *d, const struct policy_question *q,
                    const struct policy_verdict *asked);

/* The notice, ASCII; NULL without memory. resolution: "allow", "deny", "fail". count: of how many
 * it is the last, where that is more than one [ext]. */
char *notify_user_json(const char *resolution, const char *source, const struct policy_question *q,
                       const char *target, uint64_t count);

/* The user said no: "deny". */
bool ask_user_refused(const void *data, size_t n);
/*
 * "allow:TARGET": TARGET in buf, true. A second line "keep=session" or "keep=SECONDS" [ext] asks
 * for the answer to be kept; seconds 0: for the session. Anything else: false, outputs untouched.
 */
bool ask_user_answer(const void *data, size_t n, char *buf, size_t size, bool *ret_keep,
                     uint64_t *ret_seconds);

#endif
