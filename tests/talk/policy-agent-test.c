/* qrexec-policy-agent on a terminal of its own: what is typed when, and what becomes of requests.
 */
#include "tests/talk/desktop-stage.h"
#include "tests/talk/policy-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>

#define KEEP(source, default_target) ASK_WITH(source, default_target, ",\"keep\":true")

struct user {
    struct stage s;
    int terminal; /* the user's side */
    pid_t agent;
    char seen[1 << 17]; /* what expect_seen() has not passed yet */
    size_t n;
};

static int open_terminal(int *ret_user)
{
    int slave;

    *ret_user = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*ret_user >= 0);
    assert_int_equal(grantpt(*ret_user), 0);
    assert_int_equal(unlockpt(*ret_user), 0);
    slave = open(ptsname(*ret_user), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    return slave;
}

static void expect_seen(struct user *u, const char *text)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    const char *end;

    u->seen[u->n] = 0;
    while (!strstr(u->seen, text)) {
        struct pollfd p = {.fd = u->terminal, .events = POLLIN};
        ssize_t got = 0;

        if (poll(&p, 1, deadline_left(deadline)) == 1)
            got = read(u->terminal, u->seen + u->n, sizeof(u->seen) - u->n - 1);
        if (got <= 0)
            fail_msg("not seen: \"%s\", but\n%s", text, u->seen);
        u->n += (size_t)got;
        u->seen[u->n] = 0;
    }
    end = strstr(u->seen, text) + strlen(text);
    u->n -= (size_t)(end - u->seen);
    memmove(u->seen, end, u->n + 1);
}

static void begin_agent(struct user *u)
{
    _cleanup_(freep) char *path = stage_path(&u->s, SOCKET);
    int slave = open_terminal(&u->terminal);

    u->n = 0;
    u->agent = prompt_start(&u->s, (const char *const[]){"--terminal", "-s", path, NULL}, slave);
    close(slave);
    expect_seen(u, SOCKET ").\r\n");
}

static void begin(struct user *u)
{
    prompt_prepare(&u->s);
    begin_agent(u);
}

static void end(struct user *u)
{
    prompt_end(&u->s, u->agent);
    close(u->terminal);
}

/* A question stands, and the keys count. */
static int question(struct user *u, const char *text)
{
    int fd = prompt_request(&u->s, text);

    expect_seen(u, "refuses: ");
    (void)poll(NULL, 0, DEAF_MS);
    return fd;
}

static void types(struct user *u, const char *keys)
{
    send_bytes(u->terminal, keys, strlen(keys));
}

static void a_line_is_the_answer(void **state)
{
    static const struct {
        const char *request, *keys, *answer, *seen;
    } cases[] = {
        {ASK("mail", "work"), "1\n", "allow:vault", "allowed to vault\r\n"},
        {ASK("mail", "work"), "2\n", "allow:work", "allowed to work\r\n"},
        {ASK("mail", "work"), "\n", "allow:work", "allowed to work\r\n"},
        {ASK("mail", "work"), "\033", "deny", "refused\r\n"},
        {ASK("mail", "work"), "1\033", "deny", "refused\r\n"},
        {ASK("mail", "work"), "\033[A", "deny", "refused\r\n"}, /* an arrow */
        {ASK("mail", "work"), "\033\n", "deny", "refused\r\n"},
        {ASK("mail", "work"), "\004", "deny", "refused\r\n"},
        {ASK("mail", "work"), "1\004\004", "deny", "refused\r\n"},
        {ASK("mail", ""), "1\n", "allow:vault", "allowed to vault\r\n"},
        {KEEP("mail", ""), "1\n", "allow:vault", "allowed to vault\r\n"},
        {KEEP("mail", ""), "1 session\n", "allow:vault\nkeep=session\n", "for this session\r\n"},
        {KEEP("mail", ""), "2 1h\n", "allow:work\nkeep=3600\n", "for 1 hour\r\n"},
    };
    struct user u;

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = question(&u, cases[i].request);

        types(&u, cases[i].keys);
        expect_text(fd, cases[i].answer);
        expect_seen(&u, cases[i].seen);
    }
    end(&u);
}

static void what_is_typed_too_early_is_thrown_away(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    types(&u, "1\n1\n\n1"); /* before there was a question */
    fd = prompt_request(&u.s, ASK("mail", "work"));
    expect_seen(&u, "refuses: ");
    types(&u, "1\n\n1"); /* it has just come */
    (void)poll(NULL, 0, DEAF_MS);
    expect_silence(fd);
    types(&u, "2\n"); /* and not 12 or 112 */
    expect_text(fd, "allow:work");
    end(&u);
}

