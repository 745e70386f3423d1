/* qrexec-daemon and a disposable: made for a call, gone with it, whatever ends it. */
#include "tests/talk/daemon-stage.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LEASED "0\0online uuid:99999999-0000-0000-0000-000000000000 9\n"

/* A call to @dispvm:dvm whose caller has been told. *ret_lease, *ret_peer stay open. */
static void run_disposable(struct stage *s, int *ret_lease, int *ret_peer)
{
    int target;

    stage_begin(s, 4);
    s->internal = stage_listen(s, "/run/qubesd.internal.sock");
    send_trigger(s->agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(s, "intended_target=@dispvm\n", ALLOW("@dispvm:dvm", "@dispvm"));
    *ret_lease = expect_admin(s->internal, "internal.LeaseDisposable+ email name dvm", "\n");
    expect_silence(*ret_lease); /* our side stays open */
    target = stage_listen(s, TARGET_SOCKET);
    send_bytes(*ret_lease, LEASED, sizeof(LEASED) - 1);
    *ret_peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_connect(s->agent, 9, 514, "SOCKET1");
    expect_silence(*ret_lease);
    expect_silence(*ret_peer);
    stage_unlisten(s, &target, TARGET_SOCKET);
}

static void the_lease_ends_when_the_caller_is_done(void **state)
{
    struct stage s;
    int lease, peer;

    (void)state;
    run_disposable(&s, &lease, &peer);
    send_peer(s.agent, TERMINATED, 9, 516); /* another one's end */
    send_peer(s.agent, TERMINATED, 0, 514);
    expect_silence(lease);
    send_peer(s.agent, TERMINATED, 9, 514);
    expect_closed(lease);
    expect_closed(peer);
    close(lease);
    close(peer);
    stage_end(&s);
}

static void the_caller_has_its_exit_code_before_the_disposable_goes(void **state)
{
    struct stage s;
    int lease, peer;

    (void)state;
    run_disposable(&s, &lease, &peer);
    close(peer); /* the service is done */
    expect_silence(lease);
    send_peer(s.agent, TERMINATED, 9, 514);
    expect_closed(lease);
    close(lease);
    stage_end(&s);
}

static void a_caller_that_says_nothing_does_not_keep_the_disposable(void **state)
{
    struct stage s;
    int lease, peer;
    uint64_t begin;

    (void)state;
    run_disposable(&s, &lease, &peer);
    close(peer);
    begin = clock_ms();
    expect_closed(lease);
    assert_true(clock_ms() - begin < 5000);
    close(lease);
    stage_end(&s);
}

static void the_lease_ends_with_the_callers_agent(void **state)
{
    struct stage s;
    int lease, peer;

    (void)state;
    run_disposable(&s, &lease, &peer);
    close_fd(&s.agent);
    expect_closed(lease);
    expect_closed(peer);
    close(lease);
    close(peer);
    s.agent = stage_accept(s.control);
    stage_end(&s);
}

static void the_lease_ends_with_the_daemon(void **state)
{
    struct stage s;
    int lease, peer, status = 0;

    (void)state;
    run_disposable(&s, &lease, &peer);
    assert_int_equal(kill(s.daemon, SIGKILL), 0);
    expect_closed(lease);
    close(lease);
    close(peer);
    s.daemon = waitpid(s.daemon, &status, 0);
    close_fd(&s.agent);
    close_fd(&s.control);
    close_fd(&s.policy);
    close_fd(&s.internal);
    test_rmdir(s.root);
}

static void a_disposable_that_cannot_be_made_refuses(void **state)
{
    struct stage s;
    int lease;

    (void)state;
    stage_begin(&s, 4);
    s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
    send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n", ALLOW("@dispvm:dvm", "@dispvm"));
    lease = expect_admin(s.internal, "internal.LeaseDisposable+ email name dvm", "\n");
    admin_says(lease, NO_MEMORY, sizeof(NO_MEMORY) - 1);
    expect_refused(s.agent, "SOCKET1");
    stage_end(&s);
}

static void a_disposable_whose_daemon_refuses_is_given_back(void **state)
{
    struct stage s;
    int lease, target, peer;

    (void)state;
    stage_begin(&s, 4);
    s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
    target = stage_listen(&s, TARGET_SOCKET);
    for (int how = 0; how < 2; how++) {
        send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("@dispvm:dvm", "@dispvm"));
        lease = expect_admin(s.internal, "internal.LeaseDisposable+ email name dvm", "\n");
        send_bytes(lease, LEASED, sizeof(LEASED) - 1);
        peer = stage_accept(target);
        if (how == 0)
            close(peer); /* the target's daemon dies */
        else
            shutdown(lease, SHUT_RDWR); /* the spawner dies */
        expect_refused(s.agent, "SOCKET1");
        if (how == 0)
            expect_closed(lease);
        close(lease);
        if (how == 1)
            close(peer);
    }
    close(target);
    stage_end(&s);
}

