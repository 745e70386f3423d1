/*
 * The policy.* services that look at and change policy files: a request in, an answer out.
 *
 * A table says for each service what its argument and payload are; what does not fit is refused
 * before anything is looked at.
 */
#ifndef QREXEC_RPC_POLICY_ADMIN_H
#define QREXEC_RPC_POLICY_ADMIN_H

#include "rpc-services/dom0/policy-store.h"

/* A token line and the largest file. */
#define ADMIN_PAYLOAD_MAX (ADMIN_CONTENT_MAX + 128)

struct admin_request {
    const char *service;
    const char *argument; /* without "+"; NULL or "": none */
    const char *payload;  /* may be NULL where len is 0 */
    size_t len;
};

/* 0 and what the caller gets in *answer (a buffer with room for a token line and the largest
 * file); ADMIN_E_*, or a negative errno, and why. */
int admin_handle(const struct policy_store *s, const struct admin_request *request,
                 struct buf *answer, char reterr[static ADMIN_TEXT_MAX]);

/* "PolicyAdminTokenException" and so on; NULL for what is no ADMIN_E_*. */
const char *admin_error_name(int code);

#endif
