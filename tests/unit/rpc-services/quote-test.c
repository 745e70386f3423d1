/* The line that a shell at the other end reads first. A real bash says what it makes of it. */
#include "tests/unit/test.h"

#include "libqrexec/base/spawn.h"
#include "rpc-services/quote.h"

/* What bash prints that gets the line as its input, as qubes.VMShell's does. */
static void shell(const char *line, char *ret, size_t size)
{
    char *argv[] = {(char *)"/bin/bash", NULL};
    int in[2], out[2];
    ssize_t n = 0, got;
    pid_t pid;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = argv,
                                                   .fds = (const int[]){in[0], out[1], 2},
                                                   .n_fds = 3},
                                   &pid, NULL),
                     0);
    close(in[0]);
    close(out[1]);
    assert_int_equal(write_full(in[1], line, strlen(line)), 0);
    assert_int_equal(write_full(in[1], "rest of the input\n", 18), 0);
    close(in[1]);
    while ((got = read(out[0], ret + n, size - 1 - (size_t)n)) > 0)
        n += got;
    ret[n] = 0;
    close(out[0]);
    spawn_wait(pid);
}

static void one_line_that_replaces_the_shell(void **state)
{
    _cleanup_(freep) char *line = quote_shell_line((char *[]){(char *)"ls", (char *)"-l"}, 2);

    (void)state;
    assert_string_equal(line, "exec bash -c 'ls -l' || exit 127\n");
}

static void the_command_is_a_shells_and_has_the_rest_as_input(void **state)
{
    _cleanup_(freep) char *line = NULL;
    char text[200];

    (void)state;
    line =
        quote_shell_line((char *[]){(char *)"echo it\\'s \"$((1+1))\" |", (char *)"cat; cat"}, 2);
    shell(line, text, sizeof(text));
    assert_string_equal(text, "it's 2\nrest of the input\n");
}

/* printf's own quoting (%q) is undone by no one but the second shell. */
static void every_byte_reaches_the_second_shell_as_it_was(void **state)
{
    char command[2000] = "printf '%s' ", expected[300], text[300];
    size_t n = strlen(command), m = 0;
    _cleanup_(freep) char *line = NULL;

    (void)state;
    for (int c = 1; c < 256; c++) {
        expected[m++] = (char)c;
        if (c == '\'') {
            memcpy(command + n, "\"'\"", 3);
            n += 3;
            continue;
        }
        command[n++] = '\'';
        command[n++] = (char)c;
        command[n++] = '\'';
    }
    command[n] = 0;
    expected[m] = 0;
    line = quote_shell_line((char *[]){command}, 1);
    shell(line, text, sizeof(text));
    assert_memory_equal(text, expected, m);
    assert_string_equal(text + m, "");
}

static void quotes_and_newlines_inside_a_command_survive(void **state)
{
    static const char *const commands[][2] = {
        {"printf '%s|' 'a  b' \"c'd\" e\\'f", "a  b|c'd|e'f|"},
        {"echo 1\necho 2", "1\n2\n"},
        {"echo '$HOME' `echo x`", "$HOME x\n"},
        {"echo '' '\\'", " \\\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        _cleanup_(freep) char *line = quote_shell_line((char *[]){(char *)commands[i][0]}, 1);
        char text[200];

        shell(line, text, sizeof(text));
        assert_string_equal(text, commands[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_that_replaces_the_shell),
        cmocka_unit_test(the_command_is_a_shells_and_has_the_rest_as_input),
        cmocka_unit_test(every_byte_reaches_the_second_shell_as_it_was),
        cmocka_unit_test(quotes_and_newlines_inside_a_command_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
