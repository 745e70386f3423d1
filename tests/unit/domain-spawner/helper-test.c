/* The helper between a scripted front and a backend that only notes what it is asked. */
#include "tests/unit/test.h"

#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/helper.h"

#include <sys/socket.h>

#define UUID  "01234567-89ab-4cde-8f01-23456789abcd"
#define UUID2 "11234567-89ab-4cde-8f01-23456789abcd"

struct backend {
    int unused;
};

struct backend_domain {
    struct domain_spec spec;
    int shutdowns, destroys;
};

static struct backend the_backend;
static const struct backend_events *events;
static struct backend_domain domains[2];
static size_t n_domains;
static int next_result;

static int fake_open(const struct backend_events *ev, struct backend **ret, const char **ret_why)
{
    (void)ret_why;
    events = ev;
    n_domains = 0;
    next_result = 0;
    *ret = &the_backend;
    return 0;
}

static void fake_close(struct backend *b)
{
    (void)b;
}

static int fake_fd(const struct backend *b)
{
    (void)b;
    return -1;
}

static void fake_dispatch(struct backend *b)
{
    (void)b;
}

static int fake_create(struct backend *b, const struct domain_spec *spec,
                       struct backend_domain **ret, uint32_t *ret_domid)
{
    (void)b;
    if (next_result)
        return next_result;
    assert_true(n_domains < ARRAY_SIZE(domains));
    domains[n_domains] = (struct backend_domain){.spec = *spec};
    *ret = &domains[n_domains++];
    *ret_domid = (uint32_t)n_domains;
    return 0;
}

static int fake_shutdown(struct backend_domain *d)
{
    d->shutdowns++;
    return next_result;
}

static void fake_destroy(struct backend_domain *d)
{
    d->destroys++;
}

static int fake_adopt(struct backend *b, const struct domain_spec *spec,
                      struct backend_domain **ret, uint32_t *ret_domid, bool *ret_paused)
{
    *ret_paused = true;
    return fake_create(b, spec, ret, ret_domid);
}

static const struct backend_ops fake = {.name = "fake",
                                        .open = fake_open,
                                        .close = fake_close,
                                        .fd = fake_fd,
                                        .timeout = fake_fd,
                                        .dispatch = fake_dispatch,
                                        .create = fake_create,
                                        .shutdown = fake_shutdown,
                                        .destroy = fake_destroy};

static struct backend_ops lasting; /* the same, and its domains outlive the helper */
static struct helper *helper;
static int front;

static struct helper_message hear(void)
{
    char data[HELPER_DATAGRAM_MAX];
    struct helper_message m;
    ssize_t n = recv(front, data, sizeof(data), MSG_DONTWAIT);

    assert_true(n > 0);
    assert_int_equal(helper_message_parse(data, (size_t)n, &m), 0);
    return m;
}

