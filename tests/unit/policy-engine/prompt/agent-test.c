/*
 * The prompt's queue with a front that writes down what it is told: notices over a minute, requests
 * that do not end or are too long, no memory for a question. Clock and time limits are the test's.
 */
#include "policy-engine/prompt/agent.h"

#include "libqrexec/base/loop.h"
#include "tests/unit/test.h"

#include <sys/socket.h>

#define READ_MS 10000

uint64_t __wrap_clock_ms(void);
void __real_timer_set(struct timer *t, uint64_t ms);
void __wrap_timer_set(struct timer *t, uint64_t ms);

static uint64_t now_ms = 1000;
static bool late_at_once;

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

void __wrap_timer_set(struct timer *t, uint64_t ms)
{
    __real_timer_set(t, ms == READ_MS && late_at_once ? 0 : ms);
}

/* ---- The front ---- */

static char said[4096]; /* lines */
static int ask_result;
static size_t asked;

static int on_ask(struct front *f, struct question *q, size_t waiting)
{
    (void)f;
    (void)q;
    (void)waiting;
    asked++;
    return ask_result;
}

static void on_line(struct front *f, const char *text)
{
    size_t n = strlen(said);

    (void)f;
    assert_int_equal(format(said + n, sizeof(said) - n, "%s\n", text), 0);
}

static void on_free(struct front *f)
{
    (void)f;
}

static const struct front_ops ops = {on_ask, on_line, on_line, on_free};

/* ---- The stage ---- */

static struct front front;
static struct agent *agent;
static char *dir, *path;

static int set_up(void **state)
{
    (void)state;
    dir = test_mkdir();
    path = format_new("%s/sock", dir);
    front = (struct front){.ops = &ops};
    *said = 0;
    ask_result = 0;
    asked = 0;
    late_at_once = false;
    assert_int_equal(loop_init(), 0);
    return agent_new(path, &front, &agent);
}

static int tear_down(void **state)
{
    (void)state;
    agent_free(agent);
    loop_deinit();
    free(path);
    test_rmdir(dir);
    return 0;
}

static void on_enough(struct timer *t)
{
    (void)t;
    loop_quit(0);
}

static void turn(void)
{
    struct timer enough = {.fn = on_enough};

    for (int i = 0; i < 8; i++) { /* so many turns at least, however busy the machine is */
        timer_set(&enough, 4);
        (void)loop_run();
    }
}

/* Who calls with that descriptor and JSON, and, if so, has said all. */
static int call(const char *descriptor, const char *json, bool whole)
{
    int fd = -1;

    assert_int_equal(unix_connect(path, &fd), 0);
    assert_int_equal(write_full(fd, descriptor, strlen(descriptor) + 1), 0);
    assert_int_equal(write_full(fd, json, strlen(json)), 0);
    if (whole)
        shutdown(fd, SHUT_WR);
    turn();
    return fd;
}

static void expect_closed(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

static void notice(const char *source, const char *service)
{
    _cleanup_(freep) char *json =
        format_new("{\"resolution\":\"deny\",\"source\":\"%s\",\"service\":\"%s\","
                   "\"argument\":\"+\",\"target\":\"mail\"}",
                   source, service);

    expect_closed(call("policy.Notify dom0 name dom0", json, true));
}

static size_t lines(const char *with)
{
    size_t n = 0;

    for (const char *at = said; (at = strstr(at, with)); at += strlen(with))
        n++;
    return n;
}

static void a_minutes_notices_are_told_in_a_line_when_it_is_over(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        notice("work", "a.B");
    assert_int_equal(lines("denied: "), 1);
    now_ms += 59999;
    notice("vault", "a.C");
    assert_int_equal(lines("more notices"), 0);
    now_ms += 1;
    notice("vault", "a.D"); /* sets the timer by the clock of now */
    assert_int_equal(lines("3 more notices within a minute: a.B from work\n"), 1);
    assert_int_equal(lines("more notices"), 1);
    notice("work", "a.B"); /* a new minute */
    assert_int_equal(lines("denied: "), 4);
}

static void many_services_of_a_source_are_other_services(void **state)
{
    char service[16];

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(format(service, sizeof(service), "a.S%d", i), 0);
        notice("work", service);
    }
    now_ms += 60000;
    notice("vault", "a.B");
    assert_int_equal(lines(" more notices within a minute: other services from work\n"), 1);
}

static void a_request_that_does_not_end_is_refused(void **state)
{
    (void)state;
    late_at_once = true;
    expect_closed(call("policy.Notify dom0 name dom0", "{", false));
    assert_string_equal(said, "(a request is refused: it did not come to an end)\n");
}

static void a_request_that_is_too_long_is_refused(void **state)
{
    static char much[1 << 16];
    int fd = -1;
    ssize_t n = 1;

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(unix_connect(path, &fd), 0);
    for (int i = 0; i < 1000 && n > 0 && !*said; i++) {
        while ((n = send(fd, much, sizeof(much), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
            continue;
        if (n < 0 && errno == EAGAIN)
            n = 1;
        turn();
    }
    assert_string_equal(said, "(a request is refused: it is too long)\n");
    close(fd);
}

static void a_question_that_cannot_be_shown_is_refused_and_the_next_is_asked(void **state)
{
    static const char json[] =
        "{\"source\":\"work\",\"service\":\"a.B\",\"argument\":\"+\",\"targets\":[\"mail\"],"
        "\"default_target\":\"\",\"icons\":{\"work\":\"red\",\"mail\":\"red\"}}";
    int fd;

    (void)state;
    ask_result = -ENOMEM;
    expect_closed(call("policy.Ask dom0 name dom0", json, true));
    assert_string_equal(said, "(a request is refused: there is no memory)\n");
    ask_result = 0;
    fd = call("policy.Ask dom0 name dom0", json, true);
    assert_int_equal(asked, 2);
    assert_string_equal(strchr(said, '\n'), "\n"); /* nothing more was said: it stands */
    close(fd);
    turn();
    assert_int_equal(lines("the call was given up\n"), 1);
}

static void a_caller_that_breaks_off_is_nobody(void **state)
{
    (void)state;
    close(call("policy.Ask dom0 name dom0", "{", false));
    turn();
    assert_int_equal(asked, 0);
    assert_int_equal(lines("refused"), 1); /* its end makes a request of it, which is none */
}

static void a_file_in_its_place_stays_and_it_does_not_start(void **state)
{
    _cleanup_(freep) char *file = format_new("%s/file", dir);
    struct agent *other = NULL;

    (void)state;
    assert_int_equal(file_replace(file, "text", 4, 0600), 0);
    assert_int_equal(agent_new(file, &front, &other), -EEXIST);
    assert_int_equal(agent_new(path, &front, &other), -EADDRINUSE);
    assert_null(other);
}

int main(void)
{
#define WITH_AGENT(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_AGENT(a_minutes_notices_are_told_in_a_line_when_it_is_over),
        WITH_AGENT(many_services_of_a_source_are_other_services),
        WITH_AGENT(a_request_that_does_not_end_is_refused),
        WITH_AGENT(a_request_that_is_too_long_is_refused),
        WITH_AGENT(a_question_that_cannot_be_shown_is_refused_and_the_next_is_asked),
        WITH_AGENT(a_caller_that_breaks_off_is_nobody),
        WITH_AGENT(a_file_in_its_place_stays_and_it_does_not_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
