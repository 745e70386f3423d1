/* Starting and ending domains, disposables and their leases, event streams. */
#include "tests/talk/spawner-stage.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define DOM0(method) method " dom0 name dom0"
#define WORK(method) method " dom0 name work"

static void make(const struct stage *s, const char *name)
{
    stage_create(s, name);
}

static const char *for_vm(const char *method, const char *name)
{
    static char header[256];

    assert_int_equal(format(header, sizeof(header), "%s+ dom0 name %s", method, name), 0);
    return header;
}

static void a_start_answers_once_the_domain_runs(void **state)
{
    struct stage s;
    uint64_t before;

    (void)state;
    stage_begin(&s);
    make(&s, "slow");
    before = clock_ms();
    stage_expect(&s, for_vm("admin.vm.Start", "slow"), "", "");
    assert_true(clock_ms() - before >= 250);
    stage_expect(&s, for_vm("admin.vm.Start", "slow"), "", "");
    stage_expect(&s, for_vm("admin.vm.CurrentState", "slow"), "",
                 "mem=1000 mem_static_max=2000 cputime=3000000 power_state=Running");
    stage_refused(&s, for_vm("admin.vm.Remove", "slow"), "", "QubesVMNotHaltedError");
    stage_expect(&s, for_vm("admin.vm.Kill", "slow"), "", "");
    stage_refused(&s, for_vm("admin.vm.Kill", "slow"), "", "QubesVMNotStartedError");
    stage_helper_did(&s, "destroy slow");
    stage_end(&s);
}

static void starts_at_once_are_one_start(void **state)
{
    struct stage s;
    struct bytes b;
    int fds[5];
    char path[4200], *log;
    size_t n;

    (void)state;
    stage_begin(&s);
    make(&s, "slow");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = stage_send(&s, false, for_vm("admin.vm.Start", "slow"), "", true);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        stage_read(fds[i], &b, 5000);
        assert_int_equal(b.len, 2);
        assert_memory_equal(b.data, "0", 2);
    }
    assert_int_equal(format(path, sizeof(path), "%s/helper.log", s.root), 0);
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    assert_null(strstr(strstr(log, "create slow") + 1, "create slow"));
    free(log);
    stage_end(&s);
}

static void a_failed_start_says_why(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    make(&s, "fail");
    make(&s, "refuse");
    make(&s, "work");
    stage_refused(&s, for_vm("admin.vm.Start", "fail"), "", "QubesVMError");
    assert_non_null(strstr(stage_call(&s, for_vm("admin.vm.Start", "fail"), "") + strlen("2") + 1 +
                               strlen("QubesVMError") + 2,
                           "its image is missing"));
    assert_non_null(strstr(stage_call(&s, for_vm("admin.vm.Start", "refuse"), "") + strlen("2") +
                               1 + strlen("QubesVMError") + 2,
                           "no place for it"));
    stage_listed(&s, "refuse class=AppVM state=Halted", true);
    stage_expect(&s, WORK("admin.vm.feature.Set+prohibit-start"), "not 100% today", "");
    stage_refused(&s, WORK("admin.vm.Start+"), "", "QubesException");
    /* a '%' of the text is doubled, since clients take it as a format */
    assert_non_null(
        memmem(stage_call(&s, WORK("admin.vm.Start+"), ""), stage_len, "not 100%% today", 15));
    stage_refused(&s, DOM0("admin.vm.Start+"), "", "QubesVMNotHaltedError");
    stage_end(&s);
}

static void refused_as_late(const struct stage *s)
{
    const char *answer = stage_call(s, for_vm("admin.vm.Start", "tardy"), "");
    static const char text[] = "tardy cannot be called yet: no agent answered within 1 seconds; it "
                               "is left running until then (or until qvm-kill tardy)";

    assert_memory_equal(answer, "2\0QubesVMError\0", 15);
    if (!memmem(answer, stage_len, text, sizeof(text)))
        fail_msg("the refusal says: %s", answer + 16);
}

