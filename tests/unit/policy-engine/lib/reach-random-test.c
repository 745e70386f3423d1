/*
 * reach against brute force: where calls in some small world lead from one domain to another, the
 * analysis of all worlds knows of it, and that of this world too; a chain that is shown holds, call
 * by call, and each starts where the one before ended.
 */
#include "tests/unit/policy-engine/lib/small-worlds.h"

#define WORLDS_EACH 40
#define NAMES       5

static const char *const names[NAMES] = {"a", "b", "c", "z", "dom0"};

struct matrix {
    const struct policy *policy;
    bool to[NAMES][NAMES];
};

static size_t place(const struct policy_domains *d, const char *spelled)
{
    const struct policy_domain *dom = policy_domains_find(d, spelled);
    size_t i = 0;

    while (dom && i < NAMES && strcmp(names[i], dom->name) != 0)
        i++;
    return dom ? i : NAMES;
}

static const char *final_of(const struct policy *p, const struct policy_verdict *v)
{
    struct policy_rule_view rule;

    policy_get_rule(p, v->rule, &rule);
    return !v->service ? v->target : rule.redirect ? rule.redirect : v->requested_target;
}

static bool note_edges(void *data, const struct policy_domains *d, const struct policy_request *q)
{
    struct matrix *m = data;
    struct policy_verdict v = {0};
    size_t from = place(d, q->source), to;

    assert_int_equal(policy_decide(m->policy, d, q, &v), 0);
    if (v.action == POLICY_ALLOW && (to = place(d, final_of(m->policy, &v))) < NAMES)
        m->to[from][to] = true;
    for (size_t i = 0; i < v.n_choices; i++)
        if ((to = place(d, v.choices[i])) < NAMES)
            m->to[from][to] = true;
    policy_verdict_deinit(&v);
    return false;
}

static void close_over(struct matrix *m)
{
    for (size_t k = 0; k < NAMES; k++)
        for (size_t i = 0; i < NAMES; i++)
            for (size_t j = 0; j < NAMES; j++)
                m->to[i][j] |= m->to[i][k] && m->to[k][j];
}

static bool offers(const struct policy_verdict *v, const char *final)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (strcmp(v->choices[i], final) == 0 || strcmp(v->choices[i], "@dispvm") == 0)
            return true;
    return false;
}

/* A relay at hand is shown as the end of a call to its remote domain. */
static void check_chain(const struct policy *p, const struct policy_chain *c, bool today)
{
    assert_true(c->n > 0);
    for (size_t i = 0; i < c->n; i++) {
        const struct policy_hop *h = &c->hops[i];
        struct policy_request q = {.service = h->service,
                                   .argument = h->argument,
                                   .source = h->source,
                                   .target = h->target};
        struct policy_verdict v = {0};

        assert_int_equal(policy_decide(p, c->domains, &q, &v), 0);
        assert_int_equal(v.action, h->action);
        assert_int_equal(v.rule, h->rule);
        if (v.action == POLICY_ALLOW && !(today && v.service))
            assert_string_equal(h->final, final_of(p, &v));
        if (v.action == POLICY_ASK && !today)
            assert_true(offers(&v, h->final));
        policy_verdict_deinit(&v);
        if (i && strncmp(c->hops[i - 1].final, "@dispvm", 7) == 0 &&
            strncmp(h->source, "disp", 4) != 0)
            fail_msg("%s is no disposable of %s", h->source, c->hops[i - 1].final);
        else if (i && strncmp(c->hops[i - 1].final, "@dispvm", 7) == 0)
            continue;
        else if (i)
            assert_ptr_equal(policy_domains_find(c->domains, c->hops[i - 1].final),
                             policy_domains_find(c->domains, h->source));
    }
}

static bool reaches(const struct policy *p, const struct policy_domains *today, size_t from,
                    size_t to)
{
    struct policy_reach_goal goal = {.from = names[from], .to = names[to], .ask = true};
    struct policy_chain chain = {0};
    int r = policy_reach(p, today, &goal, &chain);

    if (!r)
        check_chain(p, &chain, today != NULL);
    if (r && r != POLICY_E_IMPOSSIBLE)
        fail_msg("%s to %s: %d", names[from], names[to], r);
    policy_chain_deinit(&chain);
    return r == 0;
}

static void a_chain_of_some_world_is_found(void **state)
{
    struct dice dice = {small_seed()};
    struct policy_domains **worlds = small_worlds(&dice);
    size_t n = small_count(1000), possible = 0, impossible = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bool known[NAMES][NAMES];
        struct policy *p;
        char rules[2048];

        small_policy(&dice, rules, sizeof(rules));
        p = fixture_policy(rules);
        for (size_t k = 0; k < NAMES * NAMES; k++) {
            known[k / NAMES][k % NAMES] =
                k / NAMES != k % NAMES && reaches(p, NULL, k / NAMES, k % NAMES);
            possible += known[k / NAMES][k % NAMES];
            impossible += !known[k / NAMES][k % NAMES];
        }
        for (size_t w = 0; w < WORLDS_EACH; w++) {
            const struct policy_domains *d = worlds[roll(&dice, SMALL_WORLDS)];
            struct matrix m = {.policy = p};

            small_requests(d, note_edges, &m);
            close_over(&m);
            for (size_t k = 0; k < NAMES * NAMES; k++) {
                size_t from = k / NAMES, to = k % NAMES;

                if (from == to || !m.to[from][to])
                    continue;
                if (!known[from][to])
                    fail_msg("%s reaches %s by\n%s", names[from], names[to], rules);
                if (w == 0 && !reaches(p, d, from, to))
                    fail_msg("%s reaches %s today by\n%s", names[from], names[to], rules);
            }
        }
        policy_unref(p);
    }
    print_message("%zu policies, %zu possible, %zu impossible\n", n, possible, impossible);
    assert_true(possible > n && impossible > n);
    small_worlds_free(worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_chain_of_some_world_is_found)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
