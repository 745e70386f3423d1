/*
 * qrexec-client-vm and its agent, played by the row: options, the trigger, the answer; the local
 * program, terminals, prefixes and sockets. Its data connection is in data-caller-talks-test.c.
 */
#include "tests/talk/vm-talk.h"

#define RUN(words) "l listens agent\nrun " words "\na takes l\n"
#define ASKS(source, target, service)                                                              \
    "a < TRIGGER4(" source "/64 " target "/64 'SOCKET'/32 " service "z)\n"
#define WORK    ASKS("''", "'work'", "'test.Call'")
#define REFUSED "a close\nexit 126\nout all ''\nerr all 'Request refused~'\n"
#define HELLOS  "p > HELLO(4)\np < HELLO(4)\n"
#define UP      "a > 7 514\np dials vchan.1.7.514.sock\n" HELLOS
#define DONE    "p > STDOUT() STDERR() EXIT(0)\n"
#define OVER    "p < STDIN()\np end\na end\n"

static const struct talk answers[] = {
    {"a_call_is_a_trigger_of_4", RUN("work test.Call") WORK REFUSED},
    {"an_argument_goes_with_the_service",
     RUN("work test.Call+a+b") ASKS("''", "'work'", "'test.Call+a+b'") REFUSED},
    {"a_dollar_in_the_target_is_an_at",
     RUN("$dispvm:$x test.Call") ASKS("''", "'@dispvm:@x'", "'test.Call'") REFUSED},
    {"a_dollar_in_the_service_stays",
     RUN("work test.Call+$x") ASKS("''", "'work'", "'test.Call+$x'") REFUSED},
    {"an_empty_target_is_the_policys_to_judge",
     RUN("'' test.Call") ASKS("''", "''", "'test.Call'") REFUSED},
    {"a_target_of_63_bytes_goes_whole",
     RUN("ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt test.Call")
         ASKS("''", "['t'*63]", "'test.Call'") REFUSED},
    {"a_longer_target_is_cut_at_63",
     RUN("tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttuu test.Call")
         ASKS("''", "['t'*63]", "'test.Call'") REFUSED},
    {"a_source_goes_with_s",
     RUN("-s other work test.Call") ASKS("'other'", "'work'", "'test.Call'") REFUSED},
    {"a_source_goes_with_source_qube",
     RUN("--source-qube=other work test.Call") ASKS("'other'", "'work'", "'test.Call'") REFUSED},
    {"a_longer_source_is_cut_at_63",
     RUN("-s sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssuu work test.Call")
         ASKS("['s'*63]", "'work'", "'test.Call'") REFUSED},
    {"options_end_at_two_dashes",
     RUN("-- -work -test.Call") ASKS("''", "'-work'", "'-test.Call'") REFUSED},
    {"an_answer_cut_at_each_byte_is_a_refusal",
     "cuts 7 514\n" RUN("work test.Call") WORK "a says\n" REFUSED},
    {"an_answer_may_come_byte_by_byte", RUN("work test.Call") WORK
     "a drips 7 514\np dials vchan.1.7.514.sock\n" HELLOS DONE OVER "exit 0\nin close\n"},
    {"any_domain_and_port_will_do", RUN("work test.Call") WORK
     "a > 65535 4294967295\np dials vchan.1.65535.4294967295.sock\n" HELLOS DONE OVER
     "exit 0\nin close\n"},
    {"an_agent_that_ends_after_the_answer_costs_nothing", RUN("work test.Call") WORK UP
     "a close\np > STDOUT('a')\nout < 'a'\n" DONE "p < STDIN()\np end\nexit 0\n"},
    {"an_agent_that_says_gone_ends_the_call",
     RUN("work test.Call") WORK UP "p > STDOUT('last words')\nout < 'last words'\na > 7 0\na end\n"
                                   "exit 255\nerr has 'gone'\np end\n"},
    {"an_agent_that_says_gone_at_once_ends_the_wait",
     RUN("work test.Call") WORK "a > 7 514 7 0\na end\nexit 1\nerr has 'gone'\n"},
    {"a_killed_client_closes_both",
     RUN("work test.Call") WORK UP "kill 15\na end\np end\nexit 143\n"},
};

