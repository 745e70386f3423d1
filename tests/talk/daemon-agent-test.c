/*
 * qrexec-daemon and its agent: pieces, a reader that does not read; going to the background. What
 * it says and hears is in the tables of daemon-agent-talks-test.c.
 */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/notify.h"
#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static void messages_may_come_in_pieces(void **state)
{
    struct bytes b = {.len = 0};
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    put_u32(&b, TRIGGER4);
    put_u32(&b, 64 + 64 + 32 + 10);
    put_field(&b, "", 64);
    put_field(&b, "work", 64);
    put_field(&b, "SOCKET1", 32);
    put_field(&b, "test.Echo", 10);
    for (size_t i = 0; i < b.len; i++)
        send_bytes(s.agent, b.data + i, 1);
    policy_answers(&s, "intended_target=work\n", "result=deny\n");
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void an_agent_that_reads_nothing_is_not_read_from(void **state)
{
    struct stage s;
    int size = 4096;
    struct bytes b = {.len = 0};
    size_t sent = 0;

    (void)state;
    stage_begin(&s, 4);
    (void)setsockopt(s.agent, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert_int_equal(fd_set_nonblock(s.agent, true), 0);
    put_u32(&b, TRIGGER4);
    put_u32(&b, 64 + 64 + 32 + 1);
    put_field(&b, "", 160 + 1); /* no service: refused without asking */
    while (sent < 200000) {
        struct pollfd p = {.fd = s.agent, .events = POLLOUT};

        if (poll(&p, 1, 300) != 1 || write(s.agent, b.data, b.len) != (ssize_t)b.len)
            break;
        sent++;
    }
    assert_true(sent < 200000); /* it stopped reading: what it must hold is limited */
    assert_true(sent > 100);
    assert_int_equal(fd_set_nonblock(s.agent, false), 0);
    expect_refused(s.agent, "");
    stage_end(&s);
}

static pid_t start_in_background(struct stage *s, const char *name, const char *value)
{
    static const char *const none[] = {NULL};
    pid_t pid;

    setenv(name, value, 1);
    pid = stage_spawn(s, none, -1);
    unsetenv(name);
    return pid;
}

static void drop_stage(struct stage *s)
{
    close_fd(&s->agent);
    close_fd(&s->control);
    close_fd(&s->policy);
    test_rmdir(s->root);
}

/* The daemon in the background ends with the stage: its pid comes from the socket's peer. */
static void end_background(struct stage *s)
{
    pid_t pid = 0;
    uid_t uid;

    assert_int_equal(unix_peer(s->agent, &pid, &uid), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    expect_closed(s->agent);
    drop_stage(s);
}

static void in_the_background_it_returns_when_the_agent_has_answered(void **state)
{
    struct stage s;
    pid_t pid;

    (void)state;
    stage_prepare(&s);
    pid = start_in_background(&s, "QREXEC_STARTUP_TIMEOUT", "20");
    s.agent = stage_accept(s.control);
    assert_int_equal(poll(NULL, 0, 50), 0);
    expect_gone(&s, "/run/qubes/qrexec.1");
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    assert_int_equal(spawn_wait(pid), 0);
    expect_there(&s, "/run/qubes/qrexec.email");
    expect_there(&s, "/var/log/qubes/qrexec.email.log");
    end_background(&s);
}

static void it_is_ready_when_the_agent_has_answered(void **state)
{
    static const char *const options[] = {"-D", NULL};
    struct stage s;
    char text[64] = "";
    int notices;

    (void)state;
    stage_prepare(&s);
    {
        _cleanup_(freep) char *path = stage_path(&s, "/notify");

        assert_int_equal(notify_server(path, &notices), 0);
        setenv("NOTIFY_SOCKET", path, 1);
        s.daemon = stage_spawn(&s, options, -1);
        unsetenv("NOTIFY_SOCKET");
    }
    s.agent = stage_accept(s.control);
    expect_silence(notices);
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    {
        struct pollfd p = {.fd = notices, .events = POLLIN};

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    }
    assert_true(read(notices, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "READY=1"));
    close(notices);
    stage_end(&s);
}

/* "email.new" is a domain's name as any other. */
static void another_domains_link_stays(void **state)
{
    static const char *const options[] = {"-D", NULL};
    _cleanup_(freep) char *link = NULL;
    char to[16] = "";
    struct stage s;

    (void)state;
    stage_prepare(&s);
    link = stage_path(&s, "/run/qubes/qrexec.email.new");
    assert_int_equal(symlink("qrexec.9", link), 0);
    s.daemon = stage_spawn(&s, options, -1);
    s.agent = stage_accept(s.control);
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    close(client_begin(&s));
    assert_int_equal(readlink(link, to, sizeof(to)), 8);
    assert_memory_equal(to, "qrexec.9", 8);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_may_come_in_pieces),
        cmocka_unit_test(an_agent_that_reads_nothing_is_not_read_from),
        cmocka_unit_test(in_the_background_it_returns_when_the_agent_has_answered),
        cmocka_unit_test(it_is_ready_when_the_agent_has_answered),
        cmocka_unit_test(another_domains_link_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