/* Answers nothing; the question comes again, and is deaf again. */
static void stray(struct user *u, const char *keys)
{
    types(u, keys);
    expect_seen(u, "refuses: ");
    (void)poll(NULL, 0, DEAF_MS);
}

static void enter_without_a_choice_answers_nothing(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", ""));
    stray(&u, "\n");
    stray(&u, "3\n");
    stray(&u, "1 session\n"); /* who asks would not understand it */
    expect_silence(fd);
    types(&u, "1\n");
    expect_text(fd, "allow:vault");
    end(&u);
}

static void a_part_of_a_name_searches(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    types(&u, "AUL\n");
    expect_seen(&u, "target    1) vault\r\n(only those with \"AUL\" in their names)\r\n");
    expect_seen(&u, "refuses: ");
    types(&u, "1\n"); /* too early: it has changed */
    (void)poll(NULL, 0, DEAF_MS);
    stray(&u, "\n"); /* what the policy proposed is no longer listed */
    stray(&u, "2\n");
    expect_silence(fd);
    types(&u, "1\n");
    expect_text(fd, "allow:vault");
    end(&u);
}

/* Enter held down since before the question came: the terminal sees it again and again. */
static void a_held_key_answers_nothing(void **state)
{
    static const char *const keys[] = {"\n", "\033"};

    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
        struct user u;
        int fd;

        begin(&u);
        fd = prompt_request(&u.s, ASK("mail", "work"));
        expect_seen(&u, "refuses: ");
        for (int i = 0; i < 40; i++) { /* 1.6 seconds */
            types(&u, keys[k]);
            (void)poll(NULL, 0, 40);
        }
        expect_silence(fd);
        (void)poll(NULL, 0, DEAF_MS);
        types(&u, "2\n");
        expect_text(fd, "allow:work");
        end(&u);
    }
}

/* As it was: a shell that goes on there edits its lines as before. */
static void the_terminal_is_left_as_it_was(void **state)
{
    struct termios before, with, after;
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    assert_int_equal(tcgetattr(u.terminal, &before), 0);
    fd = question(&u, ASK("mail", "work"));
    assert_int_equal(tcgetattr(u.terminal, &with), 0);
    assert_int_equal(with.c_cc[VEOL], '\033');
    types(&u, "1\n");
    expect_text(fd, "allow:vault");
    expect_seen(&u, "allowed to vault\r\n");
    assert_int_equal(tcgetattr(u.terminal, &after), 0);
    assert_memory_equal(before.c_cc, after.c_cc, sizeof(before.c_cc));
    end(&u);
}

static void nothing_is_asked_while_the_screen_is_locked(void **state)
{
    struct user u;
    struct desktop *d;
    int fd;

    (void)state;
    prompt_prepare(&u.s);
    d = desktop_begin(&u.s, true);
    begin_agent(&u);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    expect_silence(u.terminal);
    desktop_lock(d, false);
    expect_seen(&u, "refuses: ");
    desktop_lock(d, true);
    expect_seen(&u, "(asked again when the screen is unlocked)\r\n");
    types(&u, "2\n");
    (void)poll(NULL, 0, DEAF_MS);
    expect_silence(fd);
    desktop_lock(d, false);
    expect_seen(&u, "refuses: ");
    (void)poll(NULL, 0, DEAF_MS);
    types(&u, "1\n"); /* and not 2 before it */
    expect_text(fd, "allow:vault");
    desktop_end(d);
    end(&u);
}

static void logind_locks_too_and_who_is_gone_does_not(void **state)
{
    struct user u;
    struct desktop *d;
    int fd;

    (void)state;
    prompt_prepare(&u.s);
    d = desktop_begin(&u.s, true);
    desktop_hint(d, true);
    begin_agent(&u);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    expect_silence(u.terminal);
    desktop_lose_saver(d);
    expect_silence(u.terminal);
    desktop_hint(d, false);
    expect_seen(&u, "refuses: ");
    close(fd);
    desktop_end(d);
    end(&u);
}

static void keys_that_follow_an_answer_do_not_answer_the_next(void **state)
{
    struct user u;
    int first, second;

    (void)state;
    begin(&u);
    first = question(&u, ASK("mail", "work"));
    second = prompt_request(&u.s, ASK("mail", "work"));
    expect_silence(second);
    types(&u, "1\n1\n1\n");
    expect_text(first, "allow:vault");
    expect_seen(&u, "refuses: ");
    (void)poll(NULL, 0, DEAF_MS);
    expect_silence(second);
    types(&u, "\n");
    expect_text(second, "allow:work");
    end(&u);
}

