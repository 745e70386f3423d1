/*
 * Every allocation of the analysis fails once: -ENOMEM comes out, nothing leaks (a leak checker's
 * run tells), and the next attempt succeeds.
 */
#include "tests/unit/allocations.h"
#include "tests/unit/policy-engine/lib/fixture.h"

static struct policy *a, *b, *doubtful;
static struct policy_domains *domains;

static int ignore(void *data, const struct policy_example *e)
{
    (void)data;
    (void)e;
    return 0;
}

static int ignore_difference(void *data, const struct policy_difference *d)
{
    (void)data;
    (void)d;
    return 0;
}

static int try_who_can_in(const struct policy_domains *today)
{
    struct policy_closers c = {0};
    int r = policy_who_can(a, today, &(struct policy_goal){.allow = true, .ask = true}, ignore,
                           NULL, &c);

    policy_closers_deinit(&c);
    return r;
}

static int try_who_can(void)
{
    return try_who_can_in(NULL);
}

static int try_who_can_today(void)
{
    return try_who_can_in(domains);
}

static int try_never(void)
{
    struct policy_violation v = {0};
    int r = policy_check_never(a, NULL, &v);

    policy_violation_deinit(&v);
    return r == POLICY_E_NEVER ? 0 : r ? r : -EIO;
}

static int try_reach_in(const struct policy_domains *today)
{
    struct policy_chain c = {0};
    int r =
        policy_reach(a, today, &(struct policy_reach_goal){"work", "vault", NULL, NULL, true}, &c);

    policy_chain_deinit(&c);
    return r;
}

static int try_reach(void)
{
    return try_reach_in(NULL);
}

/* The first way to c is in no world with the call behind it. */
static int try_reach_again(void)
{
    struct policy_chain c = {0};
    int r = policy_reach(doubtful, NULL, &(struct policy_reach_goal){"work", "b", NULL, NULL, true},
                         &c);

    policy_chain_deinit(&c);
    return r;
}

static int try_reach_today(void)
{
    return try_reach_in(domains);
}

static int try_diff(void)
{
    return policy_diff(a, b, NULL, false, ignore_difference, NULL);
}

static int try_diff_today(void)
{
    return policy_diff(a, b, domains, false, ignore_difference, NULL);
}

/* Fails the first, second, third … allocation until the attempt gets through. */
static void every_allocation(size_t which, int (*attempt)(void))
{
    for (size_t i = 1; i < 1000000; i++) {
        int r;

        left = i;
        r = attempt();
        if (left) { /* it took fewer than that */
            left = 0;
            assert_int_equal(r, 0);
            assert_true(i > 3);
            return;
        }
        if (r != -ENOMEM)
            fail_msg("attempt %zu, allocation %zu: %d", which, i, r);
    }
    fail();
}

static void no_memory_is_told_at_every_place(void **state)
{
    static int (*const attempts[])(void) = {try_who_can, try_who_can_today, try_never,
                                            try_reach,   try_reach_again,   try_reach_today,
                                            try_diff,    try_diff_today};
    static const struct policy_file second[] = {
        FILE_OF("p/10-a.policy", "a.B * work @dispvm allow\na.C * mail @default ask\n"
                                 "a.C * mail vault allow autostart=no\n")};
    static const struct policy_file first[] = {
        FILE_OF("p/10-a.policy", "a.B * work @dispvm:dvm allow\na.C * @tag:dvms vault allow\n"
                                 "a.C * mail @tag:t ask\n"),
        FILE_OF("p/10-a.never", "a.X * work *\na.C * mail *\n")};
    static const struct policy_file third[] = {
        FILE_OF("p/10-a.policy", "a.B * work @tag:t deny\na.B * work b allow target=c\n"
                                 "a.B * work c allow\na.B * c @tag:t allow\n")};

    (void)state;
    a = fixture_load(first, 2);
    b = fixture_load(second, 1);
    doubtful = fixture_load(third, 1);
    domains = fixture_domains();
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
        every_allocation(i, attempts[i]);
    policy_unref(a);
    policy_unref(b);
    policy_unref(doubtful);
    policy_domains_unref(domains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_memory_is_told_at_every_place)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
