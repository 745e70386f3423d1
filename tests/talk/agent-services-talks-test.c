/*
 * What qrexec-agent makes of a command line: the words, where the service is, its settings, its
 * environment and descriptors, sockets and TCP, the fork server of a user.
 */
#include "tests/talk/vm-talk.h"

#define CALL(line)  "call x 600 '^U:" line "'\n"
#define FAILS(code) "x < STDOUT() STDERR() EXIT(" code ")\nx end\nover 600\n"
#define GIVES(out)  "result x 0 " out "\nover 600\n"
#define OK          "script services/test.Ok 'echo ok'\n"
#define RUNS        GIVES("'ok~'")

static const struct talk lines[] = {
    {"a_line_without_a_colon_is_125", "call x 600 'true'\n" FAILS("125")},
    {"an_empty_line_is_125", "call x 600 ''\n" FAILS("125")},
    {"an_empty_user_is_125", "call x 600 ':true'\n" FAILS("125")},
    {"an_unknown_user_is_125", "call x 600 'no-such-user:true'\n" FAILS("125")},
    {"a_user_of_1000_bytes_is_125", "call x 600 'u'*1000 ':true'\n" FAILS("125")},
    {"DEFAULT_is_for_the_daemon_to_replace", "call x 600 'DEFAULT:true'\n" FAILS("125")},
    {"QUBESRPC_alone_is_125", CALL("QUBESRPC") FAILS("125")},
    {"QUBESRPC_and_a_blank_is_125", CALL("QUBESRPC ") FAILS("125")},
    {"QUBESRPC_and_a_letter_is_125", CALL("QUBESRPCx test.Ok+ email") FAILS("125")},
    {"QUBESRPC_and_a_tab_is_125", "call x 600 '^U:QUBESRPC' b9 'test.Ok+ email'\n" FAILS("125")},
    {"two_blanks_before_the_service_is_125", OK CALL("QUBESRPC  test.Ok+ email") FAILS("125")},
    {"two_blanks_before_the_source_is_125", OK CALL("QUBESRPC test.Ok+  email") FAILS("125")},
    {"a_blank_at_the_end_is_125", OK CALL("QUBESRPC test.Ok+ email ") FAILS("125")},
    {"an_empty_service_is_125", CALL("QUBESRPC + email") FAILS("125")},
    {"an_argument_alone_is_125", CALL("QUBESRPC +x email") FAILS("125")},
    {"a_missing_source_is_125", OK CALL("QUBESRPC test.Ok+") FAILS("125")},
    {"a_missing_source_behind_a_blank_is_125", OK CALL("QUBESRPC test.Ok+ ") FAILS("125")},
    {"a_service_of_255_bytes_is_looked_for",
     "call x 600 '^U:QUBESRPC ' 's'*255 '+ email'\n" FAILS("127")},
    {"a_service_of_256_bytes_is_125", "call x 600 '^U:QUBESRPC ' 's'*256 '+ email'\n" FAILS("125")},
    {"an_argument_of_60000_bytes_arrives",
     "script services/test.Len 'echo ${#1}'\n"
     "call x 600 '^U:QUBESRPC test.Len+' 'a'*60000 ' email'\n" GIVES("'60000~'")},
    {"three_words_for_a_program_is_125", OK CALL("QUBESRPC test.Ok+ email name") FAILS("125")},
    {"four_words_for_a_program_are_fine", OK CALL("QUBESRPC test.Ok+ email name work") RUNS},
    {"five_words_for_a_program_is_125",
     OK CALL("QUBESRPC test.Ok+ email name work x") FAILS("125")},
    {"nogui_is_taken_off", OK CALL("nogui:QUBESRPC test.Ok+ email") RUNS},
    {"nogui_twice_is_a_command", CALL("nogui:nogui:true 2>/dev/null") "result x 127\nover 600\n"},
    {"a_colon_in_a_command_is_its_own", CALL("echo a:b") GIVES("'a:b~'")},
    {"a_command_is_for_the_shell",
     CALL("echo $((6*7)); cat") "x > STDIN('in') STDIN()\n" GIVES("'42~in'")},
    {"a_service_with_a_slash_is_125", CALL("QUBESRPC ../services/test.Ok+ email") FAILS("125")},
    {"a_dot_as_a_service_is_not_run", CALL("QUBESRPC .+ email") FAILS("125")},
    {"a_slash_in_an_argument_is_the_services", OK CALL("QUBESRPC test.Ok+../x email") RUNS},
};

