/*
 * A trigger's way to the policy and what its answer leads to: what is cleaned, what is refused
 * unasked, every form of an answer, and the policy program behind a service that does not answer.
 */
#include "tests/talk/daemon-talk.h"

#define TRIGGER "agent > TRIGGER4(''/64 'online'/64 'SOCKET1'/32 'test.Echo+x'z)\n"
#define REQUEST                                                                                    \
    "q takes policy\n"                                                                             \
    "q < 'source=email~intended_target=online~service_and_arg=test.Echo+x~requested_source=~~'\n"  \
    "q half\n"
#define REFUSED_1 "agent < REFUSED('SOCKET1'/32)\n"

/* ---- Triggers ---- */

/* All 256 bytes, as a field's text must look when it has been cleaned. */
static void add_cleaning(void)
{
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    for (unsigned c = 1; c < 256; c++) {
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || c == '-' || c == '.';
        unsigned name = plain || c == '@' || c == ':' ? c : '_';
        unsigned service = plain || c == '@' || c == ':' || c == '+' ? c : '_';
        fprintf(f,
                "agent > TRIGGER4([b%u 's']/64 [b%u 't']/64 'S'/32 'x' b%u 'y'z)\n"
                "q takes policy\n"
                "q < 'source=email~intended_target=' b%u 't~service_and_arg=x' b%u 'y~"
                "requested_source=' b%u 's~~'\n"
                "q half\nq > 'result=deny~'\nq close\nagent < REFUSED('S'/32)\n",
                c, c, c, name, service, name);
    }
    fclose(f);
    talk_add("each_byte_in_each_field_of_a_trigger_is_cleaned", 4, script);
}

/* All 256 bytes in an ident: those that are no ident's come back as they came, unasked. */
static void add_idents(void)
{
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    for (unsigned c = 1; c < 256; c++) {
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '_' || c == '-' || c == '.' || c == ' ';
        fprintf(
            f,
            "agent > TRIGGER4(''/64 'a'/64 ['S' b%u]/32 'x'z)\n%sagent < REFUSED(['S' b%u]/32)\n",
            c, good ? "policy says 'result=deny~'\n" : "", c);
    }
    fclose(f);
    talk_add("each_byte_in_an_ident_is_taken_or_refused_unasked", 4, script);
}

