/* How names are shown: what a domain chose cannot look like something else. */
#include "policy-engine/prompt/shown.h"

#include "tests/unit/test.h"

static void a_usual_name_is_shown_as_it_is(void **state)
{
    static const char *const names[] = {"work", "sys-net_2", "@default", "qubes.Filecopy+x",
                                        "https://a.b/?c=d&e"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(freep) char *text = shown_text(names[i]);

        assert_string_equal(text, names[i]);
    }
}

static void hostile_characters_are_escapes(void **state)
{
    static const struct {
        const char *name, *shown;
    } cases[] = {
        {"a\nb\r\t", "a\\x0ab\\x0d\\x09"},                   /* another line, a column */
        {"\033[2J", "\\x1b[2J"},                             /* a terminal's command */
        {"\177\001", "\\x7f\\x01"},                          /* control characters */
        {"x\342\200\256txt.exe", "x\\xe2\\x80\\xaetxt.exe"}, /* turns the direction */
        {"\342\201\246a\342\201\251", "\\xe2\\x81\\xa6a\\xe2\\x81\\xa9"}, /* isolates it */
        {"a\342\200\213b", "a\\xe2\\x80\\x8bb"},                          /* no width */
        {"a\302\240b", "a\\xc2\\xa0b"},                                   /* a blank that is none */
        {"w\320\276rk", "w\\xd0\\xberk"},                                 /* Cyrillic o */
        {"\302\233", "\\xc2\\x9b"},                                       /* C1 control */
        {"a b", "a\\x20b"},                                               /* two fields */
        {"a\\x20b", "a\\x5cx20b"},                                        /* the escape itself */
        {"\377\376", "\\xff\\xfe"},                                       /* no UTF-8 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *text = shown_text(cases[i].name);

        assert_string_equal(text, cases[i].shown);
    }
}

/* No two byte strings look alike, and every one is printable ASCII without a blank. */
static void every_byte_has_a_look_of_its_own(void **state)
{
    char *looks[256] = {NULL};

    (void)state;
    for (int c = 1; c < 256; c++) {
        looks[c] = shown_text((const char[]){(char)c, 0});
        for (const char *p = looks[c]; *p; p++)
            assert_true(*p > ' ' && *p < 0x7f);
        for (int d = 1; d < c; d++)
            assert_string_not_equal(looks[c], looks[d]);
    }
    for (int c = 1; c < 256; c++)
        free(looks[c]);
}

static void a_disposable_is_told_from_a_domain(void **state)
{
    _cleanup_(freep) char *disp = shown_target("@dispvm:d\nvm"), *like = NULL;

    (void)state;
    assert_string_equal(disp, "a new disposable (d\\x0avm)");
    like = shown_target("a new disposable (dvm)");
    assert_string_equal(like, "a\\x20new\\x20disposable\\x20(dvm)");
}

static void an_argument_says_what_is_not_shown_of_it(void **state)
{
    static const struct {
        const char *argument, *shown;
    } cases[] = {
        {"+", "(none)"},
        {"", "(none)"},
        {"+abc", "abc"},
        {"+abcd", "abcd"},
        {"+abcde", "abcd (1 more bytes)"},
        {"++", "+"},
        {"+(none)", "(non (2 more bytes)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *text = shown_argument(cases[i].argument, 4);

        assert_string_equal(text, cases[i].shown);
    }
}

static void a_call_is_one_line(void **state)
{
    struct prompt_request q = {
        .source = (char *)"work", .service = (char *)"a.B", .argument = (char *)"+x\ny"};
    _cleanup_(freep) char *text = shown_call(&q, "va\nult"), *empty = NULL;

    (void)state;
    assert_string_equal(text, "a.B+x\\x0ay: work -> va\\x0ault");
    q.argument = (char *)"+";
    empty = shown_call(&q, "@default");
    assert_string_equal(empty, "a.B+: work -> @default");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_name_is_shown_as_it_is),
        cmocka_unit_test(hostile_characters_are_escapes),
        cmocka_unit_test(every_byte_has_a_look_of_its_own),
        cmocka_unit_test(a_disposable_is_told_from_a_domain),
        cmocka_unit_test(an_argument_says_what_is_not_shown_of_it),
        cmocka_unit_test(a_call_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