static const struct talk finding[] = {
    {"nothing_there_is_127", CALL("QUBESRPC test.None+ email") FAILS("127")},
    {"the_first_directory_wins",
     "script services/test.A 'echo 1'\nscript services2/test.A 'echo 2'\n" CALL(
         "QUBESRPC test.A+ email") GIVES("'1~'")},
    {"the_second_directory_is_looked_in",
     "script services2/test.A 'echo 2'\n" CALL("QUBESRPC test.A+ email") GIVES("'2~'")},
    {"with_its_argument_in_the_second_wins_over_without_in_the_first",
     "script services/test.A 'echo 1'\nscript services2/test.A+x 'echo 2'\n" CALL(
         "QUBESRPC test.A+x email") GIVES("'2~'")},
    {"another_argument_gets_the_general_one",
     "script services/test.A 'echo 1'\nscript services2/test.A+x 'echo 2'\n" CALL(
         "QUBESRPC test.A+y email") GIVES("'1~'")},
    {"an_empty_argument_has_a_file_of_its_own",
     "script services/test.A 'echo 1'\nscript services2/test.A+ 'echo 2'\n" CALL(
         "QUBESRPC test.A+ email") GIVES("'2~'")},
    {"no_argument_is_looked_for_as_an_empty_one",
     "script services/test.A 'echo 1'\nscript services2/test.A+ 'echo 2'\n" CALL(
         "QUBESRPC test.A email") GIVES("'2~'")},
    {"a_name_over_255_with_its_argument_is_looked_for_without",
     "script services/test.A 'echo ${#1}'\n"
     "call x 600 '^U:QUBESRPC test.A+' 'x'*249 ' email'\n" GIVES("'249~'")},
    {"a_name_of_255_with_its_argument_may_be_there",
     "call x 600 '^U:QUBESRPC test.A+' 'x'*248 ' email'\n" FAILS("127")},
    {"a_link_to_nothing_is_not_there",
     "link services/test.A nothing\nscript services2/test.A 'echo 2'\n" CALL(
         "QUBESRPC test.A+ email") GIVES("'2~'")},
    {"a_link_to_nothing_alone_is_127",
     "link services/test.A nothing\n" CALL("QUBESRPC test.A+ email") FAILS("127")},
    {"a_loop_is_125",
     "link services/test.A test.A\nscript services2/test.A 'echo 2'\n" CALL(
         "QUBESRPC test.A+ email") FAILS("125") "log 1 services/test.A: Too many\n"},
    {"a_loop_with_its_argument_is_125",
     "link services/test.A+x test.A+x\nscript services/test.A 'echo 1'\n" CALL(
         "QUBESRPC test.A+x email") FAILS("125")},
    {"a_path_through_a_file_is_125",
     "file services/no-dir ''\nlink services/test.A no-dir/x\n" CALL("QUBESRPC test.A+ email")
         FAILS("125")},
    {"a_link_to_a_program_is_followed",
     "script services2/test.B 'echo b'\n"
     "link services/test.A ../services2/test.B\n" CALL("QUBESRPC test.A+ email") GIVES("'b~'")},
    {"a_file_that_is_not_executable_is_125",
     "file services/test.A 'x'\nscript services2/test.A 'echo 2'\n" CALL("QUBESRPC test.A+ email")
         FAILS("125") "log 1 neither executable nor a socket\n"},
    {"a_directory_is_125", "dir services/test.A\n" CALL("QUBESRPC test.A+ email") FAILS("125")},
    {"an_executable_without_an_interpreter_line_is_for_the_shell",
     "file services/test.A 'echo plain'\nmode services/test.A 755\n" CALL("QUBESRPC test.A+ email")
         GIVES("'plain~'")},
};

#define SET(text)       "file config/test.Ok '" text "'\n" OK CALL("QUBESRPC test.Ok+ email")
#define BAD(text, line) SET(text) FAILS("125") "log 1 config/test.Ok:" line ":\n"
#define GOOD(text)      SET(text) RUNS