static const struct talk triggers[] = {
    {"TRIGGER2_has_no_source", 2,
     "agent > TRIGGER2('test.Echo'/64 'online'/32 'SOCKET1'/32)\n"
     "q takes policy\nq < 'source=email~intended_target=online~service_and_arg=test.Echo~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"TRIGGER2_that_fills_its_fields_is_cut_for_a_NUL", 2,
     "agent > TRIGGER2('s'*64 't'*32 'SOCKET1'/32)\n"
     "q takes policy\nq < 'source=email~intended_target=' 't'*31 '~service_and_arg=' 's'*63 '~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"TRIGGER2_with_bytes_behind_the_NUL_is_read_up_to_it", 2,
     "agent > TRIGGER2('test.Echo'z 'x'/54 'online'z 'y'/25 'SOCKET1'/32)\n"
     "q takes policy\nq < 'source=email~intended_target=online~service_and_arg=test.Echo~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"TRIGGER3_has_no_source", 3,
     "agent > TRIGGER3('online'/64 'SOCKET1'/32 'test.Echo'z)\n"
     "q takes policy\nq < 'source=email~intended_target=online~service_and_arg=test.Echo~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"TRIGGER3_of_an_agent_of_4_has_no_source", 4,
     "agent > TRIGGER3('online'/64 'SOCKET1'/32 'test.Echo'z)\n"
     "q takes policy\nq < 'source=email~intended_target=online~service_and_arg=test.Echo~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"TRIGGER4_passes_its_source_on", 4,
     "agent > TRIGGER4('remote'/64 'online'/64 'SOCKET1'/32 'a'z)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=online~service_and_arg=a~requested_source=remote~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"names_that_fill_their_fields_are_cut_for_a_NUL", 4,
     "agent > TRIGGER4('s'*64 't'*64 'SOCKET1'/32 'a'z)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=' 't'*63 '~service_and_arg=a~requested_source=' 's'*63 "
     "'~~'\nq half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"bytes_behind_a_names_NUL_are_not_read", 4,
     "agent > TRIGGER4(['src'z 'junk']/64 ['dst'z 'junk~']/64 'SOCKET1'/32 'a'z)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=dst~service_and_arg=a~requested_source=src~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"an_empty_target_is_passed_on_empty", 4,
     "agent > TRIGGER4(''/64 ''/64 'SOCKET1'/32 'a+'z)\n"
     "q takes policy\n"
     "q < 'source=email~intended_target=~service_and_arg=a+~requested_source=~~'\n"
     "q half\nq > 'result=deny~'\nq close\n" REFUSED_1},
    {"a_service_without_a_NUL_is_refused_unasked", 4,
     "agent > TRIGGER4(''/64 'a'/64 'SOCKET1'/32 'test.Echo')\n" REFUSED_1},
    {"a_service_with_a_NUL_inside_is_refused_unasked", 4,
     "agent > TRIGGER4(''/64 'a'/64 'SOCKET1'/32 'test'z 'Echo'z)\n" REFUSED_1},
    {"a_service_that_is_only_an_argument_is_refused_unasked", 4,
     "agent > TRIGGER4(''/64 'a'/64 'SOCKET1'/32 '+arg'z)\n" REFUSED_1},
    {"an_empty_service_is_refused_unasked_in_protocol_2", 2,
     "agent > TRIGGER2(''/64 'a'/32 'SOCKET1'/32)\n" REFUSED_1},
    {"a_service_that_is_only_an_argument_is_refused_unasked_in_protocol_2", 2,
     "agent > TRIGGER2('+a'/64 'a'/32 'SOCKET1'/32)\n" REFUSED_1},
    {"an_ident_without_a_NUL_is_refused_as_it_came", 4,
     "agent > TRIGGER4(''/64 'a'/64 'I'*32 'x'z)\nagent < REFUSED('I'*32)\n"},
    {"an_ident_with_bytes_behind_its_NUL_is_refused_as_it_came", 4,
     "agent > TRIGGER4(''/64 'a'/64 ['I'z 'x']/32 'x'z)\nagent < REFUSED(['I'z 'x']/32)\n"},
    {"an_empty_ident_is_one", 4,
     "agent > TRIGGER4(''/64 'a'/64 ''/32 'x'z)\npolicy says 'result=deny~'\n"
     "agent < REFUSED(''/32)\n"},
    {"answers_come_in_their_own_order", 4,
     "agent > TRIGGER4(''/64 'a'/64 'S1'/32 'x'z)\na takes policy\na ignored\n"
     "agent > TRIGGER4(''/64 'a'/64 'S2'/32 'x'z)\nb takes policy\nb ignored\n"
     "agent > TRIGGER4(''/64 'a'/64 'S3'/32 'x'z)\nc takes policy\nc ignored\n"
     "b > 'result=deny~'\nb close\nagent < REFUSED('S2'/32)\n"
     "c > 'result=deny~'\nc close\nagent < REFUSED('S3'/32)\n"
     "a > 'result=deny~'\na close\nagent < REFUSED('S1'/32)\n"},
    {"an_agent_that_leaves_takes_its_questions_with_it", 4,
     TRIGGER "q takes policy\nagent close\n"
             "q all 'source=email~intended_target=online~service_and_arg=test.Echo+x~"
             "requested_source=~~'\nagent back 4\n"},
};

/* ---- Answers: each of these decides nothing, so the program is asked ---- */

#define ALLOW_TEXT "result=allow~user=u~target=online~autostart=True~requested_target=online~"

