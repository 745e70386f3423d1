/* qrexec-daemon carries calls: policy, targets, disposables, dom0, and every way to end. */
#include "tests/talk/daemon-stage.h"

/* ---- Deciding ---- */

static void a_denied_call_is_refused(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "work", "SOCKET1", "test.Echo+a");
    policy_answers(&s,
                   "source=email\nintended_target=work\nservice_and_arg=test.Echo+a\n"
                   "requested_source=\n",
                   "result=deny\n");
    expect_refused(s.agent, "SOCKET1");
    expect_silence(s.agent);
    stage_end(&s);
}

static void an_older_trigger_has_no_source(void **state)
{
    struct stage s;
    _cleanup_(freep) char *request = NULL;
    int fd;

    (void)state;
    stage_begin(&s, 3);
    send_trigger3(s.agent, "work", "SOCKET1", "test.Echo");
    fd = stage_accept(s.policy);
    request = read_until(fd, "\n\n");
    assert_null(strstr(request, "requested_source"));
    send_bytes(fd, "result=deny", 11);
    close(fd);
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void a_requested_source_is_passed_on(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "other", "work", "SOCKET1", "test.Echo");
    policy_answers(&s, "requested_source=other\n", "result=deny\n");
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void untrusted_strings_are_cleaned(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "wo rk;$(ls)\n", "SOCKET1", "test.Echo+a b/c\n\x80");
    policy_answers(&s, "intended_target=wo_rk___ls__\nservice_and_arg=test.Echo+a_b_c__\n",
                   "result=deny\n");
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void a_bad_request_is_refused_without_asking(void **state)
{
    static const char *const services[] = {"", "+a"};
    struct bytes b = {.len = 0};
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        send_trigger(s.agent, "", "work", "SOCKET1", services[i]);
        expect_refused(s.agent, "SOCKET1");
    }
    put_field(&b, "", 128);
    put_field(&b, "a;b", 32);
    put_text(&b, "x", 2);
    send_message(s.agent, TRIGGER4, &b);
    expect_refused(s.agent, "a;b");
    expect_silence(s.policy);
    stage_end(&s);
}

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

static void a_requested_source_is_not_for_the_program(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    stage_script(&s, "/program", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\necho result=deny\n");
    stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
    send_trigger(s.agent, "other", "online", "SOCKET1", "test.Echo");
    expect_refused(s.agent, "SOCKET1");
    expect_gone(&s, "/ran");
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    expect_refused(s.agent, "SOCKET1");
    expect_there(&s, "/ran");
    stage_end(&s);
}

static void programs_run_one_at_a_time_and_a_few_wait(void **state)
{
    struct stage s;
    struct bytes b;

    (void)state;
    stage_begin(&s, 4);
    stage_script(&s, "/program",
                 "#!/bin/sh\nd=$(dirname \"$0\")\nmkdir \"$d/one\" || touch \"$d/two\"\n"
                 "sleep 0.05\nrmdir \"$d/one\"\necho result=deny\n");
    stage_unlisten(&s, &s.policy, "/run/qubes/policy.sock");
    for (int i = 0; i < 40; i++)
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    for (int i = 0; i < 40; i++)
        expect_message(s.agent, REFUSED, &b);
    expect_silence(s.agent);
    expect_gone(&s, "/two");
    stage_end(&s);
}

/* ---- A VM as target ---- */

static void a_vm_is_asked_for_a_port_and_the_caller_told(void **state)
{
    struct stage s;
    int target, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "@default", "SOCKET1", "test.Echo+a");
    policy_answers(&s, "intended_target=@default\n",
                   "result=allow\nuser=root\ntarget=online\nautostart=True\n"
                   "requested_target=@default\nservice=test.Other\npolicy_source=alias\n");
    peer = target_serves(target, "root:QUBESRPC test.Other+ alias", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    expect_closed(peer);
    close(peer);
    close(target);
    stage_end(&s);
}

static void a_uuid_goes_before_the_name(void **state)
{
    struct stage s;
    int target, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, "/run/qubes/qrexec.uuid:99999999-0000-0000-0000-000000000000");
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    policy_answers(
        &s, "source=email\n",
        ALLOW("online", "online") "target_uuid=uuid:99999999-0000-0000-0000-000000000000\n");
    peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    close(peer);
    close(target);
    stage_end(&s);
}

static void a_target_that_does_not_serve_refuses(void **state)
{
    struct stage s;
    int target, peer;

    (void)state;
    stage_begin(&s, 4);
    target = stage_listen(&s, TARGET_SOCKET);
    for (int how = 0; how < 4; how++) {
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("online", "online"));
        peer = stage_accept(target);
        if (how > 0)
            send_hello(peer, how == 1 ? 2 : 3);
        if (how == 2)
            send_peer(peer, EXEC, 1, 514); /* the caller's own number */
        if (how == 3)
            send_peer(peer, CONNECT, 9, 514);
        close(peer);
        expect_refused(s.agent, "SOCKET1");
    }
    close(target);
    stage_end(&s);
}

static void a_call_to_oneself_is_refused(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "email", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n", ALLOW("email", "email"));
    expect_refused(s.agent, "SOCKET1");
    send_trigger(s.agent, "", "email", "SOCKET2", "test.Echo");
    policy_answers(&s, "source=email\n", ALLOW("email", "email") "target_uuid=uuid:" STAGE_UUID);
    expect_refused(s.agent, "SOCKET2");
    stage_end(&s);
}

