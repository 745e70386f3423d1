/* What the terminal prompt shows, and what a typed line means. */
#include "policy-engine/prompt/screen.h"

#include "tests/unit/test.h"

#define NOW 1000

static char *targets[] = {(char *)"@dispvm:dvm", (char *)"personal", (char *)"vault"};

struct asked {
    struct prompt_request request;
    struct question q;
};

/* It listens. */
static void begin(struct asked *a, size_t default_target, bool keep)
{
    a->request = (struct prompt_request){.kind = PROMPT_ASK,
                                         .source = (char *)"work",
                                         .service = (char *)"qubes.Filecopy",
                                         .argument = (char *)"+",
                                         .targets = targets,
                                         .n_targets = ARRAY_SIZE(targets),
                                         .default_target = default_target,
                                         .keep = keep};
    assert_int_equal(question_init(&a->q, &a->request), 0);
    a->q.listens_at = 0;
}

static char *text_of(struct buf *b)
{
    char *text = strndup((const char *)buf_data(b), buf_len(b));

    buf_deinit(b);
    return text;
}

static char *shown(const struct question *q, size_t waiting)
{
    struct buf b = BUF_NULL(1 << 20);

    assert_int_equal(screen_question(q, waiting, &b), 0);
    return text_of(&b);
}

static void feed(struct question *q, const char *line)
{
    screen_feed(q, line, strlen(line), NOW);
}

static void a_question_names_all_there_is(void **state)
{
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    begin(&a, 1, false);
    text = shown(&a.q, 0);
    assert_string_equal(text, "\nA domain asks to call a service of another one.\n"
                              "  source    work\n"
                              "  service   qubes.Filecopy\n"
                              "  argument  (none)\n"
                              "  target    1) a new disposable (dvm)\n"
                              "            2) personal   <- Enter\n"
                              "            3) vault\n"
                              "The number of the target allows, Enter alone allows 2; a part of a "
                              "name searches; Escape refuses: ");
    question_deinit(&a.q);
}

static void a_question_without_default_offers_none(void **state)
{
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    begin(&a, 3, false);
    a.request.n_targets = 3;
    text = shown(&a.q, 4);
    assert_null(strstr(text, "Enter"));
    assert_null(strstr(text, "session"));
    assert_non_null(strstr(text, "(4 more after this)\n"));
    question_deinit(&a.q);
}

static void keeping_is_offered_where_it_is_understood(void **state)
{
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    begin(&a, 3, true);
    text = shown(&a.q, 0);
    assert_non_null(strstr(text, "\"2 session\""));
    question_deinit(&a.q);
}

static void what_a_domain_chose_does_not_steer_the_terminal(void **state)
{
    char *odd[] = {(char *)"a\033[2J\nb\\"};
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    a.request = (struct prompt_request){.source = (char *)"wo\342\200\256rk",
                                        .service = (char *)"s\033",
                                        .argument = (char *)"+x\r\n source dom0\303\251\177",
                                        .targets = odd,
                                        .n_targets = 1,
                                        .default_target = 1};
    assert_int_equal(question_init(&a.q, &a.request), 0);
    text = shown(&a.q, 0);
    assert_non_null(strstr(text, "  source    wo\\xe2\\x80\\xaerk\n  service   s\\x1b\n"));
    assert_non_null(strstr(text, "  argument  x\\x0d\\x0a\\x20source\\x20dom0\\xc3\\xa9\\x7f\n"));
    assert_non_null(strstr(text, "1) a\\x1b[2J\\x0ab\\x5c\n"));
    assert_null(strchr(text, '\033'));
    question_deinit(&a.q);
}

static void a_long_argument_is_cut_and_says_so(void **state)
{
    char argument[602] = "+";
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    memset(argument + 1, 'a', 600);
    begin(&a, 3, false);
    a.request.argument = argument;
    text = shown(&a.q, 0);
    assert_non_null(strstr(text, "a (88 more bytes)\n"));
    assert_true(strlen(text) < 1000);
    question_deinit(&a.q);
}

static void a_number_allows_what_it_stands_for(void **state)
{
    static const char *const answers[] = {"allow:@dispvm:dvm", "allow:personal", "allow:vault"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct asked a;
        _cleanup_(freep) char *answer = NULL;

        begin(&a, 1, false);
        feed(&a.q, (const char[]){(char)('1' + i), 0});
        assert_int_equal(a.q.state, QUESTION_ALLOWED);
        answer = question_answer(&a.q);
        assert_string_equal(answer, answers[i]);
        question_deinit(&a.q);
    }
}

