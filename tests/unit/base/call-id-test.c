#include "tests/unit/test.h"

#include "libqrexec/base/call-id.h"

#include <sys/socket.h>
#include <sys/un.h>

static void an_id_names_the_call_its_maker_and_the_makers_start(void **state)
{
    char id[CALL_ID_SIZE];

    (void)state;
    call_id_make(id, "email", 1700000000000, 17);
    assert_string_equal(id, "email-loyw3v28.17");
    call_id_make(id, "email", 0, 0);
    assert_string_equal(id, "email-0.0");
    assert_true(call_id_clock() > UINT64_C(1700000000000));
}

static void whatever_the_name_is_the_id_is_valid(void **state)
{
    static const char *const names[] = {"a b@c:d/\x80\n", "", "..",
                                        "a-name-that-is-so-long-that-it-must-be-cut-for-the-id-x"};
    char id[CALL_ID_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        call_id_make(id, names[i], UINT64_MAX, UINT64_MAX);
        assert_true(call_id_is_valid(id));
        assert_string_equal(strrchr(id, '-'), "-3w5e11264sgsf.18446744073709551615");
    }
    call_id_make(id, names[0], 35, 1);
    assert_string_equal(id, "a_b_c_d___-z.1");
    call_id_make(id, names[3], 1700000000000, 1);
    assert_int_equal(strlen(id), CALL_ID_SIZE - 1);
}

static void an_id_is_short_and_of_few_characters(void **state)
{
    char text[CALL_ID_SIZE + 1];

    (void)state;
    assert_true(call_id_is_valid("a-Z_0.9"));
    assert_false(call_id_is_valid(""));
    assert_false(call_id_is_valid("a/b"));
    assert_false(call_id_is_valid("a b"));
    assert_false(call_id_is_valid("a\n"));
    assert_false(call_id_is_valid("\xc3\xa4"));
    memset(text, 'x', sizeof(text));
    text[CALL_ID_SIZE - 1] = 0;
    assert_true(call_id_is_valid(text));
    text[CALL_ID_SIZE - 1] = 'x';
    text[CALL_ID_SIZE] = 0;
    assert_false(call_id_is_valid(text));
}

struct place {
    char *dir, path[200];
    int listener;
};

static void place_init(struct place *p)
{
    p->dir = test_mkdir();
    assert_int_equal(format(p->path, sizeof(p->path), "%s/s", p->dir), 0);
    assert_int_equal(unix_listen(p->path, 0600, &p->listener), 0);
}

static void place_deinit(struct place *p)
{
    close(p->listener);
    test_rmdir(p->dir);
}

/* Accepts the one that waits. */
static void expect_id(const struct place *p, enum call_id_to to, const char *want)
{
    char id[CALL_ID_SIZE] = "stale";
    int fd = call_id_accept(p->listener, to, id);

    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_string_equal(id, want);
    close(fd);
}

static void who_accepts_sees_the_id(void **state)
{
    _cleanup_(closep) int a = -1, b = -1, c = -1, d = -1;
    struct place p;

    (void)state;
    place_init(&p);
    assert_int_equal(call_id_connect(p.path, "email-7k.1", CALL_ID_POLICY, &a), 0);
    expect_id(&p, CALL_ID_POLICY, "email-7k.1");
    assert_int_equal(call_id_connect(p.path, "email-7k.1", CALL_ID_TARGET, &b), 0);
    expect_id(&p, CALL_ID_TARGET, "email-7k.1");
    assert_int_equal(call_id_connect(p.path, "", CALL_ID_TARGET, &c), 0);
    expect_id(&p, CALL_ID_TARGET, "");
    assert_int_equal(unix_connect(p.path, &d), 0);
    expect_id(&p, CALL_ID_TARGET, "");
    assert_int_equal(call_id_accept(p.listener, CALL_ID_TARGET, (char[CALL_ID_SIZE]){0}), -EAGAIN);
    place_deinit(&p);
}

/* Two at a time of one id: the second has none, and is connected all the same. */
static void an_id_that_is_taken_is_done_without(void **state)
{
    _cleanup_(closep) int a = -1, b = -1, c = -1;
    struct place p;

    (void)state;
    place_init(&p);
    assert_int_equal(call_id_connect(p.path, "taken.1", CALL_ID_POLICY, &a), 0);
    expect_id(&p, CALL_ID_POLICY, "taken.1");
    assert_int_equal(call_id_connect(p.path, "taken.1", CALL_ID_POLICY, &b), 0);
    expect_id(&p, CALL_ID_POLICY, "");
    close_fd(&a);
    assert_int_equal(call_id_connect(p.path, "taken.1", CALL_ID_POLICY, &c), 0);
    expect_id(&p, CALL_ID_POLICY, "taken.1");
    place_deinit(&p);
}

/* What is no id is none: others bind their sockets, too, and anybody may bind anything. */
static void other_addresses_are_no_ids(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } names[] = {
#define NAME(text) {text, sizeof(text) - 1}
        NAME("\0qrexec-call/a.1/target"),  /* of the other kind */
        NAME("\0qrexec-call//policy"),     /* empty */
        NAME("\0qrexec-call/a b/policy"),  /* characters */
        NAME("\0qrexec-call/a\0b/policy"), /* a NUL inside */
        NAME("\0qrexec-call/a/../b/policy"),
        NAME("\0qrexec-cal/aa.1/policy"),
        NAME("\0qrexec-call/policy"), /* both ends overlap */
        NAME("\0qrexec-call/"),
        NAME("\0"),
        NAME("\0qrexec-call/0123456789012345678901234567890123456789012345678901234567890123/"
             "policy"), /* 64 characters */
    };
    struct place p;

    (void)state;
    place_init(&p);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un from = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};

        memcpy(from.sun_path, names[i].bytes, names[i].n);
        memcpy(to.sun_path, p.path, strlen(p.path));
        assert_int_equal(bind(fd, (struct sockaddr *)&from,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + names[i].n)),
                         0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        expect_id(&p, CALL_ID_POLICY, "");
    }
    place_deinit(&p);
}

/* A socket of the file system whose path looks like it. */
static void a_path_is_no_id(void **state)
{
    struct place p;
    struct sockaddr_un from = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    place_init(&p);
    assert_int_equal(chdir(p.dir), 0);
    assert_int_equal(mkdir_all("qrexec-call/a.1", 0700), 0);
    assert_int_equal(mkdir_all("xqrexec-call/a.1", 0700), 0);
    memcpy(from.sun_path, "xqrexec-call/a.1/policy", 24);
    memcpy(to.sun_path, p.path, strlen(p.path));
    assert_int_equal(bind(fd, (struct sockaddr *)&from,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 23)),
                     0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    expect_id(&p, CALL_ID_POLICY, "");
    assert_int_equal(chdir("/"), 0);
    place_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_names_the_call_its_maker_and_the_makers_start),
        cmocka_unit_test(whatever_the_name_is_the_id_is_valid),
        cmocka_unit_test(an_id_is_short_and_of_few_characters),
        cmocka_unit_test(who_accepts_sees_the_id),
        cmocka_unit_test(an_id_that_is_taken_is_done_without),
        cmocka_unit_test(other_addresses_are_no_ids),
        cmocka_unit_test(a_path_is_no_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
