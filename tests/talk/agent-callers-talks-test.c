/*
 * What a program of the VM can say to qrexec-agent on its socket: each message and length, cut at
 * each byte; and what the agent makes of it for a daemon of 2, 3 and 4.
 */
#include "tests/talk/vm-talk.h"

/* Everything that is no trigger of protocol 3 or 4. */
static const struct {
    const char *name, *bytes;
} messages[] = {
    {"HELLO", "HELLO(4)"},
    {"EXEC", "EXEC(0 0 '^U:ls'z)"},
    {"JUST_EXEC", "JUST_EXEC(0 0 '^U:ls'z)"},
    {"CONNECT", "CONNECT(0 513 'SOCKET1'/32)"},
    {"REFUSED", "REFUSED('SOCKET1'/32)"},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET'/32)"},
    {"OVER", "OVER(0 600)"},
    {"STDIN", "STDIN('x')"},
    {"STDOUT", "STDOUT('x')"},
    {"STDERR", "STDERR('x')"},
    {"EXIT", "EXIT(0)"},
    {"type_0", "T0()"},
    {"type_0x211", "T0x211(0 600)"},
    {"type_0x214", "T0x214(''/64 'work'/64 'SOCKET'/32 'a'z)"},
    {"type_0xffffffff", "T0xffffffff(0 0)"},
};

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
        talk_add(format_new("%s_from_a_caller_ends_its_connection", messages[i].name),
                 format_new("c dials agent\nc >? %s\nc end\n", messages[i].bytes));
}

#define SAYS(bytes)  "c dials agent\nc >? " bytes "\n"
#define FITS(bytes)  SAYS(bytes) "daemon asks A " bytes "\ndaemon > REFUSED('^A'/32)\nc end\n"
#define UNFIT(bytes) SAYS(bytes) "c end\n"
#define T3(service)  "TRIGGER3('work'/64 'SOCKET'/32 " service ")"
#define T4(service)  "TRIGGER4(''/64 'work'/64 'SOCKET'/32 " service ")"
#define ANSWER       "daemon > REFUSED('^A'/32)\nc end\n"

