/*
 * policy.RegisterArgument: a backend domain hands a frontend the right to call one service of it
 * with one argument, as a secret that the frontend alone was told.
 */
#ifndef QREXEC_RPC_REGISTER_ARGUMENT_H
#define QREXEC_RPC_REGISTER_ARGUMENT_H

#include "rpc-services/dom0/policy-store.h"

#define REGISTER_FILE         "60-registered-arguments"
#define REGISTER_ARGUMENT_MAX 64
/* Of the file. A backend cannot make the policy grow without end. */
#define REGISTER_CONTENT_MAX (1u << 20)

/* As they come from outside; any may be NULL. */
struct registration {
    const char *service;     /* the request's argument */
    const char *backend;     /* who calls */
    const char *target_type; /* of the requested target: must be "name" */
    const char *frontend;    /* that target */
    const char *argument;    /* the payload */
    size_t argument_len;
};

#define REGISTER_E_REFUSED 1

/* 0; REGISTER_E_REFUSED: bad words, or a rule names the argument already, or the policy would not
 * load; negative errno. With a reason. */
int registration_check(const struct registration *r, char reterr[static ADMIN_TEXT_MAX]);
int registration_add(const struct policy_store *s, const struct registration *r,
                     char reterr[static ADMIN_TEXT_MAX]);

#endif
