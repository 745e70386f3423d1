/*
 * qrexec-client calls a VM: what its daemon may say, what the VM may say on the data connection,
 * each way that the streams can end in, each option that changes what goes through.
 */
#include "tests/talk/client-talks.h"

/* ---- The daemon ---- */

#define START  WORK CLIENT("'-d'z 'work'z 'u:x'z") "d takes daemon\n"
#define FAILED "exit 125\nout all ''\n"
#define HEARS  "d < HELLO(3) EXEC(0 0 'u:x'z)\n"

static const struct talk daemons[] = {
    {"the_client_waits_for_the_daemons_hello", TALK_NONE, START "d quiet\nd close\n" FAILED},
    {"a_daemon_of_0_is_not_talked_to", TALK_NONE, START "d > HELLO(0)\n" FAILED "d end\n"},
    {"a_daemon_of_1_is_not_talked_to", TALK_NONE, START "d > HELLO(1)\n" FAILED "d end\n"},
    {"a_daemon_of_2_is_not_talked_to", TALK_NONE,
     START "d > HELLO(2)\n" FAILED "d end\nerr has 'protocol 2'\n"},
    {"a_daemon_of_4_is_asked", TALK_NONE, START "d > HELLO(4)\n" HEARS "d close\n" FAILED},
    {"a_daemon_of_5_is_asked", TALK_NONE, START "d > HELLO(5)\n" HEARS "d close\n" FAILED},
    {"a_daemons_hello_of_3_bytes_ends_it", TALK_NONE, START "d > HELLO(b3 b0*2)\n" FAILED},
    {"a_daemons_hello_of_5_bytes_ends_it", TALK_NONE, START "d > HELLO(3 b0)\n" FAILED},
    {"a_daemons_hello_that_says_4_GiB_ends_it", TALK_NONE, START "d > HELLO:0xffffffff()\n" FAILED},
    {"an_answer_before_the_hello_ends_it", TALK_NONE, START "d > EXEC(1 513)\n" FAILED},
    {"a_second_hello_ends_it", TALK_NONE, START "d > HELLO(3) HELLO(3)\n" HEARS FAILED},
    {"an_answer_as_JUST_EXEC_ends_it", TALK_NONE,
     START "d > HELLO(3) JUST_EXEC(1 513)\n" FAILED "d < HELLO(3) EXEC(0 0 'u:x'z)\n"},
    {"an_answer_as_CONNECT_ends_it", TALK_NONE, START "d > HELLO(3) CONNECT(1 513)\n" HEARS FAILED},
    {"an_answer_as_OVER_ends_it", TALK_NONE, START "d > HELLO(3) OVER(1 513)\n" HEARS FAILED},
    {"an_answer_as_REFUSED_ends_it", TALK_NONE, START "d > HELLO(3) REFUSED(''/32)\n" HEARS FAILED},
    {"an_answer_of_7_bytes_ends_it", TALK_NONE,
     START "d > HELLO(3) EXEC(1 b1 b2 b0)\n" HEARS FAILED},
    {"an_answer_of_9_bytes_ends_it", TALK_NONE, START "d > HELLO(3) EXEC(1 513 b0)\n" HEARS FAILED},
    {"an_answer_that_says_4_GiB_ends_it", TALK_NONE,
     START "d > HELLO(3) EXEC:0xffffffff()\n" HEARS FAILED},
    /* the field's writes headers and bodies apart */
    {"a_daemons_words_may_come_apart", TALK_NONE,
     START "d > 0x300 4\nd quiet\nd > 3\n" HEARS "d > 0x200 8\nd > 1\nd quiet\nd > 513\n" VM
           "vm > STDOUT() STDERR() EXIT(7)\nvm < STDIN()\nexit 7\n"},
    {"a_daemon_that_leaves_before_the_VM_came_ends_it", TALK_NONE,
     START "d > HELLO(3) EXEC(1 513)\n" HEARS "d close\n" FAILED},
    {"a_daemon_that_leaves_in_mid_call_does_not", TALK_NONE,
     CALL "d close\nvm > STDOUT('still')\nout < 'still'\nin > 'here'\nvm < STDIN('here')\n"
          "vm > STDOUT() STDERR() EXIT(3)\nvm < STDIN()\nexit 3\n"},
    {"what_a_daemon_says_after_its_answer_is_of_no_matter", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES(
         "u:x") "d > 'and more'\n" VM "vm > STDOUT() STDERR() EXIT(7)\nvm < STDIN()\nexit 7\n"},
    {"the_channels_socket_goes_with_the_call", TALK_NONE,
     CALL_EOF
     "vm > STDOUT() STDERR() EXIT(7)\nvm end\nexit 7\ngone /run/vchan/vchan.0.1.513.sock\n"},
    {"a_client_that_is_ended_ends_the_call", TALK_NONE, CALL "kill 15\nexit 143\nvm end\nd end\n"},
    {"a_domain_without_a_daemon_is_not_reached", TALK_NONE,
     CLIENT("'-d'z 'nobody'z 'u:x'z") FAILED "err has 'nobody'\n"},
    {"a_socket_that_nobody_serves_is_not_reached", TALK_NONE,
     WORK "daemon close\n" CLIENT("'-d'z 'work'z 'u:x'z") FAILED},
    {"socket_dir_is_where_daemons_are_sought", TALK_NONE,
     "dir /x\ndaemon listens /x/qrexec.work\n" CLIENT("'--socket-dir=$/x'z '-d'z 'work'z 'u:x'z")
         SERVES("u:x") VM "vm > STDOUT() STDERR() EXIT(7)\nvm < STDIN()\nexit 7\n"},
    {"a_domain_may_be_named_by_uuid", TALK_NONE,
     "daemon listens /run/qubes/qrexec.uuid:1-2\n" CLIENT("'-d'z 'uuid:1-2'z 'u:x'z") SERVES("u:x")
         VM "vm > STDOUT() STDERR() EXIT(0)\nvm < STDIN()\nexit 0\n"},
    {"a_domain_may_be_named_by_number", TALK_NONE,
     "daemon listens /run/qubes/qrexec.1\n" CLIENT("'-d'z '1'z 'u:x'z") SERVES("u:x") VM
     "vm > STDOUT() STDERR() EXIT(0)\nvm < STDIN()\nexit 0\n"},
    {"a_command_goes_out_as_it_is", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z [b1..38 b40..255]z") "d takes daemon\nd > HELLO(3)\n"
                                                     "d < HELLO(3) EXEC(0 0 b1..38 b40..255 b0)\nd "
                                                     "close\nexit 125\n"},
    {"DEFAULT_is_for_the_daemon_to_replace", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'DEFAULT:nogui:ls'z") "d takes daemon\nd > HELLO(3)\n"
                                                      "d < HELLO(3) EXEC(0 0 "
                                                      "'DEFAULT:nogui:ls'z)\nd close\nexit 125\n"},
    {"an_empty_command_goes_out", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z b0") "d takes daemon\nd > HELLO(3)\n"
                                     "d < HELLO(3) EXEC(0 0 b0)\nd close\nexit 125\n"},
    {"the_longest_command_goes_out", TALK_NONE,
     WORK CLIENT(
         "'-d'z 'work'z ['x'*65526]z") "d takes daemon\nd > HELLO(3)\n"
                                       "d < HELLO(3) EXEC(0 0 'x'*65526 b0)\nd close\nexit 125\n"},
    {"a_longer_command_does_not", TALK_NONE,
     WORK CLIENT(
         "'-d'z 'work'z ['x'*65527]z") "d takes daemon\nd > HELLO(3)\n"
                                       "d < HELLO(3)\nd end\nexit 125\nerr has 'too long'\n"},
};