static void one_that_is_late_is_not_ready_but_lives(void **state)
{
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    stage_begin(&s);
    make(&s, "tardy");
    refused_as_late(&s);
    stage_listed(&s, "tardy class=AppVM state=Transient", true);
    fd = stage_send(&s, false, for_vm("admin.vm.Start", "tardy"), "", true);
    stage_listed(&s, "tardy class=AppVM state=Transient", true);
    kill(stage_helper(&s), SIGUSR2);
    stage_read(fd, &b, 5000);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "0", 2);
    stage_expect(&s, for_vm("admin.vm.Start", "tardy"), "", "");
    stage_listed(&s, "tardy class=AppVM state=Running", true);
    assert_int_equal(stage_helper_times(&s, "create tardy"), 1);
    assert_int_equal(stage_helper_times(&s, "destroy tardy"), 0);
    stage_end(&s);
}

/* What needs it for a network is refused, too, and starts once it is asked to again. */
static void one_that_is_late_can_be_ended_and_waited_for(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    make(&s, "tardy");
    make(&s, "work");
    stage_expect(&s, "admin.vm.property.Set+provides_network dom0 name tardy", "1", "");
    stage_expect(&s, WORK("admin.vm.property.Set+netvm"), "tardy", "");
    stage_refused(&s, WORK("admin.vm.Start+"), "", "QubesVMError");
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_listed(&s, "tardy class=AppVM state=Transient", true);
    kill(stage_helper(&s), SIGUSR2);
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_expect(&s, WORK("admin.vm.Kill+"), "", "");
    stage_expect(&s, for_vm("admin.vm.Kill", "tardy"), "", "");
    stage_refused(&s, for_vm("admin.vm.Start", "tardy"), "", "QubesVMError");
    stage_expect(&s, "admin.vm.Shutdown+wait dom0 name tardy", "", "");
    stage_listed(&s, "tardy class=AppVM state=Halted", true);
    stage_end(&s);
}

static void pause_and_shutdown_tell_their_states(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    make(&s, "work");
    make(&s, "stubborn");
    make(&s, "frozen");
    stage_refused(&s, WORK("admin.vm.Shutdown+"), "", "QubesVMNotStartedError");
    stage_refused(&s, WORK("admin.vm.Pause+"), "", "QubesVMNotRunningError");
    stage_refused(&s, WORK("admin.vm.Unpause+"), "", "QubesVMNotPausedError");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_expect(&s, WORK("admin.vm.Pause+"), "", "");
    stage_listed(&s, "work class=AppVM state=Paused", true);
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_refused(&s, WORK("admin.vm.Shutdown+"), "", "QubesVMNotRunningError");
    stage_expect(&s, WORK("admin.vm.Unpause+"), "", "");
    stage_expect(&s, WORK("admin.vm.Shutdown+wait"), "", "");
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_expect(&s, for_vm("admin.vm.Start", "frozen"), "", "");
    stage_refused(&s, for_vm("admin.vm.Pause", "frozen"), "", "QubesVMError");
    stage_listed(&s, "frozen class=AppVM state=Running", true);
    stage_expect(&s, "admin.vm.property.Set+shutdown_timeout dom0 name stubborn", "1", "");
    stage_expect(&s, for_vm("admin.vm.Start", "stubborn"), "", "");
    stage_refused(&s, "admin.vm.Shutdown+wait dom0 name stubborn", "",
                  "QubesVMShutdownTimeoutError");
    stage_listed(&s, "stubborn class=AppVM state=Halting", true);
    stage_refused(&s, "admin.vm.Shutdown+now dom0 name stubborn", "", "ProtocolError");
    stage_end(&s);
}

static void a_netvm_starts_first(void **state)
{
    struct stage s;
    char path[4200], *log;
    size_t n;

    (void)state;
    stage_begin(&s);
    make(&s, "slow-net");
    make(&s, "work");
    stage_expect(&s, "admin.vm.property.Set+provides_network dom0 name slow-net", "1", "");
    stage_expect(&s, WORK("admin.vm.property.Set+netvm"), "slow-net", "");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    assert_int_equal(format(path, sizeof(path), "%s/helper.log", s.root), 0);
    assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
    assert_true(strstr(log, "create slow-net") < strstr(log, "create work"));
    free(log);
    stage_refused(&s, for_vm("admin.vm.Shutdown", "slow-net"), "", "QubesVMInUseError");
    stage_expect(&s, WORK("admin.vm.Kill+"), "", "");
    stage_expect(&s, "admin.vm.Shutdown+force+wait dom0 name slow-net", "", "");
    /* a netvm that fails takes the start with it */
    make(&s, "fail-net");
    stage_expect(&s, "admin.vm.property.Set+provides_network dom0 name fail-net", "1", "");
    stage_expect(&s, WORK("admin.vm.property.Set+netvm"), "fail-net", "");
    stage_refused(&s, WORK("admin.vm.Start+"), "", "QubesVMError");
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_end(&s);
}