static const struct talk lengths[] = {
    {"TRIGGER3_of_96_bytes_ends_the_connection", UNFIT(T3(""))},
    {"TRIGGER3_of_97_bytes_has_an_empty_service_and_ends_it", UNFIT(T3("b0"))},
    {"TRIGGER3_of_98_bytes_is_passed_on_as_4",
     SAYS(T3("'a'z")) "daemon asks A " T4("'a'z") "\n" ANSWER},
    {"TRIGGER3_with_the_longest_service_is_passed_on",
     SAYS(T3("'a'*64999 b0")) "daemon asks A " T4("'a'*64999 b0") "\n" ANSWER},
    {"TRIGGER3_a_byte_longer_ends_the_connection", UNFIT(T3("'a'*65000 b0"))},
    {"TRIGGER4_of_160_bytes_ends_the_connection", UNFIT(T4(""))},
    {"TRIGGER4_of_161_bytes_has_an_empty_service_and_ends_it", UNFIT(T4("b0"))},
    {"TRIGGER4_of_162_bytes_is_passed_on", FITS(T4("'a'z"))},
    {"TRIGGER4_with_the_longest_service_is_passed_on", FITS(T4("'a'*64999 b0"))},
    {"TRIGGER4_a_byte_longer_ends_the_connection", UNFIT(T4("'a'*65000 b0"))},
    {"TRIGGER4_that_says_4_GiB_ends_the_connection_before_it_comes",
     "c dials agent\nc > TRIGGER4:0xffffffff()\nc end\n"},
    {"TRIGGER4_that_says_0_ends_the_connection", "c dials agent\nc > TRIGGER4()\nc end\n"},
    {"a_service_without_a_NUL_at_its_end_ends_the_connection", UNFIT(T4("'test.A'"))},
    {"a_service_with_a_NUL_inside_ends_the_connection", UNFIT(T4("'test'z '.A'z"))},
    {"a_service_with_two_NULs_at_its_end_ends_the_connection", UNFIT(T4("'test.A'z b0"))},
    {"a_service_that_begins_with_its_argument_ends_the_connection", UNFIT(T4("'+x'z"))},
    {"an_empty_argument_is_passed_on_as_such", FITS(T4("'test.A+'z"))},
    {"every_byte_of_a_service_is_passed_on_as_it_came", FITS(T4("'a' b1..255 b0"))},
    {"more_plus_signs_belong_to_the_argument", FITS(T4("'test.A+b+c++'z"))},
    {"the_callers_own_ident_is_replaced",
     SAYS("TRIGGER4(''/64 'work'/64 'SOCKET1 or not'/32 'a'z)") "daemon asks A " T4(
         "'a'z") "\n" ANSWER},
    {"an_ident_of_garbage_is_replaced",
     SAYS("TRIGGER4(''/64 'work'/64 b255*32 'a'z)") "daemon asks A " T4("'a'z") "\n" ANSWER},
    {"a_target_without_a_NUL_is_cut_to_63_bytes",
     SAYS("TRIGGER4(''/64 't'*64 'SOCKET'/32 'a'z)") "daemon asks A TRIGGER4(''/64 ['t'*63]/64 "
                                                     "'SOCKET'/32 'a'z)\n" ANSWER},
    {"bytes_behind_a_targets_NUL_are_not_passed_on",
     SAYS("TRIGGER4('s'z 'x'*62 'work'z 'x'*59 'SOCKET'/32 'a'z)") "daemon asks A TRIGGER4('s'/64 "
                                                                   "'work'/64 'SOCKET'/32 "
                                                                   "'a'z)\n" ANSWER},
    {"a_source_of_63_bytes_is_passed_on", FITS("TRIGGER4(['s'*63]/64 'work'/64 'SOCKET'/32 'a'z)")},
    {"a_source_without_a_NUL_is_cut_to_63_bytes",
     SAYS("TRIGGER4('s'*64 'work'/64 'SOCKET'/32 'a'z)") "daemon asks A TRIGGER4(['s'*63]/64 "
                                                         "'work'/64 'SOCKET'/32 'a'z)\n" ANSWER},
    {"an_empty_target_is_the_daemons_to_judge", FITS("TRIGGER4(''/64 ''/64 'SOCKET'/32 'a'z)")},
};

static const struct talk order[] = {
    {"a_trigger_cut_at_each_byte_asks_for_nothing",
     "cuts TRIGGER4(''/64 'work'/64 'SOCKET'/32 'a'z)\nc dials agent\nc says\nc close\n"},
    {"a_trigger_of_3_cut_at_each_byte_asks_for_nothing",
     "cuts TRIGGER3('work'/64 'SOCKET'/32 'a'z)\nc dials agent\nc says\nc close\n"},
    {"half_a_trigger_and_the_end_of_writing_closes",
     "cuts TRIGGER4(''/64 'work'/64 'SOCKET'/32 'a'z)\nc dials agent\nc says\nc shut\nc end\n"},
    {"a_trigger_may_come_byte_by_byte",
     "c dials agent\nc drips " T4("'test.A'z") "\ndaemon asks A " T4("'test.A'z") "\n" ANSWER},
    {"two_triggers_at_once_end_the_connection", SAYS(T4("'a'z") " " T4("'b'z")) "c end\n"},
    {"a_byte_behind_the_trigger_ends_the_connection", SAYS(T4("'a'z") " b0") "c end\n"},
    {"a_byte_while_it_waits_ends_the_connection",
     SAYS(T4("'a'z")) "daemon asks A " T4("'a'z") "\nc > b0\nc end\n"
                                                  "daemon > REFUSED('^A'/32)\n"},
    {"a_byte_while_it_is_connected_ends_the_connection",
     SAYS(T4("'a'z")) "daemon asks A " T4(
         "'a'z") "\ndaemon > CONNECT(7 514 '^A'/32)\n"
                 "c < 7 514\nc > b0\nc end\ndaemon < OVER(7 514)\n"},
    {"the_end_of_writing_while_it_waits_is_its_end",
     SAYS(T4("'a'z")) "daemon asks A " T4(
         "'a'z") "\nc shut\nc end\n"
                 "daemon > CONNECT(7 514 '^A'/32)\ndaemon < OVER(7 514)\n"},
    {"a_silent_caller_holds_nobody_up", "d dials agent\ne dials agent\ne > TRIGGER4:200()\n"
                                        "e > ''/64\n" FITS(T4("'a'z")) "d quiet\n"},
    {"callers_who_come_and_go_leave_nothing",
     "cuts 'many callers who come and go'\nc dials agent\nc close\n"},
    {"the_socket_goes_with_the_daemon_and_comes_with_the_next",
     "daemon close\ngone agent\ndaemon back 4\nthere agent\n" FITS(T4("'a'z"))},
    {"a_daemon_that_goes_away_refuses_who_waits",
     SAYS(T4("'a'z")) "daemon asks A " T4("'a'z") "\ndaemon close\nc end\n"},
    {"a_daemon_that_goes_away_leaves_who_talks",
     SAYS(T4("'a'z")) "daemon asks A " T4("'a'z") "\ndaemon > CONNECT(7 514 '^A'/32)\n"
                                                  "c < 7 514\ndaemon back 4\nc quiet\nc close\n"},
    {"half_a_trigger_does_not_reach_the_next_daemon",
     "c dials agent\nc > TRIGGER4:162(''/64)\ndaemon back 4\nc end\n"},
};

