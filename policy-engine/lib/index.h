/*
 * Which rules a request can meet at all: a bucket for each (service, argument) that rules name,
 * in it a node for each source token, and for each node and target token the lowest rule.
 *
 * A request looks into at most four buckets: (service, argument), (service, *), (*, *), and the
 * service's regex rules [ext], which have no nodes. The first rule to match is the lowest one of
 * any pair of tokens that the source and the target have; a bucket or node whose lowest rule is
 * above the best found so far is passed over, and a node of few rules is looked through. So a
 * decision costs the same however many rules there are. Each node keeps all its rules, and each
 * bucket too: who lists choices needs those of one source, who explains or checks walks a bucket in
 * order.
 *
 * All is flat arrays over 32-bit numbers; nothing changes after index_make().
 */
#ifndef QREXEC_POLICY_INDEX_H
#define QREXEC_POLICY_INDEX_H

#include "policy-engine/lib/names.h"
#include "policy-engine/lib/pairs.h"

struct policy;
struct rule;

/* Numbers of rules, ascending. */
struct places {
    const uint32_t *rules;
    size_t n;
};

/* The tokens of a source or target that rules name in that column, as numbers of the policy. */
#define TOKENS_MAX 32
struct tokens {
    uint32_t id[TOKENS_MAX];
    size_t n;
    bool too_many; /* not all are here: walk the rules instead */
};

bool tokens_have(const struct tokens *t, uint32_t token);

struct bucket {
    uint32_t service;
    uint32_t argument; /* NAME_NONE: the regex rules of the service */
    uint32_t first, n; /* in the index's list of rules by bucket */
};

struct index {
    struct pairs buckets;              /* service, argument → place in the policy's buckets */
    struct pairs nodes;                /* bucket, source → node */
    struct pairs leaves;               /* node, target; for nodes of many rules */
    uint32_t *bucket_rules;            /* bucket after bucket */
    uint32_t *node_first, *node_rules; /* node → where its rules begin; one more at the end */
    uint32_t *node_targets;            /* beside node_rules: the target tokens */
    unsigned char *uses;               /* of each name: USED_… */
};

enum { USED_SOURCE = 1, USED_TARGET = 2 };

/* After the last rule. 0 or -ENOMEM; then, too, index_deinit() is due. */
int index_make(struct policy *p);
void index_deinit(struct policy *p);

#define INDEX_BUCKETS 3

/* The plain buckets of a request. service and argument are numbers of the policy's names. */
size_t index_buckets(const struct policy *p, uint32_t service, uint32_t argument,
                     uint32_t ret[static INDEX_BUCKETS]);
/* The lowest rule of these buckets with a source and a target of these; NAME_NONE: there is none.
 */
uint32_t index_lowest(const struct policy *p, const uint32_t *buckets, size_t n,
                      const struct tokens *source, const struct tokens *target);
/* The rules of a bucket with that source token. */
struct places index_from(const struct policy *p, uint32_t bucket, uint32_t source);
struct places index_bucket(const struct policy *p, uint32_t bucket);
/* The regex rules of a service. */
struct places index_regex(const struct policy *p, uint32_t service);

/* ---- All rules of a request's buckets, in order ---- */

#define WALK_BUCKETS 4

struct walk {
    const struct policy *policy;
    struct places part[WALK_BUCKETS]; /* what is left of each bucket */
    size_t n_parts;
    bool backwards;
};

struct walk walk_start(const struct policy *p, uint32_t service, uint32_t argument, bool backwards);
/* NULL at the end. */
const struct rule *walk_next(struct walk *w);

#endif
