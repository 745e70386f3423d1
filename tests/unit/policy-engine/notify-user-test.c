/*
 * Notices to users over time: denials are counted and told when their minute is over, prompts that
 * do not listen are let go of, and what cannot be remembered is told each time. The clock is the
 * test's; a notice's time limit is over at once where the test says so.
 */
#include "policy-engine/notify-user.h"

#include "libqrexec/base/paths.h"
#include "tests/unit/allocations.h"
#include "tests/unit/test.h"

#include <sys/socket.h>

#define MINUTE_MS 60000
#define LATE_MS   10000
#define SOURCES   300

uint64_t __wrap_clock_ms(void);
void __real_timer_set(struct timer *t, uint64_t ms);
void __wrap_timer_set(struct timer *t, uint64_t ms);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);

static uint64_t now_ms = 1000;
static uint64_t last_minute; /* what the minute's timer was set to */
static bool late_at_once;

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

void __wrap_timer_set(struct timer *t, uint64_t ms)
{
    if (ms > LATE_MS)
        last_minute = ms;
    __real_timer_set(t, ms == LATE_MS && late_at_once ? 0 : ms);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

static char *root, *place;
static int listener = -1;
static struct policy_domains *domains;

static int set_up(void **state)
{
    _cleanup_(freep) char *services = NULL;
    char name[16];

    (void)state;
    root = test_mkdir();
    services = format_new("%s/etc/qubes-rpc", root);
    place = format_new("%s/policy.Notify", services);
    assert_int_equal(mkdir_all(services, 0755), 0);
    assert_int_equal(paths_init(root, PATHS_TOOL), 0);
    assert_int_equal(unix_listen(place, 0600, &listener), 0);
    assert_int_equal(policy_domains_new(1, &domains), 0);
    for (int i = 0; i < SOURCES; i++) {
        assert_int_equal(format(name, sizeof(name), "d%d", i), 0);
        assert_int_equal(
            policy_domains_add(domains, &(struct policy_domain){.name = name, .guivm = "dom0"}), 0);
    }
    return loop_init();
}

static int tear_down(void **state)
{
    (void)state;
    close_fd(&listener);
    loop_deinit();
    policy_domains_unref(domains);
    free(place);
    test_rmdir(root);
    return 0;
}

static void on_enough(struct timer *t)
{
    (void)t;
    loop_quit(0);
}

/* What is due is done. */
static void turn(void)
{
    struct timer enough = {.fn = on_enough};

    for (int i = 0; i < 8; i++) { /* so many turns at least, however busy the machine is */
        timer_set(&enough, 4);
        (void)loop_run();
    }
}

/* The next notice's JSON is that, after its descriptor; NULL: there is none. */
static void told(const char *json)
{
    static const char descriptor[] = "policy.Notify dom0 name dom0";
    char text[1024] = "";
    int fd;

    turn();
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (!json) {
        assert_int_equal(fd, -1);
        return;
    }
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > (ssize_t)sizeof(descriptor));
    assert_string_equal(text, descriptor);
    assert_string_equal(text + sizeof(descriptor), json);
    close(fd);
    turn();
}

#define NOTICE(argument, target, more)                                                             \
    "{\"resolution\":\"deny\",\"source\":\"d0\",\"service\":\"a.B\",\"argument\":\"" argument      \
    "\",\"target\":\"" target "\"" more "}"

static void refuse(struct notices *ns, const char *source, const char *argument, const char *target)
{
    struct policy_question q = {.source = (char *)source,
                                .target = (char *)target,
                                .service = (char *)"a.B",
                                .argument = (char *)argument};
    struct policy_verdict v = {.notify = true, .reason = POLICY_REASON_POLICY};

    notify_user(ns, domains, &q, &v);
}

static void minute(struct notices *ns, uint64_t later)
{
    now_ms += later;
    timer_stop(&ns->minute);
    ns->minute.fn(&ns->minute);
}

