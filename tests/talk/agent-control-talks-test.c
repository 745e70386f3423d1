/*
 * What a daemon can say to qrexec-agent on the control channel: each message with each length at
 * the edges, before the hello and after, in each version; cut at each byte; idents that are stale
 * or invented; what a foreign daemon really sends.
 */
#include "tests/talk/vm-talk.h"

/* A message as a daemon would send it, whether it may or not. */
static const struct {
    const char *name, *bytes;
    const char *then; /* what follows where it may; NULL: the connection ends */
} messages[] = {
    {"HELLO", "HELLO(4)", NULL},
    {"CONNECT", "CONNECT(0 513 'SOCKET1'/32)", ""},
    {"REFUSED", "REFUSED('SOCKET1'/32)", ""},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)", NULL},
    {"TRIGGER3", "TRIGGER3('work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"TRIGGER4", "TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"OVER", "OVER(0 600)", NULL},
    {"STDIN", "STDIN('x')", NULL},
    {"STDOUT", "STDOUT('x')", NULL},
    {"STDERR", "STDERR('x')", NULL},
    {"EXIT", "EXIT(0)", NULL},
    {"type_0", "T0()", NULL},
    {"type_0x204", "T0x204(0 0)", NULL},
    {"type_0x214", "T0x214(0 0)", NULL},
    {"type_0xffffffff", "T0xffffffff(0 0)", NULL},
};

#define ENDS_IT "daemon end\ngone agent\n"

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const char *bytes = messages[i].bytes, *then = messages[i].then;

        if (i > 0)
            talk_add(format_new("%s_before_the_hello_ends_the_connection", messages[i].name),
                     format_new("daemon mute\ndaemon > %s\n" ENDS_IT, bytes));
        for (int v = 2; v <= 4; v++)
            talk_add(
                format_new("%s_from_a_daemon_of_%d_%s", messages[i].name, v,
                           then ? "is_for_nobody" : "ends_the_connection"),
                format_new("daemon back %d\ndaemon > %s\n%s", v, bytes, then ? then : ENDS_IT));
    }
}

/* The agent's own message in the daemon's version. */
#define ASKS                                                                                       \
    "c dials agent\n"                                                                              \
    "c > TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.A+b'z)\n"
#define AS4  "daemon asks A TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.A+b'z)\n"
#define AS3  "daemon asks A TRIGGER3('work'/64 'SOCKET'/32 'test.A+b'z)\n"
#define AS2  "daemon asks A TRIGGER2('test.A+b'/64 'work'/32 'SOCKET'/32)\n"
#define NO   "daemon > REFUSED('^A'/32)\nc end\n"
#define MUTE "daemon mute\n"

static const struct talk hellos[] = {
    {"the_agent_says_its_hello_first_and_has_no_socket_before_the_daemons",
     MUTE "gone agent\ndaemon close\n"},
    {"a_daemon_of_0_is_refused",
     MUTE "daemon > HELLO(0)\n" ENDS_IT "log 1 it speaks protocol 0, this agent 2 to 4\n"},
    {"a_daemon_of_1_is_refused",
     MUTE "daemon > HELLO(1)\n" ENDS_IT "log 1 it speaks protocol 1, this agent 2 to 4\n"},
    {"a_daemon_of_2_is_told_2", "daemon back 2\n" ASKS AS2 NO},
    {"a_daemon_of_3_is_told_3", "daemon back 3\n" ASKS AS3 NO},
    {"a_daemon_of_4_is_told_4", ASKS AS4 NO},
    {"a_daemon_of_5_is_told_4", MUTE "daemon hello 5\n" ASKS AS4 NO "daemon back 4\n"},
    {"a_daemon_of_0xffffffff_is_told_4",
     MUTE "daemon hello 0xffffffff\n" ASKS AS4 NO "daemon back 4\n"},
    {"a_hello_of_0_bytes_ends_the_connection", MUTE "daemon > HELLO()\n" ENDS_IT},
    {"a_hello_of_3_bytes_ends_the_connection", MUTE "daemon > HELLO(b4 b0*2)\n" ENDS_IT},
    {"a_hello_of_5_bytes_ends_the_connection", MUTE "daemon > HELLO(4 b0)\n" ENDS_IT},
    {"a_hello_that_says_4_GiB_ends_the_connection", MUTE "daemon > HELLO:0xffffffff()\n" ENDS_IT},
    {"a_hello_may_come_byte_by_byte", MUTE "daemon drips HELLO(4)\nthere agent\n"},
    {"a_hello_cut_at_each_byte_leaves_nothing",
     "cuts HELLO(4)\n" MUTE "daemon says\ndaemon close\n"},
    {"a_daemon_that_closes_its_writing_side_is_gone", "daemon shut\ndaemon end\ngone agent\n"},
};

