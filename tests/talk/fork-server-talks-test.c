/*
 * qrexec-fork-server and an agent, played by the row: each type and length, cut at each byte; what
 * it runs and how; the end of the connection as the end of the call.
 */
#include "tests/talk/vm-talk.h"

#define SAYS(bytes)    "l listens vchan.0.1.600.sock\nf dials server\nf >? " bytes "\n"
#define UP             "x takes l\nx > HELLO(4)\nx < HELLO(4)\n"
#define CLOSES         "f end\n"
#define RUN(len, line) SAYS("0x200 0 600 " len " '" line "'z") UP
#define RESULT(what)   "result x " what "\nf end\n"

static const struct {
    const char *name, *type;
} types[] = {
    {"STDIN", "0x190"},    {"EXIT", "0x193"},       {"CONNECT", "0x202"},
    {"REFUSED", "0x203"},  {"TRIGGER2", "0x210"},   {"OVER", "0x211"},
    {"TRIGGER3", "0x212"}, {"TRIGGER4", "0x213"},   {"HELLO", "0x300"},
    {"type_0", "0"},       {"type_0x1ff", "0x1ff"}, {"type_0xffffffff", "0xffffffff"},
};

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        talk_add(format_new("%s_runs_nothing", types[i].name),
                 format_new("f dials server\nf >? %s 0 600 %d 'touch ^D/made'z\n" CLOSES
                            "gone made\n",
                            types[i].type, 20));
}

static const struct talk lengths[] = {
    {"a_length_of_0_closes", SAYS("0x200 0 600 0") CLOSES},
    {"a_length_of_1_is_an_empty_command", SAYS("0x200 0 600 1 b0") UP RESULT("0")},
    {"a_length_of_2_is_a_command", SAYS("0x200 0 600 2 ':'z") UP RESULT("0")},
    {"a_length_of_65535_is_a_command", SAYS("0x200 0 600 65535 '#' 'x'*65533 b0") UP RESULT("0")},
    {"the_longest_command", SAYS("0x200 0 600 65791 '#' 'x'*65789 b0") UP RESULT("0")},
    {"a_longer_command_closes", SAYS("0x200 0 600 65792 '#' 'x'*65790 b0") CLOSES},
    {"a_command_of_4_GiB_closes_before_it_comes", SAYS("0x200 0 600 0xffffffff") CLOSES},
    {"a_command_without_a_NUL_closes",
     SAYS("0x200 0 600 13 'touch ^D/made'") "f shut\n" CLOSES "gone made\n"},
    {"a_command_with_a_NUL_inside_closes", SAYS("0x200 0 600 5 'a'z 'bc'z") CLOSES},
    {"a_NUL_that_is_not_counted_closes", SAYS("0x200 0 600 4 'true'z") CLOSES},
    {"a_message_cut_at_each_byte_runs_nothing",
     "cuts 0x200 0 600 20 'touch /tmp/nothing/'z\nf dials server\nf says\nf close\n"},
    {"half_a_message_and_the_end_of_writing_closes",
     "cuts 0x200 0 600 20 'touch /tmp/nothing/'z\nf dials server\nf says\nf shut\nf end\n"},
    {"a_message_may_come_byte_by_byte",
     "l listens vchan.0.1.600.sock\nf dials server\nf drips 0x200 0 600 8 'echo hi'z\n" UP RESULT(
         "0 'hi~'")},
    {"a_silent_agent_holds_nobody_up", "g dials server\nh dials server\nh > 0x200\n" RUN(
                                           "8", "echo hi") RESULT("0 'hi~'") "g quiet\n"},
};

