#include "tests/unit/test.h"

#include "libqrexec/base/log.h"

static void numbers_have_one_spelling(void **state)
{
    static const char *const bad[] = {"",   "-1",  "+1",  " 1",         "1 ",
                                      "01", "0x1", "1e3", "4294967296", "11"};
    uint32_t v = 99;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse_u32(bad[i], 10, &v), -EINVAL);
    assert_int_equal(v, 99);
    assert_int_equal(parse_u32("0", 10, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(parse_u32("4294967295", UINT32_MAX, &v), 0);
    assert_int_equal(v, UINT32_MAX);
}

static void a_text_that_does_not_fit_is_said(void **state)
{
    char b[4];

    (void)state;
    assert_int_equal(format(b, sizeof(b), "%s", "abc"), 0);
    assert_int_equal(format(b, sizeof(b), "%s", "abcd"), -ENAMETOOLONG);
}

static void sums_that_overflow_are_refused(void **state)
{
    size_t v = 5;

    (void)state;
    assert_false(size_add(SIZE_MAX, 1, &v));
    assert_false(size_mul(SIZE_MAX, 2, &v));
    assert_int_equal(v, 5);
    assert_true(size_add(1, 2, &v));
    assert_int_equal(v, 3);
}

static void no_control_byte_reaches_a_log(void **state)
{
    char got[128] = "";
    int fds[2], saved = dup(2);

    (void)state;
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], 2);
    log_open("test", LOG_TARGET_STDERR);
    log_error("a\x1b[2J\nb%s", "\xff");
    dup2(saved, 2);
    close(fds[1]);
    assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
    assert_string_equal(got, "test: a\\x1b[2J\\x0ab\\xff\n");
    close(fds[0]);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(a_text_that_does_not_fit_is_said),
        cmocka_unit_test(sums_that_overflow_are_refused),
        cmocka_unit_test(no_control_byte_reaches_a_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