static const struct talk lengths[] = {
    {"EXEC_of_0_bytes_ends_the_connection", "daemon > EXEC()\n" ENDS_IT},
    {"EXEC_of_7_bytes_ends_the_connection", "daemon > EXEC(0 b0*3)\n" ENDS_IT},
    {"EXEC_of_8_bytes_ends_the_connection", "daemon > EXEC(0 600)\n" ENDS_IT},
    {"EXEC_of_9_bytes_is_a_call_that_cannot_start",
     "call x 600 ''\nx < STDOUT() STDERR() EXIT(125)\nx end\nover 600\n"},
    {"EXEC_of_65535_bytes_is_taken",
     "call x 600 'n'*256 ':' '#'*65269\nx < STDOUT() STDERR() EXIT(125)\nx end\nover 600\n"},
    {"EXEC_with_the_longest_users_name_is_taken",
     "call x 600 'n'*256 ':' '#'*65525\nx < STDOUT() STDERR() EXIT(125)\nx end\nover 600\n"},
    {"EXEC_longer_than_that_ends_the_connection",
     "daemon >? EXEC(0 600 'n'*256 ':' '#'*65526 b0)\n" ENDS_IT},
    {"EXEC_that_says_4_GiB_ends_the_connection_before_it_comes",
     "daemon > EXEC:0xffffffff(0 600)\n" ENDS_IT},
    {"EXEC_without_a_NUL_at_its_end_ends_the_connection",
     "daemon > EXEC(0 600 '^U:true')\n" ENDS_IT},
    {"EXEC_with_a_NUL_inside_ends_the_connection",
     "daemon > EXEC(0 600 '^U:touch ^D/made'z ' x'z)\n" ENDS_IT "gone made\n"},
    {"JUST_EXEC_of_8_bytes_ends_the_connection", "daemon > JUST_EXEC(0 600)\n" ENDS_IT},
    {"JUST_EXEC_of_9_bytes_is_a_call_that_cannot_start",
     "just x 600 ''\nx < EXIT(125)\nx end\nover 600\n"},
    {"JUST_EXEC_longer_than_the_longest_ends_the_connection",
     "daemon >? JUST_EXEC(0 600 'n'*256 ':' '#'*65526 b0)\n" ENDS_IT},
    {"CONNECT_of_8_bytes_ends_the_connection", "daemon > CONNECT(0 600)\n" ENDS_IT},
    {"CONNECT_of_9_bytes_has_an_empty_ident_and_is_for_nobody", "daemon > CONNECT(0 600 b0)\n"},
    {"CONNECT_of_40_bytes_is_for_nobody", "daemon > CONNECT(0 600 'SOCKET7'/32)\n"},
    {"CONNECT_of_41_bytes_ends_the_connection", "daemon > CONNECT(0 600 'SOCKET7'/33)\n" ENDS_IT},
    {"CONNECT_cut_before_the_idents_NUL_ends_the_connection",
     "daemon > CONNECT(0 600 'SOCKET7')\n" ENDS_IT},
    {"CONNECT_with_an_ident_without_a_NUL_ends_the_connection",
     "daemon > CONNECT(0 600 'S'*32)\n" ENDS_IT},
    {"REFUSED_of_0_bytes_ends_the_connection", "daemon > REFUSED()\n" ENDS_IT},
    {"REFUSED_of_31_bytes_ends_the_connection", "daemon > REFUSED('SOCKET7'/31)\n" ENDS_IT},
    {"REFUSED_of_32_bytes_is_for_nobody", "daemon > REFUSED('SOCKET7'/32)\n"},
    {"REFUSED_of_33_bytes_ends_the_connection", "daemon > REFUSED('SOCKET7'/33)\n" ENDS_IT},
    {"REFUSED_that_is_no_text_is_for_nobody", "daemon > REFUSED(b255*32)\nlog 0 \xff\n"},
};

