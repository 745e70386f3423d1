/*
 * A call from dom0 to the prompt of a guivm: a JSON object in, a short answer out.
 *
 * In dom0 the service is a socket; in another domain qrexec-client carries the call, and only its
 * exit code 0 says that the answer is whole. There is no time limit: a user may think.
 */
#ifndef QREXEC_POLICY_GUIVM_CALL_H
#define QREXEC_POLICY_GUIVM_CALL_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"

#include <sys/types.h>

struct guivm_call {
    /* Once; the answer is in c->in if ok. The call is stopped then but for that. */
    void (*fn)(struct guivm_call *c, bool ok);
    struct watch stream, exited;
    pid_t pid; /* of qrexec-client; 0: none */
    struct buf in, out;
};

/* service: "policy.Ask", "policy.Notify". 0, or negative errno and fn is never called. */
int guivm_call_start(struct guivm_call *c, const char *guivm, const char *service,
                     const char *json);
/* Also for a zeroed one; frees the answer, ends qrexec-client. */
void guivm_call_stop(struct guivm_call *c);

#endif