/* A row for each place where something that says parts[] may end. */
static char *cut(const char *before, const char *who, const char *const *parts, size_t n,
                 const char *(*after)(size_t i))
{
    char *script = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&script, &size);

    fputs(WORK, f);
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%s%s > ''", before, who);
        for (size_t k = 0; k < i; k++)
            fprintf(f, " %s", parts[k]);
        fprintf(f, "\n%s close\n%s", who, after(i));
    }
    fclose(f);
    return script;
}

static const char *not_reached(size_t i)
{
    (void)i;
    return FAILED;
}

/* HELLO(3) EXEC(1 513) */
static const char *const daemon_bytes[] = {"b0", "b3", "b0", "b0", "b4", "b0", "b0", "b0", "b3",
                                           "b0", "b0", "b0", "b0", "b2", "b0", "b0", "b8", "b0",
                                           "b0", "b0", "b1", "b0", "b0", "b0", "b1", "b2", "b0"};

/* HELLO(4) STDOUT('out') STDOUT() EXIT(0) */
static const char *const vm_bytes[] = {"b0", "b3", "b0",  "b0",   "b4",   "b0",   "b0", "b0", "b4",
                                       "b0", "b0", "b0",  "b145", "b1",   "b0",   "b0", "b3", "b0",
                                       "b0", "b0", "'o'", "'u'",  "'t'",  "b145", "b1", "b0", "b0",
                                       "b0", "b0", "b0",  "b0",   "b147", "b1",   "b0", "b0", "b4",
                                       "b0", "b0", "b0",  "b0",   "b0",   "b0",   "b0"};