static void more_denials_are_counted_and_told_when_the_minute_is_over(void **state)
{
    struct notices ns = NOTICES_NULL;

    (void)state;
    refuse(&ns, "d0", "+x", "d1");
    told(NOTICE("+x", "d1", ""));
    for (int i = 0; i < 3; i++)
        refuse(&ns, "d0", "+y", "d2");
    refuse(&ns, "d0", "+z", "");
    told(NULL);
    minute(&ns, MINUTE_MS - 1); /* too early: the timer waits for the rest */
    told(NULL);
    assert_int_equal(last_minute, MINUTE_MS);
    assert_true(ns.minute.set);
    minute(&ns, 1);
    told(NOTICE("+z", "@default", ",\"count\":4"));
    assert_int_equal(ns.n_told, 1);
    assert_int_equal(last_minute, MINUTE_MS + 1); /* of the one that begins */
    refuse(&ns, "d0", "+x", "d1");                /* the next minute goes on from there */
    told(NULL);
    minute(&ns, MINUTE_MS);
    told(NOTICE("+x", "d1", ""));
    notices_deinit(&ns);
}

static void who_was_quiet_for_a_minute_is_told_at_once_again(void **state)
{
    struct notices ns = NOTICES_NULL;

    (void)state;
    refuse(&ns, "d0", "+x", "d1");
    told(NOTICE("+x", "d1", ""));
    minute(&ns, MINUTE_MS);
    assert_int_equal(ns.n_told, 0);
    assert_false(ns.minute.set);
    told(NULL);
    refuse(&ns, "d0", "+x", "d1");
    told(NOTICE("+x", "d1", ""));
    notices_deinit(&ns);
}

static void a_prompt_that_does_not_listen_is_let_go_of(void **state)
{
    struct notices ns = NOTICES_NULL;
    char byte[512];
    int fd;

    (void)state;
    late_at_once = true;
    refuse(&ns, "d0", "+x", "d1");
    assert_non_null(ns.first);
    turn();
    late_at_once = false;
    assert_null(ns.first);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (read(fd, byte, sizeof(byte)) > 0)
        continue;
    close(fd);
    notices_deinit(&ns);
}

static void the_end_takes_what_is_under_way_along(void **state)
{
    struct notices ns = NOTICES_NULL;

    (void)state;
    refuse(&ns, "d0", "+x", "d1");
    refuse(&ns, "d1", "+x", "d1");
    assert_non_null(ns.first);
    notices_deinit(&ns);
    assert_null(ns.first);
    assert_null(ns.told);
    for (int i = 0; i < 2; i++)
        close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    told(NULL);
}

static void so_many_are_remembered_and_the_others_told_each_time(void **state)
{
    struct notices ns = NOTICES_NULL;
    char name[16];

    (void)state;
    close_fd(&listener);
    assert_int_equal(unlink(place), 0);
    for (int i = 0; i < SOURCES; i++) {
        assert_int_equal(format(name, sizeof(name), "d%d", i), 0);
        refuse(&ns, name, "+x", "d1");
    }
    assert_int_equal(ns.n_told, 256);
    assert_int_equal(unix_listen(place, 0600, &listener), 0);
    refuse(&ns, "d0", "+x", "d1"); /* remembered: counted */
    told(NULL);
    for (int i = 0; i < 2; i++) { /* not remembered */
        refuse(&ns, "d299", "+x", "d1");
        turn();
        close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        turn();
        assert_null(ns.first);
    }
    notices_deinit(&ns);
}

static void without_memory_a_notice_is_lost_and_no_more(void **state)
{
    struct notices ns = NOTICES_NULL;
    size_t n, given = 0;

    (void)state;
    for (n = 1; n < 100; n++) { /* the first one of a source, then one that is counted */
        size_t unused;

        left = n;
        refuse(&ns, "d0", "+x", "d1");
        refuse(&ns, "d0", "+y", "d2");
        unused = left;
        left = 0;
        turn();
        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0; given++) {
            close(fd);
            turn();
        }
        assert_null(ns.first);
        assert_true(ns.n_told <= 1);
        notices_deinit(&ns);
        ns = NOTICES_NULL;
        if (unused)
            break;
    }
    assert_true(n > 8 && n < 100);
    assert_true(given > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_denials_are_counted_and_told_when_the_minute_is_over),
        cmocka_unit_test(who_was_quiet_for_a_minute_is_told_at_once_again),
        cmocka_unit_test(a_prompt_that_does_not_listen_is_let_go_of),
        cmocka_unit_test(the_end_takes_what_is_under_way_along),
        cmocka_unit_test(so_many_are_remembered_and_the_others_told_each_time),
        cmocka_unit_test(without_memory_a_notice_is_lost_and_no_more),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
