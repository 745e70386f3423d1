/*
 * Every allocation of loading, deciding, explaining and linting fails once: no crash, no leak (a
 * leak checker's run tells), -ENOMEM comes out, and the next attempt succeeds.
 */
#include "tests/unit/allocations.h"
#include "tests/unit/policy-engine/lib/fixture.h"

static const struct policy_file files[] = {
    FILE_OF("p/10-a.policy", "!include x\n!compat-4.0\na.B * work @anyvm ask default_target=mail\n"
                             "* * @anyvm @anyvm allow\n"),
    FILE_OF("p/x", "a.C * wrok @dispvm:dvm allow user=root\na.F * work far allow\n"
                   "a.G * work vault ask autostart=no\n"),
    FILE_OF("l/a.D+x", "$anyvm mail allow,user=x\n"),
    FILE_OF("p/10-a.never", "a.C * work @dispvm:dvm\na.B * work mail\n")};
static const struct policy_file broken[] = {FILE_OF("p/10-a.policy", "a.B * work mail permit\n")};

static struct policy_domains *domains;

static int try_load(void)
{
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));
    struct policy_error e = {0};
    struct policy *p = NULL;
    int r = policy_load(&s, &p, &e);

    policy_unref(p);
    return r;
}

static int try_broken(void)
{
    struct policy_source s = fixture_source(broken, 1);
    struct policy_error e = {0};
    struct policy *p = NULL;
    int r = policy_load(&s, &p, &e);

    policy_error_deinit(&e);
    return r == POLICY_E_INVALID ? 0 : r;
}

static int try_errors(void)
{
    struct policy_source s = fixture_source(broken, 1);
    struct policy_findings f = {0};
    int r = policy_lint_errors(&s, &f);

    policy_findings_deinit(&f);
    return r;
}

static struct policy *loaded;

static int try_decide(const char *service, const char *target)
{
    struct policy_request q = {.service = service, .source = "work", .target = target};
    struct policy_verdict v = {0};
    int r = policy_decide(loaded, domains, &q, &v);

    policy_verdict_deinit(&v);
    return r;
}

static int try_ask(void)
{
    return try_decide("a.B", "mail");
}

static int try_relay(void)
{
    return try_decide("a.F", "far");
}

static int explain_call(const char *service, const char *target)
{
    struct policy_request q = {.service = service, .source = "work", .target = target};
    char *text = NULL;
    int r = policy_explain(loaded, domains, &q, &text);

    free(text);
    return r;
}

static int try_explain(void)
{
    return explain_call("a.D", "dom0");
}

static int try_explain_ask(void)
{
    return explain_call("a.G", "vault");
}

static int try_lint(void)
{
    struct policy_findings f = {0};
    int r = policy_lint(loaded, domains, &f);

    policy_findings_deinit(&f);
    return r;
}

static int try_lint_services(void)
{
    static const char *const known[] = {"a.Bx", "a.E"};
    struct policy_findings f = {0};
    int r = policy_lint_services(loaded, known, 2, &f);

    assert_true(r || f.n > 1);
    policy_findings_deinit(&f);
    return r;
}

static int try_domains(void)
{
    const char *const tags[] = {"a", "b"};
    const struct policy_domain a = {.name = "x", .uuid = "u", .tags = tags, .n_tags = 2};
    struct policy_domains *d = NULL;
    int r = policy_domains_new(1, &d);

    if (!r)
        r = policy_domains_add(d, &a);
    policy_domains_unref(d);
    return r;
}

/* Fails the first, second, third … allocation until the attempt gets through. */
static void every_allocation(int (*attempt)(void))
{
    size_t i;

    for (i = 1; i < 100000; i++) {
        int r;

        left = i;
        r = attempt();
        if (left) { /* not used up: none failed */
            left = 0;
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, -ENOMEM);
    }
    assert_true(i > 1 && i < 100000);
}

static void loading_survives(void **state)
{
    (void)state;
    every_allocation(try_load);
    every_allocation(try_broken);
    every_allocation(try_errors);
}

static void deciding_survives(void **state)
{
    (void)state;
    every_allocation(try_ask);
    every_allocation(try_relay);
}

static void telling_survives(void **state)
{
    (void)state;
    every_allocation(try_explain);
    every_allocation(try_explain_ask);
    every_allocation(try_lint);
    every_allocation(try_lint_services);
}

static void domains_survive(void **state)
{
    (void)state;
    every_allocation(try_domains);
}

/* The promise of policy.h: an allow or deny takes no memory at all, but for a call to a relay. */
static void a_plain_decision_allocates_nothing(void **state)
{
    (void)state;
    left = 1;
    assert_int_equal(try_decide("a.Z", "mail"), 0);
    assert_int_equal(try_decide("a.Z", "dom0"), 0);
    assert_int_equal(try_decide("a.Z", "@dispvm"), 0);
    assert_int_equal(try_decide("a.C", "@dispvm:dvm"), 0);
    assert_int_equal(left, 1);
    left = 0;
}

static int load(void **state)
{
    (void)state;
    domains = fixture_domains();
    loaded = fixture_load(files, ARRAY_SIZE(files));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    policy_domains_unref(domains);
    policy_unref(loaded);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_survives),
        cmocka_unit_test(deciding_survives),
        cmocka_unit_test(telling_survives),
        cmocka_unit_test(domains_survive),
        cmocka_unit_test(a_plain_decision_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
