/* What lint finds, and that it finds nothing where nothing is wrong. */
#include "tests/unit/policy-engine/lib/fixture.h"

static const struct policy_finding *find(const struct policy_findings *f, unsigned line,
                                         const char *words)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].line == line && strstr(f->list[i].text, words))
            return &f->list[i];
    return NULL;
}

static struct policy_findings lint_files(const struct policy_file *files, size_t n, bool domains)
{
    struct policy *p = fixture_load(files, n);
    struct policy_domains *d = domains ? fixture_domains() : NULL;
    struct policy_findings f = {0};

    assert_int_equal(policy_lint(p, d, &f), 0);
    policy_domains_unref(d);
    policy_unref(p);
    return f;
}

static struct policy_findings lint(const char *text)
{
    const struct policy_file f = {.path = "p/1.policy", .content = text, .len = strlen(text)};

    return lint_files(&f, 1, true);
}

static void expect(const char *text, unsigned line, const char *words)
{
    struct policy_findings f = lint(text);

    if (!find(&f, line, words))
        fail_msg("%s: line %u does not say \"%s\" (%s)", text, line, words,
                 f.n ? f.list[0].text : "nothing found");
    policy_findings_deinit(&f);
}

static void expect_clean(const char *text)
{
    struct policy_findings f = lint(text);

    if (f.n)
        fail_msg("%s: %u: %s", text, f.list[0].line, f.list[0].text);
    policy_findings_deinit(&f);
}

static void a_policy_without_faults_has_no_findings(void **state)
{
    (void)state;
    expect_clean("a.B +x work mail allow\na.B * work mail deny\na.B * mail @tag:work ask\n"
                 "a.B * mail @adminvm allow\n* * @anyvm @anyvm deny\n");
}

static void a_rule_that_an_earlier_one_covers_is_found(void **state)
{
    static const char *const covered[] = {
        "a.B * work mail deny\na.B * work mail allow",
        "a.B * work mail deny\na.B +x work mail allow",
        "* * work mail deny\na.B +x work mail allow",
        "a.B * @anyvm mail deny\na.B * work mail allow",
        "a.B * * * deny\na.B * @anyvm @adminvm allow",
        "a.B * work @anyvm deny\na.B * work @dispvm allow",
        "a.B * work @anyvm deny\na.B * work @tag:work allow",
        "a.B * work mail deny\na.B ~x+ work mail allow",
        "a.B ~x+ work mail deny\na.B ~x+ work mail allow",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(covered); i++)
        expect(covered[i], 2, "never decides: p/1.policy:1 ");
}

