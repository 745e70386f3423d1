/* What a request gets: first match, tokens, allow, deny, remote sources. */
#include "tests/unit/policy-engine/lib/fixture.h"

static void first_match_wins(void **state)
{
    (void)state;
    DECIDE("a.B * work mail deny\na.B * work mail allow\n", "a.B", "work", "mail", "deny policy");
    DECIDE("a.B * work mail allow\na.B * work mail deny\n", "a.B", "work", "mail", "allow mail");
    /* in whichever bucket of the index it lies */
    DECIDE("* * work mail deny\na.B +x work mail allow\n", "a.B+x", "work", "mail", "deny policy");
    DECIDE("a.B * work mail deny\na.B +x work mail allow\n", "a.B+x", "work", "mail",
           "deny policy");
    DECIDE("a.B ~x work mail deny\na.B +x work mail allow\n", "a.B+x", "work", "mail",
           "deny policy");
    DECIDE("a.B +x work mail allow\na.B ~x work mail deny\n* * work mail deny\n", "a.B+x", "work",
           "mail", "allow mail");
}

static void what_no_rule_allows_is_denied(void **state)
{
    (void)state;
    DECIDE("", "a.B", "work", "mail", "deny no-match");
    DECIDE("a.C * work mail allow", "a.B", "work", "mail", "deny no-match");
    DECIDE("a.B +x work mail allow", "a.B", "work", "mail", "deny no-match");
    DECIDE("a.B + work mail allow", "a.B+x", "work", "mail", "deny no-match");
    DECIDE("a.B + work mail allow", "a.B", "work", "mail", "allow mail");
    DECIDE("a.B * work mail allow", "a.b", "work", "mail", "deny no-match");
}

static void domains_match_by_name_and_uuid(void **state)
{
    (void)state;
    DECIDE("a.B * uuid:" UUID(1) " mail allow", "a.B", "work", "uuid:" UUID(2),
           "allow uuid:" UUID(2));
    DECIDE("a.B * work uuid:" UUID(2) " allow", "a.B", "uuid:" UUID(1), "mail", "allow mail");
    DECIDE("a.B * nobody mail allow", "a.B", "nobody", "mail", "allow mail");
    DECIDE("a.B * @type:AppVM @tag:work allow", "a.B", "work", "mail", "allow mail");
    DECIDE("a.B * @tag:red @anyvm allow", "a.B", "mail", "work", "deny no-match");
}

static void dom0_has_three_spellings(void **state)
{
    static const char *const rules[] = {"a.B * work @adminvm allow", "a.B * work dom0 allow",
                                        "a.B * work uuid:" ZERO_UUID " allow"};
    static const char *const asked[] = {"dom0", "@adminvm", ("uuid:" ZERO_UUID)};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            DECIDE(rules[i], "a.B", "work", asked[k], "allow dom0");
    DECIDE("a.B * work @anyvm allow", "a.B", "work", "dom0", "deny no-match");
    DECIDE("a.B * work * allow", "a.B", "work", "dom0", "allow dom0");
    DECIDE("a.B * work @tag:z allow", "a.B", "work", "dom0", "allow dom0");
    DECIDE("a.B * work @type:AdminVM allow", "a.B", "work", "uuid:" ZERO_UUID, "allow dom0");
    DECIDE("a.B * work @tag:z allow", "a.B", "work", "@adminvm", "deny no-match");
    DECIDE("a.B * dom0 work allow", "a.B", "@adminvm", "work", "allow work");
    for (size_t k = 0; k < 3; k++)
        DECIDE("a.B * * * allow", "a.B", "dom0", asked[k], "deny loopback");
}

static void what_names_no_domain_is_the_default(void **state)
{
    (void)state;
    DECIDE("a.B * work @default allow target=mail", "a.B", "work", "", "allow mail");
    DECIDE("a.B * work @default allow target=mail", "a.B", "work", NULL, "allow mail");
    DECIDE("a.B * work @default allow target=mail", "a.B", "work", "nobody", "allow mail");
    DECIDE("a.B * work @default allow target=mail", "a.B", "work", "uuid:nothing", "allow mail");
    DECIDE("a.B * work nobody allow", "a.B", "work", "nobody", "deny no-match");
    DECIDE("a.B * work @anyvm allow", "a.B", "work", "@default", "deny no-target");
    DECIDE("a.B * work @anyvm allow target=nobody", "a.B", "work", "mail", "deny no-target");
}

