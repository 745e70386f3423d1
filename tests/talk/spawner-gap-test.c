/* What is asked for, or under way, when a helper ends: see domain-spawner/adopt.c. */
#include "tests/talk/spawner-outlive.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

static void a_start_goes_on_with_the_next_helper(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "slow");
    fd = start(&s, "slow");
    kill_helper(&s);
    adopted(&s, "slow starting");
    expect_done(fd);
    stage_listed(&s, "slow class=AppVM state=Running", true);
    assert_int_equal(stage_helper_times(&s, "create slow"), 1);
    assert_int_equal(living(&s), 2);
    kill_helper(&s); /* once it ran, its agent may be silent as long as it likes */
    adopted(&s, "slow");
    stage_end(&s);
}

static void a_half_made_domain_is_ended_and_its_start_has_failed(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "half-mute");
    fd = start(&s, "half-mute");
    assert_int_equal(living(&s), 2);
    kill_helper(&s);
    expect_failed(fd, "it ended before its agent answered");
    stage_listed(&s, "half-mute class=AppVM state=Halted", true);
    assert_int_equal(living(&s), 1);
    stage_end(&s);
}

static void a_start_that_left_nothing_has_failed(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "mute");
    fd = start(&s, "mute");
    put_file(&s, "living");
    kill_helper(&s);
    expect_failed(fd, "the backend ended");
    stage_listed(&s, "mute class=AppVM state=Halted", true);
    assert_int_equal(stage_helper_times(&s, "adopt mute"), 0);
    stage_end(&s);
}

static void with_net(const struct stage *s, const char *net)
{
    char header[128];

    stage_create(s, net);
    stage_create(s, "client");
    assert_int_equal(
        format(header, sizeof(header), "admin.vm.property.Set+provides_network dom0 name %s", net),
        0);
    stage_expect(s, header, "1", "");
    stage_expect(s, "admin.vm.property.Set+netvm dom0 name client", net, "");
}

static void one_that_waits_for_its_netvm_waits_on(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    with_net(&s, "slow-net");
    fd = stage_send(&s, false, for_vm("admin.vm.Start", "client"), "", true);
    stage_helper_did(&s, "create slow-net");
    kill_helper(&s);
    adopted(&s, "slow-net starting");
    expect_done(fd);
    stage_listed(&s, "client class=AppVM state=Running", true);
    assert_int_equal(stage_helper_times(&s, "create client"), 1);
    stage_end(&s);
}

static void a_disposable_that_waits_for_its_netvm_waits_on(void **state)
{
    char name[32], line[64];
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    outliving_begin(&s);
    with_net(&s, "slow-net");
    stage_expect(&s, "admin.vm.property.Set+netvm dom0 name dvm", "slow-net", "");
    fd = stage_send(&s, true, "internal.LeaseDisposable+ dom0 name dvm", "\n", false);
    stage_helper_did(&s, "create slow-net");
    kill_helper(&s);
    stage_read_until(fd, &b, "\n", 1);
    assert_memory_equal(b.data, "0", 2);
    assert_int_equal(sscanf(b.data + 2, "%31s", name), 1);
    assert_int_equal(format(line, sizeof(line), "create %s", name), 0);
    assert_int_equal(stage_helper_times(&s, line), 1);
    close(fd);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

static void one_whose_netvm_is_lost_does_not_start(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    with_net(&s, "mute-net");
    fd = stage_send(&s, false, for_vm("admin.vm.Start", "client"), "", true);
    stage_helper_did(&s, "create mute-net");
    put_file(&s, "living");
    kill_helper(&s);
    expect_failed(fd, "its netvm did not start");
    stage_listed(&s, "client class=AppVM state=Halted", true);
    assert_int_equal(stage_helper_times(&s, "create client"), 0);
    stage_end(&s);
}

/* The spawner does not know yet that it runs. */
static void a_start_before_the_hello_is_done_once(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    kill_both(&s);
    put_file(&s, "hold");
    stage_run(&s);
    stage_listed(&s, "work class=AppVM state=Halted", true);
    fd = stage_send(&s, false, WORK("admin.vm.Start+"), "", true);
    stage_listed(&s, "work class=AppVM state=Transient", true);
    remove_file(&s, "hold");
    expect_done(fd);
    stage_listed(&s, "work class=AppVM state=Running", true);
    assert_int_equal(stage_helper_times(&s, "adopt work"), 0);
    assert_int_equal(living(&s), 1);
    stage_end(&s);
}

/* Nothing of it lives, and its create is still to be read. */
static void what_was_asked_for_before_the_hello_is_not_missing(void **state)
{
    struct stage s;
    int first, second;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "slow");
    put_file(&s, "hold");
    kill_helper(&s);
    first = stage_send(&s, false, for_vm("admin.vm.Start", "idle"), "", true);
    stage_listed(&s, "idle class=AppVM state=Transient", true);
    second = stage_send(&s, false, for_vm("admin.vm.Kill", "idle"), "", true);
    stage_listed(&s, "idle class=AppVM state=Dying", true);
    close(first);
    first = stage_send(&s, false, for_vm("admin.vm.Start", "slow"), "", true);
    stage_listed(&s, "slow class=AppVM state=Transient", true);
    remove_file(&s, "hold");
    expect_done(first);
    expect_done(second);
    stage_helper_did(&s, "destroy idle");
    stage_listed(&s, "idle class=AppVM state=Halted", true);
    stage_end(&s);
}