static const struct talk settings[] = {
    {"an_empty_file_of_settings_is_fine", GOOD("")},
    {"comments_and_empty_lines_are_fine", GOOD("# one~~#two~wait-for-session=false # three~")},
    {"a_line_without_a_newline_at_the_end_is_fine", GOOD("wait-for-session = false")},
    {"blanks_around_the_equals_sign_are_fine", GOOD("exit-on-client-eof   =   true~")},
    {"wait_for_session_may_be_0", GOOD("wait-for-session = 0~")},
    {"an_unknown_key_is_logged_and_ignored",
     GOOD("some-key = 12~other = true~") "log config/test.Ok:1: unknown key\n"
                                         "log config/test.Ok:2: unknown key\n"},
    {"settings_of_sockets_are_ignored_for_a_program_with_a_warning",
     GOOD("skip-service-descriptor = true~") "log settings for sockets are ignored\n"},
    {"settings_in_the_first_directory_win",
     "file config/test.Ok 'wait-for-session = false~'\nfile config2/test.Ok 'bad~'\n" OK CALL(
         "QUBESRPC test.Ok+ email") RUNS},
    {"settings_for_the_argument_win",
     "file config/test.Ok 'bad~'\nfile config2/test.Ok+a ''\n" OK CALL("QUBESRPC test.Ok+a email")
         RUNS},
    {"settings_for_another_argument_do_not_count",
     "file config/test.Ok+b 'bad~'\n" OK CALL("QUBESRPC test.Ok+a email") RUNS},
    {"settings_are_not_merged",
     "file config/test.Ok 'bad~'\nfile config/test.Ok+a '# all~'\n" OK CALL(
         "QUBESRPC test.Ok+a email") RUNS},
    {"settings_do_not_matter_to_commands", "file config/true 'bad~'\n" CALL("true") GIVES("")},
    {"a_bad_boolean_is_125", BAD("wait-for-session = maybe~", "1")},
    {"True_is_no_boolean", BAD("wait-for-session = True~", "1")},
    {"wait_for_session_2_is_125", BAD("wait-for-session = 2~", "1")},
    {"exit_on_client_eof_1_is_125", BAD("exit-on-client-eof = 1~", "1")},
    {"a_number_with_a_leading_zero_is_125", BAD("# x~wait-for-session = 01~", "2")},
    {"a_key_twice_is_125", BAD("wait-for-session = false~wait-for-session = false~", "2")},
    {"a_section_is_125", BAD("[all]~wait-for-session = false~", "1")},
    {"double_quotes_are_125",
     "file config/test.Ok 'force-user = \"root\"~'\n" OK CALL("QUBESRPC test.Ok+ email")
         FAILS("125") "log 1 config/test.Ok:1:\n"},
    {"a_key_behind_a_blank_is_125", BAD(" wait-for-session = false~", "1")},
    {"a_line_of_blanks_is_125", BAD("~ ~", "2")},
    {"a_key_without_a_value_is_125", BAD("wait-for-session =~", "1")},
    {"a_key_alone_is_125", BAD("wait-for-session~", "1")},
    {"something_behind_the_value_is_125", BAD("wait-for-session = true false~", "1")},
    {"a_CR_before_the_newline_is_fine",
     "file config/test.Ok 'wait-for-session = false' b13 b10\n" OK CALL("QUBESRPC test.Ok+ email")
         RUNS},
    {"a_NUL_is_125", "file config/test.Ok '# x~# ' b0 b10\n" OK CALL("QUBESRPC test.Ok+ email")
                         FAILS("125") "log 1 config/test.Ok:2:\n"},
    {"an_unclosed_quote_is_125",
     "file config/test.Ok 'force-user = ' b39 'root' b10\n" OK CALL("QUBESRPC test.Ok+ email")
         FAILS("125") "log 1 config/test.Ok:1:\n"},
    {"force_user_nobody_knows_is_125",
     "file config/test.Ok 'force-user = ' b39 'no-such-user' b39 b10\n" OK CALL(
         "QUBESRPC test.Ok+ email") FAILS("125")},
    {"force_user_wins_over_the_calls_user",
     "file config/test.Ok 'force-user = ' b39 '^U' b39 b10\n" OK
     "call x 600 'no-such-user:QUBESRPC test.Ok+ email'\n" RUNS},
    {"force_user_and_a_setting_of_sockets_is_125",
     "file config/test.Ok 'force-user = ' b39 '^U' b39 b10 'exit-on-client-eof = true~'\n" OK CALL(
         "QUBESRPC test.Ok+ email") FAILS("125")},
    {"settings_that_are_a_directory_are_125_at_once",
     "dir config/test.Ok\n" OK "quick 100\n" CALL("QUBESRPC test.Ok+ email")
         FAILS("125") "log config/test.Ok: Is a directory\n"},
    {"settings_that_are_a_loop_are_125_at_once",
     "link config/test.Ok test.Ok\n" OK "quick 100\n" CALL("QUBESRPC test.Ok+ email")
         FAILS("125") "log config/test.Ok: Too many levels\n"},
    {"broken_settings_are_125_at_once",
     "file config/test.Ok '# x~wait-for-session = maybe~'\n" OK
     "quick 100\n" CALL("QUBESRPC test.Ok+ email") FAILS("125") "log config/test.Ok:2:\n"},
    {"a_link_to_no_settings_is_no_settings",
     "link config/test.Ok nothing\n" OK CALL("QUBESRPC test.Ok+ email") RUNS},
    {"a_session_is_waited_for_first",
     "file config/test.Ok 'wait-for-session = true~'\n" OK
     "script services/qubes.WaitForSession 'cat >^D/waited; echo $QREXEC_REMOTE_DOMAIN "
     ">>^D/waited; exit 9'\n" CALL("QUBESRPC test.Ok+ email") RUNS
     "holds waited '^U~email~'\nremove waited\n"},
    {"a_session_that_has_much_to_say_is_waited_for",
     "file config/test.Ok 'wait-for-session = true~'\n" OK
     "script services/qubes.WaitForSession 'head -c 300000 /dev/zero; head -c 300000 /dev/zero "
     ">&2; touch ^D/waited'\n" CALL("QUBESRPC test.Ok+ email") RUNS "holds waited ''\n"
                                                                    "remove waited\n"},
    {"what_waits_is_an_executable",
     "file config/test.Ok 'wait-for-session = 1~'\n" OK
     "s listens services/qubes.WaitForSession\n" CALL("QUBESRPC test.Ok+ email") RUNS
     "log is no executable\nc takes s\nc < 'qubes.WaitForSession+ email'z\nc end\n"},
    {"no_service_that_waits_is_no_reason_to_fail",
     "file config/test.Ok 'wait-for-session = 1~'\n" OK CALL("QUBESRPC test.Ok+ email") RUNS
     "log cannot wait for the session\n"},
    {"nogui_overrides_wait_for_session",
     "file config/test.Ok 'wait-for-session = true~'\n" OK
     "script services/qubes.WaitForSession 'touch ^D/waited'\n" CALL(
         "nogui:QUBESRPC test.Ok+ email") RUNS "gone waited\n"},
};

