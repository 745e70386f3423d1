/*
 * Brute force for the analysis: random policies over a small alphabet, and worlds of up to three
 * domains beside dom0, in which every request is decided.
 */
#ifndef QREXEC_TESTS_SMALL_WORLDS_H
#define QREXEC_TESTS_SMALL_WORLDS_H

#include "tests/unit/policy-engine/lib/fixture.h"

#include <time.h>

#define U1 "00000000-0000-4000-8000-0000000000a1"
#define U2 "00000000-0000-4000-8000-0000000000a2"

struct dice {
    uint64_t state;
};

static inline unsigned roll(struct dice *d, size_t n)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (unsigned)((d->state >> 11) % n);
}

#define PICK(d, list) (list)[roll(d, ARRAY_SIZE(list))]

static const char *const small_sources[] = {
    "*",           "@anyvm",         "@anyvm",        "a",        "b",
    "@adminvm",    "dom0",           "@tag:t",        "@tag:u",   "@tag:t",
    "@type:AppVM", "@type:RemoteVM", "@type:AdminVM", "uuid:" U1, "$x"};
static const char *const small_targets[] = {"*",
                                            "@anyvm",
                                            "@anyvm",
                                            "a",
                                            "b",
                                            "c",
                                            "@adminvm",
                                            "dom0",
                                            "@tag:t",
                                            "@tag:u",
                                            "@tag:t",
                                            "@type:AppVM",
                                            "@type:RemoteVM",
                                            "@type:AdminVM",
                                            "uuid:" U1,
                                            "@dispvm",
                                            "@dispvm:a",
                                            "@dispvm:b",
                                            "@dispvm:uuid:" U1,
                                            "@dispvm:@tag:t",
                                            "@dispvm:@tag:u",
                                            "@default"};
static const char *const small_redirects[] = {
    "a", "b", "c", "dom0", "@adminvm", "uuid:" U1, "@dispvm", "@dispvm:a", "@dispvm:uuid:" U1,
    "$x"};
static const char *const small_services[] = {"s.A", "s.A", "s.A", "s.B", "*"};
static const char *const small_arguments[] = {"*", "*", "+x", "+"};

static inline int small_line(struct dice *d, char *buf, size_t size)
{
    static const char *const actions[] = {"deny", "deny", "allow", "allow", "ask"};
    const char *service = PICK(d, small_services), *action = PICK(d, actions);
    const char *argument = strcmp(service, "*") == 0 ? "*" : PICK(d, small_arguments);
    const char *source = PICK(d, small_sources), *target = PICK(d, small_targets);
    bool deny = action[0] == 'd', redirect = !deny && roll(d, 3) == 0;

    redirect |= strcmp(action, "allow") == 0 && strcmp(target, "@default") == 0;
    return snprintf(buf, size, "%s %s %s %s %s%s%s%s\n", service, argument, source, target, action,
                    redirect ? " target=" : "", redirect ? PICK(d, small_redirects) : "",
                    !deny && roll(d, 5) == 0 ? " autostart=no" : "");
}

static inline void small_policy(struct dice *d, char *buf, size_t size)
{
    size_t n = 0, lines = 1 + roll(d, 6);

    buf[0] = 0;
    for (size_t i = 0; i < lines; i++)
        n += (size_t)small_line(d, buf + n, size - n);
}

#define SMALL_WORLDS 4000

/* 1 to 3 domains named a, b, c or z (which no policy names), with anything else by chance. */
static inline struct policy_domains *small_world(struct dice *dice)
{
    static const char *const names[] = {"a", "b", "c", "z"},
                             *const types[] = {"AppVM", "AppVM", "TemplateVM", "RemoteVM"},
                             *const standard[] = {NULL, "a", "b", "c", "z", "ghost"},
                             *const uuids[] = {U1, U2, NULL, NULL};
    static const char *const tags[] = {"t", "u", "t"};
    static const struct policy_domain dom0s[] = {
        {.name = "dom0", .uuid = ZERO_UUID, .type = "AdminVM", .default_dispvm = "a"},
        {.name = "dom0", .uuid = ZERO_UUID, .type = "AdminVM", .tags = tags, .n_tags = 1}};
    struct policy_domains *d = NULL;
    size_t n = 1 + roll(dice, 3);

    assert_int_equal(policy_domains_new(0, &d), 0);
    assert_int_equal(policy_domains_add(d, &PICK(dice, dom0s)), 0);
    for (size_t i = 0; i < n; i++) {
        size_t first = roll(dice, 3), n_tags = roll(dice, 3);
        struct policy_domain dom = {
            .name = PICK(dice, names),
            .uuid = PICK(dice, uuids),
            .type = PICK(dice, types),
            .tags = tags + first,
            .n_tags = first + n_tags > 3 ? 3 - first : n_tags,
            .template_for_dispvms = roll(dice, 2),
            .default_dispvm = PICK(dice, standard),
            .power_state = roll(dice, 4) ? "Running" : "Halted",
            .internal = roll(dice, 8) == 0,
            .guivm = "dom0",
            .relayvm = "z",
            .transport_rpc = "r.T",
        };
        int r = policy_domains_add(d, &dom);

        assert_true(r == 0 || r == POLICY_E_EXISTS);
    }
    return d;
}

static inline struct policy_domains **small_worlds(struct dice *dice)
{
    struct policy_domains **all = calloc(SMALL_WORLDS, sizeof(struct policy_domains *));

    assert_non_null(all);
    for (size_t i = 0; i < SMALL_WORLDS; i++)
        all[i] = small_world(dice);
    return all;
}

static inline void small_worlds_free(struct policy_domains **all)
{
    for (size_t i = 0; i < SMALL_WORLDS; i++)
        policy_domains_unref(all[i]);
    free(all);
}

/* Every request of a world; fn returns true to end it. */
typedef bool small_request_fn(void *data, const struct policy_domains *d,
                              const struct policy_request *q);

static inline bool small_requests(const struct policy_domains *d, small_request_fn *fn, void *data)
{
    static const char *const
        services[] = {"s.A", "s.B", "o.O"},
        *const arguments[] = {"+", "+x", "+q"}, *const sources[] = {"dom0",    "a", "b",
                                                                    "c",       "z", "uuid:" U1,
                                                                    "uuid:" U2},
        *const targets[] = {"",          "@dispvm",   "@adminvm",  "dom0",      "a",
                            "b",         "c",         "z",         "uuid:" U1,  "uuid:" U2,
                            "@dispvm:a", "@dispvm:b", "@dispvm:c", "@dispvm:z", "@dispvm:uuid:" U1};

    for (size_t s = 0; s < ARRAY_SIZE(sources); s++)
        for (size_t t = 0; policy_domains_find(d, sources[s]) && t < ARRAY_SIZE(targets); t++)
            for (size_t i = 0; i < 9; i++) {
                struct policy_request q = {.service = services[i / 3],
                                           .argument = arguments[i % 3],
                                           .source = sources[s],
                                           .target = targets[t]};

                if (fn(data, d, &q))
                    return true;
            }
    return false;
}

static inline uint64_t small_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 0;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!seed)
        seed = (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
    print_message("seed: SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline size_t small_count(size_t usual)
{
    const char *given = getenv("RANDOM_POLICIES");

    return given ? strtoull(given, NULL, 0) : usual;
}

#endif
