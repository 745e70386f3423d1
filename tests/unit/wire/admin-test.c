#include "tests/unit/test.h"

#include "libqrexec/wire/admin.h"

/* A literal with the NULs inside it. */
#define READ_REQUEST(text, ret) admin_read_request(text, sizeof(text) - 1, ret)
#define READ_ANSWER(text, ret)  admin_read_answer(text, sizeof(text) - 1, ret)

static void a_request_splits_at_the_first_plus(void **state)
{
    struct admin_request q;

    (void)state;
    assert_int_equal(READ_REQUEST("admin.vm.Shutdown+force+wait dom0 name work\0pay\0load", &q), 0);
    assert_true(wire_text_is(q.method, "admin.vm.Shutdown"));
    assert_true(wire_text_is(q.argument, "force+wait"));
    assert_true(wire_text_is(q.source, "dom0"));
    assert_false(q.keyword);
    assert_true(wire_text_is(q.dest, "work"));
    assert_int_equal(q.payload.len, 8);
    assert_memory_equal(q.payload.s, "pay\0load", 8);
    assert_int_equal(READ_REQUEST("admin.vm.List mgmt keyword adminvm\0", &q), 0);
    assert_true(wire_text_is(q.method, "admin.vm.List"));
    assert_true(wire_text_is(q.argument, ""));
    assert_true(q.keyword);
    assert_int_equal(q.payload.len, 0);
}

static void malformed_requests_have_their_error(void **state)
{
    static const char *const bad[] = {
        "",
        "m+ dom0 name",
        "m+ dom0 name ",
        "m+  dom0 name x",
        "m+ dom0 name x y",
        " m+ dom0 name x",
        "+a dom0 name x",
        "m+ dom0 Name x",
        "m+ dom0  x",
        "m+  name x",
        "m+ dom0 name x ",
    };
    static char big[ADMIN_REQUEST_MAX + 1];
    struct admin_request q;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (admin_read_request(bad[i], strlen(bad[i]) + 1, &q) != WIRE_E_TEXT)
            fail_msg("case %zu", i);
    assert_int_equal(READ_REQUEST("m+ dom0 name x", &q), WIRE_E_SHORT);
    memcpy(big, "m+ dom0 name x", 15);
    assert_int_equal(admin_read_request(big, sizeof(big), &q), WIRE_E_LENGTH);
    assert_int_equal(admin_read_request(big, sizeof(big) - 1, &q), 0);
}

static void a_request_is_written_with_its_plus(void **state)
{
    char buf[100];
    struct wire_writer w = wire_writer(buf, sizeof(buf));

    (void)state;
    assert_int_equal(admin_write_request(&w, "admin.vm.Start", "", "dom0", "work", false, "", 0),
                     0);
    assert_int_equal(w.len, sizeof("admin.vm.Start+ dom0 name work"));
    assert_memory_equal(buf, "admin.vm.Start+ dom0 name work", w.len);
    w.len = 0;
    assert_int_equal(admin_write_request(&w, "m", "a+b", "dom0", "adminvm", true, "p\0q", 3), 0);
    assert_memory_equal(buf, "m+a+b dom0 keyword adminvm\0p\0q", w.len);
    assert_int_equal(w.len, 30);
    assert_int_equal(admin_write_request(&w, "m", "", "a b", "x", false, "", 0), WIRE_E_VALUE);
    assert_int_equal(admin_write_request(&w, "m+", "", "a", "x", false, "", 0), WIRE_E_VALUE);
    assert_int_equal(admin_write_request(&w, "m", "", "a", "", false, "", 0), WIRE_E_VALUE);
    assert_int_equal(w.len, 30);
}

