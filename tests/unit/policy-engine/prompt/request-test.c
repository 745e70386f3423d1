/* What the prompt takes from the policy service, and what it refuses. */
#include "policy-engine/prompt/request.h"

#include "tests/unit/test.h"

#define ASK     "policy.Ask dom0 name dom0"
#define NOTIFY  "policy.Notify dom0"
#define ICONS   "\"icons\":{\"work\":\"appvm-red\",\"@dispvm:dvm\":\"dispvm-red\"}"
#define CALL    "\"source\":\"work\",\"service\":\"qubes.Filecopy\",\"argument\":\"+\""
#define TARGETS "\"targets\":[\"@dispvm:dvm\",\"personal\"],\"default_target\":\"personal\""

static int parse(const char *descriptor, const char *json, struct prompt_request *ret)
{
    _cleanup_(freep) char *data = malloc(strlen(descriptor) + 1 + strlen(json));
    size_t n = strlen(descriptor) + 1;

    memcpy(data, descriptor, n);
    memcpy(data + n, json, strlen(json));
    return prompt_request_parse(data, n + strlen(json), ret);
}

static void a_question_is_taken_apart(void **state)
{
    struct prompt_request q;

    (void)state;
    assert_int_equal(parse(ASK, "{" CALL "," TARGETS "," ICONS ",\"more\":1}", &q), 0);
    assert_int_equal(q.kind, PROMPT_ASK);
    assert_string_equal(q.source, "work");
    assert_string_equal(q.service, "qubes.Filecopy");
    assert_string_equal(q.argument, "+");
    assert_int_equal(q.n_targets, 2);
    assert_string_equal(q.targets[0], "@dispvm:dvm");
    assert_int_equal(q.default_target, 1);
    prompt_request_deinit(&q);
}

static void a_default_that_is_no_choice_is_none(void **state)
{
    static const char *const defaults[] = {"", "other"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        _cleanup_(freep) char *json = format_new(
            "{" CALL ",\"targets\":[\"a\"],\"default_target\":\"%s\"," ICONS "}", defaults[i]);
        struct prompt_request q;

        assert_int_equal(parse(ASK, json, &q), 0);
        assert_int_equal(q.default_target, 1);
        prompt_request_deinit(&q);
    }
}

static void icons_are_those_of_the_domains_asked_about(void **state)
{
    struct prompt_request q;

    (void)state;
    assert_int_equal(parse(ASK,
                           "{" CALL ",\"targets\":[\"@dispvm:dvm\",\"vault\",\"odd\"],"
                           "\"default_target\":\"\",\"icons\":{\"work\":\"appvm-blue\","
                           "\"@dispvm:dvm\":\"dispvm-red\",\"dvm\":\"appvm-red\","
                           "\"odd\":\"../../x\"}}",
                           &q),
                     0);
    assert_string_equal(q.source_icon, "appvm-blue");
    assert_string_equal(q.target_icons[0], "dispvm-red");
    assert_string_equal(q.target_icons[1], ""); /* not told */
    assert_string_equal(q.target_icons[2], ""); /* no name of an icon */
    prompt_request_deinit(&q);
}

