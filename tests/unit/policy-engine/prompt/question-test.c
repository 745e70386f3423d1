/* What keys and clicks do to a question, and when they count. */
#include "policy-engine/prompt/question.h"

#include "tests/unit/test.h"

#define SHOWN 1000                       /* the time at which it is shown */
#define HEARS (SHOWN + QUESTION_DEAF_MS) /* from when on it listens */
#define NONE  4

static char *targets[] = {(char *)"vault", (char *)"work", (char *)"work-web",
                          (char *)"@dispvm:dvm"};

struct asked {
    struct prompt_request request;
    struct question q;
};

static void begin(struct asked *a, size_t default_target)
{
    a->request = (struct prompt_request){.kind = PROMPT_ASK,
                                         .source = (char *)"mail",
                                         .service = (char *)"a.B",
                                         .argument = (char *)"+",
                                         .targets = targets,
                                         .n_targets = ARRAY_SIZE(targets),
                                         .default_target = default_target};
    assert_int_equal(question_init(&a->q, &a->request), 0);
    question_disturb(&a->q, SHOWN);
}

static void press(struct asked *a, enum question_event pressed, uint64_t now)
{
    assert_false(question_input(&a->q, pressed, 0, now));
    question_input(&a->q, pressed + 1, 0, now);
}

static void press_return(struct asked *a, uint64_t now)
{
    press(a, QUESTION_RETURN_PRESSED, now);
}

static void types(struct asked *a, const char *text, uint64_t now)
{
    for (; *text; text++)
        question_input(&a->q, QUESTION_TYPE, (unsigned char)*text, now);
}

static void expect_answer(struct asked *a, const char *text)
{
    _cleanup_(freep) char *answer = question_answer(&a->q);

    assert_int_not_equal(a->q.state, QUESTION_STANDS);
    assert_string_equal(answer, text);
    question_deinit(&a->q);
}

static void expect_standing(struct asked *a)
{
    assert_int_equal(a->q.state, QUESTION_STANDS);
    question_deinit(&a->q);
}

static void return_allows_what_the_policy_proposes(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    press_return(&a, HEARS);
    expect_answer(&a, "allow:work");
}

static void return_allows_nothing_where_nothing_is_chosen(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, NONE);
    press_return(&a, HEARS);
    assert_false(question_input(&a.q, QUESTION_ALLOW, 0, HEARS));
    expect_standing(&a);
}

static void nothing_counts_in_the_first_half_second(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    for (int e = QUESTION_TYPE; e <= QUESTION_DENY; e++) {
        assert_false(question_input(&a.q, (enum question_event)e, 'w', SHOWN));
        assert_false(question_input(&a.q, (enum question_event)e, 2, HEARS - 1));
    }
    assert_false(question_listens(&a.q, HEARS - 1));
    assert_false(question_may_allow(&a.q, HEARS - 1));
    assert_string_equal(a.q.filter, "");
    assert_int_equal(a.q.selected, 1);
    assert_true(question_may_allow(&a.q, HEARS));
    expect_standing(&a);
}

static void nothing_counts_before_it_is_shown(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    a.q.listens_at = UINT64_MAX; /* as after question_init() */
    press_return(&a, UINT64_MAX - 1);
    question_input(&a.q, QUESTION_DENY, 0, UINT64_MAX - 1);
    expect_standing(&a);
}

static void a_new_question_waits_to_be_shown(void **state)
{
    struct asked a;
    struct question q;

    (void)state;
    begin(&a, 1);
    assert_int_equal(question_init(&q, &a.request), 0);
    assert_false(question_listens(&q, HEARS * 1000));
    question_deinit(&q);
    expect_standing(&a);
}

static void a_disturbance_makes_it_deaf_again(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_disturb(&a.q, HEARS + 100);
    press_return(&a, HEARS + 599);
    press(&a, QUESTION_ESCAPE_PRESSED, HEARS + 599);
    assert_int_equal(a.q.state, QUESTION_STANDS);
    press_return(&a, HEARS + 600);
    expect_answer(&a, "allow:work");
}

