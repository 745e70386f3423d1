/* Which choices an ask offers, and what becomes of the answer. */
#include "tests/unit/policy-engine/lib/fixture.h"

static void a_target_parameter_is_the_one_choice(void **state)
{
    (void)state;
    DECIDE("a.B * work @anyvm ask target=vault", "a.B", "work", "mail", "ask vault");
    DECIDE("a.B * work @anyvm ask target=nobody", "a.B", "work", "mail", "ask nobody");
    DECIDE("a.B * work @anyvm ask target=@dispvm", "a.B", "work", "mail", "ask @dispvm");
    DECIDE("a.B * work @anyvm ask target=@adminvm", "a.B", "work", "mail", "ask dom0");
    DECIDE("a.B * work @anyvm ask target=vault autostart=no", "a.B", "work", "mail",
           "deny no-target");
    DECIDE("a.B * work @anyvm ask target=mail autostart=no", "a.B", "work", "mail", "ask mail");
}

static void later_rules_take_from_and_add_to_the_choices(void **state)
{
    (void)state;
    DECIDE("a.B * work @default ask\na.B * work mail allow\na.B * work vault ask\n", "a.B", "work",
           "", "ask mail vault");
    DECIDE("a.B * work mail deny\na.B * work @default ask\na.B * work @tag:work allow\n"
           "a.B * work vault ask\n",
           "a.B", "work", "", "ask vault");
    DECIDE("a.B * work @default ask\na.B * work mail allow\na.B * work @anyvm deny\n", "a.B",
           "work", "", "ask mail");
    DECIDE("a.B * work @default ask\na.B * vault mail allow\na.C * work mail allow\n"
           "a.B +x work mail allow\n",
           "a.B", "work", "", "deny no-target");
    DECIDE("a.B * work @default ask\na.B * work mail allow target=relay\n", "a.B", "work", "",
           "ask relay");
}

static void every_domain_but_the_source_and_the_internal_ones(void **state)
{
    (void)state;
    DECIDE("a.B * work @anyvm ask", "a.B", "work", "mail",
           "ask @dispvm:dvm @dispvm:plain-dvm dvm far mail plain-dvm relay vault");
    DECIDE("a.B * mail * ask", "a.B", "mail", "work",
           "ask @dispvm:dvm @dispvm:plain-dvm dom0 dvm far plain-dvm relay vault work");
    DECIDE("a.B * work @anyvm ask autostart=no", "a.B", "work", "mail", "ask mail relay");
    DECIDE("a.B * work hidden ask", "a.B", "work", "hidden", "deny no-target");
}

static void disposables_are_offered_by_template(void **state)
{
    (void)state;
    DECIDE("a.B * work @dispvm ask", "a.B", "work", "@dispvm", "ask @dispvm:dvm");
    DECIDE("a.B * vault @dispvm ask", "a.B", "vault", "@dispvm", "deny no-target");
    DECIDE("a.B * work @dispvm:@tag:dvms ask", "a.B", "work", "@dispvm", "ask @dispvm:dvm");
    DECIDE("a.B * work @dispvm:dvm ask\na.B * work @dispvm:mail ask", "a.B", "work", "@dispvm:dvm",
           "ask @dispvm:dvm");
}

static void the_default_is_kept_only_among_the_choices(void **state)
{
    (void)state;
    DECIDE("a.B * work @tag:work ask default_target=mail", "a.B", "work", "mail", "ask mail!");
    DECIDE("a.B * work mail ask default_target=vault", "a.B", "work", "mail", "ask mail");
    DECIDE("a.B * work mail ask default_target=uuid:" UUID(2), "a.B", "work", "mail", "ask mail");
    DECIDE("a.B * work @dispvm ask default_target=@dispvm", "a.B", "work", "@dispvm",
           "ask @dispvm:dvm!");
    DECIDE("a.B * work @dispvm ask target=@dispvm default_target=@dispvm", "a.B", "work", "@dispvm",
           "ask @dispvm");
    DECIDE("a.B * work mail ask target=uuid:" UUID(2) " default_target=uuid:" UUID(2), "a.B",
           "work", "mail", "ask uuid:" UUID(2) "!");
    DECIDE("a.B * vault mail ask default_target=@dispvm", "a.B", "vault", "mail", "ask mail");
    DECIDE("a.B * work @adminvm ask default_target=@adminvm", "a.B", "work", "dom0", "ask dom0!");
}

/* The verdict after the user chose. */
static const char *answer(const char *text, const char *source, const char *target,
                          const char *chosen)
{
    struct policy *p = fixture_policy(text);
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {.service = "a.B", .source = source, .target = target};
    struct policy_verdict asked = {0}, v = {0};
    const char *result;

    assert_int_equal(policy_decide(p, d, &q, &asked), 0);
    assert_int_equal(asked.action, POLICY_ASK);
    assert_int_equal(policy_answer_ask(p, d, &q, &asked, chosen, &v), 0);
    assert_string_equal(v.rule_file, "p/30-user.policy");
    result = verdict_text(&v);
    policy_verdict_deinit(&v);
    policy_verdict_deinit(&asked);
    policy_domains_unref(d);
    policy_unref(p);
    return result;
}

static void only_a_choice_is_carried_out(void **state)
{
    (void)state;
    assert_string_equal(answer("a.B * work mail ask", "work", "mail", "mail"), "allow mail");
    assert_string_equal(answer("a.B * work mail ask", "work", "mail", "vault"), "deny bad-answer");
    assert_string_equal(answer("a.B * work mail ask", "work", "mail", ""), "deny bad-answer");
    assert_string_equal(answer("a.B * work mail ask", "work", "mail", NULL), "deny user quiet");
    assert_string_equal(answer("a.B * work mail ask notify=yes", "work", "mail", NULL),
                        "deny user");
}

static void a_choice_is_resolved_when_it_is_made(void **state)
{
    (void)state;
    assert_string_equal(answer("a.B * work mail ask target=@dispvm", "work", "mail", "@dispvm"),
                        "allow @dispvm:dvm");
    assert_string_equal(answer("a.B * work mail ask target=nobody", "work", "mail", "nobody"),
                        "deny no-target");
    assert_string_equal(answer("a.B * work mail ask target=work", "work", "mail", "work"),
                        "deny loopback");
    assert_string_equal(answer("a.B * work far ask", "work", "far", "far"),
                        "allow relay as qubesair.SSHProxy+far+a.B+");
}

static void without_a_guivm_nobody_can_be_asked(void **state)
{
    (void)state;
    assert_string_equal(answer("a.B * relay mail ask", "relay", "mail", "mail"), "deny no-guivm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_parameter_is_the_one_choice),
        cmocka_unit_test(later_rules_take_from_and_add_to_the_choices),
        cmocka_unit_test(every_domain_but_the_source_and_the_internal_ones),
        cmocka_unit_test(disposables_are_offered_by_template),
        cmocka_unit_test(the_default_is_kept_only_among_the_choices),
        cmocka_unit_test(only_a_choice_is_carried_out),
        cmocka_unit_test(a_choice_is_resolved_when_it_is_made),
        cmocka_unit_test(without_a_guivm_nobody_can_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
