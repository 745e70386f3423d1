/*
 * qrexec-client connects a VM's pending request (-c), to a service of dom0 or to another VM; runs
 * dom0's services for dom0; and what is usage.
 */
#include "tests/talk/client-talks.h"

#define SOURCE        "source listens /run/qubes/qrexec.7\n"
#define SERVER        "server listens /run/vchan/vchan.7.0.513.sock\n"
#define C             "'-c'z 'SOCKET1,email,7'z '-d'z 'dom0'z "
#define ECHO          "'QUBESRPC test.Echo+x email name dom0'z"
#define IS_ASKED      "s takes source\ns > HELLO(3)\ns < HELLO(3) CONNECT(0 0 'SOCKET1'/32)\n"
#define GIVES         IS_ASKED "s > CONNECT(7 513)\n"
#define CALLER        "v takes server\nv quiet\nv > HELLO(4)\nv < HELLO(4)\n"
#define NOT_LINKED    "exit 137\nout all ''\n"
#define SERVICE(text) "script /etc/qubes-rpc/test.Echo '#!/bin/sh~" text "~'\n"

/* The service runs, and its caller has said hello. */
#define RUNS(text, options)                                                                        \
    SOURCE SERVER SERVICE(text) CLIENT(options C ECHO) GIVES CALLER "v < STDERR()\n"

/* ---- -c: the caller's daemon ---- */