static const struct {
    const char *name, *bytes;
} malformed[] = {
    {"no_answer", "''"},
    {"a_newline_alone", "'~'"},
    {"a_result_that_is_unknown", "'result=ask~'"},
    {"an_empty_result", "'result=~'"},
    {"a_result_in_capitals", "'result=DENY~'"},
    {"a_result_with_a_blank", "'result= deny~'"},
    {"a_result_twice", "'result=deny~result=deny~'"},
    {"both_results", "'result=deny~result=allow~'"},
    {"a_line_without_an_equals_sign", "'result=deny~hello~'"},
    {"only_a_line_without_an_equals_sign", "'hello'"},
    {"a_NUL_at_its_end", "'result=deny'z"},
    {"a_NUL_inside", "'result=deny' b0 '~'"},
    {"two_newlines_at_its_end", "'result=deny~~'"},
    {"an_empty_line_inside", "'result=deny~~x=y~'"},
    {"an_empty_line_first", "'~result=deny~'"},
    {"CR_LF", "'result=deny' b13 '~'"},
    {"no_result", "'user=u~target=online~autostart=True~requested_target=online~'"},
    {"no_user", "'result=allow~target=online~autostart=True~requested_target=online~'"},
    {"no_target", "'result=allow~user=u~autostart=True~requested_target=online~'"},
    {"no_autostart", "'result=allow~user=u~target=online~requested_target=online~'"},
    {"no_requested_target", "'result=allow~user=u~target=online~autostart=True~'"},
    {"a_user_twice", "'" ALLOW_TEXT "user=u~'"},
    {"a_target_twice", "'" ALLOW_TEXT "target=online~'"},
    {"an_unknown_key_without_a_value", "'" ALLOW_TEXT "later~'"},
    {"an_autostart_in_small_letters",
     "'result=allow~user=u~target=online~autostart=true~requested_target=online~'"},
    {"an_autostart_of_1",
     "'result=allow~user=u~target=online~autostart=1~requested_target=online~'"},
    {"an_empty_autostart",
     "'result=allow~user=u~target=online~autostart=~requested_target=online~'"},
    {"a_deny_with_a_user", "'result=deny~user=u~'"},
    {"a_deny_with_a_target", "'result=deny~target=online~'"},
    {"a_deny_with_a_requested_target", "'result=deny~requested_target=online~'"},
    {"a_deny_with_an_autostart", "'result=deny~autostart=True~'"},
    {"an_answer_of_4096_bytes", "'result=deny~x=' 'y'*4081 '~'"},
    {"an_answer_of_100000_bytes", "'result=deny~x=' 'y'*60000"},
    {"a_target_that_is_a_path",
     "'result=allow~user=u~target=../x~autostart=True~requested_target=online~'"},
    {"a_target_that_is_hidden",
     "'result=allow~user=u~target=.x~autostart=True~requested_target=online~'"},
    {"an_empty_target", "'result=allow~user=u~target=~autostart=True~requested_target=online~'"},
    {"a_target_with_a_blank",
     "'result=allow~user=u~target=a b~autostart=True~requested_target=online~'"},
    {"an_empty_disposable",
     "'result=allow~user=u~target=@dispvm:~autostart=True~requested_target=online~'"},
    {"a_service_with_a_blank", "'" ALLOW_TEXT "service=a b~'"},
    {"a_source_with_a_blank", "'" ALLOW_TEXT "policy_source=a b~'"},
};

#define PROGRAM_SAYS(answer, code)                                                                 \
    "script /program '#!/bin/sh~echo \"$*\" >$(dirname $0)/asked~printf " answer "~exit " code     \
    "~'"                                                                                           \
    "\n"
#define ASKED_PROGRAM "holds /asked '-- email online test.Echo+x~'\n"

static void add_malformed(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
        talk_add(format_new("%s_leaves_it_to_the_program", malformed[i].name), 4,
                 format_new(PROGRAM_SAYS("result=deny", "0") TRIGGER REQUEST
                            "q >? %s\nq close\n" REFUSED_1 ASKED_PROGRAM,
                            malformed[i].bytes));
}

