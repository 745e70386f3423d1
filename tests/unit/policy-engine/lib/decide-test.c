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

static void a_token_matches_what_the_table_says(void **state)
{
    (void)state;
    DECIDE("a.B * work @anyvm deny", "a.B", "work", "@default", "deny policy");
    DECIDE("a.B * work @anyvm deny", "a.B", "work", "@dispvm", "deny policy");
    DECIDE("a.B * work @anyvm deny", "a.B", "work", "@dispvm:dvm", "deny policy");
    DECIDE("a.B * @anyvm mail allow", "a.B", "dom0", "mail", "deny no-match");
    DECIDE("a.B * @type:AdminVM mail allow", "a.B", "dom0", "mail", "allow mail");
    DECIDE("a.B * @type:AdminVM mail allow", "a.B", "@adminvm", "mail", "deny no-match");
    DECIDE("a.B * work @default deny", "a.B", "work", "mail", "deny no-match");
    DECIDE("a.B * work @type:AppVM deny", "a.B", "work", "@dispvm:dvm", "deny no-match");
    DECIDE("a.B * work @tag:dvms deny", "a.B", "work", "@dispvm:dvm", "deny no-match");
    DECIDE("a.B * work dvm deny", "a.B", "work", "@dispvm:dvm", "deny no-match");
    DECIDE("a.B * work @dispvm:dvm deny", "a.B", "work", "dvm", "deny no-match");
    DECIDE("a.B * work @dispvm:@tag:dvms deny", "a.B", "work", "@dispvm:plain-dvm",
           "deny no-match");
    DECIDE("a.B * work @dispvm:@tag:dvms deny", "a.B", "work", "@dispvm:uuid:" UUID(4),
           "deny policy");
    DECIDE("a.B * vault @dispvm:dvm allow", "a.B", "vault", "@dispvm", "deny no-match");
    DECIDE("a.B * @dispvm:dvm mail allow", "a.B", "dvm", "mail", "deny no-match");
    DECIDE("a.B * @dispvm:@tag:dvms mail allow", "a.B", "dvm", "mail", "deny no-match");
    DECIDE("a.B * $anyvm mail allow", "a.B", "work", "mail", "deny no-match");
    DECIDE("a.B * uuid:none mail allow", "a.B", "work", "mail", "deny no-match");
}

/* The fixture's domains and one more. */
static const char *decide_with(const struct policy_domain *more, const char *text,
                               const char *source, const char *target)
{
    struct policy *p = fixture_policy(text);
    struct policy_domains *d = fixture_domains();
    struct policy_verdict v = {0};
    const char *answer;

    assert_int_equal(policy_domains_add(d, more), 0);
    assert_int_equal(
        policy_decide(
            p, d, &(struct policy_request){.service = "a.B", .source = source, .target = target},
            &v),
        0);
    answer = verdict_text(&v);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
    return answer;
}

static void a_default_disposable_that_is_gone_has_a_name_only(void **state)
{
    const struct policy_domain x = {.name = "x", .default_dispvm = "gone"};
    const struct policy_domain none = {.name = "x", .default_dispvm = ""};
    const struct policy_domain plain = {.name = "x", .default_dispvm = "mail"};

    (void)state;
    assert_string_equal(decide_with(&x, "a.B * x @dispvm:gone allow", "x", "@dispvm"),
                        "allow @dispvm:gone");
    assert_string_equal(decide_with(&x, "a.B * x @dispvm:@tag:dvms allow", "x", "@dispvm"),
                        "deny no-match");
    assert_string_equal(decide_with(&x, "a.B * x @dispvm allow", "x", "@dispvm:gone"),
                        "deny not-dispvm-template");
    assert_string_equal(decide_with(&none, "a.B * x @dispvm allow", "x", "@dispvm"),
                        "deny no-dispvm");
    assert_string_equal(decide_with(&plain, "a.B * x @dispvm allow", "x", "@dispvm"),
                        "allow @dispvm:mail");
    assert_string_equal(decide_with(&plain, "a.B * x @dispvm:@tag:work allow", "x", "@dispvm"),
                        "deny no-match");
    assert_string_equal(decide_with(&x, "a.B * x mail allow target=@dispvm", "x", "mail"),
                        "allow @dispvm:gone");
}

