/*
 * What a client can say to qrexec-daemon (dom0's qrexec-client, another domain's daemon): each
 * message, each length at its edges, cut at each byte; ports; pending requests that it connects.
 */
#include "tests/talk/daemon-talk.h"

#define DROPPED "c end\nprobe\n"

/* A request whose policy does not answer yet. */
#define WAITS                                                                                      \
    "agent > TRIGGER4(''/64 'online'/64 'SOCKET1'/32 'a'z)\n"                                      \
    "q takes policy\n"                                                                             \
    "q < 'source=email~intended_target=online~service_and_arg=a~requested_source=~~'\n"            \
    "q half\n"

static const struct message {
    const char *name, *bytes, *then; /* then: NULL: not for a client */
} messages[] = {
    {"EXEC", "EXEC(0 0 'user:ls'z)", "c < EXEC(1 513)\nagent < EXEC(0 513 'user:ls'z)\n"},
    {"JUST_EXEC", "JUST_EXEC(0 0 'user:ls'z)",
     "c < JUST_EXEC(1 513)\nagent < JUST_EXEC(0 513 'user:ls'z)\n"},
    {"CONNECT", "CONNECT(0 0 'SOCKET1'/32)", NULL},
    {"HELLO", "HELLO(3)", NULL},
    {"REFUSED", "REFUSED('SOCKET1'/32)", NULL},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)", NULL},
    {"TRIGGER3", "TRIGGER3('work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"TRIGGER4", "TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"OVER", "OVER(0 513)", NULL},
    {"STDIN", "STDIN('x')", NULL},
    {"STDOUT", "STDOUT('x')", NULL},
    {"STDERR", "STDERR('x')", NULL},
    {"EXIT", "EXIT(0)", NULL},
    {"type_0", "T0()", NULL},
    {"type_0xffffffff", "T0xffffffff(0 0)", NULL},
};

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const struct message *m = &messages[i];

        if (!str_equal(m->name, "HELLO"))
            talk_add(format_new("%s_before_the_hello_drops_the_client", m->name), 4,
                     format_new("c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > %s\n" DROPPED,
                                m->bytes));
        talk_add(format_new("%s_from_a_client_%s", m->name, m->then ? "is_served" : "drops_it"), 4,
                 format_new("c joins\nc > %s\n%s", m->bytes, m->then ? m->then : DROPPED));
        talk_add(format_new("%s_after_the_request_drops_the_client", m->name), 4,
                 format_new("c joins\nc > EXEC(0 0 'user:x'z)\nc < EXEC(1 513)\n"
                            "agent < EXEC(0 513 'user:x'z)\nc > %s\n" DROPPED,
                            m->bytes));
    }
}

