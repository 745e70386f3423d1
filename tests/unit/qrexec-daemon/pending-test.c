/* Requests that wait: one answer each. */
#include "tests/unit/test.h"

#include "qrexec-daemon/pending.h"

static const unsigned char one[32] = "SOCKET1", two[32] = "SOCKET2", none[32] = "";

static void a_request_is_answered_once(void **state)
{
    struct pending_table t = {.most = 4};
    struct pending p = {.open = false};

    (void)state;
    assert_false(pending_close(&t, &p));
    assert_int_equal(pending_open(&t, &p, one), 0);
    assert_ptr_equal(pending_find(&t, one, NULL), &p);
    assert_null(pending_find(&t, two, NULL));
    assert_true(pending_close(&t, &p));
    assert_false(pending_close(&t, &p));
    assert_null(pending_find(&t, one, NULL));
}

static void an_ident_twice_is_two_requests(void **state)
{
    struct pending_table t = {.most = 4};
    struct pending a, b;

    (void)state;
    assert_int_equal(pending_open(&t, &a, one), 0);
    assert_int_equal(pending_open(&t, &b, one), 0);
    assert_ptr_equal(pending_find(&t, one, NULL), &a);
    assert_ptr_equal(pending_find(&t, one, &a), &b);
    assert_null(pending_find(&t, one, &b));
    assert_true(pending_close(&t, &a));
    assert_ptr_equal(pending_find(&t, one, NULL), &b);
    assert_true(pending_close(&t, &b));
    assert_null(t.first);
    assert_null(t.last);
}

static void an_empty_ident_is_one_too(void **state)
{
    struct pending_table t = {.most = 4};
    struct pending p;

    (void)state;
    assert_int_equal(pending_open(&t, &p, none), 0);
    assert_ptr_equal(pending_find(&t, none, NULL), &p);
    assert_null(pending_find(&t, one, NULL));
    assert_true(pending_close(&t, &p));
}

static void the_limit_is_of_those_that_wait_now(void **state)
{
    struct pending_table t = {.most = 2};
    struct pending p[3];

    (void)state;
    assert_int_equal(pending_open(&t, &p[0], one), 0);
    assert_int_equal(pending_open(&t, &p[1], two), 0);
    assert_int_equal(pending_open(&t, &p[2], none), PENDING_E_FULL);
    for (int i = 0; i < 100000; i++) {
        assert_true(pending_close(&t, &p[0]));
        assert_int_equal(pending_open(&t, &p[0], one), 0);
    }
    assert_true(pending_close(&t, &p[1]));
    assert_int_equal(pending_open(&t, &p[2], none), 0);
    assert_int_equal(t.count, 2);
}

static void any_order_of_answers_leaves_the_rest(void **state)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct pending_table t = {.most = 3};
        struct pending p[3];

        for (int j = 0; j < 3; j++)
            assert_int_equal(pending_open(&t, &p[j], one), 0);
        for (size_t j = 0; j < 3; j++) {
            assert_true(pending_close(&t, &p[orders[i][j]]));
            assert_int_equal(t.count, 2 - j);
        }
        assert_null(pending_find(&t, one, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_once),
        cmocka_unit_test(an_ident_twice_is_two_requests),
        cmocka_unit_test(an_empty_ident_is_one_too),
        cmocka_unit_test(the_limit_is_of_those_that_wait_now),
        cmocka_unit_test(any_order_of_answers_leaves_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