static void a_rule_that_is_not_wholly_covered_is_not_found(void **state)
{
    static const char *const fine[] = {
        "a.B +x work mail deny\na.B * work mail allow",
        "a.B * work mail deny\n* * work mail allow",
        "a.B ~x work mail deny\na.B * work mail allow",
        "a.B ~x work mail deny\na.B ~y work mail allow",
        "a.B * work @anyvm deny\na.B * work @adminvm allow",
        "a.B * work @anyvm deny\na.B * work * allow",
        "a.B * work @anyvm deny\na.B * work @type:AdminVM allow",
        "a.B * work @anyvm deny\na.B * work @tag:z allow", /* dom0 has it */
        "a.B * work @tag:work deny\na.B * work mail allow",
        "a.C * work mail deny\na.B * work mail allow",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        expect_clean(fine[i]);
}

static void names_that_nothing_has_are_found(void **state)
{
    (void)state;
    expect("a.B * wrok mail deny", 1, "source: there is no domain \"wrok\" (\"work\" is there)");
    expect("a.B * work uuid:x deny", 1, "no domain \"uuid:x\"");
    expect("a.B * work @tag:wrk deny", 1, "no domain has the tag \"wrk\"");
    expect("a.B * @type:AppVm mail deny", 1, "no domain has the type \"AppVm\"");
    expect("a.B * work mail allow target=nobody", 1, "target=: there is no domain");
    expect("a.B * work mail ask default_target=nobody", 1, "default_target=: there is no domain");
    expect("a.B * work @dispvm:mail deny", 1, "\"mail\" is no template for disposables");
    expect("a.B * work @dispvm:@tag:x deny", 1, "tag \"x\"");
}

static void a_source_that_is_never_one_is_found(void **state)
{
    (void)state;
    expect("a.B * @dispvm:dvm mail allow", 1, "never matches");
}

static void what_allows_too_much_is_found(void **state)
{
    (void)state;
    expect("a.B * work mail allow user=root", 1, "user=root");
    expect("* * @anyvm @anyvm allow", 1, "every service");
    expect("* * * * allow", 1, "every service");
}

static void an_offline_domain_that_gets_network_is_found(void **state)
{
    (void)state;
    expect("a.B * vault @dispvm:dvm allow", 1, "vault has no network and gets one");
    expect("\na.B * @anyvm @dispvm allow", 2, "work has no network and gets one");
    expect("a.B * vault @anyvm allow target=@dispvm:dvm", 1, "through @dispvm:dvm");
    expect("a.B * vault @default allow target=@dispvm:dvm", 1, "vault");
    expect("a.B * vault @dispvm:dvm ask", 1, "when the user says yes");
    expect_clean("a.B * vault @dispvm:plain-dvm allow");
    expect_clean("a.B * vault @dispvm:dvm deny\na.B * vault @dispvm allow");
    expect_clean("a.B * relay @dispvm:dvm allow"); /* it is a network itself */
}

static void left_over_copies_of_old_files_are_found(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/35-compat.policy", "!compat-4.0"),
                                        FILE_OF("l/a.B", "work mail deny"),
                                        FILE_OF("l/a.B.bak", "work mail allow")};
    struct policy_findings f = lint_files(files, 3, false);

    (void)state;
    assert_int_equal(f.n, 1);
    assert_string_equal(f.list[0].file, "l/a.B.bak");
    assert_non_null(strstr(f.list[0].text, "live policy"));
    policy_findings_deinit(&f);
}

static void without_domains_names_are_not_judged(void **state)
{
    const struct policy_file file = FILE_OF("p/1.policy", "a.B * nobody mail allow user=root");
    struct policy_findings f = lint_files(&file, 1, false);

    (void)state;
    assert_int_equal(f.n, 1);
    policy_findings_deinit(&f);
}

static void an_ask_without_anything_to_choose_is_found(void **state)
{
    static const char *const fine[] = {
        "a.B * work @default ask target=mail",
        "a.B * work @default ask\na.B * work mail allow",
        "a.B * work @default ask\n* * @anyvm mail ask",
        "a.B +x work @default ask\na.B * @tag:work @default allow target=mail",
        "a.B * work @default deny",
        "a.B * work @type:AppVM ask",
        "a.B * @anyvm mail ask", /* of all but mail itself */
        "a.B ~x work mail ask",
        "a.B +x work relay deny\na.B * work relay ask",
    };

    (void)state;
    expect("a.B * work @default ask", 1, "nothing to choose from");
    expect("a.B * work @default ask\na.B * mail vault allow", 1, "nothing to choose from");
    expect("a.B * work @default ask\na.B * work mail deny", 1, "nothing to choose from");
    expect("a.B +x work @default ask\na.B +y work mail allow", 1, "nothing to choose from");
    expect("a.B * work @default ask\na.C * work mail allow", 1, "nothing to choose from");
    expect("a.B * work work ask", 1, "no domain that there is could be chosen");
    expect("a.B * relay hidden ask", 1, "no domain that there is could be chosen");
    expect("* * work vault ask autostart=no", 1, "no domain that there is could be chosen");
    expect("a.B +x work @tag:red ask", 1, "no domain that there is could be chosen");
    expect("a.B * vault @dispvm ask", 1, "no domain that there is could be chosen");
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        expect_clean(fine[i]);
}

