#include "tests/unit/test.h"

#include "libqrexec/wire/command.h"

static int parse(const char *line, struct command *ret)
{
    return command_parse(wire_text(line), COMMAND_IN_VM, ret);
}

static void a_service_call_is_taken_apart(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(parse("user:QUBESRPC qubes.VMExec+a+b work", &c), 0);
    assert_true(wire_text_is(c.user, "user"));
    assert_false(c.nogui);
    assert_true(c.is_service);
    assert_true(wire_text_is(c.text, "QUBESRPC qubes.VMExec+a+b work"));
    assert_true(wire_text_is(c.descriptor, "qubes.VMExec+a+b work"));
    assert_true(wire_text_is(c.full_name, "qubes.VMExec+a+b"));
    assert_true(wire_text_is(c.service, "qubes.VMExec"));
    assert_true(wire_text_is(c.argument, "a+b"));
    assert_true(wire_text_is(c.source, "work"));
    assert_null(c.target_type.s);
    assert_null(c.target.s);
    assert_int_equal(c.n_words, 2);
}

static void an_absent_argument_is_not_an_empty_one(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(parse("u:QUBESRPC s+ w", &c), 0);
    assert_true(wire_text_is(c.argument, ""));
    assert_int_equal(parse("u:QUBESRPC s w", &c), 0);
    assert_null(c.argument.s);
    assert_true(wire_text_is(c.service, "s"));
}

static void dom0_has_no_user_and_a_target(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(
        command_parse(wire_text("nogui:QUBESRPC s+ w keyword adminvm"), COMMAND_IN_DOM0, &c), 0);
    assert_null(c.user.s);
    assert_true(c.nogui);
    assert_true(wire_text_is(c.target_type, "keyword"));
    assert_true(wire_text_is(c.target, "adminvm"));
    assert_int_equal(c.n_words, 4);
    assert_int_equal(command_parse(wire_text("a:b"), COMMAND_IN_DOM0, &c), 0);
    assert_true(wire_text_is(c.text, "a:b"));
}

static void anything_else_is_a_shell_command(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(parse("user:nogui:echo  'a:b' ", &c), 0);
    assert_true(c.nogui);
    assert_false(c.is_service);
    assert_true(wire_text_is(c.text, "echo  'a:b' "));
    assert_int_equal(parse("user: QUBESRPC s w", &c), 0);
    assert_false(c.is_service);
    assert_int_equal(parse("user:", &c), 0);
    assert_int_equal(c.text.len, 0);
}

static void malformed_lines_have_their_error(void **state)
{
    static const struct {
        const char *line;
        int error;
    } bad[] = {
        {"", COMMAND_E_COLON},
        {"user", COMMAND_E_COLON},
        {"u:QUBESRPC", COMMAND_E_BLANK},
        {"u:QUBESRPCs w", COMMAND_E_BLANK},
        {"u:QUBESRPC\ts w", COMMAND_E_BLANK},
        {"u:QUBESRPC ", COMMAND_E_SERVICE},
        {"u:QUBESRPC  s w", COMMAND_E_SERVICE},
        {"u:QUBESRPC +a w", COMMAND_E_SERVICE},
        {"u:QUBESRPC s", COMMAND_E_SOURCE},
        {"u:QUBESRPC s+a", COMMAND_E_SOURCE},
        {"u:QUBESRPC s ", COMMAND_E_EMPTY_WORD},
        {"u:QUBESRPC s  w", COMMAND_E_EMPTY_WORD},
        {"u:QUBESRPC s w ", COMMAND_E_EMPTY_WORD},
        {"u:QUBESRPC s w name  x", COMMAND_E_EMPTY_WORD},
    };
    struct command c = {.n_words = 99};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (parse(bad[i].line, &c) != bad[i].error)
            fail_msg("\"%s\"", bad[i].line);
    assert_int_equal(c.n_words, 99);
    assert_int_equal(command_parse((struct wire_text){"u:a\0b", 5}, COMMAND_IN_VM, &c),
                     COMMAND_E_NUL);
    for (int e = 0; e <= COMMAND_E_NUL; e++)
        assert_string_not_equal(command_error_text(e), "unknown error");
}

