#include "tests/unit/test.h"

#include "libqrexec/wire/policy-text.h"

static int query(const char *text, bool eof, struct policy_query *ret)
{
    return policy_text_read_query(text, strlen(text), eof, ret);
}

#define GOOD "source=a\nintended_target=b\nservice_and_arg=s+x\n"

static void a_query_ends_with_an_empty_line_or_the_end(void **state)
{
    struct policy_query q;

    (void)state;
    assert_int_equal(query(GOOD, false, &q), WIRE_E_SHORT);
    assert_int_equal(query(GOOD "\n", false, &q), 0);
    assert_int_equal(query(GOOD, true, &q), 0);
    assert_int_equal(query("source=a\nintended_target=\nservice_and_arg=s", true, &q), 0);
    assert_true(wire_text_is(q.source, "a"));
    assert_true(wire_text_is(q.target, ""));
    assert_true(wire_text_is(q.service, "s"));
    assert_null(q.requested_source.s);
    assert_false(q.assume_yes_for_ask);
    assert_false(q.just_evaluate);
    assert_int_equal(query("", false, &q), WIRE_E_SHORT);
    assert_int_equal(query("source", false, &q), WIRE_E_SHORT);
}

static void optional_keys_of_a_query(void **state)
{
    struct policy_query q;

    (void)state;
    assert_int_equal(
        query(GOOD "requested_source=\nassume_yes_for_ask=yes\njust_evaluate=no\n\n", false, &q),
        0);
    assert_non_null(q.requested_source.s);
    assert_int_equal(q.requested_source.len, 0);
    assert_true(q.assume_yes_for_ask);
    assert_false(q.just_evaluate);
    assert_int_equal(query(GOOD "requested_source=r\njust_evaluate=yes\n\n", false, &q), 0);
    assert_true(wire_text_is(q.requested_source, "r"));
    assert_true(q.just_evaluate);
}

