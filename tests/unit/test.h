/* What every unit test includes: cmocka in its order, and a temporary directory. */
#ifndef QREXEC_TESTS_UNIT_TEST_H
#define QREXEC_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* A new directory below /tmp; the caller removes it with test_rmdir(). */
static inline char *test_mkdir(void)
{
    char *dir = strdup("/tmp/qrexec-test.XXXXXX");

    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static inline void test_rmdir(char *dir)
{
    assert_int_equal(remove_all(dir), 0);
    free(dir);
}

#endif