static void without_leases_it_is_created_started_and_killed(void **state)
{
    static const char created[] = "0\0uuid:99999999-0000-0000-0000-000000000000";
    static const char name[] = "uuid:99999999-0000-0000-0000-000000000000";
    static const char start[] =
        "admin.vm.Start+ dom0 name uuid:99999999-0000-0000-0000-000000000000";
    static const char end[] = "admin.vm.Kill+ dom0 name uuid:99999999-0000-0000-0000-000000000000";
    struct stage s;
    int target, peer, fd;

    (void)state;
    stage_begin(&s, 4);
    s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
    s.admin = stage_listen(&s, "/run/qubesd.sock");
    send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(
        &s, "source=email\n",
        ALLOW("@dispvm:dvm",
              "@dispvm") "target_uuid=@dispvm:uuid:11110000-0000-0000-0000-000000000000\n");
    fd = expect_admin(s.internal,
                      "internal.LeaseDisposable+ email name "
                      "uuid:11110000-0000-0000-0000-000000000000",
                      "uuid\n");
    admin_says(fd, UNKNOWN, sizeof(UNKNOWN) - 1);
    fd = expect_admin(s.admin,
                      "admin.vm.CreateDisposable+ dom0 name "
                      "uuid:11110000-0000-0000-0000-000000000000",
                      "uuid");
    expect_closed(fd);
    admin_says(fd, created, sizeof(created) - 1);
    fd = expect_admin(s.admin, start, "");
    {
        _cleanup_(freep) char *path = format_new("/run/qubes/qrexec.%s", name);

        target = stage_listen(&s, path);
    }
    admin_says(fd, "0\0", 2);
    peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    expect_silence(s.admin);
    send_peer(s.agent, TERMINATED, 9, 514);
    fd = expect_admin(s.admin, end, "");
    admin_says(fd, "0\0", 2);
    close(peer);
    close(target);
    stage_end(&s);
}

static void a_disposable_created_for_nobody_is_killed(void **state)
{
    struct stage s;
    int fd, kill_fd;

    (void)state;
    stage_begin(&s, 4);
    s.admin = stage_listen(&s, "/run/qubesd.sock");
    send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n", ALLOW("@dispvm:dvm", "@dispvm"));
    fd = expect_admin(s.admin, "admin.vm.CreateDisposable+ dom0 name dvm", "");
    agent_restart(&s); /* the caller goes away while it is created */
    admin_says(fd, "0\0disp7", 7);
    kill_fd = expect_admin(s.admin, "admin.vm.Kill+ dom0 name disp7", "");
    admin_says(kill_fd, "0\0", 2);
    stage_end(&s);
}

/* Nothing is under way then, so nothing is waited for. */
static void a_creation_that_fails_leaves_no_connection(void **state)
{
    static const struct {
        const char *says;
        size_t n;
    } answers[] = {{"", 0}, {NO_MEMORY, sizeof(NO_MEMORY) - 1}, {"0", 2}, {"x", 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        uint64_t deadline;
        unsigned before;
        struct stage s;
        int fd;

        stage_begin(&s, 4);
        s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
        s.admin = stage_listen(&s, "/run/qubesd.sock");
        before = stage_descriptors(&s);
        send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
        policy_answers(&s, "source=email\n", ALLOW("@dispvm:dvm", "@dispvm"));
        fd = expect_admin(s.internal, "internal.LeaseDisposable+ email name dvm", "\n");
        admin_says(fd, "", 0); /* as one that is killed */
        fd = expect_admin(s.admin, "admin.vm.CreateDisposable+ dom0 name dvm", "");
        admin_says(fd, answers[i].says, answers[i].n);
        expect_refused(s.agent, "SOCKET1");
        deadline = clock_ms() + 2000;
        while (stage_descriptors(&s) > before && deadline_left(deadline) > 0)
            (void)poll(NULL, 0, 5);
        assert_int_equal(stage_descriptors(&s), before);
        stage_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lease_ends_when_the_caller_is_done),
        cmocka_unit_test(the_caller_has_its_exit_code_before_the_disposable_goes),
        cmocka_unit_test(a_caller_that_says_nothing_does_not_keep_the_disposable),
        cmocka_unit_test(the_lease_ends_with_the_callers_agent),
        cmocka_unit_test(the_lease_ends_with_the_daemon),
        cmocka_unit_test(a_disposable_that_cannot_be_made_refuses),
        cmocka_unit_test(a_disposable_whose_daemon_refuses_is_given_back),
        cmocka_unit_test(without_leases_it_is_created_started_and_killed),
        cmocka_unit_test(a_disposable_created_for_nobody_is_killed),
        cmocka_unit_test(a_creation_that_fails_leaves_no_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
