/* The name field of qubes.OpenInVM, as it is written and as it is read. */
#include "tests/unit/test.h"

#include "rpc-services/openinvm.h"

static unsigned char field[OPENINVM_FIELD];
static char name[OPENINVM_FIELD];
static bool view_only;

static bool got_from(const char *text)
{
    memset(field, 0, sizeof(field));
    memcpy(field, text, strlen(text));
    memset(name, 'x', sizeof(name));
    return openinvm_get_name(field, name, &view_only);
}

static void assert_field(const char *expected)
{
    size_t n = strlen(expected);

    assert_true(n < OPENINVM_FIELD);
    assert_string_equal((char *)field, expected);
    for (size_t i = n; i < OPENINVM_FIELD; i++)
        assert_int_equal(field[i], 0);
}

static void the_base_name_is_sent(void **state)
{
    (void)state;
    memset(field, 0xff, sizeof(field));
    openinvm_put_name(field, "/home/user/Downloads/apple-sandbox.pdf", false);
    assert_field("apple-sandbox.pdf");
    openinvm_put_name(field, "plain", false);
    assert_field("plain");
    openinvm_put_name(field, "d/plain", true);
    assert_field("view-only-plain");
}

static void of_a_long_name_the_end_is_kept(void **state)
{
    static const struct {
        bool view_only;
        size_t room;
    } cases[] = {{false, 255}, {true, 245}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t n = cases[i].room - 1; n <= cases[i].room + 1; n++) {
            char path[300], expected[OPENINVM_FIELD];
            const char *prefix = cases[i].view_only ? OPENINVM_VIEW_ONLY : "";
            size_t kept = size_min(n, cases[i].room);

            memset(path, 'a', n);
            memcpy(path + n - 4, ".pdf", 5);
            path[0] = 'B';
            snprintf(expected, sizeof(expected), "%s%s", prefix, path + n - kept);
            openinvm_put_name(field, path, cases[i].view_only);
            assert_field(expected);
            assert_int_equal(expected[strlen(prefix)] == 'B', n <= cases[i].room);
        }
}

static void what_was_put_is_what_is_got(void **state)
{
    (void)state;
    openinvm_put_name(field, "/tmp/report-1.2_a+b@c.odt", true);
    assert_true(openinvm_get_name(field, name, &view_only));
    assert_string_equal(name, "report-1.2_a+b@c.odt");
    assert_true(view_only);
}

static void each_byte_that_is_not_safe_becomes_an_underscore(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, 'b', 0}, expected[] = "a_b";

        if (c == '/')
            continue;
        assert_true(got_from(text));
        if (c < 128 &&
            strchr("._-+@0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c))
            expected[1] = (char)c;
        assert_string_equal(name, expected);
        assert_false(view_only);
    }
}

static void names_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "",   ".",          "..",          "a/b",          "/",
        "a/", "view-only-", "view-only-.", "view-only-..", "view-only-/a"};

    (void)state;
    view_only = false;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (got_from(bad[i]) || view_only || name[0] != 'x')
            fail_msg("taken: %s", bad[i]);
    assert_true(got_from("..."));
    assert_true(got_from("-rf"));
}

static void the_prefix_is_taken_off_once(void **state)
{
    (void)state;
    assert_true(got_from("view-only-view-only-a"));
    assert_string_equal(name, "view-only-a");
    assert_true(view_only);
    assert_true(got_from("view-only"));
    assert_string_equal(name, "view-only");
    assert_false(view_only);
    assert_true(got_from("a-view-only-b"));
    assert_false(view_only);
}

static void the_last_byte_is_a_nul(void **state)
{
    (void)state;
    memset(field, 'a', sizeof(field));
    assert_false(openinvm_get_name(field, name, &view_only));
    field[255] = 0;
    assert_true(openinvm_get_name(field, name, &view_only));
    assert_int_equal(strlen(name), 255);
    /* what is behind the first NUL is no part of the name */
    field[3] = 0;
    assert_true(openinvm_get_name(field, name, &view_only));
    assert_string_equal(name, "aaa");
}

static void all_bytes_are_copied(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000};
    char *dir = test_mkdir();
    _cleanup_(freep) char *a = format_new("%s/a", dir), *b = format_new("%s/b", dir);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _cleanup_(freep) char *data = calloc(sizes[i] + 1, 1), *got = NULL;
        size_t n;
        int from, to;

        memset(data, 'a' + (int)i, sizes[i]);
        assert_int_equal(file_replace(a, data, sizes[i], 0600), 0);
        from = open(a, O_RDONLY | O_CLOEXEC);
        to = open(b, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(copy_all(from, to), 0);
        assert_int_equal(copy_all(to, from), -EBADF);
        close(from);
        close(to);
        assert_int_equal(file_read(b, 1 << 20, &got, &n), 0);
        assert_int_equal(n, sizes[i]);
        assert_memory_equal(got, data, n);
    }
    test_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_name_is_sent),
        cmocka_unit_test(of_a_long_name_the_end_is_kept),
        cmocka_unit_test(what_was_put_is_what_is_got),
        cmocka_unit_test(each_byte_that_is_not_safe_becomes_an_underscore),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(the_prefix_is_taken_off_once),
        cmocka_unit_test(the_last_byte_is_a_nul),
        cmocka_unit_test(all_bytes_are_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