#define ENV "script services/test.Env 'env | grep QREXEC_ | grep -v _PID | grep -v _PATH | sort'\n"
#define ARG                                                                                        \
    "script services/test.Arg 'printf \"%s|\" \"$#\" \"$@\" "                                      \
    "\"${QREXEC_SERVICE_ARGUMENT-none}\"'\n"

static const struct talk environment[] = {
    {"a_service_has_these_variables_and_no_other_of_ours",
     ENV CALL("QUBESRPC test.Env+a+b email") GIVES(
         "'QREXEC_REMOTE_DOMAIN=email~QREXEC_REQUESTED_TARGET_TYPE=~QREXEC_SERVICE_ARGUMENT=a+b~"
         "QREXEC_SERVICE_FULL_NAME=test.Env+a+b~'")},
    {"an_empty_argument_is_set",
     ENV CALL("QUBESRPC test.Env+ email")
         GIVES("'QREXEC_REMOTE_DOMAIN=email~QREXEC_REQUESTED_TARGET_TYPE=~QREXEC_SERVICE_ARGUMENT=~"
               "QREXEC_SERVICE_FULL_NAME=test.Env+~'")},
    {"no_argument_is_unset", ENV CALL("QUBESRPC test.Env email")
                                 GIVES("'QREXEC_REMOTE_DOMAIN=email~QREXEC_REQUESTED_TARGET_TYPE=~"
                                       "QREXEC_SERVICE_FULL_NAME=test.Env~'")},
    {"the_type_of_the_target_is_empty_in_a_VM",
     ENV CALL("QUBESRPC test.Env+a email keyword adminvm") GIVES(
         "'QREXEC_REMOTE_DOMAIN=email~QREXEC_REQUESTED_TARGET_TYPE=~QREXEC_SERVICE_ARGUMENT=a~"
         "QREXEC_SERVICE_FULL_NAME=test.Env+a~'")},
    {"a_command_has_none_of_them",
     CALL("env | grep QREXEC_ | grep -v _PID | grep -v _PATH; true") GIVES("")},
    {"a_session_has_its_user",
     CALL("echo $USER $LOGNAME; [ $HOME = $PWD ] && echo home; "
          "[ -n \"$SHELL\" ] && echo shell") GIVES("'^U ^U~home~shell~'")},
    {"the_pid_is_that_of_who_carries_the_data",
     CALL("[ $QREXEC_AGENT_PID = $PPID ] && echo mine") GIVES("'mine~'")},
    {"an_argument_is_the_first_parameter",
     ARG CALL("QUBESRPC test.Arg+a+b email") GIVES("'1|a+b|a+b|'")},
    {"an_empty_one_is_no_parameter", ARG CALL("QUBESRPC test.Arg+ email") GIVES("'0||'")},
    {"none_is_no_parameter", ARG CALL("QUBESRPC test.Arg email") GIVES("'0|none|'")},
    {"no_shell_sees_an_argument",
     ARG CALL("QUBESRPC test.Arg+$(touch$IFS^D/made)`id`;id|id&$HOME*?[a]{}\\!#\"<> email")
         GIVES("'1|$(touch$IFS^D/made)`id`;id|id&$HOME*?[a]{}\\!#\"<>|"
               "$(touch$IFS^D/made)`id`;id|id&$HOME*?[a]{}\\!#\"<>|'") "gone made\n"},
    {"an_argument_like_an_option_is_none",
     ARG CALL("QUBESRPC test.Arg+-c email") GIVES("'1|-c|-c|'")},
    {"all_bytes_of_an_argument_arrive",
     ARG "call x 600 '^U:QUBESRPC test.Arg+' b1..31 b33..255 ' email'\n" GIVES(
         "'1|' b1..31 b33..255 '|' b1..31 b33..255 '|'")},
    {"a_service_has_three_descriptors", "script services/test.Fds 'exec ls /proc/self/fd'\n" CALL(
                                            "QUBESRPC test.Fds+ email") GIVES("'0~1~2~3~'")},
    {"a_command_has_three_descriptors", CALL("exec ls /proc/self/fd") GIVES("'0~1~2~3~'")},
    {"they_are_two_pairs_and_a_pipe",
     CALL("[ -S /dev/fd/0 ] && [ -S /dev/fd/1 ] && [ -p /dev/fd/2 ] && echo yes") GIVES("'yes~'")},
    {"a_service_is_in_a_session_of_its_own",
     CALL("[ \"$(ps -o sid= -p $$)\" -eq $$ ] && echo yes") GIVES("'yes~'")},
};