static void how_it_was_to_end_is_said_again(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "stubborn");
    stage_expect(&s, for_vm("admin.vm.Start", "stubborn"), "", "");
    stage_expect(&s, for_vm("admin.vm.Shutdown", "stubborn"), "", "");
    stage_helper_did(&s, "shutdown stubborn");
    put_file(&s, "hold");
    kill_helper(&s);
    fd = stage_send(&s, false, WORK("admin.vm.Kill+"), "", true);
    stage_listed(&s, "work class=AppVM state=Dying", true);
    remove_file(&s, "hold");
    expect_done(fd);
    assert_int_equal(stage_helper_times(&s, "destroy work"), 1);
    for (int i = 0; i < 500 && stage_helper_times(&s, "shutdown stubborn") < 2; i++)
        poll(NULL, 0, 10);
    assert_int_equal(stage_helper_times(&s, "shutdown stubborn"), 2);
    stage_listed(&s, "stubborn class=AppVM state=Halting", true);
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_end(&s);
}

/* A helper that ends soon is started again later each time. */
static void begin_a_gap(const struct stage *s)
{
    kill_helper(s);
    stage_helper_did(s, "adopt work");
    kill_helper(s);
    kill(stage_helper(s), SIGKILL);
}

static void without_a_helper_the_next_one_is_told_how_it_is_to_end(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "obeys");
    stage_expect(&s, for_vm("admin.vm.Start", "obeys"), "", "");
    begin_a_gap(&s);
    fd = stage_send(&s, false, WORK("admin.vm.Kill+"), "", true);
    stage_listed(&s, "work class=AppVM state=Dying", true);
    stage_expect(&s, "admin.vm.Shutdown+wait dom0 name obeys", "", "");
    expect_done(fd);
    stage_helper_did(&s, "destroy work");
    stage_helper_did(&s, "shutdown obeys");
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_listed(&s, "obeys class=AppVM state=Halted", true);
    assert_int_equal(living(&s), 0);
    stage_end(&s);
}

static void without_a_helper_a_start_is_refused(void **state)
{
    struct stage s;

    (void)state;
    outliving_begin(&s);
    begin_a_gap(&s);
    expect_failed(stage_send(&s, false, for_vm("admin.vm.Start", "idle"), "", true),
                  "the backend "); /* is not there, or has ended meanwhile */
    stage_listed(&s, "idle class=AppVM state=Halted", true);
    stage_end(&s);
}

static void what_nobody_will_answer_is_answered_at_once(void **state)
{
    struct stage s;
    struct bytes b;
    pid_t helper;
    int fd;

    (void)state;
    outliving_begin(&s);
    helper = stage_helper(&s);
    kill(helper, SIGSTOP);
    fd = stage_send(&s, false, WORK("admin.vm.Pause+"), "", true);
    stage_call(&s, DOM0("admin.vm.List+"), "");
    kill(helper, SIGKILL);
    expect_failed(fd, "the backend ended");
    stage_listed(&s, "work class=AppVM state=Running", true);
    adopted(&s, "work");

    helper = stage_helper(&s);
    kill(helper, SIGSTOP);
    fd = stage_send(&s, false, WORK("admin.vm.CurrentState+"), "", true);
    stage_call(&s, DOM0("admin.vm.List+"), "");
    kill(helper, SIGKILL);
    stage_read(fd, &b, SOON_MS);
    assert_memory_equal(b.data, "0\0mem=", 6);
    stage_end(&s);
}

static void what_ends_with_the_helper_had_not_failed_to_start(void **state)
{
    struct stage s;
    int fd, stream;

    (void)state;
    stage_begin(&s);
    stage_create(&s, "work");
    stage_create(&s, "mute");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stream = stage_send(&s, false, WORK("admin.Events+"), "", true);
    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    fd = start(&s, "mute");
    put_file(&s, "hold"); /* the next one has nothing to do with it */
    kill_helper(&s);
    expect_failed(fd, "the backend ended");
    expect_event(stream, EVENT("work", "domain-shutdown", ""),
                 sizeof(EVENT("work", "domain-shutdown", "")), "start-failed");
    stage_listed(&s, "mute class=AppVM state=Halted", true);
    stage_listed(&s, "work class=AppVM state=Halted", true);
    close(stream);
    remove_file(&s, "hold");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_goes_on_with_the_next_helper),
        cmocka_unit_test(a_half_made_domain_is_ended_and_its_start_has_failed),
        cmocka_unit_test(a_start_that_left_nothing_has_failed),
        cmocka_unit_test(one_that_waits_for_its_netvm_waits_on),
        cmocka_unit_test(a_disposable_that_waits_for_its_netvm_waits_on),
        cmocka_unit_test(one_whose_netvm_is_lost_does_not_start),
        cmocka_unit_test(a_start_before_the_hello_is_done_once),
        cmocka_unit_test(what_was_asked_for_before_the_hello_is_not_missing),
        cmocka_unit_test(how_it_was_to_end_is_said_again),
        cmocka_unit_test(without_a_helper_the_next_one_is_told_how_it_is_to_end),
        cmocka_unit_test(without_a_helper_a_start_is_refused),
        cmocka_unit_test(what_nobody_will_answer_is_answered_at_once),
        cmocka_unit_test(what_ends_with_the_helper_had_not_failed_to_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
