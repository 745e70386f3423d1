/*
 * Tells users what became of calls: policy.Notify.
 *
 * Nothing waits for it, and no verdict depends on it. A prompt that does not take a notice in time
 * is let go of, and of each source only so many notices are under way; more of them are not told.
 * Of denials a user is told one a source and service in a minute; the next one says how many there
 * were ("count" [ext], which agents that do not know it pass over).
 */
#ifndef QREXEC_POLICY_NOTIFY_USER_H
#define QREXEC_POLICY_NOTIFY_USER_H

#include "libqrexec/base/charge.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/policy-service.h"

struct notice;
struct told;

struct notices {
    struct notice *first;
    struct ledger ledger;
    struct told *told; /* denials of the last minute */
    size_t n_told;
    struct timer minute;
};

#define NOTICES_NULL ((struct notices){.ledger = {.budget = 8}})
void notices_deinit(struct notices *ns);

/* If the verdict wants it, and there is somebody to tell. */
void notify_user(struct notices *ns, const struct policy_domains *d,
                 const struct policy_question *q, const struct policy_verdict *v);

/* A trouble of dom0's own: "failed", with what failed as the service and why as the target. */
void notify_trouble(struct notices *ns, const char *guivm, const char *what, const char *why);

#endif
