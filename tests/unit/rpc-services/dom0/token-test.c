/* Tokens: the digest's form, and which words are tokens. */
#include "rpc-services/dom0/token.h"
#include "tests/unit/test.h"

#define DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void a_token_is_the_sha256_of_the_whole_file(void **state)
{
    char t[TOKEN_SIZE];

    (void)state;
    token_make("", 0, t);
    assert_string_equal(t, "sha256:" DIGEST);
    token_make(NULL, 0, t);
    assert_string_equal(t, "sha256:" DIGEST);
    token_make("abc", 3, t);
    assert_string_equal(t, "sha256:"
                           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    token_make("abc\0x", 5, t);
    assert_string_not_equal(t, "sha256:"
                               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void three_forms_are_tokens(void **state)
{
    static const char *const good[] = {"any", "new", ("sha256:" DIGEST)};
    char t[TOKEN_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(token_parse(good[i], strlen(good[i]), t));
        assert_string_equal(t, good[i]);
    }
    assert_true(token_parse("anything", 3, t));
    assert_string_equal(t, "any");
}

static void nothing_else_is(void **state)
{
    static const char *const bad[] = {
        "",
        "an",
        "anyx",
        "Any",
        " any",
        "any\n",
        "NEW",
        "sha256:",
        ("sha256:" DIGEST "0"),
        ("sha256:" DIGEST "00000000000000000000"),
        ("SHA256:" DIGEST),
        ("sha512:" DIGEST),
        "sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        DIGEST,
    };
    char t[TOKEN_SIZE] = "untouched";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(token_parse(bad[i], strlen(bad[i]), t));
    assert_false(token_parse("any\0", 4, t));
    assert_string_equal(t, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_the_sha256_of_the_whole_file),
        cmocka_unit_test(three_forms_are_tokens),
        cmocka_unit_test(nothing_else_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
