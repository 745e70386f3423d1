/*
 * The data connection at a caller's end, carried by qrexec-client-vm: hellos, each message from
 * the wrong role, each length at the edges, cut at each byte, half-closes, exit codes.
 */
#include "tests/talk/vm-talk.h"

#define START                                                                                      \
    "l listens agent\nrun work test.Call\na takes l\n"                                             \
    "a < TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.Call'z)\n"                                     \
    "a > 7 514\np dials vchan.1.7.514.sock\n"
#define UP   START "p > HELLO(4)\np < HELLO(4)\n"
#define DONE "p > STDOUT() STDERR() EXIT(0)\np < STDIN()\np end\na end\nexit 0\nin close\n"
#define LOST "p has ''\na end\nexit 255\nin close\n"

static const struct {
    const char *name, *bytes, *heard; /* heard NULL: the connection ends */
} messages[] = {
    {"HELLO", "HELLO(4)", NULL},
    {"STDIN", "STDIN('x')", "out < 'x'\n"},
    {"STDOUT", "STDOUT('x')", "out < 'x'\n"},
    {"STDERR", "STDERR('x')", "err < 'x'\n"},
    {"EXEC", "EXEC(0 0 'user:ls'z)", NULL},
    {"JUST_EXEC", "JUST_EXEC(0 0 'user:ls'z)", NULL},
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
        const char *bytes = messages[i].bytes, *heard = messages[i].heard;

        talk_add(format_new("%s_from_a_service_%s", messages[i].name,
                            heard ? "is_data" : "ends_the_connection"),
                 heard ? format_new(UP "p > %s\n%s" DONE, bytes, heard)
                       : format_new(UP "p >? %s\n" LOST, bytes));
        if (i > 0)
            talk_add(
                format_new("%s_instead_of_the_hello_is_255", messages[i].name),
                format_new(START "p >? %s\np all HELLO(4)\na end\nexit 255\nin close\n", bytes));
    }
}

#define NO_HELLO "p all HELLO(4)\na end\nexit 255\nin close\n"

static const struct talk hellos[] = {
    {"the_caller_says_its_hello_at_once", START "p < HELLO(4)\np > HELLO(4)\n" DONE},
    {"a_service_of_0_is_refused", START "p > HELLO(0)\n" NO_HELLO},
    {"a_service_of_1_is_refused", START "p > HELLO(1)\np all HELLO(4)\na end\nexit 255\n"
                                        "err has 'speaks protocol 1, this one 2 to 4'\nin close\n"},
    {"a_service_of_2_is_served", START "p > HELLO(2)\np < HELLO(4)\n" DONE},
    {"a_service_of_3_is_served", START "p > HELLO(3)\np < HELLO(4)\n" DONE},
    {"a_service_of_5_is_served", START "p > HELLO(5)\np < HELLO(4)\n" DONE},
    {"a_service_of_0xffffffff_is_served", START "p > HELLO(0xffffffff)\np < HELLO(4)\n" DONE},
    {"a_hello_of_0_bytes_is_255", START "p > HELLO()\n" NO_HELLO},
    {"a_hello_of_3_bytes_is_255", START "p > HELLO(b4 b0*2)\n" NO_HELLO},
    {"a_hello_of_5_bytes_is_255", START "p > HELLO(4 b0)\n" NO_HELLO},
    {"a_hello_that_says_4_GiB_is_255", START "p > HELLO:0xffffffff()\n" NO_HELLO},
    {"a_hello_cut_at_each_byte_is_no_success",
     "cuts HELLO(4)\n" START "p < HELLO(4)\np says\np close\na end\nexit 1\nin close\n"},
};

#define OF2 START "p > HELLO(2)\np < HELLO(4)\n"

