/* What the terminal prompt shows, and what a typed line means. */
#include "policy-engine/prompt/screen.h"

#include "tests/unit/test.h"

static char *targets[] = {(char *)"@dispvm:dvm", (char *)"personal", (char *)"vault"};

static struct prompt_request question(size_t default_target)
{
    return (struct prompt_request){.kind = PROMPT_ASK,
                                   .source = (char *)"work",
                                   .service = (char *)"qubes.Filecopy",
                                   .argument = (char *)"+",
                                   .targets = targets,
                                   .n_targets = ARRAY_SIZE(targets),
                                   .default_target = default_target};
}

static char *shown(const struct prompt_request *q, size_t waiting)
{
    struct buf b = BUF_NULL(1 << 20);
    char *text;

    assert_int_equal(screen_question(q, waiting, &b), 0);
    text = strndup((const char *)buf_data(&b), buf_len(&b));
    buf_deinit(&b);
    return text;
}

static void a_question_names_all_there_is(void **state)
{
    struct prompt_request q = question(1);
    _cleanup_(freep) char *text = shown(&q, 0);

    (void)state;
    assert_string_equal(text,
                        "\nA domain asks to call a service of another one.\n"
                        "  source    work\n"
                        "  service   qubes.Filecopy\n"
                        "  argument  (none)\n"
                        "  target    1) a new disposable (dvm)\n"
                        "            2) personal   <- Enter\n"
                        "            3) vault\n"
                        "The number of the target allows, Enter alone allows 2; anything else "
                        "refuses: ");
}

static void a_question_without_default_offers_none(void **state)
{
    struct prompt_request q = question(3);
    _cleanup_(freep) char *text = NULL;

    (void)state;
    q.n_targets = q.default_target = 1;
    text = shown(&q, 4);
    assert_null(strstr(text, "Enter"));
    assert_non_null(strstr(text, "(4 more after this)\n"));
    assert_non_null(strstr(text, "\n1 allows; anything else refuses: "));
}

static void what_a_domain_chose_does_not_steer_the_terminal(void **state)
{
    char *odd[] = {(char *)"a\033[2J\nb\\"};
    struct prompt_request q = question(1);
    _cleanup_(freep) char *text = NULL;

    (void)state;
    q.argument = (char *)"+x\r\n  source    dom0\303\251\177";
    q.targets = odd;
    q.n_targets = 1;
    text = shown(&q, 0);
    assert_non_null(strstr(text, "  argument  x\\x0d\\x0a  source    dom0\\xc3\\xa9\\x7f\n"));
    assert_non_null(strstr(text, "1) a\\x1b[2J\\x0ab\\x5c\n"));
    assert_null(strchr(text, '\033'));
}

static void a_long_argument_is_cut_and_says_so(void **state)
{
    struct prompt_request q = question(1);
    char argument[602] = "+";
    _cleanup_(freep) char *text = NULL;

    (void)state;
    memset(argument + 1, 'a', 600);
    q.argument = argument;
    text = shown(&q, 0);
    assert_non_null(strstr(text, "a\n            (88 more bytes)\n"));
    assert_true(strlen(text) < 1000);
}

static void a_line_is_a_number_or_a_refusal(void **state)
{
    static const struct {
        const char *line;
        size_t choice; /* 3: refused */
    } cases[] = {
        {"1", 0},          {"2", 1},
        {"3", 2},          {"", 1},
        {"0", 3},          {"4", 3},
        {"01", 3},         {"+1", 3},
        {"-1", 3},         {" 1", 3},
        {"1 ", 3},         {"y", 3},
        {"personal", 3},   {"1\r", 3},
        {"12", 3},         {"1x", 3},
        {" ", 3},          {"n", 3},
        {"4294967297", 3}, {"11111111111111111111111111111111111111", 3},
    };
    struct prompt_request q = question(1);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (screen_answer(&q, cases[i].line, strlen(cases[i].line)) != cases[i].choice)
            fail_msg("\"%s\"", cases[i].line);
    assert_int_equal(screen_answer(&q, "1\0", 2), 3);
    q.default_target = 3;
    assert_int_equal(screen_answer(&q, "", 0), 3);
}

static void a_notice_is_one_line(void **state)
{
    static const char *const cases[][2] = {
        {"allow", "allowed: s+a: work -> @default\n"},
        {"deny", "denied: s+a: work -> @default\n"},
        {"fail", "failed: s+a: work -> @default\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prompt_request q = {.kind = PROMPT_NOTIFY,
                                   .source = (char *)"work",
                                   .service = (char *)"s",
                                   .argument = (char *)"+a",
                                   .resolution = (char *)cases[i][0],
                                   .target = (char *)""};
        _cleanup_(buf_deinit) struct buf b = BUF_NULL(1000);

        assert_int_equal(screen_notice(&q, &b), 0);
        assert_int_equal(buf_len(&b), strlen(cases[i][1]));
        assert_memory_equal(buf_data(&b), cases[i][1], buf_len(&b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_names_all_there_is),
        cmocka_unit_test(a_question_without_default_offers_none),
        cmocka_unit_test(what_a_domain_chose_does_not_steer_the_terminal),
        cmocka_unit_test(a_long_argument_is_cut_and_says_so),
        cmocka_unit_test(a_line_is_a_number_or_a_refusal),
        cmocka_unit_test(a_notice_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