static void a_leases_end_is_its_disposables(void **state)
{
    char name[32], line[64];
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    fd = stage_lease(&s, name);
    stage_listed(&s, name, true);
    close(fd);
    assert_int_equal(format(line, sizeof(line), "destroy %s", name), 0);
    stage_helper_did(&s, line);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

static void a_disposables_end_is_its_leases(void **state)
{
    char name[32];
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    fd = stage_lease(&s, name);
    kill(stage_helper(&s), SIGUSR1);
    stage_read(fd, &b, 5000);
    assert_int_equal(b.len, 0);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

static void a_lease_that_fails_leaves_nothing(void **state)
{
    struct stage s;
    struct bytes b;
    int fd;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    make(&s, "plain");
    stage_expect(&s, "admin.vm.feature.Set+prohibit-start dom0 name dvm", "no", "");
    fd = stage_send(&s, true, "internal.LeaseDisposable+ dom0 name dvm", "\n", false);
    stage_read(fd, &b, 5000);
    assert_memory_equal(b.data, "2\0QubesException", 17);
    fd = stage_send(&s, true, "internal.LeaseDisposable+ dom0 name plain", "\n", false);
    stage_read(fd, &b, 5000);
    assert_memory_equal(b.data, "2\0QubesException", 17);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

/* The caller goes while its disposable still starts. */
static void a_lease_given_up_during_the_start_ends_it(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s);
    make(&s, "slow-net");
    stage_dvm(&s, "dvm");
    stage_expect(&s, "admin.vm.property.Set+provides_network dom0 name slow-net", "1", "");
    stage_expect(&s, "admin.vm.property.Set+netvm dom0 name dvm", "slow-net", "");
    fd = stage_send(&s, true, "internal.LeaseDisposable+ dom0 name dvm", "\n", false);
    stage_listed(&s, "disp", true);
    close(fd);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

static void a_disposable_inherits_and_is_marked(void **state)
{
    struct stage s;
    char name[64], header[256];
    const char *answer;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    make(&s, "email");
    stage_expect(&s, "admin.vm.property.Set+memory dom0 name dvm", "321", "");
    stage_expect(&s, "admin.vm.property.Set+label dom0 name dvm", "blue", "");
    stage_expect(&s, "admin.vm.property.Set+autostart dom0 name dvm", "1", "");
    stage_expect(&s, "admin.vm.tag.Set+green dom0 name dvm", "", "");
    stage_expect(&s, "admin.vm.feature.Set+internal dom0 name dvm", "1", "");
    stage_expect(&s, "admin.vm.firewall.Set+ dom0 name dvm", "action=drop", "");
    answer = stage_call(&s, "admin.vm.CreateDisposable+ email name dom0", "");
    assert_memory_equal(answer, "0", 2);
    assert_int_equal(format(name, sizeof(name), "%s", answer + 2), 0);
#define DISP(method) (format(header, sizeof(header), method " dom0 name %s", name), header)
    stage_expect(&s, DISP("admin.vm.property.Get+memory"), "", "default=False type=int 321");
    stage_expect(&s, DISP("admin.vm.property.Get+label"), "", "default=False type=label blue");
    stage_expect(&s, DISP("admin.vm.property.Get+autostart"), "", "default=True type=bool False");
    stage_expect(&s, DISP("admin.vm.property.Get+template"), "", "default=False type=vm dvm");
    stage_expect(&s, DISP("admin.vm.property.Get+default_dispvm"), "", "default=True type=vm dvm");
    stage_expect(&s, DISP("admin.vm.property.Get+auto_cleanup"), "",
                 "default=False type=bool True");
    stage_expect(&s, DISP("admin.vm.feature.Get+internal"), "", "1");
    stage_expect(&s, DISP("admin.vm.firewall.Get+"), "", "action=drop\n");
    stage_expect(&s, DISP("admin.vm.tag.List+"), "",
                 "audiovm-dom0\ncreated-by-dom0\ncreated-by-email\ndisp-created-by-email\n"
                 "green\nguivm-dom0\n");
    /* never started, and removed all the same */
    stage_expect(&s, DISP("admin.vm.Kill+"), "", "");
    stage_listed(&s, "disp", false);
    assert_true(
        str_starts(stage_call(&s, DOM0("admin.vm.CreateDisposable+"), "uuid") + 2, "uuid:"));
    stage_refused(&s, "admin.vm.CreateDisposable+ dom0 name email", "", "QubesException");
    stage_end(&s);
}

/* Its opener has no network, and all others' default has. */
static void a_disposables_disposables_are_like_it_however_deep(void **state)
{
    char name[64] = "email", header[256];
    struct stage s;

    (void)state;
    stage_begin(&s);
    make(&s, "email");
    make(&s, "net");
    stage_create(&s, "offline-dvm");
    stage_expect(&s, "admin.vm.property.Set+template_for_dispvms dom0 name offline-dvm", "True",
                 "");
    stage_expect(&s, "admin.vm.property.Set+provides_network dom0 name net", "True", "");
    stage_expect(&s, "admin.property.Set+default_netvm dom0 name dom0", "net", "");
    stage_dvm(&s, "dvm");
    stage_expect(&s, "admin.vm.property.Set+netvm dom0 name offline-dvm", "", "");
    stage_expect(&s, "admin.vm.property.Set+default_dispvm dom0 name email", "offline-dvm", "");
    for (int deep = 0; deep < 3; deep++) {
        const char *answer;

        assert_int_equal(
            format(header, sizeof(header), "admin.vm.CreateDisposable+ %s name dom0", name), 0);
        answer = stage_call(&s, header, "");
        assert_memory_equal(answer, "0", 2);
        assert_int_equal(format(name, sizeof(name), "%s", answer + 2), 0);
        stage_expect(&s, DISP("admin.vm.property.Get+template"), "",
                     "default=False type=vm offline-dvm");
        stage_expect(&s, DISP("admin.vm.property.Get+default_dispvm"), "",
                     "default=True type=vm offline-dvm");
        stage_expect(&s, DISP("admin.vm.property.Get+netvm"), "", "default=False type=vm ");
    }
    stage_end(&s);
}

static void one_that_nobody_starts_is_swept(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    stage_expect(&s, "admin.vm.property.Set+qrexec_timeout dom0 name dvm", "1", "");
    stage_call(&s, DOM0("admin.vm.CreateDisposable+"), "");
    stage_listed(&s, "disp", true);
    stage_listed(&s, "disp", false);
    stage_end(&s);
}

static void named_ones_stay_when_they_are_down(void **state)
{
    struct stage s;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    stage_expect(&s, DOM0("admin.vm.Create.DispVM+"), "name=kept label=red", "");
    stage_expect(&s, for_vm("admin.vm.Start", "kept"), "", "");
    stage_expect(&s, for_vm("admin.vm.Kill", "kept"), "", "");
    stage_listed(&s, "kept class=DispVM state=Halted", true);
    stage_end(&s);
}

static void killed_and_started_again_it_keeps_no_disposable(void **state)
{
    char name[32];
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    fd = stage_lease(&s, name);
    stage_call(&s, DOM0("admin.vm.CreateDisposable+"), "");
    stage_kill(&s);
    stage_run(&s);
    stage_listed(&s, "dvm", true);
    stage_listed(&s, "disp", false);
    close(fd);
    stage_end(&s);
}

static void without_its_helper_all_is_down_and_then_goes_on(void **state)
{
    char name[32];
    struct stage s;
    struct bytes b;
    pid_t old;
    int fd;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    make(&s, "work");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    fd = stage_lease(&s, name);
    old = stage_helper(&s);
    kill(old, SIGKILL);
    stage_read(fd, &b, 5000);
    stage_listed(&s, "work class=AppVM state=Halted", true);
    stage_listed(&s, "disp", false);
    for (int i = 0; i < 500 && stage_helper(&s) == old; i++)
        poll(NULL, 0, 10);
    assert_int_not_equal(stage_helper(&s), old);
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    stage_end(&s);
}

#define EVENT(subject, event, pairs) "1\0" subject "\0" event "\0" pairs

static void expect_event(int fd, const void *bytes, size_t n)
{
    struct bytes b;

    stage_read_until(fd, &b, bytes, n);
}
#define EXPECT_EVENT(fd, text) expect_event(fd, text, sizeof(text))

static void events_come_as_bytes(void **state)
{
    struct stage s;
    struct bytes b;
    int fd, other, mine;

    (void)state;
    stage_begin(&s);
    make(&s, "work");
    make(&s, "vault");
    fd = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    stage_read_until(fd, &b, EVENT("", "connection-established", ""),
                     sizeof(EVENT("", "connection-established", "")));
    assert_int_equal(b.len, sizeof(EVENT("", "connection-established", "")));
    /* another stream's greeting is not ours */
    other = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    mine = stage_send(&s, false, "admin.Events+ vault name dom0", "", true);
    EXPECT_EVENT(mine, EVENT("", "connection-established", ""));
    stage_expect(&s, WORK("admin.vm.tag.Set+x"), "", "");
    stage_read_until(fd, &b, EVENT("work", "domain-tag-add:x", "tag\0x\0"),
                     sizeof(EVENT("work", "domain-tag-add:x", "tag\0x\0")));
    assert_int_equal(b.len, sizeof(EVENT("work", "domain-tag-add:x", "tag\0x\0")));
    stage_expect(&s, WORK("admin.vm.property.Set+memory"), "512", "");
    EXPECT_EVENT(fd, EVENT("work", "property-set:memory",
                           "name\0memory\0newvalue\000512\0oldvalue\000400\0"));
    stage_expect(&s, WORK("admin.vm.feature.Set+gui"), "1", "");
    EXPECT_EVENT(fd, EVENT("work", "domain-feature-set:gui", "feature\0gui\0value\0001\0"));
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    EXPECT_EVENT(fd, EVENT("work", "domain-start", "start_guid\0True\0"));
    stage_expect(&s, WORK("admin.vm.Kill+"), "", "");
    EXPECT_EVENT(fd, EVENT("work", "domain-shutdown", ""));
    stage_expect(&s, WORK("admin.vm.Remove+"), "", "");
    EXPECT_EVENT(fd, EVENT("", "domain-delete", "vm\0work\0"));
    /* vault saw nothing of work */
    stage_expect(&s, "admin.vm.tag.Set+y dom0 name vault", "", "");
    stage_read_until(mine, &b, EVENT("vault", "domain-tag-add:y", "tag\0y\0"),
                     sizeof(EVENT("vault", "domain-tag-add:y", "tag\0y\0")));
    assert_int_equal(b.len, sizeof(EVENT("vault", "domain-tag-add:y", "tag\0y\0")));
    close(fd);
    close(other);
    close(mine);
    stage_end(&s);
}

static void a_changed_default_is_told_for_each_that_uses_it(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s);
    make(&s, "work");
    fd = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    EXPECT_EVENT(fd, EVENT("", "connection-established", ""));
    stage_expect(&s, DOM0("admin.property.Set+default_qrexec_timeout"), "9", "");
    EXPECT_EVENT(fd, EVENT("work", "property-reset:qrexec_timeout",
                           "name\0qrexec_timeout\0oldvalue\00060\0"));
    close(fd);
    stage_end(&s);
}

static void stats_come_for_what_runs(void **state)
{
    struct stage s;
    int fd;

    (void)state;
    stage_begin(&s);
    make(&s, "work");
    stage_expect(&s, WORK("admin.vm.Start+"), "", "");
    fd = stage_send(&s, false, DOM0("admin.vm.Stats+"), "", true);
    EXPECT_EVENT(fd, EVENT("", "connection-established", ""));
    EXPECT_EVENT(fd, EVENT("work", "vm-stats",
                           "memory_kb\0001000\0memory_assigned_total\0001000\0"
                           "memory_assigned_usable\0001000\0memory_with_swap_used\0001000\0"
                           "cpu_time\0003\0cpu_usage\0000\0online_vcpus\0002\0"));
    close(fd);
    stage_end(&s);
}

static size_t descriptors_of(const struct stage *s)
{
    char path[64], name[80];
    size_t n = 0;

    assert_int_equal(format(path, sizeof(path), "/proc/%d/fd", (int)s->spawner), 0);
    for (int i = 0; i < 512; i++) {
        assert_int_equal(format(name, sizeof(name), "%s/%d", path, i), 0);
        n += readlink(name, (char[1]){0}, 1) > 0;
    }
    return n;
}

static void a_stream_whose_reader_is_gone_is_closed(void **state)
{
    struct stage s;
    size_t before;
    int fds[10];

    (void)state;
    stage_begin(&s);
    stage_call(&s, DOM0("admin.pool.List+"), "");
    poll(NULL, 0, 200); /* until the call's own is closed */
    before = descriptors_of(&s);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = stage_send(&s, false, DOM0("admin.Events+"), "", true);
        EXPECT_EVENT(fds[i], EVENT("", "connection-established", ""));
    }
    assert_int_equal(descriptors_of(&s), before + ARRAY_SIZE(fds));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    for (int i = 0; i < 500 && descriptors_of(&s) > before; i++)
        poll(NULL, 0, 10);
    assert_int_equal(descriptors_of(&s), before);
    stage_end(&s);
}

static void lists_are_fast_beside_starts_and_mute_callers(void **state)
{
    int starts[100], mute[10];
    struct stage s;
    struct bytes b;
    char name[32];
    uint64_t before, slowest = 0;

    (void)state;
    stage_begin(&s);
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        assert_int_equal(format(name, sizeof(name), "slow%zu", i), 0);
        make(&s, name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(mute); i++)
        mute[i] = stage_send(&s, false, "admin.vm.List+ dom0 name dom0", "", false);
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        assert_int_equal(format(name, sizeof(name), "slow%zu", i), 0);
        starts[i] = stage_send(&s, false, for_vm("admin.vm.Start", name), "", true);
    }
    for (int i = 0; i < 50; i++) {
        before = clock_ms();
        stage_call(&s, DOM0("admin.vm.List+"), "");
        if (clock_ms() - before > slowest)
            slowest = clock_ms() - before;
    }
    assert_in_range(slowest, 0, 200);
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        stage_read(starts[i], &b, 10000);
        assert_memory_equal(b.data, "0", 2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(mute); i++)
        close(mute[i]);
    stage_end(&s);
}

