/* What the next helper, or the next spawner, finds: see domain-spawner/adopt.c. */
#include "tests/talk/spawner-outlive.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

static void what_outlives_the_helper_runs_on_but_disposables(void **state)
{
    char name[32], since[128];
    struct stage s;
    struct bytes b;
    int fd, stream;

    (void)state;
    outliving_begin(&s);
    fd = stage_lease(&s, name);
    assert_int_equal(format(since, sizeof(since), "%s",
                            stage_call(&s, WORK("admin.vm.property.Get+start_time"), "") + 2),
                     0);
    poll(NULL, 0, 1100); /* it counts seconds */
    stream = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    kill_helper(&s);
    adopted(&s, "work");
    adopted(&s, name);
    stage_read(fd, &b, SOON_MS); /* its lease ends */
    stage_listed(&s, "disp", false);
    stage_listed(&s, "work class=AppVM state=Running", true);
    stage_listed(&s, "idle class=AppVM state=Halted", true);
    stage_expect(&s, WORK("admin.vm.property.Get+start_time"), "", since);
    assert_int_equal(living(&s), 1);
    expect_event(stream, EVENT("", "domain-delete", "vm\0"),
                 sizeof(EVENT("", "domain-delete", "vm\0")) - 1, "start-failed");
    close(stream);
    /* and it is the new helper's as it was the old one's */
    stage_expect(&s, WORK("admin.vm.Kill+"), "", "");
    stage_helper_did(&s, "destroy work");
    stage_listed(&s, "work class=AppVM state=Halted", true);
    assert_int_equal(stage_helper_times(&s, "adopt idle"), 0);
    stage_end(&s);
}

static void what_went_while_no_helper_was_there_is_down(void **state)
{
    struct stage s;
    int stream;

    (void)state;
    outliving_begin(&s);
    stream = stage_send(&s, false, WORK("admin.Events+"), "", true);
    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    put_file(&s, "living");
    kill_helper(&s);
    expect_event(stream, EVENT("work", "domain-shutdown", ""),
                 sizeof(EVENT("work", "domain-shutdown", "")), "start-failed"); /* it had run */
    close(stream);
    stage_listed(&s, "work class=AppVM state=Halted", true);
    assert_int_equal(stage_helper_times(&s, "adopt work"), 0);
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_end(&s);
}

static void a_new_spawner_finds_what_the_old_one_made(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    fd = stage_lease(&s, name);
    kill_both(&s);
    close(fd);
    stage_run(&s);
    adopted(&s, "work");
    stage_listed(&s, "work class=AppVM state=Running", true);
    adopted(&s, name); /* its name is known by the journal */
    stage_listed(&s, "disp", false);
    stage_listed(&s, "idle class=AppVM state=Halted", true);
    assert_int_equal(living(&s), 1);
    stage_end(&s);
}

/* Whether the journal says that a disposable may still be there. */
static bool journal_holds_one(const struct stage *s)
{
    _cleanup_(freep) char *text = NULL;
    bool held[10000] = {false}, any = false;
    char path[4300], uuid[40];
    unsigned number;
    long long when;
    size_t n;

    assert_int_equal(format(path, sizeof(path), "%s/var/lib/qubes/disposables", s->root), 0);
    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        int fields;

        *end = 0;
        fields = sscanf(line, "%u %lld %39s", &number, &when, uuid);
        assert_in_range(fields, 2, 3);
        assert_in_range(number, 0, ARRAY_SIZE(held) - 1);
        held[number] = fields == 3;
    }
    for (size_t i = 0; i < ARRAY_SIZE(held); i++)
        any |= held[i];
    return any;
}

static void a_name_is_free_once_its_disposable_is_known_to_be_gone(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    fd = stage_lease(&s, name);
    kill_both(&s);
    close(fd);
    put_file(&s, "living");
    put_file(&s, "hold");
    stage_run(&s);
    assert_true(journal_holds_one(&s));
    remove_file(&s, "hold");
    stage_expect(&s, WORK("admin.vm.Start+"), "", ""); /* by then the hello is read */
    assert_false(journal_holds_one(&s));
    stage_end(&s);
}

static void a_name_is_held_until_its_disposable_is_seen_to_end(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    fd = stage_lease(&s, name);
    kill_both(&s);
    close(fd);
    put_file(&s, "deaf"); /* it does not come to end it */
    stage_run(&s);
    stage_listed(&s, "class=DispVM state=Dying", true);
    assert_true(journal_holds_one(&s));
    remove_file(&s, "deaf");
    adopted(&s, name);
    stage_listed(&s, "disp", false);
    assert_false(journal_holds_one(&s));
    stage_end(&s);
}