static const struct talk calls[] = {
    {"the_end_of_the_connection_is_the_end_of_the_call",
     RUN("4", "cat") "x > STDIN('a')\nx < STDOUT('a')\nf quiet\nx > STDIN()\n" RESULT("0")},
    {"a_code_and_stderr", RUN("19", "echo e >&2; exit 4") RESULT("4 | 'e~'")},
    {"a_signal", RUN("11", "kill -9 $$") RESULT("137")},
    {"JUST_EXEC", SAYS("0x201 0 600 4 'cat'z") UP "x < EXIT(0)\nx end\nf end\n"},
    {"JUST_EXEC_of_what_is_not_there",
     SAYS("0x201 0 600 26 'QUBESRPC test.None+ email'z") UP "x < EXIT(127)\nx end\nf end\n"},
    {"a_service_runs", "script services/test.A 'echo $1 $QREXEC_REMOTE_DOMAIN'\n" RUN(
                           "24", "QUBESRPC test.A+x email") RESULT("0 'x email~'")},
    {"a_service_that_is_not_there_is_127",
     RUN("26", "QUBESRPC test.None+ email") "x < STDOUT() STDERR() EXIT(127)\nx end\nf end\n"},
    {"broken_settings_are_125",
     "script services/test.A 'echo a'\nfile config/test.A 'bad~'\n" RUN(
         "23", "QUBESRPC test.A+ email") "x < STDOUT() STDERR() EXIT(125)\nx end\nf end\n"},
    {"a_socket_service", "s listens services/test.S\n" RUN(
                             "24", "QUBESRPC test.S+a email") "c takes s\nc < 'test.S+a email'z\nc "
                                                              "> 'hi'\nc close\n" RESULT("0 'hi'")},
    {"a_colon_is_part_of_a_command", RUN("9", "echo a:b") RESULT("0 'a:b~'")},
    {"an_end_of_writing_by_the_agent_says_nothing",
     RUN("4", "cat") "f shut\nx > STDIN('a')\nx < STDOUT('a')\nx > STDIN()\n" RESULT("0")},
    {"an_agent_that_is_gone_costs_the_call_nothing",
     RUN("4", "cat") "f close\nx > STDIN('a')\nx < STDOUT('a')\nx > STDIN()\nresult x 0\n"},
    {"a_caller_that_is_gone_ends_the_services_input",
     RUN("4", "cat") "x > STDIN('a')\nx < STDOUT('a')\nf > 0 0\nf end\nx end\n"},
    {"a_caller_of_another_domain",
     "l listens vchan.9.1.515.sock\nf dials server\nf > 0x200 9 515 8 'echo hi'z\n" UP RESULT(
         "0 'hi~'")},
    {"a_service_has_these_variables_and_no_other_of_ours",
     "script services/test.E 'env | grep QREXEC_ | grep -v _PID | grep -v _PATH | sort'\n" RUN(
         "24", "QUBESRPC test.E+a email")
         RESULT("0 'QREXEC_REMOTE_DOMAIN=email~QREXEC_REQUESTED_TARGET_TYPE=~"
                "QREXEC_SERVICE_ARGUMENT=a~QREXEC_SERVICE_FULL_NAME=test.E+a~'")},
    {"a_service_has_three_descriptors", "script services/test.F 'exec ls /proc/self/fd'\n" RUN(
                                            "23", "QUBESRPC test.F+ email") RESULT("0 '0~1~2~3~'")},
    {"a_service_has_the_servers_session", RUN("26", "echo $QREXEC_OF_THE_AGENT") RESULT("0 '~'")},
    {"many_at_once",
     "k listens vchan.0.1.601.sock\ng dials server\ng > 0x200 0 601 4 'cat'z\n" RUN("8", "echo hi")
         RESULT(
             "0 'hi~'") "y takes k\ny > HELLO(4)\ny < HELLO(4)\ny > STDIN()\nresult y 0\ng end\n"},
};

static const struct talk options[] = {
    {"help_is_no_failure",
     "start qrexec-fork-server qrexec-fork-server --help\nexit 0\nout has 'usage'\n"},
    {"an_unknown_option_is_usage",
     "start qrexec-fork-server qrexec-fork-server --nothing\nexit 2\nerr has 'usage'\n"},
    {"two_sockets_are_usage", "start qrexec-fork-server qrexec-fork-server a b\nexit 2\n"},
    {"a_folder_that_is_not_there_is_1",
     "start qrexec-fork-server qrexec-fork-server ^D/none/socket\nexit 1\nerr has 'none'\n"},
    {"a_socket_that_is_served_is_left_alone",
     "start qrexec-fork-server qrexec-fork-server ^D/server\nexit 1\nerr has 'server'\n"},
    {"no_name_of_its_own_and_no_user_is_no_crash",
     "env USER=\nstart qrexec-fork-server\nexit 1\nerr has 'USER'\n"},
};

/* Who is neither root nor the user, should the socket's mode ever let them in. */
static void add_stranger(void)
{
    if (geteuid() == 0)
        talk_add("a_stranger_is_not_listened_to",
                 "mode server 666\nl listens vchan.0.1.600.sock\nf intrudes server\n"
                 "f >? 0x200 0 600 20 'touch ^D/made'z\nf end\ngone made\nmode server 600\n"
                 "log neither root\n");
}

/* Arguments of random bytes; what goes in is the same each time. */
static void add_random(void)
{
    size_t size = 2000000, n = 0;
    char *script = malloc(size);
    uint32_t x = 12345;

    assert_non_null(script);
    n += (size_t)snprintf(script, size, "script services/test.Raw 'printf %%s \"$1\"'\n");
    for (int i = 0; i < 1000; i++) {
        char bytes[512];
        size_t len = 0;

        for (int k = 0; k < 40; k++) {
            x = x * 1664525 + 1013904223;
            len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "b%u ", 33 + (x >> 16) % 223);
        }
        n += (size_t)snprintf(script + n, size - n,
                              SAYS("0x200 0 600 65 'QUBESRPC test.Raw+' %s ' email'z") UP
                              "result x 0 %s\nf end\n",
                              bytes, bytes);
    }
    assert_true(n < size - 1000);
    talk_add("a_thousand_random_arguments_arrive_as_they_were", script);
}

int main(void)
{
    add_types();
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(calls, ARRAY_SIZE(calls));
    talk_add_all(options, ARRAY_SIZE(options));
    add_stranger();
    add_random();
    return talks_run(TALK_FORK_SERVER);
}
