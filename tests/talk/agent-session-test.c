/*
 * A user's session, which the calls of that user share: one login, replaced when it is gone or out
 * of date, and no call that is lost or run twice by that. Only root's agent makes logins.
 */
#include "tests/talk/agent-peer.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/login.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_start(&world, 4);
    service_write(&world, "test.Parent",
                  "#!/bin/sh\nsed -n 's/^PPid:[^0-9]*//p' /proc/$QREXEC_AGENT_PID/status\n", 0755);
    service_write(&world, "test.Cat", "#!/bin/sh\nexec cat\n", 0755);
    service_write(&world, "test.Setup", "#!/bin/sh\numask\necho \"$PATH\"\necho \"$HOME\"\n", 0755);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

static const char *line(const char *command)
{
    static char text[8192];

    assert_int_equal(format(text, sizeof(text), "%s:%s", world.user, command), 0);
    return text;
}

/* The process that holds the session. */
static pid_t session_of(const char *command)
{
    struct outcome o;
    pid_t pid;

    call_run(&world, EXEC_CMDLINE, 513, line(command), "", &o);
    assert_int_equal(o.code, 0);
    pid = (pid_t)atoi(o.out);
    assert_true(pid > 1);
    return pid;
}

#define PARENT "QUBESRPC test.Parent+ email"
#define SHELL  "sed -n 's/^PPid:[^0-9]*//p' /proc/$QREXEC_AGENT_PID/status"

static void end_session(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    for (int i = 0; i < WAIT_MS && kill(pid, 0) == 0; i++)
        (void)poll(NULL, 0, 1);
    assert_int_not_equal(kill(pid, 0), 0);
}

static void calls_of_a_user_share_a_session(void **state)
{
    pid_t pid = session_of(PARENT);

    (void)state;
    assert_int_not_equal(pid, world.agent);
    assert_int_equal(session_of(PARENT), pid);
    assert_int_equal(session_of(SHELL), pid);
}

static void one_that_was_killed_is_replaced(void **state)
{
    pid_t pid = session_of(PARENT), next;

    (void)state;
    end_session(pid);
    next = session_of(PARENT);
    assert_int_not_equal(next, pid);
    assert_int_equal(session_of(PARENT), next);
}

static void a_call_outlives_its_session(void **state)
{
    int listener = vchan_serve(&world, 9, 520), fd;
    struct outcome o;
    struct message m;
    pid_t pid = session_of(PARENT);

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 520, line("QUBESRPC test.Cat+ email"));
    fd = vchan_accept(listener);
    message_send(fd, DATA_STDIN, "one", 3);
    message_expect(fd, DATA_STDOUT, &m);
    end_session(pid);
    message_send(fd, DATA_STDIN, "two", 3);
    message_send(fd, DATA_STDIN, NULL, 0);
    call_finish(fd, &o);
    assert_string_equal(o.out, "two");
    assert_int_equal(o.code, 0);
    expect_terminated(&world, 9, 520);
    close(listener);
}

/* What a session had not taken when it died is run by the next one, once. */
static void a_call_in_the_queue_is_not_lost(void **state)
{
    int listener = vchan_serve(&world, 9, 521), fd;
    struct outcome o;
    pid_t pid = session_of(PARENT);

    (void)state;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    send_exec(&world, EXEC_CMDLINE, 9, 521, line("QUBESRPC test.Cat+ email"));
    (void)poll(NULL, 0, 50); /* given, or given to the next one at once: both must do */
    end_session(pid);
    fd = vchan_accept(listener);
    message_send(fd, DATA_STDIN, "once", 4);
    message_send(fd, DATA_STDIN, NULL, 0);
    call_finish(fd, &o);
    assert_string_equal(o.out, "once");
    assert_int_equal(o.code, 0);
    expect_terminated(&world, 9, 521);
    expect_nothing(world.daemon);
    close(listener);
}

/* The agent finds all at once: that the caller was reached, the end, and a word for it. */
static void a_call_that_ended_before_a_word_is_over(void **state)
{
    static const char look[32] = "look.9.522";
    struct outcome o;
    int listener, fd;

    (void)state;
    (void)session_of(PARENT);
    send_exec(&world, EXEC_CMDLINE, 9, 522, line("QUBESRPC test.Cat+ email"));
    message_send(world.daemon, REFUSED, look, sizeof(look));
    message_expect(world.daemon, 0x2f0, &(struct message){0}); /* somebody carries it */
    assert_int_equal(kill(world.agent, SIGSTOP), 0);
    listener = vchan_serve(&world, 9, 522);
    fd = vchan_accept(listener);
    close(listener);
    message_send(fd, DATA_STDIN, NULL, 0);
    call_finish(fd, &o);
    assert_int_equal(o.code, 0);
    (void)poll(NULL, 0, 50); /* it has ended */
    message_send(world.daemon, REFUSED, look, sizeof(look));
    assert_int_equal(kill(world.agent, SIGCONT), 0);
    expect_terminated(&world, 9, 522);
    expect_nothing(world.daemon);
}

