/*
 * What an agent can say to qrexec-daemon: each message with each length at the edges, each in each
 * version, before its hello and after; cut at each byte; what a foreign agent really sends.
 */
#include "tests/talk/daemon-talk.h"

/* A message as an agent would send it, whether it may or not. */
static const struct message {
    const char *name, *bytes;
    uint32_t from, to; /* versions in which an agent may */
    const char *then;  /* what follows where it may */
} messages[] = {
    {"HELLO", "HELLO(4)", 1, 0, NULL},
    {"EXEC", "EXEC(0 0 'user:ls'z)", 1, 0, NULL},
    {"JUST_EXEC", "JUST_EXEC(0 0 'user:ls'z)", 1, 0, NULL},
    {"CONNECT", "CONNECT(0 513 'SOCKET1'/32)", 1, 0, NULL},
    {"REFUSED", "REFUSED('SOCKET1'/32)", 1, 0, NULL},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)", 2, 2,
     "policy says 'result=deny~'\nagent < REFUSED('SOCKET1'/32)\n"},
    {"OVER", "OVER(0 600)", 2, 4, ""},
    {"TRIGGER3", "TRIGGER3('work'/64 'SOCKET1'/32 'a'z)", 3, 4,
     "policy says 'result=deny~'\nagent < REFUSED('SOCKET1'/32)\n"},
    {"TRIGGER4", "TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)", 4, 4,
     "policy says 'result=deny~'\nagent < REFUSED('SOCKET1'/32)\n"},
    {"STDIN", "STDIN('x')", 1, 0, NULL},
    {"STDOUT", "STDOUT('x')", 1, 0, NULL},
    {"STDERR", "STDERR('x')", 1, 0, NULL},
    {"EXIT", "EXIT(0)", 1, 0, NULL},
    {"type_0", "T0()", 1, 0, NULL},
    {"type_0xffffffff", "T0xffffffff(0 0)", 1, 0, NULL},
};

#define ENDS_IT                                                                                    \
    "agent end\n"                                                                                  \
    "gone /run/qubes/qrexec.1\n"

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const struct message *m = &messages[i];

        if (i > 0)
            talk_add(format_new("%s_before_the_hello_ends_the_connection", m->name), TALK_MUTE,
                     format_new("agent > %s\nagent end\nagent back 4\n", m->bytes));
        for (uint32_t v = 2; v <= 4; v++) {
            bool may = v >= m->from && v <= m->to;

            talk_add(
                format_new("%s_from_an_agent_of_%u_%s", m->name, v,
                           may ? "is_taken" : "ends_the_connection"),
                v,
                format_new("agent > %s\n%s", m->bytes, may ? m->then : ENDS_IT "agent back 4\n"));
        }
    }
}

/* What a length at the edge comes to. */
#define REFUSES "agent < REFUSED('SOCKET1'/32)\n"
#define ASKS    "policy says 'result=deny~'\nagent < REFUSED('SOCKET1'/32)\n"
#define TAIL    "agent back 4\n"

static const struct talk lengths[] = {
    {"a_hello_of_3_bytes_ends_the_connection", TALK_MUTE,
     "agent > HELLO(b4 b0*2)\nagent end\n" TAIL},
    {"a_hello_of_5_bytes_ends_the_connection", TALK_MUTE, "agent > HELLO(4 b0)\nagent end\n" TAIL},
    {"a_hello_of_0_bytes_ends_the_connection", TALK_MUTE, "agent > HELLO()\nagent end\n" TAIL},
    {"a_hello_that_says_4_GiB_ends_the_connection", TALK_MUTE,
     "agent > HELLO:0xffffffff(4)\nagent end\n" TAIL},
    {"TRIGGER2_of_127_bytes_ends_the_connection", 2,
     "agent > TRIGGER2('a'/64 'work'/32 'SOCKET1'/31)\n" ENDS_IT TAIL},
    {"TRIGGER2_of_129_bytes_ends_the_connection", 2,
     "agent > TRIGGER2('a'/64 'work'/32 'SOCKET1'/33)\n" ENDS_IT TAIL},
    {"TRIGGER3_of_96_bytes_ends_the_connection", 3,
     "agent > TRIGGER3('work'/64 'SOCKET1'/32)\n" ENDS_IT TAIL},
    {"TRIGGER3_of_97_bytes_has_an_empty_service", 3,
     "agent > TRIGGER3('work'/64 'SOCKET1'/32 b0)\n" REFUSES},
    {"TRIGGER3_of_98_bytes_is_asked_about", 3,
     "agent > TRIGGER3('work'/64 'SOCKET1'/32 'a'z)\n" ASKS},
    {"TRIGGER3_with_the_longest_service_is_asked_about", 3,
     "agent > TRIGGER3('work'/64 'SOCKET1'/32 'a'*64999 b0)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=work~service_and_arg=' 'a'*64999 '~~'\n"
     "q end\n" REFUSES},
    {"TRIGGER3_with_a_service_a_byte_longer_ends_the_connection", 3,
     "agent >? TRIGGER3('work'/64 'SOCKET1'/32 'a'*65000 b0)\n" ENDS_IT TAIL},
    {"TRIGGER4_of_160_bytes_ends_the_connection", 4,
     "agent > TRIGGER4(''/64 'work'/64 'SOCKET1'/32)\n" ENDS_IT TAIL},
    {"TRIGGER4_of_161_bytes_has_an_empty_service", 4,
     "agent > TRIGGER4(''/64 'work'/64 'SOCKET1'/32 b0)\n" REFUSES},
    {"TRIGGER4_of_162_bytes_is_asked_about", 4,
     "agent > TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)\n" ASKS},
    {"TRIGGER4_with_the_longest_service_is_asked_about", 4,
     "agent > TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'*64999 b0)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=work~service_and_arg=' 'a'*64999 '~requested_source=~~'\n"
     "q end\n" REFUSES},
    {"TRIGGER4_with_a_service_a_byte_longer_ends_the_connection", 4,
     "agent >? TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'*65000 b0)\n" ENDS_IT TAIL},
    {"a_trigger_that_says_4_GiB_ends_the_connection_before_it_comes", 4,
     "agent > TRIGGER4:0xffffffff()\n" ENDS_IT TAIL},
    {"OVER_of_7_bytes_ends_the_connection", 4, "agent > OVER(0 b0*3)\n" ENDS_IT TAIL},
    {"OVER_of_9_bytes_ends_the_connection", 4, "agent > OVER(0 600 b0)\n" ENDS_IT TAIL},
    {"OVER_of_0_bytes_ends_the_connection", 4, "agent > OVER()\n" ENDS_IT TAIL},
};

