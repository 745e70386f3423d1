/* Which notices are shown, and what is told of the others. */
#include "policy-engine/prompt/notices.h"

#include "tests/unit/test.h"

struct told {
    char lines[1000];
    size_t n;
};

static void on_more(void *user, const char *source, const char *service, size_t more)
{
    struct told *t = user;
    size_t used = strlen(t->lines);

    t->n++;
    if (used < sizeof(t->lines) - 100)
        assert_int_equal(format(t->lines + used, sizeof(t->lines) - used, "%s %s %zu;", source,
                                service ? service : "*", more),
                         0);
}

static void one_a_source_and_service_a_minute(void **state)
{
    struct notices n = {0};
    struct told t = {0};

    (void)state;
    assert_true(notices_add(&n, "mail", "a.B", 100));
    assert_false(notices_add(&n, "mail", "a.B", 100));
    assert_false(notices_add(&n, "mail", "a.B", 100 + NOTICES_MS - 1));
    assert_true(notices_add(&n, "mail", "a.C", 100));
    assert_true(notices_add(&n, "work", "a.B", 100));
    notices_expire(&n, 100 + NOTICES_MS, on_more, &t);
    assert_string_equal(t.lines, "mail a.B 2;");
    assert_true(notices_add(&n, "mail", "a.B", 100 + NOTICES_MS));
    notices_deinit(&n);
}

static void what_came_once_is_not_told_again(void **state)
{
    struct notices n = {0};
    struct told t = {0};

    (void)state;
    assert_true(notices_add(&n, "mail", "a.B", 1));
    notices_expire(&n, 1 + NOTICES_MS, on_more, &t);
    assert_int_equal(t.n, 0);
    assert_int_equal(n.n, 0);
    assert_null(n.first);
}

static void it_says_when_the_next_minute_is_over(void **state)
{
    struct notices n = {0};
    struct told t = {0};

    (void)state;
    assert_int_equal(notices_next(&n), 0);
    notices_add(&n, "mail", "a.B", 50);
    notices_add(&n, "work", "a.B", 20);
    assert_int_equal(notices_next(&n), 20 + NOTICES_MS);
    notices_expire(&n, 20 + NOTICES_MS, on_more, &t);
    assert_int_equal(notices_next(&n), 50 + NOTICES_MS);
    notices_deinit(&n);
    assert_int_equal(notices_next(&n), 0);
}

/* Late, as after a machine's sleep: what came meanwhile is counted, not lost. */
static void a_late_end_of_the_minute_counts_on(void **state)
{
    struct notices n = {0};
    struct told t = {0};

    (void)state;
    notices_add(&n, "mail", "a.B", 0);
    assert_false(notices_add(&n, "mail", "a.B", 2 * NOTICES_MS));
    notices_expire(&n, 2 * NOTICES_MS, on_more, &t);
    assert_string_equal(t.lines, "mail a.B 1;");
}

static void a_source_with_many_services_gets_few_lines(void **state)
{
    struct notices n = {0};
    struct told t = {0};
    size_t shown = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        char service[16];

        assert_int_equal(format(service, sizeof(service), "a.%u", i), 0);
        shown += notices_add(&n, "flood", service, i);
    }
    assert_int_equal(shown, NOTICES_SERVICES + 1);
    assert_true(notices_add(&n, "mail", "a.B", 10)); /* others are not concerned */
    notices_expire(&n, 2 * NOTICES_MS, on_more, &t);
    assert_string_equal(t.lines, "flood * 995;");
}

static void there_is_a_bound_to_all(void **state)
{
    struct notices n = {0};
    struct told t = {0};
    size_t shown = 0;

    (void)state;
    for (uint32_t i = 0; i < 2 * NOTICES_MOST; i++) {
        char source[16];

        assert_int_equal(format(source, sizeof(source), "d%u", i), 0);
        shown += notices_add(&n, source, "a.B", 1);
    }
    assert_int_equal(shown, NOTICES_MOST);
    assert_int_equal(n.n, NOTICES_MOST);
    notices_expire(&n, 1 + NOTICES_MS, on_more, &t);
    assert_int_equal(n.n, 0);
    assert_true(notices_add(&n, "d1000", "a.B", 2));
    notices_deinit(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_a_source_and_service_a_minute),
        cmocka_unit_test(what_came_once_is_not_told_again),
        cmocka_unit_test(it_says_when_the_next_minute_is_over),
        cmocka_unit_test(a_late_end_of_the_minute_counts_on),
        cmocka_unit_test(a_source_with_many_services_gets_few_lines),
        cmocka_unit_test(there_is_a_bound_to_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
