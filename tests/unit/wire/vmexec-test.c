#include "tests/unit/test.h"

#include "libqrexec/wire/vmexec.h"

static void words_are_encoded_as_the_example(void **state)
{
    const char *const argv[] = {"ls", "-a", "/home"}, *const odd[] = {"", "a+b", "\xff-", ""};
    char buf[100];
    struct wire_writer w = wire_writer(buf, sizeof(buf));

    (void)state;
    assert_int_equal(vmexec_encode(&w, argv, 3), 0);
    buf[w.len] = 0;
    assert_string_equal(buf, "ls+--a+-2Fhome");
    w.len = 0;
    assert_int_equal(vmexec_encode(&w, odd, 4), 0);
    buf[w.len] = 0;
    assert_string_equal(buf, "+a-2Bb+-FF--+");
    assert_int_equal(vmexec_encode(&w, argv, 0), WIRE_E_MISSING);
    w = wire_writer(buf, 5);
    assert_int_equal(vmexec_encode(&w, argv, 3), WIRE_E_SPACE);
    assert_int_equal(w.len, 0);
}

static void every_byte_comes_back(void **state)
{
    char all[256], code[1024], back[300];
    const char *argv[2] = {all, "x"};
    struct wire_writer w = wire_writer(code, sizeof(code)), d = wire_writer(back, sizeof(back));
    size_t words;

    (void)state;
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = 0;
    assert_int_equal(vmexec_encode(&w, argv, 2), 0);
    for (size_t i = 0; i < w.len; i++)
        assert_true(wire_char_allowed(WIRE_CHARS_SERVICE, code[i]));
    assert_int_equal(vmexec_decode(&d, (struct wire_text){code, w.len}, &words), 0);
    assert_int_equal(words, 2);
    assert_string_equal(back, all);
    assert_string_equal(back + 256, "x");
    assert_int_equal(d.len, 258);
}

static void what_is_not_well_formed_is_refused(void **state)
{
    static const char *const bad[] = {"-",   "a-",    "-2",  "-2f",  "-g0", "a b", "a/b",
                                      "-00", "a+-+b", "-+-", "\x80", "---", "@"};
    char buf[100];
    size_t words = 9;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct wire_writer w = wire_writer(buf, sizeof(buf));

        if (vmexec_decode(&w, wire_text(bad[i]), &words) != WIRE_E_VALUE)
            fail_msg("\"%s\"", bad[i]);
    }
    assert_int_equal(words, 9);
}

static void empty_words_are_empty_arguments(void **state)
{
    char buf[100];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    size_t words;

    (void)state;
    assert_int_equal(vmexec_decode(&w, wire_text("a++"), &words), 0);
    assert_int_equal(words, 3);
    assert_int_equal(w.len, 4);
    assert_memory_equal(buf, "a\0\0\0", 4);
    w = wire_writer(buf, 3);
    assert_int_equal(vmexec_decode(&w, wire_text("a++"), &words), WIRE_E_SPACE);
}

static void the_filter_knows_each_byte(void **state)
{
    unsigned char all[256];

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    wire_filter_unsafe(all, sizeof(all));
    for (int i = 0; i < 256; i++) {
        bool safe = (i >= 0x20 && i < 0x7f) || (i && strchr("\t\n\r\b\a", i));

        assert_int_equal(all[i], safe ? i : '_');
    }
}

static void texts_are_split_and_copied(void **state)
{
    struct wire_text rest = wire_text("a,,b"), t;
    char buf[4];

    (void)state;
    assert_true(wire_text_split(&rest, ',', &t) && wire_text_is(t, "a"));
    assert_true(wire_text_split(&rest, ',', &t) && wire_text_is(t, ""));
    assert_false(wire_text_split(&rest, ',', &t));
    assert_true(wire_text_is(rest, "b"));
    assert_false(wire_text_is(WIRE_TEXT_NULL, ""));
    assert_true(wire_text_copy(wire_text("abc"), buf, sizeof(buf)));
    assert_string_equal(buf, "abc");
    assert_false(wire_text_copy(wire_text("abcd"), buf, sizeof(buf)));
    assert_false(wire_text_copy((struct wire_text){"a\0b", 3}, buf, sizeof(buf)));
    assert_true(wire_text_copy(WIRE_TEXT_NULL, buf, sizeof(buf)));
    assert_string_equal(buf, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_encoded_as_the_example),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(what_is_not_well_formed_is_refused),
        cmocka_unit_test(empty_words_are_empty_arguments),
        cmocka_unit_test(the_filter_knows_each_byte),
        cmocka_unit_test(texts_are_split_and_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
