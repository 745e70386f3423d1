/*
 * qvm-run of a domain: what each of its options makes it ask for, and what it ends with. A script
 * stands where qrexec-client-vm would: it prints its words and its input.
 */
#include "tests/unit/test.h"

#include "libqrexec/base/spawn.h"

#define MOST_WORDS 10
#define OWN_INPUT  "own input\n"
#define RUNS(line) "exec bash -c '" line "' || exit 127\n" OWN_INPUT

struct result {
    int code;
    char out[512], err[1024];
};

static char *dir;

static void read_file(const char *name, char *ret, size_t size)
{
    _cleanup_(freep) char *path = format_new("%s/%s", dir, name);
    _cleanup_(freep) char *text = NULL;
    size_t n;

    assert_int_equal(file_read(path, size - 1, &text, &n), 0);
    memcpy(ret, text, n + 1);
}

static int open_file(const char *name, int flags)
{
    _cleanup_(freep) char *path = format_new("%s/%s", dir, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* With these words; the other domain's end gives that code. */
static struct result qvm_run(const char *const *words, const char *code)
{
    const char *build = getenv("builddir");
    _cleanup_(freep) char *path =
        format_new("%s/rpc-services/commands/qvm-run-vm", build ? build : ".");
    char *argv[MOST_WORDS + 2] = {(char *)"qvm-run"};
    int fds[] = {open_file("in", O_RDONLY), open_file("out", O_WRONLY | O_CREAT | O_TRUNC),
                 open_file("err", O_WRONLY | O_CREAT | O_TRUNC)};
    struct result r;
    pid_t pid;

    for (size_t i = 0; i < MOST_WORDS && words[i]; i++)
        argv[i + 1] = (char *)words[i];
    setenv("CODE", code, 1);
    assert_int_equal(
        spawn_process(&(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3}, &pid,
                      NULL),
        0);
    r.code = spawn_wait(pid);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    read_file("out", r.out, sizeof(r.out));
    read_file("err", r.err, sizeof(r.err));
    return r;
}

static int setup(void **state)
{
    static const char script[] = "#!/bin/sh\necho \"$*\"\ncat\nexit $CODE\n";
    _cleanup_(freep) char *program = NULL, *in = NULL, *path = NULL;

    (void)state;
    dir = test_mkdir();
    program = format_new("%s/qrexec-client-vm", dir);
    in = format_new("%s/in", dir);
    path = format_new("%s:/usr/bin:/bin", dir);
    assert_int_equal(file_replace(program, script, strlen(script), 0755), 0);
    assert_int_equal(file_replace(in, OWN_INPUT, strlen(OWN_INPUT), 0644), 0);
    return setenv("PATH", path, 1);
}

static int teardown(void **state)
{
    (void)state;
    test_rmdir(dir);
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
        struct result r = qvm_run(rows[i].words, "0");

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
        struct result r = qvm_run(rows[i], "0");

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
