/* Who can call, what a never line finds, what is reached, what differs: by small examples. */
#include "tests/unit/policy-engine/lib/fixture.h"

struct lines {
    char text[4096];
    size_t n;
};

static int add_line(void *data, const struct policy_example *e)
{
    struct lines *l = data;

    l->n +=
        (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s%s -> %s%s", l->n ? "; " : "",
                         e->source_class, e->target_class, e->action == POLICY_ASK ? " ask" : "");
    return 0;
}

static const char *who(const char *rules, const struct policy_domains *today,
                       const struct policy_goal *goal)
{
    static struct lines l;
    struct policy *p = fixture_policy(rules);
    struct policy_closers c = {0};

    l = (struct lines){0};
    assert_int_equal(policy_who_can(p, today, goal, add_line, &l, &c), 0);
    for (size_t i = 0; !l.n && i < c.n; i++) {
        struct policy_rule_view v;
        size_t n = strlen(l.text);

        policy_get_rule(p, c.rules[i], &v);
        snprintf(l.text + n, sizeof(l.text) - n, "%s%u", i ? "," : "closed by ", v.line);
    }
    if (!l.n && c.no_rule)
        strncat(l.text, " none", sizeof(l.text) - strlen(l.text) - 1);
    policy_closers_deinit(&c);
    policy_unref(p);
    return l.text;
}

#define WHO(rules, from, to, expected)                                                             \
    assert_string_equal(who(rules, NULL,                                                           \
                            &(struct policy_goal){                                                 \
                                .service = "a.B", .source = (from), .target = (to), .allow = 1}),  \
                        expected)

static void all_that_may_call_are_named_by_class(void **state)
{
    (void)state;
    WHO("a.B * work vault allow", NULL, NULL, "work -> vault");
    WHO("a.B * @tag:t vault allow", NULL, NULL, "@tag:t -> vault; dom0 (@tag:t) -> vault");
    WHO("a.B * @anyvm @tag:t allow", NULL, NULL,
        "any domain -> @tag:t; any domain -> dom0 (@tag:t)");
    WHO("a.B * work @dispvm allow", NULL, NULL, "work -> @dispvm");
    WHO("a.B * work @dispvm:dvm allow", NULL, NULL,
        "work -> @dispvm, that is @dispvm:dvm; work -> @dispvm:dvm");
    WHO("a.B * work mail allow target=vault", NULL, NULL, "work -> vault");
    WHO("* * work vault allow", NULL, NULL, "work -> vault");
    WHO("a.C * work vault allow", NULL, NULL, " none");
}

static void domains_that_do_not_exist_yet_count(void **state)
{
    (void)state;
    WHO("a.B * @tag:t vault allow", "new-vm", NULL, "new-vm (@tag:t) -> vault");
    WHO("a.B * @type:AppVM vault allow", "new-vm", NULL, "new-vm (@type:AppVM) -> vault");
    WHO("a.B * @type:AdminVM vault allow", "new-vm", NULL, " none");
    WHO("a.B * $x vault allow", NULL, NULL, " none"); /* nothing can have that name */
}

static void an_earlier_rule_closes_what_it_catches_in_every_world(void **state)
{
    (void)state;
    WHO("a.B * @anyvm vault deny\na.B * work vault allow", NULL, "vault",
        "closed by 1 none"); /* dom0: no rule */
    WHO("a.B * @tag:t vault deny\na.B * work vault allow", NULL, "vault", "work -> vault");
    WHO("a.B * @tag:t vault deny\na.B * @tag:t vault allow", NULL, "vault", "closed by 1 none");
    WHO("a.B * @tag:t vault deny\na.B * @tag:u vault allow", "@tag:t", "vault", "closed by 1");
    WHO("a.B * work mail deny\na.B * work mail allow target=vault", NULL, "vault",
        "closed by 1 none");
    WHO("a.B +x work vault deny\na.B * work vault allow", NULL, "vault", "work -> vault");
    WHO("* * * * deny\na.B +x work vault allow", NULL, NULL, "closed by 1");
}

static void an_ask_counts_by_what_it_offers(void **state)
{
    static const char rules[] = "a.B * work @default ask\na.B * work vault deny\n"
                                "a.B * work @tag:t allow\n";
    const struct policy_goal asks = {.service = "a.B", .ask = true},
                             vault = {.service = "a.B", .target = "vault", .ask = true},
                             mail = {.service = "a.B", .target = "mail", .ask = true};

    (void)state;
    assert_string_equal(who(rules, NULL, &asks), "work -> @tag:t ask; work -> dom0 (@tag:t) ask");
    assert_string_equal(who(rules, NULL, &mail), "work -> mail (@tag:t) ask");
    assert_string_equal(who(rules, NULL, &vault), "closed by 2 none");
}

