/*
 * diff against brute force: two policies that decide some request in some small world differently
 * differ by the analysis too, by just those two rules; and wider where b lets more through.
 */
#include "tests/unit/policy-engine/lib/small-worlds.h"

#define WORLDS_EACH 40
#define RULES_MAX   16

struct both {
    const struct policy *a, *b;
    bool found[RULES_MAX][RULES_MAX], wider[RULES_MAX][RULES_MAX]; /* the last is "none" */
    bool exact; /* what is found has to be met by brute force: in the view at hand */
    bool met[RULES_MAX][RULES_MAX];
    char what[2048];
};

static size_t place(uint32_t rule)
{
    return rule == POLICY_NO_RULE ? RULES_MAX - 1 : rule;
}

/* The uuid or name of a target, made the name. */
static const char *normal(const struct policy_domains *d, const char *target, char buf[static 64])
{
    bool disposable = strncmp(target, "@dispvm:", 8) == 0;
    const struct policy_domain *dom = policy_domains_find(d, target + (disposable ? 8 : 0));

    snprintf(buf, 64, "%s%s", disposable ? "@dispvm:" : "",
             dom ? dom->name : target + (disposable ? 8 : 0));
    return buf;
}

static bool is_same(const struct policy_domains *d, const char *a, const char *b)
{
    char x[64], y[64];

    return strcmp(normal(d, a, x), normal(d, b, y)) == 0;
}

/* A relay carries the call on, wherever it ends; and no call to oneself can succeed. */
static void normalise(const struct policy *p, const struct policy_domains *d,
                      struct policy_verdict *v)
{
    struct policy_rule_view rule;

    if (v->action == POLICY_ALLOW && v->service) {
        policy_get_rule(p, v->rule, &rule);
        v->target = rule.redirect ? rule.redirect : v->requested_target;
    }
    if ((v->action == POLICY_ALLOW && is_same(d, v->target, v->source)) ||
        (v->action == POLICY_ASK && v->n_choices == 1 && is_same(d, v->choices[0], v->source)))
        v->action = POLICY_DENY;
}

static void decide_both(const struct both *x, const struct policy_domains *d,
                        const struct policy_request *q, struct policy_verdict *a,
                        struct policy_verdict *b)
{
    assert_int_equal(policy_decide(x->a, d, q, a), 0);
    assert_int_equal(policy_decide(x->b, d, q, b), 0);
    normalise(x->a, d, a);
    normalise(x->b, d, b);
}

static bool offers(const struct policy_domains *d, const struct policy_verdict *v,
                   const char *target)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (is_same(d, v->choices[i], target))
            return true;
    return v->action == POLICY_ALLOW && is_same(d, v->target, target);
}

/* b lets through what a does not; asking is less than allowing. */
static bool is_wider(const struct policy_domains *d, const struct policy_verdict *a,
                     const struct policy_verdict *b)
{
    bool wider = false;

    if (b->action == POLICY_DENY)
        return false;
    if (a->action == POLICY_DENY || (b->action == POLICY_ALLOW && a->action == POLICY_ASK) ||
        (b->autostart && !a->autostart))
        return true;
    if (b->action == POLICY_ALLOW)
        return !is_same(d, a->target, b->target);
    for (size_t i = 0; i < b->n_choices; i++)
        wider |= !offers(d, a, b->choices[i]);
    return wider;
}

static bool compare(void *data, const struct policy_domains *d, const struct policy_request *q)
{
    struct both *x = data;
    struct policy_verdict a = {0}, b = {0};
    bool missed = false, wider, differs;

    decide_both(x, d, q, &a, &b);
    wider = is_wider(d, &a, &b);
    differs = wider || is_wider(d, &b, &a) || a.action != b.action;
    if (differs)
        x->met[place(a.rule)][place(b.rule)] = true;
    if (differs && !x->found[place(a.rule)][place(b.rule)])
        missed = true;
    if (wider && !x->wider[place(a.rule)][place(b.rule)])
        missed = true;
    if (missed)
        snprintf(x->what, sizeof(x->what), "%s%s from %s to %s, %s%s: rules %d and %d", q->service,
                 q->argument, q->source, q->target, wider ? "wider " : "", verdict_text(&b),
                 (int)a.rule, (int)b.rule);
    policy_verdict_deinit(&a);
    policy_verdict_deinit(&b);
    return missed;
}

