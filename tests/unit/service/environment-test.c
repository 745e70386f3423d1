/* What a service finds in its environment. */
#include "tests/unit/test.h"

#include "libqrexec/service/service-internal.h"

static char *const base[] = {
    (char *)"PATH=/bin",
    (char *)"QREXEC_REMOTE_DOMAIN=forged",
    (char *)"QREXECX=1",
    (char *)"QREXEC_SERVICE_ARGUMENT=old",
    (char *)"QREXEC_AGENT_PID=1",
    (char *)"QREXEC_SERVICE_PATH=/p",
    (char *)"NOTIFY_SOCKET=/n",
    (char *)"LISTEN_FDS=1",
    (char *)"QREXEC_REQUESTED_TARGET=old",
    (char *)"VCHAN_DOMAIN=3",
    NULL,
};

static void build(enum service_place place, const char *line, struct environment *e)
{
    struct service s = SERVICE_NULL;
    char why[SERVICE_TEXT_MAX];

    s.place = place;
    assert_int_equal(service_words_parse(place, line, &s.words, why), 0);
    *e = (struct environment){0};
    environment_build(e, &s, base, 42);
    assert_false(e->failed);
    service_deinit(&s);
}

static void expect(const struct environment *e, const char *name, const char *value)
{
    const char *got = environment_get(e, name);

    if (!value)
        assert_null(got);
    else if (!got)
        fail_msg("%s is missing", name);
    else
        assert_string_equal(got, value);
}

static void vm_service_has_its_words_and_nothing_old(void **state)
{
    struct environment e;

    (void)state;
    build(SERVICE_PLACE_VM, "u:QUBESRPC S+a+b src", &e);
    expect(&e, "PATH", "/bin");
    expect(&e, "VCHAN_DOMAIN", "3");
    expect(&e, "QREXEC_REMOTE_DOMAIN", "src");
    expect(&e, "QREXEC_SERVICE_FULL_NAME", "S+a+b");
    expect(&e, "QREXEC_SERVICE_ARGUMENT", "a+b");
    expect(&e, "QREXEC_REQUESTED_TARGET_TYPE", "");
    expect(&e, "QREXEC_REQUESTED_TARGET", NULL);
    expect(&e, "QREXEC_AGENT_PID", "42");
    expect(&e, "QREXEC_SERVICE_PATH", "/p");
    expect(&e, "QREXECX", NULL);
    expect(&e, "NOTIFY_SOCKET", NULL);
    expect(&e, "LISTEN_FDS", NULL);
    environment_deinit(&e);
}

static void argument_is_unset_without_plus_and_empty_with_it(void **state)
{
    struct environment e;

    (void)state;
    build(SERVICE_PLACE_VM, "u:QUBESRPC S src", &e);
    expect(&e, "QREXEC_SERVICE_ARGUMENT", NULL);
    expect(&e, "QREXEC_SERVICE_FULL_NAME", "S");
    environment_deinit(&e);
    build(SERVICE_PLACE_VM, "u:QUBESRPC S+ src", &e);
    expect(&e, "QREXEC_SERVICE_ARGUMENT", "");
    environment_deinit(&e);
}

static void vm_does_not_learn_a_requested_target(void **state)
{
    struct environment e;

    (void)state;
    build(SERVICE_PLACE_VM, "u:QUBESRPC S+ src name t", &e);
    expect(&e, "QREXEC_REQUESTED_TARGET_TYPE", "");
    expect(&e, "QREXEC_REQUESTED_TARGET", NULL);
    environment_deinit(&e);
}

static void dom0_service_learns_its_target(void **state)
{
    struct environment e;

    (void)state;
    build(SERVICE_PLACE_DOM0, "QUBESRPC S+ src name t", &e);
    expect(&e, "QREXEC_REQUESTED_TARGET_TYPE", "name");
    expect(&e, "QREXEC_REQUESTED_TARGET", "t");
    expect(&e, "QREXEC_REQUESTED_TARGET_KEYWORD", NULL);
    environment_deinit(&e);
    build(SERVICE_PLACE_DOM0, "QUBESRPC S+ src keyword adminvm", &e);
    expect(&e, "QREXEC_REQUESTED_TARGET_TYPE", "keyword");
    expect(&e, "QREXEC_REQUESTED_TARGET_KEYWORD", "adminvm");
    expect(&e, "QREXEC_REQUESTED_TARGET", NULL);
    environment_deinit(&e);
}

static void local_command_in_dom0_keeps_all(void **state)
{
    struct environment e;

    (void)state;
    build(SERVICE_PLACE_DOM0, "echo", &e);
    expect(&e, "QREXECX", "1");
    expect(&e, "QREXEC_SERVICE_FULL_NAME", NULL);
    environment_deinit(&e);
}

static void names_are_unique_and_the_last_stays(void **state)
{
    struct environment e = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        char pair[32];

        snprintf(pair, sizeof(pair), "N%d=%d", i % 50, i);
        environment_put(&e, pair);
    }
    assert_int_equal(e.n, 50);
    assert_null(e.list[50]);
    expect(&e, "N7", "57");
    environment_set(&e, "N7", "a=b");
    expect(&e, "N7", "a=b");
    environment_put(&e, "no equals sign");
    assert_int_equal(e.n, 50);
    environment_deinit(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vm_service_has_its_words_and_nothing_old),
        cmocka_unit_test(argument_is_unset_without_plus_and_empty_with_it),
        cmocka_unit_test(vm_does_not_learn_a_requested_target),
        cmocka_unit_test(dom0_service_learns_its_target),
        cmocka_unit_test(local_command_in_dom0_keeps_all),
        cmocka_unit_test(names_are_unique_and_the_last_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
