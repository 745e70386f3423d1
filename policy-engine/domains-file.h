/* Domains from a file in the registry's format: a [name] section each. */
#ifndef QREXEC_POLICY_DOMAINS_FILE_H
#define QREXEC_POLICY_DOMAINS_FILE_H

#include "policy-engine/lib/policy.h"

/* 0; 1 and *reterr (allocated) says what and where; negative errno. */
int domains_file_read(const char *path, struct policy_domains **ret, char **reterr);

#endif
