/* A call's id: the policy service and the target's daemon are told it, and the logs have it. */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/call-id.h"
#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>

/* As stage_begin(), and what the daemon says goes to /log. */
static void begin_logged(struct stage *s)
{
    static const char *const options[] = {"-D", NULL};
    _cleanup_(closep) int out = -1;
    _cleanup_(freep) char *log = NULL;

    stage_prepare(s);
    log = stage_path(s, "/log");
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    s->daemon = stage_spawn(s, options, out);
    s->agent = stage_accept(s->control);
    send_hello(s->agent, 4);
    expect_hello(s->agent, 4);
}

/* The whole line of the log that has that text, now or soon; the caller frees. */
static char *logged(const struct stage *s, const char *text)
{
    _cleanup_(freep) char *path = stage_path(s, "/log");
    uint64_t deadline = clock_ms() + WAIT_MS;

    for (;;) {
        _cleanup_(freep) char *log = NULL;
        char *at, *start;
        size_t n;

        assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
        at = strstr(log, text);
        if (at && strchr(at, '\n')) {
            for (start = at; start > log && start[-1] != '\n';)
                start--;
            return strndup(start, strcspn(start, "\n"));
        }
        if (!deadline_left(deadline))
            fail_msg("the log has no \"%s\":\n%s", text, log);
        (void)poll(NULL, 0, 10);
    }
}

static int accept_id(int listener, enum call_id_to to, char ret[static CALL_ID_SIZE])
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int fd;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    fd = call_id_accept(listener, to, ret);
    assert_true(fd >= 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    return fd;
}

/* Decided, and on its way to the target's daemon. */
static int call_online(struct stage *s, int target, char asked[static CALL_ID_SIZE],
                       char told[static CALL_ID_SIZE])
{
    int fd;

    send_trigger(s->agent, "", "online", "SOCKET1", "test.Echo+a");
    fd = accept_id(s->policy, CALL_ID_POLICY, asked);
    free(read_until(fd, "\n\n"));
    send_bytes(fd, ALLOW("online", "online"), strlen(ALLOW("online", "online")));
    close(fd);
    fd = accept_id(target, CALL_ID_TARGET, told);
    send_hello(fd, 3);
    expect_hello(fd, 3);
    expect_exec(fd, EXEC, 1, 0, "DEFAULT:QUBESRPC test.Echo+a email");
    send_peer(fd, EXEC, 9, 514);
    expect_connect(s->agent, 9, 514, "SOCKET1");
    return fd;
}

static void the_policy_service_the_target_and_the_log_have_one_id(void **state)
{
    char asked[CALL_ID_SIZE], told[CALL_ID_SIZE];
    _cleanup_(freep) char *line = NULL;
    struct stage s;
    int target, peer;

    (void)state;
    begin_logged(&s);
    target = stage_listen(&s, TARGET_SOCKET);
    peer = call_online(&s, target, asked, told);
    assert_true(str_starts(asked, "email-"));
    assert_string_equal(asked, told);
    close(peer);
    send_peer(s.agent, TERMINATED, 9, 514);
    line = logged(&s, asked);
    assert_non_null(strstr(line, ": email -> online = online: test.Echo+a: over; us: deciding "));
    close(target);
    stage_end(&s);
}

/* The numbers of a line of stages, in the order of names; each must be there. */
static void read_stages(const char *line, const char *const *names, uint64_t *ret, size_t n)
{
    const char *at = strstr(line, "; us: ");

    for (size_t i = 0; i < n; i++) {
        assert_non_null(at);
        at = strstr(at, names[i]);
        if (!at)
            fail_msg("no \"%s\" in %s", names[i], line);
        ret[i] = strtoull(at + strlen(names[i]), NULL, 10);
    }
}