static const struct talk hellos[] = {
    {"the_daemon_says_hello_3_first", 4, "c dials /run/qubes/qrexec.1\nc < HELLO(3)\n"},
    {"it_says_3_whatever_the_agent_speaks", 2, "c dials /run/qubes/qrexec.1\nc < HELLO(3)\n"},
    {"a_client_of_0_is_dropped", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(0)\n" DROPPED},
    {"a_client_of_1_is_dropped", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(1)\n" DROPPED},
    {"a_client_of_2_is_dropped", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(2)\n" DROPPED},
    {"a_client_of_4_is_served", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(4) EXEC(0 0 'user:x'z)\n"
     "c < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"},
    {"a_client_of_5_is_served", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(5) EXEC(0 0 'user:x'z)\n"
     "c < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"},
    {"a_clients_hello_of_3_bytes_drops_it", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(b3 b0*2)\n" DROPPED},
    {"a_clients_hello_of_5_bytes_drops_it", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > HELLO(3 b0)\n" DROPPED},
    /* ours need not wait for the daemon's hello; the field's writes headers and bodies apart */
    {"a_client_may_speak_before_it_reads", 4,
     "c dials /run/qubes/qrexec.1\nc > HELLO(3) EXEC(0 0 'user:x'z)\n"
     "c < HELLO(3) EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"},
    {"headers_and_bodies_may_come_apart", 4,
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\nc > 0x300 4\nprobe\nc > 3\nprobe\n"
     "c > 0x200 15\nprobe\nc > 0 0\nprobe\nc > 'user:x'z\n"
     "c < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"},
    {"a_clients_talk_cut_at_each_byte_reaches_nobody", 4,
     "fds\nc dies HELLO(3) EXEC(0 0 'user:ls'z)\nprobe\nfds\n"
     "c joins\nc > EXEC(0 0 'user:x'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"},
    {"a_CONNECT_cut_at_each_byte_connects_nothing", 4,
     WAITS "fds\nc dies HELLO(3) CONNECT(0 0 'SOCKET1'/32)\nprobe\nfds\n"
           "q > 'result=deny~'\nq close\nagent < REFUSED('SOCKET1'/32)\n"},
};

static const struct talk lengths[] = {
    {"EXEC_of_8_bytes_drops_the_client", 4, "c joins\nc > EXEC(0 0)\n" DROPPED},
    {"EXEC_of_9_bytes_is_passed_on", 4,
     "c joins\nc > EXEC(0 0 b0)\nc < EXEC(1 513)\nagent < EXEC(0 513 b0)\n"},
    {"EXEC_of_65535_bytes_is_passed_on", 4,
     "c joins\nc > EXEC(0 0 'x'*65526 b0)\nc < EXEC(1 513)\nagent < EXEC(0 513 'x'*65526 b0)\n"},
    {"EXEC_of_65536_bytes_drops_the_client", 4, "c joins\nc >? EXEC(0 0 'x'*65527 b0)\n" DROPPED},
    {"EXEC_that_says_4_GiB_drops_the_client_before_it_comes", 4,
     "c joins\nc > EXEC:0xffffffff()\n" DROPPED},
    {"JUST_EXEC_of_8_bytes_drops_the_client", 4, "c joins\nc > JUST_EXEC(0 0)\n" DROPPED},
    {"JUST_EXEC_of_9_bytes_is_passed_on", 4,
     "c joins\nc > JUST_EXEC(0 0 b0)\nc < JUST_EXEC(1 513)\nagent < JUST_EXEC(0 513 b0)\n"},
    {"JUST_EXEC_of_65535_bytes_is_passed_on", 4,
     "c joins\nc > JUST_EXEC(0 0 'x'*65526 b0)\nc < JUST_EXEC(1 513)\n"
     "agent < JUST_EXEC(0 513 'x'*65526 b0)\n"},
    {"JUST_EXEC_of_65536_bytes_drops_the_client", 4,
     "c joins\nc >? JUST_EXEC(0 0 'x'*65527 b0)\n" DROPPED},
    {"the_longest_EXEC_with_a_longer_default_user_is_passed_on", TALK_NONE,
     "run daemon '-D'z '--root=$'z '-u'z 'u-u'z '1'z 'email'z 'u12345678'z\n"
     "agent takes control\nagent hello 4\n"
     "c joins\nc > EXEC(0 0 'DEFAULT:' 'x'*65518 b0)\nc < EXEC(1 513)\n"
     "agent < EXEC(0 513 'u12345678:' 'x'*65518 b0)\nkill 15\nexit 0\n"},
    {"a_command_without_its_NUL_drops_the_client", 4, "c joins\nc > EXEC(0 0 'user:ls')\n" DROPPED},
    {"a_command_with_a_NUL_inside_drops_the_client", 4,
     "c joins\nc > EXEC(0 0 'user:ls'z 'x'z)\n" DROPPED},
    {"a_commands_bytes_are_passed_on_as_they_are", 4,
     "c joins\nc > EXEC(0 0 b1..255 b0)\nc < EXEC(1 513)\nagent < EXEC(0 513 b1..255 b0)\n"},
    {"CONNECT_of_8_bytes_drops_the_client", 4, WAITS "c joins\nc > CONNECT(0 0)\n" DROPPED},
    {"CONNECT_of_41_bytes_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1'/33)\n" DROPPED},
    {"CONNECT_whose_ident_is_cut_after_its_NUL_is_taken", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1'z)\nc < CONNECT(1 513)\n"
           "agent < CONNECT(0 513 'SOCKET1'/32)\nq end\n"},
    {"CONNECT_whose_ident_lacks_its_NUL_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1')\n" DROPPED},
    {"CONNECT_of_9_bytes_has_the_empty_ident", 4,
     "agent > TRIGGER4(''/64 'a'/64 ''/32 'a'z)\nq takes policy\nq ignored\n"
     "c joins\nc > CONNECT(0 0 b0)\nc < CONNECT(1 513)\nagent < CONNECT(0 513 ''/32)\n"},
};

/* "DEFAULT:" only at the very start, and only so. */
static const struct talk commands[] = {
    {"DEFAULT_is_the_default_user", 4,
     "c joins\nc > EXEC(0 0 'DEFAULT:QUBESRPC a+ dom0'z)\nc < EXEC(1 513)\n"
     "agent < EXEC(0 513 'user:QUBESRPC a+ dom0'z)\n"},
    {"DEFAULT_counts_with_JUST_EXEC_too", 4,
     "c joins\nc > JUST_EXEC(0 0 'DEFAULT:nogui:ls'z)\nc < JUST_EXEC(1 513)\n"
     "agent < JUST_EXEC(0 513 'user:nogui:ls'z)\n"},
    {"DEFAULT_alone_is_an_empty_command", 4,
     "c joins\nc > EXEC(0 0 'DEFAULT:'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'user:'z)\n"},
    {"DEFAULT_elsewhere_stays", 4,
     "c joins\nc > EXEC(0 0 'root:DEFAULT:ls'z)\nc < EXEC(1 513)\n"
     "agent < EXEC(0 513 'root:DEFAULT:ls'z)\n"},
    {"DEFAULT_without_its_colon_stays", 4,
     "c joins\nc > EXEC(0 0 'DEFAULTS:ls'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 "
     "'DEFAULTS:ls'z)\n"},
    {"default_in_small_letters_stays", 4,
     "c joins\nc > EXEC(0 0 'default:ls'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'default:ls'z)\n"},
    {"the_name_and_the_uuid_lead_to_the_same_daemon", 4,
     "c joins /run/qubes/qrexec.uuid:" STAGE_UUID "\nc > EXEC(0 0 'a:b'z)\nc < EXEC(1 513)\n"
     "agent < EXEC(0 513 'a:b'z)\n"
     "d joins /run/qubes/qrexec.1\nd > EXEC(0 0 'a:b'z)\nd < EXEC(1 514)\n"
     "agent < EXEC(0 514 'a:b'z)\n"},
    {"a_command_for_the_own_domain_drops_the_client", 4,
     "c joins\nc > EXEC(1 0 'user:x'z)\n" DROPPED},
    {"a_command_that_names_a_port_drops_the_client", 4,
     "c joins\nc > EXEC(0 513 'user:x'z)\n" DROPPED},
    {"a_command_that_names_another_domains_port_drops_the_client", 4,
     "c joins\nc > EXEC(3 514 'user:x'z)\n" DROPPED},
    {"a_client_that_half_closes_is_answered_and_then_gone", 4,
     "c joins\nc > EXEC(0 0 'user:x'z)\nc shut\nc < EXEC(1 513)\nc end\n"
     "agent < EXEC(0 513 'user:x'z)\n"},
    {"a_client_may_leave_before_it_reads_its_port", 4,
     "c joins\nc > EXEC(0 0 'user:x'z)\nc close\nagent < EXEC(0 513 'user:x'z)\n"},
    {"one_byte_more_drops_the_client", 4,
     "c joins\nc > EXEC(0 0 'user:x'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"
     "c > b0\n" DROPPED},
    {"an_older_agent_gets_the_same_messages", 2,
     "c joins\nc > EXEC(0 0 'user:x'z)\nc < EXEC(1 513)\nagent < EXEC(0 513 'user:x'z)\n"
     "agent > OVER(0 513)\nc end\n"},
};

#define SERVE(domain, port)                                                                        \
    "c joins\nc > EXEC(" domain " 0 'u:x'z)\nc < EXEC(1 " port ")\n"                               \
    "agent < EXEC(" domain " " port " 'u:x'z)\nc close\n"

static const struct talk ports[] = {
    {"ports_towards_dom0_go_up_from_513", 4, SERVE("0", "513") SERVE("0", "514") SERVE("0", "515")},
    {"the_lower_domain_takes_even_ports", 4, SERVE("3", "514") SERVE("3", "516") SERVE("3", "518")},
    {"each_domain_has_ports_of_its_own", 4,
     SERVE("3", "514") SERVE("4", "514") SERVE("0", "513") SERVE("0", "514") SERVE("4", "516")},
    {"the_higher_domain_takes_odd_ports", TALK_NONE,
     "ctl listens /run/vchan/vchan.9.0.512.sock\n"
     "run daemon '-D'z '--root=$'z '-u'z 'u-u'z '9'z 'email'z\n"
     "agent takes ctl\nagent hello 4\n"
     "c joins\nc > EXEC(3 0 'u:x'z)\nc < EXEC(9 513)\nagent < EXEC(3 513 'u:x'z)\nc close\n"
     "c joins\nc > EXEC(3 0 'u:x'z)\nc < EXEC(9 515)\nagent < EXEC(3 515 'u:x'z)\nc close\n"
     "c joins\nc > EXEC(12 0 'u:x'z)\nc < EXEC(9 514)\nagent < EXEC(12 514 'u:x'z)\nc close\n"
     "kill 15\nexit 0\n"},
    {"a_port_is_free_when_the_agent_says_so", 4,
     SERVE("0", "513") SERVE("0", "514") "agent > OVER(0 513)\n" SERVE("0", "513")},
    {"the_end_of_another_domains_port_frees_nothing", 4,
     SERVE("0", "513") "agent > OVER(3 513)\n" SERVE("0", "514")},
    {"ends_of_ports_that_nobody_has_are_ignored", 4,
     "agent > OVER(0 513) OVER(0 0) OVER(0 512) OVER(0 65535) OVER(0 65536) OVER(0 0xffffffff) "
     "OVER(0xffffffff 0xffffffff) OVER(1 513)\n" SERVE("0", "513")},
    {"an_end_told_twice_counts_once", 4,
     SERVE("0", "513") "agent > OVER(0 513)\n" SERVE("0", "513") "agent > OVER(0 513)\n"
                                                                 "agent > OVER(0 513)\n" SERVE(
                                                                     "0", "513") SERVE("0", "514")},
    {"each_clients_end_is_its_own", 4,
     "a joins\na > EXEC(0 0 'u:a'z)\na < EXEC(1 513)\nagent < EXEC(0 513 'u:a'z)\n"
     "b joins\nb > EXEC(0 0 'u:b'z)\nb < EXEC(1 514)\nagent < EXEC(0 514 'u:b'z)\n"
     "c joins\nc > EXEC(3 0 'u:c'z)\nc < EXEC(1 514)\nagent < EXEC(3 514 'u:c'z)\n"
     "agent > OVER(0 514)\nb end\na quiet\nc quiet\n"
     "agent > OVER(3 514)\nc end\na quiet\nagent > OVER(0 513)\na end\n"},
    {"a_new_client_of_an_old_port_is_not_ended_by_the_old_ones_end", 4,
     "a joins\na > EXEC(0 0 'u:a'z)\na < EXEC(1 513)\nagent < EXEC(0 513 'u:a'z)\n"
     "agent > OVER(0 513)\na end\n"
     "b joins\nb > EXEC(0 0 'u:b'z)\nb < EXEC(1 513)\nagent < EXEC(0 513 'u:b'z)\n"
     "b quiet\nagent > OVER(0 513)\nb end\n"},
    {"an_agent_that_leaves_drops_its_clients_and_its_ports_stay", 4,
     "a joins\na > EXEC(0 0 'u:a'z)\na < EXEC(1 513)\nagent < EXEC(0 513 'u:a'z)\n"
     "b joins\n"
     "c dials /run/qubes/qrexec.1\nc < HELLO(3)\n"
     "agent close\na end\nb end\nc end\n"
     "gone /run/qubes/qrexec.1\ngone /run/qubes/qrexec.email\n"
     "gone /run/qubes/qrexec.uuid:" STAGE_UUID "\n"
     "agent back 4\nagent < REFUSED('held.0.513'/32)\n" SERVE(
         "0", "514") "agent > OVER(0 513)\n" SERVE("0", "513")},
    {"a_foreign_agent_that_says_nothing_of_held_ports_keeps_them_taken", 4,
     SERVE("0", "513")
         SERVE("3", "514") "agent close\nagent back 3\n"
                           "agent < REFUSED('held.0.513'/32) REFUSED('held.3.514'/32)\n" SERVE(
                               "0", "514") "agent close\nagent back 4\n"
                                           "agent < REFUSED('held.0.513'/32) "
                                           "REFUSED('held.0.514'/32) REFUSED('held.3.514'/32)\n"},
};

/* More calls at once than the field's table has ports: 513 to 768, and on from there. */
static void add_many_ports(void)
{
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    for (unsigned port = 513; port <= 770; port++)
        fprintf(
            f,
            "c joins\nc > EXEC(0 0 'u:x'z)\nc < EXEC(1 %u)\nagent < EXEC(0 %u 'u:x'z)\nc close\n",
            port, port);
    fputs("agent > OVER(0 600)\n" SERVE("0", "600") "agent > OVER(0 769)\n" SERVE("0", "769"), f);
    fputs(SERVE("0", "771"), f);
    fclose(f);
    talk_add("ports_above_768_are_taken_when_the_rest_is", 4, script);
}

static const struct talk connects[] = {
    {"a_request_is_connected_to_dom0_on_the_daemons_port", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\nc < CONNECT(1 513)\n"
           "agent < CONNECT(0 513 'SOCKET1'/32)\nq end\nagent > OVER(0 513)\nc end\n"},
    {"a_request_is_connected_to_another_domain_on_its_port", 4,
     WAITS "c joins\nc > CONNECT(9 515 'SOCKET1'/32)\nagent < CONNECT(9 515 'SOCKET1'/32)\nq end\n"
           "c quiet\nagent > OVER(9 515)\nc end\n"},
    {"a_request_is_connected_to_another_domain_with_port_0", 4,
     WAITS "c joins\nc > CONNECT(9 0 'SOCKET1'/32)\nc < CONNECT(1 514)\n"
           "agent < CONNECT(9 514 'SOCKET1'/32)\nq end\n"},
    {"a_request_is_connected_once", 4,
     WAITS "a joins\na > CONNECT(0 0 'SOCKET1'/32)\na < CONNECT(1 513)\n"
           "agent < CONNECT(0 513 'SOCKET1'/32)\nq end\n"
           "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\n" DROPPED},
    {"an_ident_that_nobody_has_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET2'/32)\n" DROPPED},
    {"a_longer_ident_is_another_one", 4, WAITS "c joins\nc > CONNECT(0 0 'SOCKET11'/32)\n" DROPPED},
    {"a_shorter_ident_is_another_one", 4, WAITS "c joins\nc > CONNECT(0 0 'SOCKET'/32)\n" DROPPED},
    {"an_ident_with_bytes_behind_its_NUL_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1'z 'x'/24)\n" DROPPED},
    {"an_ident_of_bad_bytes_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(0 0 'SOCKET1;'/32)\n" DROPPED},
    {"a_denied_request_cannot_be_connected", 4,
     WAITS "q > 'result=deny~'\nq close\nagent < REFUSED('SOCKET1'/32)\n"
           "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\n" DROPPED},
    {"a_request_of_an_agent_that_left_cannot_be_connected", 4,
     WAITS "agent close\nq end\nagent back 4\nc joins\nc > CONNECT(0 0 'SOCKET1'/32)\n" DROPPED},
    {"dom0s_port_is_not_the_clients_to_name", 4,
     WAITS "c joins\nc > CONNECT(0 513 'SOCKET1'/32)\n" DROPPED},
    {"the_own_domain_cannot_be_the_other_end", 4,
     WAITS "c joins\nc > CONNECT(1 513 'SOCKET1'/32)\n" DROPPED},
    {"a_control_channels_port_is_no_data_port", 4,
     WAITS "c joins\nc > CONNECT(9 512 'SOCKET1'/32)\n" DROPPED},
    {"the_first_data_port_is_one", 4,
     WAITS
     "c joins\nc > CONNECT(9 513 'SOCKET1'/32)\nagent < CONNECT(9 513 'SOCKET1'/32)\nq end\n"},
    {"one_byte_more_after_a_CONNECT_drops_the_client", 4,
     WAITS "c joins\nc > CONNECT(9 515 'SOCKET1'/32) b0\n"
           "agent < CONNECT(9 515 'SOCKET1'/32)\nq end\nc end\n"},
    {"of_two_requests_with_one_ident_each_is_connected_once", 4,
     WAITS "agent > TRIGGER4(''/64 'b'/64 'SOCKET1'/32 'a'z)\nr takes policy\nr ignored\n"
           "a joins\na > CONNECT(9 515 'SOCKET1'/32)\nagent < CONNECT(9 515 'SOCKET1'/32)\nq end\n"
           "c joins\nc > CONNECT(9 517 'SOCKET1'/32)\nagent < CONNECT(9 517 'SOCKET1'/32)\n"
           "d joins\nd > CONNECT(9 519 'SOCKET1'/32)\nd end\n"},
    {"an_ident_of_31_bytes_comes_back_whole", 4,
     "agent > TRIGGER4(''/64 'a'/64 'abcdefghijklmnopqrstuvwxyz_-. 0'/32 'a'z)\n"
     "q takes policy\nq ignored\n"
     "c joins\nc > CONNECT(9 515 'abcdefghijklmnopqrstuvwxyz_-. 0'/32)\n"
     "agent < CONNECT(9 515 'abcdefghijklmnopqrstuvwxyz_-. 0'/32)\n"},
    {"an_agent_of_2_is_connected_in_the_same_words", 2,
     "agent > TRIGGER2('a'/64 'b'/32 'S'/32)\nq takes policy\nq ignored\n"
     "c joins\nc > CONNECT(9 515 'S'/32)\nagent < CONNECT(9 515 'S'/32)\n"},
};

int main(void)
{
    talk_add_all(hellos, ARRAY_SIZE(hellos));
    talk_add_all(lengths, ARRAY_SIZE(lengths));
    talk_add_all(commands, ARRAY_SIZE(commands));
    talk_add_all(ports, ARRAY_SIZE(ports));
    add_many_ports();
    talk_add_all(connects, ARRAY_SIZE(connects));
    add_types();
    return talks_run();
}
