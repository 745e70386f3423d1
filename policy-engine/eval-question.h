/*
 * What a domain asks of policy.EvalSimple and policy.EvalGUI: bytes in, a checked question out.
 *
 * A service descriptor ("policy.EvalSimple+SERVICE[+ARG] CALLER TYPE TARGET"), NUL, and
 * SOURCE NUL TARGET to the end of the stream. Pure: no descriptor, no log.
 */
#ifndef QREXEC_POLICY_EVAL_QUESTION_H
#define QREXEC_POLICY_EVAL_QUESTION_H

#include "policy-engine/policy-service.h"

enum {
    EVAL_SOURCE_MOST = 31,
    EVAL_TARGET_MOST = 63,
    EVAL_PAYLOAD_MOST = 96,
    EVAL_REQUEST_MAX = WIRE_SERVICE_SIZE + 256 + EVAL_PAYLOAD_MOST,
};

enum {
    EVAL_E_MORE = 1,   /* no end yet: read on (never with eof) */
    EVAL_E_DESCRIPTOR, /* not of this service, or no SERVICE in it */
    EVAL_E_REQUEST,    /* not SOURCE NUL TARGET, or bytes that names do not have */
};

/*
 * service: "policy.EvalSimple" or "policy.EvalGUI". 0 and the question in *ret with the domain
 * that asks it in *ret_caller, both the caller's; EVAL_E_*: hang up (but for _MORE); -ENOMEM.
 */
int eval_question_read(const char *service, const void *data, size_t n, bool eof,
                       struct policy_question *ret, char **ret_caller);

/* Both SOURCE and TARGET are domains with the tag guivm-CALLER. */
bool eval_question_is_gui_of(const struct policy_question *q, const struct policy_domains *d,
                             const char *caller);

#endif