static const struct talk cuts[] = {
    {"EXEC_cut_at_each_byte_runs_nothing",
     "cuts EXEC(0 600 '^U:touch ^D/made'z)\n"
     "daemon back 4\ndaemon says\ndaemon close\ngone agent\ngone made\n"},
    {"JUST_EXEC_cut_at_each_byte_runs_nothing",
     "cuts JUST_EXEC(0 600 '^U:touch ^D/made'z)\n"
     "daemon back 4\ndaemon says\ndaemon close\ngone agent\ngone made\n"},
    {"CONNECT_cut_at_each_byte_connects_nobody",
     ASKS AS4 "cuts CONNECT(7 514 '^A'/32)\n"
              "daemon says\ndaemon close\nc end\ndaemon back 4\n" ASKS AS4},
    {"REFUSED_cut_at_each_byte_leaves_nothing",
     "cuts REFUSED('SOCKET1'/32)\ndaemon back 4\ndaemon says\ndaemon close\ngone agent\n"},
    {"messages_may_come_byte_by_byte", ASKS AS4 "daemon drips CONNECT(7 514 '^A'/32)\n"
                                                "c < 7 514\nc close\ndaemon < OVER(7 514)\n"},
    {"messages_may_come_together",
     ASKS AS4 "daemon > REFUSED('SOCKET1'/32) CONNECT(7 514 '^A'/32) REFUSED('^A'/32)\n"
              "c < 7 514\nc close\ndaemon < OVER(7 514)\n"},
    {"what_stands_before_a_bad_message_is_done",
     ASKS AS4 "daemon > REFUSED('^A'/32) T0()\nc end\n" ENDS_IT},
};

static const struct talk idents[] = {
    {"an_allowed_caller_hears_eight_bytes",
     ASKS AS4 "daemon > CONNECT(7 514 '^A'/32)\nc < 7 514\nc quiet\nc close\n"
              "daemon < OVER(7 514)\n"},
    {"an_ident_may_be_cut_after_its_NUL",
     ASKS AS4 "daemon > CONNECT(7 514 '^A'z)\nc < 7 514\nc close\ndaemon < OVER(7 514)\n"},
    {"a_refused_caller_hears_the_end", ASKS AS4 NO},
    {"a_refused_ident_is_used_up",
     ASKS AS4 NO "daemon > REFUSED('^A'/32)\ndaemon > CONNECT(7 514 '^A'/32)\n"
                 "daemon < OVER(7 514)\n"},
    {"an_allowed_caller_cannot_be_refused_any_more",
     ASKS AS4 "daemon > CONNECT(7 514 '^A'/32) REFUSED('^A'/32)\nc < 7 514\nc quiet\nc close\n"
              "daemon < OVER(7 514)\n"},
    {"an_ident_is_good_for_one_answer_and_the_other_port_is_given_back",
     ASKS AS4 "daemon > CONNECT(7 514 '^A'/32) CONNECT(7 516 '^A'/32)\ndaemon < OVER(7 516)\n"
              "c < 7 514\nc quiet\nc close\ndaemon < OVER(7 514)\n"},
    {"an_answer_to_who_has_left_gives_its_port_back",
     ASKS AS4 "c close\ndaemon > CONNECT(7 514 '^A'/32)\ndaemon < OVER(7 514)\n"},
    {"invented_idents_reach_nobody",
     ASKS AS4 "daemon > REFUSED('SOCKET'/32) REFUSED('SOCKET0'/32) REFUSED(''/32)\n"
              "daemon > REFUSED('^A '/32) REFUSED('0^A'/32)\n"
              "daemon > REFUSED('^A0'/32) REFUSED('socket^A'/32) REFUSED('SOCKET-1'/32)\n"
              "daemon > CONNECT(7 514 'SOCKET'/32) CONNECT(7 514 'SOCKET1'/32) CONNECT(7 514 b0)\n"
              "c quiet\n" NO},
    {"the_idents_of_one_daemon_mean_nothing_to_the_next",
     ASKS AS4 "daemon back 4\nc end\ndaemon > REFUSED('^A'/32)\n"},
    {"each_caller_has_an_ident_of_its_own",
     ASKS AS4 "d dials agent\nd > TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.B'z)\n"
              "daemon asks B TRIGGER4(''/64 'work'/64 'SOCKET'/32 'test.B'z)\n"
              "daemon > REFUSED('^B'/32)\nd end\nc quiet\n" NO},
};

int main(void)
{
    add_types();
    talk_add_all(hellos, ARRAY_SIZE(hellos));
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(cuts, ARRAY_SIZE(cuts));
    talk_add_all(idents, ARRAY_SIZE(idents));
    return talks_run(TALK_AGENT);
}
