/* The walls as arguments: what a domain sees of the host, and nothing beside it. */
#include "tests/unit/test.h"

#include "domain-spawner/local-sandbox.h"
#include "libqrexec/base/paths.h"

#include <sys/stat.h>

static const struct sandbox_paths paths = {"/R/vm", "/R/home", "/R/vchan", "/R/own"};
static const struct domain_spec spec = {.name = "work",
                                        .uuid = "01234567-89ab-4cde-8f01-23456789abcd",
                                        .type = "AppVM",
                                        .default_user = "user"};

struct options {
    char *data;
    size_t len, n;
    const char *words[1024];
};

static void build(const struct domain_spec *s, struct options *o)
{
    *o = (struct options){.n = 0};
    assert_int_equal(sandbox_options(s, 42, &paths, &o->data, &o->len), 0);
    assert_int_equal(o->data[o->len - 1], 0);
    for (const char *at = o->data; at < o->data + o->len; at += strlen(at) + 1) {
        assert_true(o->n < ARRAY_SIZE(o->words));
        o->words[o->n++] = at;
    }
}

/* The place of a run of words, or -1. */
static int find(const struct options *o, const char *a, const char *b, const char *c)
{
    for (size_t i = 0; i < o->n; i++)
        if (str_equal(o->words[i], a) && (!b || (i + 1 < o->n && str_equal(o->words[i + 1], b))) &&
            (!c || (i + 2 < o->n && str_equal(o->words[i + 2], c))))
            return (int)i;
    return -1;
}

static bool has(const struct options *o, const char *a, const char *b, const char *c)
{
    return find(o, a, b, c) >= 0;
}

static void every_wall_is_asked_for(void **state)
{
    static const char *const walls[] = {
        "--unshare-user", "--unshare-pid", "--unshare-net",     "--unshare-ipc",    "--unshare-uts",
        "--new-session",  "--clearenv",    "--die-with-parent", "--disable-userns", "--seccomp"};
    struct options o;

    (void)state;
    build(&spec, &o);
    for (size_t i = 0; i < ARRAY_SIZE(walls); i++)
        assert_true(has(&o, walls[i], NULL, NULL));
    assert_true(has(&o, "--hostname", "work", NULL));
    assert_true(has(&o, "--uid", "1000", NULL));
    assert_true(has(&o, "--remount-ro", "/", NULL));
    assert_false(has(&o, "--share-net", NULL, NULL));
    assert_false(has(&o, "--cap-add", NULL, NULL));
    free(o.data);
}

/* Every source of a mount is /usr, a file of /etc that is listed, or the domain's own. */
static void no_other_path_of_the_host_is_mounted(void **state)
{
    struct options o;

    (void)state;
    build(&spec, &o);
    for (size_t i = 0; i + 2 < o.n; i++) {
        const char *from = o.words[i + 1];

        if (!strstr(o.words[i], "bind"))
            continue;
        assert_true(str_equal(from, "/usr") || str_equal(from, "/dev/null") ||
                    str_starts(from, "/etc/") || str_starts(from, "/R/"));
        assert_false(str_starts(from, "/etc/ssh") || str_starts(from, "/etc/shadow") ||
                     str_starts(from, "/etc/ssl/private") || str_equal(from, "/etc/passwd") ||
                     str_equal(from, "/etc/group") || str_equal(from, "/etc/machine-id") ||
                     str_equal(from, "/etc/hosts") || str_equal(from, "/etc/resolv.conf"));
    }
    assert_false(has(&o, "--dev-bind", NULL, NULL));
    free(o.data);
}

