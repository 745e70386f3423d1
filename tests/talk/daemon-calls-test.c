/* qrexec-daemon carries calls: policy, targets, disposables, dom0, and every way to end. */
#include "tests/talk/daemon-stage.h"

#include "qrexec-daemon/program.h"

/* ---- Deciding ---- */

static void an_ident_twice_is_answered_twice(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "a", "SAME", "test.Echo");
    send_trigger(s.agent, "", "b", "SAME", "test.Echo");
    policy_answers(&s, "intended_target=a\n", "result=deny\n");
    expect_refused(s.agent, "SAME");
    expect_silence(s.agent);
    policy_answers(&s, "intended_target=b\n", "result=deny\n");
    expect_refused(s.agent, "SAME");
    expect_silence(s.agent);
    stage_end(&s);
}

static void a_slow_decision_holds_up_nobody(void **state)
{
    struct stage s;
    int slow;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "a", "SOCKET1", "test.Ask");
    slow = stage_accept(s.policy);
    send_trigger(s.agent, "", "b", "SOCKET2", "test.Echo");
    policy_answers(&s, "intended_target=b\n", "result=deny\n");
    expect_refused(s.agent, "SOCKET2");
    send_bytes(slow, "result=deny\n", 12);
    close(slow);
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void an_allow_that_comes_in_pieces_is_one(void **state)
{
    static const char answer[] = ALLOW("online", "online");
    struct stage s;
    int fd, target, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    fd = stage_accept(s.policy);
    free(read_until(fd, "\n\n"));
    for (size_t i = 0; i + 1 < sizeof(answer); i++)
        send_bytes(fd, answer + i, 1);
    expect_silence(target); /* not before its end */
    close(fd);
    peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    close(peer);
    close(target);
    stage_end(&s);
}

/* ---- The policy program ---- */

static const char *const garbage[] = {
    "",
    "result=maybe\n",
    "result=allow\n",
    "result=deny\nuser=root\n",
    "result=deny\nresult=deny\n",
    "nonsense",
    ALLOW("online", "online") "user=root\n",
    ALLOW("../online", "online"),
    ALLOW("", "online"),
};

static void without_a_verdict_the_program_decides(void **state)
{
    struct stage s;
    int target = -1, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    stage_script(&s, "/program",
                 "#!/bin/sh\n"
                 "test \"$*\" = '-- email online test.Echo+x' || exit 1\n"
                 "printf 'result=allow\\nuser=u\\ntarget=online\\nautostart=True\\n"
                 "requested_target=online\\n'\n");
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo+x");
        policy_answers(&s, "source=email\n", garbage[i]);
        peer = target_serves(target, "u:QUBESRPC test.Echo+x email", 514);
        expect_connect(s.agent, 9, 514, "SOCKET1");
        close(peer);
    }
    stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo+x");
    peer = target_serves(target, "u:QUBESRPC test.Echo+x email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    close(peer);
    close(target);
    stage_end(&s);
}

static void a_program_that_fails_refuses(void **state)
{
    static const char *const programs[] = {
        ("#!/bin/sh\nprintf 'result=allow\\nuser=u\\ntarget=dom0\\nautostart=True\\n"
         "requested_target=dom0\\n'\nexit 1\n"),
        "#!/bin/sh\necho nonsense\n",
        "#!/bin/sh\nkill -9 $$\n",
        "#!/no/such/interpreter\n",
        "#!/bin/sh\nhead -c 100000 /dev/zero\n",
    };
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        stage_script(&s, "/program", programs[i]);
        send_trigger(s.agent, "", "dom0", "SOCKET1", "test.Echo");
        expect_refused(s.agent, "SOCKET1");
    }
    stage_end(&s);
}

static const char *ident_of(unsigned call)
{
    static char ident[32];

    snprintf(ident, sizeof(ident), "SOCKET%u", call);
    return ident;
}

/* It would allow them all: who does not wait is refused because there is no place. */
static void programs_run_one_at_a_time_and_a_few_wait(void **state)
{
    struct stage s;
    int target;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    stage_script(&s, "/program",
                 "#!/bin/sh\nd=$(dirname \"$0\")\nmkdir \"$d/one\" || touch \"$d/two\"\n"
                 "while ! [ -e \"$d/go\" ]; do sleep 0.01; done\nsleep 0.01\nrmdir \"$d/one\"\n"
                 "printf 'result=allow\\nuser=u\\ntarget=online\\nautostart=True\\n"
                 "requested_target=online\\n'\n");
    stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
    for (unsigned i = 0; i < 40; i++)
        send_trigger(s.agent, "", "online", ident_of(i), "test.Echo");
    for (unsigned i = PROGRAM_QUEUE_MOST; i < 40; i++)
        expect_refused(s.agent, ident_of(i));
    stage_script(&s, "/go", "");
    for (unsigned i = 0; i < PROGRAM_QUEUE_MOST; i++) {
        close(target_serves(target, "u:QUBESRPC test.Echo+ email", 514 + 2 * i));
        expect_connect(s.agent, 9, 514 + 2 * i, ident_of(i));
    }
    expect_silence(s.agent);
    expect_gone(&s, "/two");
    close(target);
    stage_end(&s);
}

/* ---- A VM as target ---- */

/* ---- dom0 as target ---- */

