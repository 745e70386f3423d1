/*
 * What qrexec-daemon does after an allow: with the target's daemon, which may be a foreign one, a
 * spawner or qubesd, and dom0's end. And its own start: options, exit codes, the log.
 */
#include "tests/talk/daemon-talk.h"

#define TRIGGER "agent > TRIGGER4(''/64 'online'/64 'SOCKET1'/32 'a'z)\n"
#define ALLOWED(target, more)                                                                      \
    TRIGGER "policy says 'result=allow~user=u~target=" target                                      \
            "~autostart=True~requested_target=online~" more "'\n"
#define ONLINE    "online listens /run/qubes/qrexec.online\n"
#define REFUSED_1 "agent < REFUSED('SOCKET1'/32)\n"
/* The call, up to what the target's daemon hears first. */
#define BEGUN  ONLINE ALLOWED("online", "") "t takes online\n"
#define ASKS   "t < HELLO(3) EXEC(1 0 'u:QUBESRPC a+ email'z)\n"
#define FAILED "t half\n" REFUSED_1

/* One whose stderr is heard. */
#define RUN(words) "run daemon '--root=$'z " words "\n"
#define UUID       "'-u'z '" STAGE_UUID "'z "

/* ---- The target's daemon ---- */

static const struct talk targets[] = {
    {"a_target_of_3_is_asked_for_a_port", 4,
     BEGUN "t > HELLO(3)\n" ASKS "t > EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
    {"a_target_of_4_is_asked_for_a_port", 4,
     BEGUN "t > HELLO(4)\n" ASKS "t > EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
    {"a_target_of_2_is_refused", 4, BEGUN "t > HELLO(2)\n" ASKS FAILED},
    {"a_target_of_2_is_refused_with_both_versions", TALK_NONE,
     RUN("'-D'z " UUID "'1'z 'email'z") "agent takes control\nagent hello 4\n" BEGUN
                                        "t > HELLO(2)\n" ASKS FAILED "kill 15\nexit 0\n"
                                        "err has 'protocol 2, at least 3 is needed'\n"},
    {"a_target_of_0_is_refused", 4, BEGUN "t > HELLO(0)\n" ASKS FAILED},
    {"a_target_that_answers_before_a_hello_is_refused", 4, BEGUN ASKS "t > EXEC(9 514)\n" FAILED},
    {"a_targets_hello_of_3_bytes_is_refused", 4, BEGUN ASKS "t > HELLO(b3 b0*2)\n" FAILED},
    {"a_targets_hello_of_5_bytes_is_refused", 4, BEGUN ASKS "t > HELLO(3 b0)\n" FAILED},
    {"a_target_that_says_hello_twice_is_refused", 4, BEGUN ASKS "t > HELLO(3) HELLO(3)\n" FAILED},
    {"a_targets_answer_of_7_bytes_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) EXEC(9 b2 b2 b0)\n" FAILED},
    {"a_targets_answer_of_9_bytes_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) EXEC(9 514 b0)\n" FAILED},
    {"a_targets_answer_that_says_4_GiB_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) EXEC:0xffffffff()\n" FAILED},
    {"a_target_without_a_port_is_refused", 4, BEGUN ASKS "t > HELLO(3) EXEC(9 0)\n" FAILED},
    {"a_target_that_is_dom0_is_refused", 4, BEGUN ASKS "t > HELLO(3) EXEC(0 514)\n" FAILED},
    {"a_target_that_is_the_caller_is_refused", 4, BEGUN ASKS "t > HELLO(3) EXEC(1 514)\n" FAILED},
    {"a_target_that_answers_as_JUST_EXEC_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) JUST_EXEC(9 514)\n" FAILED},
    {"a_target_that_answers_as_CONNECT_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) CONNECT(9 514)\n" FAILED},
    {"a_target_that_answers_as_OVER_is_refused", 4, BEGUN ASKS "t > HELLO(3) OVER(9 514)\n" FAILED},
    {"a_target_that_sends_data_is_refused", 4,
     BEGUN ASKS "t > HELLO(3) STDOUT('12345678')\n" FAILED},
    {"a_target_whose_words_come_byte_by_byte_is_heard", 4,
     BEGUN ASKS "t > b0\nprobe\nt > b3\nprobe\nt > b0*2\nprobe\nt > 4\nprobe\nt > b3 b0*2\nprobe\n"
                "t > b0\nprobe\nt > 0x200\nprobe\nt > 8 9\nprobe\nt > b2 b2\nprobe\nt > b0*2\n"
                "agent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
    {"a_target_may_close_with_its_answer", 4,
     BEGUN "t > HELLO(3) EXEC(9 514)\nt shut\nagent < CONNECT(9 514 'SOCKET1'/32)\n" ASKS
           "t end\n"},
    {"what_a_target_says_after_its_answer_is_of_no_matter", 4,
     BEGUN ASKS "t > HELLO(3) EXEC(9 514) EXEC(9 516)\nagent < CONNECT(9 514 'SOCKET1'/32)\n"
                "t end\n"},
    {"an_odd_port_of_a_target_is_passed_on", 4,
     BEGUN ASKS "t > HELLO(3) EXEC(9 515)\nagent < CONNECT(9 515 'SOCKET1'/32)\nt end\n"},
    {"an_agent_that_leaves_ends_the_question_for_a_port", 4,
     BEGUN ASKS "agent close\nt end\nagent back 4\n"},
    {"a_target_that_serves_no_more_is_refused_without_autostart", 4,
     TRIGGER "policy says 'result=allow~user=u~target=online~autostart=False~"
             "requested_target=online~'\n" REFUSED_1},
    {"a_target_that_serves_needs_no_autostart", 4,
     ONLINE TRIGGER "policy says 'result=allow~user=u~target=online~autostart=False~"
                    "requested_target=online~'\nt takes online\n" ASKS
                    "t > HELLO(3) EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
    {"a_domain_cannot_call_itself_by_name", 4, ALLOWED("email", "") REFUSED_1},
    {"a_domain_cannot_call_itself_by_uuid", 4,
     ALLOWED("other", "target_uuid=uuid:" STAGE_UUID "~") REFUSED_1},
    {"an_agent_of_2_is_told_the_same", 2,
     ONLINE "agent > TRIGGER2('a'/64 'online'/32 'SOCKET1'/32)\n"
            "policy says 'result=allow~user=u~target=online~autostart=True~"
            "requested_target=online~'\nt takes online\n" ASKS
            "t > HELLO(3) EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
};

/* Each beginning of what a target says, and its end: refused each time. */
static void add_cut_target(void)
{
    static const char *const parts[] = {"b0", "b3", "b0", "b0", "b4", "b0", "b0", "b0", "b3",
                                        "b0", "b0", "b0", "b0", "b2", "b0", "b0", "b8", "b0",
                                        "b0", "b0", "b9", "b0", "b0", "b0", "b2", "b2", "b0"};
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    fputs(ONLINE, f);
    for (size_t i = 0; i <= ARRAY_SIZE(parts); i++) {
        fputs(ALLOWED("online", "") "t takes online\n" ASKS "t > ''", f);
        for (size_t k = 0; k < i; k++)
            fprintf(f, " %s", parts[k]);
        fputs("\nt close\n" REFUSED_1 "fds\n", f);
    }
    fclose(f);
    talk_add("a_targets_words_cut_at_each_byte_connect_nothing", 4, script);
}

/* ---- Starting a target; disposables ---- */

#define ADMIN    "admin listens /run/qubesd.sock\n"
#define INTERNAL "internal listens /run/qubesd.internal.sock\n"
#define START    "s takes admin\ns < 'admin.vm.Start+ dom0 name online'z\ns half\n"
#define CONNECTS                                                                                   \
    "t takes online\n" ASKS "t > HELLO(3) EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\n"
#define LEASE "l takes internal\nl < 'internal.LeaseDisposable+ email name dvm'z b10\n"
#define NO_LEASES                                                                                  \
    LEASE "l > '2'z 'ProtocolError'z b0 'unknown'z\nl close\n"                                     \
          "s takes admin\ns < 'admin.vm.CreateDisposable+ dom0 name dvm'z\ns half\n"

static const struct talk starts[] = {
    {"a_target_is_started_and_asked_again", 4,
     ADMIN ALLOWED("online", "") START ONLINE "s > '0'z\ns close\n" CONNECTS "t end\n"},
    {"a_target_that_runs_already_is_asked_again", 4,
     ADMIN ALLOWED("online", "") START ONLINE
     "s > '2'z 'QubesVMNotHaltedError'z b0 'it runs'z\ns close\n" CONNECTS "t end\n"},
    {"a_target_that_cannot_be_started_is_refused", 4,
     ADMIN ALLOWED("online", "") START
     "s > '2'z 'QubesMemoryError'z b0 'no memory'z\ns close\n" REFUSED_1},
    {"no_answer_to_a_start_is_a_refusal", 4,
     ADMIN ALLOWED("online", "") START "s close\n" REFUSED_1},
    {"an_answer_of_no_kind_is_a_refusal", 4,
     ADMIN ALLOWED("online", "") START "s > '7'z\ns close\n" REFUSED_1},
    {"a_target_that_does_not_serve_after_its_start_is_not_started_twice", 4,
     ADMIN ALLOWED("online", "") START "s > '0'z\ns close\n" REFUSED_1},
    {"without_a_qubesd_a_halted_target_is_refused", 4, ALLOWED("online", "") REFUSED_1},
    {"other_calls_go_on_while_a_target_starts", 4,
     ADMIN ALLOWED("online", "") START
     "probe\n"
     "agent > TRIGGER4(''/64 'b'/64 'SOCKET2'/32 'a'z)\npolicy says 'result=deny~'\n"
     "agent < REFUSED('SOCKET2'/32)\ns close\n" REFUSED_1},
    {"a_disposable_is_leased_and_given_back", 4,
     INTERNAL ONLINE ALLOWED("@dispvm:dvm", "") LEASE
     "l > '0'z 'online uuid:99999999-0000-0000-0000-000000000000 9~'\n" CONNECTS
     "probe\nl quiet\nt quiet\nagent > OVER(9 514)\nl end\nt end\n"},
    {"a_disposable_goes_with_its_callers_agent", 4,
     INTERNAL ONLINE ALLOWED("@dispvm:dvm", "") LEASE
     "l > '0'z 'online uuid:99999999-0000-0000-0000-000000000000 9~'\n" CONNECTS
     "agent close\nl end\nt end\nagent back 4\nagent < REFUSED('held.9.514'/32)\n"},
    {"a_disposable_that_does_not_come_is_refused", 4,
     INTERNAL ALLOWED("@dispvm:dvm", "") LEASE
     "l > '2'z 'QubesMemoryError'z b0 'no memory'z\nl close\n" REFUSED_1},
    {"a_spawner_that_dies_is_a_refusal", 4,
     INTERNAL ALLOWED("@dispvm:dvm", "") LEASE "l close\n" REFUSED_1},
    {"a_foreign_qubesd_creates_starts_and_kills", 4,
     INTERNAL ADMIN ONLINE ALLOWED("@dispvm:dvm", "") NO_LEASES
     "s > '0'z 'online'\ns close\n" START "s > '0'z\ns close\n" CONNECTS
     "admin quiet\nagent > OVER(9 514)\nt end\n"
     "s takes admin\ns < 'admin.vm.Kill+ dom0 name online'z\ns half\ns > '0'z\ns close\n"},
    {"a_foreign_disposable_that_does_not_start_is_killed", 4,
     INTERNAL ADMIN ALLOWED("@dispvm:dvm", "") NO_LEASES
     "s > '0'z 'online'\ns close\n" START
     "s > '2'z 'QubesMemoryError'z b0 'no memory'z\ns close\n" REFUSED_1
     "s takes admin\ns < 'admin.vm.Kill+ dom0 name online'z\ns half\ns > '0'z\ns close\n"},
    {"a_foreign_disposable_whose_daemon_fails_is_killed", 4,
     INTERNAL ADMIN ONLINE ALLOWED("@dispvm:dvm", "") NO_LEASES
     "s > '0'z 'online'\ns close\n" START "s > '0'z\ns close\nt takes online\nt close\n" REFUSED_1
     "s takes admin\ns < 'admin.vm.Kill+ dom0 name online'z\ns half\ns > '0'z\ns close\n"},
    {"a_foreign_disposables_name_that_is_a_path_is_refused", 4,
     INTERNAL ADMIN ALLOWED("@dispvm:dvm", "") NO_LEASES "s > '0'z '../x'\ns close\n" REFUSED_1},
    {"a_disposable_of_a_uuid_is_asked_for_by_it", 4,
     INTERNAL ALLOWED("@dispvm:dvm", "target_uuid=@dispvm:uuid:11110000-0000-0000-0000-"
                                     "000000000000~") "l takes internal\nl < "
                                                      "'internal.LeaseDisposable+ email name "
                                                      "uuid:11110000-0000-0000-0000-000000000000'z "
                                                      "'uuid~'\nl close\n" REFUSED_1},
    {"a_disposable_without_autostart_is_refused", 4,
     INTERNAL TRIGGER "policy says 'result=allow~user=u~target=@dispvm:dvm~autostart=False~"
                      "requested_target=online~'\n" REFUSED_1},
};

/* ---- dom0's end ---- */

#define DOM0_SCRIPT                                                                                \
    "remove /usr/lib/qubes/qrexec-client\n"                                                        \
    "script /usr/lib/qubes/qrexec-client '#!/bin/sh~echo \"$*\" >$QREXEC_ROOT/args~exec sleep "    \
    "60~'\n"

static const struct talk dom0s[] = {
    {"dom0_is_a_target_by_its_name", 4,
     DOM0_SCRIPT ALLOWED("dom0",
                         "") "there /args\n"
                             "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\nc < CONNECT(1 513)\n"
                             "agent < CONNECT(0 513 'SOCKET1'/32)\nagent > OVER(0 513)\nc end\n"},
    {"adminvm_is_dom0", 4,
     DOM0_SCRIPT ALLOWED("@adminvm",
                         "") "there /args\n"
                             "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\nc < CONNECT(1 513)\n"
                             "agent < CONNECT(0 513 'SOCKET1'/32)\n"},
    {"the_zero_uuid_is_dom0", 4,
     DOM0_SCRIPT ALLOWED("uuid:00000000-0000-0000-0000-000000000000",
                         "") "there /args\n"
                             "c joins\nc > CONNECT(0 0 'SOCKET1'/32)\nc < CONNECT(1 513)\n"
                             "agent < CONNECT(0 513 'SOCKET1'/32)\n"},
    {"a_target_uuid_beside_dom0_is_of_no_matter", 4,
     DOM0_SCRIPT ALLOWED(
         "dom0", "target_uuid=uuid:99999999-0000-0000-0000-000000000000~") "there /args\n"
                                                                           "c joins\nc > CONNECT(0 "
                                                                           "0 'SOCKET1'/32)\nc < "
                                                                           "CONNECT(1 513)\n"
                                                                           "agent < CONNECT(0 513 "
                                                                           "'SOCKET1'/32)\n"},
    {"dom0s_end_that_ends_unconnected_is_a_refusal", 4,
     "remove /usr/lib/qubes/qrexec-client\n"
     "script /usr/lib/qubes/qrexec-client '#!/bin/sh~exit 0~'\n" ALLOWED("dom0", "") REFUSED_1},
    {"without_dom0s_end_it_is_a_refusal", 4,
     "remove /usr/lib/qubes/qrexec-client\n" ALLOWED("dom0", "") REFUSED_1},
};

/* ---- Its start ---- */

/* Where the limit is not over at once. */
#define ANSWERS_LATER                                                                              \
    "env QREXEC_STARTUP_TIMEOUT=\nagent takes control\nagent quiet\nagent hello 4\n"               \
    "there /run/qubes/qrexec.email\nkill 15\nexit 0\n"

static const struct talk options[] = {
    {"no_arguments_are_usage", TALK_NONE, "run daemon\nexit 2\nerr has 'usage: qrexec-daemon'\n"},
    {"not_even_a_name_of_its_own_is_no_crash", TALK_NONE, "run daemon nothing\nexit 2\n"},
    {"help_is_no_error", TALK_NONE,
     "run daemon '--help'z\nexit 0\nout has 'usage: qrexec-daemon'\n"},
    {"an_unknown_option_is_usage", TALK_NONE, RUN("'--what'z") "exit 2\nerr has 'usage: '\n"},
    {"a_missing_uuid_is_usage", TALK_NONE,
     RUN("'1'z 'email'z") "exit 2\nerr has '-u is missing'\n"},
    {"a_missing_name_is_usage", TALK_NONE, RUN(UUID "'1'z") "exit 2\nerr has 'usage: '\n"},
    {"a_fourth_argument_is_usage", TALK_NONE,
     RUN(UUID "'1'z 'email'z 'user'z 'more'z") "exit 2\nerr has 'usage: '\n"},
    {"domain_0_is_usage", TALK_NONE, RUN(UUID "'0'z 'email'z") "exit 2\nerr has 'DOMID'\n"},
    {"a_number_with_a_tail_is_usage", TALK_NONE, RUN(UUID "'1x'z 'email'z") "exit 2\n"},
    {"a_negative_number_is_usage", TALK_NONE, RUN(UUID "'--'z '-1'z 'email'z") "exit 2\n"},
    {"a_name_that_is_a_path_is_usage", TALK_NONE, RUN(UUID "'1'z '../email'z") "exit 2\n"},
    {"an_empty_name_is_usage", TALK_NONE, RUN(UUID "'1'z b0") "exit 2\n"},
    {"a_uuid_that_is_a_path_is_usage", TALK_NONE, RUN("'-u'z '../x'z '1'z 'email'z") "exit 2\n"},
    {"an_option_without_its_value_is_usage", TALK_NONE, RUN("'--socket-dir'z") "exit 2\n"},
    {"the_long_options_are_understood", TALK_NONE,
     "run daemon '--root=$'z '--direct'z '--quiet'z '--uuid=" STAGE_UUID "'z "
     "'--policy-program=$/other'z '--socket-dir=$/sockets'z '1'z 'email'z\n"
     "agent takes control\nagent hello 4\nthere /sockets/qrexec.email\ngone /run/qubes/qrexec.1\n"
     "link /sockets/qrexec.uuid:" STAGE_UUID " qrexec.1\n"
     "script /other '#!/bin/sh~touch $QREXEC_ROOT/asked~echo result=deny~'\n"
     "agent > TRIGGER4(''/64 'b'/64 'S'/32 'a'z)\npolicy says ''\nagent < REFUSED('S'/32)\n"
     "there /asked\nkill 15\nexit 0\ngone /sockets/qrexec.1\ngone /sockets/qrexec.email\n"},
    {"the_short_options_are_understood", TALK_NONE,
     RUN("'-Dq'z '-p'z '$/other'z " UUID
         "'1'z 'email'z 'joe'z") "agent takes control\nagent hello 4\n"
                                 "c joins\nc > EXEC(0 0 'DEFAULT:x'z)\nc < EXEC(1 513)\nagent < "
                                 "EXEC(0 513 'joe:x'z)\n"
                                 "kill 15\nexit 0\n"},
    {"a_uuid_may_have_its_prefix", TALK_NONE,
     RUN("'-D'z '-u'z 'uuid:" STAGE_UUID
         "'z '1'z 'email'z") "agent takes control\nagent hello 4\nthere "
                             "/run/qubes/qrexec.uuid:" STAGE_UUID "\n"
                             "kill 15\nexit 0\n"},
    {"a_daemon_that_ends_removes_its_sockets", TALK_NONE,
     RUN("'-D'z " UUID
         "'1'z 'email'z") "agent takes control\nagent hello 4\n"
                          "there /run/qubes/qrexec.email\nkill 2\nexit 0\ngone "
                          "/run/qubes/qrexec.email\n"
                          "gone /run/qubes/qrexec.1\ngone /run/qubes/qrexec.uuid:" STAGE_UUID
                          "\nagent end\n"},
    {"in_the_foreground_it_logs_to_stderr", TALK_NONE,
     RUN("'-D'z " UUID
         "'1'z 'email'z") "agent takes control\nagent > HELLO(1)\nagent end\n"
                          "agent takes control\nkill 15\nexit 0\nerr has 'protocol 1, at least 2'\n"
                          "gone /var/log/qubes/qrexec.email.log\n"},
    {"in_the_background_it_logs_to_its_file", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=30\n" RUN(
         UUID "'1'z 'email'z") "env QREXEC_STARTUP_TIMEOUT=\nagent takes control\nagent > "
                               "HELLO(1)\nagent end\n"
                               "agent back 4\nexit 0\nthere /run/qubes/qrexec.email\nthere "
                               "/var/log/qubes/qrexec.email.log\n"
                               "out end\n"
                               "mentions /var/log/qubes/qrexec.email.log 'protocol 1, at least "
                               "2'\nendpeer agent\n"},
    {"a_limit_that_is_no_number_is_said", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=soon\n" RUN(
         "'-D'z " UUID
         "'1'z 'email'z") "env QREXEC_STARTUP_TIMEOUT=\nagent takes control\nagent hello 4\n"
                          "there /run/qubes/qrexec.email\nkill 15\nexit 0\nerr has "
                          "'QREXEC_STARTUP_TIMEOUT=soon'\n"},
    {"a_limit_is_over_when_the_agent_has_answered", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=1\n" RUN(
         "'-D'z " UUID
         "'1'z 'email'z") "env QREXEC_STARTUP_TIMEOUT=\nagent takes control\nagent hello 4\nagent "
                          "close\n"
                          "agent takes control\nlater 1200\nagent hello 4\nkill 15\nexit 0\n"},
    {"in_the_background_without_an_agent_it_exits_3", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=1\n" RUN(
         UUID
         "'1'z 'email'z") "env QREXEC_STARTUP_TIMEOUT=\nagent takes control\nexit 3\nagent end\n"
                          "gone /run/qubes/qrexec.1\nerr has 'email: the agent did not answer in 1 "
                          "s "
                          "(QREXEC_STARTUP_TIMEOUT); see /'\n"},
    {"in_the_background_one_that_is_ended_early_did_not_start", TALK_NONE,
     RUN(UUID "'1'z 'email'z") "agent takes control\nendpeer agent\nexit 1\n"
                               "err has 'ended before the agent had answered; see /'\n"},
    {"a_limit_of_0_is_the_default", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=0\n" RUN("'-D'z " UUID "'1'z 'email'z") ANSWERS_LATER
     "err has 'the agent answered'\n"},
    {"a_negative_limit_is_the_default", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=-1\n" RUN("'-D'z " UUID "'1'z 'email'z") ANSWERS_LATER
     "err has 'QREXEC_STARTUP_TIMEOUT=-1'\n"},
    {"in_the_foreground_without_an_agent_it_exits_3", TALK_NONE,
     "env QREXEC_STARTUP_TIMEOUT=1\n" RUN("'-D'z " UUID
                                          "'1'z 'email'z") "env QREXEC_STARTUP_TIMEOUT=\nexit 3\n"
                                                           "agent takes control\nagent end\n"},
    {"NOWAIT_returns_at_once_and_has_no_limit", TALK_NONE,
     "env QREXEC_STARTUP_NOWAIT=1\nenv QREXEC_STARTUP_TIMEOUT=1\n" RUN(
         UUID "'1'z 'email'z") "env QREXEC_STARTUP_NOWAIT=\nenv QREXEC_STARTUP_TIMEOUT=\nexit 0\n"
                               "agent takes control\nout end\nagent hello 4\nthere "
                               "/run/qubes/qrexec.email\n"
                               "endpeer agent\n"},
};

int main(void)
{
    talk_add_all(targets, ARRAY_SIZE(targets));
    add_cut_target();
    talk_add_all(starts, ARRAY_SIZE(starts));
    talk_add_all(dom0s, ARRAY_SIZE(dom0s));
    talk_add_all(options, ARRAY_SIZE(options));
    return talks_run();
}
