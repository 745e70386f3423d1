/*
 * Policies and domains to measure with: made from a seed, so that a figure can be repeated.
 *
 * Domains are vm-0, vm-1 …; each has a name, a uuid, a type and the tag "all", and further tags of
 * a pool of 300. Requests are drawn beforehand and taken in turn, so that what is measured is not
 * one request that the processor knows by heart.
 */
#ifndef QREXEC_TESTS_BENCH_POLICY_WORLD_H
#define QREXEC_TESTS_BENCH_POLICY_WORLD_H

#include "policy-engine/lib/policy.h"
#include "tests/bench/bench.h"

#define ASKED      "bench.Asked"
#define N_REQUESTS 1024

enum world_kind {
    WORLD_LAST_MATCHES,
    WORLD_NONE_MATCHES,
    WORLD_ONE_SERVICE, /* every rule is for the asked service and names other domains */
    WORLD_TAGS,        /* every rule names two tags */
    WORLD_ASK,         /* the first rule asks, every other one adds or takes choices */
};

struct world {
    enum world_kind kind;
    size_t n_rules, n_domains, n_tags; /* tags a domain, "all" among them */
    char *text;
    size_t len;
    struct policy *policy;
    struct policy_domains *domains;
    struct policy_request requests[N_REQUESTS];
    char words[N_REQUESTS][3][16];
};

void world_init(struct world *w, struct bench *b, enum world_kind kind, size_t n_rules,
                size_t n_domains, size_t n_tags);
void world_deinit(struct world *w);

#endif