/* Down since before it was shown: the keyboard repeats the press for as long as it is held. */
static void a_held_key_answers_nothing_until_it_is_let_go(void **state)
{
    static const enum question_event keys[] = {QUESTION_RETURN_PRESSED, QUESTION_ESCAPE_PRESSED};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct asked a;

        begin(&a, 1);
        for (uint64_t t = SHOWN; t < HEARS + 2000; t += 40)
            assert_false(question_input(&a.q, keys[i], 0, t));
        assert_false(question_input(&a.q, keys[i] + 1, 0, HEARS + 2000));
        assert_int_equal(a.q.state, QUESTION_STANDS);
        press(&a, keys[i], HEARS + 2100); /* a press of its own */
        assert_int_not_equal(a.q.state, QUESTION_STANDS);
        question_deinit(&a.q);
    }
}

/* Its first repetition comes only when it listens already. */
static void a_key_that_begins_to_repeat_late_answers_nothing(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS + 60);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS + 100);
    question_input(&a.q, QUESTION_RETURN_RELEASED, 0, HEARS + 120);
    expect_standing(&a);
}

/* Seen too early, repeated once when it listens, and let go: no press of its own. */
static void a_key_seen_early_and_repeated_late_answers_nothing(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS - 20);
    question_input(&a.q, QUESTION_ESCAPE_PRESSED, 0, HEARS - 20);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS + 20);
    question_input(&a.q, QUESTION_ESCAPE_PRESSED, 0, HEARS + 20);
    question_input(&a.q, QUESTION_RETURN_RELEASED, 0, HEARS + 30);
    question_input(&a.q, QUESTION_ESCAPE_RELEASED, 0, HEARS + 30);
    expect_standing(&a);
}

static void a_key_pressed_too_early_and_let_go_late_answers_nothing(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS - 1);
    question_input(&a.q, QUESTION_RETURN_RELEASED, 0, HEARS + 1);
    assert_int_equal(a.q.state, QUESTION_STANDS);
    question_input(&a.q, QUESTION_RETURN_RELEASED, 0, HEARS + 2); /* of a press elsewhere */
    expect_standing(&a);
}

/* The press was heard, then the keyboard went elsewhere and came back. */
static void a_press_before_a_disturbance_does_not_count_after_it(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_input(&a.q, QUESTION_RETURN_PRESSED, 0, HEARS);
    question_disturb(&a.q, HEARS + 1);
    question_input(&a.q, QUESTION_RETURN_RELEASED, 0, HEARS + 600);
    expect_standing(&a);
}

static void escape_and_the_button_refuse(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    press(&a, QUESTION_ESCAPE_PRESSED, HEARS);
    expect_answer(&a, "deny");
    begin(&a, 1);
    assert_true(question_input(&a.q, QUESTION_DENY, 0, HEARS));
    expect_answer(&a, "deny");
}

