/*
 * The policy daemon: requests on its socket, each decided by the policy and the domains as they
 * are at that moment.
 *
 * Before a decision the notices of changed files are drained, so that the call after an edit
 * follows it; and the spawner's generation page is read, so that the call after a change of a
 * domain knows it: if the number differs from that of our domains, they are asked for first. A slow
 * or silent client holds its own buffer, and nobody up.
 */
#ifndef QREXEC_POLICY_SERVER_H
#define QREXEC_POLICY_SERVER_H

#include "policy-engine/policy-service.h"

struct policy_server;

/* path: of the socket. 0 or negative errno; the user was told. */
int policy_server_new(struct policy_files *files, const char *path, struct policy_server **ret);
void policy_server_free(struct policy_server *s);

#endif
