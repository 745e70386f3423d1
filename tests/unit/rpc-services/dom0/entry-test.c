/* Directory entries: which spellings are one file. */
#include "rpc-services/dom0/entry.h"
#include "tests/unit/rpc-services/dom0/fixture.h"

static struct entry find(const struct fixture *f, const char *name)
{
    char path[PATH_SIZE];
    struct entry e;

    assert_int_equal(entry_find(fixture_path(f, name, path), &e), 0);
    return e;
}

static bool on_way(const struct fixture *f, const struct entry *e, const char *name)
{
    char path[PATH_SIZE];

    return entry_is_on_way(e, fixture_path(f, name, path));
}

static void make_link(const struct fixture *f, const char *to, const char *name)
{
    char path[PATH_SIZE];

    assert_int_equal(symlink(to, fixture_path(f, name, path)), 0);
}

static void spellings_of_a_directory_are_one_entry(void **state)
{
    struct fixture *f = *state;
    struct entry a = find(f, "policy.d/include/x"), b = find(f, "policy.d/include/../include//x");

    make_link(f, "policy.d/include", "short");
    assert_string_equal(a.path, b.path);
    assert_string_equal(a.path + a.name, "x");
    assert_string_equal(find(f, "short/x").path, a.path);
    assert_true(on_way(f, &a, "short/./x"));
    assert_false(on_way(f, &a, "policy.d/x"));
    assert_false(on_way(f, &a, "policy.d/include/xx"));
}

static void an_entry_needs_its_directory_only(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    struct entry e = find(f, "policy.d/none"), untouched = e;

    assert_int_equal(entry_find(fixture_path(f, "none/x", path), &e), -ENOENT);
    assert_memory_equal(&e, &untouched, sizeof(e));
    assert_int_equal(entry_follow(&e), 0);
    assert_string_equal(e.path, untouched.path);
}

static void a_path_without_directory_is_in_the_current_one(void **state)
{
    char cwd[PATH_SIZE];
    struct entry e, root;

    (void)state;
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(entry_find("name", &e), 0);
    assert_true(entry_is_in(&e, cwd));
    assert_string_equal(e.path + e.name, "name");
    assert_int_equal(entry_find("/name", &root), 0);
    assert_string_equal(root.path, "/name");
    assert_int_equal(root.name, 1);
}

static void every_link_of_a_chain_is_on_the_way(void **state)
{
    struct fixture *f = *state;
    struct entry first, middle, end;

    fixture_write(f, "end", "text");
    make_link(f, "../end", "policy.d/middle");
    make_link(f, "policy.d/middle", "first");
    first = find(f, "first");
    middle = find(f, "policy.d/middle");
    end = find(f, "end");
    assert_true(on_way(f, &first, "first"));
    assert_true(on_way(f, &middle, "first"));
    assert_true(on_way(f, &end, "first"));
    assert_false(on_way(f, &first, "policy.d/middle"));
    assert_int_equal(entry_follow(&first), 0);
    assert_string_equal(first.path, end.path);
}

static void an_absolute_link_is_followed(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    struct entry e;

    make_link(f, fixture_path(f, "policy.d/none", path), "link");
    e = find(f, "link");
    assert_int_equal(entry_follow(&e), 0);
    assert_string_equal(e.path, find(f, "policy.d/none").path);
}

static void a_loop_of_links_ends(void **state)
{
    struct fixture *f = *state;
    struct entry e, other = find(f, "other");

    make_link(f, "b", "a");
    make_link(f, "a", "b");
    e = find(f, "a");
    assert_int_equal(entry_follow(&e), -ELOOP);
    assert_false(on_way(f, &other, "a"));
}

static void a_hard_link_is_another_entry(void **state)
{
    struct fixture *f = *state;
    char a[PATH_SIZE], b[PATH_SIZE];
    struct entry e;

    fixture_write(f, "a", "text");
    assert_int_equal(link(fixture_path(f, "a", a), fixture_path(f, "b", b)), 0);
    e = find(f, "a");
    assert_false(on_way(f, &e, "b"));
}

static void only_what_lies_directly_in_a_directory_is_in_it(void **state)
{
    struct fixture *f = *state;
    struct entry e = find(f, "policy.d/include/x"), top = find(f, "policy.d/x");
    char include[PATH_SIZE];

    assert_int_equal(mkdir_all(fixture_path(f, "policy.e", include), 0755), 0);
    assert_false(entry_is_in(&top, include));
    fixture_path(f, "policy.d/include/../include", include);
    assert_true(entry_is_in(&e, include));
    assert_false(entry_is_in(&e, f->store.dir));
    assert_true(entry_is_in(&top, f->store.dir));
    assert_false(entry_is_in(&top, include));
    assert_false(entry_is_in(&top, "/none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spellings_of_a_directory_are_one_entry),
        TEST(an_entry_needs_its_directory_only),
        TEST(a_path_without_directory_is_in_the_current_one),
        TEST(every_link_of_a_chain_is_on_the_way),
        TEST(an_absolute_link_is_followed),
        TEST(a_loop_of_links_ends),
        TEST(a_hard_link_is_another_entry),
        TEST(only_what_lies_directly_in_a_directory_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
