/*
 * Files of expected verdicts, which lie beside a policy as unit tests lie beside code.
 *
 *     allow|ask|deny  SERVICE[+ARG]  SOURCE  TARGET  [-> FINAL]
 *
 * A line that is empty or begins with # is passed over. FINAL is where an allowed call goes, or
 * one of the targets that the user is offered. A line that cannot be judged is an error, never a
 * test that passes: so is a file without a test, and a domain that does not exist.
 */
#ifndef QREXEC_POLICY_EXPECTATIONS_H
#define QREXEC_POLICY_EXPECTATIONS_H

#include "policy-engine/lib/policy.h"

struct expectation {
    enum policy_action action;
    unsigned line;
    char *text;     /* the line with single blanks; allocated */
    char *argument; /* "+" where none is given; allocated */
    char *owned;    /* allocated; the words below lie in it */
    char *service, *source, *target;
    char *final; /* NULL where none is given */
};

struct expectations {
    const char *file; /* the caller's */
    struct expectation *list;
    size_t n, cap;
};

void expectations_deinit(struct expectations *e);

/* path "-" is stdin. 0; 1 and *reterr (allocated) is "FILE:LINE: TEXT"; negative errno. */
int expectations_read(const char *path, struct expectations *ret, char **reterr);

/* Do the domains exist that the lines name? 0; 1 and *reterr; -ENOMEM. */
int expectations_check(const struct expectations *e, const struct policy_domains *d, char **reterr);

/* Decides it. The verdict belongs to the caller, and points into e. 0 or -ENOMEM. */
int expectation_decide(const struct expectation *e, const struct policy *p,
                       const struct policy_domains *d, struct policy_verdict *ret);

/* NULL: as expected; else what is there instead, allocated; *ret_error -ENOMEM, or 0. */
char *expectation_differs(const struct expectation *e, const struct policy_verdict *v,
                          int *ret_error);

#endif
