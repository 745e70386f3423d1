/* The policy.* services: which requests are taken, and what they leave on disk. */
#include "rpc-services/dom0/policy-admin.h"
#include "rpc-services/dom0/token.h"
#include "tests/unit/rpc-services/dom0/fixture.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>

static int ask_bytes(struct fixture *f, const char *service, const char *argument,
                     const char *payload, size_t len, struct buf *ret)
{
    struct admin_request r = {service, argument, payload, len};

    f->why[0] = 0;
    return admin_handle(&f->store, &r, ret, f->why);
}

/* The answer must be empty unless expected says what it is. */
static int ask(struct fixture *f, const char *service, const char *argument, const char *payload,
               const char *expected)
{
    struct buf b = BUF_NULL(1 << 20);
    int r = ask_bytes(f, service, argument, payload, payload ? strlen(payload) : 0, &b);

    assert_int_equal(buf_len(&b), expected ? strlen(expected) : 0);
    if (buf_len(&b))
        assert_memory_equal(buf_data(&b), expected, buf_len(&b));
    assert_true(r == 0 || *f->why);
    buf_deinit(&b);
    return r;
}

static void requests_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *service, *argument, *payload;
        int code;
    } cases[] = {
        {"policy.Lis", NULL, NULL, ADMIN_E_PROTOCOL},
        {"policy.list", NULL, NULL, ADMIN_E_PROTOCOL},
        {"", NULL, NULL, ADMIN_E_PROTOCOL},
        {"policy.include.GetFiles", "a", NULL, ADMIN_E_PROTOCOL},
        {"policy.List", "a", NULL, ADMIN_E_PROTOCOL},
        {"policy.include.List", "a", NULL, ADMIN_E_PROTOCOL},
        {"policy.List", NULL, "any", ADMIN_E_PROTOCOL},
        {"policy.Get", NULL, NULL, ADMIN_E_PROTOCOL},
        {"policy.Get", "", NULL, ADMIN_E_PROTOCOL},
        {"policy.Get", "a", "x", ADMIN_E_PROTOCOL},
        {"policy.include.Get", "a", "x", ADMIN_E_PROTOCOL},
        {"policy.GetFiles", NULL, NULL, ADMIN_E_PROTOCOL},
        {"policy.GetFiles", "a b", NULL, ADMIN_E_PROTOCOL},
        {"policy.GetFiles", "a.B", "x", ADMIN_E_PROTOCOL},
        {"policy.Replace", "a", NULL, ADMIN_E_PROTOCOL},
        {"policy.Replace", "a", "any", ADMIN_E_PROTOCOL},
        {"policy.Replace", "a", "other\n", ADMIN_E_PROTOCOL},
        {"policy.Replace", "a", "any\n\xc3\x28", ADMIN_E_PROTOCOL},
        {"policy.Replace", NULL, "any\n", ADMIN_E_PROTOCOL},
        {"policy.Replace", "a/b", "any\n", ADMIN_E_FILE_NAME},
        {"policy.Replace", "a.b", "any\n", ADMIN_E_FILE_NAME},
        {"policy.Remove", "a", NULL, ADMIN_E_PROTOCOL},
        {"policy.Remove", "a", "any\n", ADMIN_E_PROTOCOL},
        {"policy.Remove", "..", "any", ADMIN_E_FILE_NAME},
        {"policy.Remove", "a", "any", ADMIN_E_NOT_FOUND},
        {"policy.Get", "a", NULL, ADMIN_E_NOT_FOUND},
        {"policy.include.Get", "a", NULL, ADMIN_E_NOT_FOUND},
        {"policy.include.Remove", "a", "any", ADMIN_E_NOT_FOUND},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(ask(f, cases[i].service, cases[i].argument, cases[i].payload, NULL),
                         cases[i].code);
    assert_int_equal(ask(f, "policy.List", NULL, NULL, NULL), 0);
    assert_int_equal(ask(f, "policy.include.List", NULL, NULL, NULL), 0);
}

static void every_byte_of_a_name_is_judged(void **state)
{
    struct fixture *f = *state;

    for (int c = 1; c < 256; c++) {
        char name[] = {'a', (char)c, 'b', 0};
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-';

        assert_int_equal(ask(f, "policy.Get", name, NULL, NULL),
                         good ? ADMIN_E_NOT_FOUND : ADMIN_E_FILE_NAME);
    }
}

