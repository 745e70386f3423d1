/* What a person is told about a verdict, and that the advice works. */
#include "tests/unit/policy-engine/lib/fixture.h"

static char *explain_request(const struct policy_file *files, size_t n,
                             const struct policy_request *q)
{
    struct policy *p = fixture_load(files, n);
    struct policy_domains *d = fixture_domains();
    char *text = NULL;

    assert_int_equal(policy_explain(p, d, q, &text), 0);
    policy_domains_unref(d);
    policy_unref(p);
    return text;
}

static char *explain_files(const struct policy_file *files, size_t n, const char *source,
                           const char *target)
{
    return explain_request(
        files, n,
        &(struct policy_request){
            .service = "a.B", .argument = "+x", .source = source, .target = target});
}

static char *explain(const char *text, const char *source, const char *target)
{
    const struct policy_file f = {.path = "p/30-user.policy", .content = text, .len = strlen(text)};

    return explain_files(&f, 1, source, target);
}

static void expect(char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("not in the text: %s\n%s", words, text);
    free(text);
}

static void expect_not(char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("in the text: %s\n%s", words, text);
    free(text);
}

static void the_rule_is_shown_with_its_place_and_text(void **state)
{
    (void)state;
    expect(explain("# c\na.B\t*  work mail  allow user=x", "work", "mail"),
           "Decided by\n  p/30-user.policy:2: a.B * work mail allow user=x\n");
    expect(explain("a.B * work mail allow user=x", "work", "mail"), "goes to mail as user x");
    expect(explain("a.B * work @tag:work ask", "work", "mail"), "the user chooses among: mail\n");
}

static void earlier_rules_tell_the_column_that_did_not_match(void **state)
{
    static const char rules[] = "a.B +y work mail allow\na.B * vault mail allow\n"
                                "a.B * work relay allow\nother * work mail allow\n"
                                "a.B * work mail deny\n";

    (void)state;
    expect(explain(rules, "work", "mail"), "argument +x is not +y");
    expect(explain(rules, "work", "mail"), "source work is not vault");
    expect(explain(rules, "work", "mail"), "target mail is not relay");
    expect_not(explain(rules, "work", "mail"), "other");
}

static void words_are_told_with_what_they_stand_for(void **state)
{
    (void)state;
    expect(explain("", "work", "@dispvm"), "default_dispvm, dvm");
    expect(explain("", "work", "mail"), "source work: AppVM, Running, tags work red");
    expect(explain("", "work", "dvm"), "template for disposables");
    expect(explain("", "nobody", "mail"), "source nobody: no such domain");
}

static void a_refusal_names_the_line_that_would_allow_it(void **state)
{
    (void)state;
    expect(explain("", "work", "mail"),
           "add this line to p/30-user.policy:\n  a.B +x work mail allow\n");
    expect(explain("a.B * vault mail allow", "work", "mail"),
           "add this line to the end of p/30-user.policy:\n  a.B +x work mail allow\n");
    expect(explain("a.B * work mail deny", "work", "mail"),
           "at the top of p/30-user.policy:\n  a.B +x work mail allow\n");
    expect(explain("", "work", ""), "a.B +x work @default allow target=DOMAIN");
    expect(explain("", "work", "@dispvm"), "  a.B +x work @dispvm allow\n");
}

static void the_line_goes_where_it_is_read_first(void **state)
{
    const struct policy_file early[] = {FILE_OF("p/10-a.policy", "!include x"),
                                        FILE_OF("p/x", "a.B * work mail deny")};
    const struct policy_file earliest[] = {FILE_OF("p/00-a.policy", "\na.B * work mail deny")};
    const struct policy_file late[] = {FILE_OF("p/90-a.policy", "a.B * work mail deny")};

    (void)state;
    expect(explain_files(early, 2, "work", "mail"), "at the top of p/00-user.policy");
    expect(explain_files(earliest, 1, "work", "mail"), "above line 2 of p/00-a.policy");
    expect(explain_files(late, 1, "work", "mail"), "at the top of p/30-user.policy");
}

