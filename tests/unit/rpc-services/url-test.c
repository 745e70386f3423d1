/* What is taken as a URL: the loose rule of the caller, the strict one of the service. */
#include "tests/unit/test.h"

#include "rpc-services/url.h"

static void callers_rule_is_a_scheme_and_two_slashes(void **state)
{
    static const char *const urls[] = {"https://www.qubes-os.org",
                                       "HTTP://a",
                                       "a://",
                                       "svn+ssh://h/x",
                                       "x2+y://",
                                       "file:///etc",
                                       "http://a b\nc"};
    static const char *const words[] = {
        "",      "a",     "://a",    "mailto:x", "www.example.org", "a:/b",       "2a://",
        "+a://", "-a://", "a-b://c", "a.b://",   " http://a",       "./http://a", "a:b://c"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
        if (!url_looks_like_one(urls[i]))
            fail_msg("no URL: %s", urls[i]);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (url_looks_like_one(words[i]))
            fail_msg("a URL: %s", words[i]);
}

static void service_takes_three_schemes_in_lower_case(void **state)
{
    static const char *const good[] = {"http://a",
                                       "https://a",
                                       "ftp://a",
                                       "https://a/?q=1&r=%20#x",
                                       "http://user@h:8080/",
                                       "http://\xc3\xa9.example",
                                       "http://-a"};
    static const char *const bad[] = {
        "",           "http://",   "https://",  "ftp://",          "HTTP://a", "Http://a",
        "httpss://a", "ftps://a",  "file:///a", "javascript:a",    "http:/a",  "http:a",
        "xhttp://a",  "-http://a", " http://a", "data:text/html,x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (!url_is_safe(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (url_is_safe(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
}

static void each_byte_inside_is_judged(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char inside[] = "http://a?b", last[] = "http://ab";

        inside[8] = (char)c;
        last[8] = (char)c;
        assert_int_equal(url_is_safe(inside, 10), c > 0x20 && c != 0x7f);
        assert_int_equal(url_is_safe(last, 9), c > 0x20 && c != 0x7f);
    }
}

static void a_url_has_at_most_64_kibibytes(void **state)
{
    static char text[URL_MAX + 1];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://", 7);
    assert_true(url_is_safe(text, URL_MAX - 1));
    assert_true(url_is_safe(text, URL_MAX));
    assert_false(url_is_safe(text, URL_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_rule_is_a_scheme_and_two_slashes),
        cmocka_unit_test(service_takes_three_schemes_in_lower_case),
        cmocka_unit_test(each_byte_inside_is_judged),
        cmocka_unit_test(a_url_has_at_most_64_kibibytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