static void without_domains_an_ask_is_judged_by_its_rules(void **state)
{
    const struct policy_file bad = FILE_OF("p/1.policy", "a.B * work @default ask");
    const struct policy_file fine = FILE_OF("p/1.policy", "a.B * work work ask");
    struct policy_findings f = lint_files(&bad, 1, false);

    (void)state;
    assert_int_equal(f.n, 1);
    policy_findings_deinit(&f);
    f = lint_files(&fine, 1, false);
    assert_int_equal(f.n, 0);
    policy_findings_deinit(&f);
}

/* The finding about the file's one rule, or NULL. */
static char *lint_service(const char *path, const char *text, const char *const *known, size_t n)
{
    const struct policy_file files[] = {
        {.path = path, .content = text, .len = strlen(text)},
        FILE_OF("p/90-default.policy", "my.Own-Service * work mail deny\n* * @anyvm mail deny")};
    struct policy *p = fixture_load(files, 2);
    struct policy_findings f = {0};
    char *found;

    assert_int_equal(policy_lint_services(p, known, n, &f), 0);
    assert_true(f.n < 2);
    found = f.n ? strdup(f.list[0].text) : NULL;
    if (f.n)
        assert_string_equal(f.list[0].file, path);
    policy_findings_deinit(&f);
    policy_unref(p);
    return found;
}

static void a_misspelt_service_is_found(void **state)
{
    static const struct {
        const char *rule, *meant;
    } cases[] = {
        {"qubes.Filecpoy * work mail deny", "qubes.Filecopy"},
        {"qubes.FileCopy * work mail deny", "qubes.Filecopy"},
        {"qubes.OpenUrl * work mail deny", "qubes.OpenURL"},
        {"qubes.VMSell * work mail deny", "qubes.VMShell"},
        {"qubes.VMExce * work mail deny", "qubes.VMExec"},
        {"my.Own-Servise * work mail deny", "my.Own-Service"}, /* a shipped file names it */
        {"my.Installd * work mail deny", "my.Installed"},
        {"qubes.Filecopy * work mail deny", NULL},
        {"my.Installed * work mail deny", NULL},
        {"my.Own-Service * work mail deny", NULL},
        {"some.Thing-else * work mail deny", NULL},
        {"abc * work mail deny", NULL},
        {"admin.vm.Lits * work mail deny", NULL}, /* not all methods are known */
        {"* * work mail deny", NULL},
    };
    static const char *const installed[] = {"my.Installed", "abd.e"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *text =
            lint_service("p/30-user.policy", cases[i].rule, installed, ARRAY_SIZE(installed));
        _cleanup_(freep) char *words = format_new("is %s meant?", cases[i].meant);

        if (!text != !cases[i].meant || (text && !strstr(text, words)))
            fail_msg("%s: %s", cases[i].rule, text ? text : "nothing found");
    }
}

static void only_shipped_files_make_a_service_known(void **state)
{
    _cleanup_(freep) char *user = lint_service("p/80-x.policy", "qubes.VMSell * a b deny", NULL, 0);
    char *shipped = lint_service("p/91-x.policy", "qubes.VMSell * a b deny", NULL, 0);

    (void)state;
    assert_non_null(user);
    assert_null(shipped);
}

static void all_errors_of_all_files_are_found(void **state)
{
    const struct policy_file files[] = {
        FILE_OF("p/1.policy", "a.B * a\na.B * a b permit\n!include x\n!include gone\n"),
        FILE_OF("p/2.policy", "a.B * a b deny\n!include 2.policy\n!bogus\n"),
        FILE_OF("p/Bad.policy", ""), FILE_OF("p/x", "\nnonsense")};
    static const struct {
        const char *file;
        unsigned line;
    } expected[] = {{"p/1.policy", 1}, {"p/1.policy", 2},   {"p/1.policy", 4}, {"p/2.policy", 2},
                    {"p/2.policy", 3}, {"p/Bad.policy", 0}, {"p/x", 2}};
    struct policy_source s = fixture_source(files, 4);
    struct policy_findings f = {0};

    (void)state;
    assert_int_equal(policy_lint_errors(&s, &f), 0);
    assert_int_equal(f.n, ARRAY_SIZE(expected));
    for (size_t i = 0; i < f.n; i++) {
        assert_string_equal(f.list[i].file, expected[i].file);
        assert_int_equal(f.list[i].line, expected[i].line);
    }
    policy_findings_deinit(&f);
}

