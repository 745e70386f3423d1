/* What a shadow policy says otherwise. */
#include "policy-engine/shadow.h"

#include "tests/unit/test.h"

static struct policy *policy_of(const char *text)
{
    const char *dirs[] = {"/p", NULL};
    struct policy_file file = {.path = "/p/1.policy", .content = text, .len = strlen(text)};
    struct policy_source s = {.dirs = dirs, .files = &file, .n_files = 1, .files_only = true};
    struct policy_error e = {0};
    struct policy *p = NULL;

    assert_int_equal(policy_load(&s, &p, &e), 0);
    return p;
}

static struct policy_domains *domains(void)
{
    static const char *const names[] = {"work", "mail", "vault"};
    struct policy_domains *d = NULL;

    assert_int_equal(policy_domains_new(1, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = names[i]}), 0);
    return d;
}

static void what_a_caller_would_see_is_a_difference(void **state)
{
    static const struct {
        const char *live, *shadow, *text; /* NULL: none */
    } cases[] = {
        {"a * work mail allow\n", "a * work mail allow\n", NULL},
        {"a * work mail allow\n", "# moved\na * work @anyvm allow notify=yes\n", NULL},
        {"a * work mail allow\n", "", "deny (no-match, no rule)"},
        {"a * work mail allow\n", "a * work mail deny\n", "deny (policy, /p/1.policy:1)"},
        {"a * work mail deny\n", "", NULL}, /* a denial is a denial */
        {"a * work mail allow\n", "\na * work mail allow target=vault\n",
         "allow to vault (/p/1.policy:2)"},
        {"a * work mail allow\n", "a * work mail allow user=root\n",
         "allow to mail (/p/1.policy:1)"},
        {"a * work mail ask\n", "a * work mail ask\n", NULL},
        {"a * work mail ask\n", "a * work @anyvm ask\n", "ask about mail, vault (/p/1.policy:1)"},
        {"a * work mail ask\n", "a * work mail ask default_target=mail\n",
         "ask about mail (/p/1.policy:1)"},
        {"", "a * work mail ask\n", "ask about mail (/p/1.policy:1)"},
    };
    struct policy_question q = {.source = (char *)"work",
                                .target = (char *)"mail",
                                .service = (char *)"a",
                                .argument = (char *)"+",
                                .requested_source = (char *)""};
    struct policy_request rq = policy_question_request(&q);
    struct policy_domains *d = domains();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy *live = policy_of(cases[i].live), *shadow = policy_of(cases[i].shadow);
        struct policy_verdict v = {0};
        _cleanup_(freep) char *text = NULL;

        assert_int_equal(policy_decide(live, d, &rq, &v), 0);
        text = shadow_difference(shadow, d, &q, &v);
        if (cases[i].text)
            assert_string_equal(text, cases[i].text);
        else
            assert_null(text);
        policy_verdict_deinit(&v);
        policy_unref(live);
        policy_unref(shadow);
    }
    policy_domains_unref(d);
}

static void a_question_for_the_verdict_alone_is_compared_so(void **state)
{
    struct policy_question q = {.source = (char *)"work",
                                .target = (char *)"mail",
                                .service = (char *)"a",
                                .argument = (char *)"+",
                                .requested_source = (char *)"",
                                .just_evaluate = true};
    struct policy_verdict denied = {.action = POLICY_DENY};
    struct policy *ask = policy_of("a * work mail ask\n");
    struct policy_domains *d = domains();
    _cleanup_(freep) char *same = shadow_difference(ask, d, &q, &denied);
    _cleanup_(freep) char *other = NULL;

    (void)state;
    assert_null(same); /* an ask is a deny there */
    q.assume_yes = true;
    other = shadow_difference(ask, d, &q, &denied);
    assert_non_null(other);
    assert_null(shadow_difference(NULL, d, &q, &denied));
    policy_unref(ask);
    policy_domains_unref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_caller_would_see_is_a_difference),
        cmocka_unit_test(a_question_for_the_verdict_alone_is_compared_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