static void a_name_has_a_limit(void **state)
{
    struct fixture *f = *state;
    char name[ADMIN_NAME_MAX + 2];

    memset(name, 'a', sizeof(name));
    name[ADMIN_NAME_MAX + 1] = 0;
    assert_int_equal(ask(f, "policy.Replace", name, "any\n", NULL), ADMIN_E_FILE_NAME);
    name[ADMIN_NAME_MAX] = 0;
    assert_int_equal(ask(f, "policy.Replace", name, "any\n", NULL), 0);
}

static void a_nul_in_the_token_or_the_text_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_NULL(64);

    assert_int_equal(ask_bytes(f, "policy.Replace", "a", "any\0\n", 5, &b), ADMIN_E_PROTOCOL);
    assert_int_equal(ask_bytes(f, "policy.Replace", "a", "any\n\0", 5, &b), ADMIN_E_PROTOCOL);
    assert_int_equal(ask_bytes(f, "policy.Remove", "a", "any\0", 4, &b), ADMIN_E_PROTOCOL);
    assert_int_equal(ask_bytes(f, "policy.Replace", "a", "any\n#", 5, &b), 0);
}

static void a_text_has_a_limit(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_NULL(64);
    size_t n = ADMIN_CONTENT_MAX + 5;
    _cleanup_(freep) char *text = malloc(n);

    assert_non_null(text);
    memset(text, '#', n);
    memcpy(text, "any\n", 4);
    assert_int_equal(ask_bytes(f, "policy.include.Replace", "a", text, n, &b), ADMIN_E_PROTOCOL);
    assert_int_equal(ask_bytes(f, "policy.include.Replace", "a", text, n - 1, &b), 0);
    assert_int_equal(ask_bytes(f, "policy.Replace", "a", text, ADMIN_PAYLOAD_MAX + 1, &b),
                     ADMIN_E_PROTOCOL);
    buf_deinit(&b);
}

static void what_is_got_can_be_put_back(void **state)
{
    static const char *const texts[] = {"",           "\n",          "# a", "# a\r\n# b\n",
                                        "any\nnew\n", "# \xc3\xa9\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char token[TOKEN_SIZE], line[256];

        assert_int_equal(format(line, sizeof(line), "any\n%s", texts[i]), 0);
        assert_int_equal(ask(f, "policy.include.Replace", "x", line, NULL), 0);
        fixture_expect(f, "policy.d/include/x", texts[i]);
        token_make(texts[i], strlen(texts[i]), token);
        assert_int_equal(format(line, sizeof(line), "%s\n%s", token, texts[i]), 0);
        assert_int_equal(ask(f, "policy.include.Get", "x", NULL, line), 0);
        assert_int_equal(ask(f, "policy.include.Replace", "x", line, NULL), 0);
        assert_int_equal(ask(f, "policy.include.Remove", "x", token, NULL), 0);
    }
}

static void policy_and_include_are_two_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "policy.Replace", "x", "new\n# one\n", NULL), 0);
    assert_int_equal(ask(f, "policy.include.Replace", "x", "new\n# two\n", NULL), 0);
    fixture_expect(f, "policy.d/x.policy", "# one\n");
    fixture_expect(f, "policy.d/include/x", "# two\n");
    assert_int_equal(ask(f, "policy.List", NULL, NULL, "x\n"), 0);
    assert_int_equal(ask(f, "policy.Remove", "x", "any", NULL), 0);
    fixture_expect(f, "policy.d/include/x", "# two\n");
}

static void list_shows_what_counts(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    fixture_write(f, "policy.d/b.policy", "");
    fixture_write(f, "policy.d/a.more.policy", "");
    fixture_write(f, "policy.d/.hidden.policy", "");
    fixture_write(f, "policy.d/.policy", "");
    fixture_write(f, "policy.d/README", "");
    fixture_write(f, "policy.d/x.policy~", "");
    fixture_write(f, "policy.d/new\nline.policy", "");
    fixture_write(f, "policy.d/include/.hidden", "");
    fixture_write(f, "policy.d/include/b.policy", "");
    fixture_write(f, "policy.d/include/a", "");
    assert_int_equal(mkdir(fixture_path(f, "policy.d/dir.policy", path), 0755), 0);
    assert_int_equal(symlink("b.policy", fixture_path(f, "policy.d/link.policy", path)), 0);
    assert_int_equal(symlink("none", fixture_path(f, "policy.d/gone.policy", path)), 0);
    assert_int_equal(ask(f, "policy.List", NULL, NULL, "a.more\nb\nlink\n"), 0);
    assert_int_equal(ask(f, "policy.include.List", "", NULL, "a\nb.policy\n"), 0);
}