static const struct talk lengths[] = {
    {"STDOUT_of_65536_bytes_is_data", UP "p > STDOUT('a'*65536)\nout < 'a'*65536\n" DONE},
    {"STDOUT_of_65537_bytes_is_255", UP "p >? STDOUT('a'*65537)\n" LOST},
    {"STDOUT_that_says_4_GiB_is_255", UP "p >? STDOUT:0xffffffff('a')\n" LOST},
    {"STDERR_of_65536_bytes_is_data", UP "p > STDERR('a'*65536)\nerr < 'a'*65536\n" DONE},
    {"STDERR_of_65537_bytes_is_255", UP "p >? STDERR('a'*65537)\n" LOST},
    {"EXIT_of_65537_bytes_is_255", UP "p >? EXIT('a'*65537)\n" LOST},
    {"STDOUT_of_4096_bytes_is_data_in_protocol_2",
     OF2 "p > STDOUT('a'*4096)\nout < 'a'*4096\n" DONE},
    {"STDOUT_of_4097_bytes_is_255_in_protocol_2", OF2 "p >? STDOUT('a'*4097)\n" LOST},
    {"STDERR_of_4097_bytes_is_255_in_protocol_2", OF2 "p >? STDERR('a'*4097)\n" LOST},
    {"in_protocol_2_no_chunk_is_longer_than_4096",
     OF2 "in > 'a'*4097\np < STDIN('a'*4096) STDIN('a')\n" DONE},
    {"every_byte_goes_both_ways",
     UP "in > b0..255\np < STDIN(b0..255)\np > STDOUT(b0..255)\nout < b0..255\n" DONE},
    {"all_may_come_byte_by_byte", START
     "p drips HELLO(4) STDOUT('abc') STDERR('def')\np < HELLO(4)\nout < 'abc'\nerr < 'def'\n" DONE},
};

#define ENDS(code, says)                                                                           \
    UP "p > STDOUT() STDERR() " says "\np < STDIN()\np end\na end\nexit " code "\nin close\n"

static const struct talk codes[] = {
    {"exit_code_0", ENDS("0", "EXIT(0)")},
    {"exit_code_1", ENDS("1", "EXIT(1)")},
    {"exit_code_127", ENDS("127", "EXIT(127)")},
    {"exit_code_137", ENDS("137", "EXIT(137)")},
    {"exit_code_255", ENDS("255", "EXIT(255)")},
    {"exit_code_256_is_no_success", ENDS("255", "EXIT(256)")},
    {"exit_code_0xffffffff_is_255", ENDS("255", "EXIT(0xffffffff)")},
    {"exit_code_0x80000000_is_no_success", ENDS("255", "EXIT(0x80000000)")},
    {"an_exit_code_of_no_bytes_is_255", ENDS("255", "EXIT()")},
    {"an_exit_code_of_1_byte_is_255", ENDS("255", "EXIT(b0)")},
    {"an_exit_code_of_3_bytes_is_255", ENDS("255", "EXIT(b0*3)")},
    {"an_exit_code_of_5_bytes_is_cut", ENDS("7", "EXIT(7 b9)")},
    {"an_exit_code_of_4096_bytes_is_cut", ENDS("7", "EXIT(7 b9*4092)")},
    {"the_first_exit_code_counts", ENDS("7", "EXIT(7) EXIT(8)")},
    {"no_exit_code_is_255", UP "p > STDOUT() STDERR()\np close\na end\nexit 255\nin close\n"},
    {"no_word_at_all_is_255", UP "p close\na end\nexit 255\nerr has 'lost'\nin close\n"},
    {"what_came_before_a_loss_is_written",
     UP "p > STDOUT('part') STDERR('err')\np close\nout all 'part'\na end\nexit 255\n"
        "err has 'err'\nin close\n"},
    {"STDOUT_cut_at_each_byte_gives_nothing_of_it",
     "cuts STDOUT('data')\n" UP "p says\np close\nout all ''\na end\nexit 255\nin close\n"},
    {"EXIT_cut_at_each_byte_is_255",
     "cuts EXIT(0)\n" UP "p > STDOUT() STDERR()\np says\np close\na end\nexit 255\nin close\n"},
};

