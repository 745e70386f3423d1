#include "tests/unit/test.h"

#include "policy-engine/prompt/prompt.h"

#define ASK                                                                                        \
    "\"source\":\"email\",\"service\":\"qubes.OpenURL\",\"argument\":\"+\","                       \
    "\"targets\":[\"@dispvm:web\",\"work\"],\"default_target\":\"work\","                          \
    "\"icons\":{\"work\":\"appvm-red\",\"@dispvm:web\":\"dispvm-red\"}"

static int read_text(const char *descriptor, const char *json, struct prompt *ret)
{
    char data[4096];
    size_t n = strlen(descriptor) + 1;

    memcpy(data, descriptor, n);
    memcpy(data + n, json, strlen(json));
    return prompt_read(data, n + strlen(json), ret);
}

static int read_ask(const char *json)
{
    struct prompt p = {0};
    int r = read_text("policy.Ask dom0 name dom0", json, &p);

    prompt_deinit(&p);
    return r;
}

static void a_question_is_read(void **state)
{
    struct prompt p = {0};

    (void)state;
    assert_int_equal(read_text("policy.Ask dom0 name dom0", "{" ASK "}", &p), 0);
    assert_int_equal(p.kind, PROMPT_ASK);
    assert_string_equal(p.source, "email");
    assert_int_equal(p.n_targets, 2);
    assert_int_equal(p.default_target, 1);
    prompt_deinit(&p);
}

static void only_the_first_two_words_of_the_descriptor_count(void **state)
{
    static const struct {
        const char *text;
        int r;
    } cases[] = {
        {"policy.Ask dom0", 0},
        {"policy.Ask+ dom0 name x", 0},
        {"policy.Ask dom0 what ever else", 0},
        {"policy.Ask+x dom0", PROMPT_E_DESCRIPTOR},
        {"policy.As dom0", PROMPT_E_DESCRIPTOR},
        {"policy.Ask", PROMPT_E_DESCRIPTOR},
        {"policy.Ask work name dom0", PROMPT_E_DESCRIPTOR},
        {"policy.Ask dom01", PROMPT_E_DESCRIPTOR},
        {" dom0", PROMPT_E_DESCRIPTOR},
        {"", PROMPT_E_DESCRIPTOR},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prompt p = {0};

        assert_int_equal(read_text(cases[i].text, "{" ASK "}", &p), cases[i].r);
        prompt_deinit(&p);
    }
}

static void a_request_without_its_nul_is_refused(void **state)
{
    struct prompt p = {0};

    (void)state;
    assert_int_equal(prompt_read("policy.Ask dom0", 15, &p), PROMPT_E_DESCRIPTOR);
    assert_int_equal(prompt_read("", 0, &p), PROMPT_E_DESCRIPTOR);
}

static void names_with_other_characters_are_refused(void **state)
{
    static const char *const bad[] = {
        "{\"source\":\"e mail\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"email\",\"service\":\"s\\u001b[2J\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"email\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\\nb\"],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"email\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\",\"icons\":{\"@dispvm:@dispvm:x\":\"i\"}}",
        "{\"source\":\"\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\",\"icons\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(read_ask(bad[i]), PROMPT_E_NAME);
}

static void what_lacks_a_key_or_is_no_json_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{" ASK "} tail",
        "{" ASK ",\"source\":\"again\"}",
        "{\"source\":1,\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"e\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"e\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[7],"
        "\"default_target\":\"\",\"icons\":{}}",
        "{\"source\":\"e\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],\"icons\":{}}",
        "{\"source\":\"e\",\"service\":\"s\",\"argument\":\"+\",\"targets\":[\"a\"],"
        "\"default_target\":\"\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(read_ask(bad[i]), PROMPT_E_JSON);
}

static void a_number_or_a_name_chooses_and_all_else_denies(void **state)
{
    static const struct {
        const char *line, *target;
    } cases[] = {
        {"1", "@dispvm:web"}, {"2", "work"}, {"work", "work"},      {"", "work"},
        {"0", NULL},          {"3", NULL},   {"01", NULL},          {"1 ", NULL},
        {" ", NULL},          {"y", NULL},   {"yes", NULL},         {"Work", NULL},
        {"-1", NULL},         {"1\r", NULL}, {"99999999999", NULL}, {"other", NULL},
    };
    struct prompt p = {0};

    (void)state;
    assert_int_equal(read_text("policy.Ask dom0", "{" ASK "}", &p), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *got = prompt_choose(&p, cases[i].line);

        if (cases[i].target) {
            assert_non_null(got);
            assert_string_equal(got, cases[i].target);
        } else {
            assert_null(got);
        }
    }
    prompt_deinit(&p);
}

static void an_empty_line_without_default_denies(void **state)
{
    struct prompt p = {0};

    (void)state;
    assert_int_equal(read_text("policy.Ask dom0",
                               "{\"source\":\"e\",\"service\":\"s\",\"argument\":\"+\","
                               "\"targets\":[\"a\"],\"default_target\":\"gone\",\"icons\":{}}",
                               &p),
                     0);
    assert_null(prompt_choose(&p, ""));
    prompt_deinit(&p);
}

static void what_is_shown_names_all_and_is_harmless(void **state)
{
    struct prompt p = {0};
    char *text;

    (void)state;
    assert_int_equal(read_text("policy.Ask dom0",
                               "{\"source\":\"email\",\"service\":\"qubes.X\","
                               "\"argument\":\"+a\\u001b[2J\\nb\",\"targets\":[\"@dispvm:web\"],"
                               "\"default_target\":\"@dispvm:web\",\"icons\":{}}",
                               &p),
                     0);
    text = prompt_show(&p);
    assert_string_equal(text, "\nemail wants to call qubes.X+a__2J_b in another domain. Which one "
                              "may it be?\n  1  @dispvm:web   (a new disposable of web)   "
                              "[default]\n");
    free(text);
    prompt_deinit(&p);
}

static void a_notice_is_one_line(void **state)
{
    struct prompt p = {0};
    char *text;

    (void)state;
    assert_int_equal(read_text("policy.Notify dom0 name dom0",
                               "{\"resolution\":\"deny\",\"source\":\"email\",\"service\":\"s\","
                               "\"argument\":\"+\",\"target\":\"wo\\nrk\"}",
                               &p),
                     0);
    assert_int_equal(p.kind, PROMPT_NOTIFY);
    text = prompt_show(&p);
    assert_string_equal(text, "Denied: email calls s in wo_rk\n");
    free(text);
    prompt_deinit(&p);
    assert_int_equal(read_text("policy.Notify dom0",
                               "{\"resolution\":\"perhaps\",\"source\":\"e\",\"service\":\"s\","
                               "\"argument\":\"+\",\"target\":\"t\"}",
                               &p),
                     PROMPT_E_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read),
        cmocka_unit_test(only_the_first_two_words_of_the_descriptor_count),
        cmocka_unit_test(a_request_without_its_nul_is_refused),
        cmocka_unit_test(names_with_other_characters_are_refused),
        cmocka_unit_test(what_lacks_a_key_or_is_no_json_is_refused),
        cmocka_unit_test(a_number_or_a_name_chooses_and_all_else_denies),
        cmocka_unit_test(an_empty_line_without_default_denies),
        cmocka_unit_test(what_is_shown_names_all_and_is_harmless),
        cmocka_unit_test(a_notice_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
