/* The xenstore client against a scripted xenstored at the other end of a socket pair. */
#include "tests/unit/test.h"

#include "libqrexec/vchan/lives.h"
#include "libqrexec/vchan/xenstore.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <xen/io/xs_wire.h>

#define HEAD sizeof(struct xsd_sockmsg)

static struct xenstore *xs;
static int peer;

static int set_up(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(xenstore_new(pair[0], &xs), 0);
    peer = pair[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xenstore_free(xs);
    close_fd(&peer);
    return 0;
}

/* A message's bytes at the end of buf; body with n bytes. */
static size_t put(unsigned char *buf, uint32_t type, uint32_t id, const char *body, size_t n)
{
    struct xsd_sockmsg h = {.type = type, .req_id = id, .len = (uint32_t)n};

    memcpy(buf, &h, HEAD);
    memcpy(buf + HEAD, body, n);
    return HEAD + n;
}

static void say(uint32_t type, uint32_t id, const char *body, size_t n)
{
    unsigned char buf[8192];

    assert_int_equal(write_full(peer, buf, put(buf, type, id, body, n)), 0);
}

static void expect_request(uint32_t type, uint32_t id, const char *body, size_t n)
{
    unsigned char expected[512], got[512];
    size_t size = put(expected, type, id, body, n);

    assert_int_equal(read_full(peer, got, size), 0);
    assert_memory_equal(got, expected, size);
}

static void a_value_is_read(void **state)
{
    char buf[16];

    (void)state;
    say(XS_READ, 1, "42", 2);
    assert_int_equal(xenstore_read(xs, "domid", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "42");
    expect_request(XS_READ, 1, "domid", 6);
}

static void requests_are_as_xenstored_takes_them(void **state)
{
    bool there = false;

    (void)state;
    say(XS_WATCH, 1, "OK", 3);
    assert_int_equal(xenstore_watch(xs, "a/b", 3), 0);
    expect_request(XS_WATCH, 1, "a/b\0003", 6);
    say(XS_UNWATCH, 2, "OK", 3);
    assert_int_equal(xenstore_unwatch(xs, "a/b", 3), 0);
    expect_request(XS_UNWATCH, 2, "a/b\0003", 6);
    say(XS_RM, 3, "OK", 3);
    assert_int_equal(xenstore_remove(xs, "a/b"), 0);
    expect_request(XS_RM, 3, "a/b", 4);
    say(XS_IS_DOMAIN_INTRODUCED, 4, "T", 2);
    assert_int_equal(xenstore_is_introduced(xs, 7, &there), 0);
    expect_request(XS_IS_DOMAIN_INTRODUCED, 4, "7", 2);
    assert_true(there);
    say(XS_IS_DOMAIN_INTRODUCED, 5, "F", 2);
    assert_int_equal(xenstore_is_introduced(xs, 7, &there), 0);
    assert_false(there);
}

static void a_reply_may_be_cut_anywhere(void **state)
{
    unsigned char bytes[64];
    size_t n = put(bytes, XS_WATCH_EVENT, 0, "p\0001", 4);
    uint32_t id = 0;
    char buf[16];

    (void)state;
    for (size_t cut = 1; cut < n + HEAD + 5; cut++) {
        size_t all = n + put(bytes + n, XS_READ, ++id, "value", 5);
        unsigned fired = 0;
        pid_t pid = fork();

        if (pid == 0) {
            (void)!write(peer, bytes, cut);
            (void)poll(NULL, 0, 2);
            (void)!write(peer, bytes + cut, all - cut);
            _exit(0);
        }
        assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
        assert_string_equal(buf, "value");
        assert_int_equal(xenstore_dispatch(xs, &fired), 0);
        assert_int_equal(fired, 2);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

static void replies_to_others_are_passed_over(void **state)
{
    char buf[16];

    (void)state;
    say(XS_READ, 77, "wrong", 5);
    say(XS_ERROR, 0, "ENOENT", 7);
    say(XS_READ, 1, "right", 5);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "right");
}

static void refusals_are_errnos(void **state)
{
    static const struct {
        const char *name;
        size_t n;
        int error;
    } cases[] = {{"ENOENT", 7, -ENOENT}, {"EACCES", 7, -EACCES}, {"ENOSPC", 7, -ENOSPC},
                 {"E2BIG", 6, -E2BIG},   {"EWHAT", 6, -EIO},     {"ENOENT", 6, -EIO},
                 {"", 0, -EIO},          {"", 1, -EIO}};
    char buf[16] = "as before";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        say(XS_ERROR, (uint32_t)i + 1, cases[i].name, cases[i].n);
        assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), cases[i].error);
    }
    assert_string_equal(buf, "as before");
}