static void typing_filters_whatever_the_case(void **state)
{
    static const struct {
        const char *text;
        bool lists[NONE];
    } cases[] = {
        {"", {true, true, true, true}},           {"WoRk", {false, true, true, false}},
        {"k-w", {false, false, true, false}},     {"dispos", {false, false, false, true}},
        {"(dvm)", {false, false, false, true}},   {"zz", {false, false, false, false}},
        {"vaults", {false, false, false, false}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct asked a;

        begin(&a, NONE);
        types(&a, cases[i].text, HEARS);
        for (size_t t = 0; t < NONE; t++)
            assert_int_equal(question_lists(&a.q, t), cases[i].lists[t]);
        expect_standing(&a);
    }
}

/* Not even where one target is left: "work⏎" may have been meant for an editor. */
static void typing_chooses_nothing_and_takes_the_proposal_away(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    types(&a, "work", HEARS);
    press_return(&a, HEARS); /* it is still listed */
    assert_int_equal(a.q.state, QUESTION_STANDS);
    question_input(&a.q, QUESTION_CLEAR, 0, HEARS);
    press_return(&a, HEARS); /* the proposal does not come back by itself */
    expect_standing(&a);
}

static void arrows_choose_among_what_is_listed(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, NONE);
    types(&a, "work", HEARS);
    assert_true(question_input(&a.q, QUESTION_DOWN, 0, HEARS));
    assert_int_equal(a.q.selected, 1);
    assert_true(question_input(&a.q, QUESTION_DOWN, 0, HEARS));
    assert_int_equal(a.q.selected, 2);
    assert_false(question_input(&a.q, QUESTION_DOWN, 0, HEARS)); /* the last one */
    assert_int_equal(a.q.selected, 2);
    assert_true(question_input(&a.q, QUESTION_UP, 0, HEARS));
    assert_false(question_input(&a.q, QUESTION_UP, 0, HEARS)); /* the first one */
    press_return(&a, HEARS);
    expect_answer(&a, "allow:work");
}

static void upwards_from_none_is_the_last_one(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, NONE);
    types(&a, "zz", HEARS);
    assert_false(question_input(&a.q, QUESTION_UP, 0, HEARS));
    assert_false(question_input(&a.q, QUESTION_DOWN, 0, HEARS));
    question_input(&a.q, QUESTION_CLEAR, 0, HEARS);
    assert_true(question_input(&a.q, QUESTION_UP, 0, HEARS));
    press_return(&a, HEARS);
    expect_answer(&a, "allow:@dispvm:dvm");
}

static void a_choice_does_not_outlive_a_change_of_the_search(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, NONE);
    types(&a, "work", HEARS);
    question_input(&a.q, QUESTION_DOWN, 0, HEARS);
    assert_true(question_input(&a.q, QUESTION_ERASE, 0, HEARS));
    assert_string_equal(a.q.filter, "wor");
    press_return(&a, HEARS);
    expect_standing(&a);
}

static void a_click_chooses_what_is_listed_alone(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, NONE);
    types(&a, "work", HEARS);
    assert_false(question_input(&a.q, QUESTION_PICK, 0, HEARS)); /* vault */
    assert_false(question_input(&a.q, QUESTION_PICK, NONE, HEARS));
    assert_true(question_input(&a.q, QUESTION_PICK, 2, HEARS));
    assert_int_equal(a.q.state, QUESTION_STANDS); /* and no more than chooses */
    assert_true(question_input(&a.q, QUESTION_ALLOW, 0, HEARS));
    expect_answer(&a, "allow:work-web");
}

static void the_search_takes_printable_text_of_some_length(void **state)
{
    static const uint32_t odd[] = {0, '\n', 0x1b, 0x7f, 0x202e, 0xe9};
    struct asked a;

    (void)state;
    begin(&a, NONE);
    assert_false(question_input(&a.q, QUESTION_ERASE, 0, HEARS));
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_false(question_input(&a.q, QUESTION_TYPE, odd[i], HEARS));
    for (size_t i = 0; i < QUESTION_FILTER_MAX - 1; i++)
        assert_true(question_input(&a.q, QUESTION_TYPE, 'x', HEARS));
    assert_false(question_input(&a.q, QUESTION_TYPE, 'x', HEARS));
    assert_int_equal(strlen(a.q.filter), QUESTION_FILTER_MAX - 1);
    expect_standing(&a);
}