/* One whose start takes for ever; the connection asks for its lease. */
static int begin_disposable(const struct stage *s, char name[static 32])
{
    const char *list, *at;
    char line[64];
    int fd = stage_send(s, true, "internal.LeaseDisposable+ dom0 name mute-dvm", "\n", false);

    stage_listed(s, "class=DispVM state=Transient", true);
    list = stage_call(s, DOM0("admin.vm.List+"), "") + 2;
    at = strstr(list, "\ndisp");
    assert_non_null(at);
    assert_int_equal(sscanf(at, " %31s", name), 1);
    assert_int_equal(format(line, sizeof(line), "create %s", name), 0);
    stage_helper_did(s, line);
    return fd;
}

static void a_disposable_in_the_making_is_ended_by_the_next_helper(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_dvm(&s, "mute-dvm");
    fd = begin_disposable(&s, name);
    assert_int_equal(living(&s), 2);
    put_file(&s, "hold");
    kill_helper(&s);
    expect_failed(fd, "the backend ended"); /* its caller does not wait for that */
    stage_listed(&s, "class=DispVM state=Dying", true);
    assert_true(journal_holds_one(&s));
    remove_file(&s, "hold");
    adopted(&s, name);
    stage_listed(&s, "disp", false);
    assert_int_equal(living(&s), 1);
    assert_false(journal_holds_one(&s));
    stage_end(&s);
}

static void a_disposable_that_was_not_there_yet_is_gone(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_dvm(&s, "mute-dvm");
    fd = begin_disposable(&s, name);
    put_file(&s, "living");
    kill_helper(&s);
    expect_failed(fd, "the backend ended");
    stage_listed(&s, "disp", false);
    assert_false(journal_holds_one(&s));
    stage_end(&s);
}

/* The helper and its front, too: only the journal knows it. */
static void a_disposable_in_the_making_is_found_by_a_new_spawner(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_dvm(&s, "mute-dvm");
    fd = begin_disposable(&s, name);
    kill_both(&s);
    close(fd);
    stage_run(&s);
    adopted(&s, name);
    stage_listed(&s, "disp", false);
    assert_int_equal(living(&s), 1);
    stage_end(&s);
}

static void a_disposable_that_shuts_down_is_ended_by_the_next_helper(void **state)
{
    char name[32], header[128];
    struct stage s;
    int fd;

    (void)state;
    outliving_begin(&s);
    stage_dvm(&s, "mute-dvm");
    fd = begin_disposable(&s, name);
    put_file(&s, "hold");
    assert_int_equal(format(header, sizeof(header), "admin.vm.Shutdown+ dom0 name %s", name), 0);
    kill(stage_helper(&s), SIGSTOP); /* it does not come to do it */
    stage_expect(&s, header, "", "");
    stage_listed(&s, "class=DispVM state=Halting", true);
    kill_helper(&s);
    remove_file(&s, "hold");
    adopted(&s, name);
    stage_listed(&s, "disp", false);
    assert_int_equal(living(&s), 1);
    close(fd);
    stage_end(&s);
}

static void one_that_is_paused_is_adopted_so(void **state)
{
    struct stage s;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "still");
    stage_expect(&s, for_vm("admin.vm.Start", "still"), "", "");
    stage_listed(&s, "still class=AppVM state=Running", true);
    kill_helper(&s);
    stage_listed(&s, "still class=AppVM state=Paused", true);
    kill_both(&s);
    stage_run(&s);
    stage_listed(&s, "still class=AppVM state=Paused", true);
    stage_end(&s);
}

/* A disposable that is paused is still on its way down. */
static void one_that_is_paused_ends_all_the_same(void **state)
{
    struct stage s;

    (void)state;
    outliving_begin(&s);
    stage_create(&s, "still-stubborn");
    stage_expect(&s, for_vm("admin.vm.Start", "still-stubborn"), "", "");
    stage_expect(&s, for_vm("admin.vm.Shutdown", "still-stubborn"), "", "");
    kill_helper(&s);
    adopted(&s, "still-stubborn");
    stage_helper_did(&s, "shutdown still-stubborn");
    stage_call(&s, WORK("admin.vm.CurrentState+"), ""); /* by then adopt's answer is read */
    stage_listed(&s, "still-stubborn class=AppVM state=Halting", true);
    stage_end(&s);
}

#define MANY 400

/* More than the socket to the helper takes at once, and a new one that reads none of it. */
static void many_begin(struct stage *s)
{
    char name[32];

    outliving_begin(s);
    stage_create(s, "a-half"); /* the first of all */
    stage_expect(s, for_vm("admin.vm.Start", "a-half"), "", "");
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(format(name, sizeof(name), "many%d", i), 0);
        stage_create(s, name);
        stage_expect(s, for_vm("admin.vm.Start", name), "", "");
    }
    put_file(s, "deaf");
    kill_helper(s);
    poll(NULL, 0, 200); /* until no more goes into the socket */
}