static const struct talk links[] = {
    {"a_request_is_connected_and_its_service_runs", TALK_NONE,
     RUNS("echo \"$1\"; cat; exit 5",
          "") "v < STDOUT('x~')\nv > STDIN('in')\nv < STDOUT('in')\nv > STDIN()\n"
              "v < STDOUT() EXIT(5)\nv end\nexit 5\ns end\n"},
    {"without_the_callers_daemon_it_is_137", TALK_NONE, CLIENT(C ECHO) NOT_LINKED},
    {"a_daemon_that_drops_us_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) "s takes source\ns close\n" NOT_LINKED},
    {"a_daemon_that_does_not_know_the_request_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) IS_ASKED "s close\n" NOT_LINKED "err has 'no such request waits'\n"},
    {"a_callers_daemon_of_2_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) "s takes source\ns > HELLO(2)\n" NOT_LINKED "s end\n"},
    {"an_answer_as_EXEC_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) IS_ASKED "s > EXEC(7 513)\n" NOT_LINKED},
    {"an_answer_of_7_bytes_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) IS_ASKED "s > CONNECT(7 b1 b2 b0)\n" NOT_LINKED},
    {"an_answer_of_9_bytes_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) IS_ASKED "s > CONNECT(7 513 b0)\n" NOT_LINKED},
    {"an_answer_cut_in_the_middle_is_137", TALK_NONE,
     SOURCE CLIENT(C ECHO) IS_ASKED "s > 0x202 8 7\ns close\n" NOT_LINKED},
    {"an_answer_that_comes_apart_is_one", TALK_NONE,
     SOURCE SERVER SERVICE("exit 5") CLIENT(C ECHO) IS_ASKED
     "s > 0x202 8\ns quiet\ns > 7\ns quiet\ns > 513\n" CALLER
     "v < STDERR() STDOUT() EXIT(5)\nv end\nexit 5\n"},
    {"the_longest_ident_goes_out_whole", TALK_NONE,
     SOURCE CLIENT("'-c'z 'abcdefghijklmnopqrstuvwxyz_-. 0,email,7'z '-d'z "
                   "'dom0'z " ECHO) "s takes source\ns > HELLO(3)\n"
                                    "s < HELLO(3) CONNECT(0 0 "
                                    "'abcdefghijklmnopqrstuvwxyz_-. 0'/32)\ns "
                                    "close\n" NOT_LINKED},
    {"an_empty_ident_goes_out", TALK_NONE,
     SOURCE CLIENT("'-c'z ',email,7'z '-d'z 'dom0'z " ECHO) "s takes source\ns > HELLO(3)\ns < "
                                                            "HELLO(3) CONNECT(0 0 ''/32)\ns "
                                                            "close\n" NOT_LINKED},
    {"socket_dir_counts_for_the_callers_daemon", TALK_NONE,
     "source listens /run/qrexec.7\n" CLIENT("'--socket-dir=$/run'z " C ECHO) IS_ASKED
     "s close\n" NOT_LINKED},
    {"adminvm_is_dom0", TALK_NONE,
     SOURCE CLIENT("'-c'z 'SOCKET1,email,7'z '-d'z '@adminvm'z " ECHO) IS_ASKED
     "s close\n" NOT_LINKED},
    {"the_zero_UUID_is_dom0_for_a_VM_too", TALK_NONE,
     SOURCE CLIENT("'-c'z 'SOCKET1,email,7'z '-d'z "
                   "'uuid:00000000-0000-0000-0000-000000000000'z " ECHO) IS_ASKED
     "s close\n" NOT_LINKED},
};

/* ---- -c: dom0's end of the data connection ---- */

#define RUNS_HELLO(v)                                                                              \
    SOURCE SERVER SERVICE("cat; exit 5") CLIENT(C ECHO) GIVES                                      \
        "v takes server\nv quiet\nv > HELLO(" v ")\nv < HELLO(4)\n"
#define ECHOES                                                                                     \
    "v < STDERR()\nv > STDIN('in')\nv < STDOUT('in')\nv > STDIN()\n"                               \
    "v < STDOUT() EXIT(5)\nv end\nexit 5\n"
#define REFUSED_HELLO(bytes)                                                                       \
    SOURCE SERVER SERVICE("cat; exit 5") CLIENT(C ECHO) GIVES "v takes server\nv > " bytes         \
                                                              "\nv end\nexit 255\n"

static const struct talk ends[] = {
    {"a_caller_of_0_is_refused", TALK_NONE, REFUSED_HELLO("HELLO(0)")},
    {"a_caller_of_1_is_refused", TALK_NONE, REFUSED_HELLO("HELLO(1)")},
    {"a_caller_of_2_is_served", TALK_NONE, RUNS_HELLO("2") ECHOES},
    {"a_caller_of_3_is_served", TALK_NONE, RUNS_HELLO("3") ECHOES},
    {"a_caller_of_4_is_served", TALK_NONE, RUNS_HELLO("4") ECHOES},
    {"a_caller_of_5_is_served", TALK_NONE, RUNS_HELLO("5") ECHOES},
    {"a_callers_hello_of_3_bytes_is_refused", TALK_NONE, REFUSED_HELLO("HELLO(b4 b0*2)")},
    {"a_callers_hello_of_5_bytes_is_refused", TALK_NONE, REFUSED_HELLO("HELLO(4 b0)")},
    {"a_caller_that_begins_with_data_is_refused", TALK_NONE, REFUSED_HELLO("STDIN('x')")},
    {"a_caller_that_closes_before_its_hello_is_137", TALK_NONE,
     SOURCE SERVER SERVICE("cat") CLIENT(C ECHO) GIVES "v takes server\nv close\n" NOT_LINKED},
    {"a_caller_of_2_gets_chunks_of_4096_bytes", TALK_NONE,
     SOURCE SERVER SERVICE("head -c 5000 /dev/zero; exit 5") CLIENT(C ECHO) GIVES
     "v takes server\nv > HELLO(2)\nv < HELLO(4) STDERR() STDOUT(b0*4096) STDOUT(b0*904)\n"
     "v < STDOUT() EXIT(5)\nv end\nexit 5\n"},
    {"a_chunk_of_4097_bytes_from_a_caller_of_2_ends_the_call", TALK_NONE,
     RUNS_HELLO("2") "v < STDERR()\nv > STDIN('x'*4097)\nv end\nexit 255\n"},
    {"a_chunk_of_65536_bytes_is_taken", TALK_NONE,
     RUNS("wc -c; exit 5",
          "") "v > STDIN('x'*65536) STDIN()\nv < STDOUT('65536~') STDOUT() EXIT(5)\n"
              "v end\nexit 5\n"},
    {"a_chunk_of_65537_bytes_ends_the_call", TALK_NONE,
     RUNS("cat; exit 5", "") "v >? STDIN('x'*65537)\nv end\nexit 255\n"},
    {"stdout_from_a_caller_is_taken_as_stdin", TALK_NONE,
     RUNS("cat; exit 5", "") "v > STDOUT('in')\nv < STDOUT('in')\nv > STDOUT()\n"
                             "v < STDOUT() EXIT(5)\nv end\nexit 5\n"},
    {"stderr_and_exit_codes_from_a_caller_are_ignored", TALK_NONE,
     RUNS("cat; exit 5", "") "v > STDERR('no') EXIT(3) STDERR() STDIN('in')\nv < STDOUT('in')\n"
                             "v > STDIN()\nv < STDOUT() EXIT(5)\nv end\nexit 5\n"},
    {"a_second_hello_of_a_caller_ends_the_call", TALK_NONE,
     RUNS("cat; exit 5", "") "v > HELLO(4)\nv end\nexit 255\n"},
    {"an_unknown_message_of_a_caller_ends_the_call", TALK_NONE,
     RUNS("cat; exit 5", "") "v > T0x194('x')\nv end\nexit 255\n"},
    {"a_trigger_from_a_caller_ends_the_call", TALK_NONE,
     RUNS("cat; exit 5", "") "v > TRIGGER4(''/64 'work'/64 'S'/32 'a'z)\nv end\nexit 255\n"},
    {"a_caller_that_closes_ends_the_services_input", TALK_NONE,
     RUNS("cat; touch $QREXEC_ROOT/done; exit 5", "") "v > STDIN('in')\nv < STDOUT('in')\nv close\n"
                                                      "exit 255\nthere /done\n"},
    {"a_service_goes_on_after_its_input_ended", TALK_NONE,
     RUNS("cat; echo still; exit 5", "") "v > STDIN()\nv < STDOUT('still~') STDOUT() EXIT(5)\n"
                                         "v end\nexit 5\n"},
    {"a_service_may_end_its_output_first", TALK_NONE,
     RUNS("exec >&-; cat >$QREXEC_ROOT/got; exit 5",
          "") "v < STDOUT()\n"
              "v > STDIN('late') STDIN()\nv < EXIT(5)\nv end\nexit 5\nholds /got 'late'\n"},
    {"a_service_may_end_before_its_caller", TALK_NONE,
     RUNS("exit 5", "") "v < STDOUT() EXIT(5)\nv >? STDIN('late')\nv end\nexit 5\n"},
    {"who_holds_the_output_keeps_the_call_open", TALK_NONE,
     RUNS("(sleep 0.15; echo late) & exit 5", "") "v quiet\nv < STDOUT('late~') STDOUT() EXIT(5)\n"
                                                  "v end\nexit 5\n"},
    {"a_signal_is_128_and_its_number", TALK_NONE,
     RUNS("kill -9 $$", "") "v < STDOUT() EXIT(137)\nv end\nexit 137\n"},
    {"a_services_stderr_is_dom0s", TALK_NONE,
     RUNS("echo oops >&2", "") "v < STDOUT() EXIT(0)\nv end\nexit 0\nerr has 'oops'\n"},
    {"SIGUSR1_is_not_offered_in_dom0", TALK_NONE,
     RUNS("test -z \"$QREXEC_AGENT_PID\" && echo none", "") "v < STDOUT('none~') STDOUT() EXIT(0)\n"
                                                            "v end\nexit 0\n"},
    {"a_missing_service_is_127", TALK_NONE,
     SOURCE SERVER CLIENT(C ECHO) GIVES CALLER
     "v < STDOUT() STDERR() EXIT(127)\nv end\nexit 127\n"},
    {"a_service_that_is_no_program_is_125", TALK_NONE,
     SOURCE SERVER "file /etc/qubes-rpc/test.Echo 'x'\n" CLIENT(C ECHO) GIVES CALLER
     "v < STDOUT() STDERR() EXIT(125)\nv end\nexit 125\n"},
    {"a_broken_setting_is_125", TALK_NONE,
     SOURCE SERVER SERVICE(
         "exit 5") "dir /etc/qubes/rpc-config\n"
                   "file /etc/qubes/rpc-config/test.Echo 'no such line~'\n" CLIENT(C ECHO)
                       GIVES CALLER "v < STDOUT() STDERR() EXIT(125)\nv end\nexit 125\n"},
    {"a_service_knows_who_asked_for_what", TALK_NONE,
     RUNS("echo \"$1/$QREXEC_REMOTE_DOMAIN/$QREXEC_SERVICE_FULL_NAME/$QREXEC_SERVICE_ARGUMENT/"
          "$QREXEC_REQUESTED_TARGET_TYPE/$QREXEC_REQUESTED_TARGET/"
          "$QREXEC_REQUESTED_TARGET_KEYWORD\"",
          "") "v < STDOUT('x/email/test.Echo+x/x/name/dom0/~') STDOUT() EXIT(0)\nv end\nexit 0\n"},
    {"E_is_0_whatever_the_service_exits_with", TALK_NONE,
     RUNS("exit 5", "'-E'z ") "v < STDOUT() EXIT(5)\nv end\nexit 0\n"},
    {"W_stays_until_the_call_has_ended", TALK_NONE,
     RUNS("exit 5", "'-W'z ") "v < STDOUT() EXIT(5)\nv end\ns quiet\ns close\nexit 5\n"},
    {"a_socket_service_hears_its_descriptor_first", TALK_NONE,
     SOURCE SERVER "svc listens /etc/qubes-rpc/test.Echo\n" CLIENT(C ECHO) GIVES CALLER
     "v < STDERR()\nx takes svc\nx < 'test.Echo+x email name dom0'z\nv > STDIN('in')\nx < 'in'\n"
     "x > 'out'\nv < STDOUT('out')\nv > STDIN()\nx half\nx > 'more'\nv < STDOUT('more')\nx close\n"
     "v < STDOUT() EXIT(0)\nv end\nexit 0\n"},
    {"a_socket_service_may_end_its_half_first", TALK_NONE,
     SOURCE SERVER "svc listens /etc/qubes-rpc/test.Echo\n" CLIENT(C ECHO) GIVES CALLER
     "v < STDERR()\nx takes svc\nx < 'test.Echo+x email name dom0'z\nx shut\nv < STDOUT()\n"
     "v > STDIN('in')\nx < 'in'\nv > STDIN()\nx half\nv < EXIT(0)\nv end\nexit 0\n"},
    {"a_socket_that_nobody_serves_is_125", TALK_NONE,
     SOURCE SERVER "svc listens /etc/qubes-rpc/test.Echo\nsvc close\n" CLIENT(C ECHO) GIVES CALLER
     "v < STDOUT() STDERR() EXIT(125)\nv end\nexit 125\n"},
    {"e_does_not_go_with_c", TALK_NONE, CLIENT("'-e'z " C ECHO) "exit 2\n"},
};

/* Orders of: the caller's EOF, the service's end of output. Its exit comes with its own command. */
static void add_orders(void)
{
    static const struct {
        const char *name, *service, *steps;
    } orders[] = {
        {"IOX", "cat >/dev/null; exec >&-; exit 5", "v > STDIN()\nv < STDOUT() EXIT(5)\n"},
        {"OIX", "exec >&-; cat >/dev/null; exit 5", "v < STDOUT()\nv > STDIN()\nv < EXIT(5)\n"},
        {"OXI", "exec >&-; exit 5", "v < STDOUT() EXIT(5)\nv >? STDIN()\n"},
        {"IXO", "(sleep 0.1)& cat >/dev/null; exit 5", "v > STDIN()\nv < STDOUT() EXIT(5)\n"},
        {"XOI", "(sleep 0.1)& exit 5", "v < STDOUT() EXIT(5)\nv >? STDIN()\n"},
        {"XIO", "(sleep 0.2)& exit 5", "v > STDIN()\nv quiet\nv < STDOUT() EXIT(5)\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        talk_add(format_new("a_service_ends_in_the_order_%s", orders[i].name), TALK_NONE,
                 format_new(SOURCE SERVER
                            "script /etc/qubes-rpc/test.Echo '#!/bin/sh~%s~'\n" CLIENT(C ECHO)
                                GIVES CALLER "v < STDERR()\n%sv end\nexit 5\n",
                            orders[i].service, orders[i].steps));
}

/* A caller's words, and the end at each byte: the service ends, and it is no success. */
static void add_cuts(void)
{
    /* HELLO(4) STDIN('in') */
    static const char *const parts[] = {"b0", "b3", "b0", "b0", "b4",   "b0", "b0", "b0",
                                        "b4", "b0", "b0", "b0", "b144", "b1", "b0", "b0",
                                        "b2", "b0", "b0", "b0", "'i'",  "'n'"};
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    fputs(SOURCE SERVER SERVICE("cat >$QREXEC_ROOT/got; exit 5"), f);
    for (size_t i = 0; i <= ARRAY_SIZE(parts); i++) {
        fputs(CLIENT(C ECHO) GIVES "v takes server\nv > ''", f);
        for (size_t k = 0; k < i; k++)
            fprintf(f, " %s", parts[k]);
        fprintf(f, "\nv close\nexit %d\n", i < 12 ? 137 : 255);
        fprintf(f, "holds /got %s\n", i == ARRAY_SIZE(parts) ? "'in'" : "''");
    }
    fclose(f);
    talk_add("a_callers_words_cut_at_each_byte_are_no_success", TALK_NONE, script);
}

/* ---- -c to another VM ---- */

#define C_VM "'-c'z 'SOCKET1,email,7'z '-d'z 'work'z 'u:QUBESRPC a+ email'z"
#define PORT "d takes daemon\nd > HELLO(3)\nd < HELLO(3) EXEC(7 0 'u:QUBESRPC a+ email'z)\n"

static const struct talk relays[] = {
    {"a_request_is_connected_to_another_VM", TALK_NONE,
     SOURCE WORK CLIENT(C_VM) PORT "d > EXEC(1 514)\n"
                                   "s takes source\ns > HELLO(3)\ns < HELLO(3) CONNECT(1 514 "
                                   "'SOCKET1'/32)\nexit 0\ns end\nd end\n"},
    {"W_stays_until_the_target_has_ended", TALK_NONE,
     SOURCE WORK CLIENT("'-W'z " C_VM) PORT
     "d > EXEC(1 514)\n"
     "s takes source\ns > HELLO(3)\ns < HELLO(3) CONNECT(1 514 'SOCKET1'/32)\n"
     "out quiet\nd quiet\nd close\nexit 0\n"},
    {"a_target_that_is_not_reached_is_137", TALK_NONE, SOURCE CLIENT(C_VM) NOT_LINKED},
    {"a_target_that_gives_no_port_is_137", TALK_NONE,
     SOURCE WORK CLIENT(C_VM) PORT "d close\n" NOT_LINKED},
    {"a_source_that_is_not_reached_is_137", TALK_NONE,
     WORK CLIENT(C_VM) PORT "d > EXEC(1 514)\n" NOT_LINKED "d end\n"},
    {"a_source_that_drops_us_is_137", TALK_NONE,
     SOURCE WORK CLIENT(C_VM) PORT "d > EXEC(1 514)\ns takes source\ns close\n" NOT_LINKED},
};

/* ---- dom0 to dom0 ---- */

#define LOCAL(options) CLIENT(options "'-d'z 'dom0'z 'DEFAULT:QUBESRPC test.Echo+x dom0'z")

/* There and back, again and again: by then its pipe is full; and a little room in it. */
#define ASKED     "in > 'a'\nerr < 'a'\n"
#define ASKED_4   ASKED ASKED ASKED ASKED
#define SOME_ROOM ASKED_4 ASKED_4 "out < b0*8192\n"

static const struct talk dom0s[] = {
    {"dom0s_service_runs_between_our_streams", TALK_NONE,
     SERVICE("echo \"$1\"; cat; exit 9") LOCAL("") "out < 'x~'\nin > 'in'\nout < 'in'\nin close\n"
                                                   "exit 9\nout all ''\n"},
    {"adminvm_is_dom0_for_dom0_too", TALK_NONE,
     SERVICE("exit 9") CLIENT("'-d'z '@adminvm'z 'DEFAULT:QUBESRPC test.Echo+x dom0'z") "exit 9\n"},
    {"the_zero_UUID_is_dom0", TALK_NONE,
     SERVICE("exit 9") CLIENT("'-d'z 'uuid:00000000-0000-0000-0000-000000000000'z "
                              "'DEFAULT:QUBESRPC test.Echo+x dom0'z") "exit 9\n"},
    {"dom0s_output_that_cannot_be_kept_is_no_success", TALK_NONE,
     SERVICE("echo x") "run client full '-d'z 'dom0'z 'DEFAULT:QUBESRPC test.Echo+x dom0'z\n"
                       "exit 125\nerr has 'No space'\n"},
    {"dom0s_output_that_nobody_wants_is_no_failure", TALK_NONE,
     SERVICE("sleep 0.2; echo x") LOCAL("") "out close\nexit 0\nerr all ''\n"},
    {"a_services_stderr_is_ours", TALK_NONE,
     SERVICE("echo oops >&2") LOCAL("") "exit 0\nerr all 'oops~'\n"},
    {"a_missing_service_of_dom0_is_127", TALK_NONE, LOCAL("") "exit 127\n"},
    {"a_socket_is_no_service_for_dom0", TALK_NONE,
     "svc listens /etc/qubes-rpc/test.Echo\n" LOCAL("") "exit 125\nerr has 'only executables'\n"},
    {"a_signal_is_128_and_its_number_for_dom0", TALK_NONE,
     SERVICE("kill -9 $$") LOCAL("") "exit 137\n"},
    {"E_is_0_for_dom0", TALK_NONE, SERVICE("exit 9") LOCAL("'-E'z ") "exit 0\n"},
    {"E_is_0_also_where_dom0_has_no_such_service", TALK_NONE,
     LOCAL("'-E'z ") "exit 0\nerr has 'test.Echo'\n" LOCAL("'-e'z '-E'z ") "exit 0\n"},
    {"E_is_0_also_where_dom0s_service_does_not_start", TALK_NONE,
     "script /etc/qubes-rpc/test.Echo '#!/no/such/thing~'\n" LOCAL("'-E'z ") "exit 0\n"},
    {"e_only_starts_it", TALK_NONE,
     SERVICE("sleep 0.1; touch $QREXEC_ROOT/done; exit 9") LOCAL("'-e'z ") "exit 0\nthere /done\n"},
    {"e_tells_of_a_missing_service", TALK_NONE, LOCAL("'-e'z ") "exit 127\n"},
    {"t_filters_dom0s_service", TALK_NONE,
     SERVICE("printf \"a\\033b\"") LOCAL("'-t'z ") "exit 0\nout all 'a_b'\n"},
    {"T_filters_the_stderr_of_dom0s_service", TALK_NONE,
     SERVICE("printf \"a\\033b\" >&2; printf \"c\\033d\"; exit 3")
         LOCAL("'-T'z ") "exit 3\nout all 'c' b27 'd'\nerr all 'a_b'\n"},
    {"T_does_not_swallow_why_a_service_did_not_start", TALK_NONE,
     "script /etc/qubes-rpc/test.Echo '#!/no/such/thing~'\n" LOCAL(
         "'-T'z ") "exit 125\nerr has 'test.Echo'\n"},
    {"a_long_prefix_goes_out_whole_in_dom0", TALK_NONE,
     SERVICE("wc -c") CLIENT("'-p'z ['x'*69000]z '-d'z 'dom0'z 'DEFAULT:QUBESRPC test.Echo+x "
                             "dom0'z") "in close\nexit 0\nout all '69000~'\n"},
    {"a_prefix_counts_also_when_stdin_has_ended_in_dom0", TALK_NONE,
     SERVICE("cat") LOCAL("'-p'z 'first'z ") "in close\nexit 0\nout all 'first'\n"},
    {"a_stdin_that_is_no_socket_is_usage_in_dom0", TALK_NONE,
     SERVICE("cat") LOCAL("'--use-stdin-socket'z ") "exit 2\nerr has 'socket'\n"},
    {"who_holds_the_output_of_dom0s_service_keeps_it_open", TALK_NONE,
     SERVICE("(sleep 0.1; echo late) & exit 3") LOCAL("") "exit 3\nout all 'late~'\n"},
    {"p_goes_out_first_in_dom0", TALK_NONE,
     SERVICE("cat")
         LOCAL("'-p'z 'first'z ") "in > 'then'\nin close\nexit 0\nout all 'firstthen'\n"},
    {"a_stdin_socket_is_both_directions_in_dom0", TALK_NONE,
     SERVICE("cat") "run client sock '--use-stdin-socket'z '-d'z 'dom0'z "
                    "'DEFAULT:QUBESRPC test.Echo+x dom0'z\nsock > 'in'\nsock < 'in'\nsock "
                    "shut\nsock end\nexit 0\n"
                    "out all ''\n"},
    {"a_service_of_dom0_goes_on_after_its_input_ended", TALK_NONE,
     SERVICE("cat; echo still") LOCAL("") "in close\nexit 0\nout all 'still~'\n"},
    {"a_service_of_dom0_may_end_before_its_input", TALK_NONE,
     SERVICE("echo out; exit 3") LOCAL("") "exit 3\nout all 'out~'\n"},
    {"a_service_of_dom0_may_end_its_output_first", TALK_NONE,
     SERVICE("exec >&-; cat >$QREXEC_ROOT/got; exit 3") LOCAL("") "in > 'late'\nin close\n"
                                                                  "exit 3\nholds /got 'late'\n"},
    {"a_slow_reader_of_dom0s_service_holds_up_its_output_alone", TALK_NONE,
     SERVICE("head -c 1000000 /dev/zero & cat >&2; exit 3")
         LOCAL("'-T'z ") "out < b0\n" SOME_ROOM SOME_ROOM SOME_ROOM SOME_ROOM ASKED_4
                         "in close\nout close\nexit 3\n"},
    {"a_reader_of_dom0s_service_that_leaves_does_not_hide_its_code", TALK_NONE,
     SERVICE("cat >/dev/null; exit 3") LOCAL("") "out close\nin close\nexit 3\n"},
};

/* ---- Usage ---- */

static const struct {
    const char *name, *words;
} usages[] = {
    {"no_words", ""},
    {"no_target", "'user:x'z"},
    {"no_command", "'-d'z 'work'z"},
    {"two_commands", "'-d'z 'work'z 'user:x'z 'more'z"},
    {"an_empty_target", "'-d'z b0 'user:x'z"},
    {"a_target_that_is_a_path", "'-d'z '../work'z 'user:x'z"},
    {"an_unknown_option", "'--nothing'z '-d'z 'work'z 'user:x'z"},
    {"an_option_without_its_value", "'-d'z"},
    {"e_with_l", "'-e'z '-l'z 'x'z '-d'z 'work'z 'user:x'z"},
    {"e_with_c", "'-e'z '-c'z 'A,b,1'z '-d'z 'work'z 'user:x'z"},
    {"l_with_c", "'-l'z 'x'z '-c'z 'A,b,1'z '-d'z 'work'z 'user:x'z"},
    {"W_without_c", "'-W'z '-d'z 'work'z 'user:x'z"},
    {"k_with_c", "'-k'z '-c'z 'A,b,1'z '-d'z 'work'z 'user:x'z"},
    {"a_request_of_dom0", "'-c'z 'A,b,0'z '-d'z 'work'z 'user:x'z"},
    {"a_request_of_a_negative_domain", "'-c'z 'A,b,-1'z '-d'z 'work'z 'user:x'z"},
    {"a_request_without_a_domain", "'-c'z 'A,b'z '-d'z 'work'z 'user:x'z"},
    {"a_request_with_a_word_more", "'-c'z 'A,b,1,2'z '-d'z 'work'z 'user:x'z"},
    {"a_request_without_a_name", "'-c'z 'A,,1'z '-d'z 'work'z 'user:x'z"},
    {"a_request_with_a_bad_ident", "'-c'z 'A;,b,1'z '-d'z 'work'z 'user:x'z"},
    {"a_request_with_an_ident_of_32_bytes", "'-c'z ['A'*32 ',b,1']z '-d'z 'work'z 'user:x'z"},
    {"seconds_that_are_no_number", "'-w'z '1.5'z '-d'z 'work'z 'user:x'z"},
    {"negative_seconds", "'-w'z '-1'z '-d'z 'work'z 'user:x'z"},
    {"no_seconds", "'-w'z b0 '-d'z 'work'z 'user:x'z"},
    {"a_stdin_socket_with_l", "sock '--use-stdin-socket'z '-l'z 'x'z '-d'z 'work'z 'user:x'z"},
    {"a_shell_command_for_dom0", "'-d'z 'dom0'z 'root:ls'z"},
    {"a_service_for_dom0_without_DEFAULT", "'-d'z 'dom0'z 'QUBESRPC test.Echo+ dom0'z"},
    {"a_service_for_dom0_as_another_user", "'-d'z 'dom0'z 'root:QUBESRPC test.Echo+ dom0'z"},
    {"a_local_command_for_dom0", "'-l'z 'x'z '-d'z 'dom0'z 'DEFAULT:QUBESRPC a+ dom0'z"},
};

static void add_usages(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(usages); i++)
        talk_add(
            format_new("%s_is_usage", usages[i].name), TALK_NONE,
            format_new(WORK CLIENT("%s") "exit 2\nout all ''\nerr has 'usage: qrexec-client'\n",
                       usages[i].words));
    talk_add("help_is_no_error", TALK_NONE,
             CLIENT("'--help'z") "exit 0\nout has 'usage: qrexec-client'\n");
    talk_add("not_even_a_name_of_its_own_is_no_crash", TALK_NONE, CLIENT("nothing") "exit 2\n");
}

/* ---- force-user ---- */

#define FORCED(user, text)                                                                         \
    "dir /etc/qubes/rpc-config\n"                                                                  \
    "file /etc/qubes/rpc-config/test.Echo 'force-user = ' b39 '" user "' b39 b10\n" SERVICE(text)

static const struct talk forced[] = {
    {"an_unknown_forced_user_is_125_in_dom0", TALK_NONE,
     FORCED("no-such-user", "echo ran") LOCAL("") "exit 125\nout all ''\nerr has 'unknown'\n"},
    {"an_unknown_forced_user_is_125_for_a_VM_too", TALK_NONE,
     SOURCE SERVER FORCED("no-such-user", "echo ran") CLIENT(C ECHO) GIVES CALLER
     "v < STDOUT() STDERR() EXIT(125)\nv end\nexit 125\nerr has 'unknown'\n"},
};

/* Whom a service may run as depends on who we are. */
static void add_forced(void)
{
    static const struct talk root[] = {
        {"a_service_of_dom0_runs_as_its_forced_user", TALK_NONE,
         "mode 0711 /\n" FORCED("nobody", "id -un; id -G; echo $USER; exit 3")
             LOCAL("") "exit 3\nout all 'nobody~65534~nobody~'\n"},
        {"a_service_that_is_forced_to_be_roots_runs", TALK_NONE,
         FORCED("root", "id -un") LOCAL("") "exit 0\nout all 'root~'\n"},
    };

    talk_add_all(forced, ARRAY_SIZE(forced));
    if (geteuid() == 0)
        talk_add_all(root, ARRAY_SIZE(root));
    else
        talk_add("only_root_runs_a_service_of_dom0_as_another_user", TALK_NONE,
                 FORCED("root", "echo ran")
                     LOCAL("") "exit 125\nout all ''\nerr has 'only root'\n");
}

int main(void)
{
    talk_add_all(links, ARRAY_SIZE(links));
    talk_add_all(ends, ARRAY_SIZE(ends));
    add_orders();
    add_cuts();
    talk_add_all(relays, ARRAY_SIZE(relays));
    talk_add_all(dom0s, ARRAY_SIZE(dom0s));
    add_forced();
    add_usages();
    return talks_run();
}