static void many_files_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_NULL(1 << 16);

    for (unsigned i = 0; i < 100; i++) {
        char name[64];

        assert_int_equal(format(name, sizeof(name), "policy.d/%02u.policy", (i * 37) % 100), 0);
        fixture_write(f, name, "");
    }
    assert_int_equal(ask_bytes(f, "policy.List", NULL, NULL, 0, &b), 0);
    assert_int_equal(buf_len(&b), 300);
    for (unsigned i = 0; i < 100; i++) {
        char line[8];

        assert_int_equal(format(line, sizeof(line), "%02u\n", i), 0);
        assert_memory_equal(buf_data(&b) + 3 * (size_t)i, line, 3);
    }
    buf_deinit(&b);
}

static void a_new_file_belongs_to_the_directorys_group(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    struct stat st;

    if (geteuid() != 0 || chown(f->store.dir, 1, 4242) < 0)
        skip();
    assert_int_equal(ask(f, "policy.Replace", "x", "new\n", NULL), 0);
    assert_int_equal(stat(fixture_path(f, "policy.d/x.policy", path), &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_mode & 07777, 0664);
    /* or to the group qubes, where there is one */
    assert_true(st.st_gid != 0);
}

static void a_file_elsewhere_keeps_its_owner(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    struct stat st;

    fixture_write(f, "far", "");
    if (geteuid() != 0 || chown(fixture_path(f, "far", path), 4243, 4244) < 0)
        skip();
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("../far", fixture_path(f, "policy.d/x.policy", path)), 0);
    assert_int_equal(ask(f, "policy.Replace", "x", "any\n# new\n", NULL), 0);
    assert_int_equal(stat(fixture_path(f, "far", path), &st), 0);
    assert_int_equal(st.st_uid, 4243);
    assert_int_equal(st.st_gid, 4244);
    assert_int_equal(st.st_mode & 07777, 0640);
    fixture_expect(f, "far", "# new\n");
}

static void a_bad_token_does_not_wait_for_the_lock(void **state)
{
    struct fixture *f = *state;
    _cleanup_(closep) int fd = open(f->store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t before = clock_ms();

    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(ask(f, "policy.Replace", "x", "bad\n", NULL), ADMIN_E_PROTOCOL);
    assert_int_equal(ask(f, "policy.List", NULL, NULL, NULL), 0);
    assert_int_equal(ask(f, "policy.Get", "x", NULL, NULL), ADMIN_E_NOT_FOUND);
    assert_true(clock_ms() - before < 5000);
}

static void a_change_waits_for_the_lock_but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    _cleanup_(closep) int fd = open(f->store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t before = clock_ms();

    f->store.lock_ms = 100;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(ask(f, "policy.Replace", "x", "any\n", NULL), -ETIMEDOUT);
    assert_int_equal(ask(f, "policy.Remove", "x", "any", NULL), -ETIMEDOUT);
    assert_true(clock_ms() - before >= 200);
    assert_int_equal(flock(fd, LOCK_UN), 0);
    assert_int_equal(ask(f, "policy.Replace", "x", "any\n", NULL), 0);
    /* and what was locked is free again */
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
}

static void a_missing_directory_is_trouble(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    assert_int_equal(rmdir(fixture_path(f, "policy.d/include", path)), 0);
    assert_int_equal(ask(f, "policy.include.List", NULL, NULL, NULL), -ENOENT);
    assert_int_equal(ask(f, "policy.include.Replace", "x", "any\n", NULL), -ENOENT);
    assert_int_equal(ask(f, "policy.include.Get", "x", NULL, NULL), -ENOENT);
    assert_non_null(strstr(f->why, path));
}

static void each_error_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(admin_error_name(ADMIN_E_TOKEN), "PolicyAdminTokenException");
    assert_string_equal(admin_error_name(ADMIN_E_PROTOCOL), "PolicyAdminProtocolException");
    assert_null(admin_error_name(0));
    assert_null(admin_error_name(-ENOENT));
    assert_null(admin_error_name(ADMIN_E_PROTOCOL + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_that_do_not_fit_are_refused),
        TEST(every_byte_of_a_name_is_judged),
        TEST(a_name_has_a_limit),
        TEST(a_nul_in_the_token_or_the_text_is_refused),
        TEST(a_text_has_a_limit),
        TEST(what_is_got_can_be_put_back),
        TEST(policy_and_include_are_two_places),
        TEST(list_shows_what_counts),
        TEST(many_files_are_listed_in_order),
        TEST(a_new_file_belongs_to_the_directorys_group),
        TEST(a_file_elsewhere_keeps_its_owner),
        TEST(a_bad_token_does_not_wait_for_the_lock),
        TEST(a_change_waits_for_the_lock_but_not_for_ever),
        TEST(a_missing_directory_is_trouble),
        TEST(each_error_has_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
