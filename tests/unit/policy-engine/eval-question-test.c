/* Questions of policy.EvalSimple and policy.EvalGUI. */
#include "policy-engine/eval-question.h"

#include "tests/unit/test.h"

/* | in the text is a NUL. */
static int read_text(const char *text, bool eof, struct policy_question *q, char **caller)
{
    _cleanup_(freep) char *data = strdup(text);
    size_t n = strlen(data);

    for (char *c = data; (c = strchr(c, '|'));)
        *c++ = 0;
    return eval_question_read("policy.EvalSimple", data, n, eof, q, caller);
}

static void a_question_is_evaluated_and_assumes_yes(void **state)
{
    struct policy_question q = {0};
    char *caller = NULL;

    (void)state;
    assert_int_equal(
        read_text("policy.EvalSimple+a.B+c+d gui name dom0|work|personal", true, &q, &caller), 0);
    assert_string_equal(q.source, "work");
    assert_string_equal(q.target, "personal");
    assert_string_equal(q.service, "a.B");
    assert_string_equal(q.argument, "+c+d");
    assert_string_equal(q.requested_source, "");
    assert_true(q.assume_yes && q.just_evaluate);
    assert_string_equal(caller, "gui");
    free(caller);
    policy_question_deinit(&q);
}

static void what_is_no_question_is_told_apart(void **state)
{
    static const struct {
        const char *text;
        int outcome;
    } cases[] = {
        {"", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+a.B gui", EVAL_E_DESCRIPTOR}, /* no NUL */
        {"policy.EvalSimple gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+ gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple++x gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimpleX+a.B gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalGUI+a.B gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+a.B|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+a.B |a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+a\x1b gui|a|b", EVAL_E_DESCRIPTOR},
        {"policy.EvalSimple+a.B gui|", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a|", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui||b", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a|b|", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a|b|c", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a|@dispvm:b", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|uuid:a|b", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a/|b", EVAL_E_REQUEST},
        {"policy.EvalSimple+a.B gui|a|b\n", EVAL_E_REQUEST},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_question q = {0};
        char *caller = NULL;

        assert_int_equal(read_text(cases[i].text, true, &q, &caller), cases[i].outcome);
        assert_null(q.block);
        assert_null(caller);
    }
}

static void names_have_their_lengths(void **state)
{
    static const struct {
        size_t source, target;
        int outcome;
    } cases[] = {
        {1, 1, 0},
        {31, 63, 0},
        {32, 1, EVAL_E_REQUEST},
        {1, 64, EVAL_E_REQUEST},
        {31, 300, EVAL_E_REQUEST},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char names[400], text[500];
        struct policy_question q = {0};
        char *caller = NULL;

        memset(names, 'x', sizeof(names));
        assert_int_equal(format(text, sizeof(text), "policy.EvalSimple+a.B gui|%.*s|%.*s",
                                (int)cases[i].source, names, (int)cases[i].target, names),
                         0);
        assert_int_equal(read_text(text, true, &q, &caller), cases[i].outcome);
        free(caller);
        policy_question_deinit(&q);
    }
}

static void it_is_read_to_its_end_but_not_for_ever(void **state)
{
    static const char whole[] = "policy.EvalSimple+a.B gui\0work\0personal";
    char big[EVAL_REQUEST_MAX];
    struct policy_question q = {0};
    char *caller = NULL;

    (void)state;
    for (size_t n = 0; n < sizeof(whole); n++)
        assert_int_equal(eval_question_read("policy.EvalSimple", whole, n, false, &q, &caller),
                         EVAL_E_MORE);
    memset(big, 'x', sizeof(big));
    assert_int_equal(eval_question_read("policy.EvalSimple", big, sizeof(big), false, &q, &caller),
                     EVAL_E_DESCRIPTOR);
    memcpy(big, whole, sizeof(whole) - 1);
    assert_int_equal(eval_question_read("policy.EvalSimple", big, 26 + EVAL_PAYLOAD_MOST - 1, false,
                                        &q, &caller),
                     EVAL_E_MORE);
    assert_int_equal(
        eval_question_read("policy.EvalSimple", big, 26 + EVAL_PAYLOAD_MOST, false, &q, &caller),
        EVAL_E_REQUEST);
}

static void a_gui_asks_about_its_own_domains(void **state)
{
    static const char *const mine[] = {"other", "guivm-gui"}, *const others[] = {"guivm-gui2"};
    struct policy_question q = {.source = (char *)"work", .target = (char *)"mail"};
    struct policy_domains *d = NULL;

    (void)state;
    assert_int_equal(policy_domains_new(1, &d), 0);
    assert_int_equal(
        policy_domains_add(d, &(struct policy_domain){.name = "work", .tags = mine, .n_tags = 2}),
        0);
    assert_int_equal(
        policy_domains_add(d, &(struct policy_domain){.name = "mail", .tags = mine, .n_tags = 2}),
        0);
    assert_int_equal(policy_domains_add(
                         d, &(struct policy_domain){.name = "vault", .tags = others, .n_tags = 1}),
                     0);
    assert_true(eval_question_is_gui_of(&q, d, "gui"));
    assert_false(eval_question_is_gui_of(&q, d, "gui2"));
    assert_false(eval_question_is_gui_of(&q, d, ""));
    q.target = (char *)"vault";
    assert_false(eval_question_is_gui_of(&q, d, "gui"));
    q.target = (char *)"nobody";
    assert_false(eval_question_is_gui_of(&q, d, "gui"));
    q.target = (char *)"@default";
    assert_false(eval_question_is_gui_of(&q, d, "gui"));
    policy_domains_unref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_evaluated_and_assumes_yes),
        cmocka_unit_test(what_is_no_question_is_told_apart),
        cmocka_unit_test(names_have_their_lengths),
        cmocka_unit_test(it_is_read_to_its_end_but_not_for_ever),
        cmocka_unit_test(a_gui_asks_about_its_own_domains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
