/* The journal of disposables' names: none comes again within its days, not even after a crash. */
#include "tests/unit/test.h"

#include "domain-spawner/journal.h"

#define NOW 1700000000LL
#define DAY (24 * 3600)

#define OWNER "01234567-89ab-4cde-8f01-23456789abcd"

static struct journal journal;

static bool none_taken(void *user, uint32_t number)
{
    (void)user;
    (void)number;
    return false;
}

static bool all_taken_but(void *user, uint32_t number)
{
    return number != *(const uint32_t *)user;
}

static bool all_taken(void *user, uint32_t number)
{
    (void)user;
    (void)number;
    return true;
}

static char *begin(char path[static 4200])
{
    char *root = test_mkdir();

    assert_int_equal(format(path, 4200, "%s/disposables", root), 0);
    return root;
}

static void no_name_comes_twice_within_its_days(void **state)
{
    static bool seen[JOURNAL_NAMES];
    char path[4200], *root = begin(path);
    uint32_t n;

    (void)state;
    memset(seen, 0, sizeof(seen));
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(journal_take(&journal, NOW + i, OWNER, none_taken, NULL, &n), 0);
        assert_true(n < JOURNAL_NAMES && !seen[n]);
        seen[n] = true;
    }
    /* as after a kill -9: nothing is closed */
    close_fd(&journal.fd);
    free(journal.path);
    assert_int_equal(journal_open(&journal, path, NOW + 500), 0);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(journal_take(&journal, NOW + 500, OWNER, none_taken, NULL, &n), 0);
        assert_false(seen[n]);
        seen[n] = true;
    }
    journal_close(&journal);
    test_rmdir(root);
}

static void a_names_days_begin_when_it_is_released(void **state)
{
    char path[4200], *root = begin(path);
    uint32_t only = 77, n;

    (void)state;
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    assert_int_equal(journal_take(&journal, NOW, OWNER, all_taken_but, &only, &n), 0);
    assert_int_equal(n, 77);
    assert_int_equal(journal_release(&journal, 77, NOW + 6 * DAY), 0);
    journal_close(&journal);
    assert_int_equal(journal_open(&journal, path, NOW + 8 * DAY), 0);
    assert_int_equal(journal.used[77], NOW + 6 * DAY);
    journal_close(&journal);
    assert_int_equal(journal_open(&journal, path, NOW + 14 * DAY), 0);
    assert_int_equal(journal.used[77], 0);
    journal_close(&journal);
    test_rmdir(root);
}

static void when_all_were_used_the_oldest_comes_again(void **state)
{
    char path[4200], *root = begin(path);
    uint32_t n;

    (void)state;
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        journal.used[i] = NOW - 1000;
    journal.used[4321] = NOW - 2000;
    assert_int_equal(journal_take(&journal, NOW, OWNER, none_taken, NULL, &n), 0);
    assert_int_equal(n, 4321);
    assert_int_equal(journal_take(&journal, NOW, OWNER, all_taken, NULL, &n), -ENOSPC);
    journal_close(&journal);
    test_rmdir(root);
}

static void a_cut_or_senseless_line_is_passed_over(void **state)
{
    static const char text[] =
        "12 1699999999\n18 1699999999 short\nnonsense\n99999 1699999999\n13 -5\n14 x\n15\n16 "
        "1699999998\n17 16999";
    char path[4200], *root = begin(path);

    (void)state;
    assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    assert_int_equal(journal.used[12], 1699999999);
    assert_int_equal(journal.used[16], 1699999998);
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        assert_true(i == 12 || i == 16 || journal.used[i] == 0);
    journal_close(&journal);
    test_rmdir(root);
}

static void an_owner_is_known_until_the_release(void **state)
{
    char path[4200], *root = begin(path);
    uint32_t n, found;

    (void)state;
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    assert_int_equal(journal_take(&journal, NOW, OWNER, none_taken, NULL, &n), 0);
    /* twice: what is written anew has it, too, however old it is */
    for (int i = 0; i < 2; i++) {
        close_fd(&journal.fd);
        free(journal.path);
        assert_int_equal(journal_open(&journal, path, NOW + 30 * DAY), 0);
        assert_true(journal_find(&journal, OWNER, &found));
        assert_int_equal(found, n);
        assert_false(journal_find(&journal, "", &found));
    }
    assert_int_equal(journal_release(&journal, n, NOW + 30 * DAY), 0);
    assert_false(journal_find(&journal, OWNER, &found));
    journal_close(&journal);
    assert_int_equal(journal_open(&journal, path, NOW + 30 * DAY), 0);
    assert_false(journal_find(&journal, OWNER, &found));
    journal_close(&journal);
    test_rmdir(root);
}

static void a_clock_set_back_frees_no_name(void **state)
{
    static const char text[] = "12 1800000000\n";
    char path[4200], *root = begin(path);

    (void)state;
    assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
    assert_int_equal(journal_open(&journal, path, NOW), 0);
    assert_int_equal(journal.used[12], NOW);
    journal_close(&journal);
    test_rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_name_comes_twice_within_its_days),
        cmocka_unit_test(a_names_days_begin_when_it_is_released),
        cmocka_unit_test(when_all_were_used_the_oldest_comes_again),
        cmocka_unit_test(a_cut_or_senseless_line_is_passed_over),
        cmocka_unit_test(an_owner_is_known_until_the_release),
        cmocka_unit_test(a_clock_set_back_frees_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