static void only_home_and_vchans_can_be_written(void **state)
{
    struct options o;

    (void)state;
    build(&spec, &o);
    for (size_t i = 0; i + 2 < o.n; i++)
        if (str_equal(o.words[i], "--bind") || str_equal(o.words[i], "--bind-try"))
            assert_true(str_equal(o.words[i + 2], "/home/user") ||
                        str_equal(o.words[i + 2], "/run/vchan"));
    assert_true(has(&o, "--bind", "/R/home", "/home/user"));
    assert_true(has(&o, "--bind", "/R/vchan", "/run/vchan"));
    assert_true(has(&o, "--ro-bind", "/usr", "/usr"));
    assert_true(has(&o, "--ro-bind", "/R/vm", "/usr/local"));
    free(o.data);
}

static void the_environment_is_from_nothing(void **state)
{
    struct options o;
    size_t n = 0;

    (void)state;
    setenv("ESCAPE_MARK", "x", 1);
    build(&spec, &o);
    for (size_t i = 0; i < o.n; i++)
        n += str_equal(o.words[i], "--setenv");
    assert_int_equal(n, 9);
    assert_true(has(&o, "--setenv", "VCHAN_DOMAIN", "42"));
    assert_true(has(&o, "--setenv", "HOME", "/home/user"));
    assert_true(find(&o, "--clearenv", NULL, NULL) < find(&o, "--setenv", NULL, NULL));
    for (size_t i = 0; i < o.n; i++)
        assert_null(strstr(o.words[i], "ESCAPE_MARK"));
    free(o.data);
}

/* /usr/local must come after /usr, the read-only / after everything that is made in it. */
static void mounts_come_in_an_order_that_works(void **state)
{
    struct options o;

    (void)state;
    build(&spec, &o);
    assert_true(find(&o, "--ro-bind", "/usr", "/usr") < find(&o, "--ro-bind", "/R/vm", NULL));
    assert_true(find(&o, "--perms", "0755", "--tmpfs") < find(&o, "--bind", "/R/vchan", NULL));
    for (size_t i = (size_t)find(&o, "--remount-ro", "/", NULL); i < o.n; i++)
        assert_null(strstr(o.words[i], "bind"));
    free(o.data);
}

static void the_files_say_who_the_domain_is(void **state)
{
    static const char *const expected[][2] = {
        {"etc/hostname", "work\n"},
        {"etc/resolv.conf", ""},
        {"etc/machine-id", "0123456789ab4cde8f0123456789abcd\n"},
        {"domain/name", "work"},
        {"domain/type", "AppVM"},
        {"domain/default-user", "user"},
        {"domain/persistence", "rw-only"},
    };
    char *dir = test_mkdir(), path[PATH_SIZE];

    (void)state;
    assert_int_equal(sandbox_write_files(&spec, dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        _cleanup_(freep) char *text = NULL;
        size_t n;

        assert_int_equal(format(path, sizeof(path), "%s/%s", dir, expected[i][0]), 0);
        assert_int_equal(file_read(path, 4096, &text, &n), 0);
        assert_string_equal(text, expected[i][1]);
    }
    test_rmdir(dir);
}

static void a_networked_disposable_has_a_resolver_and_no_persistence(void **state)
{
    struct domain_spec s = spec;
    char *dir = test_mkdir(), path[PATH_SIZE], *text;
    size_t n;

    (void)state;
    s.networked = s.disposable = true;
    assert_int_equal(sandbox_write_files(&s, dir), 0);
    assert_int_equal(format(path, sizeof(path), "%s/etc/resolv.conf", dir), 0);
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_string_equal(text, "nameserver 10.0.2.3\n");
    free(text);
    assert_int_equal(format(path, sizeof(path), "%s/domain/persistence", dir), 0);
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_string_equal(text, "none");
    free(text);
    test_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wall_is_asked_for),
        cmocka_unit_test(no_other_path_of_the_host_is_mounted),
        cmocka_unit_test(only_home_and_vchans_can_be_written),
        cmocka_unit_test(the_environment_is_from_nothing),
        cmocka_unit_test(mounts_come_in_an_order_that_works),
        cmocka_unit_test(the_files_say_who_the_domain_is),
        cmocka_unit_test(a_networked_disposable_has_a_resolver_and_no_persistence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