#define SOCK                                                                                       \
    "s listens services/test.Sock\n"                                                               \
    "call x 600 '^U:QUBESRPC test.Sock+a email'\nc takes s\n"
#define DESCRIPTOR  "c < 'test.Sock+a email'z\n"
#define NO_ERR      "x < STDERR()\n"
#define LAST        "x < EXIT(0)\nx end\nover 600\n"
#define OPTION(key) "file config/test.Sock '" key " = true~'\n"

static const struct talk sockets[] = {
    {"a_socket_gets_its_descriptor_as_it_came",
     SOCK DESCRIPTOR NO_ERR "c close\nx < STDOUT()\n" LAST},
    {"a_descriptor_without_an_argument",
     "s listens services/test.Sock\ncall x 600 '^U:QUBESRPC test.Sock email'\nc takes s\n"
     "c < 'test.Sock email'z\nc close\nx < STDERR() STDOUT()\n" LAST},
    {"a_descriptor_of_four_words",
     "s listens services/test.Sock\ncall x 600 '^U:QUBESRPC test.Sock+a email name work'\n"
     "c takes s\nc < 'test.Sock+a email name work'z\nc close\nx < STDERR() STDOUT()\n" LAST},
    {"a_descriptor_of_three_words_is_fine_for_a_socket",
     "s listens services/test.Sock\ncall x 600 '^U:QUBESRPC test.Sock+a email name'\n"
     "c takes s\nc < 'test.Sock+a email name'z\nc close\nx < STDERR() STDOUT()\n" LAST},
    {"skip_service_descriptor_sends_none",
     OPTION("skip-service-descriptor") SOCK NO_ERR "x > STDIN('data')\nc < 'data'\nc close\n"
                                                   "x < STDOUT()\n" LAST},
    {"data_goes_both_ways",
     SOCK DESCRIPTOR NO_ERR "x > STDIN('ping')\nc < 'ping'\nc > 'pong'\n"
                            "x < STDOUT('pong')\nc close\nx < STDOUT()\n" LAST},
    {"the_callers_end_is_a_half_close",
     SOCK DESCRIPTOR NO_ERR "x > STDIN()\nc half\nc > 'late'\nx < STDOUT('late')\nc close\n"
                            "x < STDOUT()\n" LAST},
    {"the_services_end_is_a_half_close",
     SOCK DESCRIPTOR NO_ERR "c shut\nx < STDOUT()\nx > STDIN('late')\nc < 'late'\nx > STDIN()\n"
                            "c end\n" LAST},
    {"both_ends_end_the_call_the_callers_first",
     SOCK DESCRIPTOR NO_ERR "x > STDIN()\nc half\nc shut\nx < STDOUT()\n" LAST},
    {"both_ends_end_the_call_the_services_first",
     SOCK DESCRIPTOR NO_ERR "c shut\nx < STDOUT()\nx > STDIN()\nc end\n" LAST},
    {"what_a_socket_said_before_it_closed_arrives",
     SOCK DESCRIPTOR NO_ERR "c > 'last words'\nc close\nx < STDOUT('last words') STDOUT()\n" LAST},
    {"exit_on_client_eof_ends_at_once",
     OPTION("exit-on-client-eof") SOCK DESCRIPTOR NO_ERR "x > STDIN('a') STDIN()\n"
                                                         "x < STDOUT()\n" LAST "c < 'a'\nc end\n"},
    {"exit_on_service_eof_ends_at_once", OPTION("exit-on-service-eof") SOCK DESCRIPTOR NO_ERR
     "c > 'a'\nc shut\nx < STDOUT('a') STDOUT()\n" LAST "c end\n"},
    {"a_lost_caller_is_the_end_for_a_socket",
     SOCK DESCRIPTOR NO_ERR "x > STDIN('a')\nx close\nc < 'a'\nc half\nc close\nover 600\n"},
    {"a_socket_that_nobody_serves_is_125",
     "s listens services/test.Sock\ns close\n" CALL("QUBESRPC test.Sock+a email") FAILS("125")},
    {"a_socket_for_an_unknown_user_is_125",
     "s listens services/test.Sock\ncall x 600 'no-such-user:QUBESRPC test.Sock+a email'\n" FAILS(
         "125") "log 1 user no-such-user is unknown\n"},
    {"a_socket_for_DEFAULT_is_125",
     "s listens services/test.Sock\ncall x 600 'DEFAULT:QUBESRPC test.Sock+a email'\n" FAILS(
         "125")},
    {"a_socket_that_force_user_gives_to_nobody_is_125",
     "s listens services/test.Sock\n"
     "file config/test.Sock 'force-user = ' b39 'no-such-user' b39 b10\n" CALL(
         "QUBESRPC test.Sock+a email") FAILS("125")},
    {"force_user_wins_over_the_calls_user_for_a_socket",
     "s listens services/test.Sock\nfile config/test.Sock 'force-user = ' b39 '^U' b39 b10\n"
     "call x 600 'no-such-user:QUBESRPC test.Sock+a email'\nc takes s\n" DESCRIPTOR NO_ERR
     "c close\nx < STDOUT()\n" LAST},
    {"a_particular_socket_wins_over_a_program",
     "script services/test.Sock 'echo program'\ns listens services/test.Sock+a\n"
     "call x 600 '^U:QUBESRPC test.Sock+a email'\nc takes s\n" DESCRIPTOR NO_ERR
     "c close\nx < STDOUT()\n" LAST},
    {"every_byte_goes_through_a_socket",
     SOCK DESCRIPTOR NO_ERR "x > STDIN(b0..255)\nc < b0..255\nc > b0..255\nx < STDOUT(b0..255)\n"
                            "c close\nx < STDOUT()\n" LAST},
};

