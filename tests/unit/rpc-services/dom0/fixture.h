/* A policy directory of its own for each test, and files in it. */
#ifndef QREXEC_TESTS_UNIT_RPC_DOM0_FIXTURE_H
#define QREXEC_TESTS_UNIT_RPC_DOM0_FIXTURE_H

#include "rpc-services/dom0/policy-store.h"
#include "tests/unit/test.h"

struct fixture {
    char *dir;
    struct policy_store store;
    char why[ADMIN_TEXT_MAX];
};

/* dir/NAME */
static inline char *fixture_path(const struct fixture *f, const char *name,
                                 char buf[static PATH_SIZE])
{
    assert_int_equal(format(buf, PATH_SIZE, "%s/%s", f->dir, name), 0);
    return buf;
}

static inline void fixture_write(const struct fixture *f, const char *name, const char *text)
{
    char path[PATH_SIZE];

    assert_int_equal(file_replace(fixture_path(f, name, path), text, strlen(text), 0644), 0);
}

static inline void fixture_expect(const struct fixture *f, const char *name, const char *text)
{
    _cleanup_(freep) char *got = NULL;
    char path[PATH_SIZE];
    size_t n;

    assert_int_equal(file_read(fixture_path(f, name, path), 1 << 20, &got, &n), 0);
    assert_string_equal(got, text);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[PATH_SIZE];

    assert_non_null(f);
    f->dir = test_mkdir();
    assert_int_equal(format(f->store.dir, sizeof(f->store.dir), "%s/policy.d", f->dir), 0);
    assert_int_equal(format(f->store.legacy_dir, sizeof(f->store.legacy_dir), "%s/legacy", f->dir),
                     0);
    assert_int_equal(mkdir_all(fixture_path(f, "policy.d/include", path), 0755), 0);
    assert_int_equal(mkdir_all(f->store.legacy_dir, 0755), 0);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    test_rmdir(f->dir);
    free(f);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