/* What other files include may have three columns, and a line number is of that file. */
static void a_line_stays_out_of_included_files(void **state)
{
    const struct policy_file three[] = {FILE_OF("p/00-a.policy", "!include-service a.B * x"),
                                        FILE_OF("p/x", "$anyvm mail deny")};
    const struct policy_file old[] = {FILE_OF("p/00-a.policy", "!compat-4.0"),
                                      FILE_OF("l/a.B+x", "")};

    (void)state;
    expect(explain_files(three, 2, "work", "mail"), "at the top of p/00-a.policy:\n  a.B +x");
    expect(explain_files(old, 2, "work", "mail"), "at the top of p/00-a.policy:\n  a.B +x");
}

static void the_early_file_needs_no_reason_but_another(void **state)
{
    const struct policy_file own[] = {FILE_OF("p/00-user.policy", "a.B * work mail deny")};
    const struct policy_file early[] = {FILE_OF("p/10-a.policy", "a.B * work mail deny")};

    (void)state;
    expect(explain_files(own, 1, "work", "mail"), "at the top of p/00-user.policy:\n");
    expect(explain_files(early, 1, "work", "mail"),
           "at the top of p/00-user.policy (it must be read before 10-a.policy):\n");
}

#define DENY_ALL FILE_OF("p/90-a.policy", "* * @anyvm @anyvm deny")

static void no_line_is_offered_that_a_never_line_forbids(void **state)
{
    const struct policy_file all[] = {DENY_ALL, FILE_OF("p/50.never", "#\na.B * work vault")};
    const struct policy_file other[] = {DENY_ALL, FILE_OF("p/50.never", "a.B * work vault")};
    const struct policy_file caught[] = {FILE_OF("p/20-a.policy", "a.B * @tag:x * deny"),
                                         FILE_OF("p/50.never", "a.B * @tag:x vault")};
    const struct policy_file tagged[] = {DENY_ALL, FILE_OF("p/50.never", "a.B * @tag:x vault")};

    (void)state;
    expect(explain_files(all, 2, "work", "vault"),
           "p/50.never:2 says that this may never be, whatever a rule allows: a.B * work vault\n"
           "No rule can allow this call while that line is there");
    expect_not(explain_files(all, 2, "work", "vault"), "this line");
    expect(explain_files(other, 2, "mail", "vault"), "  a.B +x mail vault allow\n");
    /* a tag that work may get some day, and what is read before the line */
    expect_not(explain_files(tagged, 2, "work", "vault"), "this line");
    expect(explain_files(caught, 2, "work", "vault"), "  a.B +x work vault allow\n");
}

/* An ask offers what other rules allow: so another rule may break the never line with the new one.
 */
static void a_line_that_makes_another_rule_break_a_never_line_is_not_offered(void **state)
{
    const struct policy_file f[] = {FILE_OF("p/20-a.policy", "a.B * work @default ask\n"
                                                             "* * @anyvm @anyvm deny"),
                                    FILE_OF("p/50.never", "a.B * work vault ask")};
    const struct policy_file broken[] = {FILE_OF("p/20-a.policy", "a.C * work vault allow\n"),
                                         FILE_OF("p/50.never", "a.C * work vault")};

    (void)state;
    expect(explain_files(f, 2, "work", "vault"),
           "another rule would ask for too much: p/50.never:1 says that ");
    expect_not(explain_files(f, 2, "work", "vault"), "this line");
    /* what is broken already is not the new line's fault */
    expect(explain_files(broken, 2, "work", "vault"), "  a.B +x work vault allow\n");
}

static void where_never_forbids_an_allow_alone_a_question_is_offered(void **state)
{
    const struct policy_file f[] = {DENY_ALL, FILE_OF("p/50.never", "a.B * work vault allow")};

    (void)state;
    expect(explain_files(f, 2, "work", "vault"),
           "p/50.never:1 says that no rule may allow this without a question");
    expect(explain_files(f, 2, "work", "vault"), "  a.B +x work vault ask target=vault\n");
}

