/* What qrexec-calls makes of the daemons' lines. */
#include "tests/unit/test.h"

#include "qrexec-daemon/calls-table.h"

#define HEAD "call\tid=email-x.1\tdirection="
#define TAIL                                                                                       \
    "\tservice=test.Echo+a\tdomain=9\tport=514\tsince=1700000000123\tdeciding=1\tmaking=2"         \
    "\tasking=3\tconnecting=4\trunning=5\tending=6"
#define OUT HEAD "out\tstate=running\tsource=email\tasked=@default\ttarget=work" TAIL
#define IN  HEAD "in\tstate=running\tsource=\tasked=\ttarget=work" TAIL

static const struct asked nobody = {.fd = -1};

static void fields_are_found_whole(void **state)
{
    char value[8];
    uint64_t n = 99;

    (void)state;
    assert_true(ask_field("call\taid=no\tid=a=b\tid2=x", "id", value, sizeof(value)));
    assert_string_equal(value, "a=b");
    assert_true(ask_field("w\tid=", "id", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_true(ask_field("w\tid=0123456789", "id", value, sizeof(value)));
    assert_string_equal(value, "0123456");
    assert_false(ask_field("id=x", "id", value, sizeof(value))); /* the word, no field */
    assert_string_equal(value, "");
    assert_false(ask_number("w\tn=", "n", &n));
    assert_false(ask_number("w\tn=-1", "n", &n));
    assert_false(ask_number("w\tn=1x", "n", &n));
    assert_int_equal(n, 99);
    assert_true(ask_number("w\tn=18446744073709551615", "n", &n));
    assert_int_equal(n, UINT64_MAX);
}

static void a_line_becomes_a_call(void **state)
{
    struct table t = {0};

    (void)state;
    assert_int_equal(table_take(&t, &nobody, OUT "\tsent=7\treceived=8\tfirst=9"), 0);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.calls[0].id, "email-x.1");
    assert_string_equal(t.calls[0].source, "email");
    assert_string_equal(t.calls[0].asked, "@default");
    assert_string_equal(t.calls[0].target, "work");
    assert_string_equal(t.calls[0].service, "test.Echo+a");
    assert_int_equal(t.calls[0].since, 1700000000123);
    assert_true(t.calls[0].has_bytes && t.calls[0].has_first);
    assert_int_equal(t.calls[0].to_target, 7);
    assert_int_equal(t.calls[0].to_source, 8);
    for (size_t i = 0; i < TABLE_STAGES; i++)
        assert_int_equal(t.calls[0].stages[i], i + 1);
    assert_int_equal(table_take(&t, &nobody, "call\tid=a b\tdirection=out"), 0);
    assert_int_equal(table_take(&t, &nobody, "call"), 0);
    assert_int_equal(t.n, 1);
    table_deinit(&t);
}

/* Whoever speaks first, the caller's daemon is right, and the target's bytes are turned round. */
static void both_ends_of_a_call_are_one(void **state)
{
    static const char *const lines[2] = {OUT, IN "\tsent=1\treceived=2\tfirst=3"};

    (void)state;
    for (size_t first = 0; first < 2; first++) {
        struct table t = {0};

        assert_int_equal(table_take(&t, &nobody, lines[first]), 0);
        assert_int_equal(table_take(&t, &nobody, lines[1 - first]), 0);
        assert_int_equal(t.n, 1);
        assert_string_equal(t.calls[0].source, "email");
        assert_true(t.calls[0].outgoing && t.calls[0].has_bytes && t.calls[0].has_first);
        assert_int_equal(t.calls[0].to_target, 2);
        assert_int_equal(t.calls[0].to_source, 1);
        table_deinit(&t);
    }
}

static void the_callers_bytes_count_where_both_tell(void **state)
{
    struct table t = {0};

    (void)state;
    assert_int_equal(table_take(&t, &nobody, IN "\tsent=1\treceived=2"), 0);
    assert_int_equal(table_take(&t, &nobody, OUT "\tsent=20\treceived=10"), 0);
    assert_int_equal(t.calls[0].to_target, 20);
    assert_int_equal(t.calls[0].to_source, 10);
    assert_int_equal(table_take(&t, &nobody, IN "\tsent=1\treceived=2"), 0);
    assert_int_equal(t.calls[0].to_target, 20);
    table_deinit(&t);
}

static void a_source_that_is_a_number_gets_its_name(void **state)
{
    struct asked daemons[] = {{.name = "dom", .domain = 0}, {.name = "email", .domain = 9}};
    struct ask a = {.daemons = daemons, .n = 2};
    struct shown s;

    (void)state;
    table_read(&s, &nobody, IN);
    table_name(&s, &a);
    assert_string_equal(s.source, "email");
    table_read(&s, &nobody, IN);
    s.domain = 8;
    table_name(&s, &a);
    assert_string_equal(s.source, "domain 8");
    table_read(&s, &nobody, IN);
    s.domain = 0;
    table_name(&s, &a);
    assert_string_equal(s.source, "dom0");
    table_read(&s, &nobody, OUT);
    table_name(&s, &a);
    assert_string_equal(s.source, "email");
}

static void the_oldest_call_comes_first(void **state)
{
    struct table t = {0};

    (void)state;
    assert_int_equal(table_take(&t, &nobody, "call\tid=b\tsince=2"), 0);
    assert_int_equal(table_take(&t, &nobody, "call\tid=c\tsince=1"), 0);
    assert_int_equal(table_take(&t, &nobody, "call\tid=a\tsince=2"), 0);
    table_sort(&t);
    assert_string_equal(t.calls[0].id, "c");
    assert_string_equal(t.calls[1].id, "a");
    assert_string_equal(t.calls[2].id, "b");
    table_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_whole),
        cmocka_unit_test(a_line_becomes_a_call),
        cmocka_unit_test(both_ends_of_a_call_are_one),
        cmocka_unit_test(the_callers_bytes_count_where_both_tell),
        cmocka_unit_test(a_source_that_is_a_number_gets_its_name),
        cmocka_unit_test(the_oldest_call_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