static void answers_are_success_or_exception(void **state)
{
    struct admin_answer a;
    char text[100];

    (void)state;
    assert_int_equal(READ_ANSWER("0\0", &a), 0);
    assert_true(a.success);
    assert_int_equal(a.content.len, 0);
    assert_int_equal(READ_ANSWER("0\0a\0b", &a), 0);
    assert_int_equal(a.content.len, 3);
    assert_int_equal(
        READ_ANSWER("2\0QubesVMNotFoundError\0\0No such domain: %s (%d%%)\0work\0007\0", &a), 0);
    assert_false(a.success);
    assert_true(wire_text_is(a.type, "QubesVMNotFoundError"));
    admin_exception_text(&a, text, sizeof(text));
    assert_string_equal(text, "No such domain: work (7%)");
    assert_int_equal(READ_ANSWER("", &a), WIRE_E_SHORT);
    assert_int_equal(READ_ANSWER("0", &a), WIRE_E_SHORT);
    assert_int_equal(READ_ANSWER("2\0T\0\0format", &a), WIRE_E_SHORT);
    assert_int_equal(READ_ANSWER("1\0\0e\0\0", &a), WIRE_E_TYPE);
    assert_int_equal(READ_ANSWER("00\0", &a), WIRE_E_TYPE);
}

static void a_text_without_its_fields_stays_as_it_is(void **state)
{
    struct admin_answer a;
    char text[100], small[8];

    (void)state;
    assert_int_equal(READ_ANSWER("2\0T\0\0a %s b %s c %q 100%\0one\0", &a), 0);
    admin_exception_text(&a, text, sizeof(text));
    assert_string_equal(text, "a one b %s c %q 100%");
    admin_exception_text(&a, small, sizeof(small));
    assert_int_equal(strlen(small), 7);
    assert_string_equal(small, "a one b");
}

static void a_finished_text_comes_through_unchanged(void **state)
{
    char buf[200], text[100];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    struct admin_answer a;

    (void)state;
    assert_int_equal(admin_write_exception(&w, "QubesException", "50% of %s"), 0);
    assert_memory_equal(buf, "2\0QubesException\0\00050%% of %%s\0", w.len);
    assert_int_equal(admin_read_answer(buf, w.len, &a), 0);
    admin_exception_text(&a, text, sizeof(text));
    assert_string_equal(text, "50% of %s");
    w.len = 0;
    assert_int_equal(admin_write_success(&w, "x", 1), 0);
    assert_int_equal(w.len, 3);
    assert_memory_equal(buf, "0\0x", 3);
}

static void events_follow_one_another_in_a_stream(void **state)
{
    const char *const pairs[] = {"tag", "online", "empty", "", NULL};
    char buf[200];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    struct admin_event e;
    size_t first, used;

    (void)state;
    assert_int_equal(admin_write_event(&w, "", "connection-established", NULL), 0);
    first = w.len;
    assert_memory_equal(buf, "1\0\0connection-established\0\0", first);
    assert_int_equal(admin_write_event(&w, "work", "domain-tag-add:online", pairs), 0);
    for (size_t n = 0; n < first; n++)
        assert_int_equal(admin_read_event(buf, n, &e, &used), WIRE_E_SHORT);
    assert_int_equal(admin_read_event(buf, w.len, &e, &used), 0);
    assert_int_equal(used, first);
    for (size_t n = first; n < w.len; n++)
        assert_int_equal(admin_read_event(buf + first, n - first, &e, &used), WIRE_E_SHORT);
    assert_int_equal(admin_read_event(buf + first, w.len - first, &e, &used), 0);
    assert_int_equal(used, w.len - first);
    assert_true(wire_text_is(e.subject, "work"));
    assert_true(wire_text_is(e.event, "domain-tag-add:online"));
    assert_true(wire_text_is(admin_event_value(&e, "tag"), "online"));
    assert_true(wire_text_is(admin_event_value(&e, "empty"), ""));
    assert_null(admin_event_value(&e, "online").s);
    assert_int_equal(admin_read_event("2\0T\0\0f\0", 8, &e, &used), WIRE_E_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_splits_at_the_first_plus),
        cmocka_unit_test(malformed_requests_have_their_error),
        cmocka_unit_test(a_request_is_written_with_its_plus),
        cmocka_unit_test(answers_are_success_or_exception),
        cmocka_unit_test(a_text_without_its_fields_stays_as_it_is),
        cmocka_unit_test(a_finished_text_comes_through_unchanged),
        cmocka_unit_test(events_follow_one_another_in_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
