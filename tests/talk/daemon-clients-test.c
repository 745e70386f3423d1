/* qrexec-daemon and its clients: dom0's qrexec-client, other domains' daemons; ports. */
#include "tests/talk/daemon-stage.h"

static int served(struct stage *s, uint32_t port, const char *command)
{
    int fd = client_begin(s);

    send_exec(fd, EXEC, 0, 0, command);
    expect_peer(fd, EXEC, 1, port);
    expect_exec(s->agent, EXEC, 0, port, command);
    return fd;
}

static void a_command_gets_a_port_and_reaches_the_agent(void **state)
{
    struct stage s;
    int a, b;

    (void)state;
    stage_begin(&s, 4);
    a = served(&s, 513, "user:ls");
    b = served(&s, 514, "user:ls -l");
    expect_silence(a);
    send_peer(s.agent, TERMINATED, 0, 513);
    expect_closed(a);
    expect_silence(b);
    close(a);
    a = served(&s, 513, "user:again");
    close(a);
    close(b);
    stage_end(&s);
}

static void just_exec_is_answered_in_kind(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    fd = client_begin(&s);
    send_exec(fd, JUST_EXEC, 0, 0, "user:ls");
    expect_peer(fd, JUST_EXEC, 1, 513);
    expect_exec(s.agent, JUST_EXEC, 0, 513, "user:ls");
    close(fd);
    stage_end(&s);
}

static void default_is_the_default_user(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    fd = client_begin(&s);
    send_exec(fd, EXEC, 0, 0, "DEFAULT:QUBESRPC a+ dom0");
    expect_peer(fd, EXEC, 1, 513);
    expect_exec(s.agent, EXEC, 0, 513, "user:QUBESRPC a+ dom0");
    close(fd);
    stage_end(&s);
}

static void the_longest_command_passes(void **state)
{
    static char text[65535 - 8];
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "DEFAULT:", 8);
    stage_begin(&s, 4);
    fd = client_begin(&s);
    send_exec(fd, EXEC, 0, 0, text);
    expect_peer(fd, EXEC, 1, 513);
    expect_message(s.agent, EXEC, &b);
    assert_int_equal(b.len, 65535 - 3); /* user instead of DEFAULT */
    close(fd);
    stage_end(&s);
}

static void a_client_that_leaves_keeps_its_port_taken(void **state)
{
    struct stage s;
    int a;

    (void)state;
    stage_begin(&s, 4);
    a = served(&s, 513, "user:ls");
    close(a);
    a = served(&s, 514, "user:ls");
    close(a);
    send_peer(s.agent, TERMINATED, 0, 513);
    a = served(&s, 513, "user:ls");
    close(a);
    stage_end(&s);
}

static void ports_stay_taken_over_an_agents_restart(void **state)
{
    struct stage s;
    int a;

    (void)state;
    stage_begin(&s, 4);
    a = served(&s, 513, "user:ls");
    close_fd(&s.agent);
    expect_closed(a); /* what its calls keep ends */
    close(a);
    s.agent = stage_accept(s.control);
    expect_gone(&s, "/run/qubes/qrexec.1");
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    expect_refused(s.agent, "held.0.513");
    a = served(&s, 514, "user:ls");
    close(a);
    stage_end(&s);
}

static void the_lower_domain_allots_even_ports(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    for (uint32_t port = 514; port <= 518; port += 2) {
        fd = client_begin(&s);
        send_exec(fd, EXEC, 3, 0, "user:QUBESRPC a+ work");
        expect_peer(fd, EXEC, 1, port);
        expect_exec(s.agent, EXEC, 3, port, "user:QUBESRPC a+ work");
        close(fd);
    }
    stage_end(&s);
}

static void dropped(struct stage *s, int fd)
{
    expect_closed(fd);
    close(fd);
    expect_silence(s->agent);
}

static void a_client_that_breaks_a_rule_is_dropped_alone(void **state)
{
    struct bytes b = {.len = 4};
    struct stage s;
    int fd, good;

    (void)state;
    stage_begin(&s, 4);
    good = served(&s, 513, "user:ls");
    fd = client_begin(&s);
    send_exec(fd, EXEC, 0, 600, "user:ls"); /* names a port */
    dropped(&s, fd);
    fd = client_begin(&s);
    send_exec(fd, EXEC, 1, 0, "user:ls"); /* to itself */
    dropped(&s, fd);
    fd = client_begin(&s);
    send_message(fd, EXEC, &b); /* too short */
    dropped(&s, fd);
    fd = client_begin(&s);
    send_hello(fd, 3); /* twice */
    dropped(&s, fd);
    fd = client_begin(&s);
    send_peer(fd, TERMINATED, 0, 513); /* not for a client */
    dropped(&s, fd);
    fd = client_begin(&s);
    send_connect(fd, 0, 0, "SOCKET1"); /* nothing waits */
    dropped(&s, fd);
    send_bytes(good, "x", 1); /* more than its request */
    dropped(&s, good);
    stage_end(&s);
}

static void an_old_client_is_refused(void **state)
{
    struct stage s;
    int fd = -1;

    (void)state;
    stage_begin(&s, 4);
    {
        _cleanup_(freep) char *path = stage_path(&s, "/run/qubes/qrexec.uuid:" STAGE_UUID);

        assert_int_equal(unix_connect(path, &fd), 0);
    }
    expect_hello(fd, 3);
    send_hello(fd, 2);
    dropped(&s, fd);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_gets_a_port_and_reaches_the_agent),
        cmocka_unit_test(just_exec_is_answered_in_kind),
        cmocka_unit_test(default_is_the_default_user),
        cmocka_unit_test(the_longest_command_passes),
        cmocka_unit_test(a_client_that_leaves_keeps_its_port_taken),
        cmocka_unit_test(ports_stay_taken_over_an_agents_restart),
        cmocka_unit_test(the_lower_domain_allots_even_ports),
        cmocka_unit_test(a_client_that_breaks_a_rule_is_dropped_alone),
        cmocka_unit_test(an_old_client_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