/* What is shown is so. */
static int on_difference(void *data, const struct policy_difference *d)
{
    struct both *x = data;
    struct policy_request q = {
        .service = d->service, .argument = d->argument, .source = d->source, .target = d->target};
    struct policy_verdict a = {0}, b = {0};

    decide_both(x, d->domains, &q, &a, &b);
    assert_int_equal(a.rule, d->rule_a);
    assert_int_equal(b.rule, d->rule_b);
    assert_int_equal(is_wider(d->domains, &a, &b), d->wider);
    assert_true(d->wider || is_wider(d->domains, &b, &a) || a.action != b.action);
    assert_false(x->found[place(a.rule)][place(b.rule)]); /* each pair once */
    x->found[place(a.rule)][place(b.rule)] = true;
    x->wider[place(a.rule)][place(b.rule)] = d->wider;
    policy_verdict_deinit(&a);
    policy_verdict_deinit(&b);
    return 0;
}

/* A line less, a line more, two lines swapped, or something else altogether. */
static void change(struct dice *dice, const char *from, char *to, size_t size)
{
    char lines[RULES_MAX][256];
    size_t n = 0, used = 0, at;

    for (const char *p = from; *p; p = strchr(p, '\n') + 1, n++)
        snprintf(lines[n], sizeof(lines[n]), "%.*s\n", (int)strcspn(p, "\n"), p);
    at = roll(dice, n);
    switch (roll(dice, 4)) {
    case 0: lines[at][0] = 0; break;
    case 1: small_line(dice, lines[n++], sizeof(lines[0])); break;
    case 2: small_line(dice, lines[at], sizeof(lines[0])); break;
    default: {
        char kept[256];

        memcpy(kept, lines[0], sizeof(kept));
        memcpy(lines[0], lines[at], sizeof(kept));
        memcpy(lines[at], kept, sizeof(kept));
    }
    }
    to[0] = 0;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(to + used, size - used, "%s", lines[i]);
}

static size_t run(struct dice *dice, struct policy_domains **worlds, bool today)
{
    const struct policy_domains *view = today ? worlds[roll(dice, SMALL_WORLDS)] : NULL;
    struct both x = {0};
    char rules[2048], other[2048];
    struct policy *a, *b;
    size_t differ = 0;

    small_policy(dice, rules, sizeof(rules));
    change(dice, rules, other, sizeof(other));
    if (roll(dice, 4) == 0)
        small_policy(dice, other, sizeof(other));
    x.a = a = fixture_policy(rules);
    x.b = b = fixture_policy(other);
    assert_int_equal(policy_diff(a, b, view, false, on_difference, &x), 0);
    for (size_t w = 0; w < (today ? 1 : WORLDS_EACH); w++)
        if (small_requests(today ? view : worlds[roll(dice, SMALL_WORLDS)], compare, &x))
            fail_msg("not found: %s\na:\n%sb:\n%s", x.what, rules, other);
    for (size_t i = 0; i < RULES_MAX * RULES_MAX; i++) {
        differ += x.found[i / RULES_MAX][i % RULES_MAX];
        if (today && x.found[i / RULES_MAX][i % RULES_MAX])
            assert_true(x.met[i / RULES_MAX][i % RULES_MAX]);
    }
    policy_unref(a);
    policy_unref(b);
    return differ;
}

static void a_difference_in_some_world_is_found(void **state)
{
    struct dice dice = {small_seed()};
    struct policy_domains **worlds = small_worlds(&dice);
    size_t n = small_count(1000), some = 0;

    (void)state;
    for (size_t i = 0; i < n; i++)
        some += run(&dice, worlds, false) > 0;
    print_message("%zu pairs of policies, %zu differ\n", n, some);
    assert_true(some > n / 10);
    small_worlds_free(worlds);
}

static void today_is_exact_for_the_view(void **state)
{
    struct dice dice = {small_seed()};
    struct policy_domains **worlds = small_worlds(&dice);
    size_t n = small_count(1000);

    (void)state;
    for (size_t i = 0; i < n; i++)
        run(&dice, worlds, true);
    small_worlds_free(worlds);
}

static void a_policy_does_not_differ_from_itself(void **state)
{
    struct dice dice = {small_seed()};

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        struct both x = {0};
        struct policy *a, *b;
        char rules[2048];

        small_policy(&dice, rules, sizeof(rules));
        x.a = a = fixture_policy(rules);
        x.b = b = fixture_policy(rules);
        assert_int_equal(policy_diff(a, b, NULL, false, on_difference, &x), 0);
        for (size_t k = 0; k < RULES_MAX * RULES_MAX; k++)
            assert_false(x.found[k / RULES_MAX][k % RULES_MAX]);
        policy_unref(a);
        policy_unref(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_difference_in_some_world_is_found),
        cmocka_unit_test(today_is_exact_for_the_view),
        cmocka_unit_test(a_policy_does_not_differ_from_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