static void one_question_stands_at_a_time_in_order(void **state)
{
    static const char *const requests[] = {ASK("first", ""), ASK("second", ""), ASK("third", "")};
    static const char *const sources[] = {"source    first\r\n", "source    second\r\n",
                                          "source    third\r\n"};
    struct user u;
    int fds[ARRAY_SIZE(requests)];

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        fds[i] = prompt_request(&u.s, requests[i]);
        (void)poll(NULL, 0, 20);
    }
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        expect_seen(&u, sources[i]);
        expect_seen(&u, "refuses: ");
        (void)poll(NULL, 0, DEAF_MS);
        types(&u, "2\n");
        expect_text(fds[i], "allow:work");
    }
    end(&u);
}

static void a_question_that_is_given_up_makes_place(void **state)
{
    struct user u;
    int first, second, third;

    (void)state;
    begin(&u);
    first = question(&u, ASK("first", ""));
    second = prompt_request(&u.s, ASK("second", ""));
    third = prompt_request(&u.s, ASK("third", ""));
    (void)poll(NULL, 0, 50);
    close(second); /* while it waits */
    (void)poll(NULL, 0, 50);
    types(&u, "1"); /* half an answer to the first */
    close(first);   /* while it stands */
    expect_seen(&u, "(the call was given up)\r\n");
    expect_seen(&u, "source    third\r\n");
    (void)poll(NULL, 0, DEAF_MS);
    types(&u, "2\n");
    expect_text(third, "allow:work");
    end(&u);
}

static void a_notice_is_a_line_and_waits_for_a_question(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    expect_text(prompt_request(&u.s, NOTIFY), "");
    expect_seen(&u, "denied: a.B+: mail -> work\r\n");
    fd = question(&u, ASK("mail", ""));
    expect_text(prompt_request(&u.s, NOTIFY), "");
    expect_silence(u.terminal);
    types(&u, "2\n");
    expect_text(fd, "allow:work");
    expect_seen(&u, "allowed to work\r\n");
    expect_silence(u.terminal); /* the second one within a minute is counted alone */
    fd = question(&u, ASK("mail", ""));
    expect_text(prompt_request(&u.s, NOTIFY_OF("work")), "");
    expect_silence(u.terminal);
    types(&u, "2\n");
    expect_text(fd, "allow:work");
    expect_seen(&u, "allowed to work\r\ndenied: a.B+: work -> work\r\n");
    end(&u);
}

static void what_is_no_request_is_closed_without_an_answer(void **state)
{
    static const char *const bad[] = {
        "policy.Ask mail name dom0%c{}", "policy.Other dom0%c{}",
        "policy.Ask dom0%cnonsense",     "policy.Ask dom0%c{\"source\":\"mail\"}",
        "policy.Notify dom0%c{}",        ASK("ma\033il", ""),
    };
    struct user u;

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        expect_text(prompt_request(&u.s, bad[i]), "");
        expect_seen(&u, "(a request is refused: ");
    }
    end(&u);
}

static void a_domain_that_floods_is_refused_and_others_are_not(void **state)
{
    struct user u;
    int fds[9], other;

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = prompt_request(&u.s, ASK("flood", ""));
        (void)poll(NULL, 0, 5);
    }
    expect_text(fds[8], "");
    other = prompt_request(&u.s, ASK("mail", ""));
    expect_silence(other);
    for (size_t i = 0; i < 8; i++)
        close(fds[i]);
    expect_seen(&u, "(a request for a.B is refused: 8 others of flood wait)\r\n");
    expect_seen(&u, "source    mail\r\n");
    (void)poll(NULL, 0, DEAF_MS);
    types(&u, "1\n");
    expect_text(other, "allow:vault");
    end(&u);
}

static void there_is_a_limit_to_those_who_wait(void **state)
{
    struct user u;
    _cleanup_(freep) char *path = NULL;
    int fds[80];
    size_t refused = 0;

    (void)state;
    begin(&u);
    path = stage_path(&u.s, SOCKET);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        assert_int_equal(unix_connect(path, &fds[i]), 0); /* and they say nothing */
    expect_seen(&u, "(a request is refused: too many wait)\r\n");
    (void)poll(NULL, 0, 100);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct pollfd p = {.fd = fds[i], .events = POLLIN};

        refused += poll(&p, 1, 0) == 1;
        close(fds[i]);
    }
    assert_int_equal(refused, ARRAY_SIZE(fds) - 64);
    (void)poll(NULL, 0, 100);
    fds[0] = question(&u, ASK("mail", ""));
    types(&u, "1\n");
    expect_text(fds[0], "allow:vault");
    end(&u);
}