static void an_argument_that_no_line_can_name_gets_a_wider_line(void **state)
{
    const struct policy_file f = FILE_OF("p/30-user.policy", "a.B * work mail deny");
    struct policy_request q = {
        .service = "a.B", .argument = "+x:y", .source = "work", .target = "mail"};

    (void)state;
    expect(explain_request(&f, 1, &q), "No line can name the argument +x:y ");
    expect(explain_request(&f, 1, &q), "To allow this service with any argument, put this line at "
                                       "the top of p/30-user.policy:\n  a.B * work mail allow\n");
    q.service = "a:B";
    expect(explain_request(&f, 1, &q), "No line can name the service a:B ");
    expect_not(explain_request(&f, 1, &q), "this line");
}

/* Puts the advice into the file that it names, and asks again. */
static void the_advice_works(void **state)
{
    static const char *const targets[] = {"mail",        "dom0", "@dispvm",
                                          "@dispvm:dvm", "far",  "uuid:" UUID(2)};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_(freep) char *text = explain("* * @anyvm * deny\n", "work", targets[i]);
        char *line = strstr(text, "  a.B +x");
        _cleanup_(freep) char *policy = NULL;

        assert_non_null(line);
        policy = format_new("%.*s\n* * @anyvm * deny\n", (int)strcspn(line, "\n"), line);
        assert_int_equal(
            strncmp(decide_from(policy, "a.B+x", "work", targets[i], NULL), "allow", 5), 0);
        assert_int_equal(strncmp(decide_from(policy, "a.B+y", "work", targets[i], NULL), "deny", 4),
                         0);
        assert_int_equal(strncmp(decide_from(policy, "a.B+x", "mail", targets[i], NULL), "deny", 4),
                         0);
    }
}

static void no_line_is_offered_where_none_helps(void **state)
{
    (void)state;
    expect_not(explain("", "work", "work"), "a.B +x work work allow");
    expect(explain("", "work", "work"), "cannot call itself");
    expect_not(explain("", "work", "@tag:work"), "  a.B +x work");
    expect_not(explain("", "work", "@dispvm:mail"), "  a.B +x work");
    expect_not(explain("a.B * * * allow", "work", "mail"), "this line");
}

static void a_property_in_the_way_is_named_with_its_command(void **state)
{
    (void)state;
    expect(explain("a.B * * * allow", "work", "@dispvm:mail"),
           "qvm-prefs mail template_for_dispvms True");
    expect(explain("a.B * * * allow", "vault", "@dispvm"), "qvm-prefs vault default_dispvm");
    expect(explain("", "vault", "@dispvm"), "still in the way: vault has no default_dispvm");
    expect(explain("a.B * * * allow autostart=no", "work", "vault"), "qvm-start vault");
    expect(explain("a.B * relay mail ask", "relay", "mail"), "qvm-prefs relay guivm dom0");
}

static void what_cannot_be_started_is_not_to_be_started(void **state)
{
    static const char *const rules = "a.B * * * allow autostart=no";

    (void)state;
    expect_not(explain(rules, "work", "@dispvm:dvm"), "tart it");
    expect_not(explain(rules, "work", "@dispvm:dvm"), "qvm-start");
    expect(explain(rules, "work", "@dispvm:dvm"),
           "Remove autostart=no from p/30-user.policy:1; nothing can be started");
    expect_not(explain(rules, "work", "far"), "qvm-start");
    expect_not(explain("a.B * * * allow autostart=no target=@dispvm:dvm", "work", "mail"),
               "qvm-start");
    expect(explain(rules, "work", "uuid:" UUID(3)), "  qvm-start vault\n");
}

