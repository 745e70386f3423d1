/*
 * Which rules a request can meet at all: a bucket for each (service, argument) that rules name.
 *
 * A request looks into at most four: (service, argument), (service, *), the service's regex rules
 * [ext], and (*, *). A walk merges them by place, so it meets the same rules in the same order as
 * a look at the whole list would, without those of other services.
 */
#ifndef QREXEC_POLICY_INDEX_H
#define QREXEC_POLICY_INDEX_H

#include "policy-engine/lib/rules.h"

struct bucket {
    uint32_t service;
    uint32_t argument; /* NAME_NONE: the regex rules of the service */
    uint32_t first, n; /* in the policy's list of places */
};

/* After the last rule. 0 or -ENOMEM. */
int index_make(struct policy *p);

#define WALK_BUCKETS 4

struct walk {
    const struct policy *policy;
    struct {
        const uint32_t *rules; /* what is left of the bucket */
        size_t n;
    } part[WALK_BUCKETS];
    size_t n_parts;
    bool backwards;
};

/* service and argument are numbers of the policy's names. */
struct walk walk_start(const struct policy *p, uint32_t service, uint32_t argument, bool backwards);
/* NULL at the end. */
const struct rule *walk_next(struct walk *w);

#endif
