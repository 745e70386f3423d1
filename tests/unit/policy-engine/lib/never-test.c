/* never lines: their form, which files count, and the last word on a decision. */
#include "tests/unit/policy-engine/lib/fixture.h"

static struct policy *load_both(const char *rules, const char *nevers)
{
    const struct policy_file f[] = {
        {.path = "p/30-user.policy", .content = rules, .len = strlen(rules)},
        {.path = "p/30-user.never", .content = nevers, .len = strlen(nevers)}};

    return fixture_load(f, 2);
}

static const char *decide_never(const char *rules, const char *nevers, const char *service,
                                const char *source, const char *target, const char *chosen)
{
    struct policy *p = load_both(rules, nevers);
    struct policy_domains *d = fixture_domains();
    struct policy_verdict v = {0}, answered = {0};
    _cleanup_(freep) char *name = strndup(service, strcspn(service, "+"));
    struct policy_request q = {
        .service = name, .argument = strchr(service, '+'), .source = source, .target = target};
    const char *answer;

    assert_int_equal(policy_decide(p, d, &q, &v), 0);
    if (chosen)
        assert_int_equal(policy_answer_ask(p, d, &q, &v, chosen, &answered), 0);
    if (v.reason == POLICY_REASON_NEVER) {
        assert_string_equal(v.rule_file, "p/30-user.never");
        assert_true(v.notify);
    }
    answer = verdict_text(chosen ? &answered : &v);
    policy_verdict_deinit(&answered);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
    return answer;
}

#define NEVER(rules, nevers, service, source, target, expected)                                    \
    assert_string_equal(decide_never(rules, nevers, service, source, target, NULL), expected)
#define CHOOSE(rules, nevers, source, chosen, expected)                                            \
    assert_string_equal(decide_never(rules, nevers, "a.B", source, "@default", chosen), expected)

static void a_never_line_has_the_last_word_on_an_allow(void **state)
{
    (void)state;
    NEVER("* * * * allow", "a.B * work vault", "a.B", "work", "vault", "deny never");
    NEVER("* * * * allow", "a.B * work vault", "a.C", "work", "vault", "allow vault");
    NEVER("* * * * allow", "a.B * work vault", "a.B", "mail", "vault", "allow vault");
    NEVER("* * * * allow", "a.B * work vault", "a.B", "work", "relay", "allow relay");
    NEVER("* * * * allow", "a.B +x work vault", "a.B+x", "work", "vault", "deny never");
    NEVER("* * * * allow", "a.B +x work vault", "a.B+y", "work", "vault", "allow vault");
    NEVER("* * * * allow", "* * @tag:work vault", "a.B", "mail", "vault", "deny never");
    NEVER("* * * * allow", "* * mail *\n* * @type:AppVM @tag:red", "a.B", "vault", "work",
          "deny never");
}

static void it_looks_at_the_final_target(void **state)
{
    (void)state;
    NEVER("a.B * work mail allow target=vault", "* * work vault", "a.B", "work", "mail",
          "deny never");
    NEVER("a.B * work vault allow target=mail", "* * work vault", "a.B", "work", "vault",
          "allow mail");
    NEVER("a.B * * @dispvm allow", "* * * @dispvm:dvm", "a.B", "work", "@dispvm", "deny never");
    NEVER("a.B * * @dispvm allow", "* * * @dispvm:@tag:dvms", "a.B", "work", "@dispvm",
          "deny never");
    NEVER("a.B * * @dispvm allow", "* * * @dispvm:dvm", "a.B", "mail", "@dispvm",
          "allow @dispvm:plain-dvm");
    NEVER("a.B * * * allow", "* * * uuid:" UUID(3), "a.B", "work", "vault", "deny never");
    NEVER("a.B * * * allow", "* * * vault", "a.B", "work", "uuid:" UUID(3), "deny never");
    NEVER("a.B * * * allow", "* * * @adminvm", "a.B", "work", "dom0", "deny never");
    NEVER("a.B * * * allow", "* * * @tag:z", "a.B", "work", "@adminvm", "deny never");
    NEVER("a.B * * * allow", "* * * @anyvm", "a.B", "work", "@adminvm", "allow dom0");
    NEVER("a.B * * * allow", "* * * far", "a.B", "work", "far", "deny never");
    NEVER("a.B * * * allow", "* * * relay", "a.B", "work", "far",
          "allow relay as qubesair.SSHProxy+far+a.B+");
}

