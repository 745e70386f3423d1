/*
 * The data connection at a service's end, carried for qrexec-agent: hellos, each message from the
 * wrong role, each length at the edges, cut at each byte, all half-closes, exit codes, SIGUSR1.
 */
#include "tests/talk/vm-talk.h"

/* A call that gives back what it gets, and its end. */
#define CAT      "call x 600 '^U:exec cat'\n"
#define END      "x > STDIN()\nresult x 0 "
#define OVER     "over 600\n"
#define HOLDS(c) "call x 600 '^U:" c "'\n"
#define CAT_ENDS "x > STDIN()\nx < STDOUT() STDERR() EXIT(0)\nx end\nover 600\n"
/* the same for one whose order of ends is left to it */
#define LOST "x end\nover 600\n"

static const struct {
    const char *name, *bytes, *out; /* out NULL: the connection ends */
} messages[] = {
    {"HELLO", "HELLO(4)", NULL},
    {"STDIN", "STDIN('x')", "'x'"},
    {"STDOUT", "STDOUT('x')", "'x'"}, /* said once to be for the wrong role, taken as STDIN */
    {"STDERR", "STDERR('x')", ""},
    {"EXIT", "EXIT(0)", ""},
    {"EXIT_of_no_bytes", "EXIT()", ""},
    {"EXEC", "EXEC(0 0 '^U:ls'z)", NULL},
    {"JUST_EXEC", "JUST_EXEC(0 0 '^U:ls'z)", NULL},
    {"CONNECT", "CONNECT(0 513 'SOCKET1'/32)", NULL},
    {"REFUSED", "REFUSED('SOCKET1'/32)", NULL},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)", NULL},
    {"TRIGGER3", "TRIGGER3('work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"TRIGGER4", "TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"OVER", "OVER(0 600)", NULL},
    {"type_0", "T0()", NULL},
    {"type_0x18f", "T0x18f('x')", NULL},
    {"type_0x194", "T0x194('x')", NULL},
    {"type_0xffffffff", "T0xffffffff('x')", NULL},
};

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const char *bytes = messages[i].bytes, *out = messages[i].out;

        talk_add(format_new("%s_from_a_caller_%s", messages[i].name,
                            !out   ? "ends_the_connection"
                            : *out ? "is_data"
                                   : "is_ignored"),
                 out ? format_new(CAT "x > %s\n" END "%s\n" OVER, bytes, out)
                     : format_new(CAT "x >? %s\n" LOST, bytes));
        if (i > 0)
            talk_add(format_new("%s_instead_of_the_hello_ends_the_connection", messages[i].name),
                     format_new("l listens vchan.0.1.600.sock\n"
                                "daemon > EXEC(0 600 '^U:touch ^D/made'z)\nx takes l\nx >? %s\n"
                                "x has HELLO(4)\ndaemon < OVER(0 600)\n",
                                bytes));
    }
}

#define BEGINS                                                                                     \
    "l listens vchan.0.1.600.sock\n"                                                               \
    "daemon > EXEC(0 600 '^U:exec cat'z)\n"                                                        \
    "x takes l\n"
#define DONE "daemon < OVER(0 600)\n"