static void a_remote_domain_without_relay_or_transport_is_not_reached(void **state)
{
    const struct policy_domain no_relay = {
        .name = "x", .type = "RemoteVM", .transport_rpc = "t", .power_state = "Running"};
    const struct policy_domain no_transport = {
        .name = "x", .type = "RemoteVM", .relayvm = "relay", .transport_rpc = ""};
    const struct policy_domain fine = {.name = "x",
                                       .type = "RemoteVM",
                                       .relayvm = "work",
                                       .transport_rpc = "t",
                                       .power_state = "Running"};

    (void)state;
    assert_string_equal(decide_with(&no_relay, "a.B * * x allow", "work", "x"), "deny no-relay");
    assert_string_equal(decide_with(&no_transport, "a.B * * x allow", "work", "x"),
                        "deny no-relay");
    assert_string_equal(decide_with(&no_transport, "a.B * * x allow autostart=no", "work", "x"),
                        "deny autostart quiet");
    /* the relay may be the caller, and the remote domain itself must run */
    assert_string_equal(decide_with(&fine, "a.B * * x allow autostart=no", "work", "x"),
                        "allow work as t+x+a.B+");
}

static void what_was_asked_for_is_handed_on_as_spelled(void **state)
{
    static const char *const asked[][2] = {
        {"mail", "mail"},       {"uuid:" UUID(2), "uuid:" UUID(2)},
        {"nobody", "@default"}, {"", "@default"},
        {"dom0", "dom0"},       {"@adminvm", "@adminvm"},
        {"@dispvm", "@dispvm"}, {"@dispvm:uuid:" UUID(4), "@dispvm:uuid:" UUID(4)},
        {"@dispvm:mail", NULL}, {"@anyvm", NULL}};
    struct policy *p = fixture_policy("a.B * far mail allow user=joe notify=yes\n"
                                      "a.B * work far allow user=joe autostart=yes\n");
    struct policy_domains *d = fixture_domains();
    struct policy_verdict v = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        struct policy_request q = {.service = "a.B", .source = "work", .target = asked[i][0]};

        assert_int_equal(policy_decide(p, d, &q, &v), 0);
        if (asked[i][1])
            assert_string_equal(v.requested_target, asked[i][1]);
        else
            assert_null(v.requested_target);
        assert_int_equal(v.rule, POLICY_NO_RULE);
        policy_verdict_deinit(&v);
    }
    policy_domains_unref(d);
    policy_unref(p);
}

static void an_allow_carries_its_rule_user_and_flags(void **state)
{
    struct policy *p = fixture_policy("a.C * * * deny\na.B * far mail allow user=joe notify=yes\n"
                                      "a.B * work far allow user=joe autostart=yes\n");
    struct policy_domains *d = fixture_domains();
    struct policy_request remote = {.service = "a.B",
                                    .source = "uuid:" UUID(7),
                                    .target = "mail",
                                    .requested_source = "uuid:" UUID(8)};
    struct policy_request relayed = {.service = "a.B", .source = "work", .target = "far"};
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(policy_decide(p, d, &remote, &v), 0);
    assert_string_equal(verdict_text(&v), "allow mail");
    assert_string_equal(v.source, "uuid:" UUID(8)); /* as spelled */
    assert_string_equal(v.policy_source, "uuid:" UUID(8));
    assert_string_equal(v.user, "joe");
    assert_true(v.notify);
    assert_true(v.autostart);
    assert_string_equal(v.rule_file, "p/30-user.policy");
    assert_int_equal(v.rule_line, 2);
    assert_int_equal(v.rule, 1);
    policy_verdict_deinit(&v);
    assert_int_equal(policy_decide(p, d, &relayed, &v), 0);
    assert_string_equal(v.user, "DEFAULT"); /* the relay's own */
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

/* Nobody's argument costs time by a rule for somebody else, nor is refused by it. */
static void a_regex_counts_only_for_its_source_and_target(void **state)
{
    char slow[64] = "a.B+";

    (void)state;
    memset(slow + 4, 'a', 40);
    DECIDE("a.B ~(a+)+[bc] mail vault deny\na.B * work mail allow", slow, "work", "mail",
           "allow mail");
    DECIDE("a.B ~(a+)+[bc] work vault deny\na.B * work mail allow", slow, "work", "mail",
           "allow mail");
    DECIDE("a.B * work mail allow\na.B ~(a+)+[bc] work mail deny", slow, "work", "mail",
           "allow mail");
    DECIDE("a.B * work @anyvm ask\na.B ~(a+)+[bc] vault mail deny\na.B * work @anyvm deny", slow,
           "work", "mail", "ask @dispvm:dvm @dispvm:plain-dvm dvm far mail plain-dvm relay vault");
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
        cmocka_unit_test(a_token_matches_what_the_table_says),
        cmocka_unit_test(a_default_disposable_that_is_gone_has_a_name_only),
        cmocka_unit_test(a_remote_domain_without_relay_or_transport_is_not_reached),
        cmocka_unit_test(what_was_asked_for_is_handed_on_as_spelled),
        cmocka_unit_test(an_allow_carries_its_rule_user_and_flags),
        cmocka_unit_test(a_regex_counts_only_for_its_source_and_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