/* ---- Answers that decide ---- */

#define TARGET_IS(command)                                                                         \
    "t takes online\nt > HELLO(3)\nt < HELLO(3) EXEC(1 0 '" command "'z)\nt > EXEC(9 514)\n"       \
    "agent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"
#define ONLINE "online listens /run/qubes/qrexec.online\n"
/* Denied without the program being asked: there is none. */
#define DENIES(bytes)          TRIGGER REQUEST "q > " bytes "\nq close\n" REFUSED_1
#define ALLOWS(bytes, command) ONLINE TRIGGER REQUEST "q > " bytes "\nq close\n" TARGET_IS(command)

static const struct talk answers[] = {
    {"a_deny_is_a_deny", 4, DENIES("'result=deny~'")},
    {"a_deny_needs_no_newline", 4, DENIES("'result=deny'")},
    {"unknown_keys_beside_a_deny_are_ignored", 4, DENIES("'later=x~result=deny~more=a=b~empty=~'")},
    {"a_deny_may_name_what_it_decided_about", 4,
     DENIES("'result=deny~service=x~policy_source=y~target_uuid=z~'")},
    {"an_answer_of_4095_bytes_is_read", 4, DENIES("'result=deny~x=' 'y'*4080 '~'")},
    {"an_allow_names_user_service_and_source", 4,
     ALLOWS("'result=allow~user=root~target=online~autostart=True~requested_target=online~'",
            "root:QUBESRPC test.Echo+x email")},
    {"an_allow_in_another_order_without_a_newline_is_one", 4,
     ALLOWS("'requested_target=online~autostart=True~target=online~user=u~result=allow'",
            "u:QUBESRPC test.Echo+x email")},
    {"unknown_keys_beside_an_allow_are_ignored", 4,
     ALLOWS("'" ALLOW_TEXT "later=1~x=~'", "u:QUBESRPC test.Echo+x email")},
    /* the words of the field's policy daemon, and of a later one */
    {"the_fields_answer_is_understood", 4,
     ALLOWS("'user=DEFAULT~result=allow~target=online~autostart=True~requested_target=online'",
            "DEFAULT:QUBESRPC test.Echo+x email")},
    {"a_service_that_is_answered_replaces_the_asked_one", 4,
     ALLOWS("'" ALLOW_TEXT "service=test.Other+y~'", "u:QUBESRPC test.Other+y email")},
    {"a_service_without_an_argument_gets_its_plus", 4,
     ALLOWS("'" ALLOW_TEXT "service=test.Other~'", "u:QUBESRPC test.Other+ email")},
    {"an_empty_service_is_none", 4,
     ALLOWS("'" ALLOW_TEXT "service=~'", "u:QUBESRPC test.Echo+x email")},
    {"a_policy_source_stands_for_the_callers_name", 4,
     ALLOWS("'" ALLOW_TEXT "policy_source=remote~'", "u:QUBESRPC test.Echo+x remote")},
    {"an_empty_policy_source_is_none", 4,
     ALLOWS("'" ALLOW_TEXT "policy_source=~'", "u:QUBESRPC test.Echo+x email")},
    {"an_empty_target_uuid_is_none", 4,
     ALLOWS("'" ALLOW_TEXT "target_uuid=~'", "u:QUBESRPC test.Echo+x email")},
    {"a_target_uuid_goes_before_the_name", 4,
     "uuid listens /run/qubes/qrexec.uuid:99999999-0000-0000-0000-000000000000\n" ONLINE TRIGGER
         REQUEST "q > '" ALLOW_TEXT
     "target_uuid=uuid:99999999-0000-0000-0000-000000000000~'\nq close\n"
     "t takes uuid\nt > HELLO(3)\nt < HELLO(3) EXEC(1 0 'u:QUBESRPC test.Echo+x email'z)\n"
     "t > EXEC(9 514)\nagent < CONNECT(9 514 'SOCKET1'/32)\nt end\n"},
    {"an_answer_that_comes_while_others_are_served_is_whole_at_its_end", 4,
     TRIGGER REQUEST "q > 'res'\nprobe\nq > 'ult=den'\nprobe\nq > 'y'\nprobe\nq > '~'\nprobe\n"
                     "q close\n" REFUSED_1},
    {"a_policy_service_that_goes_before_it_read_leaves_it_to_the_program", 4,
     PROGRAM_SAYS("result=deny", "0") TRIGGER "q takes policy\nq close\n" REFUSED_1 ASKED_PROGRAM},
    {"an_answer_to_a_request_that_was_not_read_counts", 4,
     TRIGGER "q takes policy\nq > 'result=deny~'\nq shut\nq ignored\n" REFUSED_1},
    {"without_a_policy_service_the_program_is_asked", 4,
     PROGRAM_SAYS(
         "result=deny",
         "0") "policy close\nremove /run/qubes/policy.sock\n" TRIGGER REFUSED_1 ASKED_PROGRAM},
    {"what_the_program_allows_is_allowed", 4,
     PROGRAM_SAYS("\"result=allow\\nuser=p\\ntarget=online\\nautostart=True\\n"
                  "requested_target=online\\n\"",
                  "0") ONLINE TRIGGER REQUEST "q close\n" TARGET_IS("p:QUBESRPC test.Echo+x email")
         ASKED_PROGRAM},
    {"an_allow_of_a_program_that_exits_1_is_a_refusal", 4,
     PROGRAM_SAYS("\"result=allow\\nuser=p\\ntarget=online\\nautostart=True\\n"
                  "requested_target=online\\n\"",
                  "1") ONLINE TRIGGER REQUEST "q close\n" REFUSED_1 ASKED_PROGRAM},
    {"a_malformed_answer_of_the_program_is_a_refusal", 4,
     PROGRAM_SAYS("hello", "0") ONLINE TRIGGER REQUEST "q close\n" REFUSED_1 ASKED_PROGRAM},
    {"an_empty_answer_of_the_program_is_a_refusal", 4,
     PROGRAM_SAYS("\"\"", "0") ONLINE TRIGGER REQUEST "q close\n" REFUSED_1 ASKED_PROGRAM},
    {"a_requested_source_is_not_for_the_program", 4,
     PROGRAM_SAYS("result=deny",
                  "0") "agent > TRIGGER4('remote'/64 'online'/64 'SOCKET1'/32 'test.Echo+x'z)\n"
                       "policy says ''\n" REFUSED_1 "gone /asked\n"},
    {"without_a_program_a_malformed_answer_is_a_refusal", 4, TRIGGER REQUEST "q close\n" REFUSED_1},
};