static int add_final(void *data, const struct policy_example *e)
{
    struct lines *l = data;

    l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s%s by %s", l->n ? "; " : "",
                             e->target_class, e->final);
    return 0;
}

static void the_call_shows_the_choice_that_the_class_is_about(void **state)
{
    struct policy *p =
        fixture_policy("a.B + dvm @default allow target=dom0\n"
                       "a.B * @anyvm @dispvm ask target=@dispvm\n"
                       "a.B * @anyvm mail ask target=uuid:" UUID(2) "\n"
                                                                    "a.B * dvm @anyvm ask");
    const struct policy_goal asks = {.service = "a.B", .source = "dvm", .ask = true};
    struct lines l = {0};

    (void)state;
    assert_int_equal(policy_who_can(p, NULL, &asks, add_final, &l, NULL), 0);
    assert_string_equal(l.text, "@dispvm by @dispvm; uuid:" UUID(2) " by uuid:" UUID(
                                    2) "; "
                                       "dom0 by dom0; @dispvm by @dispvm:some-dvm; "
                                       "uuid:" UUID(2) " by third-vm; any domain by third-vm; "
                                                       "@dispvm:any template by @dispvm:third-vm");
    policy_unref(p);
}

static void today_is_about_the_domains_at_hand(void **state)
{
    struct policy_domains *d = fixture_domains();
    const struct policy_goal goal = {.service = "a.B", .target = "vault", .allow = true};

    (void)state;
    assert_string_equal(who("a.B * @tag:work vault allow", d, &goal),
                        "work -> vault; mail -> vault");
    assert_string_equal(who("a.B * @tag:nobody vault allow", d, &goal), " none");
    assert_string_equal(who("a.B * work vault allow autostart=no", d, &goal), "closed by 1 none");
    policy_domains_unref(d);
}

static void a_bad_token_in_a_question_is_refused(void **state)
{
    struct policy *p = fixture_policy("a.B * work vault allow");
    struct lines l = {0};

    (void)state;
    assert_int_equal(
        policy_who_can(p, NULL, &(struct policy_goal){.source = "@default"}, add_line, &l, NULL),
        POLICY_E_INVALID);
    assert_int_equal(
        policy_who_can(p, NULL, &(struct policy_goal){.target = "@bogus"}, add_line, &l, NULL),
        POLICY_E_INVALID);
    policy_unref(p);
}

static void a_regex_is_tried_and_called_approximate(void **state)
{
    static const char *const patterns[] = {"[a-c]+x?", "(foo|bar)-\\d{3}", "[^a-z]", "a.c", "\\w+"};
    const struct policy_goal goal = {.service = "a.B", .allow = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        char rules[128];

        snprintf(rules, sizeof(rules), "a.B ~%s work vault allow", patterns[i]);
        assert_string_equal(who(rules, NULL, &goal), "work -> vault");
    }
    assert_string_equal(who("a.B ~.* work vault deny\na.B * work vault allow", NULL, &goal),
                        "closed by 1 none");
}

/* ---- never ---- */

static int check(const char *rules, const char *nevers, struct policy_violation *v)
{
    const struct policy_file f[] = {
        {.path = "p/30-user.policy", .content = rules, .len = strlen(rules)},
        {.path = "p/50-safe.never", .content = nevers, .len = strlen(nevers)}};
    struct policy *p = fixture_load(f, 2);
    int r = policy_check_never(p, NULL, v);

    policy_unref(p);
    return r;
}

static void a_policy_that_keeps_to_its_never_lines_passes(void **state)
{
    struct policy_violation v = {0};

    (void)state;
    assert_int_equal(check("* * @anyvm vault deny\n* * * * allow", "* * @anyvm vault", &v), 0);
    assert_int_equal(check("a.B * work mail ask target=vault", "* * work vault allow", &v), 0);
    assert_int_equal(check("a.B * work mail allow", "a.C * work mail\na.B * mail *", &v), 0);
}