/* Before the hello it was never there; then it is lost, which is never success. */
static const char *lost(size_t i)
{
    return i < 12   ? "exit 125\nout all ''\n"
           : i < 23 ? "exit 255\nout all ''\n"
                    : "exit 255\nout all 'out'\n";
}

/* ---- The data connection ---- */

#define ENDS_AT_ONCE "vm end\nexit 255\nout all ''\n"

static const struct message {
    const char *name, *bytes, *then; /* then: NULL: not on a data connection */
} messages[] = {
    {"STDIN", "STDIN('x')", "out < 'x'\n"}, /* the wrong role: taken as the same thing */
    {"STDOUT", "STDOUT('x')", "out < 'x'\n"},
    {"STDERR", "STDERR('x')", "err < 'x'\n"},
    {"EXIT", "EXIT(9)", NULL},
    {"HELLO", "HELLO(4)", NULL},
    {"EXEC", "EXEC(0 0 'user:ls'z)", NULL},
    {"JUST_EXEC", "JUST_EXEC(0 0 'user:ls'z)", NULL},
    {"CONNECT", "CONNECT(0 513 'SOCKET1'/32)", NULL},
    {"REFUSED", "REFUSED('SOCKET1'/32)", NULL},
    {"TRIGGER2", "TRIGGER2('a'/64 'work'/32 'SOCKET1'/32)", NULL},
    {"OVER", "OVER(0 513)", NULL},
    {"TRIGGER3", "TRIGGER3('work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"TRIGGER4", "TRIGGER4(''/64 'work'/64 'SOCKET1'/32 'a'z)", NULL},
    {"type_0", "T0()", NULL},
    {"type_0x194", "T0x194('x')", NULL},
    {"type_0xffffffff", "T0xffffffff(0 0)", NULL},
};

static void add_types(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const struct message *m = &messages[i];

        if (!str_equal(m->name, "HELLO"))
            talk_add(format_new("%s_from_a_VM_before_its_hello_ends_the_call", m->name), TALK_NONE,
                     format_new(WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS
                                "vm < HELLO(4)\nvm > %s\n" ENDS_AT_ONCE,
                                m->bytes));
        if (m->then)
            talk_add(format_new("%s_from_a_VM_is_taken", m->name), TALK_NONE,
                     format_new(CALL_EOF "vm > %s\n%svm > STDOUT() STDERR() EXIT(5)\nvm end\n"
                                         "exit 5\nout all ''\n",
                                m->bytes, m->then));
        else if (!str_equal(m->name, "EXIT"))
            talk_add(format_new("%s_from_a_VM_ends_the_call", m->name), TALK_NONE,
                     format_new(CALL_EOF "vm > %s\n" ENDS_AT_ONCE, m->bytes));
    }
}

#define VERSION_CALL(v)                                                                            \
    WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS "vm < HELLO(4)\nvm > HELLO(" v ")"  \
                                                               "\n"
#define GOES_WELL "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(6)\nvm end\nexit 6\n"

