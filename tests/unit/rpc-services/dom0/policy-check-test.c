/* The policy as a whole under a change that is not made yet. */
#include "rpc-services/dom0/policy-check.h"
#include "tests/unit/rpc-services/dom0/fixture.h"

#include <sys/stat.h>

/* Would the policy load with that text (NULL: without it) for the file? */
static int check(struct fixture *f, const char *name, const char *content)
{
    char path[PATH_SIZE];
    struct entry e;

    f->why[0] = 0;
    assert_int_equal(entry_find(fixture_path(f, name, path), &e), 0);
    return policy_check(&f->store, path, &e, content, content ? strlen(content) : 0, f->why);
}

static void says(const struct fixture *f, const char *place)
{
    char path[PATH_SIZE];

    assert_non_null(strstr(f->why, fixture_path(f, place, path)));
}

static void a_change_is_seen_before_it_is_made(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/a.policy", "a.B * work mail allow\n");
    assert_int_equal(check(f, "policy.d/a.policy", "a.B * work mail deny\n"), 0);
    assert_int_equal(check(f, "policy.d/a.policy", "\na.B * work mail permit\n"), ADMIN_E_SYNTAX);
    says(f, "policy.d/a.policy:2: ");
    assert_int_equal(check(f, "policy.d/b.policy", "x"), ADMIN_E_SYNTAX);
    assert_int_equal(check(f, "policy.d/b.policy", ""), 0);
    assert_int_equal(check(f, "policy.d/a.policy", NULL), 0);
    fixture_expect(f, "policy.d/a.policy", "a.B * work mail allow\n");
}

static void what_violates_a_never_line_is_no_change(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/vault.never", "a.B * @anyvm vault\n");
    assert_int_equal(check(f, "policy.d/a.policy", "a.B * work vault deny\n"), 0);
    assert_int_equal(check(f, "policy.d/a.policy", "a.B * work @anyvm allow\n"), ADMIN_E_SYNTAX);
    assert_non_null(strstr(f->why, "vault.never:1: never, and yet "));
}

static void a_bad_name_breaks_it_as_a_whole(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(check(f, "policy.d/A.policy", ""), ADMIN_E_SYNTAX);
    says(f, "policy.d/A.policy: ");
}

static void an_error_elsewhere_counts(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/z.policy", "broken\n");
    assert_int_equal(check(f, "policy.d/a.policy", "\n"), ADMIN_E_SYNTAX);
    says(f, "policy.d/z.policy:1: ");
    assert_int_equal(check(f, "policy.d/z.policy", "# mended\n"), 0);
    assert_int_equal(check(f, "policy.d/z.policy", NULL), 0);
}

static void run_does_not_hide_what_is_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir_all(fixture_path(f, "run", f->store.run_dir), 0755), 0);
    fixture_write(f, "run/a.policy", "# hides the other\n");
    assert_int_equal(check(f, "policy.d/a.policy", "broken\n"), ADMIN_E_SYNTAX);
    fixture_write(f, "run/a.policy", "broken\n");
    assert_int_equal(check(f, "policy.d/a.policy", "\n"), 0);
}