static void a_violation_names_both_lines_and_a_request(void **state)
{
    struct policy_violation v = {0};
    struct policy_verdict verdict = {0};
    struct policy *p =
        fixture_policy("a.B * work mail deny\na.B +x @tag:t @default allow target=vault");

    (void)state;
    assert_int_equal(check("a.B * work mail deny\na.B +x @tag:t @default allow target=vault",
                           "* * work mail\n# comment\n* * work vault", &v),
                     POLICY_E_NEVER);
    assert_string_equal(v.never_file, "p/50-safe.never");
    assert_int_equal(v.never_line, 3);
    assert_string_equal(v.rule_file, "p/30-user.policy");
    assert_int_equal(v.rule_line, 2);
    assert_int_equal(v.action, POLICY_ALLOW);
    assert_string_equal(v.argument, "+x");
    assert_string_equal(v.source, "work");
    assert_string_equal(v.final, "vault");
    assert_non_null(strstr(v.text, "p/50-safe.never:3: never"));
    assert_non_null(strstr(v.text, "p/30-user.policy:2 allows a.B+x from work"));
    assert_int_equal(policy_decide(p, v.domains,
                                   &(struct policy_request){.service = v.service,
                                                            .argument = v.argument,
                                                            .source = v.source,
                                                            .target = v.target},
                                   &verdict),
                     0);
    assert_string_equal(verdict_text(&verdict), "allow vault");
    policy_verdict_deinit(&verdict);
    policy_violation_deinit(&v);
    policy_unref(p);
}

static void the_choice_of_an_ask_can_violate(void **state)
{
    struct policy_violation v = {0};

    (void)state;
    assert_int_equal(
        check("a.B * work @default ask\na.B * @tag:t vault allow", "* * work vault", &v),
        POLICY_E_NEVER);
    assert_int_equal(v.action, POLICY_ASK);
    assert_int_equal(v.rule_line, 1);
    assert_string_equal(v.final, "vault");
    policy_violation_deinit(&v);
}

/* ---- reach ---- */

static const char *chain(const char *rules, const char *from, const char *to,
                         const struct policy_domains *today)
{
    static char buf[1024];
    struct policy *p = fixture_policy(rules);
    struct policy_chain c = {0};
    int r = policy_reach(p, today, &(struct policy_reach_goal){.from = from, .to = to, .ask = true},
                         &c);
    size_t n = 0;

    buf[0] = 0;
    if (r)
        snprintf(buf, sizeof(buf), "%s", r == POLICY_E_IMPOSSIBLE ? "impossible" : "error");
    for (size_t i = 0; i < c.n; i++)
        n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s%s %s", i ? "; " : "", c.hops[i].source,
                              c.hops[i].final);
    policy_chain_deinit(&c);
    policy_unref(p);
    return buf;
}

#define CHAIN(rules, from, to, expected) assert_string_equal(chain(rules, from, to, NULL), expected)

static void the_shortest_chain_is_shown(void **state)
{
    (void)state;
    CHAIN("a.B * work mail allow\na.C * mail vault ask", "work", "vault", "work mail; mail vault");
    CHAIN("a.B * work mail allow\na.C * mail vault ask\na.D * work vault allow", "work", "vault",
          "work vault");
    CHAIN("a.B * work mail allow", "mail", "work", "impossible");
    CHAIN("a.B * work mail allow target=vault", "work", "mail", "impossible");
    CHAIN("a.B * work mail allow target=vault\na.B * vault @adminvm allow", "work", "dom0",
          "work vault; vault dom0");
    CHAIN("a.B * work mail allow", "work", "@bogus", "error");
    CHAIN("a.B * work mail allow", "@default", "mail", "error");
}

static void a_domain_between_has_what_both_calls_want(void **state)
{
    (void)state;
    CHAIN("* * work vault deny\na.B * work @tag:t allow\na.C * @tag:u vault allow", "work", "vault",
          "work vm-2; vm-2 vault");
    CHAIN("* * work vault deny\n* * @anyvm @tag:u deny\na.B * work @tag:t allow\na.C * @tag:u "
          "vault allow",
          "work", "vault", "impossible");
    CHAIN("* * work vault deny\n* * @tag:u vault deny\na.B * work @tag:t allow\na.C * @tag:t vault "
          "allow",
          "work", "vault", "work vm-2; vm-2 vault");
    CHAIN("* * work vault deny\na.B * work @type:AppVM allow\na.C * @type:TemplateVM vault allow",
          "work", "vault", "impossible");
}

