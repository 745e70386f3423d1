#include "tests/unit/test.h"

#include "libqrexec/base/charge.h"
#include "libqrexec/base/spawn.h"

static char *run(const char *script, const int *extra, size_t n_extra)
{
    static char out[4096];
    int fds[8] = {-1, -1, 2}, p[2];
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    struct spawn s = {.path = "/bin/sh", .argv = argv, .fds = fds, .n_fds = 3 + n_extra};
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    fds[1] = p[1];
    for (size_t i = 0; i < n_extra; i++)
        fds[3 + i] = extra[i];
    assert_int_equal(spawn_process(&s, &pid, NULL), 0);
    close(p[1]);
    while ((got = read(p[0], out + n, sizeof(out) - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = 0;
    close(p[0]);
    assert_int_equal(spawn_wait(pid), 0);
    return out;
}

static void a_child_holds_only_what_it_is_given(void **state)
{
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    char *out;

    (void)state;
    /* a glob in the shell: its own directory descriptor is closed before echo prints */
    out = run("for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done; :",
              NULL, 0);
    assert_string_equal(out, "0 1 2 ");
    out = run("for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done; :",
              &leak, 1);
    assert_string_equal(out, "0 1 2 3 ");
    close(leak);
}

static void a_program_that_is_not_there_is_our_error(void **state)
{
    int fds[3] = {-1, -1, -1};
    char *argv[] = {"x", NULL};
    struct spawn s = {.path = "/nonexistent", .argv = argv, .fds = fds, .n_fds = 3};
    pid_t pid = 77;

    (void)state;
    assert_int_equal(spawn_process(&s, &pid, NULL), -ENOENT);
    assert_int_equal(pid, 77);
}

static void exit_codes_and_signals_are_told_apart(void **state)
{
    int fds[3] = {-1, -1, -1};
    char *by_code[] = {"sh", "-c", "exit 7", NULL}, *by_signal[] = {"sh", "-c", "kill -9 $$", NULL};
    struct spawn s = {.path = "/bin/sh", .argv = by_code, .fds = fds, .n_fds = 3};
    pid_t pid;

    (void)state;
    assert_int_equal(spawn_process(&s, &pid, NULL), 0);
    assert_int_equal(spawn_wait(pid), 7);
    s.argv = by_signal;
    assert_int_equal(spawn_process(&s, &pid, NULL), 0);
    assert_int_equal(spawn_wait(pid), 137);
}

static void a_source_over_its_budget_is_refused_and_others_are_not(void **state)
{
    struct ledger l = {.budget = 2};
    struct charge a = CHARGE_NULL, b = CHARGE_NULL, c = CHARGE_NULL, d = CHARGE_NULL;

    (void)state;
    assert_int_equal(charge_take(&l, "work", 1, &a), 0);
    assert_int_equal(charge_take(&l, "work", 1, &b), 0);
    assert_int_equal(charge_take(&l, "work", 1, &c), CHARGE_E_BUDGET);
    assert_int_equal(charge_take(&l, "vault", 1, &d), 0);
    charge_release(&a);
    assert_int_equal(charge_take(&l, "work", 1, &c), 0);
    charge_release(&b);
    charge_release(&c);
    charge_release(&c);
    charge_release(&d);
    assert_null(l.first);
    ledger_deinit(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_holds_only_what_it_is_given),
        cmocka_unit_test(a_program_that_is_not_there_is_our_error),
        cmocka_unit_test(exit_codes_and_signals_are_told_apart),
        cmocka_unit_test(a_source_over_its_budget_is_refused_and_others_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