static void a_terminal_that_is_gone_ends_it(void **state)
{
    struct user u;
    int first, second;

    (void)state;
    begin(&u);
    first = question(&u, ASK("first", "work"));
    second = prompt_request(&u.s, ASK("second", "work"));
    (void)poll(NULL, 0, 50);
    close(u.terminal);
    expect_text(first, "deny");
    expect_text(second, "");
    assert_int_equal(spawn_wait(u.agent), 1);
    expect_gone(&u.s, SOCKET);
    test_rmdir(u.s.root);
}

static void the_end_of_it_refuses_who_waits(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    end(&u);
    expect_text(fd, "");
}

/* The real policy daemon, by the link that is installed. */
static void a_call_is_asked_about_from_end_to_end(void **state)
{
    static struct policy_stage p;
    _cleanup_(freep) char *link = NULL, *answer = NULL, *twin = NULL;
    struct user u = {.n = 0};
    int slave, fd;

    (void)state;
    policy_begin(&p, "a.Ask * work personal ask notify=yes\n");
    link = stage_path(&p.s, "/etc/qubes-rpc/policy.Ask");
    twin = stage_path(&p.s, "/etc/qubes-rpc/policy.Notify");
    assert_int_equal(symlink("../../run/qubes/policy-agent.sock", link), 0);
    assert_int_equal(symlink("../../run/qubes/policy-agent.sock", twin), 0);
    u.s.root = p.s.root;
    slave = open_terminal(&u.terminal);
    u.agent = prompt_start(&u.s, (const char *const[]){"--terminal", NULL}, slave);
    close(slave);
    expect_seen(&u, "/run/qubes/policy-agent.sock).\r\n");
    expect_answer(&p, REQUEST("work", "nobody", "a.None"), DENY);
    expect_seen(&u, "denied: a.None+: work -> nobody\r\n");
    fd = caller_begin(&p, REQUEST("work", "personal", "a.Ask+x"));
    expect_seen(&u, "refuses: ");
    (void)poll(NULL, 0, DEAF_MS);
    types(&u, "1\n");
    answer = policy_read(&p, fd);
    assert_non_null(strstr(answer, "result=allow\n"));
    expect_seen(&u, "allowed: a.Ask+x: work -> personal\r\n");
    close(fd);
    assert_int_equal(kill(u.agent, SIGTERM), 0);
    assert_int_equal(spawn_wait(u.agent), 0);
    expect_answer(&p, REQUEST("work", "personal", "a.Ask"), DENY);
    close(u.terminal);
    policy_end(&p);
}

static void it_does_not_start_where_it_cannot_ask(void **state)
{
    static const struct {
        const char *options[4];
        int code;
    } cases[] = {
        {{"--help"}, 0},     {{"--nothing"}, 2},          {{"--terminal", "more"}, 2},
        {{"--terminal"}, 1}, {{"-s", "/tmp/nowhere"}, 1}, /* no terminal, no display */
    };
    _cleanup_(freep) char *path = NULL;
    struct user u;
    int slave, other;

    (void)state;
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(spawn_wait(prompt_start(&u.s, cases[i].options, -1)), cases[i].code);
    path = stage_path(&u.s, SOCKET);
    slave = open_terminal(&other); /* a second one for the same socket */
    assert_int_equal(
        spawn_wait(prompt_start(
            &u.s, (const char *const[]){"--terminal", "--socket-path", path, NULL}, slave)),
        1);
    close(slave);
    close(other);
    end(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_the_answer),
        cmocka_unit_test(what_is_typed_too_early_is_thrown_away),
        cmocka_unit_test(enter_without_a_choice_answers_nothing),
        cmocka_unit_test(a_part_of_a_name_searches),
        cmocka_unit_test(a_held_key_answers_nothing),
        cmocka_unit_test(the_terminal_is_left_as_it_was),
        cmocka_unit_test(nothing_is_asked_while_the_screen_is_locked),
        cmocka_unit_test(logind_locks_too_and_who_is_gone_does_not),
        cmocka_unit_test(keys_that_follow_an_answer_do_not_answer_the_next),
        cmocka_unit_test(one_question_stands_at_a_time_in_order),
        cmocka_unit_test(a_question_that_is_given_up_makes_place),
        cmocka_unit_test(a_notice_is_a_line_and_waits_for_a_question),
        cmocka_unit_test(what_is_no_request_is_closed_without_an_answer),
        cmocka_unit_test(a_domain_that_floods_is_refused_and_others_are_not),
        cmocka_unit_test(there_is_a_limit_to_those_who_wait),
        cmocka_unit_test(a_terminal_that_is_gone_ends_it),
        cmocka_unit_test(the_end_of_it_refuses_who_waits),
        cmocka_unit_test(a_call_is_asked_about_from_end_to_end),
        cmocka_unit_test(it_does_not_start_where_it_cannot_ask),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