#define TCP(host, link, arg)                                                                       \
    "t tcp " host "\nlink services/test.Tcp " link "\n"                                            \
    "call x 600 '^U:QUBESRPC test.Tcp" arg " email'\nc takes t\n"                                  \
    "c < 'test.Tcp" arg " email'z\n" NO_ERR "x > STDIN('ping') STDIN()\nc < 'ping'\nc half\n"      \
    "c > 'pong'\nc close\nx < STDOUT('pong') STDOUT()\n" LAST
#define NO_TCP(link, arg)                                                                          \
    "link services/test.Tcp " link "\n" CALL("QUBESRPC test.Tcp" arg " email")                     \
        FAILS("125") "log test.Tcp: a link to /dev/tcp:\n"

static const struct talk tcp[] = {
    {"an_address_for_an_unknown_user_is_125",
     "t tcp 127.0.0.1\nlink services/test.Tcp /dev/tcp/127.0.0.1/^P\n"
     "call x 600 'no-such-user:QUBESRPC test.Tcp+ email'\n" FAILS("125")},
    {"a_link_with_host_and_port", TCP("127.0.0.1", "/dev/tcp/127.0.0.1/^P", "+")},
    {"a_link_with_host_and_port_without_an_argument",
     TCP("127.0.0.1", "/dev/tcp/127.0.0.1/^P", "")},
    {"a_link_with_a_host_and_the_argument_a_port", TCP("127.0.0.1", "/dev/tcp/127.0.0.1", "+^P")},
    {"a_link_with_nothing_and_the_argument_both", TCP("127.0.0.1", "/dev/tcp", "+127.0.0.1+^P")},
    {"a_link_to_an_address_of_IPv6", TCP("::1", "/dev/tcp/::1/^P", "+")},
    {"IPv6_in_an_argument_has_plus_signs", TCP("::1", "/dev/tcp", "+++1+^P")},
    {"an_argument_that_is_not_needed_is_125", NO_TCP("/dev/tcp/127.0.0.1/80", "+80")},
    {"a_missing_port_is_125", NO_TCP("/dev/tcp/127.0.0.1", "+")},
    {"a_missing_argument_is_125", NO_TCP("/dev/tcp/127.0.0.1", "")},
    {"a_missing_host_and_port_is_125", NO_TCP("/dev/tcp", "+")},
    {"a_slash_at_the_end_of_the_link_is_125", NO_TCP("/dev/tcp/", "+127.0.0.1+80")},
    {"no_host_is_125", NO_TCP("/dev/tcp//80", "+")},
    {"port_0_is_125", NO_TCP("/dev/tcp/127.0.0.1/0", "+")},
    {"port_65536_is_125", NO_TCP("/dev/tcp/127.0.0.1/65536", "+")},
    {"a_port_with_a_leading_zero_is_125", NO_TCP("/dev/tcp/127.0.0.1/080", "+")},
    {"a_port_in_the_argument_with_a_leading_zero_is_125", NO_TCP("/dev/tcp/127.0.0.1", "+080")},
    {"a_port_with_a_sign_is_125", NO_TCP("/dev/tcp/127.0.0.1", "+-80")},
    {"a_port_that_is_a_name_is_125", NO_TCP("/dev/tcp/127.0.0.1", "+http")},
    {"an_argument_without_a_port_is_125", NO_TCP("/dev/tcp", "+127.0.0.1")},
    {"an_underscore_in_an_address_is_125", NO_TCP("/dev/tcp", "+__1+80")},
    {"a_host_name_is_125",
     "link services/test.Tcp /dev/tcp/localhost/80\n" CALL("QUBESRPC test.Tcp+ email")
         FAILS("125") "log not a numeric address\n"},
    {"nobody_who_listens_is_125",
     "t tcp 127.0.0.1\nt close\nlink services/test.Tcp /dev/tcp/127.0.0.1/^P\n" CALL(
         "QUBESRPC test.Tcp+ email") FAILS("125")},
    {"a_link_to_such_a_link_is_no_address",
     "link services/other /dev/tcp/127.0.0.1/80\nlink services/test.Tcp other\n" CALL(
         "QUBESRPC test.Tcp+ email") "x < STDOUT() STDERR()\nx skips 8\nx skips 4\nx end\nover "
                                     "600\n"},
};