static void the_offending_choices_of_an_ask_go(void **state)
{
    (void)state;
    NEVER("a.B * work @anyvm ask", "* * work @tag:work", "a.B", "work", "mail",
          "ask @dispvm:dvm @dispvm:plain-dvm dvm far plain-dvm relay vault");
    NEVER("a.B * work @tag:work ask default_target=mail", "* * * mail", "a.B", "work", "mail",
          "deny never");
    NEVER("a.B * work @default ask\na.B * work mail allow\na.B * work vault allow",
          "* * * mail ask", "a.B", "work", "", "ask vault");
    NEVER("a.B * work mail ask target=@dispvm", "* * * @dispvm:dvm", "a.B", "work", "mail",
          "deny never");
    NEVER("a.B * vault mail ask target=@dispvm", "* * * @dispvm:dvm", "a.B", "vault", "mail",
          "ask @dispvm");
    NEVER("a.B * work mail ask target=dom0", "* * * @adminvm", "a.B", "work", "mail", "deny never");
    /* leads nowhere, unless there is such a domain by then: the answer is checked too */
    NEVER("a.B * work mail ask target=nobody", "* * * *", "a.B", "work", "mail", "ask nobody");
    /* nothing was offered anyway: that is the reason */
    NEVER("a.B * work hidden ask", "* * * *", "a.B", "work", "hidden", "deny no-target");
}

static void a_last_word_narrows_the_line_to_that_end(void **state)
{
    static const char rules[] = "a.B * work mail allow\na.B * work @default ask";

    (void)state;
    NEVER(rules, "* * work mail allow", "a.B", "work", "mail", "deny never");
    NEVER(rules, "* * work mail allow", "a.B", "work", "", "ask mail");
    NEVER(rules, "* * work mail ask", "a.B", "work", "mail", "allow mail");
    NEVER(rules, "* * work mail ask", "a.B", "work", "", "deny never");
    CHOOSE(rules, "* * work mail allow", "work", "mail", "allow mail");
}

/* Domains may have changed while the user thought. */
static void the_answer_to_an_ask_is_checked_again(void **state)
{
    struct policy *before = load_both("a.B * work @default ask\na.B * work mail allow", "");
    struct policy *p = load_both("a.B * work @default ask\na.B * work mail allow", "* * * mail");
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {.service = "a.B", .source = "work"};
    struct policy_verdict asked = {0}, v = {0};

    (void)state;
    assert_int_equal(policy_decide(before, d, &q, &asked), 0);
    assert_int_equal(policy_answer_ask(p, d, &q, &asked, "mail", &v), 0);
    assert_string_equal(verdict_text(&v), "deny never");
    assert_int_equal(v.rule_line, 1);
    policy_verdict_deinit(&asked);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(before);
    policy_unref(p);
}

static void without_lines_nothing_changes(void **state)
{
    (void)state;
    NEVER("* * * * allow", "# nothing\n\n", "a.B", "work", "vault", "allow vault");
    NEVER("a.B * work vault deny", "* * * *", "a.B", "work", "vault", "deny policy");
    NEVER("", "* * * *", "a.B", "work", "vault", "deny no-match");
}