static const struct talk usage[] = {
    {"no_words_are_usage", "run bare\nexit 2\nerr has 'usage'\n"},
    {"no_name_of_its_own_is_usage", "run nothing\nexit 2\nerr has 'usage'\n"},
    {"one_word_is_usage", "run work\nexit 2\nerr has 'usage'\n"},
    {"an_empty_service_is_usage", "run work ''\nexit 2\n"},
    {"an_unknown_option_is_usage", "run --nothing work test.Call\nexit 2\n"},
    {"an_option_without_its_word_is_usage", "run -p\nexit 2\n"},
    {"a_buffer_size_of_0_is_usage", "run --buffer-size=0 work test.Call\nexit 2\n"},
    {"a_buffer_size_below_0_is_usage", "run --buffer-size=-1 work test.Call\nexit 2\n"},
    {"a_buffer_size_with_a_letter_is_usage", "run --buffer-size=1k work test.Call\nexit 2\n"},
    {"a_buffer_size_over_4_GiB_is_usage", "run --buffer-size=4294967296 work test.Call\nexit 2\n"},
    {"a_buffer_size_of_1_is_fine", RUN("--buffer-size=1 work test.Call") WORK REFUSED},
    {"a_buffer_size_of_1_MiB_is_fine",
     RUN("--buffer-size=1048576 work test.Call") WORK UP DONE OVER "exit 0\nin close\n"},
    {"stdin_that_is_no_socket_is_usage", "run --use-stdin-socket work test.Call\nexit 2\n"},
    {"a_socket_and_a_program_are_usage",
     "run sock --use-stdin-socket work test.Call /bin/true\nexit 2\n"},
    {"no_agent_is_1", "run work test.Call\nexit 1\nerr has '^D/agent'\n"},
    {"an_agent_that_is_no_socket_is_1",
     "file agent ''\nrun work test.Call\nexit 1\nremove agent\n"},
    {"a_program_that_is_not_there_is_127", "run work test.Call /nonexistent/x\nexit 127\n"},
    {"a_program_is_not_searched_for", "run work test.Call true\nexit 127\n"},
    {"help_is_no_failure", "run --help\nexit 0\nout has 'usage'\n"},
};

/* All bytes, and what is left of them on a terminal. */
#define ALL      "b0..255"
#define FILTERED "'_'*7 b7 b8 b9 b10 '__' b13 '_'*18 b32..126 '_'*129"

static const struct talk streams[] = {
    {"all_bytes_pass_where_no_terminal_is",
     RUN("work test.Call") WORK UP "p > STDOUT(" ALL ") STDERR(" ALL ")\nout < " ALL "\nerr < " ALL
                                   "\n" DONE OVER "exit 0\nin close\n"},
    {"t_filters_stdout",
     RUN("-t work test.Call") WORK UP "p > STDOUT(" ALL ") STDERR(" ALL ")\nout < " FILTERED
                                      "\nerr < " ALL "\n" DONE OVER "exit 0\nin close\n"},
    {"T_filters_stderr",
     RUN("-T work test.Call") WORK UP "p > STDOUT(" ALL ") STDERR(" ALL ")\nout < " ALL
                                      "\nerr < " FILTERED "\n" DONE OVER "exit 0\nin close\n"},
    {"a_terminal_is_filtered",
     "l listens agent\nrun tty work test.Call\na takes l\n" WORK UP "p > STDOUT(" ALL
     ")\ntty < " FILTERED "\np > STDERR(" ALL ")\ntty < " FILTERED "\n" DONE OVER "exit 0\n"
     "tty close\n"},
    {"a_terminal_is_not_filtered_where_told_so",
     "l listens agent\nrun tty --no-filter-escape-chars-stdout --no-filter-escape-chars-stderr "
     "work test.Call\na takes l\n" WORK UP "p > STDOUT(" ALL ")\ntty < " ALL "\np > STDERR(" ALL
     ")\ntty < " ALL "\n" DONE OVER "exit 0\ntty close\n"},
    {"input_is_not_filtered", RUN("-t -T work test.Call") WORK UP
     "in > " ALL "\np < STDIN(" ALL ")\nin close\np < STDIN()\n" DONE "p end\na end\nexit 0\n"},
    {"a_prefix_goes_before_input", RUN("-p prefix work test.Call") WORK UP
     "p < STDIN('prefix')\nin > 'data'\np < STDIN('data')\n"
     "in close\np < STDIN()\n" DONE "p end\na end\nexit 0\n"},
    {"a_prefix_goes_without_input", RUN("--prefix-data=prefix work test.Call") WORK
     "in close\n" UP "p < STDIN('prefix') STDIN()\n" DONE "p end\na end\nexit 0\n"},
    {"a_prefix_is_cut_into_chunks_in_protocol_2",
     "l listens agent\nrun -p '"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "' work test.Call\na takes l\n" WORK "a > 7 514\np dials vchan.1.7.514.sock\np > HELLO(2)\n"
     "p < HELLO(4) STDIN('0123456789abcdef'*4)\nin > 'a'*4097\np < STDIN('a'*4096) "
     "STDIN('a')\n" DONE OVER "exit 0\nin close\n"},
    {"an_empty_prefix_is_nothing", RUN("-p '' work test.Call") WORK UP
     "in > 'x'\np < STDIN('x')\n" DONE OVER "exit 0\nin close\n"},
    {"a_socket_is_for_both_ways",
     "l listens agent\nrun sock --use-stdin-socket work test.Call\na takes l\n" WORK UP
     "sock > 'ping'\np < STDIN('ping')\np > STDOUT('pong')\nsock < 'pong'\nsock shut\n"
     "p < STDIN()\np > STDOUT()\nsock half\np > STDERR() EXIT(4)\np end\na end\nexit 4\n"},
    {"a_socket_goes_on_writing_when_the_service_has_ended_its_output",
     "l listens agent\nrun sock --use-stdin-socket work test.Call\na takes l\n" WORK UP
     "p > STDOUT()\nsock half\nsock > 'more'\np < STDIN('more')\nsock shut\np < STDIN()\n"
     "p > STDERR() EXIT(0)\np end\na end\nexit 0\n"},
};