static void keeping_is_understood_where_it_says_true(void **state)
{
    static const struct {
        const char *key;
        bool keep;
    } cases[] = {
        {"", false},
        {",\"keep\":true", true},
        {",\"keep\":false", false},
        {",\"keep\":\"true\"", false},
        {",\"keep\":1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *json =
            format_new("{" CALL "," TARGETS "," ICONS "%s}", cases[i].key);
        struct prompt_request q;

        assert_int_equal(parse(ASK, json, &q), 0);
        assert_int_equal(q.keep, cases[i].keep);
        prompt_request_deinit(&q);
    }
}

static void a_notice_is_taken_apart(void **state)
{
    static const char *const resolutions[] = {"allow", "deny", "fail"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++) {
        _cleanup_(freep) char *json =
            format_new("{" CALL ",\"resolution\":\"%s\",\"target\":\"@default\"}", resolutions[i]);
        struct prompt_request q;

        assert_int_equal(parse(NOTIFY, json, &q), 0);
        assert_int_equal(q.kind, PROMPT_NOTIFY);
        assert_string_equal(q.resolution, resolutions[i]);
        assert_string_equal(q.target, "@default");
        prompt_request_deinit(&q);
    }
}

static void two_words_of_the_descriptor_count(void **state)
{
    static const struct {
        const char *descriptor;
        int result;
    } cases[] = {
        {"policy.Ask dom0", 0},
        {"policy.Ask+ dom0 keyword adminvm", 0},
        {"policy.Ask dom0 anything at all", 0},
        {"policy.Ask+x dom0", PROMPT_E_DESCRIPTOR},
        {"policy.Ask", PROMPT_E_DESCRIPTOR},
        {"policy.Ask ", PROMPT_E_DESCRIPTOR},
        {"policy.Ask work name dom0", PROMPT_E_DESCRIPTOR},
        {"policy.Ask  dom0", PROMPT_E_DESCRIPTOR},
        {"policy.Other dom0", PROMPT_E_DESCRIPTOR},
        {"", PROMPT_E_DESCRIPTOR},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prompt_request q = {0};

        assert_int_equal(parse(cases[i].descriptor, "{" CALL "," TARGETS "," ICONS "}", &q),
                         cases[i].result);
        prompt_request_deinit(&q);
    }
    assert_int_equal(prompt_request_parse("policy.Ask dom0", 15, &(struct prompt_request){0}),
                     PROMPT_E_DESCRIPTOR); /* its NUL never came */
    assert_int_equal(prompt_request_parse(NULL, 0, &(struct prompt_request){0}),
                     PROMPT_E_DESCRIPTOR);
}

/* Each stands for one way to be wrong; the output stays untouched. */
static void a_bad_request_is_refused(void **state)
{
    static const struct {
        const char *json;
        int error;
    } cases[] = {
        {"", PROMPT_E_JSON},
        {"[]", PROMPT_E_JSON},
        {"{" CALL "," TARGETS "," ICONS, PROMPT_E_JSON},
        {"{" CALL "," TARGETS "," ICONS "} x", PROMPT_E_JSON},
        {"{" CALL ",\"source\":\"other\"," TARGETS "," ICONS "}", PROMPT_E_JSON},
        {"{\"source\":\"wo\\u0000rk\"," TARGETS "," ICONS "}", PROMPT_E_JSON},
        {"{" TARGETS "," ICONS "}", PROMPT_E_KEY},
        {"{" CALL "," ICONS "}", PROMPT_E_KEY},
        {"{" CALL "," TARGETS "}", PROMPT_E_KEY},
        {"{" CALL ",\"targets\":[\"a\"]," ICONS "}", PROMPT_E_KEY},
        {"{" CALL ",\"targets\":\"a\",\"default_target\":\"\"," ICONS "}", PROMPT_E_KEY},
        {"{" CALL "," TARGETS ",\"icons\":[]}", PROMPT_E_KEY},
        {"{" CALL "," TARGETS ",\"icons\":{\"a\":1}}", PROMPT_E_KEY},
        {"{" CALL ",\"targets\":[],\"default_target\":\"\"," ICONS "}", PROMPT_E_TARGETS},
        {"{" CALL ",\"targets\":[1],\"default_target\":\"\"," ICONS "}", PROMPT_E_TARGETS},
        {"{" CALL ",\"targets\":[\"\"],\"default_target\":\"\"," ICONS "}", PROMPT_E_TARGETS},
        {"{\"source\":\"\",\"service\":\"s\",\"argument\":\"+\"," TARGETS "," ICONS "}",
         PROMPT_E_BYTES},
        {"{\"source\":\"a b\",\"service\":\"s\",\"argument\":\"+\"," TARGETS "," ICONS "}",
         PROMPT_E_BYTES},
        {"{\"source\":\"a+b\",\"service\":\"s\",\"argument\":\"+\"," TARGETS "," ICONS "}",
         PROMPT_E_BYTES},
        {"{\"source\":\"uuid:a\",\"service\":\"s\",\"argument\":\"+\"," TARGETS "," ICONS "}",
         PROMPT_E_BYTES},
        {"{\"source\":\"a\",\"service\":\"s\\u001b[2J\",\"argument\":\"+\"," TARGETS "," ICONS "}",
         PROMPT_E_BYTES},
        {"{" CALL "," TARGETS ",\"icons\":{\"\\u00e9\":\"\"}}", PROMPT_E_BYTES},
        {"{" CALL "," TARGETS ",\"icons\":{\"@dispvm:a/b\":\"\"}}", PROMPT_E_BYTES},
        {"{" CALL "," TARGETS ",\"icons\":{\"@dispvm:\":\"\"}}", PROMPT_E_BYTES},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prompt_request q = {.n_targets = 77};
        int r = parse(ASK, cases[i].json, &q);

        if (r != cases[i].error)
            fail_msg("%s: %d", cases[i].json, r);
        assert_int_equal(q.n_targets, 77);
        assert_true(*prompt_error_text(r) != 0);
    }
}

static void a_bad_notice_is_refused(void **state)
{
    struct prompt_request q;

    (void)state;
    assert_int_equal(parse(NOTIFY, "{" CALL ",\"resolution\":\"allow\"}", &q), PROMPT_E_KEY);
    assert_int_equal(parse(NOTIFY, "{" CALL ",\"target\":\"a\"}", &q), PROMPT_E_KEY);
    assert_int_equal(parse(NOTIFY, "{" CALL ",\"target\":\"a\",\"resolution\":\"ask\"}", &q),
                     PROMPT_E_KEY);
}

static void a_service_name_may_have_a_plus_and_targets_anything(void **state)
{
    struct prompt_request q;

    (void)state;
    assert_int_equal(parse(ASK,
                           "{\"source\":\"work\",\"service\":\"a+b\",\"argument\":\"+\\u001b\","
                           "\"targets\":[\"uuid:1\\n\"],\"default_target\":\"\"," ICONS "}",
                           &q),
                     0);
    assert_string_equal(q.argument, "+\033");
    assert_string_equal(q.targets[0], "uuid:1\n");
    prompt_request_deinit(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_taken_apart),
        cmocka_unit_test(a_default_that_is_no_choice_is_none),
        cmocka_unit_test(icons_are_those_of_the_domains_asked_about),
        cmocka_unit_test(keeping_is_understood_where_it_says_true),
        cmocka_unit_test(a_notice_is_taken_apart),
        cmocka_unit_test(two_words_of_the_descriptor_count),
        cmocka_unit_test(a_bad_request_is_refused),
        cmocka_unit_test(a_bad_notice_is_refused),
        cmocka_unit_test(a_service_name_may_have_a_plus_and_targets_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
