/* Which rules a conversion needs as lines, in what words, and for which file. */
#include "policy-engine/convert-lines.h"
#include "tests/unit/policy-engine/lib/fixture.h"

#define RULES_MOST 16

struct sample {
    struct policy *policy; /* the views' strings */
    struct convert_rule rules[RULES_MOST];
    struct policy_rule_view rest[RULES_MOST];
    size_t n, n_rest;
};

/* The R4.0 rules, and the lines that stand behind their place. */
static struct sample sample_of(const char *rules, const char *rest)
{
    const struct policy_file files[] = {
        {.path = "p/1.policy", .content = rules, .len = strlen(rules)},
        {.path = "p/2.policy", .content = rest, .len = strlen(rest)}};
    struct sample s = {.policy = fixture_load(files, 2)};

    assert_true(policy_count_rules(s.policy) <= RULES_MOST);
    for (size_t i = 0; i < policy_count_rules(s.policy); i++) {
        struct policy_rule_view v;

        policy_get_rule(s.policy, i, &v);
        if (str_equal(v.file, "p/1.policy"))
            s.rules[s.n++].view = v;
        else
            s.rest[s.n_rest++] = v;
    }
    return s;
}

static char *converted(const char *rules, const char *rest)
{
    struct sample s = sample_of(rules, rest);
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(4096);
    int lines, expected = 0;

    convert_leave_out(s.rules, s.n, s.rest, s.n_rest);
    lines = convert_print(&b, s.rules, s.n);
    for (size_t i = 0; i < s.n; i++)
        expected += !s.rules[i].left_out;
    assert_int_equal(lines, expected);
    assert_int_equal(buf_append(&b, "", 1), 0);
    policy_unref(s.policy);
    return strdup((const char *)buf_data(&b));
}

static void expect(const char *rules, const char *rest, const char *lines)
{
    _cleanup_(freep) char *got = converted(rules, rest);

    if (!str_equal(got, lines))
        fail_msg("%s\nbefore\n%s\ngave\n%s", rules, rest, got);
}

#define ALL_DENIED "* * @anyvm @anyvm deny\n* * @anyvm @adminvm deny\n"

static void every_parameter_is_written(void **state)
{
    static const char lines[] =
        "a.B +x work mail allow target=dom0 user=joe notify=yes autostart=no\n"
        "a.B + work mail ask default_target=uuid:1\n"
        "a.B * @tag:x dom0 deny notify=no\n"
        "a.B * @adminvm @adminvm allow\n"
        "a.B * @type:AppVM @dispvm:@tag:y allow target=@dispvm\n";

    (void)state;
    expect(lines, "", lines);
}

static void words_that_say_nothing_are_not(void **state)
{
    (void)state;
    expect("a.B  * work\tmail allow notify=no autostart=yes user=\n", "",
           "a.B * work mail allow\n");
    expect("a.B * work mail deny notify=yes\n", "", "a.B * work mail deny\n");
}

