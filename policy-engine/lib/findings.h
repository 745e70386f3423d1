/* A list of findings: what lint and a load that goes on after errors hand out. */
#ifndef QREXEC_POLICY_FINDINGS_H
#define QREXEC_POLICY_FINDINGS_H

#include "policy-engine/lib/common.h"
#include "policy-engine/lib/policy.h"

/* Copies file and text. 0 or -ENOMEM. */
int findings_add(struct policy_findings *f, const char *file, unsigned line, const char *text);
/* By file, line and text; what is there twice goes. */
void findings_sort(struct policy_findings *f);

#endif
