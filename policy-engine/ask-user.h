/*
 * The prompt's JSON: what policy.Ask and policy.Notify are told, and what may come back.
 */
#ifndef QREXEC_POLICY_ASK_USER_H
#define QREXEC_POLICY_ASK_USER_H

#include "policy-engine/policy-service.h"

/* The request for the prompt, ASCII; NULL without memory. The caller frees. */
char *ask_user_json(const struct policy_domains *d, const struct policy_question *q,
                    const struct policy_verdict *asked);

/* The notice, ASCII; NULL without memory. resolution: "allow" or "deny". */
char *notify_user_json(const char *resolution, const char *source, const struct policy_question *q,
                       const char *target);

/* The user said no: "deny". */
bool ask_user_refused(const void *data, size_t n);
/* "allow:TARGET": TARGET in buf, true. Anything else: false. */
bool ask_user_answer(const void *data, size_t n, char *buf, size_t size);

#endif