static void a_halted_target_is_started(void **state)
{
    struct stage s;
    int target, peer, fd;

    (void)state;
    stage_begin(&s, 4);
    s.admin = stage_listen(&s, "/run/qubesd.sock");
    for (int i = 0; i < 2; i++) {
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("online", "online"));
        fd = expect_admin(s.admin, "admin.vm.Start+ dom0 name online", "");
        expect_closed(fd); /* half-closed: only then it is acted upon */
        target = stage_listen(&s, TARGET_SOCKET);
        if (i == 0)
            admin_says(fd, "0\0", 2);
        else
            admin_says(fd, NOT_HALTED, sizeof(NOT_HALTED) - 1);
        peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
        expect_connect(s.agent, 9, 514, "SOCKET1");
        close(peer);
        stage_unlisten(&s, &target, TARGET_SOCKET);
    }
    stage_end(&s);
}

static void a_target_that_cannot_be_started_refuses(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    s.admin = stage_listen(&s, "/run/qubesd.sock");
    for (int i = 0; i < 3; i++) {
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("online", "online"));
        fd = expect_admin(s.admin, "admin.vm.Start+ dom0 name online", "");
        if (i == 0)
            admin_says(fd, NO_MEMORY, sizeof(NO_MEMORY) - 1);
        else if (i == 1)
            admin_says(fd, "", 0);
        else
            admin_says(fd, "0\0", 2); /* but nobody serves its socket */
        expect_refused(s.agent, "SOCKET1");
    }
    stage_end(&s);
}

static void autostart_no_starts_nothing(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    s.admin = stage_listen(&s, "/run/qubesd.sock");
    s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n",
                   "result=allow\nuser=u\ntarget=online\nautostart=False\n"
                   "requested_target=online\n");
    expect_refused(s.agent, "SOCKET1");
    send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n",
                   "result=allow\nuser=u\ntarget=@dispvm:dvm\nautostart=False\n"
                   "requested_target=@dispvm\n");
    expect_refused(s.agent, "SOCKET1");
    expect_silence(s.admin);
    expect_silence(s.internal);
    stage_end(&s);
}

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

static void without_dom0s_end_the_caller_is_refused(void **state)
{
    _cleanup_(freep) char *client = NULL;
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    client = stage_path(&s, "/usr/lib/qubes/qrexec-client");
    for (int how = 0; how < 2; how++) {
        assert_int_equal(unlink(client), 0);
        if (how == 0)
            stage_script(&s, "/usr/lib/qubes/qrexec-client", "#!/bin/sh\nexit 0\n");
        send_trigger(s.agent, "", "dom0", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("dom0", "dom0"));
        expect_refused(s.agent, "SOCKET1");
    }
    stage_end(&s);
}

/* ---- Idents ---- */

static void a_pending_request_is_connected_once(void **state)
{
    struct stage s;
    int fd, other, policy;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "dom0", "SOCKET1", "test.Ask");
    policy = stage_accept(s.policy);
    fd = client_begin(&s);
    send_connect(fd, 0, 0, "SOCKET1");
    expect_peer(fd, CONNECT, 1, 513);
    expect_connect(s.agent, 0, 513, "SOCKET1");
    other = client_begin(&s);
    send_connect(other, 0, 0, "SOCKET1");
    expect_closed(other);
    expect_silence(s.agent);
    expect_silence(fd);
    send_peer(s.agent, TERMINATED, 0, 513);
    expect_closed(fd);
    close(fd);
    close(other);
    close(policy);
    stage_end(&s);
}

static void a_request_can_be_connected_to_another_domains_port(void **state)
{
    struct stage s;
    int fd, policy;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Ask");
    policy = stage_accept(s.policy);
    fd = client_begin(&s);
    send_connect(fd, 9, 514, "SOCKET1");
    expect_connect(s.agent, 9, 514, "SOCKET1");
    send_peer(s.agent, TERMINATED, 9, 514);
    expect_closed(fd);
    close(fd);
    close(policy);
    stage_end(&s);
}

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
        cmocka_unit_test(a_denied_call_is_refused),
        cmocka_unit_test(an_older_trigger_has_no_source),
        cmocka_unit_test(a_requested_source_is_passed_on),
        cmocka_unit_test(untrusted_strings_are_cleaned),
        cmocka_unit_test(a_bad_request_is_refused_without_asking),
        cmocka_unit_test(an_ident_twice_is_answered_twice),
        cmocka_unit_test(a_slow_decision_holds_up_nobody),
        cmocka_unit_test(an_allow_that_comes_in_pieces_is_one),
        cmocka_unit_test(without_a_verdict_the_program_decides),
        cmocka_unit_test(a_program_that_fails_refuses),
        cmocka_unit_test(a_requested_source_is_not_for_the_program),
        cmocka_unit_test(programs_run_one_at_a_time_and_a_few_wait),
        cmocka_unit_test(a_vm_is_asked_for_a_port_and_the_caller_told),
        cmocka_unit_test(a_uuid_goes_before_the_name),
        cmocka_unit_test(a_target_that_does_not_serve_refuses),
        cmocka_unit_test(a_call_to_oneself_is_refused),
        cmocka_unit_test(a_halted_target_is_started),
        cmocka_unit_test(a_target_that_cannot_be_started_refuses),
        cmocka_unit_test(autostart_no_starts_nothing),
        cmocka_unit_test(a_service_of_dom0_runs),
        cmocka_unit_test(a_service_that_is_missing_in_dom0_gives_127),
        cmocka_unit_test(without_dom0s_end_the_caller_is_refused),
        cmocka_unit_test(a_pending_request_is_connected_once),
        cmocka_unit_test(a_request_can_be_connected_to_another_domains_port),
        cmocka_unit_test(a_stale_answer_reaches_nobody),
        cmocka_unit_test(too_many_calls_are_refused_and_nobody_else_notices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