static void an_ask_that_autostart_empties_names_what_is_not_running(void **state)
{
    static const char *const rules = "#\na.B * work vault ask autostart=no";

    (void)state;
    expect(explain(rules, "work", "vault"),
           "Nothing is running that the rule offers: vault.\nStart it, or remove autostart=no from "
           "p/30-user.policy:2:\n  qvm-start vault\n");
    expect_not(explain(rules, "work", "vault"), "this line");
    expect(explain("a.B * work @dispvm:dvm ask autostart=no", "work", "@dispvm:dvm"),
           "Remove autostart=no from p/30-user.policy:1;");
    expect(explain("a.B * vault @dispvm ask", "vault", "@dispvm"),
           "vault has no default_dispvm. Give it one:\n  qvm-prefs vault default_dispvm TEMPLATE");
}

static void an_ask_does_not_become_an_allow(void **state)
{
    (void)state;
    expect(explain("a.B * work @default ask", "work", ""),
           "  a.B +x work @default ask target=DOMAIN\n");
    expect(explain("a.B * work hidden ask", "work", "hidden"),
           "  a.B +x work hidden ask target=hidden\n");
}

/* With target= the name that was asked for is not what the call fails on. */
static void a_misspelt_target_does_not_hide_the_cause(void **state)
{
    (void)state;
    expect(explain("a.B * * * allow target=@dispvm:vault", "work", "zz"),
           "in the place of target=@dispvm:vault in p/30-user.policy:1");
    expect(explain("a.B * * * allow target=@dispvm:vault", "work", "zz"),
           "  qvm-prefs vault template_for_dispvms True\nThere is no domain \"zz\"");
    expect(explain("a.B * * * allow target=@dispvm:nil", "work", "zz"),
           "Mend target=@dispvm:nil in p/30-user.policy:1. There is no domain \"nil\"");
    expect(explain("a.B * * * allow target=@dispvm", "vault", "zz"),
           "  qvm-prefs vault default_dispvm TEMPLATE\nThere is no domain \"zz\"");
    expect(explain("a.B * * * allow target=work", "work", "zz"),
           "name another domain in target=work in p/30-user.policy:1.\nThere is no domain \"zz\"");
}

static void a_misspelt_target_is_guessed(void **state)
{
    (void)state;
    expect(explain("", "work", "vualt"), "Is \"vault\" meant?");
    expect(explain("", "work", "@dispvm:dvmm"), "Is \"dvm\" meant?");
    expect(explain("", "work", "something-else"), "There is no domain \"something-else\"");
}

static void a_misspelt_source_is_guessed_and_gets_no_line(void **state)
{
    (void)state;
    expect(explain("", "wrok", "mail"), "There is no domain \"wrok\". Is \"work\" meant?");
    expect_not(explain("", "wrok", "mail"), "a.B +x wrok mail allow");
}

static void a_misspelt_service_is_guessed(void **state)
{
    (void)state;
    expect(explain("A.b * work mail allow", "work", "mail"),
           "names the service a.B. Is A.b meant?");
    expect(explain("a.C * work mail allow", "work", "mail"), "Is a.C meant?");
    expect(explain("a.C * work mail allow", "work", "mail"), "  a.B +x work mail allow\n");
    expect_not(explain("a.C * work mail allow\na.B * x y deny", "work", "mail"), "meant");
    expect_not(explain("else.Where * work mail allow", "work", "mail"), "meant");
    expect_not(explain("* * work vault allow", "work", "mail"), "meant");
    expect_not(explain("a.C * work mail allow\na.B * work mail allow", "work", "mail"), "meant");
}

static void a_redirect_to_nowhere_is_named(void **state)
{
    (void)state;
    expect(explain("\na.B * work mail allow target=vualt", "work", "mail"),
           "Mend target=vualt in p/30-user.policy:2. There is no domain \"vualt\". Is \"vault\" "
           "meant?");
    expect_not(explain("a.B * work mail allow target=vualt", "work", "mail"), "this line");
    /* an ask without choices is another matter */
    expect(explain("a.B * work @default ask", "work", ""), "this line");
}