static void a_never_line_that_forbids_nothing_is_found(void **state)
{
    static const char never[] = "a.B * work nothere\na.B * nosuch vault\na.B * work @dispvm\n"
                                "* * * @default\na.B * @dispvm:dvm vault\na.B * work vault\n"
                                "a.B * work @dispvm:dvm\na.C * @tag:work @tag:gone\n";
    const struct policy_file files[] = {
        FILE_OF("p/1.policy", "a.B * work mail allow\n"),
        {.path = "p/1.never", .content = never, .len = strlen(never)}};
    struct policy_findings f = lint_files(files, 2, true), blind = lint_files(files, 2, false);

    (void)state;
    assert_int_equal(f.n, 6);
    assert_string_equal(f.list[0].file, "p/1.never");
    assert_non_null(find(&f, 1, "target: there is no domain \"nothere\""));
    assert_non_null(find(&f, 2, "source: there is no domain \"nosuch\""));
    assert_non_null(find(&f, 3, "forbids nothing: no call ends at @dispvm"));
    assert_non_null(find(&f, 4, "forbids nothing: no call ends at @default"));
    assert_non_null(find(&f, 5, "never matches: a source is always a domain"));
    assert_non_null(find(&f, 8, "no domain has the tag \"gone\""));
    assert_int_equal(blind.n, 3);
    policy_findings_deinit(&f);
    policy_findings_deinit(&blind);
}

static void a_disposable_without_autostart_is_found(void **state)
{
    static const char why[] = "with autostart=no only a domain that runs";

    (void)state;
    expect("a.B * work vault ask autostart=no target=@dispvm", 1, why);
    expect("a.B * work vault allow autostart=no target=@dispvm:dvm", 1, why);
    expect("a.B * work @dispvm allow autostart=no", 1, why);
    expect_clean("a.B * work mail allow autostart=no");
    expect_clean("a.B * work @adminvm allow autostart=no");
    expect_clean("a.B * work @dispvm:dvm deny");
}

static void a_rule_that_violates_a_never_line_is_found(void **state)
{
    static const char rules[] = "a.B * work mail allow\na.B * @anyvm @anyvm allow\n";
    static const char never[] = "a.B * @anyvm vault\n";
    const struct policy_file files[] = {
        {.path = "p/1.policy", .content = rules, .len = strlen(rules)},
        {.path = "p/1.never", .content = never, .len = strlen(never)}};
    struct policy_findings f = lint_files(files, 2, true);

    (void)state;
    assert_non_null(find(&f, 2, "p/1.never:1: never, and yet p/1.policy:2 allows a.B"));
    assert_null(find(&f, 1, "never"));
    policy_findings_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_without_faults_has_no_findings),
        cmocka_unit_test(a_rule_that_an_earlier_one_covers_is_found),
        cmocka_unit_test(a_rule_that_is_not_wholly_covered_is_not_found),
        cmocka_unit_test(names_that_nothing_has_are_found),
        cmocka_unit_test(a_source_that_is_never_one_is_found),
        cmocka_unit_test(what_allows_too_much_is_found),
        cmocka_unit_test(an_offline_domain_that_gets_network_is_found),
        cmocka_unit_test(left_over_copies_of_old_files_are_found),
        cmocka_unit_test(without_domains_names_are_not_judged),
        cmocka_unit_test(an_ask_without_anything_to_choose_is_found),
        cmocka_unit_test(without_domains_an_ask_is_judged_by_its_rules),
        cmocka_unit_test(a_misspelt_service_is_found),
        cmocka_unit_test(only_shipped_files_make_a_service_known),
        cmocka_unit_test(all_errors_of_all_files_are_found),
        cmocka_unit_test(a_never_line_that_forbids_nothing_is_found),
        cmocka_unit_test(a_disposable_without_autostart_is_found),
        cmocka_unit_test(a_rule_that_violates_a_never_line_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