static const struct talk hellos[] = {
    {"the_service_says_its_hello_at_once", BEGINS "x < HELLO(4)\nx close\n" DONE},
    {"the_hello_does_not_wait_for_a_service_that_starts_slowly",
     "l listens vchan.0.1.600.sock\nt tcp 127.0.0.1 f\n"
     "link services/test.Slow /dev/tcp/127.0.0.1/^P\n"
     "daemon > EXEC(0 600 '^U:QUBESRPC test.Slow+ email'z)\nx takes l\nx > HELLO(4) STDIN()\n"
     "x < HELLO(4)\nx quiet\ng takes t\nc takes t\nc < 'test.Slow+ email'z\nc half\nc close\n"
     "x < STDERR() STDOUT() EXIT(0)\nx end\n" DONE},
    {"a_caller_of_0_is_refused", BEGINS "x > HELLO(0)\nx < HELLO(4)\nx end\n" DONE},
    {"a_caller_of_1_is_refused", BEGINS "x > HELLO(1)\nx < HELLO(4)\nx end\n" DONE
                                        "log 1 speaks protocol 1, this one 2 to 4\n"},
    {"a_caller_of_2_is_served",
     BEGINS "x > HELLO(2)\nx < HELLO(4)\nx > STDIN('x')\n" END "'x'\n" DONE},
    {"a_caller_of_3_is_served",
     BEGINS "x > HELLO(3)\nx < HELLO(4)\nx > STDIN('x')\n" END "'x'\n" DONE},
    {"a_caller_of_5_is_served",
     BEGINS "x > HELLO(5)\nx < HELLO(4)\nx > STDIN('x')\n" END "'x'\n" DONE},
    {"a_caller_of_0xffffffff_is_served",
     BEGINS "x > HELLO(0xffffffff)\nx < HELLO(4)\nx > STDIN('x')\n" END "'x'\n" DONE},
    {"a_hello_of_0_bytes_ends_the_connection", BEGINS "x > HELLO()\nx < HELLO(4)\nx end\n" DONE},
    {"a_hello_of_3_bytes_ends_the_connection",
     BEGINS "x > HELLO(b4 b0*2)\nx < HELLO(4)\nx end\n" DONE},
    {"a_hello_of_5_bytes_ends_the_connection",
     BEGINS "x > HELLO(4 b0)\nx < HELLO(4)\nx end\n" DONE},
    {"a_hello_that_says_4_GiB_ends_the_connection",
     BEGINS "x > HELLO:0xffffffff()\nx < HELLO(4)\nx end\n" DONE},
    {"a_hello_cut_at_each_byte_leaves_nothing",
     "cuts HELLO(4)\n" BEGINS "x < HELLO(4)\nx says\nx close\n" DONE},
    {"a_hello_and_data_may_come_together",
     BEGINS "x > HELLO(4) STDIN('x') STDIN()\nx < HELLO(4)\nresult x 0 'x'\n" DONE},
    {"all_may_come_byte_by_byte",
     BEGINS "x drips HELLO(4) STDIN('abc') STDIN('def') STDIN()\nx < HELLO(4)\n"
            "result x 0 'abcdef'\n" DONE},
};

#define OF2 BEGINS "x > HELLO(2)\nx < HELLO(4)\n"

static const struct talk lengths[] = {
    {"STDIN_of_1_byte_is_data", CAT "x > STDIN('a')\n" END "'a'\n" OVER},
    {"STDIN_of_65536_bytes_is_data", CAT "x > STDIN('a'*65536)\n" END "'a'*65536\n" OVER},
    {"STDIN_of_65537_bytes_ends_the_connection", CAT "x >? STDIN('a'*65537)\n" LOST},
    {"STDIN_that_says_4_GiB_ends_the_connection", CAT "x >? STDIN:0xffffffff('a')\n" LOST},
    {"STDERR_of_65536_bytes_is_ignored", CAT "x > STDERR('a'*65536) STDIN('b')\n" END "'b'\n" OVER},
    {"STDERR_of_65537_bytes_ends_the_connection", CAT "x >? STDERR('a'*65537)\n" LOST},
    {"EXIT_of_65536_bytes_is_ignored", CAT "x > EXIT('a'*65536) STDIN('b')\n" END "'b'\n" OVER},
    {"EXIT_of_65537_bytes_ends_the_connection", CAT "x >? EXIT('a'*65537)\n" LOST},
    {"STDIN_of_4096_bytes_is_data_in_protocol_2",
     OF2 "x > STDIN('a'*4096)\n" END "'a'*4096\n" DONE},
    {"STDIN_of_4097_bytes_ends_the_connection_in_protocol_2",
     OF2 "x >? STDIN('a'*4097)\nx end\n" DONE},
    {"in_protocol_2_no_chunk_is_longer_than_4096",
     "script services/test.Much 'head -c 8192 /dev/zero; cat'\n"
     "l listens vchan.0.1.600.sock\ndaemon > EXEC(0 600 '^U:QUBESRPC test.Much+ email'z)\n"
     "x takes l\nx > HELLO(2)\nx < HELLO(4) STDOUT(b0*4096) STDOUT(b0*4096)\nx > STDIN()\n"
     "result x 0\n" DONE},
    {"data_behind_its_end_is_thrown_away", CAT "x > STDIN('a') STDIN() STDIN('b') STDIN()\n"
                                               "result x 0 'a'\n" OVER},
    {"every_byte_comes_back_as_it_went", CAT "x > STDIN(b0..255)\n" END "b0..255\n" OVER},
};