/* Of two ways to the same call the first one met asks for what the call after it rules out. */
static void the_other_way_to_a_domain_is_gone_too(void **state)
{
    (void)state;
    CHAIN("a.B * @adminvm @tag:t deny\na.B * @adminvm b allow target=c\n"
          "a.B * @adminvm c allow\na.B * c @tag:t allow",
          "dom0", "b", "dom0 c; c b");
    CHAIN("a.B * @adminvm @tag:t deny\na.B * @adminvm b allow target=c\na.B * c @tag:t allow",
          "dom0", "b", "impossible");
    CHAIN("a.B * @adminvm b deny\n"
          "a.B * @tag:t uuid:00000000-0000-4000-8000-0000000000a1 ask\na.B * @adminvm c allow",
          "dom0", "b", "dom0 c; c b");
    CHAIN("a.B * @adminvm @tag:t deny\na.B * @adminvm x allow\na.B * x y allow\n"
          "a.B * @adminvm q allow\na.B * q y allow\na.B * y x allow\na.B * y z deny\n"
          "a.B * q z deny\na.B * @adminvm z deny\na.B * @tag:t z allow",
          "dom0", "z", "dom0 q; q y; y x; x z");
}

static void disposables_carry_data_on(void **state)
{
    struct policy_domains *d = fixture_domains();

    (void)state;
    CHAIN("* * work vault deny\na.B * work @dispvm:dvm allow\na.C * @type:DispVM vault allow",
          "work", "vault", "work @dispvm:dvm; disp2 vault");
    CHAIN("* * work vault deny\na.B * work @dispvm:dvm allow\na.C * @tag:disp-created-by-dom0 "
          "vault allow",
          "work", "vault", "work @dispvm:dvm; disp2 vault");
    CHAIN("* * work vault deny\na.B * work @dispvm:dvm allow\na.C * dvm vault allow", "work",
          "vault", "impossible");
    CHAIN("* * work vault deny\na.B * work @dispvm:dvm allow", "work", "@dispvm:dvm",
          "work @dispvm:dvm");
    assert_string_equal(
        chain("* * work vault deny\na.B * work @dispvm allow\na.C * @tag:dvms vault allow", "work",
              "vault", d),
        "work @dispvm:dvm; disp9005 vault");
    assert_string_equal(
        chain("a.B * mail @dispvm allow\na.C * @tag:dvms vault allow", "mail", "vault", d),
        "impossible");
    policy_domains_unref(d);
}

static void today_goes_by_the_tags_at_hand(void **state)
{
    struct policy_domains *d = fixture_domains();

    (void)state;
    assert_string_equal(
        chain("a.B * work @tag:work allow\na.C * @tag:work vault allow", "work", "vault", d),
        "work vault");
    assert_string_equal(
        chain("a.B * work mail allow\na.C * @tag:red vault allow", "mail", "vault", d),
        "impossible");
    assert_string_equal(chain("a.B * work far allow\na.C * relay vault allow", "work", "vault", d),
                        "work relay; relay vault");
    policy_domains_unref(d);
}

/* ---- diff ---- */

static int add_difference(void *data, const struct policy_difference *d)
{
    struct lines *l = data;

    l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s%s -> %s: %s, %s%s",
                             l->n ? "; " : "", d->source_class, d->target_class, d->verdict_a,
                             d->verdict_b, d->wider ? " wider" : "");
    return 0;
}

static const char *differences(const char *a, const char *b, bool wider)
{
    static struct lines l;
    struct policy *x = fixture_policy(a), *y = fixture_policy(b);

    l = (struct lines){0};
    assert_int_equal(policy_diff(x, y, NULL, wider, add_difference, &l), 0);
    policy_unref(x);
    policy_unref(y);
    return l.text;
}
#define DIFF(a, b, expected) assert_string_equal(differences(a, b, false), expected)

static void a_difference_is_shown_by_its_class(void **state)
{
    (void)state;
    DIFF("a.B * work vault allow", "a.B * work vault deny",
         "work -> vault: allow vault, deny policy");
    DIFF("a.B * work vault deny", "a.B * work vault allow",
         "work -> vault: deny policy, allow vault wider");
    DIFF("", "a.B * @tag:t vault allow", "@tag:t -> vault: deny no-match, allow vault wider");
    DIFF("a.B * work vault ask", "a.B * work vault allow",
         "work -> vault: ask vault default_target=, allow vault wider");
    DIFF("a.B * work vault allow", "a.B * work vault ask",
         "work -> vault: allow vault, ask vault default_target=");
    DIFF("a.B * work vault allow", "a.B * work vault allow user=u",
         "work -> vault: allow vault user=DEFAULT, allow vault user=u wider");
}