static void what_one_helper_saw_is_not_taken_over_by_the_next(void **state)
{
    char name[32];
    struct stage s;
    pid_t deaf;

    (void)state;
    many_begin(&s);
    put_file(&s, "living"); /* they all go */
    deaf = stage_helper(&s);
    kill(deaf, SIGSTOP);
    remove_file(&s, "deaf");
    kill(deaf, SIGKILL);
    stage_listed(&s, "class=AppVM state=Running", false);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(format(name, sizeof(name), "adopt many%d", i), 0);
        assert_int_equal(stage_helper_times(&s, name), 0);
    }
    stage_expect(&s, for_vm("admin.vm.Start", "many0"), "", "");
    stage_end(&s);
}

static void many_are_taken_over_by_and_by(void **state)
{
    char name[32];
    struct stage s;

    (void)state;
    many_begin(&s);
    remove_file(&s, "deaf");
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(format(name, sizeof(name), "many%d", i), 0);
        adopted(&s, name);
    }
    adopted(&s, "work");
    stage_listed(&s, "state=Transient", false);
    stage_listed(&s, "state=Paused", false);
    stage_listed(&s, "many0 class=AppVM state=Running", true);
    adopted(&s, "a-half"); /* not again, though it ended before the last was taken over */
    stage_listed(&s, "a-half class=AppVM state=Halted", true);
    stage_end(&s);
}

static void a_start_that_is_given_up_is_told(void **state)
{
    char name[32];
    struct stage s;
    int fd, stream;

    (void)state;
    outliving_begin(&s);
    stage_dvm(&s, "mute-dvm");
    fd = begin_disposable(&s, name);
    stream = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    kill_helper(&s);
    expect_failed(fd, "the backend ended");
    stage_read_until(stream, &(struct bytes){.len = 0},
                     "domain-start-failed\0reason\0the backend ended\0", 45);
    close(stream);
    stage_end(&s);
}

static void make_idle_ones(const struct stage *s)
{
    stage_create(s, "idle2");
    stage_expect(s, "admin.vm.Create.RemoteVM+ dom0 name dom0", "name=there label=red", "");
}

/* All events from the helper's end to the next one's first answer. */
static void expect_no_word_of_idle_ones(const struct stage *s)
{
    static const char *const never[] = {"idle2", "there", "dom0"};
    int stream = stage_send(s, false, DOM0("admin.Events+"), "", true);
    char word[64];
    struct bytes b;

    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    kill_helper(s);
    stage_create(s, "other");
    stage_expect(s, for_vm("admin.vm.Start", "other"), "", "");
    stage_read_until(stream, &b, EVENT("other", "domain-start", "start_guid\0True\0"),
                     sizeof(EVENT("other", "domain-start", "start_guid\0True\0")));
    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        size_t n = strlen(never[i]) + sizeof("domain-"); /* NAME NUL "domain-" */

        assert_int_equal(format(word, sizeof(word), "%s/domain-", never[i]), 0);
        word[strlen(never[i])] = 0;
        if (memmem(b.data, b.len, word, n))
            fail_msg("something was said of %s", never[i]);
    }
    close(stream);
}

static void a_helpers_end_is_nothing_to_what_does_not_run(void **state)
{
    struct stage s;

    (void)state;
    outliving_begin(&s);
    make_idle_ones(&s);
    expect_no_word_of_idle_ones(&s);
    stage_end(&s);
    stage_begin(&s);
    make_idle_ones(&s);
    expect_no_word_of_idle_ones(&s);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_outlives_the_helper_runs_on_but_disposables),
        cmocka_unit_test(what_went_while_no_helper_was_there_is_down),
        cmocka_unit_test(a_new_spawner_finds_what_the_old_one_made),
        cmocka_unit_test(a_name_is_free_once_its_disposable_is_known_to_be_gone),
        cmocka_unit_test(a_name_is_held_until_its_disposable_is_seen_to_end),
        cmocka_unit_test(a_disposable_in_the_making_is_ended_by_the_next_helper),
        cmocka_unit_test(a_disposable_that_was_not_there_yet_is_gone),
        cmocka_unit_test(a_disposable_in_the_making_is_found_by_a_new_spawner),
        cmocka_unit_test(a_disposable_that_shuts_down_is_ended_by_the_next_helper),
        cmocka_unit_test(one_that_is_paused_is_adopted_so),
        cmocka_unit_test(one_that_is_paused_ends_all_the_same),
        cmocka_unit_test(many_are_taken_over_by_and_by),
        cmocka_unit_test(what_one_helper_saw_is_not_taken_over_by_the_next),
        cmocka_unit_test(a_start_that_is_given_up_is_told),
        cmocka_unit_test(a_helpers_end_is_nothing_to_what_does_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
