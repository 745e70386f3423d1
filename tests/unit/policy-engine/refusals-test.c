/* A token bucket a source for what refused calls cost. */
#include "policy-engine/refusals.h"

#include "tests/unit/test.h"

struct told {
    uint64_t count, ms;
    size_t n;
    char source[32], last[300];
};

static void on_tell(void *user, const struct refusals_repeat *r)
{
    struct told *t = user;

    t->n++;
    t->count += r->count;
    t->ms = r->ms;
    (void)format(t->source, sizeof(t->source), "%s", r->source);
    (void)format(t->last, sizeof(t->last), "%s", r->last);
}

static size_t take_many(struct refusals *r, const char *source, uint64_t now, size_t n)
{
    size_t told = 0;

    for (size_t i = 0; i < n; i++)
        told += refusals_take(r, source, now, "last");
    return told;
}

static void a_burst_is_told_and_then_counted(void **state)
{
    struct refusals r = {0};
    struct told t = {0};

    (void)state;
    assert_int_equal(take_many(&r, "work", 1000, 1000000), REFUSALS_BURST);
    assert_int_equal(r.n, 1);
    assert_int_equal(refusals_flush(&r, 1100, false, on_tell, &t), REFUSALS_QUIET_MS);
    assert_int_equal(t.n, 0); /* it goes on */
    (void)refusals_flush(&r, 1000 + REFUSALS_QUIET_MS, false, on_tell, &t);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.count, 1000000 - REFUSALS_BURST);
    assert_int_equal(t.ms, REFUSALS_QUIET_MS);
    assert_string_equal(t.source, "work");
    assert_string_equal(t.last, "last");
    refusals_deinit(&r);
}

static void sources_do_not_share(void **state)
{
    struct refusals r = {0};

    (void)state;
    (void)take_many(&r, "work", 1000, 500);
    assert_int_equal(take_many(&r, "vault", 1000, 5), 5);
    assert_false(refusals_take(&r, "work", 1000, ""));
    refusals_deinit(&r);
}

static void tokens_come_back_with_time(void **state)
{
    struct refusals r = {0};
    struct told t = {0};

    (void)state;
    (void)take_many(&r, "work", 1000, REFUSALS_BURST);
    assert_true(refusals_take(&r, "work", 1000 + REFUSALS_REFILL_MS, ""));
    assert_false(refusals_take(&r, "work", 1000 + REFUSALS_REFILL_MS, ""));
    /* while some are not told yet, more are counted with them: the order stays */
    assert_false(refusals_take(&r, "work", 1000 + 3 * REFUSALS_REFILL_MS, ""));
    (void)refusals_flush(&r, 1000 + 10 * REFUSALS_REFILL_MS, false, on_tell, &t);
    assert_int_equal(t.count, 2);
    assert_true(refusals_take(&r, "work", 1000 + 10 * REFUSALS_REFILL_MS, ""));
    refusals_deinit(&r);
}

static void a_flood_without_an_end_is_told_now_and_then(void **state)
{
    struct refusals r = {0};
    struct told t = {0};

    (void)state;
    for (uint64_t now = 1000; now < 61000; now += 10) {
        (void)refusals_take(&r, "work", now, "x");
        (void)refusals_flush(&r, now, false, on_tell, &t);
    }
    assert_in_range(t.n, 4, 7);
    refusals_deinit(&r);
}

static void what_is_quiet_is_forgotten(void **state)
{
    struct refusals r = {0};
    struct told t = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        char source[16];

        (void)format(source, sizeof(source), "vm-%d", i);
        assert_true(refusals_take(&r, source, 1000, ""));
    }
    assert_int_equal(r.n, 100);
    assert_int_equal(
        refusals_flush(&r, 1000 + REFUSALS_BURST * REFUSALS_REFILL_MS, false, on_tell, &t), 0);
    assert_int_equal(r.n, 0);
    assert_null(r.first);
    assert_int_equal(t.n, 0);
}

static void too_many_sources_are_told_each_time(void **state)
{
    struct refusals r = {0};

    (void)state;
    for (int i = 0; i < REFUSALS_SOURCES; i++) {
        char source[16];

        (void)format(source, sizeof(source), "vm-%d", i);
        (void)refusals_take(&r, source, 1000, "");
    }
    assert_int_equal(take_many(&r, "one-more", 1000, 100), 100);
    assert_int_equal(r.n, REFUSALS_SOURCES);
    refusals_deinit(&r);
}

static void the_end_tells_what_is_left_and_a_long_name_is_cut(void **state)
{
    struct refusals r = {0};
    struct told t = {0};
    char name[1000];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    (void)take_many(&r, "work", 1000, REFUSALS_BURST);
    assert_false(refusals_take(&r, "work", 1000, name));
    (void)refusals_flush(&r, 1001, true, on_tell, &t);
    assert_int_equal(t.count, 1);
    assert_true(strlen(t.last) > 100 && strlen(t.last) < 300);
    refusals_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_told_and_then_counted),
        cmocka_unit_test(sources_do_not_share),
        cmocka_unit_test(tokens_come_back_with_time),
        cmocka_unit_test(a_flood_without_an_end_is_told_now_and_then),
        cmocka_unit_test(what_is_quiet_is_forgotten),
        cmocka_unit_test(too_many_sources_are_told_each_time),
        cmocka_unit_test(the_end_tells_what_is_left_and_a_long_name_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
