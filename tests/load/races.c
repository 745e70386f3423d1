/*
 * Ends that meet each other: the service's and the caller's bytes; a start that is waited for;
 * settings that are no settings; bytes before the caller's.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <sys/stat.h>

/* Something in the call stands still for a while, at a time of its own. */
static pid_t somebody(const struct call *c)
{
    pid_t pids[64];
    size_t n;

    if (rnd(2))
        return c->pid;
    n = descendants(world.vms[1].agent, NULL, pids, ARRAY_SIZE(pids));
    return n ? pids[rnd((uint32_t)n)] : 0;
}

static bool stopped_race(const struct call *model)
{
    struct call c = *model, *list = &c;
    uint64_t until;
    pid_t who;

    call_start(&c);
    until = now_us() + rnd(12000);
    while (c.pid > 0 && now_us() < until)
        (void)calls_turn(&list, 1, 1);
    who = c.pid > 0 ? somebody(&c) : 0;
    if (who > 0)
        (void)kill(who, SIGSTOP);
    until = now_us() + rnd(20000);
    while (c.pid > 0 && now_us() < until)
        (void)calls_turn(&list, 1, 1);
    if (who > 0)
        (void)kill(who, SIGCONT);
    (void)calls_finish(&list, 1, WAIT_MS);
    if (!call_is_right(&c))
        call_print(&c);
    return call_is_right(&c);
}

static void the_exit_code_survives_a_writing_caller(void)
{
    static const struct call models[] = {
        {.from = 1,
         .target = "b",
         .service = "load.Code+9",
         .deaf = true,
         .code = 9,
         .size = 1U << 30},
        {.from = 1,
         .target = "b",
         .service = "load.Some+300000",
         .fixed = 300000,
         .code = 7,
         .size = 1U << 30},
        {.from = 1,
         .target = "b",
         .service = "load.Part+300000",
         .fixed = 300000,
         .code = 7,
         .size = 1U << 30},
        {.from = 1,
         .target = "b",
         .service = "load.Drain",
         .deaf = true,
         .code = 5,
         .size = 200000},
    };
    size_t n = full ? 1000 : 60, right = 0;
    struct left before;

    left_count(&before);
    for (size_t i = 0; i < n; i++)
        right += stopped_race(&models[i % ARRAY_SIZE(models)]);
    check(right == n, "the exit code is right, whoever stands still while the caller writes",
          "%zu of %zu", right, n);
    left_check(&before, WAIT_MS, "races");
}

static void prefix_data_comes_at_once(void)
{
    static const struct call prefix = {.from = 1,
                                       .target = "b",
                                       .service = "load.Echo",
                                       .prefix = "before all others",
                                       .size = 100};
    size_t n = full ? 10000 : 150, right;
    uint64_t worst;

    right = calls_run(&prefix, n, 4, &worst);
    check(right == n && worst < 1000000, "prefix data comes at once", "%zu of %zu, worst %llu ms",
          right, n, (unsigned long long)worst / 1000);
}

static void calls_wait_for_their_targets_start(void)
{
    struct call calls[5], *list[5];
    size_t right = 0;
    uint64_t worst = 0;

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        calls[i] = (struct call){.from = 1, .target = "late", .service = "load.Echo", .size = 500};
        list[i] = &calls[i];
        call_start(&calls[i]);
        (void)calls_turn(list, i + 1, 50); /* the others click again while it starts */
    }
    (void)calls_finish(list, ARRAY_SIZE(calls), WAIT_MS);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        right += call_is_right(&calls[i]);
        if (!call_is_right(&calls[i]))
            call_print(&calls[i]);
        if (calls[i].ended - calls[i].begun > worst)
            worst = calls[i].ended - calls[i].begun;
    }
    check(right == ARRAY_SIZE(calls), "calls to a halted domain wait for its start",
          "%zu of %zu, %llu ms; the start takes %d ms", right, ARRAY_SIZE(calls),
          (unsigned long long)worst / 1000, LATE_MS);
}

static bool log_has(const char *log, const char *text)
{
    _cleanup_(freep) char *all = NULL;
    size_t n;

    return file_read(in_dir("log/%s", log), 64U << 20, &all, &n) == 0 && strstr(all, text);
}

static int compare_us(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void broken(const char *what, const char *service, const char *reason)
{
    const struct call c = {.from = 1, .target = "b", .service = service, .deaf = true, .code = 125};
    uint64_t us[10];
    size_t n = ARRAY_SIZE(us);

    for (size_t i = 0; i < n; i++)
        us[i] = call_once(&c);
    qsort(us, n, sizeof(*us), compare_us);
    /* half of them, since others use this machine; one that went wrong is last */
    check(us[n / 2] < 100000 && us[n - 1] != UINT64_MAX, what,
          "exit code 125 after %llu us at the median, %llu at worst", (unsigned long long)us[n / 2],
          (unsigned long long)us[n - 1]);
    check(log_has("b-agent", reason), "and the reason is in the log", "%s", reason);
}

static void settings_that_are_none_fail_at_once(void)
{
    write_file(in_dir("services/load.Bad1"), "#!/bin/sh\necho no\n", 0755);
    write_file(in_dir("services/load.Bad2"), "#!/bin/sh\necho no\n", 0755);
    write_file(in_dir("config/load.Bad1"), "wait-for-session = maybe\n", 0644);
    broken("broken settings fail the call at once", "load.Bad1", "load.Bad1:1");
    (void)mkdir(in_dir("config/load.Bad2"), 0755);
    broken("unreadable settings fail the call at once", "load.Bad2", "load.Bad2");
}

void race_checks(void)
{
    the_exit_code_survives_a_writing_caller();
    prefix_data_comes_at_once();
    calls_wait_for_their_targets_start();
    settings_that_are_none_fail_at_once();
}
