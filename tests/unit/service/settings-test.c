/* The reader of a service's settings. */
#include "tests/unit/test.h"

#include "libqrexec/service/service.h"

static int parse(const char *text, struct service_settings *s, char *why)
{
    return service_settings_parse("FILE", text, strlen(text), s, why);
}

static void all_keys_are_read(void **state)
{
    struct service_settings s = {0};
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(parse("# a comment\nwait-for-session = true # why\n\n"
                           "skip-service-descriptor\t=\ttrue\r\nexit-on-client-eof=true\n"
                           "exit-on-service-eof = false",
                           &s, why),
                     0);
    assert_true(s.wait_for_session && s.skip_service_descriptor && s.exit_on_client_eof);
    assert_false(s.exit_on_service_eof);
    assert_string_equal(s.force_user, "");
}

static void user_is_in_single_quotes(void **state)
{
    struct service_settings s = {0};
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(parse("force-user = 'a \\b\"#' # c\n", &s, why), 0);
    assert_string_equal(s.force_user, "a \\b\"#");
}

static void session_takes_0_and_1(void **state)
{
    struct service_settings s = {0};
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(parse("wait-for-session = 1\n", &s, why), 0);
    assert_true(s.wait_for_session);
    assert_int_equal(parse("wait-for-session = 0\n", &s, why), 0);
    assert_false(s.wait_for_session);
}

static void limits_are_read(void **state)
{
    struct service_settings s = {0};
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(
        parse("max-time = 2147483647\nmax-bytes = 999999999999999\nflow = in # c\n", &s, why), 0);
    assert_int_equal(s.max_time, INT32_MAX);
    assert_int_equal(s.max_bytes, 999999999999999);
    assert_int_equal(s.flow, SERVICE_FLOW_IN);
    assert_int_equal(parse("max-time = 1\nmax-bytes = 1\nflow = out", &s, why), 0);
    assert_int_equal(s.max_time, 1);
    assert_int_equal(s.max_bytes, 1);
    assert_int_equal(s.flow, SERVICE_FLOW_OUT);
    assert_int_equal(parse("flow='in'\n", &s, why), 0);
    assert_int_equal(s.flow, SERVICE_FLOW_IN);
    assert_int_equal(parse("flow = 'out'\n", &s, why), 0);
    assert_int_equal(s.flow, SERVICE_FLOW_OUT);
    assert_int_equal(s.max_time + s.max_bytes, 0);
}

static void unknown_key_is_ignored(void **state)
{
    struct service_settings s = {0};
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(parse("colour = 'red'\nother = 7\n", &s, why), 0);
}

static void wrong_lines_fail_with_file_and_line(void **state)
{
    static const char *const lines[] = {
        " force-user = 'x'",
        "   ",
        "\t# comment",
        "[section]",
        "force-user = \"x\"",
        "force-user = x",
        "force-user = ''",
        "force-user = 'x",
        "force-user = 'x' 'y'",
        "force-user",
        "force-user = ",
        "= 'x'",
        "wait-for-session = 2",
        "wait-for-session = 01",
        "wait-for-session = 'true'",
        "wait-for-session = True",
        "wait-for-session = true true",
        "exit-on-client-eof = 1",
        "skip-service-descriptor = yes",
        "unknown = [1]",
        "unknown = -1",
        "wait-for-session = true\nwait-for-session = true",
        "force-user = 'x'\nskip-service-descriptor = true",
        "force-user = 'x'\nexit-on-client-eof = true",
        "exit-on-service-eof = true\nforce-user = 'x'",
        "wait-for-session = true \r ",
        "max-time = 0",
        "max-time = 2147483648",
        "max-time = true",
        "max-time = '5'",
        "max-time = 05",
        "max-time = 5s",
        "max-time = in",
        "max-bytes = 0",
        "max-bytes = 1000000000000000",
        "max-bytes = -1",
        "max-bytes = 10K",
        "flow = both",
        "flow = 'both'",
        "flow = ''",
        "flow = true",
        "flow = 1",
        "flow = In",
        "flow = in\nflow = out",
        "force-user = in",
        "wait-for-session = out",
        "wait-for-session = 4294967297",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct service_settings s = {.force_user = "untouched"};
        char text[256], why[SERVICE_TEXT_MAX] = "";

        assert_int_equal(format(text, sizeof(text), "# one\n%s\n", lines[i]), 0);
        if (parse(text, &s, why) != SERVICE_E_TROUBLE)
            fail_msg("taken: %s", lines[i]);
        assert_string_equal(s.force_user, "untouched");
        assert_true(str_starts(why, "FILE:2: ") || str_starts(why, "FILE:3: "));
    }
}

static void nul_fails(void **state)
{
    static const char text[] = "wait-for-session = true\0\n";
    struct service_settings s;
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(service_settings_parse("FILE", text, sizeof(text) - 1, &s, why),
                     SERVICE_E_TROUBLE);
}

static void longest_user_fits_and_one_more_does_not(void **state)
{
    struct service_settings s;
    char text[400], name[SERVICE_USER_MAX + 1], why[SERVICE_TEXT_MAX];

    (void)state;
    memset(name, 'u', sizeof(name));
    name[SERVICE_USER_MAX - 1] = 0;
    assert_int_equal(format(text, sizeof(text), "force-user = '%s'\n", name), 0);
    assert_int_equal(parse(text, &s, why), 0);
    name[SERVICE_USER_MAX - 1] = 'u';
    name[SERVICE_USER_MAX] = 0;
    assert_int_equal(format(text, sizeof(text), "force-user = '%s'\n", name), 0);
    assert_int_equal(parse(text, &s, why), SERVICE_E_TROUBLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys_are_read),
        cmocka_unit_test(user_is_in_single_quotes),
        cmocka_unit_test(session_takes_0_and_1),
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(unknown_key_is_ignored),
        cmocka_unit_test(wrong_lines_fail_with_file_and_line),
        cmocka_unit_test(nul_fails),
        cmocka_unit_test(longest_user_fits_and_one_more_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
