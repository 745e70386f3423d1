/* Lines and words of policy files. */
#include "policy-engine/lib/lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_line_ends_at_lf_crlf_or_cr(void **state)
{
    struct span text = SPAN("a\nb\r\nc\rd\n\n\re"), line;
    static const char *const expected[] = {"a", "b", "c", "d", "", "", "e"};

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        assert_true(line_next(&text, &line));
        assert_true(span_equal(line, span_of(expected[i])));
    }
    assert_false(line_next(&text, &line));
}

static void words_are_parted_by_every_blank(void **state)
{
    static const char *const blanks[] = {" ",
                                         "\t",
                                         "\v",
                                         "\f",
                                         "\x1c",
                                         "\x1d",
                                         "\x1e",
                                         "\x1f",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xa9",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
        struct text t = {0};
        struct span line, word;

        text_addf(&t, "%sone%s%stwo%s", blanks[i], blanks[i], blanks[i], blanks[i]);
        line = (struct span){t.data, t.len};
        assert_null(line_bad_bytes(line));
        assert_true(word_next(&line, &word));
        assert_true(span_equal(word, SPAN("one")));
        assert_true(word_next(&line, &word));
        assert_true(span_equal(word, SPAN("two")));
        assert_false(word_next(&line, &word));
        text_deinit(&t);
    }
}

static void what_looks_like_a_blank_but_is_none_stays_in_the_word(void **state)
{
    /* zero width space, byte order mark, Mongolian vowel separator */
    static const char *const words[] = {"a\xe2\x80\x8b"
                                        "b",
                                        "\xef\xbb\xbf"
                                        "ab",
                                        "a\xe1\xa0\x8e"
                                        "b"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct span line = span_of(words[i]), word;

        assert_true(word_next(&line, &word));
        assert_int_equal(word.len, strlen(words[i]));
    }
}

static void bytes_that_are_no_utf8_are_named(void **state)
{
    static const char *const bad[] = {"\xff",
                                      "a\x80",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xf0\x9f\x98"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(line_bad_bytes(span_of(bad[i])));
    assert_non_null(line_bad_bytes(SPAN("a\0b")));
    assert_null(line_bad_bytes(SPAN("\xc3\xa4 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf")));
}

static void only_a_blank_or_comment_line_is_empty(void **state)
{
    (void)state;
    assert_int_equal(line_first(SPAN("")), '\0');
    assert_int_equal(line_first(SPAN(" \t\xc2\xa0")), '\0');
    assert_int_equal(line_first(SPAN("  # x")), '\0');
    assert_int_equal(line_first(SPAN("\t x # y")), 'x');
    assert_int_equal(line_first(SPAN("\xef\xbb\xbf# a byte order mark is a word")), '\xef');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_at_lf_crlf_or_cr),
        cmocka_unit_test(words_are_parted_by_every_blank),
        cmocka_unit_test(what_looks_like_a_blank_but_is_none_stays_in_the_word),
        cmocka_unit_test(bytes_that_are_no_utf8_are_named),
        cmocka_unit_test(only_a_blank_or_comment_line_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
