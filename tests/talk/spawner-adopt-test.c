/* Domains that outlive the helper, or the spawner: see domain-spawner/adopt.c. */
#include "tests/talk/spawner-stage.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define DOM0(method) method " dom0 name dom0"
#define WORK(method) method " dom0 name work"
#define SOON_MS      5000

static const char *for_vm(const char *method, const char *name)
{
    static char header[256];

    assert_int_equal(format(header, sizeof(header), "%s+ dom0 name %s", method, name), 0);
    return header;
}

static void put_file(const struct stage *s, const char *name)
{
    char path[4300];

    assert_int_equal(format(path, sizeof(path), "%s/%s", s->root, name), 0);
    assert_int_equal(file_replace(path, "", 0, 0600), 0);
}

static void remove_file(const struct stage *s, const char *name)
{
    char path[4300];

    assert_int_equal(format(path, sizeof(path), "%s/%s", s->root, name), 0);
    assert_int_equal(unlink(path), 0);
}

/* How many domains live: somebody else's is always there. */
static size_t living(const struct stage *s)
{
    _cleanup_(freep) char *text = NULL;
    char path[4300];
    size_t n, lines = 0;

    assert_int_equal(format(path, sizeof(path), "%s/living", s->root), 0);
    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    return lines - 1;
}

/* A spawner whose helper's domains outlive it; "work" runs. */
static void outliving_begin(struct stage *s)
{
    s->root = test_mkdir();
    put_file(s, "living");
    stage_run(s);
    stage_dvm(s, "dvm");
    stage_create(s, "work");
    stage_create(s, "idle");
    stage_expect(s, WORK("admin.vm.Start+"), "", "");
}

static void kill_helper(const struct stage *s)
{
    pid_t old = stage_helper(s);

    kill(old, SIGKILL);
    for (int i = 0; i < 500 && stage_helper(s) == old; i++)
        poll(NULL, 0, 10);
    assert_int_not_equal(stage_helper(s), old);
}

/* The helper cannot tidy up: as if killed with its front. */
static void kill_both(struct stage *s)
{
    pid_t helper = stage_helper(s);

    kill(helper, SIGSTOP);
    stage_kill(s);
    kill(helper, SIGKILL);
}

static int start(const struct stage *s, const char *name)
{
    char line[64];
    int fd = stage_send(s, false, for_vm("admin.vm.Start", name), "", true);

    assert_int_equal(format(line, sizeof(line), "create %s", name), 0);
    stage_helper_did(s, line);
    return fd;
}

static void expect_done(int fd)
{
    struct bytes b;

    stage_read(fd, &b, SOON_MS);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "0", 2);
}

static void expect_failed(int fd, const char *why)
{
    struct bytes b;

    stage_read(fd, &b, SOON_MS);
    assert_memory_equal(b.data, "2\0QubesVMError", 15);
    if (!memmem(b.data, b.len, why, strlen(why)))
        fail_msg("another reason than \"%s\": %s", why, b.data + 17);
}

/* Once: "NAME", or "NAME starting". */
static void adopted(const struct stage *s, const char *name)
{
    char line[64];

    assert_int_equal(format(line, sizeof(line), "adopt %s", name), 0);
    stage_helper_did(s, line);
    assert_int_equal(stage_helper_times(s, line), 1);
}

#define EVENT(subject, event, pairs) "1\0" subject "\0" event "\0" pairs

static void expect_event(int fd, const void *bytes, size_t n, const char *but)
{
    struct bytes b;

    stage_read_until(fd, &b, bytes, n);
    if (but && memmem(b.data, b.len, but, strlen(but)))
        fail_msg("the event %s came", but);
}
#define EXPECT_EVENT(fd, text) expect_event(fd, text, sizeof(text), NULL)

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

    (void)state;
    outliving_begin(&s);
    put_file(&s, "living");
    kill_helper(&s);
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

#define MANY 400

/* More than the socket to the helper takes at once, and a new one that reads none of it. */
static void many_begin(struct stage *s)
{
    char name[32];

    outliving_begin(s);
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
        cmocka_unit_test(a_disposable_in_the_making_is_ended_by_the_next_helper),
        cmocka_unit_test(a_disposable_that_was_not_there_yet_is_gone),
        cmocka_unit_test(a_disposable_in_the_making_is_found_by_a_new_spawner),
        cmocka_unit_test(a_disposable_that_shuts_down_is_ended_by_the_next_helper),
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
        cmocka_unit_test(one_that_is_paused_is_adopted_so),
        cmocka_unit_test(one_that_is_paused_ends_all_the_same),
        cmocka_unit_test(what_nobody_will_answer_is_answered_at_once),
        cmocka_unit_test(many_are_taken_over_by_and_by),
        cmocka_unit_test(what_one_helper_saw_is_not_taken_over_by_the_next),
        cmocka_unit_test(a_start_that_is_given_up_is_told),
        cmocka_unit_test(a_helpers_end_is_nothing_to_what_does_not_run),
        cmocka_unit_test(what_ends_with_the_helper_had_not_failed_to_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