/* Ticks of processor time that the spawner used. */
static unsigned long ticks(const struct stage *s)
{
    char path[64], *text, *p;
    unsigned long user = 0, kernel = 0;
    size_t n;

    assert_int_equal(format(path, sizeof(path), "/proc/%d/stat", (int)s->spawner), 0);
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    p = strrchr(text, ')');
    assert_int_equal(
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel), 2);
    free(text);
    return user + kernel;
}

static void idle_means_idle(void **state)
{
    struct stage s;
    char name[32];
    unsigned long before;
    int fd, stream;

    (void)state;
    stage_begin(&s);
    stage_dvm(&s, "dvm");
    fd = stage_lease(&s, name);
    stream = stage_send(&s, false, DOM0("admin.Events+"), "", true);
    EXPECT_EVENT(stream, EVENT("", "connection-established", ""));
    poll(NULL, 0, 100);
    before = ticks(&s);
    poll(NULL, 0, 1000);
    assert_in_range(ticks(&s) - before, 0, 1);
    close(fd);
    close(stream);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_answers_once_the_domain_runs),
        cmocka_unit_test(starts_at_once_are_one_start),
        cmocka_unit_test(a_failed_start_says_why),
        cmocka_unit_test(one_that_is_late_is_not_ready_but_lives),
        cmocka_unit_test(one_that_is_late_can_be_ended_and_waited_for),
        cmocka_unit_test(pause_and_shutdown_tell_their_states),
        cmocka_unit_test(a_netvm_starts_first),
        cmocka_unit_test(a_leases_end_is_its_disposables),
        cmocka_unit_test(a_disposables_end_is_its_leases),
        cmocka_unit_test(a_lease_that_fails_leaves_nothing),
        cmocka_unit_test(a_lease_given_up_during_the_start_ends_it),
        cmocka_unit_test(a_disposable_inherits_and_is_marked),
        cmocka_unit_test(a_disposables_disposables_are_like_it_however_deep),
        cmocka_unit_test(one_that_nobody_starts_is_swept),
        cmocka_unit_test(named_ones_stay_when_they_are_down),
        cmocka_unit_test(killed_and_started_again_it_keeps_no_disposable),
        cmocka_unit_test(without_its_helper_all_is_down_and_then_goes_on),
        cmocka_unit_test(events_come_as_bytes),
        cmocka_unit_test(a_changed_default_is_told_for_each_that_uses_it),
        cmocka_unit_test(stats_come_for_what_runs),
        cmocka_unit_test(a_stream_whose_reader_is_gone_is_closed),
        cmocka_unit_test(lists_are_fast_beside_starts_and_mute_callers),
        cmocka_unit_test(idle_means_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
