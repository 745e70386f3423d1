/* What the agent is told when another domain ends; the transport and the agent are stand-ins. */
#include "tests/unit/test.h"

#include "qrexec-daemon/deaths.c" /* with the stand-ins below */

static struct daemon d;
static char told[256]; /* "DOMAIN.PORT " for each word to the agent */
static int follow_says;
static uint32_t only; /* follow_says is said of this one; 0: of all */
static char followed[256];
static size_t dispatched;
static uint32_t dies[8];
static size_t n_dies;

int vchan_deaths_new(struct vchan_deaths **ret)
{
    *ret = (struct vchan_deaths *)(uintptr_t)dies;
    return 0;
}

void vchan_deaths_free(struct vchan_deaths *v)
{
    (void)v;
}

int vchan_deaths_fd(const struct vchan_deaths *v)
{
    (void)v;
    return 7;
}

int vchan_deaths_follow(struct vchan_deaths *v, uint32_t domain)
{
    size_t n = strlen(followed);

    (void)v;
    snprintf(followed + n, sizeof(followed) - n, "%u ", domain);
    return !only || only == domain ? follow_says : 0;
}

int vchan_deaths_dispatch(struct vchan_deaths *v, vchan_death_fn fn, void *user)
{
    (void)v;
    dispatched++;
    for (size_t i = 0; i < n_dies; i++)
        fn(user, dies[i]);
    return 0;
}

void watch_set(struct watch *w, int fd, short events)
{
    w->fd = fd;
    w->events = events;
}

void watch_stop(struct watch *w)
{
    w->events = 0;
}

void control_send_gone(struct daemon *daemon, uint32_t domain, uint32_t port)
{
    size_t n = strlen(told);

    assert_ptr_equal(daemon, &d);
    snprintf(told + n, sizeof(told) - n, "%u.%u ", domain, port);
}

static int set_up(void **state)
{
    (void)state;
    ports_init(&d.ports, 3);
    d.name = "work";
    told[0] = 0;
    follow_says = 0;
    only = 0;
    followed[0] = 0;
    n_dies = dispatched = 0;
    assert_int_equal(deaths_start(&d), 0);
    assert_int_equal(d.deaths_watch.fd, 7);
    assert_int_equal(d.deaths_watch.events, POLLIN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    deaths_stop(&d);
    ports_deinit(&d.ports);
    return 0;
}

static void fire(uint32_t domain)
{
    dies[0] = domain;
    n_dies = 1;
    told[0] = 0;
    d.deaths_watch.fn(&d.deaths_watch, POLLIN);
}

static void each_open_connection_with_it_is_told(void **state)
{
    uint32_t ours;

    (void)state;
    assert_int_equal(ports_allot(&d.ports, 9, &ours), 0); /* it called here */
    deaths_follow(&d, 9, ours);
    deaths_follow(&d, 9, 513); /* and was called from here */
    deaths_follow(&d, 8, 513);
    fire(9);
    assert_string_equal(told, "9.513 9.514 ");
    fire(8);
    assert_string_equal(told, "8.513 ");
}

static void what_was_reported_as_over_is_not_told(void **state)
{
    (void)state;
    deaths_follow(&d, 9, 513);
    deaths_follow(&d, 9, 515);
    assert_true(ports_release(&d.ports, 9, 513));
    fire(9);
    assert_string_equal(told, "9.515 ");
    assert_true(ports_release(&d.ports, 9, 515));
    fire(9);
    assert_string_equal(told, "9.0 "); /* only that it is gone */
}

static void one_that_is_gone_already_is_told_at_once(void **state)
{
    (void)state;
    follow_says = -EHOSTDOWN;
    deaths_follow(&d, 9, 513);
    assert_string_equal(told, "9.513 ");
}

static void dom0_does_not_die(void **state)
{
    (void)state;
    follow_says = -EHOSTDOWN;
    deaths_follow(&d, 0, 513);
    assert_string_equal(told, "");
}

/* As they stand in the file of an earlier daemon, or from before the agent came back. */
static void hold(uint32_t domain, uint32_t port)
{
    assert_int_equal(ports_note(&d.ports, domain, port), 0);
}

static void an_agent_that_is_there_hears_who_died_meanwhile(void **state)
{
    (void)state;
    hold(9, 513);
    hold(9, 515);
    hold(0, 513);
    hold(8, 513);
    hold(7, 513);
    assert_true(ports_release(&d.ports, 7, 513));
    only = 9;
    follow_says = -EHOSTDOWN;
    deaths_recall(&d);
    assert_string_equal(told, "9.513 9.515 ");
    assert_string_equal(followed, "9 8 "); /* neither dom0 nor whom nothing is open with */
    fire(8);
    assert_string_equal(told, "8.513 "); /* later */
}

/* What happened while one was asked about does not show in the descriptor. */
static void who_dies_during_the_recall_is_told(void **state)
{
    (void)state;
    hold(9, 513);
    hold(8, 514);
    dies[0] = 8;
    n_dies = 1;
    deaths_recall(&d);
    assert_int_equal(dispatched, 1);
    assert_string_equal(told, "8.514 ");
}

static void nothing_is_recalled_where_nothing_is_open(void **state)
{
    (void)state;
    follow_says = -EHOSTDOWN;
    deaths_recall(&d);
    assert_string_equal(followed, "");
    assert_string_equal(told, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_open_connection_with_it_is_told),
        TEST(what_was_reported_as_over_is_not_told),
        TEST(one_that_is_gone_already_is_told_at_once),
        TEST(dom0_does_not_die),
        TEST(an_agent_that_is_there_hears_who_died_meanwhile),
        TEST(who_dies_during_the_recall_is_told),
        TEST(nothing_is_recalled_where_nothing_is_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