#define SERVER          "f listens server.^U.sock\n"
#define TO_SERVER(line) "daemon > EXEC(0 600 '^U:" line "'z)\ng takes f\n"
#define SERVER_ENDS     "g close\ndaemon < OVER(0 600)\nf close\nremove server.^U.sock\n"

static const struct talk servers[] = {
    {"the_fork_server_gets_a_service_without_its_user",
     OK SERVER TO_SERVER("QUBESRPC test.Ok+ email") "g < 0x200 0 600 24 'QUBESRPC test.Ok+ "
                                                    "email'z\ng quiet\n" SERVER_ENDS},
    {"the_fork_server_gets_a_command",
     SERVER TO_SERVER("ls") "g < 0x200 0 600 3 'ls'z\n" SERVER_ENDS},
    {"the_fork_server_gets_JUST_EXEC",
     SERVER "daemon > JUST_EXEC(7 515 '^U:ls'z)\ng takes f\ng < 0x201 7 515 3 'ls'z\ng close\n"
            "daemon < OVER(7 515)\nf close\nremove server.^U.sock\n"},
    {"what_a_fork_server_says_is_not_heard",
     SERVER TO_SERVER("ls") "g < 0x200 0 600 3 'ls'z\ng > 'what it likes'\n" SERVER_ENDS},
    {"force_user_chooses_the_fork_server",
     OK "file config/test.Ok 'force-user = ' b39 '^U' b39 b10\n" SERVER
        "daemon > EXEC(0 600 'no-such-user:QUBESRPC test.Ok+ email'z)\ng takes f\n"
        "g < 0x200 0 600 24 'QUBESRPC test.Ok+ email'z\n" SERVER_ENDS},
    {"the_fork_server_gets_a_socket_service",
     "s listens services/test.Sock\n" SERVER TO_SERVER(
         "QUBESRPC test.Sock+a email") "g < 0x200 0 600 27 'QUBESRPC test.Sock+a "
                                       "email'z\n" SERVER_ENDS},
    {"nogui_does_not_go_to_the_fork_server",
     OK SERVER CALL("nogui:QUBESRPC test.Ok+ email") RUNS "f close\nremove server.^U.sock\n"},
    {"exit_on_client_eof_does_not_go_to_the_fork_server",
     OPTION("exit-on-client-eof") SERVER SOCK DESCRIPTOR NO_ERR
     "x > STDIN()\nx < STDOUT()\n" LAST "c end\nf close\nremove server.^U.sock\n"},
    {"what_cannot_start_does_not_go_to_the_fork_server",
     SERVER CALL("QUBESRPC test.None+ email") FAILS("127") "f close\nremove server.^U.sock\n"},
    {"a_socket_that_no_fork_server_serves_is_passed_over",
     OK SERVER "f close\n" CALL("QUBESRPC test.Ok+ email") RUNS "remove server.^U.sock\n"},
    {"a_fork_server_is_told_of_a_gone_caller",
     SERVER "daemon > EXEC(9 515 '^U:ls'z)\ng takes f\ng < 0x200 9 515 3 'ls'z\n"
            "daemon > REFUSED('gone.9.515'/32)\ng < 9 0\ng close\ndaemon < OVER(9 515)\nf close\n"
            "remove server.^U.sock\n"},
};