static void a_caller_may_not_use_every_token(void **state)
{
    static const char *const bad[] = {"*",           "@anyvm",   "@tag:work",
                                      "@type:AppVM", "@dispvm:", "@dispvm:@tag:dvms",
                                      "@bogus",      "uuid:",    "@tag:"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        DECIDE("a.B * * * allow", "a.B", "work", bad[i], "deny invalid-target");
    DECIDE("a.B * * * allow", "a.B", "@dispvm:dvm", "mail", "deny invalid-source");
    DECIDE("a.B * * * allow", "a.B", "@anyvm", "mail", "deny invalid-source");
    DECIDE("a.B * * * allow", "a.B", "", "mail", "deny invalid-source");
}

static void disposables_come_from_templates_only(void **state)
{
    (void)state;
    DECIDE("a.B * * * allow", "a.B", "work", "@dispvm:mail", "deny not-dispvm-template");
    DECIDE("a.B * * * allow", "a.B", "work", "@dispvm:nobody", "deny not-dispvm-template");
    DECIDE("a.B * * * allow", "a.B", "work", "@dispvm:dvm", "allow @dispvm:dvm");
    DECIDE("a.B * * * allow", "a.B", "work", "@dispvm:uuid:" UUID(4),
           "allow @dispvm:uuid:" UUID(4));
    DECIDE("a.B * * @anyvm allow target=@dispvm:mail", "a.B", "work", "mail",
           "deny not-dispvm-template");
}

static void the_default_disposable_is_the_sources(void **state)
{
    (void)state;
    DECIDE("a.B * * @dispvm allow", "a.B", "work", "@dispvm", "allow @dispvm:dvm");
    DECIDE("a.B * * @dispvm allow", "a.B", "mail", "@dispvm", "allow @dispvm:plain-dvm");
    DECIDE("a.B * * @dispvm allow", "a.B", "vault", "@dispvm", "deny no-dispvm");
    DECIDE("a.B * * @dispvm:dvm allow", "a.B", "work", "@dispvm", "allow @dispvm:dvm");
    DECIDE("a.B * * @dispvm:dvm allow", "a.B", "mail", "@dispvm", "deny no-match");
    DECIDE("a.B * * @dispvm:uuid:" UUID(4) " allow", "a.B", "work", "@dispvm", "deny no-match");
    DECIDE("a.B * * @dispvm:uuid:" UUID(4) " allow", "a.B", "work", "@dispvm:dvm",
           "allow @dispvm:dvm");
    DECIDE("a.B * * @dispvm:@tag:dvms allow", "a.B", "work", "@dispvm", "allow @dispvm:dvm");
    DECIDE("a.B * * @dispvm:@tag:dvms allow", "a.B", "mail", "@dispvm", "deny no-match");
    DECIDE("a.B * * @dispvm allow", "a.B", "work", "@dispvm:dvm", "deny no-match");
}

static void a_domain_may_not_call_itself(void **state)
{
    (void)state;
    DECIDE("a.B * * * allow", "a.B", "work", "work", "deny loopback");
    DECIDE("a.B * * * allow target=work", "a.B", "work", "mail", "deny loopback");
    DECIDE("a.B * * * allow", "a.B", "work", "uuid:" UUID(1), "allow uuid:" UUID(1));
}

static void without_autostart_only_what_runs_is_called(void **state)
{
    (void)state;
    DECIDE("a.B * * * allow autostart=no", "a.B", "work", "mail", "allow mail");
    DECIDE("a.B * * * allow autostart=no", "a.B", "work", "dom0", "allow dom0");
    DECIDE("a.B * * * allow autostart=no", "a.B", "work", "vault", "deny autostart quiet");
    DECIDE("a.B * * * allow autostart=no notify=yes", "a.B", "work", "vault", "deny autostart");
    DECIDE("a.B * * * allow autostart=no", "a.B", "work", "@dispvm:dvm", "deny autostart quiet");
    DECIDE("a.B * * * allow", "a.B", "work", "vault", "allow vault");
}

static void a_denial_is_as_quiet_as_its_rule(void **state)
{
    (void)state;
    DECIDE("a.B * * * deny", "a.B", "work", "mail", "deny policy");
    DECIDE("a.B * * * deny notify=no", "a.B", "work", "mail", "deny policy quiet");
}

static void remote_domains_are_reached_through_their_relay(void **state)
{
    (void)state;
    DECIDE("a.B * * far allow user=x", "a.B+y", "work", "far",
           "allow relay as qubesair.SSHProxy+far+a.B+y");
    DECIDE("a.B * * far allow", "a.B", "work", "far", "allow relay as qubesair.SSHProxy+far+a.B+");
    DECIDE("a.B * * @default allow target=far", "a.B", "work", "",
           "allow relay as qubesair.SSHProxy+@default+a.B+");
}

static void only_its_relay_speaks_for_a_remote_domain(void **state)
{
    static const char rules[] = "a.B * far mail allow\na.B * far dom0 allow\n";

    (void)state;
    assert_string_equal(decide_from(rules, "a.B", "relay", "mail", "far"), "allow mail");
    assert_string_equal(decide_from(rules, "a.B", "relay", "mail", ""), "deny no-match");
    assert_string_equal(decide_from(rules, "a.B", "work", "mail", "far"), "deny invalid-source");
    assert_string_equal(decide_from(rules, "a.B", "relay", "mail", "work"), "deny invalid-source");
    assert_string_equal(decide_from(rules, "a.B", "relay", "mail", "gone"), "deny invalid-source");
}

static void the_answer_names_the_remote_source_but_not_for_dom0(void **state)
{
    struct policy *p = fixture_policy("a.B * far mail allow\na.B * far dom0 allow\n");
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {
        .service = "a.B", .source = "relay", .target = "mail", .requested_source = "far"};
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(policy_decide(p, d, &q, &v), 0);
    assert_string_equal(v.policy_source, "far");
    policy_verdict_deinit(&v);
    q.target = "@adminvm";
    assert_int_equal(policy_decide(p, d, &q, &v), 0);
    assert_null(v.policy_source);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

static void who_only_evaluates_is_not_told_of_loopback_and_relay(void **state)
{
    struct policy *p = fixture_policy("a.B * * * allow\n");
    struct policy_domains *d = fixture_domains();
    struct policy_request q = {
        .service = "a.B", .source = "work", .target = "work", .just_evaluate = true};
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(policy_decide(p, d, &q, &v), 0);
    assert_string_equal(verdict_text(&v), "allow work");
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

static void a_regex_is_anchored_and_its_limit_denies(void **state)
{
    char slow[64] = "a.B+";

    (void)state;
    DECIDE("a.B ~a|bc work mail allow", "a.B+bc", "work", "mail", "allow mail");
    DECIDE("a.B ~a|bc work mail allow", "a.B+abc", "work", "mail", "deny no-match");
    DECIDE("a.B ~a|bc work mail allow", "a.B+bcd", "work", "mail", "deny no-match");
    DECIDE("a.B ~ work mail allow", "a.B", "work", "mail", "allow mail");
    DECIDE("a.B ~a* work mail allow", "a.C+a", "work", "mail", "deny no-match");
    memset(slow + 4, 'a', 40);
    DECIDE("a.B ~(a+)+[bc] work mail deny\na.B * work mail allow", slow, "work", "mail",
           "deny regex-limit");
    DECIDE("a.B * work @anyvm ask\na.B ~(a+)+[bc] work mail deny", slow, "work", "mail",
           "deny regex-limit");
}

static void the_uuid_of_a_target_is_known(void **state)
{
    struct policy_domains *d = fixture_domains();
    char buf[64];

    (void)state;
    assert_int_equal(policy_target_uuid(d, "mail", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "uuid:" UUID(2));
    assert_int_equal(policy_target_uuid(d, "@dispvm:dvm", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "@dispvm:uuid:" UUID(4));
    assert_int_equal(policy_target_uuid(d, "dom0", buf, sizeof(buf)), 1);
    assert_int_equal(policy_target_uuid(d, "nobody", buf, sizeof(buf)), 1);
    assert_int_equal(policy_target_uuid(d, "mail", buf, 10), -ENAMETOOLONG);
    policy_domains_unref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_match_wins),
        cmocka_unit_test(what_no_rule_allows_is_denied),
        cmocka_unit_test(domains_match_by_name_and_uuid),
        cmocka_unit_test(dom0_has_three_spellings),
        cmocka_unit_test(what_names_no_domain_is_the_default),
        cmocka_unit_test(a_caller_may_not_use_every_token),
        cmocka_unit_test(disposables_come_from_templates_only),
        cmocka_unit_test(the_default_disposable_is_the_sources),
        cmocka_unit_test(a_domain_may_not_call_itself),
        cmocka_unit_test(without_autostart_only_what_runs_is_called),
        cmocka_unit_test(a_denial_is_as_quiet_as_its_rule),
        cmocka_unit_test(remote_domains_are_reached_through_their_relay),
        cmocka_unit_test(only_its_relay_speaks_for_a_remote_domain),
        cmocka_unit_test(the_answer_names_the_remote_source_but_not_for_dom0),
        cmocka_unit_test(who_only_evaluates_is_not_told_of_loopback_and_relay),
        cmocka_unit_test(a_regex_is_anchored_and_its_limit_denies),
        cmocka_unit_test(the_uuid_of_a_target_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