static void other_spellings_of_the_file_change_too(void **state)
{
    static const char *const spelled[] = {"include/x", "include/../include/x", "./include/x",
                                          "include/link", "short/x"};
    struct fixture *f = *state;
    char path[PATH_SIZE], line[256];

    fixture_write(f, "policy.d/include/x", "a.B * work mail allow\n");
    assert_int_equal(symlink("x", fixture_path(f, "policy.d/include/link", path)), 0);
    assert_int_equal(symlink("include", fixture_path(f, "policy.d/short", path)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(spelled); i++) {
        assert_int_equal(format(line, sizeof(line), "!include %s\n", spelled[i]), 0);
        fixture_write(f, "policy.d/a.policy", line);
        assert_int_equal(check(f, "policy.d/include/x", "a.B * work mail deny\n"), 0);
        assert_int_equal(check(f, "policy.d/include/x", "broken\n"), ADMIN_E_SYNTAX);
        assert_int_equal(check(f, "policy.d/include/x", NULL), ADMIN_E_SYNTAX);
    }
}

static void a_new_file_is_found_under_another_spelling(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/a.policy", "!include include/../include/x\n");
    assert_int_equal(check(f, "policy.d/b.policy", ""), ADMIN_E_SYNTAX);
    assert_int_equal(check(f, "policy.d/include/x", "a.B * work mail deny\n"), 0);
    assert_int_equal(check(f, "policy.d/include/x", "broken\n"), ADMIN_E_SYNTAX);
    /* the second one is looked at only once the first is there */
    fixture_write(f, "policy.d/b.policy", "!include include/../include/../include/x\n");
    assert_int_equal(check(f, "policy.d/include/x", "a.B * work mail deny\n"), 0);
}

static void what_only_the_new_text_includes_is_looked_at(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/a.policy", "\n");
    fixture_write(f, "policy.d/include/x", "broken\n");
    assert_int_equal(check(f, "policy.d/a.policy", "!include include/x\n"), ADMIN_E_SYNTAX);
    says(f, "policy.d/include/x:1: ");
    /* itself, under another name: a loop */
    assert_int_equal(check(f, "policy.d/a.policy", "!include include/../a.policy\n"),
                     ADMIN_E_SYNTAX);
}

static void a_link_in_the_directory_is_the_file_too(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    fixture_write(f, "policy.d/include/x", "\n");
    assert_int_equal(symlink("include/x", fixture_path(f, "policy.d/l.policy", path)), 0);
    assert_int_equal(check(f, "policy.d/include/x", "broken\n"), ADMIN_E_SYNTAX);
    says(f, "policy.d/l.policy:1: ");
    /* nobody includes it: the link leads nowhere then, and is no policy any more */
    assert_int_equal(check(f, "policy.d/include/x", NULL), 0);
}

static void files(struct fixture *f, const char *service, const char *expected)
{
    struct buf b = BUF_NULL(1 << 16);

    assert_int_equal(policy_list_files(&f->store, service, &b, f->why), 0);
    assert_int_equal(buf_len(&b), strlen(expected));
    if (*expected)
        assert_memory_equal(buf_data(&b), expected, buf_len(&b));
    buf_deinit(&b);
}

static void files_of_a_service_come_in_order_of_use(void **state)
{
    struct fixture *f = *state;
    char expected[PATH_SIZE + 64];

    fixture_write(f, "policy.d/10-a.policy",
                  "a.B * x y deny\n!include include/inc\na.B * y x deny\n");
    fixture_write(f, "policy.d/20-b.policy", "* * x y deny\n!include ../away\n!compat-4.0\n");
    fixture_write(f, "policy.d/include/inc", "c.D * x y deny\na.B * x y deny\n");
    fixture_write(f, "away", "c.D * x y deny\n");
    fixture_write(f, "legacy/c.D+x", "x y deny\n");
    files(f, "a.B", "10-a\ninc\n20-b\n");
    files(f, "e.F", "20-b\n");
    assert_int_equal(format(expected, sizeof(expected),
                            "inc\n20-b\n%s/policy.d/../away\n%s/legacy/c.D+x\n", f->dir, f->dir),
                     0);
    files(f, "c.D", expected);
}

static void files_of_a_policy_that_does_not_load_are_an_error(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_NULL(1 << 16);

    fixture_write(f, "policy.d/a.policy", "broken\n");
    assert_int_equal(policy_list_files(&f->store, "a.B", &b, f->why), ADMIN_E_SYNTAX);
    assert_int_equal(buf_len(&b), 0);
    buf_deinit(&b);
}

static bool named(struct fixture *f, const char *service, const char *argument)
{
    bool found = false;

    assert_int_equal(policy_names_argument(&f->store, service, argument, &found, f->why), 0);
    return found;
}

static void an_argument_is_named_only_exactly(void **state)
{
    struct fixture *f = *state;

    fixture_write(
        f, "policy.d/a.policy",
        "a.B +x work mail deny\na.B * work mail allow\n* * work mail ask\nc.D +y x y deny\n");
    assert_true(named(f, "a.B", "+x"));
    assert_true(named(f, "c.D", "+y"));
    assert_false(named(f, "a.B", "+y"));
    assert_false(named(f, "c.D", "+x"));
    assert_false(named(f, "a.B", "+"));
    assert_false(named(f, "a.b", "+x"));
    assert_false(named(f, "a.B", "+xx"));
}

static void columns_come_from_who_includes(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/include/three", "work mail deny\n");
    fixture_write(f, "policy.d/include/five", "a.B * work mail deny\n");
    fixture_write(f, "policy.d/include/nested", "# empty\n");
    fixture_write(f, "policy.d/include/both", "# empty\n");
    fixture_write(f, "policy.d/include/alone", "work mail deny\n");
    fixture_write(f, "policy.d/a.policy",
                  "!include-service a.B * include/three\n!include include/five\n"
                  "!include include/both\n!include-service a.B * include/both\n");
    fixture_write(f, "policy.d/include/three", "!include include/nested\n");
    assert_int_equal(policy_include_columns(&f->store, "three"), COLUMNS_THREE);
    assert_int_equal(policy_include_columns(&f->store, "five"), COLUMNS_FIVE);
    assert_int_equal(policy_include_columns(&f->store, "nested"), COLUMNS_THREE);
    assert_int_equal(policy_include_columns(&f->store, "both"), COLUMNS_BOTH);
    assert_int_equal(policy_include_columns(&f->store, "alone"), COLUMNS_UNKNOWN);
    assert_int_equal(policy_include_columns(&f->store, "none"), COLUMNS_UNKNOWN);
    fixture_write(f, "policy.d/0.policy", "broken\n!include include/none\n");
    fixture_write(f, "policy.d/include/five", "broken too\n");
    assert_int_equal(policy_include_columns(&f->store, "three"), COLUMNS_THREE);
    assert_int_equal(policy_include_columns(&f->store, "five"), COLUMNS_FIVE);
}

static void without_a_directory_nothing_is_known(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(format(f->store.dir, sizeof(f->store.dir), "%s/none", f->dir), 0);
    assert_int_equal(policy_include_columns(&f->store, "x"), COLUMNS_UNKNOWN);
    assert_int_equal(check(f, "a.policy", ""), ADMIN_E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_seen_before_it_is_made),
        TEST(what_violates_a_never_line_is_no_change),
        TEST(a_bad_name_breaks_it_as_a_whole),
        TEST(an_error_elsewhere_counts),
        TEST(run_does_not_hide_what_is_checked),
        TEST(other_spellings_of_the_file_change_too),
        TEST(a_new_file_is_found_under_another_spelling),
        TEST(what_only_the_new_text_includes_is_looked_at),
        TEST(a_link_in_the_directory_is_the_file_too),
        TEST(files_of_a_service_come_in_order_of_use),
        TEST(files_of_a_policy_that_does_not_load_are_an_error),
        TEST(an_argument_is_named_only_exactly),
        TEST(columns_come_from_who_includes),
        TEST(without_a_directory_nothing_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