/* Whatever is no number of a target is searched for, and answers nothing. */
static void another_line_allows_nothing(void **state)
{
    static const char *const lines[] = {
        "0",  "4",         "01",   "+1",        "-1",    " 1",         "1 ",
        "y",  "personal",  "1\r",  "12",        "1x",    " ",          "n",
        "1,", "1 session", "1 h",  "1 session", "1 1h",  "4294967297", "11111111111111111111111",
        "1 ", "1  8h",     "1 0h", "1 25h",     "1 08h", "\001",       "\303\251",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct asked a;

        begin(&a, 1, false);
        feed(&a.q, lines[i]);
        if (a.q.state != QUESTION_STANDS)
            fail_msg("\"%s\"", lines[i]);
        question_deinit(&a.q);
    }
}

static void a_line_with_nul_or_of_any_length_does_nothing(void **state)
{
    static const char zeroes[QUESTION_FILTER_MAX + 1];
    char longest[5000];
    struct asked a;

    (void)state;
    memset(longest, '1', sizeof(longest));
    begin(&a, 1, false);
    screen_feed(&a.q, "1\0", 2, NOW);
    screen_feed(&a.q, longest, sizeof(longest), NOW);
    screen_feed(&a.q, zeroes, sizeof(zeroes), NOW);
    assert_int_equal(a.q.state, QUESTION_STANDS);
    assert_string_equal(a.q.filter, "");
    assert_int_equal(a.q.selected, 1);
    question_deinit(&a.q);
}

static void a_part_of_a_name_searches(void **state)
{
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    begin(&a, 1, false);
    feed(&a.q, "AUL");
    text = shown(&a.q, 0);
    assert_non_null(strstr(text, "  target    3) vault\n(only those with \"AUL\" in"));
    assert_null(strstr(text, "personal"));
    assert_null(strstr(text, "Enter"));
    feed(&a.q, "2"); /* which is not shown */
    assert_int_equal(a.q.state, QUESTION_STANDS);
    feed(&a.q, "per"); /* another search, not "AULper" */
    assert_string_equal(a.q.filter, "per");
    feed(&a.q, "2");
    assert_int_equal(a.q.state, QUESTION_ALLOWED);
    question_deinit(&a.q);
}

static void a_search_in_vain_lists_all_and_proposes_none(void **state)
{
    struct asked a;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    begin(&a, 1, false);
    feed(&a.q, "zzz");
    text = shown(&a.q, 0);
    assert_non_null(strstr(text, "1) a new disposable (dvm)\n            2) personal\n"));
    assert_null(strstr(text, "Enter"));
    question_deinit(&a.q);
}

static void a_deaf_question_is_fed_in_vain(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1, false);
    question_disturb(&a.q, NOW);
    feed(&a.q, "1");
    feed(&a.q, "per");
    assert_int_equal(a.q.state, QUESTION_STANDS);
    assert_string_equal(a.q.filter, "");
    question_deinit(&a.q);
}

static void an_answer_is_kept_as_long_as_it_says(void **state)
{
    static const struct {
        const char *line, *answer, *result;
    } cases[] = {
        {"2", "allow:personal", "allowed to personal\n"},
        {"2 session", "allow:personal\nkeep=session\n", "allowed to personal for this session\n"},
        {"2 1h", "allow:personal\nkeep=3600\n", "allowed to personal for 1 hour\n"},
        {"2 24h", "allow:personal\nkeep=86400\n", "allowed to personal for 24 hours\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf b = BUF_NULL(1000);
        struct asked a;
        _cleanup_(freep) char *answer = NULL, *result = NULL;

        begin(&a, 3, true);
        feed(&a.q, cases[i].line);
        answer = question_answer(&a.q);
        assert_string_equal(answer, cases[i].answer);
        assert_int_equal(screen_result(&a.q, &b), 0);
        result = text_of(&b);
        assert_string_equal(result, cases[i].result);
        question_deinit(&a.q);
    }
}

static void a_refusal_says_so(void **state)
{
    struct buf b = BUF_NULL(1000);
    struct asked a;
    _cleanup_(freep) char *result = NULL;

    (void)state;
    begin(&a, 1, false);
    question_input(&a.q, QUESTION_DENY, 0, NOW);
    assert_int_equal(screen_result(&a.q, &b), 0);
    result = text_of(&b);
    assert_string_equal(result, "refused\n");
    question_deinit(&a.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_names_all_there_is),
        cmocka_unit_test(a_question_without_default_offers_none),
        cmocka_unit_test(keeping_is_offered_where_it_is_understood),
        cmocka_unit_test(what_a_domain_chose_does_not_steer_the_terminal),
        cmocka_unit_test(a_long_argument_is_cut_and_says_so),
        cmocka_unit_test(a_number_allows_what_it_stands_for),
        cmocka_unit_test(another_line_allows_nothing),
        cmocka_unit_test(a_line_with_nul_or_of_any_length_does_nothing),
        cmocka_unit_test(a_part_of_a_name_searches),
        cmocka_unit_test(a_search_in_vain_lists_all_and_proposes_none),
        cmocka_unit_test(a_deaf_question_is_fed_in_vain),
        cmocka_unit_test(an_answer_is_kept_as_long_as_it_says),
        cmocka_unit_test(a_refusal_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
