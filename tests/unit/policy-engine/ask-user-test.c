/* What the prompt is told, and which of its answers count. */
#include "policy-engine/ask-user.h"
#include "policy-engine/prompt/request.h"

#include "tests/unit/test.h"

static struct policy_domains *domains(void)
{
    struct policy_domains *d = NULL;

    assert_int_equal(policy_domains_new(1, &d), 0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "dom0"}), 0);
    assert_int_equal(
        policy_domains_add(d, &(struct policy_domain){.name = "work", .icon = "appvm-red"}), 0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "dvm",
                                                                   .icon = "appvm-blue",
                                                                   .template_for_dispvms = true}),
                     0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "odd",
                                                                   .icon = "servicevm",
                                                                   .template_for_dispvms = true}),
                     0);
    return d;
}

static char *json_of(const char *service, const char *argument, const char *default_target)
{
    char *choices[] = {(char *)"@dispvm:dvm", (char *)"work"};
    struct policy_question q = {.service = (char *)service, .argument = (char *)argument};
    struct policy_verdict v = {.action = POLICY_ASK,
                               .source = "work",
                               .choices = choices,
                               .n_choices = ARRAY_SIZE(choices),
                               .default_target = default_target};
    struct policy_domains *d = domains();
    char *json = ask_user_json(d, &q, &v);

    assert_non_null(json);
    policy_domains_unref(d);
    return json;
}

static void the_question_is_that_of_the_contract(void **state)
{
    _cleanup_(freep) char *json = json_of("a.B", "+", NULL);

    (void)state;
    assert_string_equal(json,
                        "{\"source\":\"work\",\"service\":\"a.B\",\"argument\":\"+\","
                        "\"targets\":[\"@dispvm:dvm\",\"work\"],\"default_target\":\"\","
                        "\"icons\":{\"dom0\":\"\",\"work\":\"appvm-red\",\"dvm\":\"appvm-blue\","
                        "\"@dispvm:dvm\":\"dispvm-blue\",\"odd\":\"servicevm\",\"@dispvm:odd\":"
                        "\"servicevm\"}}");
}

static void the_question_is_ascii(void **state)
{
    _cleanup_(freep) char *json = json_of("a.B", "+\"\\\n\033\303\251", "work");

    (void)state;
    assert_non_null(strstr(json, "\"argument\":\"+\\\"\\\\\\n\\u001B\\u00E9\","));
    assert_non_null(strstr(json, "\"default_target\":\"work\""));
    for (const char *c = json; *c; c++)
        assert_true(*c >= 0x20 && *c <= 0x7e);
}

static void our_prompt_understands_our_question(void **state)
{
    _cleanup_(freep) char *json = json_of("a.B", "+c", "work");
    _cleanup_(freep) char *data = format_new("policy.Ask dom0 name dom0.%s", json);
    struct prompt_request q;

    (void)state;
    *strstr(data, ".{") = 0;
    assert_int_equal(
        prompt_request_parse(data, strlen("policy.Ask dom0 name dom0.") + strlen(json), &q), 0);
    assert_string_equal(q.source, "work");
    assert_string_equal(q.argument, "+c");
    assert_int_equal(q.n_targets, 2);
    assert_int_equal(q.default_target, 1);
    prompt_request_deinit(&q);
}

static void an_answer_names_a_target_refuses_or_is_neither(void **state)
{
    static const struct {
        const char *text, *target;
        bool refused;
    } cases[] = {
        {"allow:work", "work", false},
        {"allow:work\n", "work", false},
        {"allow:@dispvm:dvm", "@dispvm:dvm", false},
        {"allow:", "", false}, /* no choice is empty */
        {"deny", NULL, true},
        {"deny\n", NULL, true},
        {"", NULL, false},
        {"\n", NULL, false},
        {"allow", NULL, false},
        {"ALLOW:work", NULL, false},
        {" allow:work", NULL, false},
        {"deny:work", NULL, false},
        {"deny\n\n", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t n = strlen(cases[i].text);
        char target[64];
        uint64_t seconds = 5;
        bool keep = true;

        assert_int_equal(ask_user_refused(cases[i].text, n), cases[i].refused);
        assert_int_equal(ask_user_answer(cases[i].text, n, target, sizeof(target), &keep, &seconds),
                         cases[i].target != NULL);
        if (cases[i].target)
            assert_string_equal(target, cases[i].target);
        assert_int_equal(keep, cases[i].target == NULL); /* untouched, or not to be kept */
    }
    assert_false(ask_user_answer(NULL, 0, NULL, 0, NULL, NULL));
    assert_false(ask_user_refused(NULL, 0));
}

static void an_answer_with_a_nul_or_too_long_is_none(void **state)
{
    char small[5];
    uint64_t seconds;
    bool keep;

    (void)state;
    assert_false(ask_user_answer("allow:wo\0rk", 11, small, sizeof(small), &keep, &seconds));
    assert_false(ask_user_answer("allow:12345", 11, small, sizeof(small), &keep, &seconds));
    assert_true(ask_user_answer("allow:1234", 10, small, sizeof(small), &keep, &seconds));
    assert_false(ask_user_refused("deny\0", 5));
}

static void an_answer_may_be_kept_for_a_time(void **state)
{
    static const struct {
        const char *text;
        bool ok, keep;
        uint64_t seconds;
    } cases[] = {
        {"allow:work\nkeep=session\n", true, true, 0},
        {"allow:work\nkeep=3600\n", true, true, 3600},
        {"allow:work\nkeep=1", true, true, 1},
        {"allow:work\nkeep=604800\n", true, true, 604800},
        {"allow:work\nkeep=604801\n", false, false, 0},
        {"allow:work\nkeep=0\n", false, false, 0},
        {"allow:work\nkeep=-1\n", false, false, 0},
        {"allow:work\nkeep=\n", false, false, 0},
        {"allow:work\nkeep=always\n", false, false, 0},
        {"allow:work\nkeep=1\n\n", false, false, 0},
        {"allow:work\nkeep=1\nkeep=2\n", false, false, 0},
        {"allow:work\n\n", false, false, 0},
        {"allow:work\nsomething\n", false, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char target[64] = "";
        uint64_t seconds = 7;
        bool keep = false, ok = ask_user_answer(cases[i].text, strlen(cases[i].text), target,
                                                sizeof(target), &keep, &seconds);

        assert_int_equal(ok, cases[i].ok);
        assert_int_equal(keep, cases[i].keep);
        if (ok) {
            assert_string_equal(target, "work");
            assert_int_equal(seconds, cases[i].seconds);
        }
    }
}

static void a_notice_may_say_of_how_many_it_is_the_last(void **state)
{
    struct policy_question q = {.service = (char *)"a.B", .argument = (char *)"+"};
    _cleanup_(freep) char *one = notify_user_json("deny", "work", &q, "dom0", 1);
    _cleanup_(freep) char *many = notify_user_json("deny", "work", &q, "dom0", 12);

    (void)state;
    assert_null(strstr(one, "count"));
    assert_non_null(strstr(many, "\"count\":12"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_is_that_of_the_contract),
        cmocka_unit_test(the_question_is_ascii),
        cmocka_unit_test(our_prompt_understands_our_question),
        cmocka_unit_test(an_answer_names_a_target_refuses_or_is_neither),
        cmocka_unit_test(an_answer_with_a_nul_or_too_long_is_none),
        cmocka_unit_test(an_answer_may_be_kept_for_a_time),
        cmocka_unit_test(a_notice_may_say_of_how_many_it_is_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