/* Each stage is held up for a while of its own. */
static void stages_are_measured_in_microseconds(void **state)
{
    static const char *const names[] = {" deciding ", " making ", " port ", " running "};
    char id[CALL_ID_SIZE];
    uint64_t us[ARRAY_SIZE(names)];
    _cleanup_(freep) char *line = NULL;
    struct stage s;
    int target, fd;

    (void)state;
    begin_logged(&s);
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    fd = accept_id(s.policy, CALL_ID_POLICY, id);
    free(read_until(fd, "\n\n"));
    (void)poll(NULL, 0, 30);
    send_bytes(fd, ALLOW("online", "online"), strlen(ALLOW("online", "online")));
    close(fd);
    fd = stage_accept(target);
    (void)poll(NULL, 0, 50);
    send_hello(fd, 3);
    expect_hello(fd, 3);
    expect_exec(fd, EXEC, 1, 0, "DEFAULT:QUBESRPC test.Echo+ email");
    send_peer(fd, EXEC, 9, 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    (void)poll(NULL, 0, 70);
    send_peer(s.agent, TERMINATED, 9, 514);
    line = logged(&s, id);
    read_stages(line, names, us, ARRAY_SIZE(names));
    assert_true(us[0] >= 29000 && us[2] >= 49000 && us[3] >= 69000);
    assert_true(us[0] < 1000 * WAIT_MS && us[2] < 1000 * WAIT_MS && us[3] < 1000 * WAIT_MS);
    assert_int_equal(us[1], 0);
    close(fd);
    close(target);
    stage_end(&s);
}

static void a_refused_call_is_logged_with_its_id(void **state)
{
    char id[CALL_ID_SIZE];
    _cleanup_(freep) char *line = NULL;
    struct stage s;
    int fd;

    (void)state;
    begin_logged(&s);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    fd = accept_id(s.policy, CALL_ID_POLICY, id);
    free(read_until(fd, "\n\n"));
    send_bytes(fd, "result=deny\n", 12);
    close(fd);
    expect_refused(s.agent, "SOCKET1");
    line = logged(&s, id);
    assert_non_null(strstr(line, ": email -> online: test.Echo: over: denied by the policy; us: "));
    stage_end(&s);
}

/* Another start of the daemon, and the next call: each has its own. */
static void ids_are_not_used_twice_over_a_restart(void **state)
{
    static const char *const options[] = {"-D", NULL};
    char ids[4][CALL_ID_SIZE];
    struct stage s;

    (void)state;
    begin_logged(&s);
    for (int i = 0; i < 4; i++) {
        int fd;

        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
        fd = accept_id(s.policy, CALL_ID_POLICY, ids[i]);
        close(fd);
        expect_refused(s.agent, "SOCKET1");
        if (i != 1)
            continue;
        kill(s.daemon, SIGKILL);
        (void)spawn_wait(s.daemon);
        close(s.agent);
        s.daemon = stage_spawn(&s, options, -1);
        s.agent = stage_accept(s.control);
        send_hello(s.agent, 4);
        expect_hello(s.agent, 4);
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    stage_end(&s);
}

/* ---- As the target ---- */

/* A daemon of another domain, or dom0's client, that has asked for that command. */
static int caller(struct stage *s, const char *id, uint32_t domain, uint32_t port,
                  const char *command)
{
    _cleanup_(freep) char *path = stage_path(s, "/run/qubes/qrexec.1");
    struct bytes b;
    int fd = -1;

    assert_int_equal(call_id_connect(path, id, CALL_ID_TARGET, &fd), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    expect_hello(fd, 3);
    send_hello(fd, 3);
    send_exec(fd, EXEC, domain, 0, command);
    expect_peer(fd, EXEC, 1, port);
    expect_message(s->agent, EXEC, &b);
    return fd;
}

static void the_targets_log_has_the_callers_id(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    begin_logged(&s);
    fd = caller(&s, "web-abc.7", 3, 514, "DEFAULT:QUBESRPC test.Echo+a web");
    (void)poll(NULL, 0, 20);
    send_peer(s.agent, TERMINATED, 3, 514);
    expect_closed(fd);
    {
        static const char *const names[] = {" port ", " running "};
        _cleanup_(freep) char *line = logged(&s, "call web-abc.7: ");
        uint64_t us[2];

        assert_non_null(strstr(line, "domain 3 -> email, port 514: test.Echo+a: over; us: port "));
        read_stages(line, names, us, 2);
        assert_true(us[1] >= 19000);
    }
    close(fd);
    close(caller(&s, "web-abc.8", 3, 514, "user:nogui:QUBESRPC test.Other web"));
    send_peer(s.agent, TERMINATED, 3, 514); /* its end counts, not that its caller's daemon left */
    free(logged(&s, "call web-abc.8: domain 3 -> email, port 514: test.Other: over"));
    stage_end(&s);
}

static void who_says_no_id_gets_one_of_ours(void **state)
{
    static const char *const ids[] = {"", "not good"};
    struct stage s;

    (void)state;
    begin_logged(&s);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        int fd = caller(&s, ids[i], 0, 513, "user:echo 'a  b'");

        send_peer(s.agent, TERMINATED, 0, 513);
        expect_closed(fd);
        close(fd);
    }
    free(logged(&s, ".1: domain 0 -> email, port 513: echo 'a  b': over"));
    {
        _cleanup_(freep) char *line = logged(&s, ".2: domain 0 -> email, port 513: ");

        assert_non_null(strstr(line, "call dom0.email-"));
        assert_null(strstr(line, "not good"));
    }
    close(caller(&s, "", 3, 514, "user:ls"));
    assert_int_equal(kill(s.daemon, SIGTERM), 0);
    free(logged(&s, "call domain3.email-"));
    free(logged(&s, "its end was not seen"));
    stage_end(&s);
}

/* One that says hello and leaves is no call. */
static void a_client_without_a_request_is_not_logged(void **state)
{
    _cleanup_(freep) char *path = NULL;
    _cleanup_(freep) char *log = NULL;
    struct stage s;
    size_t n;

    (void)state;
    begin_logged(&s);
    close(client_begin(&s));
    close(caller(&s, "web-abc.9", 3, 514, "user:ls"));
    send_peer(s.agent, TERMINATED, 3, 514);
    free(logged(&s, "call web-abc.9"));
    path = stage_path(&s, "/log");
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    assert_ptr_equal(strstr(log, "call "), strstr(log, "call web-abc.9"));
    stage_end(&s);
}

static void a_flood_of_callers_does_not_fill_the_log(void **state)
{
    _cleanup_(freep) char *path = NULL;
    _cleanup_(freep) char *log = NULL;
    struct stage s;
    size_t n, lines = 0;
    uint64_t start;

    (void)state;
    begin_logged(&s);
    start = clock_ms();
    for (int i = 0; i < 300; i++) {
        int fd = caller(&s, "", 3, 514, "user:ls");

        send_peer(s.agent, TERMINATED, 3, 514);
        expect_closed(fd);
        close(fd);
    }
    path = stage_path(&s, "/log");
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    for (const char *at = log; (at = strstr(at, "call domain3")); at++)
        lines++;
    assert_true(lines >= 50 && lines <= 51 + (clock_ms() - start) / 100);
    stage_end(&s);
}

/* Lines with that text, and the numbers that stand in front of it. */
static size_t count_logged(const char *log, const char *text, size_t *ret_sum)
{
    size_t lines = 0;

    *ret_sum = 0;
    for (const char *at = log, *number; (at = strstr(at, text)); at++, lines++) {
        for (number = at; number > log && number[-1] >= '0' && number[-1] <= '9';)
            number--;
        *ret_sum += strtoul(number, NULL, 10);
    }
    return lines;
}

static void call_and_be_refused(struct stage *s, bool denied)
{
    send_trigger(s->agent, "", "online", "SOCKET1", denied ? "test.Echo" : "+x");
    if (denied)
        policy_answers(s, "source=email\n", "result=deny\n");
    expect_refused(s->agent, "SOCKET1");
}

/* Each call is a line, or counted in one. */
static void a_flood_of_refused_calls_does_not_fill_the_log(void **state)
{
    _cleanup_(freep) char *path = NULL;
    uint64_t start, deadline;
    size_t calls = 0, lines = 0, skipped = 0;
    struct stage s;

    (void)state;
    begin_logged(&s);
    path = stage_path(&s, "/log");
    start = clock_ms();
    deadline = start + WAIT_MS;
    while (calls < 300 || lines + skipped < calls) {
        _cleanup_(freep) char *log = NULL;
        size_t n, none;

        call_and_be_refused(&s, calls++ % 2);
        assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
        lines = count_logged(log, "call email-", &none) +
                count_logged(log, "email: a request is refused", &none);
        assert_true(lines <= 51 + (clock_ms() - start) / 100);
        assert_true(count_logged(log, " more calls, not shown", &skipped) <= lines);
        assert_true(deadline_left(deadline) > 0);
    }
    assert_true(lines >= 50 && skipped > 0);
    stage_end(&s);
}

/* And that it decides again is said once, too. */
static void a_policy_service_that_is_gone_is_said_once(void **state)
{
    static const char gone[] = "the policy service does not decide", back[] = "decides again";
    _cleanup_(freep) char *path = NULL, *log = NULL;
    struct stage s;
    size_t n, none;

    (void)state;
    begin_logged(&s);
    path = stage_path(&s, "/log");
    stage_script(&s, "/program", "#!/bin/sh\nprintf 'result=deny\\n'\n");
    for (int i = 0; i < 2; i++) {
        stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
        for (int k = 0; k < 5; k++) {
            send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
            expect_refused(s.agent, "SOCKET1");
        }
        s.policy = stage_listen(&s, "/run/qubes/policy.sock");
        for (int k = 0; k < 5; k++)
            call_and_be_refused(&s, true);
    }
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    assert_int_equal(count_logged(log, gone, &none), 2);
    assert_int_equal(count_logged(log, back, &none), 2);
    stage_end(&s);
}

/* Each time costs lines in dom0's log. */
static void an_agent_that_comes_and_goes_does_not_fill_the_log(void **state)
{
    _cleanup_(freep) char *path = NULL, *log = NULL;
    uint64_t start = clock_ms();
    size_t n, lines = 0;
    struct stage s;

    (void)state;
    begin_logged(&s);
    path = stage_path(&s, "/log");
    for (int i = 0; i < 100; i++)
        agent_restart(&s);
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    for (const char *at = log; (at = strchr(at, '\n')); at++)
        lines++;
    assert_true(lines >= 50 && lines <= 60 + (clock_ms() - start) / 100);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_service_the_target_and_the_log_have_one_id),
        cmocka_unit_test(stages_are_measured_in_microseconds),
        cmocka_unit_test(a_refused_call_is_logged_with_its_id),
        cmocka_unit_test(ids_are_not_used_twice_over_a_restart),
        cmocka_unit_test(the_targets_log_has_the_callers_id),
        cmocka_unit_test(who_says_no_id_gets_one_of_ours),
        cmocka_unit_test(a_client_without_a_request_is_not_logged),
        cmocka_unit_test(a_flood_of_callers_does_not_fill_the_log),
        cmocka_unit_test(a_flood_of_refused_calls_does_not_fill_the_log),
        cmocka_unit_test(a_policy_service_that_is_gone_is_said_once),
        cmocka_unit_test(an_agent_that_comes_and_goes_does_not_fill_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
