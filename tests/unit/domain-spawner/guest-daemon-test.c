/* What a domain's daemon leaves in /run/qubes when it is killed, at whatever moment. */
#include "tests/unit/test.h"

#include "domain-spawner/guest-daemon.h"
#include "libqrexec/base/paths.h"

#include <dirent.h>
#include <sys/stat.h>

#define UUID       "00000000-0000-4000-8000-000000000007"
#define OTHER_UUID "00000000-0000-4000-8000-000000000070"

static const struct domain_spec spec = {.name = "disp7", .uuid = UUID};

static const char *in(const char *name)
{
    static char path[PATH_SIZE];

    assert_int_equal(path_get(path, "/run/qubes/%s", name), 0);
    return path;
}

static size_t files(void)
{
    DIR *d = opendir(in(""));
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(d);
    while ((e = readdir(d)))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void nothing_of_a_domain_that_is_gone_stays(void **state)
{
    static const char *const its[] = {"qrexec.7", "ports.7", "ports.7:new", "qrexec-calls.7"};
    static const char *const links[] = {"qrexec.disp7", "qrexec.disp7:new", "qrexec.uuid:" UUID,
                                        "qrexec.uuid:" UUID ":new"};
    static const char *const others[] = {"qrexec.70", "ports.70", "ports.70:new", "qrexec-calls.70",
                                         "policy.sock"};
    static const char *const others_links[] = {"qrexec.disp70", "qrexec.uuid:" OTHER_UUID};

    (void)state;
    assert_int_equal(mkdir_all(in(""), 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(its); i++)
        assert_int_equal(mknod(in(its[i]), S_IFREG | 0600, 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        assert_int_equal(symlink("qrexec.7", in(links[i])), 0);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(mknod(in(others[i]), S_IFREG | 0600, 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(others_links); i++)
        assert_int_equal(symlink("qrexec.70", in(others_links[i])), 0);
    guest_daemon_forget(&spec, 7);
    assert_int_equal(files(), ARRAY_SIZE(others) + ARRAY_SIZE(others_links));
    assert_int_equal(remove_all(in("")), 0);
}

/* A new domain of that name may run by now. */
static void the_next_ones_links_stay(void **state)
{
    (void)state;
    assert_int_equal(mkdir_all(in(""), 0755), 0);
    assert_int_equal(symlink("qrexec.8", in("qrexec.disp7")), 0);
    assert_int_equal(symlink("qrexec.8", in("qrexec.disp7:new")), 0);
    guest_daemon_forget(&spec, 7);
    assert_int_equal(files(), 2);
    assert_int_equal(remove_all(in("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_domain_that_is_gone_stays),
        cmocka_unit_test(the_next_ones_links_stay),
    };

    char *root = test_mkdir();
    int r = paths_init(root, PATHS_DAEMON) ? 1 : cmocka_run_group_tests(tests, NULL, NULL);

    test_rmdir(root);
    return r;
}