static void what_does_not_fit_is_refused_and_the_next_one_is_read(void **state)
{
    char buf[4];

    (void)state;
    say(XS_READ, 1, "long", 4);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -EMSGSIZE);
    say(XS_READ, 2, "a\0b", 3);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -EMSGSIZE);
    say(XS_READ, 3, "fit", 3);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "fit");
}

static void a_message_over_the_limit_ends_the_connection(void **state)
{
    struct xsd_sockmsg h = {.type = XS_READ, .req_id = 1, .len = XENSTORE_PAYLOAD_MAX + 1};
    unsigned fired;
    char buf[16];

    (void)state;
    assert_int_equal(write_full(peer, &h, sizeof(h)), 0);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -EPROTO);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -EPROTO);
    assert_int_equal(xenstore_dispatch(xs, &fired), -EPROTO);
}

static void the_longest_message_is_taken(void **state)
{
    static char body[XENSTORE_PAYLOAD_MAX], buf[XENSTORE_PAYLOAD_MAX + 1];

    (void)state;
    memset(body, 'x', sizeof(body));
    say(XS_READ, 1, body, sizeof(body));
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_memory_equal(buf, body, sizeof(body));
}

static void a_reply_of_another_type_ends_the_connection(void **state)
{
    char buf[16];

    (void)state;
    say(XS_WRITE, 1, "OK", 3);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -EPROTO);
    assert_int_equal(xenstore_remove(xs, "k"), -EPROTO);
}

static void an_event_in_the_middle_of_a_wait_is_kept(void **state)
{
    unsigned fired = 0;
    char buf[16];

    (void)state;
    say(XS_WATCH_EVENT, 0, "@releaseDomain\0001", 17);
    say(XS_READ, 1, "v", 1);
    assert_false(xenstore_has_news(xs));
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_true(xenstore_has_news(xs)); /* and the descriptor would not say so */
    assert_int_equal(poll(&(struct pollfd){.fd = xenstore_fd(xs), .events = POLLIN}, 1, 0), 0);
    say(XS_WATCH_EVENT, 0, "@releaseDomain\0001", 17);
    say(XS_WATCH_EVENT, 0, "/local/domain/0\0000", 18);
    assert_int_equal(xenstore_dispatch(xs, &fired), 0);
    assert_int_equal(fired, 3);
    assert_int_equal(xenstore_dispatch(xs, &fired), 0);
    assert_int_equal(fired, 0);
}

static void what_comes_behind_a_reply_shows_in_the_descriptor(void **state)
{
    unsigned fired = 0;
    char buf[16];

    (void)state;
    say(XS_READ, 1, "v", 1);
    say(XS_WATCH_EVENT, 0, "k\0005", 4);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_false(xenstore_has_news(xs));
    assert_int_equal(poll(&(struct pollfd){.fd = xenstore_fd(xs), .events = POLLIN}, 1, 0), 1);
    assert_int_equal(xenstore_dispatch(xs, &fired), 0);
    assert_int_equal(fired, 1 << 5);
}

static void the_kernels_answer_to_a_watch_has_no_id(void **state)
{
    (void)state;
    say(XS_WATCH_EVENT, 0, "k\0000", 4);
    say(XS_WATCH, 0, "OK", 3);
    assert_int_equal(xenstore_watch(xs, "k", 0), 0);
    assert_int_equal(xenstore_watch(xs, "k", XENSTORE_WATCHES), -EINVAL);
}