/* Whose socket it is, and whom a command may run as, depends on who we are. */
static void add_users(void)
{
    if (geteuid() != 0) {
        talk_add("an_agent_that_is_not_root_runs_nothing_for_others",
                 "call x 600 'root:true'\n" FAILS("125"));
        talk_add("nor_does_it_connect_to_a_socket_for_others",
                 "s listens services/test.Sock\n"
                 "call x 600 'root:QUBESRPC test.Sock+a email'\n" FAILS("125"));
    } else {
        talk_add("a_fork_server_of_another_user_is_not_used",
                 OK "f poses server.^U.sock\n" CALL("QUBESRPC test.Ok+ email") RUNS
                 "f takes f\nf end\nremove server.^U.sock\n"
                 "log is not used\n");
        talk_add("a_socket_may_be_for_any_user_that_is_there",
                 "s listens services/test.Sock\n"
                 "call x 600 'nobody:QUBESRPC test.Sock+a email'\nc takes s\n" DESCRIPTOR NO_ERR
                 "c close\nx < STDOUT()\n" LAST);
    }
}

static const struct talk options[] = {
    {"help_is_no_failure", "start qrexec-agent qrexec-agent --help\nexit 0\nout has 'usage'\n"},
    {"an_unknown_option_is_usage", "start qrexec-agent qrexec-agent --nothing\nexit 2\n"
                                   "err has 'usage'\n"},
    {"a_word_too_many_is_usage", "start qrexec-agent qrexec-agent more\nexit 2\n"},
    {"no_name_of_its_own_is_no_crash",
     "env VCHAN_SOCKET_DIR=/nonexistent/dir\nstart qrexec-agent\nexit 1\n"
     "env VCHAN_SOCKET_DIR=^D\n"},
};

/* Arguments of random bytes; what goes in is the same each time. */
static void add_random(void)
{
    size_t size = 200000, n = 0;
    char *script = malloc(size);
    uint32_t x = 12345;

    assert_non_null(script);
    n += (size_t)snprintf(script, size, "script services/test.Raw 'printf %%s \"$1\"'\n");
    for (int i = 0; i < 100; i++) {
        char bytes[512];
        size_t len = 0;

        for (int k = 0; k < 40; k++) {
            x = x * 1664525 + 1013904223;
            len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "b%u ", 33 + (x >> 16) % 223);
        }
        n += (size_t)snprintf(script + n, size - n,
                              "call x 600 '^U:QUBESRPC test.Raw+' %s ' email'\n"
                              "result x 0 %s\nover 600\n",
                              bytes, bytes);
    }
    assert_true(n < size - 1000);
    talk_add("a_hundred_random_arguments_arrive_as_they_were", script);
}

int main(void)
{
    talk_add_all(lines, ARRAY_SIZE(lines));
    talk_add_all(finding, ARRAY_SIZE(finding));
    talk_add_all(settings, ARRAY_SIZE(settings));
    talk_add_all(environment, ARRAY_SIZE(environment));
    talk_add_all(sockets, ARRAY_SIZE(sockets));
    talk_add_all(tcp, ARRAY_SIZE(tcp));
    talk_add_all(servers, ARRAY_SIZE(servers));
    talk_add_all(options, ARRAY_SIZE(options));
    add_users();
    add_random();
    return talks_run(TALK_AGENT);
}
