/* Headers, names and links of the file copy stream. */
#include "tests/unit/test.h"

#include "rpc-services/filecopy.h"

static void header_is_little_endian_and_comes_back(void **state)
{
    static const unsigned char bytes[FILECOPY_HEADER] = {
        0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23,
        0x24, 0x25, 0x26, 0x27, 0x28, 0x31, 0x32, 0x33, 0x34, 0x41, 0x42,
        0x43, 0x44, 0x51, 0x52, 0x53, 0x54, 0x61, 0x62, 0x63, 0xf4};
    unsigned char back[FILECOPY_HEADER];
    struct filecopy_header h;

    (void)state;
    filecopy_get_header(bytes, &h);
    assert_int_equal(h.namelen, 0x04030201);
    assert_int_equal(h.mode, 0x14131211);
    assert_true(h.filelen == 0x2827262524232221);
    assert_int_equal(h.atime, 0x34333231);
    assert_int_equal(h.atime_nsec, 0x44434241);
    assert_int_equal(h.mtime, 0x54535251);
    assert_int_equal(h.mtime_nsec, 0xf4636261);
    filecopy_put_header(back, &h);
    assert_memory_equal(back, bytes, sizeof(bytes));
}

static void crc_is_zlibs_and_goes_on(void **state)
{
    (void)state;
    assert_int_equal(filecopy_crc(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(filecopy_crc(filecopy_crc(0, "1234", 4), "56789", 5), 0xcbf43926);
    assert_int_equal(filecopy_crc(0, "", 0), 0);
}

static void names_are_relative_paths_of_real_components(void **state)
{
    static const char *const good[] = {"a",  "a/b",  ".a", "..a",  "...",   "a..",  "a b",
                                       "-a", "a/.b", "~",  "a\\b", "\"a\"", "a/..."};
    static const char *const bad[] = {"",    "/",    "/a",  "a/",   "a//b",  ".",      "..",
                                      "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "//"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (filecopy_check_name(good[i], false) || filecopy_check_name(good[i], true))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (filecopy_check_name(bad[i], false) != EILSEQ ||
            filecopy_check_name(bad[i], true) != EILSEQ)
            fail_msg("taken: %s", bad[i]);
}

static void each_byte_of_a_name_is_judged(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char name[] = {'a', (char)c, 'b', 0};

        if (c == '/')
            continue;
        assert_int_equal(filecopy_check_name(name, true), 0);
        /* a lone byte from 0x80 up is no UTF-8 */
        assert_int_equal(filecopy_check_name(name, false), c >= 0x20 && c <= 0x7e ? 0 : EILSEQ);
    }
}

static void scripts_that_can_be_read_are_safe(void **state)
{
    static const char *const good[] = {
        "\u00e9t\u00e9",                        /* Latin */
        "\u0391\u03b8\u03ae\u03bd\u03b1",       /* Greek */
        "\u041c\u043e\u0441\u043a\u0432\u0430", /* Cyrillic */
        "\u2801\u2813",                         /* Braille */
        "\u6f22\u5b57",                         /* Han */
        "\u3072\u3089\u30ab\u30bf",             /* kana */
        "\ud55c\uad6d",                         /* Hangul */
        "10\u20ac",                             /* currency */
        "a\u2260b\u2211",                       /* mathematics */
        "\u201equote\u201c \u2013",             /* punctuation */
    };
    static const char *const bad[] = {
        "e\u0301",          /* combining */
        "\u05d0",           /* Hebrew */
        "\u0627",           /* Arabic */
        "\u0663",           /* an Arabic digit */
        "\U0001f600",       /* emoji */
        "a\u00a0b",         /* no-break space */
        "a\u2003b",         /* em space */
        "a\u3000b",         /* ideographic space */
        "a\u200bb",         /* zero width space */
        "a\u202eb",         /* right-to-left override */
        "a\u2066b",         /* isolate */
        "a\ufeffb",         /* byte order mark */
        "a\u00adb",         /* soft hyphen */
        "a\xc2\x85z",       /* control */
        "a\u2028b",         /* line separator */
        "\ue000",           /* private use */
        "\U000e0041",       /* tag */
        "\u0378",           /* not assigned */
        "\u0915",           /* Devanagari */
        "\ufffd",           /* replacement character, a symbol */
        "\xc0\xaf",         /* overlong slash */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* over U+10FFFF */
        "\xe2\x82",         /* cut */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (filecopy_check_name(good[i], false))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (filecopy_check_name(bad[i], false) != EILSEQ || filecopy_check_name(bad[i], true))
            fail_msg("number %zu is judged wrongly: %s", i, bad[i]);
}

static void links_stay_in_their_top_directory(void **state)
{
    static const struct {
        const char *name, *target;
        int expected;
    } cases[] = {
        {"l", "a", ENOLINK}, /* none directly in the top */
        {"d/l", "a", 0},
        {"d/l", "a/b/c", 0},
        {"d/l", ".", 0},
        {"d/l", "./a//b/", 0},
        {"d/l", "..", ENOLINK},
        {"d/l", "../a", ENOLINK},
        {"d/l", "./../a", ENOLINK},
        {"d/l", "...", 0},
        {"d/l", "..a/b", 0},
        {"d/l", "/", ENOLINK},
        {"d/l", "/d/a", ENOLINK},
        {"d/e/l", "../a", 0},
        {"d/e/l", "..", 0},
        {"d/e/l", "../", 0},
        {"d/e/l", "../../a", ENOLINK},
        {"d/e/l", "..//./../a", ENOLINK},
        {"d/e/l", "a/..", ENOLINK},
        {"d/e/l", "../a/../b", ENOLINK},
        {"d/e/f/l", "../../a", 0},
        {"d/e/f/l", "./.././../a", 0},
        {"d/e/f/l", "../../../a", ENOLINK},
        {"d/l", "", ENOENT},
        {"l", "", ENOENT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (filecopy_check_link(cases[i].name, cases[i].target) != cases[i].expected)
            fail_msg("%s -> %s", cases[i].name, cases[i].target);
}

static void what_is_shown_has_no_byte_that_could_steer_a_terminal(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        bool kept = c >= 0x20 && c <= 0x7e && c != '"';

        filecopy_clean(text, sizeof(text));
        assert_int_equal((unsigned char)text[1], kept ? c : '_');
        assert_true(text[0] == 'a' && text[2] == 'b');
    }
}

static void every_error_of_an_answer_has_its_text(void **state)
{
    static const uint32_t errors[] = {2, 17, 20, 22, 28, 36, 67, 84, 121, 122, 31415926};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        for (size_t j = 0; j < i; j++) /* but a stream may end early in two ways */
            if (!(errors[i] == FILECOPY_E_CUT && errors[j] == 121))
                assert_string_not_equal(filecopy_error_text(errors[i]),
                                        filecopy_error_text(errors[j]));
    assert_non_null(filecopy_error_text(0xffffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_little_endian_and_comes_back),
        cmocka_unit_test(crc_is_zlibs_and_goes_on),
        cmocka_unit_test(names_are_relative_paths_of_real_components),
        cmocka_unit_test(each_byte_of_a_name_is_judged),
        cmocka_unit_test(scripts_that_can_be_read_are_safe),
        cmocka_unit_test(links_stay_in_their_top_directory),
        cmocka_unit_test(every_error_of_an_answer_has_its_text),
        cmocka_unit_test(what_is_shown_has_no_byte_that_could_steer_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