#define SERVES                                                                                     \
    "there /run/qubes/qrexec.1\n"                                                                  \
    "link /run/qubes/qrexec.email qrexec.1\n"                                                      \
    "link /run/qubes/qrexec.uuid:" STAGE_UUID " qrexec.1\n"
#define TOO_OLD                                                                                    \
    "agent end\n"                                                                                  \
    "gone /run/qubes/qrexec.1\n"

static const struct talk hellos[] = {
    {"an_agent_of_0_is_refused", TALK_MUTE, "agent > HELLO(0)\n" TOO_OLD TAIL},
    {"an_agent_of_1_is_refused", TALK_MUTE, "agent > HELLO(1)\n" TOO_OLD TAIL},
    {"an_agent_of_2_is_served_as_2", TALK_MUTE,
     "gone /run/qubes/qrexec.1\nagent > HELLO(2)\nagent < HELLO(2)\nagent is 2\n" SERVES},
    {"an_agent_of_3_is_served_as_3", TALK_MUTE,
     "agent > HELLO(3)\nagent < HELLO(3)\nagent is 3\n" SERVES},
    {"an_agent_of_4_is_served_as_4", TALK_MUTE,
     "agent > HELLO(4)\nagent < HELLO(4)\nagent is 4\n" SERVES},
    {"an_agent_of_5_is_told_4", TALK_MUTE,
     "agent > HELLO(5)\nagent < HELLO(4)\nagent is 4\n" SERVES},
    {"an_agent_of_4294967295_is_told_4", TALK_MUTE,
     "agent > HELLO(0xffffffff)\nagent < HELLO(4)\nagent is 4\n" SERVES},
    {"the_daemon_says_nothing_before_the_agents_hello", TALK_MUTE,
     "agent quiet\nagent > b0\nagent quiet\nagent > b3 b0*2 4 4\nagent < HELLO(4)\nagent is 4\n"},
    /* the field's sends a header and a body, each with a write of its own */
    {"a_hello_in_two_writes_is_one", TALK_MUTE,
     "agent > 0x300 4\nagent quiet\nagent > 3\nagent < HELLO(3)\nagent is 3\n"},
    {"hello_and_triggers_in_one_write_are_taken_in_turn", TALK_MUTE,
     "agent > HELLO(4) TRIGGER4(''/64 'a'/64 'S1'/32 '+'z) TRIGGER4(''/64 'a'/64 'S2'/32 b0)\n"
     "agent < HELLO(4) REFUSED('S1'/32) REFUSED('S2'/32)\n"
     "agent is 4\n"},
    {"what_came_before_a_bad_message_was_taken", 4,
     "agent > TRIGGER4(''/64 'a'/64 'S1'/32 'a'z) T7()\n"
     "agent end\n"
     "q takes policy\n"
     "q has 'service_and_arg=a~'\n"
     "agent back 4\n"},
    {"an_agent_may_come_back_in_another_version", 4,
     "agent close\nagent back 2\n"
     "agent > TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)\n" ASKS "agent close\nagent back 3\n"
     "agent > TRIGGER3('work'/64 'SOCKET1'/32 'a'z)\n" ASKS},
    {"a_hello_cut_at_each_byte_is_forgotten", TALK_MUTE,
     "agent dies HELLO(4)\nagent hello 4\nfds\nagent close\nagent back 4\nfds\n"},
    {"TRIGGER2_cut_at_each_byte_reaches_nobody", TALK_MUTE,
     "agent dies HELLO(2) TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)\nagent hello 2\n"},
    {"TRIGGER3_cut_at_each_byte_reaches_nobody", TALK_MUTE,
     "agent dies HELLO(3) TRIGGER3('work'/64 'SOCKET1'/32 'a'z)\nagent hello 3\n"},
    {"TRIGGER4_cut_at_each_byte_reaches_nobody", TALK_MUTE,
     "agent dies HELLO(4) TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)\nagent hello 4\n"},
    {"OVER_cut_at_each_byte_frees_nothing", TALK_MUTE,
     "agent hello 4\n"
     "c joins\nc > EXEC(0 0 'user:x'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"
     "agent close\nc end\nagent takes control\n"
     "agent dies HELLO(4) OVER(0 513)\n"
     "agent hello 4\nagent < REFUSED('held.0.513'/32)\n"},
};

int main(void)
{
    talk_add_all(hellos, ARRAY_SIZE(hellos));
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    add_types();
    return talks_run();
}