static const struct talk cuts[] = {
    {"STDIN_cut_at_each_byte_gives_nothing_of_it",
     "cuts STDIN('data')\n"
     "call x 600 '^U:cat >^D/made; echo end >>^D/made'\nx says\nx close\nover 600\n"
     "holds made 'end~'\nremove made\n"},
    {"what_came_whole_before_the_end_reaches_the_service",
     "call x 600 '^U:cat >^D/made; echo end >>^D/made'\nx > STDIN('all') STDIN:9('half')\nx close\n"
     "over 600\nholds made 'allend~'\nremove made\n"},
    {"the_service_of_a_lost_caller_is_waited_for",
     "call x 600 '^U:cat >/dev/null; echo end >^D/made'\nx close\nover 600\nholds made 'end~'\n"
     "remove made\n"},
    {"a_caller_that_never_comes_is_over_when_it_closes_before_the_hello", BEGINS "x close\n" DONE},
};

/* Who closes what, and who goes on. */
static const struct talk halves[] = {
    {"an_end_of_input_is_passed_on", CAT END "\n" OVER},
    {"a_service_goes_on_when_its_input_has_ended",
     HOLDS("cat; echo later; echo last >&2") "x > STDIN('a') STDIN()\n"
                                             "result x 0 'alater~' | 'last~'\n" OVER},
    {"a_caller_goes_on_when_the_services_output_has_ended",
     HOLDS(
         "exec >&-; cat >^D/made; exit 3") "x < STDOUT()\nx > STDIN('a')\nx > STDIN('b') STDIN()\n"
                                           "x < STDERR() EXIT(3)\nx end\nover 600\nholds made "
                                           "'ab'\nremove made\n"},
    {"the_ends_of_stdout_and_stderr_are_passed_on_apart",
     HOLDS("exec 2>&-; cat") "x < STDERR()\nx > STDIN('a')\nx < STDOUT('a')\nx > STDIN()\n"
                             "x < STDOUT() EXIT(0)\nx end\nover 600\n"},
    {"a_service_that_closed_its_input_keeps_running",
     HOLDS("exec <&-; echo out; sleep 0.05; echo more") "x < STDOUT('out~')\n"
                                                        "x > STDIN('thrown') STDIN('away')\nx < "
                                                        "STDOUT('more~')\nresult x 0\n" OVER},
    {"a_service_that_ended_is_over_without_the_callers_end",
     HOLDS("echo out") "result x 0 'out~'\n" OVER},
    {"who_holds_stdout_after_the_service_keeps_the_call_open",
     HOLDS(
         "( while ! [ -e ^D/go ]; do sleep 0.01; done; echo late ) 2>&- & exit 4") "x < STDERR()\n"
                                                                                   "x quiet\nfile "
                                                                                   "go "
                                                                                   "''\nx < "
                                                                                   "STDOUT('late~')"
                                                                                   " "
                                                                                   "STDOUT() "
                                                                                   "EXIT(4)\nx "
                                                                                   "end\nover "
                                                                                   "600\nremove "
                                                                                   "go\n"},
    {"a_caller_that_stops_writing_still_hears_all",
     HOLDS("cat >/dev/null; echo all") "x > STDIN()\nresult x 0 'all~'\n" OVER},
};

static const struct talk codes[] = {
    {"exit_code_0", HOLDS("exit 0") "result x 0\n" OVER},
    {"exit_code_1", HOLDS("exit 1") "result x 1\n" OVER},
    {"exit_code_125_is_the_commands_own", HOLDS("exit 125") "result x 125\n" OVER},
    {"exit_code_255", HOLDS("exit 255") "result x 255\n" OVER},
    {"signal_1_is_129", HOLDS("kill -1 $$") "result x 129\n" OVER},
    {"signal_9_is_137", HOLDS("kill -9 $$") "result x 137\n" OVER},
    {"signal_15_is_143", HOLDS("kill -15 $$") "result x 143\n" OVER},
    {"signal_10_to_the_service_itself_is_138", HOLDS("kill -10 $$") "result x 138\n" OVER},
    {"a_command_that_is_not_there_is_the_shells_127",
     HOLDS("exec /nonexistent/program 2>/dev/null") "result x 127\n" OVER},
    {"the_exit_code_comes_behind_all_data",
     HOLDS("head -c 65536 /dev/zero; echo err >&2; exit 9") "result x 9 b0*65536 | 'err~'\n" OVER},
};

#define USR1 "kill -USR1 $QREXEC_AGENT_PID"

static const struct talk signals[] = {
    {"after_SIGUSR1_output_comes_from_the_stdin_pair",
     "script services/test.Usr1 'echo before; " USR1 "; echo after >&0; cat <&0 >&0'\n"
     "call x 600 '^U:QUBESRPC test.Usr1+ email'\nx > STDIN('in~') STDIN()\n"
     "result x 0 'before~after~in~'\n" OVER},
    {"after_SIGUSR1_the_end_of_output_is_the_stdin_pairs",
     "script services/test.Usr1 '" USR1 "; exec >&-; echo one >&0; exit 6'\n"
     "call x 600 '^U:QUBESRPC test.Usr1+ email'\nresult x 6 'one~'\n" OVER},
    {"a_second_SIGUSR1_changes_nothing",
     "script services/test.Usr1 '" USR1 "; echo one >&0; " USR1 "; echo two >&0; exit 6'\n"
     "call x 600 '^U:QUBESRPC test.Usr1+ email'\nresult x 6 'one~two~'\n" OVER},
};