static const struct talk data[] = {
    {"a_VM_of_0_is_refused", TALK_NONE, VERSION_CALL("0") ENDS_AT_ONCE},
    {"a_VM_of_1_is_refused", TALK_NONE, VERSION_CALL("1") ENDS_AT_ONCE},
    {"a_VM_of_2_is_served", TALK_NONE, VERSION_CALL("2") GOES_WELL},
    {"a_VM_of_3_is_served", TALK_NONE, VERSION_CALL("3") GOES_WELL},
    {"a_VM_of_4_is_served", TALK_NONE, VERSION_CALL("4") GOES_WELL},
    {"a_VM_of_5_is_served", TALK_NONE, VERSION_CALL("5") GOES_WELL},
    {"the_client_says_its_hello_at_once", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS "vm < HELLO(4)\nvm quiet\n"
                                                                "vm > HELLO(4)\n" GOES_WELL},
    {"no_data_before_the_VMs_hello", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS
     "vm < HELLO(4)\nin > 'early'\n"
     "vm quiet\nvm > HELLO(4)\nvm < STDIN('early')\n" GOES_WELL},
    {"a_VMs_hello_of_3_bytes_ends_the_call", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS
     "vm < HELLO(4)\nvm > HELLO(b4 b0*2)\n" ENDS_AT_ONCE},
    {"a_VMs_hello_of_5_bytes_ends_the_call", TALK_NONE,
     WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS
     "vm < HELLO(4)\nvm > HELLO(4 b0)\n" ENDS_AT_ONCE},
    {"a_chunk_of_65535_bytes_is_taken", TALK_NONE,
     CALL_EOF "vm > STDOUT('x'*65535)\nout < 'x'*65535\nvm > STDOUT() STDERR() EXIT(0)\nexit 0\n"},
    {"a_chunk_of_65536_bytes_is_taken", TALK_NONE,
     CALL_EOF "vm > STDOUT('x'*65536)\nout < 'x'*65536\nvm > STDOUT() STDERR() EXIT(0)\nexit 0\n"},
    {"a_chunk_of_65537_bytes_ends_the_call", TALK_NONE,
     CALL_EOF "vm >? STDOUT('x'*65537)\n" ENDS_AT_ONCE},
    {"a_chunk_that_says_4_GiB_ends_the_call_before_it_comes", TALK_NONE,
     CALL_EOF "vm > STDOUT:0xffffffff()\n" ENDS_AT_ONCE},
    {"a_stderr_chunk_of_65537_bytes_ends_the_call", TALK_NONE,
     CALL_EOF "vm >? STDERR('x'*65537)\n" ENDS_AT_ONCE},
    {"a_chunk_of_65536_bytes_is_taken_from_a_VM_of_3", TALK_NONE,
     VERSION_CALL("3") "vm > STDOUT('x'*65536)\nout < 'x'*65536\n" GOES_WELL},
    {"a_chunk_of_4096_bytes_is_taken_from_a_VM_of_2", TALK_NONE,
     VERSION_CALL("2") "vm > STDOUT('x'*4096)\nout < 'x'*4096\n" GOES_WELL},
    {"a_chunk_of_4097_bytes_from_a_VM_of_2_ends_the_call", TALK_NONE,
     VERSION_CALL("2") "vm > STDOUT('x'*4097)\n" ENDS_AT_ONCE},
    {"a_VM_of_2_gets_chunks_of_4096_bytes", TALK_NONE,
     VERSION_CALL("2") "in > 'x'*5000\nvm < STDIN('x'*4096) STDIN('x'*904)\n" GOES_WELL},
    {"an_exit_code_of_0_bytes_is_255", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT()\nvm end\nexit 255\n"},
    {"an_exit_code_of_3_bytes_is_255", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(b0*3)\nvm end\nexit 255\n"},
    {"an_exit_code_of_5_bytes_is_cut", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(7 b1)\nvm end\nexit 7\n"},
    {"an_exit_code_of_8_bytes_is_cut", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(7 8)\nvm end\nexit 7\n"},
    {"an_exit_code_of_256_is_no_success", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(256)\nvm end\nexit 255\n"},
    {"an_exit_code_of_4294967295_is_no_success", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(0xffffffff)\nvm end\nexit 255\n"},
    {"an_exit_code_of_255_is_one", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR() EXIT(255)\nvm end\nexit 255\n"},
    {"the_first_exit_code_counts", TALK_NONE,
     CALL_EOF "vm > EXIT(4) EXIT(5) STDOUT() STDERR()\nvm end\nexit 4\n"},
    {"data_after_an_exit_code_is_written_out", TALK_NONE,
     CALL_EOF "vm > EXIT(4) STDOUT('late') STDOUT()\nvm end\nexit 4\nout all 'late'\n"},
    {"data_after_its_end_is_thrown_away", TALK_NONE,
     CALL_EOF "vm > STDOUT('a') STDOUT() STDOUT('b') STDERR() EXIT(4)\nvm end\nexit 4\n"
              "out all 'a'\n"},
    {"messages_may_come_byte_by_byte", TALK_NONE,
     CALL_EOF "vm > b145 b1\nout quiet\nvm > b0*2 3\nout quiet\nvm > 'ou'\nout quiet\nvm > 't'\n"
              "out < 'out'\nvm > STDOUT() STDERR() b147\nvm > b1 b0*2\nvm > 4 b7\nvm > b0*3\n"
              "vm end\nexit 7\n"},
    {"streams_may_be_mixed", TALK_NONE,
     CALL_EOF "vm > STDOUT('a') STDERR('1') STDOUT('b') STDERR('2') STDOUT() STDERR() EXIT(0)\n"
              "vm end\nexit 0\nout all 'ab'\nerr all '12'\n"},
    {"all_bytes_go_through_both_ways", TALK_NONE,
     CALL "in > b0..255\nvm < STDIN(b0..255)\nvm > STDOUT(b0..255) STDERR(b0..255)\n"
          "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(0)\nexit 0\nout all b0..255\n"
          "err all b0..255\n"},
    {"a_VM_that_closes_after_its_exit_code_needs_no_EOFs", TALK_NONE,
     CALL_EOF "vm > STDOUT('x') EXIT(4)\nvm close\nexit 4\nout all 'x'\n"},
    {"a_VM_that_closes_without_an_exit_code_is_lost", TALK_NONE,
     CALL_EOF "vm > STDOUT('x')\nvm close\nexit 255\nout all 'x'\n"},
    {"EOFs_without_an_exit_code_are_no_success", TALK_NONE,
     CALL_EOF "vm > STDOUT() STDERR()\nvm close\nexit 255\n"},
    {"a_VM_that_closes_at_once_is_lost", TALK_NONE, CALL_EOF "vm close\nexit 255\n"},
    {"output_that_cannot_be_kept_is_no_success", TALK_NONE,
     WORK "run client full '-d'z 'work'z 'u:x'z\n" SERVES("u:x") VM
     "vm > STDOUT('x') STDOUT() STDERR() EXIT(0)\nvm < STDIN()\nvm end\nexit 255\n"
     "err has 'No space'\n"},
    {"a_reader_of_ours_that_leaves_does_not_end_the_call", TALK_NONE,
     CALL "out close\nvm > STDOUT('x') STDOUT('y')\nin > 'z'\nvm < STDIN('z')\n"
          "vm > STDERR('e')\nerr < 'e'\nvm > STDOUT() STDERR() EXIT(4)\nvm < STDIN()\nexit 4\n"},
};

/*
 * Every order of: our stdin's end, the VM's stdout's, its stderr's, its exit code. Our EOF goes out
 * once, with our stdin's end or with the exit code, whichever is first.
 */
static void add_orders(void)
{
    static const char events[] = "IOEX";

    for (unsigned n = 0; n < 256; n++) {
        char order[5] = {events[n & 3], events[n >> 2 & 3], events[n >> 4 & 3], events[n >> 6], 0};
        char *script = NULL;
        size_t size = 0;
        FILE *f;
        bool told = false;

        if (strspn(order, "IOEX") != 4 || !strchr(order, 'I') || !strchr(order, 'O') ||
            !strchr(order, 'E') || !strchr(order, 'X'))
            continue;
        f = open_memstream(&script, &size);
        fputs(CALL "vm > STDOUT('data') STDERR('oops')\nout < 'data'\nerr < 'oops'\n", f);
        for (const char *e = order; *e; e++) {
            if (*e == 'I')
                fputs("in close\n", f);
            else
                fprintf(f, "vm >? %s\n",
                        *e == 'O'   ? "STDOUT()"
                        : *e == 'E' ? "STDERR()"
                                    : "EXIT(42)");
            if (!told && (*e == 'I' || *e == 'X')) {
                fputs("vm < STDIN()\n", f);
                told = true;
            }
        }
        fputs("vm end\nexit 42\nout all ''\nerr all ''\n", f);
        fclose(f);
        talk_add(format_new("ends_in_the_order_%s", order), TALK_NONE, script);
    }
}

/* ---- Options ---- */

#define FILTERED      "'_'*7 b7..10 '_'*2 b13 '_'*18 b32..126 '_'*129"
#define OPTION(words) WORK CLIENT(words " '-d'z 'work'z 'u:x'z") SERVES("u:x") VM
#define OVER_0        "vm > STDOUT() STDERR() EXIT(0)\nvm end\nexit 0\n"
#define KILLED(answer)                                                                             \
    "k takes admin\nk < 'admin.vm.Kill+ dom0 name work'z\nk half\nk > " answer "\nk close\n"
#define ADMIN "admin listens /run/qubesd.sock\n"

static const struct talk options[] = {
    {"t_filters_stdout_alone", TALK_NONE,
     OPTION("'-t'z") "in close\nvm < STDIN()\nvm > STDOUT(b0..255) STDERR(b0..255)\n" OVER_0
                     "out all " FILTERED "\nerr all b0..255\n"},
    {"T_filters_stderr_alone", TALK_NONE,
     OPTION("'-T'z") "in close\nvm < STDIN()\nvm > STDOUT(b0..255) STDERR(b0..255)\n" OVER_0
                     "out all b0..255\nerr all " FILTERED "\n"},
    {"tT_filters_both", TALK_NONE,
     OPTION("'-tT'z") "in close\nvm < STDIN()\nvm > STDOUT(b0..255) STDERR(b0..255)\n" OVER_0
                      "out all " FILTERED "\nerr all " FILTERED "\n"},
    {"E_is_0_whatever_the_code", TALK_NONE,
     OPTION("'-E'z") "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(42)\nvm end\nexit 0\n"},
    {"no_exit_code_is_E", TALK_NONE,
     OPTION("'--no-exit-code'z") "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(42)\n"
                                 "vm end\nexit 0\n"},
    {"E_does_not_hide_a_lost_connection", TALK_NONE,
     OPTION("'-E'z") "in close\nvm < STDIN()\nvm close\nexit 255\n"},
    {"E_does_not_hide_a_daemon_that_is_not_reached", TALK_NONE,
     CLIENT("'-E'z '-d'z 'nobody'z 'u:x'z") "exit 125\n"},
    {"p_goes_out_first", TALK_NONE,
     OPTION("'-p'z 'first'z") "vm < STDIN('first')\nin > 'then'\nvm < STDIN('then')\nin close\n"
                              "vm < STDIN()\n" OVER_0},
    {"prefix_data_is_p", TALK_NONE,
     OPTION("'--prefix-data=first'z") "vm < STDIN('first')\nin close\nvm < STDIN()\n" OVER_0},
    {"an_empty_prefix_is_nothing", TALK_NONE,
     OPTION("'-p'z b0") "vm quiet\nin close\nvm < STDIN()\n" OVER_0},
    {"a_prefix_is_not_delayed_by_a_stdin_that_ended", TALK_NONE,
     WORK CLIENT("'-p'z 'first'z '-d'z 'work'z 'u:x'z") "in close\n" SERVES("u:x") VM
     "vm < STDIN('first') STDIN()\n" OVER_0},
    {"a_long_prefix_goes_out_in_chunks", TALK_NONE,
     WORK CLIENT("'-p'z ['x'*9000]z '-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS
     "vm < HELLO(4)\nvm > HELLO(2)\n"
     "vm < STDIN('x'*4096) STDIN('x'*4096) STDIN('x'*808)\nin close\nvm < STDIN()\n" OVER_0},
    {"e_says_JUST_EXEC_and_waits_for_its_status", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm quiet\nvm > EXIT(0)\nvm close\nexit 0\n"},
    {"e_ends_with_the_status_though_the_VM_does_not_close", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > EXIT(7)\nvm end\nexit 7\n"},
    {"e_tells_that_nothing_was_found", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > EXIT(127)\nvm close\nexit 127\n"},
    {"e_tells_of_trouble", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > EXIT(125)\nvm close\nexit 125\n"},
    {"e_with_E_is_0", TALK_NONE,
     WORK CLIENT("'-eE'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > EXIT(127)\nvm close\nexit 0\n"},
    {"e_without_a_status_is_lost", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm close\nexit 255\n"},
    {"e_leaves_its_stdin_alone", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") "in > 'kept'\n" SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > EXIT(0)\nvm close\nexit 0\n"},
    {"e_does_not_mind_EOFs", TALK_NONE,
     WORK CLIENT("'-e'z '-d'z 'work'z 'u:x'z") SERVES_JUST_EXEC("u:x") VM
     "vm < STDIN()\nvm > STDOUT() STDERR() EXIT(0)\nvm end\nexit 0\n"},
    {"k_without_a_qubesd_is_no_success", TALK_NONE,
     OPTION("'-k'z") "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(0)\nvm end\nexit 125\n"},
    {"w_limits_the_wait_for_the_VM", TALK_NONE,
     WORK CLIENT("'-w'z '1'z '-d'z 'work'z 'u:x'z") SERVES("u:x") "exit 125\nd end\n"},
    {"w_limits_the_wait_for_the_daemon", TALK_NONE,
     WORK CLIENT("'-w'z '1'z '-d'z 'work'z 'u:x'z") "d takes daemon\nexit 125\nd end\n"},
    {"w_limits_the_wait_for_the_VMs_hello", TALK_NONE,
     WORK CLIENT("'-w'z '1'z '-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS "vm < HELLO(4)\n"
                                                                           "exit 125\nvm end\n"},
    {"w_0_is_no_limit", TALK_NONE,
     WORK CLIENT("'-w'z '0'z '-d'z 'work'z 'u:x'z") SERVES("u:x") VM GOES_WELL},
    {"k_kills_at_the_end", TALK_NONE,
     ADMIN OPTION("'-k'z") "in close\nvm < STDIN()\nadmin quiet\n"
                           "vm > STDOUT() STDERR() EXIT(5)\nvm end\n" KILLED("'0'z") "exit 5\n"},
    {"k_kills_after_a_failure_too", TALK_NONE,
     ADMIN CLIENT("'-k'z '-d'z 'work'z 'u:x'z") KILLED("'0'z") "exit 125\n"},
    {"a_kill_that_fails_is_no_success", TALK_NONE,
     ADMIN
         OPTION("'-k'z") "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(0)\nvm end\n" KILLED(
             "'2'z 'QubesException'z b0 'no'z") "exit 125\n"},
    {"a_kill_that_fails_does_not_hide_the_code", TALK_NONE,
     ADMIN
         OPTION("'-k'z") "in close\nvm < STDIN()\nvm > STDOUT() STDERR() EXIT(5)\nvm end\n" KILLED(
             "''") "exit 5\n"},
    {"without_k_nobody_is_killed", TALK_NONE,
     ADMIN OPTION("'-t'z") "in close\nvm < STDIN()\n" OVER_0},
    {"a_stdin_socket_is_both_directions", TALK_NONE,
     WORK "run client sock '--use-stdin-socket'z '-d'z 'work'z 'u:x'z\n" SERVES("u:x") VM
     "sock > 'question'\nvm < STDIN('question')\nvm > STDOUT('answer')\nsock < 'answer'\n"
     "sock shut\nvm < STDIN()\nvm > STDOUT('more')\nsock < 'more'\nvm > STDOUT()\nsock half\n"
     "vm > STDERR() EXIT(3)\nvm end\nexit 3\nout all ''\n"},
    {"a_stdin_sockets_other_half_may_end_first", TALK_NONE,
     WORK "run client sock '--use-stdin-socket'z '-d'z 'work'z 'u:x'z\n" SERVES("u:x") VM
     "vm > STDOUT('all') STDOUT()\nsock < 'all'\nsock half\nsock > 'still'\nvm < STDIN('still')\n"
     "sock shut\nvm < STDIN()\nvm > STDERR() EXIT(3)\nvm end\nexit 3\nout all ''\n"},
    {"a_prefix_goes_before_what_a_stdin_socket_says", TALK_NONE,
     WORK "run client sock '-p'z 'first'z '--use-stdin-socket'z '-d'z 'work'z 'u:x'z\n" SERVES(
         "u:x") VM "vm < STDIN('first')\nsock > 'then'\nvm < STDIN('then')\nsock shut\n"
                   "vm < STDIN()\n" OVER_0},
    {"a_stdin_that_is_no_socket_is_usage", TALK_NONE,
     WORK CLIENT("'--use-stdin-socket'z '-d'z 'work'z 'u:x'z") "exit 2\nerr has 'socket'\n"},
};

/* ---- A local command ---- */

#define LOCAL(command) WORK CLIENT("'-l'z '" command "'z '-d'z 'work'z 'u:x'z") SERVES("u:x") VM
#define VM_OVER(code)  "vm > STDOUT() STDERR() EXIT(" code ")\n"

static const struct talk locals[] = {
    {"a_local_command_is_both_streams", TALK_NONE,
     LOCAL("cat; echo end") "vm > STDOUT('in')\nvm < STDIN('in')\nvm > STDOUT()\n"
                            "vm < STDIN('end~') STDIN()\nvm > STDERR() EXIT(0)\nvm end\nexit "
                            "0\nout all ''\n"},
    {"a_local_command_knows_its_domain", TALK_NONE,
     LOCAL("echo $QREXEC_REMOTE_DOMAIN") "vm < STDIN('work~') STDIN()\n" VM_OVER(
         "0") "vm end\nexit 0\n"},
    {"the_remote_code_comes_first", TALK_NONE,
     LOCAL("exit 3") "vm < STDIN()\n" VM_OVER("4") "vm end\nexit 4\n"},
    {"then_the_local_one", TALK_NONE,
     LOCAL("exit 3") "vm < STDIN()\n" VM_OVER("0") "vm end\nexit 3\n"},
    {"a_local_signal_is_128_and_its_number", TALK_NONE,
     LOCAL("kill -9 $$") "vm < STDIN()\n" VM_OVER("0") "vm end\nexit 137\n"},
    {"both_0_is_0", TALK_NONE, LOCAL("true") "vm < STDIN()\n" VM_OVER("0") "vm end\nexit 0\n"},
    {"the_local_command_is_waited_for", TALK_NONE,
     LOCAL("cat >/dev/null; sleep 0.1; exit 6") VM_OVER("0") "vm < STDIN()\nvm end\nexit 6\n"},
    {"a_local_commands_stderr_is_ours", TALK_NONE,
     LOCAL("echo oops >&2") "vm < STDIN()\n" VM_OVER("0") "vm end\nexit 0\nerr all 'oops~'\n"},
    {"a_VMs_stderr_is_printed_beside_a_local_command", TALK_NONE,
     LOCAL("cat >/dev/null") "vm > STDERR('oops')\nerr < 'oops'\n" VM_OVER(
         "0") "vm < STDIN()\nvm end\nexit 0\n"},
    {"a_lost_connection_counts_before_the_local_code", TALK_NONE,
     LOCAL("cat >/dev/null; exit 0") "vm close\nexit 255\n"},
    {"a_local_commands_own_stdin_is_not_ours", TALK_NONE,
     LOCAL("cat") "in >? 'ours'\nvm > STDOUT('theirs')\nvm < STDIN('theirs')\n" VM_OVER(
         "0") "vm < STDIN()\nvm end\nexit 0\n"},
    {"a_prefix_goes_before_what_a_local_command_says", TALK_NONE,
     WORK CLIENT("'-p'z 'first~'z '-l'z 'echo then'z '-d'z 'work'z 'u:x'z") SERVES("u:x") VM
     "vm < STDIN('first~') STDIN('then~') STDIN()\n" VM_OVER("0") "vm end\nexit 0\n"},
    {"a_service_may_be_the_local_command", TALK_NONE,
     "script /etc/qubes-rpc/test.L '#!/bin/sh~echo \"$1 $QREXEC_REMOTE_DOMAIN\"~'\n" LOCAL(
         "QUBESRPC test.L+arg work") "vm < STDIN('arg work~') STDIN()\n" VM_OVER("0") "vm "
                                                                                      "end\nexit "
                                                                                      "0\n"},
    {"a_local_command_may_end_its_output_first", TALK_NONE,
     LOCAL("exec >&-; cat >$QREXEC_ROOT/got; exit 3") "vm < STDIN()\nvm > STDOUT('late')\n" VM_OVER(
         "0") "vm end\nexit 3\nholds /got 'late'\n"},
    {"SIGUSR1_of_a_local_command_changes_nothing", TALK_NONE,
     LOCAL(
         "kill -USR1 $PPID; echo one; read x; echo $x") "vm < STDIN('one~')\nvm > STDOUT('two~')\n"
                                                        "vm < STDIN('two~') STDIN()\n" VM_OVER(
                                                            "0") "vm end\nexit 0\n"},
    {"a_local_command_that_reads_no_more_does_not_end_the_call", TALK_NONE,
     LOCAL("exec <&-; sleep 0.1; echo still; exit 3") "vm > STDOUT('x'*60000)\n"
                                                      "vm < STDIN('still~') STDIN()\n" VM_OVER(
                                                          "0") "vm end\nexit 3\n"},
    {"a_VM_that_is_over_ends_a_local_commands_input", TALK_NONE,
     LOCAL("cat >$QREXEC_ROOT/got; exit 3") "vm > EXIT(0) STDOUT('late') STDOUT()\nvm < STDIN()\n"
                                            "vm end\nexit 3\nholds /got 'late'\n"},
    {"a_local_service_that_is_missing_is_127_and_nothing_was_asked", TALK_NONE,
     WORK CLIENT("'-l'z 'QUBESRPC test.None+ work'z '-d'z 'work'z 'u:x'z") "exit 127\n"},
};

int main(void)
{
    talk_add_all(daemons, ARRAY_SIZE(daemons));
    talk_add("a_daemons_words_cut_at_each_byte_are_no_call", TALK_NONE,
             cut(CLIENT("'-d'z 'work'z 'u:x'z") "d takes daemon\n", "d", daemon_bytes,
                 ARRAY_SIZE(daemon_bytes), not_reached));
    talk_add_all(data, ARRAY_SIZE(data));
    talk_add("a_VMs_words_cut_at_each_byte_are_never_success", TALK_NONE,
             cut(CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM_DIALS "vm < HELLO(4)\nin close\n",
                 "vm", vm_bytes, ARRAY_SIZE(vm_bytes), lost));
    add_types();
    add_orders();
    talk_add_all(options, ARRAY_SIZE(options));
    talk_add_all(locals, ARRAY_SIZE(locals));
    return talks_run();
}
