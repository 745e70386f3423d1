/* What a daemon that is started again knows of connections that outlived the one before. */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/spawn.h"

#include <signal.h>

#define FILE_OF_PORTS "/run/qubes/ports.1"

static void serve(struct stage *s, uint32_t domain, uint32_t port)
{
    int fd = client_begin(s);

    send_exec(fd, EXEC, domain, 0, "user:ls");
    expect_peer(fd, EXEC, 1, port);
    expect_exec(s->agent, EXEC, domain, port, "user:ls");
    close(fd);
}

/* The daemon is killed, and the next one started; the agent has said hello to it. */
static void next_daemon(struct stage *s)
{
    static const char *const options[] = {"-D", NULL};

    kill(s->daemon, SIGKILL);
    assert_int_equal(spawn_wait(s->daemon), 128 + SIGKILL);
    expect_closed(s->agent);
    close(s->agent);
    s->daemon = stage_spawn(s, options, -1);
    s->agent = stage_accept(s->control);
    send_hello(s->agent, 4);
    expect_hello(s->agent, 4);
}

static void what_was_taken_stays_so_until_the_agent_reports_it(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    serve(&s, 0, 513);
    serve(&s, 0, 514);
    serve(&s, 3, 514);
    send_peer(s.agent, TERMINATED, 0, 513);
    serve(&s, 0, 513); /* so the daemon has read it */
    send_peer(s.agent, TERMINATED, 0, 513);
    serve(&s, 3, 516);
    next_daemon(&s);
    expect_refused(s.agent, "held.0.514");
    expect_refused(s.agent, "held.3.514");
    expect_refused(s.agent, "held.3.516");
    expect_silence(s.agent);
    serve(&s, 0, 513);
    serve(&s, 0, 515);
    serve(&s, 3, 518);
    send_peer(s.agent, TERMINATED, 3, 514);
    send_peer(s.agent, TERMINATED, 0, 514);
    /* its end may be that of an older use: whom an earlier daemon sent there may still wait */
    serve(&s, 0, 516);
    serve(&s, 3, 520);
    next_daemon(&s); /* and the one after it */
    expect_refused(s.agent, "held.0.513");
    expect_refused(s.agent, "held.0.515");
    expect_refused(s.agent, "held.0.516");
    expect_refused(s.agent, "held.3.516");
    expect_refused(s.agent, "held.3.518");
    expect_refused(s.agent, "held.3.520");
    expect_silence(s.agent);
    serve(&s, 0, 517);
    stage_end(&s);
}

/* The daemon lives on, and the agent may have lost its connection only. */
static void an_agent_that_comes_back_is_told_what_is_held(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    expect_silence(s.agent); /* nothing is held yet */
    serve(&s, 0, 513);
    agent_restart(&s);
    expect_refused(s.agent, "held.0.513");
    expect_silence(s.agent);
    send_peer(s.agent, TERMINATED, 0, 513);
    serve(&s, 0, 513);
    stage_end(&s);
}

/* A port that another domain's daemon allotted, and that ours passed on. */
static void what_a_call_was_given_is_held_too(void **state)
{
    struct stage s;
    int target, fd;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    policy_answers(&s, "intended_target=online\n", ALLOW("online", "online"));
    fd = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 515);
    expect_connect(s.agent, 9, 515, "SOCKET1");
    close(fd);
    next_daemon(&s);
    expect_refused(s.agent, "held.9.515");
    send_peer(s.agent, TERMINATED, 9, 515);
    serve(&s, 0, 513);
    next_daemon(&s);
    expect_refused(s.agent, "held.0.513");
    expect_silence(s.agent);
    stage_unlisten(&s, &target, TARGET_SOCKET);
    stage_end(&s);
}

static void the_file_goes_when_nothing_is_taken(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    expect_there(&s, FILE_OF_PORTS);
    serve(&s, 0, 513);
    next_daemon(&s);
    expect_refused(s.agent, "held.0.513");
    send_peer(s.agent, TERMINATED, 0, 513);
    serve(&s, 0, 514);
    send_peer(s.agent, TERMINATED, 0, 514);
    agent_restart(&s); /* so the daemon has read it */
    expect_silence(s.agent);
    kill(s.daemon, SIGTERM);
    assert_int_equal(spawn_wait(s.daemon), 0);
    expect_gone(&s, FILE_OF_PORTS);
    s.daemon = stage_spawn(&s, (const char *const[]){"-D", NULL}, -1);
    close(s.agent);
    s.agent = stage_accept(s.control);
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    stage_end(&s);
}

static void another_domain_of_that_number_holds_nothing(void **state)
{
    static const char theirs[] = "22222222-2222-3333-4444-555555555555\n+0 513\n";
    _cleanup_(freep) char *path = NULL;
    struct stage s;

    (void)state;
    stage_prepare(&s);
    path = stage_path(&s, FILE_OF_PORTS);
    assert_int_equal(file_replace(path, theirs, strlen(theirs), 0600), 0);
    s.daemon = stage_spawn(&s, (const char *const[]){"-D", NULL}, -1);
    s.agent = stage_accept(s.control);
    send_hello(s.agent, 4);
    expect_hello(s.agent, 4);
    expect_silence(s.agent);
    serve(&s, 0, 513);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_stays_so_until_the_agent_reports_it),
        cmocka_unit_test(an_agent_that_comes_back_is_told_what_is_held),
        cmocka_unit_test(what_a_call_was_given_is_held_too),
        cmocka_unit_test(the_file_goes_when_nothing_is_taken),
        cmocka_unit_test(another_domain_of_that_number_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
