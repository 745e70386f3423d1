/* Calls that are carried without us; who looks at them is a stand-in. */
#include "tests/unit/test.h"

#include "qrexec-daemon/carried.c" /* with the stand-ins below */

static struct daemon d = {.name = "a"};
static char over[512]; /* "ID " of each that ended */

void see_forget_counts(struct daemon *daemon, struct call_counts *counts)
{
    (void)counts;
    assert_ptr_equal(daemon, &d);
}

void see_carried_changed(const struct daemon *daemon, const struct carried *c, const char *how)
{
    size_t n = strlen(over);

    assert_ptr_equal(daemon, &d);
    if (how && n < sizeof(over) - 1)
        (void)snprintf(over + n, sizeof(over) - n, "%s ", c->id);
}

bool log_limit_take(struct log_limit *l, const char *who, const char *what)
{
    (void)l;
    (void)who;
    (void)what;
    return false;
}

static void add(bool incoming, uint32_t domain, uint32_t port, const char *id)
{
    struct carried c = {.incoming = incoming, .domain = domain, .port = port};

    assert_int_equal(format(c.id, sizeof(c.id), "%s", id), 0);
    carried_add(&d, &c);
}

static int tear_down(void **state)
{
    (void)state;
    carried_forget(&d);
    assert_null(d.carried);
    assert_null(d.carried_last);
    assert_int_equal(d.n_carried, 0);
    over[0] = 0;
    return 0;
}

static void an_end_is_that_of_the_oldest_of_its_port(void **state)
{
    (void)state;
    add(false, 9, 514, "first");
    add(false, 9, 514, "second"); /* the target's end of the first was over */
    add(true, 8, 514, "other");
    carried_terminated(&d, 9, 513);
    assert_string_equal(over, "");
    carried_terminated(&d, 9, 514);
    carried_terminated(&d, 8, 514);
    carried_terminated(&d, 9, 514);
    carried_terminated(&d, 9, 514);
    assert_string_equal(over, "first other second ");
}

/* Its agent says nothing of the ends, and may call as often as it likes. */
static void there_are_only_so_many(void **state)
{
    (void)state;
    add(false, 9, 1, "first");
    add(false, 9, 2, "second");
    for (uint32_t i = 2; i < CARRIED_MOST; i++)
        add(false, 9, 1 + i, "x");
    assert_string_equal(over, "");
    add(false, 9, 1, "new");
    assert_string_equal(over, "first ");
    add(false, 9, 2, "new");
    assert_string_equal(over, "first second ");
    assert_int_equal(d.n_carried, CARRIED_MOST);
}

static void one_whose_agent_is_gone_is_over_when_its_port_is_given_anew(void **state)
{
    (void)state;
    add(false, 9, 514, "ours");
    add(true, 9, 513, "theirs");
    carried_lose(&d);
    assert_string_equal(over, "");
    carried_terminated(&d, 9, 513);
    assert_string_equal(over, "theirs ");
    add(false, 9, 514, "next");
    assert_string_equal(over, "theirs ours ");
    carried_terminated(&d, 9, 514);
    assert_string_equal(over, "theirs ours next ");
}

/* It was only its connection that ended, and it knows its callers still. */
static void one_whose_agent_came_back_is_over_when_that_says_so(void **state)
{
    (void)state;
    add(false, 9, 514, "ours");
    carried_lose(&d);
    carried_terminated(&d, 9, 514);
    assert_string_equal(over, "ours ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_end_is_that_of_the_oldest_of_its_port, tear_down),
        cmocka_unit_test_teardown(there_are_only_so_many, tear_down),
        cmocka_unit_test_teardown(one_whose_agent_is_gone_is_over_when_its_port_is_given_anew,
                                  tear_down),
        cmocka_unit_test_teardown(one_whose_agent_came_back_is_over_when_that_says_so, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
