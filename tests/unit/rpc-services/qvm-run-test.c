/*
 * qvm-run of a domain: what each of its options makes it ask for, and what it ends with. A script
 * stands where qrexec-client-vm would: it prints its words and its input.
 */
#include "tests/unit/tool.h"

#define RUNS(line) "exec bash -c '" line "' || exit 127\n" OWN_INPUT

/* With these words; the other domain's end gives that code. */
static struct tool_result qvm_run(const char *const *words, const char *code)
{
    setenv("CODE", code, 1);
    return tool_finish(tool_spawn("rpc-services/commands/qvm-run-vm", "qvm-run", words, NULL));
}

static int setup(void **state)
{
    _cleanup_(freep) char *path = NULL;

    (void)state;
    tool_begin();
    tool_write("qrexec-client-vm", "#!/bin/sh\necho \"$*\"\ncat\nexit $CODE\n", 0755);
    path = format_new("%s:/usr/bin:/bin", tool_dir);
    return setenv("PATH", path, 1);
}

static int teardown(void **state)
{
    (void)state;
    test_rmdir(tool_dir);
    return 0;
}

/* No option goes on to qrexec-client-vm: it filters for a terminal as it does by default. */
static void options_and_what_is_asked_for(void **state)
{
    static const struct {
        const char *words[MOST_WORDS], *out;
    } rows[] = {
        {{"work", "ls -l"}, "-- work qubes.VMShell\n" RUNS("ls -l")},
        {{"work", "ls", "-l"}, "-- work qubes.VMShell\n" RUNS("ls -l")},
        {{"-q", "work", "ls"}, "-- work qubes.VMShell\n" RUNS("ls")},
        {{"--quiet", "-p", "-a", "-n", "work", "ls"}, "-- work qubes.VMShell\n" RUNS("ls")},
        {{"--pass-io", "--autostart", "--no-autostart", "--gui", "work", "ls"},
         "-- work qubes.VMShell\n" RUNS("ls")},
        {{"work", "-q", "ls"}, "-- work qubes.VMShell\n" RUNS("ls")},
        {{"--", "work", "ls"}, "-- work qubes.VMShell\n" RUNS("ls")},
        {{"work", "--", "ls", "--all"}, "-- work qubes.VMShell\n" RUNS("ls --all")},
        {{"--dispvm", "ls", "-l"}, "-- @dispvm qubes.VMShell+WaitForSession\n" RUNS("ls -l")},
        {{"-d", "ls"}, "-- @dispvm qubes.VMShell+WaitForSession\n" RUNS("ls")},
        {{"--dispvm", "--", "ls", "-l"}, "-- @dispvm qubes.VMShell+WaitForSession\n" RUNS("ls -l")},
        {{"--dispvm=a-dvm", "ls"}, "-- @dispvm:a-dvm qubes.VMShell+WaitForSession\n" RUNS("ls")},
        {{"@dispvm", "ls"}, "-- @dispvm qubes.VMShell+WaitForSession\n" RUNS("ls")},
        {{"--no-gui", "--dispvm", "ls"}, "-- @dispvm qubes.VMShell\n" RUNS("ls")},
        {{"--service", "work", "a.B+c"}, "-- work a.B+c\n" OWN_INPUT},
        {{"work", "--service", "a.B+c"}, "-- work a.B+c\n" OWN_INPUT},
        {{"--dispvm=a-dvm", "--service", "a.B"}, "-- @dispvm:a-dvm a.B\n" OWN_INPUT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tool_result r = qvm_run(rows[i].words, "0");

        if (r.code || *r.err || !str_equal(r.out, rows[i].out))
            fail_msg("row %zu: code %d, out [%s], err [%s]", i, r.code, r.out, r.err);
    }
}

static void the_code_is_that_of_the_call(void **state)
{
    static const char *const command[] = {"-q", "work", "ls", NULL};
    static const char *const service[] = {"--service", "work", "a.B", NULL};

    (void)state;
    assert_int_equal(qvm_run(command, "126").code, 126); /* refused */
    assert_int_equal(qvm_run(command, "3").code, 3);
    assert_int_equal(qvm_run(service, "127").code, 127);
}

static void nothing_that_ran_is_no_success(void **state)
{
    static const char *const rows[][MOST_WORDS] = {
        {NULL},
        {"work"},
        {"--dispvm"},
        {"--dispvm", "--"},
        {"--service", "work"},
        {"--service", "work", "a.B", "more"},
        {"--what", "work", "ls"},
    };
    static const char *const command[] = {"-q", "work", "ls", NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tool_result r = qvm_run(rows[i], "0");

        if (r.code != 1 || *r.out || !strstr(r.err, "usage: qvm-run"))
            fail_msg("row %zu: code %d, out [%s], err [%s]", i, r.code, r.out, r.err);
    }
    setenv("PATH", "/nonexistent", 1);
    assert_int_equal(qvm_run(command, "0").code, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_and_what_is_asked_for),
        TEST(the_code_is_that_of_the_call),
        TEST(nothing_that_ran_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
