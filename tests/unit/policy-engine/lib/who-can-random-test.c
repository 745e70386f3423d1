/*
 * who-can and never lines against brute force: whatever some request in some small world gets, the
 * analysis of all worlds must know of; what it shows must hold when decided again.
 */
#include "tests/unit/policy-engine/lib/small-worlds.h"

#define WORLDS_EACH 60

struct goal_text {
    char never[256];
    struct policy_goal goal;
};

static void random_goal(struct dice *dice, struct goal_text *g)
{
    static const char *const words[] = {"", " allow", " ask"};
    unsigned how = roll(dice, 3);

    g->goal = (struct policy_goal){.service = PICK(dice, small_services),
                                   .argument = "*",
                                   .source = PICK(dice, small_sources),
                                   .target = PICK(dice, small_targets),
                                   .allow = how != 2,
                                   .ask = how != 1};
    if (strcmp(g->goal.service, "*") != 0)
        g->goal.argument = PICK(dice, small_arguments);
    snprintf(g->never, sizeof(g->never), "%s %s %s %s%s\n", g->goal.service, g->goal.argument,
             g->goal.source, g->goal.target, words[how]);
}

static struct policy *load_with(const char *rules, const char *never)
{
    const struct policy_file f[] = {
        {.path = "p/30-user.policy", .content = rules, .len = strlen(rules)},
        {.path = "p/30-user.never", .content = never, .len = strlen(never)}};

    return fixture_load(f, 2);
}

struct pair {
    const struct policy *plain, *never;
    char hit[256];
};

/* Does the never line take something away from this request? */
static bool is_hit(void *data, const struct policy_domains *d, const struct policy_request *q)
{
    struct pair *p = data;
    struct policy_verdict with = {0}, without = {0};
    bool hit;

    assert_int_equal(policy_decide(p->never, d, q, &with), 0);
    hit = with.reason == POLICY_REASON_NEVER;
    if (with.action == POLICY_ASK) {
        assert_int_equal(policy_decide(p->plain, d, q, &without), 0);
        hit = without.n_choices != with.n_choices;
    }
    if (hit)
        snprintf(p->hit, sizeof(p->hit), "%s%s %s %s", q->service, q->argument, q->source,
                 q->target);
    policy_verdict_deinit(&with);
    policy_verdict_deinit(&without);
    return hit;
}

struct shown {
    struct pair *pair;
    size_t n;
};

static bool has_choice(const struct policy_verdict *v, const char *choice)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (strcmp(v->choices[i], choice) == 0)
            return true;
    return false;
}

/* What is shown is what a second decision gives, and what the never line forbids. */
static int on_example(void *data, const struct policy_example *e)
{
    struct shown *s = data;
    struct policy_request q = {
        .service = e->service, .argument = e->argument, .source = e->source, .target = e->target};
    struct policy_verdict v = {0};

    assert_int_equal(policy_decide(s->pair->plain, e->domains, &q, &v), 0);
    assert_int_equal(v.action, e->action);
    assert_int_equal(v.rule, e->rule);
    assert_true(v.action != POLICY_ASK || has_choice(&v, e->final));
    assert_true(is_hit(s->pair, e->domains, &q));
    policy_verdict_deinit(&v);
    s->n++;
    return 0;
}

static void show_world(const struct policy_domains *d)
{
    for (size_t i = 0; i < policy_domains_count(d); i++) {
        const struct policy_domain *x = policy_domains_at(d, i);

        print_message("  %s uuid=%s type=%s template=%d default=%s %s tags=", x->name,
                      x->uuid ? x->uuid : "-", x->type, x->template_for_dispvms,
                      x->default_dispvm ? x->default_dispvm : "-", x->power_state);
        for (size_t k = 0; k < x->n_tags; k++)
            print_message("%s ", x->tags[k]);
        print_message("\n");
    }
}

/* Returns whether the analysis found anything. */
static bool compare(const char *rules, const struct goal_text *g, struct policy_domains **worlds,
                    struct dice *dice)
{
    struct policy *plain = fixture_policy(rules), *never = load_with(rules, g->never);
    struct pair pair = {.plain = plain, .never = never};
    struct shown shown = {.pair = &pair};
    struct policy_violation violation = {0};
    struct policy_closers closers = {0};
    int r;

    assert_int_equal(policy_who_can(plain, NULL, &g->goal, on_example, &shown, &closers), 0);
    r = policy_check_never(never, NULL, &violation);
    assert_int_equal(r, shown.n ? POLICY_E_NEVER : 0);
    for (size_t i = 0; !shown.n && i < WORLDS_EACH; i++) {
        const struct policy_domains *d = worlds[roll(dice, SMALL_WORLDS)];

        if (small_requests(d, is_hit, &pair)) {
            show_world(d);
            fail_msg("not found by the analysis: %s\nrules:\n%swanted:\n%s", pair.hit, rules,
                     g->never);
        }
    }
    policy_violation_deinit(&violation);
    policy_closers_deinit(&closers);
    policy_unref(plain);
    policy_unref(never);
    return shown.n > 0;
}

static void nothing_that_brute_force_finds_is_missed(void **state)
{
    uint64_t seed = small_seed();
    struct dice dice = {seed};
    struct policy_domains **worlds = small_worlds(&dice);
    size_t n = small_count(2000), possible = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char rules[2048];
        struct goal_text g;

        small_policy(&dice, rules, sizeof(rules));
        random_goal(&dice, &g);
        possible += compare(rules, &g, worlds, &dice);
    }
    print_message("%zu policies, %zu possible, %zu impossible\n", n, possible, n - possible);
    /* a test of either answer alone would be none */
    assert_true(n < 100 || (possible > n / 10 && possible < n - n / 10));
    small_worlds_free(worlds);
}

/* Limited to the domains at hand, the answer is exactly what brute force over them gives. */
static void today_is_exact_for_the_view(void **state)
{
    struct dice dice = {small_seed()};
    struct policy_domains **worlds = small_worlds(&dice);
    size_t n = small_count(2000) / 2;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct policy_domains *d = worlds[roll(&dice, SMALL_WORLDS)];
        struct policy *plain, *never;
        struct pair pair;
        struct shown shown = {.pair = &pair};
        struct goal_text g;
        char rules[2048];
        bool brute;

        small_policy(&dice, rules, sizeof(rules));
        random_goal(&dice, &g);
        plain = fixture_policy(rules);
        never = load_with(rules, g.never);
        pair = (struct pair){.plain = plain, .never = never};
        assert_int_equal(policy_who_can(plain, d, &g.goal, on_example, &shown, NULL), 0);
        brute = small_requests(d, is_hit, &pair);
        if (brute != (shown.n > 0)) {
            show_world(d);
            fail_msg("brute force %d (%s), analysis %zu\n%swanted:\n%s", brute, pair.hit, shown.n,
                     rules, g.never);
        }
        policy_unref(plain);
        policy_unref(never);
    }
    small_worlds_free(worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_brute_force_finds_is_missed),
        cmocka_unit_test(today_is_exact_for_the_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