static void an_event_that_makes_no_sense_ends_the_connection(void **state)
{
    static const struct {
        const char *body;
        size_t n;
    } cases[] = {{"", 0},           {"path", 4},      {"path", 5},       {"path\0", 6},
                 {"path\00012", 8}, {"path\0009", 7}, {"path\0001x", 7}, {"path\0x", 7}};
    unsigned fired;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        say(XS_WATCH_EVENT, 0, cases[i].body, cases[i].n);
        assert_int_equal(xenstore_dispatch(xs, &fired), -EPROTO);
        (void)tear_down(NULL);
        (void)set_up(NULL);
    }
}

static void the_end_of_xenstored_is_said(void **state)
{
    unsigned fired;
    char buf[16];

    (void)state;
    close_fd(&peer);
    assert_int_equal(xenstore_dispatch(xs, &fired), -ECONNRESET);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -ECONNRESET);
}

static void a_silent_xenstored_is_not_waited_for_for_ever(void **state)
{
    uint64_t began = clock_ms();
    char buf[16];

    (void)state;
    say(XS_READ, 2, "early", 5);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), -ETIMEDOUT);
    assert_in_range(clock_ms() - began, 4900, 8000);
    /* what comes too late is passed over */
    say(XS_READ, 1, "late", 4);
    say(XS_READ, 2, "now", 3);
    assert_int_equal(xenstore_read(xs, "k", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "now");
}

static void a_request_that_is_too_long_is_not_sent(void **state)
{
    char path[2000], buf[16];

    (void)state;
    memset(path, 'p', sizeof(path));
    path[sizeof(path) - 1] = 0;
    assert_int_equal(xenstore_read(xs, path, buf, sizeof(buf)), -ENAMETOOLONG);
    assert_int_equal(xenstore_watch(xs, path, 0), -EINVAL);
}

/* ---- Lives ---- */

static uint32_t next_id;

static void say_life(const char *introduced, const char *who)
{
    say(XS_IS_DOMAIN_INTRODUCED, ++next_id, introduced, 2);
    if (who)
        say(XS_READ, ++next_id, who, strlen(who));
}

static void a_life_ends_with_its_number_or_its_uuid(void **state)
{
    struct life l;

    (void)state;
    next_id = 0;
    say_life("T", "/vm/one");
    assert_int_equal(life_begin(xs, 5, &l), 0);
    say_life("T", "/vm/one");
    assert_int_equal(life_look(xs, &l), 0);
    say_life("T", ""); /* its nodes go before it does */
    assert_int_equal(life_look(xs, &l), 0);
    say_life("F", NULL);
    assert_int_equal(life_look(xs, &l), -EHOSTDOWN);
    say_life("T", "/vm/two"); /* the number is another's already */
    assert_int_equal(life_look(xs, &l), -EHOSTDOWN);
}

static void who_is_not_there_has_no_life(void **state)
{
    struct life l;

    (void)state;
    next_id = 0;
    say_life("F", NULL);
    assert_int_equal(life_begin(xs, 5, &l), -EHOSTDOWN);
    /* without a uuid there is only the number */
    say(XS_IS_DOMAIN_INTRODUCED, ++next_id, "T", 2);
    say(XS_ERROR, ++next_id, "ENOENT", 7);
    assert_int_equal(life_begin(xs, 5, &l), 0);
    say_life("T", "/vm/one");
    assert_int_equal(life_look(xs, &l), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_read),
        TEST(requests_are_as_xenstored_takes_them),
        TEST(a_reply_may_be_cut_anywhere),
        TEST(replies_to_others_are_passed_over),
        TEST(refusals_are_errnos),
        TEST(what_does_not_fit_is_refused_and_the_next_one_is_read),
        TEST(a_message_over_the_limit_ends_the_connection),
        TEST(the_longest_message_is_taken),
        TEST(a_reply_of_another_type_ends_the_connection),
        TEST(an_event_in_the_middle_of_a_wait_is_kept),
        TEST(what_comes_behind_a_reply_shows_in_the_descriptor),
        TEST(the_kernels_answer_to_a_watch_has_no_id),
        TEST(an_event_that_makes_no_sense_ends_the_connection),
        TEST(the_end_of_xenstored_is_said),
        TEST(a_silent_xenstored_is_not_waited_for_for_ever),
        TEST(a_request_that_is_too_long_is_not_sent),
        TEST(a_life_ends_with_its_number_or_its_uuid),
        TEST(who_is_not_there_has_no_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
