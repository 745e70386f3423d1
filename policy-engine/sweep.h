/*
 * All calls that today's domains can make, as far as a policy can tell them apart by name: each
 * (service, argument) that a rule names, from each domain, to each domain, @dispvm, @dispvm:X of
 * each template for disposables, and @default.
 *
 * "*" as a rule's service stands for one that no rule names, as its argument for the empty one; so
 * does a regular expression [ext], of which one argument cannot be told.
 */
#ifndef QREXEC_POLICY_SWEEP_H
#define QREXEC_POLICY_SWEEP_H

#include "policy-engine/lib/policy.h"

struct sweep_call {
    const char *service;  /* as a rule has it: "*" too */
    const char *argument; /* with its +; the policy's or the caller's string */
};

struct sweep {
    struct sweep_call *calls; /* byte-sorted, each once */
    size_t n_calls, cap;
    char **targets; /* allocated, as is the list */
    size_t n_targets;
    size_t n_regex; /* rules with a regular expression */
};

void sweep_deinit(struct sweep *s);
int sweep_add_call(struct sweep *s, const char *service, const char *argument);
/* The calls that rules name. */
int sweep_add_rules(struct sweep *s, const struct policy *p);
int sweep_set_targets(struct sweep *s, const struct policy_domains *d);
/* After the last addition. */
void sweep_sort(struct sweep *s);

/* The request as it is decided. */
struct policy_request sweep_request(const struct sweep_call *call, const char *source,
                                    const char *target);

#endif
