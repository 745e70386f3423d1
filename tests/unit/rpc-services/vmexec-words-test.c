/* The argument of qubes.VMExec as words, and back. */
#include "tests/unit/test.h"

#include "rpc-services/vmexec-words.h"

static void assert_words(const char *text, const char *const *expected)
{
    _cleanup_(freep) char *bytes = NULL;
    _cleanup_(freep) char **words = NULL;
    size_t i;

    assert_int_equal(vmexec_words(text, &bytes, &words), 0);
    for (i = 0; expected[i]; i++) {
        assert_non_null(words[i]);
        assert_string_equal(words[i], expected[i]);
    }
    assert_null(words[i]);
}

static void words_of_the_example(void **state)
{
    (void)state;
    assert_words("ls+--a+-2Fhome", (const char *const[]){"ls", "-a", "/home", NULL});
}

static void empty_words_are_empty_arguments(void **state)
{
    (void)state;
    assert_words("a++b+", (const char *const[]){"a", "", "b", "", NULL});
    assert_words("+", (const char *const[]){"", "", NULL});
    assert_words("----", (const char *const[]){"--", NULL});
}

static void every_byte_but_nul_can_be_said(void **state)
{
    char text[4], expected[2] = "";

    (void)state;
    for (int c = 1; c < 256; c++) {
        snprintf(text, sizeof(text), "-%02X", (unsigned)c);
        expected[0] = (char)c;
        assert_words(text, (const char *const[]){expected, NULL});
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {"-",     "a-",  "-2",   "-2f", "-g0", "a b", "a/b", "-00",
                                      "a+-+b", "-+-", "\x80", "---", "@",   "-2G", "-F",  "a'b"};
    char *bytes = NULL, **words = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (vmexec_words(bad[i], &bytes, &words) != -EINVAL || bytes || words)
            fail_msg("taken: %s", bad[i]);
}

static void each_lone_byte_is_judged(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        _cleanup_(freep) char *bytes = NULL;
        _cleanup_(freep) char **words = NULL;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '_' || c == '+';

        assert_int_equal(vmexec_words((const char[]){'x', (char)c, 0}, &bytes, &words),
                         plain ? 0 : -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_example),
        cmocka_unit_test(empty_words_are_empty_arguments),
        cmocka_unit_test(every_byte_but_nul_can_be_said),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(each_lone_byte_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
