/*
 * The real qrexec-policy-agent on a terminal of ours: what it shows, and what a key does when.
 */
#include "tests/unit/test.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define QUESTION                                                                                   \
    "{\"source\":\"email\",\"service\":\"qubes.OpenURL\",\"argument\":\"+\","                      \
    "\"targets\":[\"web\",\"work\"],\"default_target\":\"work\",\"icons\":{}}"
#define NO_DEFAULT                                                                                 \
    "{\"source\":\"email\",\"service\":\"second.Service\",\"argument\":\"+\","                     \
    "\"targets\":[\"web\"],\"default_target\":\"\",\"icons\":{}}"

struct stage {
    char *dir;
    char socket[256], shown[65536];
    size_t n_shown;
    int terminal; /* the master's side */
    pid_t pid;
};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    const char *build = getenv("builddir");
    char program[4096], *argv[] = {program, "--terminal", "-s", s->socket, NULL};
    int slave, fds[3];
    struct spawn spawn = {.path = program, .argv = argv, .fds = fds, .n_fds = 3};

    s->dir = test_mkdir();
    assert_int_equal(format(s->socket, sizeof(s->socket), "%s/agent.sock", s->dir), 0);
    assert_int_equal(format(program, sizeof(program), "%s/policy-engine/prompt/qrexec-policy-agent",
                            build ? build : "."),
                     0);
    s->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(s->terminal >= 0);
    assert_int_equal(grantpt(s->terminal) | unlockpt(s->terminal), 0);
    slave = open(ptsname(s->terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    fds[0] = fds[1] = fds[2] = slave;
    assert_int_equal(spawn_process(&spawn, &s->pid, NULL), 0);
    close(slave);
    for (int i = 0; i < 500 && access(s->socket, F_OK) < 0; i++)
        usleep(10000);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    if (s->pid) {
        kill(s->pid, SIGTERM);
        assert_int_equal(spawn_wait(s->pid), 0);
    }
    assert_int_equal(access(s->socket, F_OK), -1);
    if (s->terminal >= 0)
        close(s->terminal);
    test_rmdir(s->dir);
    free(s);
    return 0;
}

/* Reads the terminal until text is on it. */
static void expect_shown(struct stage *s, const char *text)
{
    uint64_t deadline = clock_ms() + 5000;

    while (!strstr(s->shown, text)) {
        struct pollfd p = {.fd = s->terminal, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, deadline_left(deadline)) != 1)
            fail_msg("not shown: %s; but: %s", text, s->shown);
        n = read(s->terminal, s->shown + s->n_shown, sizeof(s->shown) - 1 - s->n_shown);
        assert_true(n > 0);
        s->n_shown += (size_t)n;
    }
}

static void forget_shown(struct stage *s)
{
    memset(s->shown, 0, sizeof(s->shown));
    s->n_shown = 0;
}