static void many_calls_wait_for_a_login(void **state)
{
    enum { N = 300 };
    int listeners[N];

    (void)state;
    end_session(session_of(PARENT));
    for (uint32_t i = 0; i < N; i++)
        listeners[i] = vchan_serve(&world, 9, 1000 + i);
    for (uint32_t i = 0; i < N; i++)
        send_exec(&world, EXEC_CMDLINE, 9, 1000 + i, line("QUBESRPC test.Cat+ email"));
    for (uint32_t i = 0; i < N; i++) {
        int fd = vchan_accept(listeners[i]);
        struct outcome o;

        message_send(fd, DATA_STDIN, &i, sizeof(i));
        message_send(fd, DATA_STDIN, NULL, 0);
        call_finish(fd, &o);
        assert_int_equal(o.code, 0);
        assert_int_equal(o.out_len, sizeof(i));
        assert_memory_equal(o.out, &i, sizeof(i));
        close(listeners[i]);
    }
    for (uint32_t i = 0; i < N; i++) {
        struct message m;

        message_expect(world.daemon, TERMINATED, &m);
    }
}

static char *said_by(const char *command)
{
    FILE *f = popen(command, "r");
    static char text[4096];
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = 0;
    pclose(f);
    return text;
}

/* As a login shell has it, which no longer starts each program. */
static void a_program_finds_what_the_profile_sets(void **state)
{
    struct outcome o;

    (void)state;
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Setup+ email"), "", &o);
    assert_int_equal(o.code, 0);
    assert_string_equal(
        o.out, said_by("cd; env -i HOME=\"$HOME\" USER=root LOGNAME=root "
                       "SHELL=/bin/sh PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:"
                       "/usr/sbin:/sbin sh -l -c 'umask; echo \"$PATH\"; echo \"$HOME\"'"));
}

static void who_cannot_log_in_gets_125(void **state)
{
    struct outcome o;

    (void)state;
    call_run(&world, EXEC_CMDLINE, 513, "nobody-of-that-name:true", "", &o);
    assert_int_equal(o.code, 125);
    call_run(&world, JUST_EXEC, 513, "nobody-of-that-name:true", "", &o);
    assert_int_equal(o.code, 125);
}

static void a_session_ends_with_the_agent(void **state)
{
    pid_t pid = session_of(PARENT);

    (void)state;
    close_fd(&world.daemon);
    assert_int_equal(kill(world.agent, SIGTERM), 0);
    assert_int_equal(spawn_wait(world.agent), 0);
    for (int i = 0; i < WAIT_MS && kill(pid, 0) == 0; i++)
        (void)poll(NULL, 0, 1);
    assert_int_not_equal(kill(pid, 0), 0);
    agent_start(&world);
    world.daemon = daemon_connect(&world, 4);
}

static void a_changed_profile_is_a_new_login(void **state)
{
    char *home = test_mkdir();
    char path[512];
    uint64_t before = login_stamp(home), after;
    int fd;

    (void)state;
    assert_int_equal(login_stamp(home), before);
    assert_int_equal(format(path, sizeof(path), "%s/.profile", home), 0);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    after = login_stamp(home);
    assert_int_not_equal(after, before);
    assert_int_equal(write(fd, "A=b\n", 4), 4);
    assert_int_not_equal(login_stamp(home), after);
    close(fd);
    test_rmdir(home);
}

int main(void)
{
    const struct CMUnitTest of_anybody[] = {cmocka_unit_test(a_changed_profile_is_a_new_login)};
    const struct CMUnitTest of_root[] = {
        cmocka_unit_test(calls_of_a_user_share_a_session),
        cmocka_unit_test(one_that_was_killed_is_replaced),
        cmocka_unit_test(a_call_outlives_its_session),
        cmocka_unit_test(a_call_in_the_queue_is_not_lost),
        cmocka_unit_test(a_call_that_ended_before_a_word_is_over),
        cmocka_unit_test(many_calls_wait_for_a_login),
        cmocka_unit_test(a_program_finds_what_the_profile_sets),
        cmocka_unit_test(who_cannot_log_in_gets_125),
        cmocka_unit_test(a_session_ends_with_the_agent),
    };
    int failed = cmocka_run_group_tests(of_anybody, NULL, NULL);

    if (geteuid() != 0)
        return failed;
    return failed + cmocka_run_group_tests(of_root, start, stop);
}
