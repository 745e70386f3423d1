/* What is left of libxl's messages for people. */
#include "tests/unit/test.h"

#include "domain-spawner/xen-log.h"

#include <stdarg.h>

static void where_libxl_says_it_is_left_out(void **state)
{
    static const char *const texts[][2] = {
        {"libxl_create.c:1245:initiate_domain_create: Domain 7:failed", "failed"},
        {"xg_dom_core.c:1:xc_dom_kernel_file: failed to open file: No such file",
         "failed to open file: No such file"},
        {"libxl_dom.c:2:build: xg_dom.c:3:alloc: panic", "panic"},
        {"libxl_device.c:1:f: Domain 12: no script", "no script"},
        {"plain", "plain"},
        {"a.c: b", "b"},
        {"Domain 3", "Domain 3"},
        {"/etc/xen/scripts/block add [1] exited with error status 1",
         "/etc/xen/scripts/block add [1] exited with error status 1"},
        {"x.c:1:f: ", "x.c:1:f: "},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_string_equal(xen_log_plain(texts[i][0]), texts[i][1]);
}

_printf_(3, 4) static void say(struct xen_log *log, xentoollog_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log->logger.vmessage(&log->logger, level, -1, "libxl", fmt, ap);
    va_end(ap);
}

static void the_first_errors_are_kept_as_the_reason(void **state)
{
    struct xen_log log;

    (void)state;
    xen_log_init(&log);
    say(&log, XTL_DEBUG, "nothing");
    say(&log, XTL_WARN, "a warning");
    assert_string_equal(log.errors, "");
    say(&log, XTL_ERROR, "xg.c:1:f: %s is missing\n", "it");
    say(&log, XTL_ERROR, "libxl.c:2:g: Domain 3:it is missing");
    say(&log, XTL_ERROR, "so all fails");
    assert_string_equal(log.errors, "it is missing; so all fails");
    for (int i = 0; i < 100; i++)
        say(&log, XTL_ERROR, "and error number %d", i);
    assert_true(str_starts(log.errors, "it is missing; so all fails; and error number 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_libxl_says_it_is_left_out),
        cmocka_unit_test(the_first_errors_are_kept_as_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