static void type(struct stage *s, const char *keys)
{
    assert_int_equal(write(s->terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static int ask(struct stage *s, const char *descriptor, const char *json)
{
    int fd = -1;

    assert_int_equal(unix_connect(s->socket, &fd), 0);
    assert_int_equal(write_full(fd, descriptor, strlen(descriptor) + 1), 0);
    assert_int_equal(write_full(fd, json, strlen(json)), 0);
    shutdown(fd, SHUT_WR);
    return fd;
}

static void expect_answer(int fd, const char *expected)
{
    char got[256] = "";
    size_t n = 0;

    while (n < sizeof(got) - 1 && read_full_until(fd, got + n, 1, clock_ms() + 5000) == 0)
        n++;
    assert_string_equal(got, expected);
    close(fd);
}

static bool answered(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static void a_number_allows_that_target(void **state)
{
    struct stage *s = *state;
    int fd = ask(s, "policy.Ask dom0 name dom0", QUESTION);

    expect_shown(s, "email wants to call qubes.OpenURL");
    expect_shown(s, "anything else denies): ");
    type(s, "1\n");
    expect_answer(fd, "allow:web");
}

static void enter_takes_the_default_only_where_there_is_one(void **state)
{
    struct stage *s = *state;
    int fd = ask(s, "policy.Ask dom0 name dom0", QUESTION);

    expect_shown(s, "denies): ");
    type(s, "\n");
    expect_answer(fd, "allow:work");
    forget_shown(s);
    fd = ask(s, "policy.Ask dom0", NO_DEFAULT);
    expect_shown(s, "denies): ");
    type(s, "\n");
    expect_answer(fd, "deny");
}

static void keys_before_and_just_after_it_appears_allow_nothing(void **state)
{
    struct stage *s = *state;
    int fd;

    type(s, "1\n1\n1");
    fd = ask(s, "policy.Ask dom0 name dom0", QUESTION);
    expect_shown(s, "work   [default]");
    type(s, "\n1\n");
    expect_shown(s, "denies): ");
    usleep(100000);
    assert_false(answered(fd));
    type(s, "no\n");
    expect_answer(fd, "deny");
}

static void one_question_at_a_time_and_the_second_hears_no_key_of_the_first(void **state)
{
    struct stage *s = *state;
    int a = ask(s, "policy.Ask dom0 name dom0", QUESTION), b;

    expect_shown(s, "denies): ");
    b = ask(s, "policy.Ask dom0 name dom0", NO_DEFAULT);
    usleep(50000);
    assert_null(strstr(s->shown, "second.Service"));
    type(s, "2\n1\n1\n");
    expect_answer(a, "allow:work");
    expect_shown(s, "second.Service");
    assert_false(answered(b));
    forget_shown(s);
    expect_shown(s, "denies): ");
    type(s, "1\n");
    expect_answer(b, "allow:web");
}

static void a_caller_that_goes_away_takes_its_question_along(void **state)
{
    struct stage *s = *state;
    int a = ask(s, "policy.Ask dom0 name dom0", QUESTION), b;

    expect_shown(s, "denies): ");
    b = ask(s, "policy.Ask dom0 name dom0", NO_DEFAULT);
    close(a);
    expect_shown(s, "Withdrawn");
    expect_shown(s, "second.Service");
    forget_shown(s);
    expect_shown(s, "denies): ");
    type(s, "1\n");
    expect_answer(b, "allow:web");
}

static void the_end_of_input_denies_and_ends_the_agent(void **state)
{
    struct stage *s = *state;
    int a = ask(s, "policy.Ask dom0 name dom0", QUESTION);
    int b = ask(s, "policy.Ask dom0 name dom0", QUESTION);

    expect_shown(s, "denies): ");
    usleep(50000);
    type(s, "\004");
    expect_answer(a, "deny");
    expect_answer(b, "deny");
    assert_int_equal(spawn_wait(s->pid), 0);
    s->pid = 0;
}

static void a_terminal_that_closes_denies(void **state)
{
    struct stage *s = *state;
    int a = ask(s, "policy.Ask dom0 name dom0", QUESTION);

    expect_shown(s, "denies): ");
    close(s->terminal);
    s->terminal = -1;
    expect_answer(a, "deny");
    assert_int_equal(spawn_wait(s->pid), 0);
    s->pid = 0;
}

static void a_notice_shows_and_is_answered_by_nothing(void **state)
{
    struct stage *s = *state;
    int fd = ask(s, "policy.Notify dom0 name dom0",
                 "{\"resolution\":\"deny\",\"source\":\"email\",\"service\":\"s\","
                 "\"argument\":\"+x\",\"target\":\"work\"}");

    expect_answer(fd, "");
    expect_shown(s, "Denied: email calls s+x in work");
}

static void nonsense_is_closed_without_an_answer(void **state)
{
    struct stage *s = *state;

    expect_answer(ask(s, "policy.Ask dom0", "{"), "");
    expect_answer(ask(s, "policy.Ask work", QUESTION), "");
    expect_answer(ask(s, "qubes.Shell dom0", QUESTION), "");
    a_number_allows_that_target(state);
}

static void a_flood_is_refused_over_the_limit_and_silence_harms_nobody(void **state)
{
    struct stage *s = *state;
    int silent[70], n_closed = 0, fd;

    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        assert_int_equal(unix_connect(s->socket, &silent[i]), 0);
    usleep(200000);
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
        n_closed += answered(silent[i]);
        close(silent[i]);
    }
    assert_int_equal(n_closed, 6);
    usleep(100000);
    fd = ask(s, "policy.Ask dom0 name dom0", QUESTION);
    expect_shown(s, "denies): ");
    type(s, "2\n");
    expect_answer(fd, "allow:work");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_allows_that_target),
        TEST(enter_takes_the_default_only_where_there_is_one),
        TEST(keys_before_and_just_after_it_appears_allow_nothing),
        TEST(one_question_at_a_time_and_the_second_hears_no_key_of_the_first),
        TEST(a_caller_that_goes_away_takes_its_question_along),
        TEST(the_end_of_input_denies_and_ends_the_agent),
        TEST(a_terminal_that_closes_denies),
        TEST(a_notice_shows_and_is_answered_by_nothing),
        TEST(nonsense_is_closed_without_an_answer),
        TEST(a_flood_is_refused_over_the_limit_and_silence_harms_nobody),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