static void malformed_queries_have_their_error(void **state)
{
    static const struct {
        const char *text;
        int error;
    } bad[] = {
        {GOOD "nothing\n\n", WIRE_E_TEXT},
        {GOOD "other=1\n\n", WIRE_E_TEXT},
        {GOOD "source=a\n\n", WIRE_E_TWICE},
        {"source=a\nservice_and_arg=s\n\n", WIRE_E_MISSING},
        {"source=a\nintended_target=s\n\n", WIRE_E_MISSING},
        {"intended_target=b\nservice_and_arg=s\n\n", WIRE_E_MISSING},
        {"\n", WIRE_E_MISSING},
        {"source=\nintended_target=b\nservice_and_arg=s\n\n", WIRE_E_VALUE},
        {"source=a\nintended_target=b c\nservice_and_arg=s\n\n", WIRE_E_VALUE},
        {"source=a\nintended_target=b\nservice_and_arg=\n\n", WIRE_E_VALUE},
        {"source=a\nintended_target=b\nservice_and_arg=+x\n\n", WIRE_E_VALUE},
        {"source=a\nintended_target=b\nservice_and_arg=a/b\n\n", WIRE_E_VALUE},
        {GOOD "just_evaluate=true\n\n", WIRE_E_VALUE},
        {GOOD "assume_yes_for_ask=\n\n", WIRE_E_VALUE},
        {"source=\xc3\xa4\nintended_target=b\nservice_and_arg=s\n\n", WIRE_E_TEXT},
        {" source=a\nintended_target=b\nservice_and_arg=s\n\n", WIRE_E_TEXT},
    };
    struct policy_query q = {.assume_yes_for_ask = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (query(bad[i].text, false, &q) != bad[i].error)
            fail_msg("case %zu", i);
    assert_true(q.assume_yes_for_ask);
}

static void a_query_has_a_limit(void **state)
{
    static char big[POLICY_REQUEST_MAX + 1];
    struct policy_query q;

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(policy_text_read_query(big, sizeof(big), false, &q), WIRE_E_LENGTH);
    assert_int_equal(policy_text_read_query(big, sizeof(big) - 1, false, &q), WIRE_E_SHORT);
}

static void the_longest_service_fits_into_a_query(void **state)
{
    static char service[WIRE_SERVICE_SIZE], buf[POLICY_REQUEST_MAX];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    struct policy_query q = {wire_text("a"), wire_text("b"), {service, WIRE_SERVICE_SIZE - 1},
                             wire_text("c"), true,           true};
    struct policy_query back;

    (void)state;
    memset(service, 's', WIRE_SERVICE_SIZE - 1);
    assert_int_equal(policy_text_write_query(&w, &q), 0);
    assert_int_equal(policy_text_read_query(buf, w.len, false, &back), 0);
    assert_int_equal(back.service.len, WIRE_SERVICE_SIZE - 1);
    assert_true(wire_text_is(back.requested_source, "c"));
    assert_true(back.assume_yes_for_ask && back.just_evaluate);
}

static void a_query_is_written_as_the_field_reads_it(void **state)
{
    char buf[200];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    struct policy_query q = {.source = wire_text("a"),
                             .target = wire_text("@default"),
                             .service = wire_text("s+"),
                             .requested_source = wire_text("")};

    (void)state;
    assert_int_equal(policy_text_write_query(&w, &q), 0);
    buf[w.len] = 0;
    assert_string_equal(
        buf, "source=a\nintended_target=@default\nservice_and_arg=s+\nrequested_source=\n\n");
    w.len = 0;
    q.target = wire_text("a\nsource=b");
    assert_int_equal(policy_text_write_query(&w, &q), WIRE_E_VALUE);
    assert_int_equal(w.len, 0);
}

static int answer(const char *text, struct policy_answer *ret)
{
    return policy_text_read_answer(text, strlen(text), ret);
}

#define ALLOW "result=allow\nuser=u\ntarget=t\nautostart=True\nrequested_target=r\n"

static void answers_are_read(void **state)
{
    struct policy_answer a;

    (void)state;
    assert_int_equal(answer("result=deny\n", &a), 0);
    assert_false(a.allow);
    assert_int_equal(answer("result=deny", &a), 0);
    assert_int_equal(answer(ALLOW, &a), 0);
    assert_true(a.allow && a.autostart);
    assert_true(wire_text_is(a.user, "u"));
    assert_true(wire_text_is(a.target, "t"));
    assert_true(wire_text_is(a.requested_target, "r"));
    assert_null(a.target_uuid.s);
    assert_null(a.service.s);
    assert_int_equal(answer("autostart=False\nunknown=x\nservice=s+\npolicy_source=p\n"
                            "target_uuid=uuid:1\nuser=u\ntarget=t\nrequested_target=\nresult=allow",
                            &a),
                     0);
    assert_false(a.autostart);
    assert_true(wire_text_is(a.target_uuid, "uuid:1"));
    assert_true(wire_text_is(a.service, "s+"));
    assert_true(wire_text_is(a.policy_source, "p"));
    assert_true(wire_text_is(a.requested_target, ""));
}

static void malformed_answers_have_their_error(void **state)
{
    static const struct {
        const char *text;
        int error;
    } bad[] = {
        {"", WIRE_E_MISSING},
        {"\n", WIRE_E_TEXT},
        {"result=deny\n\n", WIRE_E_TEXT},
        {"result=perhaps\n", WIRE_E_VALUE},
        {"result=\n", WIRE_E_VALUE},
        {"result=allow\n", WIRE_E_MISSING},
        {"user=u\n", WIRE_E_MISSING},
        {"result=deny\nuser=u\n", WIRE_E_TEXT},
        {"result=deny\nautostart=True\n", WIRE_E_TEXT},
        {"result=deny\nresult=deny\n", WIRE_E_TWICE},
        {ALLOW "user=v\n", WIRE_E_TWICE},
        {ALLOW "noequals\n", WIRE_E_TEXT},
        {"result=allow\nuser=u\ntarget=t\nautostart=yes\nrequested_target=r\n", WIRE_E_VALUE},
        {"result=allow\nuser=u\ntarget=t\nrequested_target=r\n", WIRE_E_MISSING},
    };
    static char big[POLICY_ANSWER_MAX + 1];
    struct policy_answer a;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (answer(bad[i].text, &a) != bad[i].error)
            fail_msg("case %zu", i);
    assert_int_equal(policy_text_read_answer("result=deny\0", 12, &a), WIRE_E_TEXT);
    memset(big, 'x', sizeof(big));
    memcpy(big, "result=deny\nx=", 14);
    assert_int_equal(policy_text_read_answer(big, sizeof(big), &a), WIRE_E_LENGTH);
    assert_int_equal(policy_text_read_answer(big, sizeof(big) - 1, &a), 0);
}

static void answers_are_written_as_they_are_read(void **state)
{
    struct policy_answer back, a = {.allow = true,
                                    .user = wire_text("u"),
                                    .target = wire_text("t"),
                                    .requested_target = wire_text("@default"),
                                    .target_uuid = wire_text("uuid:2"),
                                    .service = wire_text("s+x")};
    static char buf[8000], big[4096];
    struct wire_writer w = wire_writer(buf, sizeof(buf));

    (void)state;
    assert_int_equal(policy_text_write_answer(&w, &a, false), 0);
    assert_int_equal(policy_text_read_answer(buf, w.len, &back), 0);
    assert_true(back.allow && !back.autostart);
    assert_true(wire_text_is(back.target_uuid, "uuid:2"));
    assert_true(wire_text_is(back.service, "s+x"));
    w.len = 0;
    assert_int_equal(policy_text_write_answer(&w, &a, true), 0);
    assert_int_equal(w.len, 13);
    assert_memory_equal(buf, "result=allow\n", 13);
    w.len = 0;
    a.allow = false;
    assert_int_equal(policy_text_write_answer(&w, &a, false), 0);
    assert_memory_equal(buf, "result=deny\n", 12);
    assert_int_equal(w.len, 12);
    a.allow = true;
    memset(big, 'x', sizeof(big) - 1);
    a.service = wire_text(big);
    assert_int_equal(policy_text_write_answer(&w, &a, false), WIRE_E_LENGTH);
    assert_int_equal(w.len, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_ends_with_an_empty_line_or_the_end),
        cmocka_unit_test(optional_keys_of_a_query),
        cmocka_unit_test(malformed_queries_have_their_error),
        cmocka_unit_test(a_query_has_a_limit),
        cmocka_unit_test(the_longest_service_fits_into_a_query),
        cmocka_unit_test(a_query_is_written_as_the_field_reads_it),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(malformed_answers_have_their_error),
        cmocka_unit_test(answers_are_written_as_they_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