static bool silent(void)
{
    char c;

    return recv(front, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static int set_up(void **state)
{
    const char *why = "";
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    front = pair[0];
    assert_int_equal(helper_new(pair[1], &fake, &helper, &why), 0);
    assert_string_equal(hear().text, "fake");
    return 0;
}

static int set_up_lasting(void **state)
{
    const char *why = "";
    int pair[2];

    (void)state;
    lasting = fake;
    lasting.adopt = fake_adopt;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    front = pair[0];
    assert_int_equal(helper_new(pair[1], &lasting, &helper, &why), 0);
    assert_true(hear().outlive);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    helper_free(helper);
    close_fd(&front);
    return 0;
}

static void ask_of(enum helper_request_type type, uint64_t id, const char *uuid, bool disposable)
{
    struct helper_request rq = {.type = type,
                                .id = id,
                                .spec = {.name = "work",
                                         .type = "AppVM",
                                         .default_user = "user",
                                         .vcpus = 1,
                                         .disposable = disposable,
                                         .start_seconds = 1,
                                         .home = "/h"}};
    _cleanup_(freep) char *text = NULL;
    size_t n;

    assert_int_equal(format(rq.spec.uuid, sizeof(rq.spec.uuid), "%s", uuid), 0);
    assert_int_equal(helper_request_format(&rq, &text, &n), 0);
    assert_int_equal(send(front, text, n, 0), n);
    helper_dispatch(helper);
}

static void ask(enum helper_request_type type, uint64_t id, const char *uuid)
{
    ask_of(type, id, uuid, false);
}

static void a_domain_is_made_and_its_life_is_told(void **state)
{
    struct helper_message m;

    (void)state;
    ask(HELPER_CREATE, 5, UUID);
    m = hear();
    assert_int_equal(m.type, HELPER_ANSWER);
    assert_int_equal(m.id, 5);
    assert_int_equal(m.domid, 1);
    assert_string_equal(m.text, "");
    events->late(events->user, &domains[0].spec, "no agent yet");
    m = hear();
    assert_int_equal(m.type, HELPER_LATE);
    assert_string_equal(m.uuid, UUID);
    assert_string_equal(m.text, "no agent yet");
    events->running(events->user, &domains[0].spec, 1);
    m = hear();
    assert_int_equal(m.type, HELPER_RUNNING);
    assert_string_equal(m.uuid, UUID);
    ask(HELPER_SHUTDOWN, 6, UUID);
    assert_int_equal(hear().id, 6);
    assert_int_equal(domains[0].shutdowns, 1);
    events->gone(events->user, &domains[0].spec, DOMAIN_SHUTDOWN);
    m = hear();
    assert_int_equal(m.type, HELPER_GONE);
    assert_int_equal(m.end, DOMAIN_SHUTDOWN);
    ask(HELPER_SHUTDOWN, 7, UUID);
    assert_string_not_equal(hear().text, "");
}

static void a_second_domain_of_a_uuid_is_refused(void **state)
{
    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    assert_string_equal(hear().text, "");
    ask(HELPER_CREATE, 2, UUID);
    assert_string_not_equal(hear().text, "");
    assert_int_equal(n_domains, 1);
}

static void a_domain_that_does_not_start_can_be_tried_again(void **state)
{
    struct helper_message m;

    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    (void)hear();
    events->start_failed(events->user, &domains[0].spec, "no agent");
    m = hear();
    assert_int_equal(m.type, HELPER_START_FAILED);
    assert_string_equal(m.text, "no agent");
    ask(HELPER_CREATE, 2, UUID);
    assert_string_equal(hear().text, "");
}

static void what_the_backend_cannot_do_is_said(void **state)
{
    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    (void)hear();
    ask(HELPER_PAUSE, 2, UUID);
    assert_string_equal(hear().text, "this backend cannot do that");
    ask(HELPER_STATS, 3, UUID);
    assert_string_equal(hear().text, "this backend cannot do that");
    next_result = -ENOSPC;
    ask(HELPER_CREATE, 4, UUID2);
    assert_string_equal(hear().text, strerror(ENOSPC));
}

static void a_refused_request_is_answered_and_does_nothing(void **state)
{
    static const char bad[] = "{\"id\":9,\"request\":\"destroy\",\"uuid\":\"../../x\"}";
    struct helper_message m;

    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    (void)hear();
    assert_true(send(front, bad, sizeof(bad) - 1, 0) > 0);
    assert_true(send(front, "garbage", 7, 0) > 0);
    helper_dispatch(helper);
    m = hear();
    assert_int_equal(m.id, 9);
    assert_non_null(strstr(m.text, "uuid"));
    assert_true(silent());
    assert_int_equal(domains[0].destroys, 0);
}

static void the_fronts_end_destroys_all(void **state)
{
    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    ask(HELPER_CREATE, 2, UUID2);
    close_fd(&front);
    helper_dispatch(helper);
    assert_int_equal(domains[0].destroys, 1);
    assert_int_equal(domains[1].destroys, 1);
    assert_false(helper_is_over(helper));
    events->gone(events->user, &domains[0].spec, DOMAIN_DESTROY);
    assert_false(helper_is_over(helper));
    events->gone(events->user, &domains[1].spec, DOMAIN_DESTROY);
    assert_true(helper_is_over(helper));
}

static void the_fronts_end_leaves_what_outlives_it(void **state)
{
    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    ask_of(HELPER_CREATE, 2, UUID2, true);
    close_fd(&front);
    helper_dispatch(helper);
    assert_int_equal(domains[0].destroys, 0);
    assert_int_equal(domains[1].destroys, 1);
    assert_false(helper_is_over(helper));
    events->gone(events->user, &domains[1].spec, DOMAIN_DESTROY);
    assert_true(helper_is_over(helper));
}

static void a_domain_from_before_is_adopted(void **state)
{
    struct helper_message m;

    (void)state;
    ask(HELPER_ADOPT, 3, UUID);
    m = hear();
    assert_int_equal(m.id, 3);
    assert_int_equal(m.domid, 1);
    assert_true(m.paused);
    assert_string_equal(m.text, "");
    events->running(events->user, &domains[0].spec, 1);
    assert_int_equal(hear().type, HELPER_RUNNING);
    ask(HELPER_ADOPT, 4, UUID);
    assert_string_not_equal(hear().text, "");
    next_result = BACKEND_E_UNKNOWN;
    ask(HELPER_ADOPT, 5, UUID2);
    assert_string_equal(hear().text, "the domain is not running");
}

static void none_is_adopted_where_they_end_with_the_helper(void **state)
{
    (void)state;
    ask(HELPER_ADOPT, 1, UUID);
    assert_string_equal(hear().text, "this backend cannot do that");
    assert_int_equal(n_domains, 0);
}

static void a_front_that_is_slow_to_read_misses_nothing(void **state)
{
    const int n = 5000;

    (void)state;
    ask(HELPER_CREATE, 1, UUID);
    (void)hear();
    for (int i = 0; i < n; i++)
        events->running(events->user, &domains[0].spec, 1);
    assert_true(helper_has_unread(helper));
    assert_false(helper_is_over(helper));
    for (int i = 0; i < n; i++) {
        if (silent())
            helper_dispatch(helper);
        assert_int_equal(hear().type, HELPER_RUNNING);
    }
    assert_false(helper_has_unread(helper));
    assert_true(silent());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_domain_is_made_and_its_life_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_domain_of_a_uuid_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_that_does_not_start_can_be_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_backend_cannot_do_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_request_is_answered_and_does_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_fronts_end_destroys_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_fronts_end_leaves_what_outlives_it, set_up_lasting,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_domain_from_before_is_adopted, set_up_lasting, tear_down),
        cmocka_unit_test_setup_teardown(none_is_adopted_where_they_end_with_the_helper, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_front_that_is_slow_to_read_misses_nothing, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