static const struct talk just[] = {
    {"JUST_EXEC_says_0_at_once_and_ends",
     "just x 600 '^U:cat; echo x; echo y >&2; echo end >^D/made'\nx < EXIT(0)\nx end\nover 600\n"
     "holds made 'end~'\nremove made\n"},
    {"JUST_EXEC_does_not_wait_for_the_command",
     "just x 600 '^U:while [ -e ^D ] && ! [ -e ^D/go ]; do sleep 0.01; done; echo end >^D/made'\n"
     "x < EXIT(0)\nx end\nover 600\nfile go ''\nholds made 'end~'\nremove made\nremove go\n"},
    {"JUST_EXEC_says_0_whatever_the_command_ends_with",
     "just x 600 '^U:exit 7'\nx < EXIT(0)\nx end\nover 600\n"},
    {"JUST_EXEC_of_a_service_that_is_not_there_says_127",
     "just x 600 '^U:QUBESRPC test.None+ email'\nx < EXIT(127)\nx end\nover 600\n"},
    {"JUST_EXEC_of_what_cannot_be_run_says_125",
     "file services/test.Text 'x'\n"
     "just x 600 '^U:QUBESRPC test.Text+ email'\nx < EXIT(125)\nx end\nover 600\n"},
    {"JUST_EXEC_of_an_unknown_user_says_125",
     "just x 600 'no-such-user:true'\nx < EXIT(125)\nx end\nover 600\n"},
    {"JUST_EXEC_has_dev_null_for_input_and_output",
     "just x 600 '^U:readlink /proc/self/fd/0 /proc/self/fd/1 /proc/$$/fd/1 >^D/made; "
     "echo end >>^D/made'\nx < EXIT(0)\nx end\nover 600\n"
     "holds made '/dev/null~^D/made~/dev/null~end~'\nremove made\n"},
    {"JUST_EXEC_ignores_what_the_caller_sends",
     "just x 600 '^U:exec cat'\nx >? STDIN('x') STDIN()\nx < EXIT(0)\nx end\nover 600\n"},
    {"JUST_EXEC_writes_its_stderr_to_the_log_alone",
     "script services/test.Log 'echo to the log of ^D >&2'\n"
     "just x 600 '^U:QUBESRPC test.Log+a email'\nx < EXIT(0)\nx end\nover 600\n"
     "journal to the log of ^D\njournal test.Log+a-email\n"},
    {"JUST_EXEC_of_a_socket_sends_its_descriptor_and_closes",
     "s listens services/test.Sock\njust x 600 '^U:QUBESRPC test.Sock+a email'\n"
     "x < EXIT(0)\nx end\nover 600\nc takes s\nc < 'test.Sock+a email'z\nc end\n"},
};

static const struct talk logs[] = {
    {"stderr_goes_to_the_caller_and_to_the_log",
     "script services/test.Err 'echo said ^D >&2'\ncall x 600 '^U:QUBESRPC test.Err+arg email'\n"
     "result x 0 | 'said ^D~'\nover 600\njournal said ^D\njournal test.Err+arg-email\n"},
    {"the_wrong_role_is_logged_once",
     CAT "x > STDOUT('a') STDERR('b') STDOUT('c') EXIT(3)\n" END "'ac'\n" OVER
         "log 1 not for its role\nlog 1 MSG_DATA_STDOUT\n"},
    {"STDERR_of_a_caller_reaches_no_log", CAT "x > STDERR('evil text of ^D')\n" END "\n" OVER
                                              "log 1 not for its role\nlog 0 evil text\n"},
};

int main(void)
{
    add_types();
    talk_add_all(hellos, ARRAY_SIZE(hellos));
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(cuts, ARRAY_SIZE(cuts));
    talk_add_all(halves, ARRAY_SIZE(halves));
    talk_add_all(codes, ARRAY_SIZE(codes));
    talk_add_all(signals, ARRAY_SIZE(signals));
    talk_add_all(just, ARRAY_SIZE(just));
    talk_add_all(logs, ARRAY_SIZE(logs));
    return talks_run(TALK_AGENT);
}