static void what_the_caller_must_change_is_said(void **state)
{
    (void)state;
    expect(explain("", "work", "@anyvm"), "the caller has to ask for one of these");
    expect_not(explain("", "work", "@anyvm"), "this line");
}

static void a_relay_that_may_not_speak_for_another_is_told_how(void **state)
{
    struct policy *p = fixture_policy("a.B * far mail allow");
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {
        .service = "a.B", .source = "work", .target = "mail", .requested_source = "far"};
    char *text = NULL;

    (void)state;
    assert_int_equal(policy_explain(p, d, &q, &text), 0);
    expect(text, "qvm-prefs far relayvm work");
    q.source = "relay";
    assert_int_equal(policy_explain(p, d, &q, &text), 0);
    expect(text, "allowed: a.B+ from far to mail (through relay)");
    policy_domains_unref(d);
    policy_unref(p);
}

static void one_that_cannot_be_spoken_for_is_told(void **state)
{
    const struct policy_file f = FILE_OF("p/30-user.policy", "a.B * * * allow");
    struct policy_request q = {
        .service = "a.B", .source = "work", .target = "mail", .requested_source = "ghost"};

    (void)state;
    expect(explain_request(&f, 1, &q), "There is no domain \"ghost\"");
    expect_not(explain_request(&f, 1, &q), "qvm-prefs");
    q.requested_source = "vault";
    expect(explain_request(&f, 1, &q), "vault is no RemoteVM");
    expect_not(explain_request(&f, 1, &q), "qvm-prefs");
}

static void each_reason_is_told_in_words(void **state)
{
    (void)state;
    expect(explain("a.B * * * allow", "work", "work"), "none can call itself");
    expect(explain("a.B * * * allow", "work", "work"), "No line of policy changes that");
    expect(explain("a.B * * * allow", "work", "vault"), "goes to vault as user DEFAULT");
    expect(explain("a.B * * * allow autostart=no", "work", "vault"), "has autostart=no");
    expect(explain("a.B * * * allow", "work", "far"), "its relay is called, for qubesair.SSHProxy");
    expect(explain("a.B * * * allow", "vault", "@dispvm"), "vault has no default_dispvm");
    expect(explain("a.B * * * deny", "work", "vault"), "a rule forbids it");
    expect(explain("a.B * vault mail ask", "vault", "mail"), "no guivm to ask in");
}