static void words_are_counted(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(parse("u:QUBESRPC s w name", &c), 0);
    assert_int_equal(c.n_words, 3);
    assert_true(wire_text_is(c.target_type, "name"));
    assert_int_equal(parse("u:QUBESRPC s w name x y", &c), 0);
    assert_int_equal(c.n_words, 5);
    assert_true(wire_text_is(c.target, "x y"));
}

static void a_service_name_has_up_to_255_bytes(void **state)
{
    char line[600], name[257];
    struct command c;

    (void)state;
    memset(name, 's', 256);
    name[256] = 0;
    snprintf(line, sizeof(line), "u:QUBESRPC %s+%s w", name + 1, name);
    assert_int_equal(parse(line, &c), 0);
    assert_int_equal(c.service.len, 255);
    snprintf(line, sizeof(line), "u:QUBESRPC %s+ w", name);
    assert_int_equal(parse(line, &c), COMMAND_E_SERVICE);
}

static void commands_are_built_as_after_an_allow(void **state)
{
    char buf[200];
    struct wire_writer w = wire_writer(buf, sizeof(buf));

    (void)state;
    assert_int_equal(command_write_vm(&w, wire_text("user"), wire_text("s+a"), wire_text("w")), 0);
    buf[w.len] = 0;
    assert_string_equal(buf, "user:QUBESRPC s+a w");
    w.len = 0;
    assert_int_equal(command_write_vm(&w, wire_text("DEFAULT"), wire_text("s"), wire_text("w")), 0);
    buf[w.len] = 0;
    assert_string_equal(buf, "DEFAULT:QUBESRPC s+ w");
    w.len = 0;
    assert_int_equal(command_write_dom0(&w, wire_text("s"), wire_text("w"), wire_text("@adminvm")),
                     0);
    buf[w.len] = 0;
    assert_string_equal(buf, "QUBESRPC s+ w keyword adminvm");
    w.len = 0;
    assert_int_equal(command_write_dom0(&w, wire_text("s+"), wire_text("w"), wire_text("dom0")), 0);
    buf[w.len] = 0;
    assert_string_equal(buf, "QUBESRPC s+ w name dom0");
}

static void words_that_would_not_arrive_are_not_built(void **state)
{
    char buf[200];

    (void)state;
    for (int i = 0; i < 6; i++) {
        struct wire_text user = wire_text(i == 0 ? "" : i == 1 ? "a:b" : "u");
        struct wire_text service = wire_text(i == 2 ? "" : i == 3 ? "s x" : "s");
        struct wire_text source = wire_text(i == 4 ? "" : i == 5 ? "a b" : "w");
        struct wire_writer w = wire_writer(buf, sizeof(buf));

        assert_int_equal(command_write_vm(&w, user, service, source), WIRE_E_VALUE);
        assert_int_equal(w.len, 0);
    }
    {
        struct wire_writer w = wire_writer(buf, sizeof(buf));

        assert_int_equal(command_write_dom0(&w, wire_text("s"), wire_text("w"), wire_text("@")),
                         WIRE_E_VALUE);
        w = wire_writer(buf, 10);
        assert_int_equal(command_write_vm(&w, wire_text("u"), wire_text("s"), wire_text("w")),
                         WIRE_E_SPACE);
        assert_int_equal(w.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_call_is_taken_apart),
        cmocka_unit_test(an_absent_argument_is_not_an_empty_one),
        cmocka_unit_test(dom0_has_no_user_and_a_target),
        cmocka_unit_test(anything_else_is_a_shell_command),
        cmocka_unit_test(malformed_lines_have_their_error),
        cmocka_unit_test(words_are_counted),
        cmocka_unit_test(a_service_name_has_up_to_255_bytes),
        cmocka_unit_test(commands_are_built_as_after_an_allow),
        cmocka_unit_test(words_that_would_not_arrive_are_not_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