static void what_no_request_can_tell_apart_is_no_difference(void **state)
{
    (void)state;
    DIFF("a.B * work vault allow\n", "# comment\na.B * work vault allow\n", "");
    DIFF("a.B * work vault allow\na.C * work mail deny",
         "a.C * work mail deny\na.B * work vault allow", "");
    DIFF("* * * * deny\na.B * work vault allow", "* * * * deny", "");
    DIFF("a.B * work vault deny", "", "");
    DIFF("a.B * work vault allow", "a.B * work vault allow notify=yes", "");
}

static void a_choice_that_is_new_is_wider(void **state)
{
    (void)state;
    assert_string_equal(
        differences("a.B * work @default ask\na.B * work mail allow\n",
                    "a.B * work @default ask\na.B * work mail allow\na.B * work vault allow\n",
                    true),
        "work -> @default: deny no-target, ask vault wider; "
        "work -> vault: deny no-match, allow vault wider");
    assert_string_equal(differences("a.B * work vault allow", "a.B * work vault deny", true), "");
}

/* Each can bring it in and each must be kept out: here by a rule that changed, and one that did
 * not. */
static void dom0_is_a_choice_by_its_name_and_by_the_keyword(void **state)
{
    static const char rest[] = "a.B * work dom0 deny\n"
                               "a.B * @type:AppVM * ask\n"
                               "a.B +x @anyvm @adminvm allow\n";
    char before[256], after[256];

    (void)state;
    assert_int_equal(format(before, sizeof(before), "a.B * @tag:t @adminvm deny\n%s", rest), 0);
    assert_int_equal(format(after, sizeof(after), "%sa.B * @tag:t @adminvm deny\n", rest), 0);
    assert_non_null(strstr(differences(before, after, true), "work (@type:AppVM @tag:t) -> "));
}

static void what_one_ask_offers_anyway_can_be_kept_out(void **state)
{
    (void)state;
    assert_non_null(strstr(differences("a.B * @tag:u dom0 deny\n"
                                       "a.B * @anyvm @type:AdminVM allow\n"
                                       "a.B * @type:AppVM @anyvm ask\n",
                                       "a.B * @type:AppVM @anyvm ask target=@adminvm\n", true),
                           "@tag:u"));
}

static void running_or_not_makes_a_difference(void **state)
{
    (void)state;
    DIFF("a.B * work vault allow autostart=no", "a.B * work vault allow",
         "work -> vault: allow vault autostart=no, allow vault autostart=yes wider");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_may_call_are_named_by_class),
        cmocka_unit_test(domains_that_do_not_exist_yet_count),
        cmocka_unit_test(an_earlier_rule_closes_what_it_catches_in_every_world),
        cmocka_unit_test(an_ask_counts_by_what_it_offers),
        cmocka_unit_test(the_call_shows_the_choice_that_the_class_is_about),
        cmocka_unit_test(today_is_about_the_domains_at_hand),
        cmocka_unit_test(a_bad_token_in_a_question_is_refused),
        cmocka_unit_test(a_regex_is_tried_and_called_approximate),
        cmocka_unit_test(a_policy_that_keeps_to_its_never_lines_passes),
        cmocka_unit_test(a_violation_names_both_lines_and_a_request),
        cmocka_unit_test(the_choice_of_an_ask_can_violate),
        cmocka_unit_test(the_shortest_chain_is_shown),
        cmocka_unit_test(a_domain_between_has_what_both_calls_want),
        cmocka_unit_test(the_other_way_to_a_domain_is_gone_too),
        cmocka_unit_test(disposables_carry_data_on),
        cmocka_unit_test(today_goes_by_the_tags_at_hand),
        cmocka_unit_test(a_difference_is_shown_by_its_class),
        cmocka_unit_test(what_no_request_can_tell_apart_is_no_difference),
        cmocka_unit_test(a_choice_that_is_new_is_wider),
        cmocka_unit_test(dom0_is_a_choice_by_its_name_and_by_the_keyword),
        cmocka_unit_test(what_one_ask_offers_anyway_can_be_kept_out),
        cmocka_unit_test(running_or_not_makes_a_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