#define PROGRAM(script) RUN("work test.Call /bin/sh -c '" script "'") WORK UP

static const struct talk programs[] = {
    {"a_program_stands_for_the_streams",
     PROGRAM("read x; echo got $x") "p > STDOUT('line~')\np < STDIN('got line~') STDIN()\n" DONE
                                    "p end\na end\nexit 0\nin close\n"},
    {"its_code_counts_when_the_remote_one_is_0",
     PROGRAM("exit 3") "p < STDIN()\n" DONE "p end\na end\nexit 3\nin close\n"},
    {"the_remote_code_counts_first",
     PROGRAM("exit 3") "p < STDIN()\np > STDOUT() STDERR() EXIT(5)\np end\na end\nexit "
                       "5\nin close\n"},
    {"its_signal_is_128_and_that",
     PROGRAM("kill -9 $$") "p < STDIN()\n" DONE "p end\na end\nexit 137\nin close\n"},
    {"it_is_waited_for",
     PROGRAM("cat >/dev/null; sleep 0.1; exit 6") DONE "p < STDIN()\np end\na end\nexit 6\n"
                                                       "in close\n"},
    {"it_knows_the_callers_own_streams",
     PROGRAM("read x <&$SAVED_FD_0; echo saw $x >&$SAVED_FD_1; echo $SAVED_FD_2; echo err "
             ">&2") "in > 'mine~'\nout < 'saw mine~'\np < STDIN('~') STDIN()\nerr < "
                    "'err~'\n" DONE "p end\na end\nexit 0\nin close\n"},
    {"it_knows_the_callers_stderr_when_asked_for",
     "env PASS_LOCAL_STDERR=1\n" PROGRAM(
         "echo own >&$SAVED_FD_2") "env PASS_LOCAL_STDERR=\n"
                                   "err < 'own~'\np < STDIN()\n" DONE
                                   "p end\na end\nexit 0\nin close\n"},
    {"it_has_these_descriptors_alone",
     PROGRAM("exec ls /proc/self/fd") "p < STDIN('0~1~2~3~4~5~') STDIN()\n" DONE
                                      "p end\na end\nexit 0\nin close\n"},
    {"it_knows_whom_to_send_SIGUSR1",
     PROGRAM("echo one; kill -USR1 $QREXEC_AGENT_PID; echo "
             "two >&0") "p < STDIN('one~')\n"
                        "p < STDIN('two~') STDIN()\n" DONE "p end\na end\nexit 0\nin close\n"},
    {"it_does_not_start_when_refused",
     RUN("work test.Call /bin/sh -c 'touch ^D/made'") WORK REFUSED "gone made\n"},
    {"its_words_are_its_own",
     RUN("work test.Call /bin/sh -c 'echo \"$@\"' sh -t '*' --help") WORK UP
     "p < STDIN('-t * --help~') STDIN()\n" DONE "p end\na end\nexit 0\nin close\n"},
    {"bytes_to_it_are_not_filtered_on_a_terminal",
     "l listens agent\nrun tty work test.Call /bin/sh -c 'exec cat >&0'\na takes l\n" WORK UP
     "p > STDOUT(b0..255) STDOUT()\np < STDIN()\n" DONE "p end\na end\nexit 0\ntty close\n"},
};

int main(void)
{
    talk_add_all(answers, ARRAY_SIZE(answers));
    talk_add_all(usage, ARRAY_SIZE(usage));
    talk_add_all(streams, ARRAY_SIZE(streams));
    talk_add_all(programs, ARRAY_SIZE(programs));
    return talks_run(TALK_CLIENT);
}