static void a_deny_that_a_later_one_repeats_is_not_needed(void **state)
{
    static const char *const rests[] = {
        ALL_DENIED,
        "a.B * @anyvm @anyvm deny\n",
        "a.B +x * * deny\n",
        "a.C * @anyvm @anyvm allow\na.B +y work mail allow\n* * vault relay deny\n* * * * deny\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rests); i++)
        expect("a.B +x work mail allow\na.B +x @anyvm @anyvm deny\n", rests[i],
               "a.B +x work mail allow\n");
    expect("a.B +x @anyvm @anyvm deny\na.B +x @anyvm @adminvm deny\n", ALL_DENIED, "");
}

static void a_deny_that_anything_later_undoes_stays(void **state)
{
    static const char deny[] = "a.B +x @anyvm @anyvm deny\n";
    static const char *const rests[] = {
        "",
        "a.C * @anyvm @anyvm deny\n",
        "a.B +y @anyvm @anyvm deny\n",
        "a.B * work @anyvm deny\n",
        "a.B * @anyvm mail deny\n",
        "a.B * work mail allow\n* * * * deny\n",
        "a.B ~x work mail ask\n* * * * deny\n",
        "* * work mail allow\n* * * * deny\n",
        "a.B * @anyvm @anyvm deny notify=no\n* * * * deny\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rests); i++)
        expect(deny, rests[i], deny);
    expect("a.B +x @anyvm @anyvm deny notify=no\n", ALL_DENIED,
           "a.B +x @anyvm @anyvm deny notify=no\n");
    /* another argument's file comes between */
    expect("a.B +x @anyvm @anyvm deny\na.B * work mail allow\n", ALL_DENIED,
           "a.B +x @anyvm @anyvm deny\na.B * work mail allow\n");
}

/* A rule that neither matches calls to dom0 nor offers it says nothing about a deny of them. */
static void a_deny_of_dom0_passes_rules_about_others(void **state)
{
    static const char deny[] = "a.B +x @anyvm @adminvm deny\n";

    (void)state;
    expect("a.B +x @anyvm @adminvm deny\na.B * work mail allow\n", ALL_DENIED,
           "a.B * work mail allow\n");
    expect(deny, "a.B * work mail ask target=dom0\n" ALL_DENIED, deny);
    expect(deny, "a.B * work * allow\n" ALL_DENIED, deny);
    expect(deny, "a.B * work @tag:x allow\n" ALL_DENIED, deny);
    /* among the choices of an ask the keyword is a thing of its own */
    expect(deny, "* * * * deny\n", deny);
    expect(deny, "* * * dom0 deny\n", deny);
}

static void what_an_earlier_deny_decides_is_not_needed(void **state)
{
    (void)state;
    expect("a.B * @anyvm @anyvm deny\na.B * work mail allow\na.B * vault @dispvm ask\n"
           "a.B * work @default ask target=mail\n",
           "", "a.B * @anyvm @anyvm deny\n");
    expect("a.B * @anyvm @anyvm deny\na.B * work mail allow\n", ALL_DENIED, "");
}

static void what_an_earlier_deny_leaves_stays(void **state)
{
    static const char *const later[] = {
        "a.B * work @adminvm allow",
        "a.B * @adminvm work allow",
        "a.B * work * allow",
        "a.B * * work allow",
        "a.B * @tag:x work allow",
        "a.B * work @type:AppVM allow",
        "a.B * work mail allow target=dom0",
        "a.B * work mail ask target=@adminvm",
        "a.B * work dom0 allow",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
        _cleanup_(freep) char *rules = format_new("a.B * @anyvm @anyvm deny\n%s\n", later[i]);

        expect(rules, "", rules);
    }
    expect("a.B +x @anyvm @anyvm deny\na.B +y work mail allow\n", "",
           "a.B +x @anyvm @anyvm deny\na.B +y work mail allow\n");
    expect("a.B * work mail allow\na.B * work mail ask\n", "",
           "a.B * work mail allow\na.B * work mail ask\n");
}

static void only_simple_rules_go_to_a_tools_file(void **state)
{
    static const struct {
        const char *rules, *file;
    } cases[] = {
        {"qubes.Filecopy * work mail ask\nqubes.Filecopy * @anyvm @anyvm deny\n",
         "50-config-filecopy.policy"},
        {"qubes.ClipboardPaste * work mail allow\n", "50-config-clipboard.policy"},
        {"qubes.OpenURL * work @default allow target=@dispvm\n", "50-config-openurl.policy"},
        {"qubes.UpdatesProxy * @anyvm @default allow target=mail\n", "50-config-updates.policy"},
        {"u2f.Register * work mail allow\n", "50-config-u2f.policy"},
        {"qubes.InputMouse * mail @adminvm ask default_target=@adminvm\n", NULL},
        {"qubes.Filecopy * work mail allow target=vault\n", NULL},
        {"qubes.Filecopy +x work mail ask\n", NULL},
        {"qubes.Filecopy * work mail ask default_target=mail\n", NULL},
        {"qubes.Filecopy * work mail allow user=joe\n", NULL},
        {"qubes.Filecopy * work mail allow notify=yes\n", NULL},
        {"qubes.Filecopy * work mail deny notify=no\n", NULL},
        {"qubes.Filecopy * work mail allow autostart=no\n", NULL},
        {"a.B * work mail allow\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sample s = sample_of(cases[i].rules, "");
        const char *file = convert_tools_file(s.rules, s.n);

        if (!file != !cases[i].file || (file && !str_equal(file, cases[i].file)))
            fail_msg("%s: %s", cases[i].rules, file ? file : "none");
        policy_unref(s.policy);
    }
}

static void what_is_left_out_need_not_be_simple(void **state)
{
    struct sample s = sample_of("qubes.Filecopy * work mail ask\n"
                                "qubes.Filecopy +x @anyvm @anyvm deny\n",
                                "");

    (void)state;
    assert_null(convert_tools_file(s.rules, s.n));
    s.rules[1].left_out = true;
    assert_non_null(convert_tools_file(s.rules, s.n));
    policy_unref(s.policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_parameter_is_written),
        cmocka_unit_test(words_that_say_nothing_are_not),
        cmocka_unit_test(a_deny_that_a_later_one_repeats_is_not_needed),
        cmocka_unit_test(a_deny_that_anything_later_undoes_stays),
        cmocka_unit_test(a_deny_of_dom0_passes_rules_about_others),
        cmocka_unit_test(what_an_earlier_deny_decides_is_not_needed),
        cmocka_unit_test(what_an_earlier_deny_leaves_stays),
        cmocka_unit_test(only_simple_rules_go_to_a_tools_file),
        cmocka_unit_test(what_is_left_out_need_not_be_simple),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