static void the_word_of_a_bad_line_is_named(void **state)
{
    static const struct {
        const char *line, *words;
    } bad[] = {
        {"* * work", "too few fields"},
        {"* * work vault deny", "unknown word \"deny\""},
        {"* * work vault allow ask", "nothing may follow \"allow\""},
        {"* +x work vault", "service * goes with argument *"},
        {"a.B x work vault", "bad argument \"x\""},
        {"a.B ~x work vault", "bad argument \"~x\""},
        {"a/B * work vault", "bad service \"a/B\""},
        {"a.B * @default vault", "may not stand as source"},
        {"a.B * work @bogus", "bad token \"@bogus\" as target"},
        {"!include other", "too few fields"},
        {"!include * work vault", "bad service"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_(freep) char *text = NULL;
        int n = asprintf(&text, "# first\n%s\n", bad[i].line);
        const struct policy_file f[] = {
            FILE_OF("p/30-user.policy", "* * * * allow\n"),
            {.path = "p/10-x.never", .content = text, .len = n < 0 ? 0 : (size_t)n}};

        fixture_fails(f, 2, "p/10-x.never", 2, bad[i].words);
    }
}

static const struct policy_file two_dirs[] = {
    FILE_OF("run/30-user.never", "* * work vault\n"),
    FILE_OF("etc/30-user.never", "* * work mail\n"), FILE_OF("etc/.40.never", "* * * *\n"),
    FILE_OF("etc/40.never.bak", "* * * *\n"), FILE_OF("etc/30-user.policy", "* * * * allow\n")};

static void the_first_directorys_file_hides_its_namesake(void **state)
{
    static const char *const dirs[] = {"run", "etc", NULL};
    struct policy_source s = {
        .dirs = dirs, .files = two_dirs, .n_files = ARRAY_SIZE(two_dirs), .files_only = true};
    struct policy_domains *d = fixture_domains();
    struct policy *p = NULL;
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(policy_load(&s, &p, NULL), 0);
    assert_int_equal(
        policy_decide(
            p, d, &(struct policy_request){.service = "a.B", .source = "work", .target = "vault"},
            &v),
        0);
    assert_string_equal(verdict_text(&v), "deny never");
    assert_string_equal(v.rule_file, "run/30-user.never");
    policy_verdict_deinit(&v);
    assert_int_equal(
        policy_decide(
            p, d, &(struct policy_request){.service = "a.B", .source = "work", .target = "mail"},
            &v),
        0);
    assert_string_equal(verdict_text(&v), "allow mail");
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

static void a_bad_file_name_spoils_the_policy(void **state)
{
    static const struct policy_file f[] = {FILE_OF("p/30-user.policy", "* * * * allow\n"),
                                           FILE_OF("p/30-User.never", "* * work vault\n")};

    (void)state;
    fixture_fails(f, 2, "p/30-User.never", 0, "bad file name");
}

static bool lists(char **v, const char *path)
{
    for (size_t i = 0; v[i]; i++)
        if (strcmp(v[i], path) == 0)
            return true;
    return false;
}

static void never_files_are_watched_and_change_the_signature(void **state)
{
    static const char *const dirs[] = {"run", "etc", NULL};
    struct policy_source s = {
        .dirs = dirs, .files = two_dirs, .n_files = ARRAY_SIZE(two_dirs), .files_only = true};
    struct policy *p = load_both("* * * * allow", "* * work vault");
    struct policy *other = load_both("* * * * allow", "* * work mail");
    char **watched = NULL;

    (void)state;
    assert_int_equal(policy_list_watched(&s, &watched), 0);
    assert_true(lists(watched, "run/30-user.never"));
    assert_false(lists(watched, "etc/30-user.never"));
    assert_true(policy_signature(p) != policy_signature(other));
    policy_strv_free(watched);
    policy_unref(p);
    policy_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_never_line_has_the_last_word_on_an_allow),
        cmocka_unit_test(it_looks_at_the_final_target),
        cmocka_unit_test(the_offending_choices_of_an_ask_go),
        cmocka_unit_test(a_last_word_narrows_the_line_to_that_end),
        cmocka_unit_test(the_answer_to_an_ask_is_checked_again),
        cmocka_unit_test(without_lines_nothing_changes),
        cmocka_unit_test(the_word_of_a_bad_line_is_named),
        cmocka_unit_test(the_first_directorys_file_hides_its_namesake),
        cmocka_unit_test(a_bad_file_name_spoils_the_policy),
        cmocka_unit_test(never_files_are_watched_and_change_the_signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