static void keeping_is_told_where_it_is_understood(void **state)
{
    static const struct {
        uint32_t keep;
        const char *answer;
    } cases[] = {
        {QUESTION_ONCE, "allow:work"},
        {QUESTION_SESSION, "allow:work\nkeep=session\n"},
        {QUESTION_HOUR, "allow:work\nkeep=3600\n"},
        {8 * QUESTION_HOUR, "allow:work\nkeep=28800\n"},
        {QUESTION_HOURS_MAX * QUESTION_HOUR, "allow:work\nkeep=86400\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct asked a;

        begin(&a, 1);
        a.request.keep = true;
        assert_true(question_input(&a.q, QUESTION_KEEP, cases[i].keep, HEARS));
        press_return(&a, HEARS);
        expect_answer(&a, cases[i].answer);
        begin(&a, 1); /* another implementation's daemon */
        assert_false(question_input(&a.q, QUESTION_KEEP, cases[i].keep, HEARS));
        press_return(&a, HEARS);
        expect_answer(&a, "allow:work");
    }
}

static void nobody_keeps_for_odd_times(void **state)
{
    static const uint32_t odd[] = {1, 3599, 3601, (QUESTION_HOURS_MAX + 1) * QUESTION_HOUR,
                                   UINT32_MAX - 1};
    struct asked a;

    (void)state;
    begin(&a, 1);
    a.request.keep = true;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_false(question_input(&a.q, QUESTION_KEEP, odd[i], HEARS));
    assert_int_equal(a.q.keep, QUESTION_ONCE);
    expect_standing(&a);
}

static void a_refusal_is_not_kept(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    a.request.keep = true;
    question_input(&a.q, QUESTION_KEEP, QUESTION_SESSION, HEARS);
    question_input(&a.q, QUESTION_DENY, 0, HEARS);
    expect_answer(&a, "deny");
}

static void an_answer_stays(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    question_input(&a.q, QUESTION_DENY, 0, HEARS);
    for (int e = QUESTION_TYPE; e <= QUESTION_DENY; e++)
        assert_false(question_input(&a.q, (enum question_event)e, 0, HEARS + 10));
    expect_answer(&a, "deny");
}

static void it_says_what_to_do_next(void **state)
{
    struct asked a;

    (void)state;
    begin(&a, 1);
    assert_non_null(strstr(question_hint(&a.q), "Return allows"));
    types(&a, "w", HEARS);
    assert_non_null(strstr(question_hint(&a.q), "Choose"));
    types(&a, "z", HEARS);
    assert_non_null(strstr(question_hint(&a.q), "No target"));
    expect_standing(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(return_allows_what_the_policy_proposes),
        cmocka_unit_test(return_allows_nothing_where_nothing_is_chosen),
        cmocka_unit_test(nothing_counts_in_the_first_half_second),
        cmocka_unit_test(nothing_counts_before_it_is_shown),
        cmocka_unit_test(a_new_question_waits_to_be_shown),
        cmocka_unit_test(a_disturbance_makes_it_deaf_again),
        cmocka_unit_test(a_held_key_answers_nothing_until_it_is_let_go),
        cmocka_unit_test(a_key_that_begins_to_repeat_late_answers_nothing),
        cmocka_unit_test(a_key_seen_early_and_repeated_late_answers_nothing),
        cmocka_unit_test(a_key_pressed_too_early_and_let_go_late_answers_nothing),
        cmocka_unit_test(a_press_before_a_disturbance_does_not_count_after_it),
        cmocka_unit_test(escape_and_the_button_refuse),
        cmocka_unit_test(typing_filters_whatever_the_case),
        cmocka_unit_test(typing_chooses_nothing_and_takes_the_proposal_away),
        cmocka_unit_test(arrows_choose_among_what_is_listed),
        cmocka_unit_test(upwards_from_none_is_the_last_one),
        cmocka_unit_test(a_choice_does_not_outlive_a_change_of_the_search),
        cmocka_unit_test(a_click_chooses_what_is_listed_alone),
        cmocka_unit_test(the_search_takes_printable_text_of_some_length),
        cmocka_unit_test(keeping_is_told_where_it_is_understood),
        cmocka_unit_test(nobody_keeps_for_odd_times),
        cmocka_unit_test(a_refusal_is_not_kept),
        cmocka_unit_test(an_answer_stays),
        cmocka_unit_test(it_says_what_to_do_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