/* The caller's end of the data connection; a service may be over before it has read anything. */
static void data_to_end(int data, const char *want_out, uint32_t want_code)
{
    const uint32_t input[] = {STDIN, 4, 0x0a6e6921, STDIN, 0}; /* "!in\n", and the end */
    char out[256] = "";
    struct bytes b;

    send_hello(data, 4);
    expect_hello(data, 4);
    (void)write_full(data, input, sizeof(input));
    for (;;) {
        uint32_t header[2];

        assert_int_equal(read_full_until(data, header, 8, clock_ms() + WAIT_MS), 0);
        assert_true(header[1] < sizeof(b.data));
        assert_int_equal(read_full_until(data, b.data, header[1], clock_ms() + WAIT_MS), 0);
        b.len = header[1];
        if (header[0] == EXIT_CODE)
            break;
        if (header[0] == STDOUT)
            memcpy(out + strlen(out), b.data, b.len);
    }
    assert_string_equal(out, want_out);
    assert_int_equal(get_u32(&b, 0), want_code);
}

static void a_service_of_dom0_runs(void **state)
{
    struct stage s;
    int server, data;

    (void)state;
    stage_begin(&s, 4);
    stage_script(&s, "/etc/qubes-rpc/test.Echo",
                 "#!/bin/sh\necho \"$1 $QREXEC_REMOTE_DOMAIN $QREXEC_REQUESTED_TARGET_TYPE"
                 " $QREXEC_REQUESTED_TARGET_KEYWORD\"; cat; exit 5\n");
    server = stage_listen(&s, "/run/vchan/vchan.1.0.513.sock");
    send_trigger(s.agent, "", "@adminvm", "SOCKET1", "test.Echo+arg");
    policy_answers(&s, "intended_target=@adminvm\n", ALLOW("dom0", "@adminvm"));
    expect_connect(s.agent, 0, 513, "SOCKET1");
    data = stage_accept(server);
    data_to_end(data, "arg email keyword adminvm\n!in\n", 5);
    close(data);
    send_peer(s.agent, TERMINATED, 0, 513);
    close(server);
    stage_end(&s);
}

static void a_service_that_is_missing_in_dom0_gives_127(void **state)
{
    struct stage s;
    int server, data;

    (void)state;
    stage_begin(&s, 4);
    server = stage_listen(&s, "/run/vchan/vchan.1.0.513.sock");
    send_trigger(s.agent, "", "dom0", "SOCKET1", "test.None");
    policy_answers(&s, "source=email\n", ALLOW("dom0", "dom0"));
    expect_connect(s.agent, 0, 513, "SOCKET1");
    data = stage_accept(server);
    data_to_end(data, "", 127);
    close(data);
    close(server);
    stage_end(&s);
}

/* As dom0's end does: the pending request is its, whatever was decided by then. */
static int claim(struct stage *s, const char *ident, uint32_t port)
{
    struct bytes b = {.len = 0};
    int fd, policy;

    send_trigger(s->agent, "", "dom0", ident, "test.Echo");
    policy = stage_accept(s->policy);
    fd = client_begin(s);
    put_u32(&b, 0);
    put_u32(&b, 0);
    put_field(&b, ident, 32);
    send_message(fd, CONNECT, &b);
    expect_peer(fd, CONNECT, 1, port);
    expect_connect(s->agent, 0, port, ident);
    close(policy);
    return fd;
}

/* One that was killed may never have connected; one that ended has sent what there was. */
static void who_waits_for_dom0s_end_hears_that_it_is_gone(void **state)
{
    struct stage s;
    int a, b;

    (void)state;
    stage_begin(&s, 4);
    a = claim(&s, "SOCKET1", 513);
    b = claim(&s, "SOCKET2", 514);
    close(a);
    send_peer(s.agent, TERMINATED, 0, 513);
    close(b);
    expect_silence(s.agent);
    expect_refused(s.agent, "gone.0.514");
    send_peer(s.agent, TERMINATED, 0, 514);
    expect_silence(s.agent);
    stage_end(&s);
}

/* ---- Idents ---- */

static void a_stale_answer_reaches_nobody(void **state)
{
    struct stage s;
    int old, target, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Old");
    old = stage_accept(s.policy);
    agent_restart(&s);
    free(read_to_end(old)); /* its request, then its end: we hold it no more */
    send_trigger(s.agent, "", "online", "SOCKET1", "test.New");
    expect_silence(s.agent);
    policy_answers(&s, "service_and_arg=test.New\n", ALLOW("online", "online"));
    peer = target_serves(target, "DEFAULT:QUBESRPC test.New+ email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    expect_silence(s.agent);
    close(old);
    close(peer);
    close(target);
    stage_end(&s);
}

static void too_many_calls_are_refused_and_nobody_else_notices(void **state)
{
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    for (int i = 0; i < 512; i++)
        send_trigger(s.agent, "", "a", "SOCKET1", "test.Ask");
    send_trigger(s.agent, "", "a", "TOOMANY", "test.Ask");
    expect_refused(s.agent, "TOOMANY");
    fd = client_begin(&s); /* dom0 still gets in */
    send_exec(fd, EXEC, 0, 0, "user:ls");
    expect_peer(fd, EXEC, 1, 513);
    expect_message(s.agent, EXEC, &b);
    close(fd);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ident_twice_is_answered_twice),
        cmocka_unit_test(a_slow_decision_holds_up_nobody),
        cmocka_unit_test(an_allow_that_comes_in_pieces_is_one),
        cmocka_unit_test(without_a_verdict_the_program_decides),
        cmocka_unit_test(a_program_that_fails_refuses),
        cmocka_unit_test(programs_run_one_at_a_time_and_a_few_wait),
        cmocka_unit_test(a_service_of_dom0_runs),
        cmocka_unit_test(a_service_that_is_missing_in_dom0_gives_127),
        cmocka_unit_test(who_waits_for_dom0s_end_hears_that_it_is_gone),
        cmocka_unit_test(a_stale_answer_reaches_nobody),
        cmocka_unit_test(too_many_calls_are_refused_and_nobody_else_notices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
