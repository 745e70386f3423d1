/*
 * The policy daemon: requests on its sockets, each decided by the policy and the domains as they
 * are at that moment.
 *
 * Before a decision the notices of changed files are drained, so that the call after an edit
 * follows it; and the spawner's generation page is read, so that the call after a change of a
 * domain knows it: if the number differs from that of our domains, they are asked for first. After
 * the user's answer both are looked at again: what was asked about must still be so. A slow or
 * silent client holds its own buffer, and nobody up.
 */
#ifndef QREXEC_POLICY_SERVER_H
#define QREXEC_POLICY_SERVER_H

#include "policy-engine/policy-service.h"

struct server_options {
    struct policy_files files;
    struct policy_files shadow; /* n_dirs 0: none [ext] */
    /* "": not served */
    const char *socket, *eval_socket, *gui_socket;
    const char *log; /* of decisions: a path, "journal", "none" [ext] */
    uint64_t log_max;
    uint32_t log_keep;
};

struct policy_server;

/* o must outlive it. 0 or negative errno; the user was told. */
int policy_server_new(const struct server_options *o, struct policy_server **ret);
/* Loads everything again, opens the log again. */
void policy_server_reload(struct policy_server *s);
void policy_server_free(struct policy_server *s);

#endif
