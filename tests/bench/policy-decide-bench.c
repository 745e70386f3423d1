/* Rows: one decision in process. */
#include "tests/bench/policy-bench.h"
#include "tests/bench/policy-world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row must measure what it says: how many of the drawn requests end so? */
static size_t count_verdicts(const struct world *w, enum policy_action action)
{
    size_t n = 0;

    for (size_t i = 0; i < N_REQUESTS; i++) {
        struct policy_verdict v = {0};

        if (policy_decide(w->policy, w->domains, &w->requests[i], &v))
            bench_fail("deciding");
        n += v.action == action;
        policy_verdict_deinit(&v);
    }
    return n;
}

static void time_decisions(const struct bench *b, const struct world *w, size_t n,
                           struct samples *s)
{
    for (size_t i = 0; i < n; i++) {
        const struct policy_request *q = &w->requests[i % N_REQUESTS];
        struct policy_verdict v = {0};
        double start = bench_now();
        int r = policy_decide(w->policy, w->domains, q, &v);
        double end = bench_now();

        if (r)
            bench_fail("deciding");
        samples_add(s, end - start - b->clock_ns);
        policy_verdict_deinit(&v);
    }
}

static double row(struct bench *b, const char *what, enum world_kind kind, size_t n_rules,
                  size_t n_domains, size_t n_tags, enum policy_action expected, const char *aim)
{
    struct samples s = {0};
    struct world w;
    char size[32];
    double median;
    size_t warm = N_REQUESTS, n = kind == WORLD_ASK ? 2000 : b->n_decisions;

    world_init(&w, b, kind, n_rules, n_domains, n_tags);
    if (count_verdicts(&w, expected) < N_REQUESTS * 9 / 10)
        bench_fail("the world is not what the row says");
    time_decisions(b, &w, warm, &s);
    s.n = 0;
    time_decisions(b, &w, n, &s);
    snprintf(size, sizeof(size), "%zu rules", n_rules);
    median = bench_row(what, size, &s, aim);
    samples_deinit(&s);
    world_deinit(&w);
    return median;
}

static void three_sizes(struct bench *b, const char *what, enum world_kind kind,
                        enum policy_action expected)
{
    static const size_t sizes[] = {10, 1000, 100000};
    double least = 0, most = 0;

    for (size_t i = 0; i < 3; i++) {
        double m = row(b, what, kind, sizes[i], 100, 2, expected, "< 0.3, p99 < 1");

        least = !i || m < least ? m : least;
        most = m > most ? m : most;
    }
    bench_note("  largest to smallest median", "", "within 2", "%.2f", most / least);
}

void bench_decisions(struct bench *b)
{
    three_sizes(b, "last rule matches", WORLD_LAST_MATCHES, POLICY_ALLOW);
    three_sizes(b, "no rule matches", WORLD_NONE_MATCHES, POLICY_DENY);
    row(b, "no rule matches, 10 domains", WORLD_NONE_MATCHES, 100000, 10, 2, POLICY_DENY,
        "< 0.3, p99 < 1");
    row(b, "no rule matches, 1000 domains", WORLD_NONE_MATCHES, 100000, 1000, 2, POLICY_DENY,
        "< 0.3, p99 < 1");
    row(b, "one service holds all, each names others", WORLD_ONE_SERVICE, 100000, 1000, 2,
        POLICY_ALLOW, "< 0.5");
    row(b, "6 tags a domain, every rule two tags", WORLD_TAGS, 100000, 100, 7, POLICY_DENY, "< 1");
    row(b, "ask with all its choices, 1000 domains", WORLD_ASK, 10000, 1000, 3, POLICY_ASK,
        "< 200");
}

void bench_decide_only(struct bench *b, const char *kind, size_t n_rules)
{
    static const struct {
        const char *name;
        enum world_kind kind;
        size_t n_tags;
    } kinds[] = {{"last", WORLD_LAST_MATCHES, 2},
                 {"none", WORLD_NONE_MATCHES, 2},
                 {"one-service", WORLD_ONE_SERVICE, 2},
                 {"tags", WORLD_TAGS, 7}};
    struct samples s = {0};
    struct world w;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i].name) != 0)
            continue;
        world_init(&w, b, kinds[i].kind, n_rules, 100, kinds[i].n_tags);
        time_decisions(b, &w, N_REQUESTS, &s);
        world_deinit(&w);
    }
    samples_deinit(&s);
}