static void a_remote_domain_without_a_relay_gets_the_commands(void **state)
{
    const struct policy_domain all[] = {{.name = "work", .type = "AppVM"},
                                        {.name = "lost", .type = "RemoteVM"}};
    struct policy *p = fixture_policy("a.B * work lost allow");
    struct policy_request q = {.service = "a.B", .source = "work", .target = "lost"};
    struct policy_domains *d = NULL;
    char *text = NULL;

    (void)state;
    assert_int_equal(policy_domains_new(1, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(policy_domains_add(d, &all[i]), 0);
    assert_int_equal(policy_explain(p, d, &q, &text), 0);
    assert_non_null(strstr(text, "has no relayvm or no transport_rpc"));
    expect(text, "qvm-prefs lost transport_rpc SERVICE");
    policy_domains_unref(d);
    policy_unref(p);
}

static void an_expression_that_gives_up_is_told(void **state)
{
    struct policy *p = fixture_policy("a.B ~(a+)+[bc] work mail allow");
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {.service = "a.B",
                               .argument = "+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                               .source = "work",
                               .target = "mail"};
    char *text = NULL;

    (void)state;
    assert_int_equal(policy_explain(p, d, &q, &text), 0);
    expect(text, "expression took too long");
    policy_domains_unref(d);
    policy_unref(p);
}

static void expect_in_run(const struct policy_file *files, size_t n, const char *words)
{
    static const char *const dirs[] = {"run", "etc", NULL};
    struct policy_source source = {.dirs = dirs, .files = files, .n_files = n, .files_only = true};
    struct policy_request q = {
        .service = "a.B", .argument = "+x", .source = "work", .target = "mail"};
    struct policy_domains *d = fixture_domains();
    struct policy_error e = {0};
    struct policy *p = NULL;
    char *text = NULL;

    assert_int_equal(policy_load(&source, &p, &e), 0);
    assert_int_equal(policy_explain(p, d, &q, &text), 0);
    expect(text, words);
    policy_domains_unref(d);
    policy_unref(p);
}

/* Of two files of one name the first is read: the line must go there. */
static void the_line_goes_into_the_file_that_is_read(void **state)
{
    const struct policy_file rules[] = {FILE_OF("run/30-user.policy", "a.B * work mail deny"),
                                        FILE_OF("etc/30-user.policy", "a.B * work mail allow"),
                                        FILE_OF("etc/90-x.policy", "* * @anyvm @anyvm deny")};
    const struct policy_file bare[] = {FILE_OF("run/30-user.policy", "# mine"),
                                       FILE_OF("etc/30-user.policy", "a.B * work mail allow"),
                                       FILE_OF("etc/90-x.policy", "* * @anyvm @anyvm deny")};
    const struct policy_file included[] = {FILE_OF("run/README", ""),
                                           FILE_OF("etc/d/30-user.policy", "# mine"),
                                           FILE_OF("etc/90-x.policy", "!include-dir d\n"
                                                                      "* * @anyvm @anyvm deny")};

    (void)state;
    expect_in_run(rules, ARRAY_SIZE(rules), "at the top of run/30-user.policy:\n");
    expect_in_run(bare, ARRAY_SIZE(bare), "at the top of run/30-user.policy:\n");
    expect_in_run(included, ARRAY_SIZE(included), "at the top of etc/30-user.policy:\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_is_shown_with_its_place_and_text),
        cmocka_unit_test(earlier_rules_tell_the_column_that_did_not_match),
        cmocka_unit_test(words_are_told_with_what_they_stand_for),
        cmocka_unit_test(a_refusal_names_the_line_that_would_allow_it),
        cmocka_unit_test(the_line_goes_where_it_is_read_first),
        cmocka_unit_test(a_line_stays_out_of_included_files),
        cmocka_unit_test(the_early_file_needs_no_reason_but_another),
        cmocka_unit_test(no_line_is_offered_that_a_never_line_forbids),
        cmocka_unit_test(a_line_that_makes_another_rule_break_a_never_line_is_not_offered),
        cmocka_unit_test(where_never_forbids_an_allow_alone_a_question_is_offered),
        cmocka_unit_test(an_argument_that_no_line_can_name_gets_a_wider_line),
        cmocka_unit_test(the_advice_works),
        cmocka_unit_test(no_line_is_offered_where_none_helps),
        cmocka_unit_test(a_property_in_the_way_is_named_with_its_command),
        cmocka_unit_test(what_cannot_be_started_is_not_to_be_started),
        cmocka_unit_test(an_ask_that_autostart_empties_names_what_is_not_running),
        cmocka_unit_test(an_ask_does_not_become_an_allow),
        cmocka_unit_test(a_misspelt_target_does_not_hide_the_cause),
        cmocka_unit_test(a_misspelt_target_is_guessed),
        cmocka_unit_test(a_misspelt_source_is_guessed_and_gets_no_line),
        cmocka_unit_test(a_misspelt_service_is_guessed),
        cmocka_unit_test(the_line_goes_into_the_file_that_is_read),
        cmocka_unit_test(each_reason_is_told_in_words),
        cmocka_unit_test(a_remote_domain_without_a_relay_gets_the_commands),
        cmocka_unit_test(an_expression_that_gives_up_is_told),
        cmocka_unit_test(a_redirect_to_nowhere_is_named),
        cmocka_unit_test(what_the_caller_must_change_is_said),
        cmocka_unit_test(a_relay_that_may_not_speak_for_another_is_told_how),
        cmocka_unit_test(one_that_cannot_be_spoken_for_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