static const struct talk halves[] = {
    {"the_end_of_input_is_said_once",
     UP "in > 'a'\np < STDIN('a')\nin close\np < STDIN()\np > STDOUT('b')\nout < 'b'\n"
        "p > STDOUT() STDERR() EXIT(0)\np end\na end\nexit 0\n"},
    {"input_may_have_ended_before_the_service_is_there",
     "l listens agent\nrun work test.Call\nin > 'early'\nin close\na takes l\n"
     "a < TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.Call'z)\na > 7 514\n"
     "p dials vchan.1.7.514.sock\np > HELLO(4)\np < HELLO(4) STDIN('early') STDIN()\n"
     "p > STDOUT() STDERR() EXIT(0)\np end\na end\nexit 0\n"},
    {"the_end_of_output_closes_stdout_and_input_goes_on",
     UP "p > STDOUT()\nout end\nin > 'more'\np < STDIN('more')\nin close\np < STDIN()\n"
        "p > STDERR() EXIT(3)\np end\na end\nexit 3\n"},
    {"the_end_of_stderr_is_nothing_to_the_rest",
     UP "p > STDERR() STDOUT('a')\nout < 'a'\nin > 'b'\np < STDIN('b')\n"
        "p > STDOUT() EXIT(0)\np < STDIN()\np end\na end\nexit 0\nin close\n"},
    {"a_service_of_old_says_no_end_of_stderr",
     UP "p > STDOUT('a') STDOUT() EXIT(2)\nout all 'a'\np < STDIN()\np end\na end\nexit 2\n"
        "in close\n"},
    {"after_the_exit_code_its_output_is_waited_for",
     UP "p > EXIT(4)\np < STDIN()\np > STDOUT('late') STDERR('too')\nout < 'late'\nerr < 'too'\n"
        "p > STDOUT() STDERR()\np end\na end\nexit 4\nin close\n"},
    {"after_the_exit_code_a_close_will_do",
     UP "p > STDOUT('a') EXIT(4)\np < STDIN()\np close\nout all 'a'\na end\nexit 4\nin close\n"},
    {"after_the_exit_code_input_is_not_read",
     UP "p > EXIT(0)\np < STDIN()\nin >? 'ignored'\np > STDOUT() STDERR()\np end\na end\nexit 0\n"
        "in close\n"},
    {"a_caller_who_closed_stdout_still_writes_and_hears_the_code",
     UP "out close\np > STDOUT('into the void')\nin > 'b'\np < STDIN('b')\n"
        "p > STDOUT() STDERR() EXIT(5)\np < STDIN()\np end\na end\nexit 5\nin close\n"},
    {"a_caller_who_closed_stderr_still_hears_the_rest",
     UP "err close\np > STDERR('into the void') STDOUT('a')\nout < 'a'\n" DONE},
    {"data_behind_its_end_is_thrown_away",
     UP "p > STDOUT('a') STDOUT() STDOUT('b') STDERR() EXIT(0)\nout all 'a'\np < STDIN()\np end\n"
        "a end\nexit 0\nin close\n"},
};

static const struct talk roles[] = {
    {"the_wrong_role_is_said_once",
     UP "p > STDIN('a') STDIN('b')\nout < 'ab'\nerr < 'qrexec-client-vm: the other side sent "
        "MSG_DATA_STDIN, which is not for its role to send~'\n"
        "p > STDOUT() STDERR() EXIT(0)\np < STDIN()\np end\na end\nexit 0\nerr all ''\nin close\n"},
    {"an_end_of_STDIN_from_a_service_is_that_of_its_output", UP
     "p > STDIN()\nout end\np > STDERR() EXIT(0)\np < STDIN()\np end\na end\nexit 0\nin close\n"},
};

int main(void)
{
    add_types();
    talk_add_all(hellos, ARRAY_SIZE(hellos));
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(codes, ARRAY_SIZE(codes));
    talk_add_all(halves, ARRAY_SIZE(halves));
    talk_add_all(roles, ARRAY_SIZE(roles));
    return talks_run(TALK_CLIENT);
}