/* What an older daemon can be told, and what not. */
#define OF3 "daemon back 3\n"
#define OF2 "daemon back 2\n"

static const struct talk versions[] = {
    {"a_daemon_of_3_gets_3", OF3 SAYS(T4("'a+b'z")) "daemon asks A " T3("'a+b'z") "\n" ANSWER},
    {"a_daemon_of_3_gets_3_as_it_came", OF3 FITS(T3("'a+b'z"))},
    {"a_daemon_of_3_gets_the_longest_service",
     OF3 SAYS(T4("'a'*64999 b0")) "daemon asks A " T3("'a'*64999 b0") "\n" ANSWER},
    {"a_source_cannot_be_said_to_a_daemon_of_3",
     OF3 UNFIT("TRIGGER4('s'/64 'work'/64 'SOCKET'/32 'a'z)")},
    {"a_daemon_of_2_gets_2",
     OF2 SAYS(T4("'a+b'z")) "daemon asks A TRIGGER2('a+b'/64 'work'/32 'SOCKET'/32)\n" ANSWER},
    {"a_daemon_of_2_gets_2_from_3",
     OF2 SAYS(T3("'a+b'z")) "daemon asks A TRIGGER2('a+b'/64 'work'/32 'SOCKET'/32)\n" ANSWER},
    {"a_service_of_63_bytes_fits_a_daemon_of_2",
     OF2 SAYS(
         T4("'a'*63 b0")) "daemon asks A TRIGGER2(['a'*63]/64 'work'/32 'SOCKET'/32)\n" ANSWER},
    {"a_service_of_64_bytes_does_not", OF2 UNFIT(T4("'a'*64 b0"))},
    {"a_target_of_31_bytes_fits_a_daemon_of_2",
     OF2 SAYS("TRIGGER4(''/64 ['t'*31]/64 'SOCKET'/32 'a'z)") "daemon asks A TRIGGER2('a'/64 "
                                                              "['t'*31]/32 'SOCKET'/32)\n" ANSWER},
    {"a_target_of_32_bytes_does_not", OF2 UNFIT("TRIGGER4(''/64 ['t'*32]/64 'SOCKET'/32 'a'z)")},
    {"a_source_cannot_be_said_to_a_daemon_of_2",
     OF2 UNFIT("TRIGGER4('s'/64 'work'/64 'SOCKET'/32 'a'z)")},
    {"an_older_daemon_connects_and_refuses_like_any",
     OF2 SAYS(
         T4("'a'z")) "daemon asks A TRIGGER2('a'/64 'work'/32 'SOCKET'/32)\n"
                     "daemon > CONNECT(7 514 '^A'z)\nc < 7 514\nc close\ndaemon < OVER(7 514)\n"},
    {"an_older_daemon_runs_commands_here",
     OF2 "call x 600 'no colon'\nx < STDOUT() STDERR() EXIT(125)\nx end\nover 600\n"},
};

int main(void)
{
    add_types();
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(order, ARRAY_SIZE(order));
    talk_add_all(versions, ARRAY_SIZE(versions));
    return talks_run(TALK_AGENT);
}