/* An allow cut at each byte is none: its last key is one that cannot be shortened unnoticed. */
static void add_cut_answers(void)
{
    static const char answer[] =
        "result=allow\nuser=u\ntarget=online\nrequested_target=online\nautostart=True";
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);
    static const char end[] = TRIGGER REQUEST
        "q > 'result=allow~user=u~target=online~requested_target=online~autostart=True'\n"
        "q close\n" TARGET_IS("u:QUBESRPC test.Echo+x email");

    fputs(ONLINE, f);
    for (size_t i = 0; i + 1 < sizeof(answer); i++) {
        char cut[sizeof(answer)];

        memcpy(cut, answer, i);
        cut[i] = 0;
        for (char *p = cut; *p; p++)
            *p = *p == '\n' ? '~' : *p;
        fprintf(f, TRIGGER REQUEST "q > '%s'\nq close\n" REFUSED_1 "fds\n", cut);
    }
    fputs(end, f);
    fclose(f);
    talk_add("an_answer_cut_at_each_byte_allows_nothing", 4, script);
}

int main(void)
{
    talk_add_all(triggers, ARRAY_SIZE(triggers));
    add_cleaning();
    add_idents();
    add_malformed();
    talk_add_all(answers, ARRAY_SIZE(answers));
    add_cut_answers();
    return talks_run();
}
