/* All calls of today's domains, and where two policies differ on them. */
#include "policy-engine/verdict-compare.h"

#include "policy-engine/sweep.h"
#include "tests/unit/policy-engine/lib/fixture.h"

/* ---- Sweep ---- */

static void calls_are_those_that_rules_name_each_once(void **state)
{
    struct policy *p = fixture_policy("b.B * work mail deny\na.B +y work mail deny\n"
                                      "a.B + work mail deny\na.B * work mail deny\n"
                                      "a.B ~z work mail deny\n* * work mail deny\n");
    static const char *const expected[][2] = {
        {"*", "+"}, {"a.B", "+"}, {"a.B", "+y"}, {"b.B", "+"}};
    struct sweep s = {0};

    (void)state;
    assert_int_equal(sweep_add_rules(&s, p), 0);
    sweep_sort(&s);
    assert_int_equal(s.n_calls, ARRAY_SIZE(expected));
    assert_int_equal(s.n_regex, 1);
    for (size_t i = 0; i < s.n_calls; i++) {
        assert_string_equal(s.calls[i].service, expected[i][0]);
        assert_string_equal(s.calls[i].argument, expected[i][1]);
    }
    sweep_deinit(&s);
    policy_unref(p);
}

static void targets_are_domains_and_what_stands_for_disposables(void **state)
{
    static const char *const expected[] = {
        "dom0",    "work",  "mail", "vault",   "dvm",         "plain-dvm",
        "hidden",  "relay", "far",  "@dispvm", "@dispvm:dvm", "@dispvm:plain-dvm",
        "@default"};
    struct policy_domains *d = fixture_domains();
    struct sweep s = {0};

    (void)state;
    assert_int_equal(sweep_set_targets(&s, d), 0);
    assert_int_equal(s.n_targets, ARRAY_SIZE(expected));
    for (size_t i = 0; i < s.n_targets; i++)
        assert_string_equal(s.targets[i], expected[i]);
    sweep_deinit(&s);
    policy_domains_unref(d);
}

static void any_service_is_asked_for_as_one_that_no_rule_names(void **state)
{
    struct policy_request q = sweep_request(&(struct sweep_call){"*", "+"}, "work", "mail");

    (void)state;
    assert_string_not_equal(q.service, "*");
    q = sweep_request(&(struct sweep_call){"a.B", "+x"}, "work", "mail");
    assert_string_equal(q.service, "a.B");
    assert_string_equal(q.argument, "+x");
    assert_string_equal(q.source, "work");
    assert_string_equal(q.target, "mail");
}

/* ---- Comparing ---- */

struct seen {
    size_t n;
    char last[256]; /* "SERVICE+ARG SOURCE TARGET" */
};

static void see(void *user, const struct policy_request *q, const struct policy_verdict *was,
                const struct policy_verdict *is)
{
    struct seen *seen = user;

    assert_false(verdicts_equal(was, is));
    seen->n++;
    assert_int_equal(format(seen->last, sizeof(seen->last), "%s%s %s %s", q->service, q->argument,
                            q->source, q->target),
                     0);
}

static struct seen compare(const char *a, const char *b)
{
    struct policy *p = fixture_policy(a), *q = fixture_policy(b);
    struct policy_domains *d = fixture_domains();
    struct seen seen = {0};

    assert_int_equal(policies_compare(p, q, d, see, &seen), 0);
    policy_domains_unref(d);
    policy_unref(p);
    policy_unref(q);
    return seen;
}

static void a_policy_does_not_differ_from_itself(void **state)
{
    static const char text[] = "a.B * @anyvm @anyvm ask default_target=mail\n* * * * allow\n";

    (void)state;
    assert_int_equal(compare(text, text).n, 0);
    assert_int_equal(compare("", "").n, 0);
    /* other lines, the same verdicts */
    assert_int_equal(
        compare("# x\na.B * work mail allow\na.B * work mail deny\n", "a.B * work mail allow\n").n,
        0);
}

static void each_part_of_a_verdict_counts(void **state)
{
    static const char rule[] = "a.B + work mail allow\n";
    static const char *const others[] = {
        "",
        "a.B + work mail deny\n",
        "a.B + work mail ask\n",
        "a.B + work mail allow user=joe\n",
        "a.B + work mail allow notify=yes\n",
        "a.B + work mail allow autostart=no\n",
        "a.B + work mail allow target=relay\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct seen seen = compare(rule, others[i]);

        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.last, "a.B+ work mail");
    }
    assert_int_equal(compare("a.B + work mail deny\n", "a.B + work mail deny notify=no\n").n, 1);
    assert_int_equal(compare("a.B + work mail deny\n", "").n, 1); /* another reason */
}

static void choices_and_the_default_count(void **state)
{
    static const char ask[] = "a.B + work mail ask\n";

    (void)state;
    assert_int_equal(compare(ask, "a.B + work mail ask default_target=mail\n").n, 1);
    /* relay is offered besides, and may be called itself */
    assert_int_equal(compare(ask, "a.B + work mail ask\na.B + work relay ask\n").n, 2);
}

static void arguments_and_services_that_no_rule_names_are_tried(void **state)
{
    struct seen seen =
        compare("a.B + work mail allow\n", "a.B + work mail allow\na.B * work mail allow\n");

    (void)state;
    assert_int_equal(seen.n, 1);
    assert_non_null(strstr(seen.last, "a.B+an-argument"));
    seen = compare("a.B * work mail deny\n", "a.B * work mail deny\n* * work mail allow\n");
    assert_true(seen.n > 0);
    assert_null(strstr(seen.last, "a.B"));
}

static void print(void *user, const struct policy_request *q, const struct policy_verdict *was,
                  const struct policy_verdict *is)
{
    difference_print(user, q, was, is);
}

static void a_difference_is_told_in_a_line(void **state)
{
    struct policy *a = fixture_policy("a.B + work mail allow\na.B + work vault deny\n");
    struct policy *b = fixture_policy("a.B + work mail ask default_target=mail\n"
                                      "a.B + work vault allow user=joe target=relay\n");
    struct policy_domains *d = fixture_domains();
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_non_null(f);
    assert_int_equal(policies_compare(a, b, d, print, f), 0);
    fclose(f);
    assert_string_equal(text,
                        "a.B+ work mail: was allow to mail as DEFAULT - would be ask mail! relay\n"
                        "a.B+ work vault: was deny (policy) - would be allow to relay as joe\n");
    free(text);
    policy_domains_unref(d);
    policy_unref(a);
    policy_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_those_that_rules_name_each_once),
        cmocka_unit_test(targets_are_domains_and_what_stands_for_disposables),
        cmocka_unit_test(any_service_is_asked_for_as_one_that_no_rule_names),
        cmocka_unit_test(a_policy_does_not_differ_from_itself),
        cmocka_unit_test(each_part_of_a_verdict_counts),
        cmocka_unit_test(choices_and_the_default_count),
        cmocka_unit_test(a_difference_is_told_in_a_line),
        cmocka_unit_test(arguments_and_services_that_no_rule_names_are_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
