/* Which files are read, in which order, and what makes a policy as a whole invalid. */
#include "tests/unit/policy-engine/lib/fixture.h"

#include <sys/stat.h>

static void every_kind_of_error_fails_closed_with_its_line(void **state)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"a.B * work", "too few"},
        {"a,b * work mail allow", "a,b"},
        {"* +x work mail allow", "*"},
        {"a.B x work mail allow", "x"},
        {"a.B +a,b work mail allow", "+a,b"},
        {"a.B * @default mail allow", "@default"},
        {"a.B * @dispvm mail allow", "@dispvm"},
        {"a.B * work @tag: allow", "@tag:"},
        {"a.B * work @tag:@x allow", "@tag:@x"},
        {"a.B * work @dispvm:@type:x allow", "@dispvm:@type:x"},
        {"a.B * work @bogus allow", "@bogus"},
        {"a.B * work mail permit", "unknown action \"permit\" (allow, ask or deny)"},
        {"a.B * work mail Allow", "Allow"},
        {"a.B * work mail allow x", "x"},
        {"a.B * work mail allow # why", "#"},
        {"a.B * work mail allow colour=red", "colour"},
        {"a.B * work mail allow user=a user=b", "user"},
        {"a.B * work mail allow notify=maybe", "maybe"},
        {"a.B * work mail allow target=@anyvm", "@anyvm"},
        {"a.B * work mail allow target=", "target"},
        {"a.B * work mail allow target=@default", "@default"},
        {"a.B * work mail allow default_target=vault", "default_target"},
        {"a.B * work mail deny target=vault", "target"},
        {"a.B * work mail deny user=x", "user"},
        {"a.B * work mail allow user=0", "0"},
        {"a.B * work mail allow user=-x", "-x"},
        {"a.B * work @default allow", "@default"},
        {"a.B ~( work mail allow", "("},
        {"!include", "!include"},
        {"!include a b", "!include"},
        {"!include nowhere", "nowhere"},
        {"!include-dir nowhere", "nowhere"},
        {"!include-service a.B * nowhere", "nowhere"},
        {"!include-service a,B * x", "a,B"},
        {"!bogus x", "!bogus"},
        {"\xef\xbb\xbf"
         "a.B * work mail allow",
         "\xef\xbb\xbf"
         "a.B"},
        {"a.B * wor\xffk mail allow", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[256];
        struct policy_file f = {.path = "p/30-user.policy", .content = text};

        f.len = (size_t)snprintf(text, sizeof(text), "# first\n\na.A * work mail allow\n%s\n",
                                 cases[i].line);
        fixture_fails(&f, 1, "p/30-user.policy", 4, cases[i].words);
    }
}

static void what_looks_odd_but_is_right_loads(void **state)
{
    static const char *const lines[] = {
        "a.B\t*   work  mail\vallow",
        "a.B + work mail allow user=",
        "a.B +a+b $anyvm uuid:x ask",
        "a.B * work @dispvm:uuid:x deny notify=no",
        "a.B * @dispvm:x @dispvm:@tag:t deny",
        "a.B * work mail allow user=a=b",
        "* * * * ask default_target=dom0",
        "a.B * work @default ask",
        "a.B ~x|y work mail allow",
        "  # only a comment",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        policy_unref(fixture_policy(lines[i]));
}

static void a_bad_file_name_is_an_error_of_its_own(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/10-a.policy", "nonsense"),
                                        FILE_OF("p/30-User.policy", "")};

    (void)state;
    fixture_fails(files, 2, "p/30-User.policy", 0, "name");
}

static void only_files_that_count_are_read(void **state)
{
    const struct policy_file files[] = {
        FILE_OF("p/README", "nonsense"), FILE_OF("p/.a.policy", "nonsense"),
        FILE_OF("p/a.policy~", "nonsense"), FILE_OF("p/sub/a.policy", "nonsense"),
        FILE_OF("p/a.policy", "a.B * work mail allow\n")};
    struct policy *p = fixture_load(files, ARRAY_SIZE(files));

    (void)state;
    assert_int_equal(policy_count_rules(p), 1);
    policy_unref(p);
}

/* "FILE:LINE" of every rule, in order. */
static char *places_of(struct policy *p)
{
    char *all = strdup("");

    for (size_t i = 0; i < policy_count_rules(p); i++) {
        struct policy_rule_view v;
        char *next;

        policy_get_rule(p, i, &v);
        next = format_new("%s%s%s:%u", all, *all ? " " : "", v.file, v.line);
        free(all);
        all = next;
    }
    return all;
}

static void check_places(const struct policy_source *s, const char *expected)
{
    struct policy_error e = {0};
    struct policy *p = NULL;
    char *places;

    assert_int_equal(policy_load(s, &p, &e), 0);
    places = places_of(p);
    assert_string_equal(places, expected);
    free(places);
    policy_unref(p);
}

static void of_equal_names_the_first_directory_counts(void **state)
{
    static const char *const dirs[] = {"run", "etc", NULL};
    const struct policy_file files[] = {
        FILE_OF("etc/50-b.policy", "nonsense"), FILE_OF("run/50-b.policy", "a.B * a b deny"),
        FILE_OF("etc/10-a.policy", "a.B * a b deny"), FILE_OF("run/60-c.policy", "a.B * a b deny")};
    struct policy_source s = {.dirs = dirs, .files = files, .n_files = 4, .files_only = true};

    (void)state;
    check_places(&s, "etc/10-a.policy:1 run/50-b.policy:1 run/60-c.policy:1");
}

static void includes_stand_where_they_are_named(void **state)
{
    const struct policy_file files[] = {
        FILE_OF("p/10-a.policy", "a.B * a b deny\n!include include/x\na.B * a b deny\n"
                                 "!include-dir more\n!include-service a.C +y include/three\n"),
        FILE_OF("p/include/x", "\n!include include/y\n"),
        FILE_OF("p/include/y", "a.B * a b deny"),
        FILE_OF("p/more/20.policy", "a.B * a b deny"),
        FILE_OF("p/more/10.policy", "a.B * a b deny"),
        FILE_OF("p/more/not-one", "nonsense"),
        FILE_OF("p/include/three", "$anyvm $default allow,target=mail\n$include:include/four\n"),
        FILE_OF("p/include/four", "work mail ask\n")};
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));

    (void)state;
    check_places(&s, "p/10-a.policy:1 p/include/y:1 p/10-a.policy:3 p/more/10.policy:1 "
                     "p/more/20.policy:1 p/include/three:1 p/include/four:1");
}

static void compat_reads_the_old_directory_in_its_order(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/35-compat.policy", "!compat-4.0\n"),
                                        FILE_OF("l/a.B", "$anyvm $anyvm ask"),
                                        FILE_OF("l/a.B+x", "work mail allow"),
                                        FILE_OF("l/a.B+", "work mail deny"),
                                        FILE_OF("l/a.A", "work mail deny"),
                                        FILE_OF("l/a.B.rpmsave", "nonsense"),
                                        FILE_OF("l/.hid", "nonsense"),
                                        FILE_OF("l/a,b", "nonsense")};
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));

    (void)state;
    check_places(&s, "l/a.A:1 l/a.B+:1 l/a.B+:0 l/a.B+:0 l/a.B+x:1 l/a.B+x:0 l/a.B+x:0 l/a.B:1");
}

static void old_files_take_no_other_directive(void **state)
{
    static const char *const lines[] = {"!compat-4.0", "!include-dir x", "@include:x",
                                        "!include-service a.B * x", "work mail allow,nonsense"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        const struct policy_file files[] = {
            FILE_OF("p/35-compat.policy", "!compat-4.0\n"),
            {.path = "l/a.B", .content = lines[i], .len = strlen(lines[i])},
            FILE_OF("l/x", "work mail allow")};

        fixture_fails(files, ARRAY_SIZE(files), "l/a.B", 1, "");
    }
}

/* In this order, wherever it stands: $include:, $, the comma. */
static void old_words_are_replaced_everywhere(void **state)
{
    const struct policy_file good[] = {FILE_OF("p/35-compat.policy", "!compat-4.0\n"),
                                       FILE_OF("l/a.B", "x$include:work allow\n")},
                             bad[] = {FILE_OF("p/35-compat.policy", "!compat-4.0\n"),
                                      FILE_OF("l/a.B", "a b allow,user=a$include:b\n")};
    struct policy *p = fixture_load(good, ARRAY_SIZE(good));
    struct policy_rule_view v;

    (void)state;
    policy_get_rule(p, 0, &v);
    assert_string_equal(v.source, "x!include");
    assert_string_equal(v.target, "work");
    policy_unref(p);
    fixture_fails(bad, ARRAY_SIZE(bad), "l/a.B", 1, "b");
}

static void a_missing_directory_is_an_error(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/1.policy", "\n!compat-4.0\n")};
    struct policy_source s = {.dirs = (const char *const[]){"gone", NULL}, .files_only = true};
    struct policy_error e = {0};
    struct policy *p = NULL;

    (void)state;
    fixture_fails(files, 1, "p/1.policy", 2, "cannot read l");
    assert_int_equal(policy_load(&s, &p, &e), POLICY_E_INVALID);
    assert_string_equal(e.file, "gone");
    assert_int_equal(e.line, 0);
    policy_error_deinit(&e);
}

static void a_loop_of_includes_is_an_error_with_its_line(void **state)
{
    const struct policy_file self[] = {FILE_OF("p/1.policy", "\n!include 1.policy\n")};
    const struct policy_file two[] = {FILE_OF("p/1.policy", "!include b\n"),
                                      FILE_OF("p/b", "!include c\n"),
                                      FILE_OF("p/c", "\n!include b\n!include b\n")};
    const struct policy_file dirs[] = {FILE_OF("p/1.policy", "!include-dir d\n"),
                                       FILE_OF("p/d/x.policy", "\n\n!include-dir d\n")};

    (void)state;
    fixture_fails(self, 1, "p/1.policy", 2, "loop");
    fixture_fails(two, 3, "p/c", 2, "loop");
    fixture_fails(dirs, 2, "p/d/x.policy", 3, "loop");
}

static void cr_and_crlf_count_as_lines(void **state)
{
    const struct policy_file f[] = {
        FILE_OF("p/1.policy", "a.B * a b deny\r\na.B * a b deny\ra.B * a b deny\n\nnonsense\r")};

    (void)state;
    fixture_fails(f, 1, "p/1.policy", 5, "too few");
}

static void what_was_looked_at_can_be_watched_even_after_an_error(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/1.policy", "!include x\n!include gone\n"),
                                        FILE_OF("p/x", "a.B * a b deny\n")};
    struct policy_source s = fixture_source(files, 2);
    static const char *const expected[] = {"p", "p/1.policy", "p/x", "p/gone", NULL};
    char **v = NULL;

    (void)state;
    assert_int_equal(policy_list_watched(&s, &v), 0);
    for (size_t i = 0; expected[i]; i++)
        assert_string_equal(v[i], expected[i]);
    assert_null(v[4]);
    policy_strv_free(v);
}

static void the_disk_is_read_and_a_file_of_it_replaced(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *one = format_new("%s/1.policy", dir);
    _cleanup_(freep) char *two = format_new("%s//./2.policy", dir);
    _cleanup_(freep) char *pipe = format_new("%s/3.policy", dir);
    const struct policy_file replaced = {.path = two, .content = "a.B * a b ask", .len = 13};
    const char *const dirs[] = {dir, NULL};
    struct policy_source s = {.dirs = dirs};
    struct policy *p = NULL;
    struct policy_error e = {0};
    uint64_t before;

    (void)state;
    assert_int_equal(file_replace(one, "a.B * a b deny\n", 15, 0600), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(policy_load(&s, &p, &e), 0);
    assert_int_equal(policy_count_rules(p), 1);
    before = policy_signature(p);
    policy_unref(p);
    s.files = &replaced;
    s.n_files = 1;
    assert_int_equal(policy_load(&s, &p, &e), 0);
    assert_int_equal(policy_count_rules(p), 2);
    assert_true(policy_signature(p) != before);
    policy_unref(p);
    test_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_error_fails_closed_with_its_line),
        cmocka_unit_test(what_looks_odd_but_is_right_loads),
        cmocka_unit_test(a_bad_file_name_is_an_error_of_its_own),
        cmocka_unit_test(only_files_that_count_are_read),
        cmocka_unit_test(of_equal_names_the_first_directory_counts),
        cmocka_unit_test(includes_stand_where_they_are_named),
        cmocka_unit_test(compat_reads_the_old_directory_in_its_order),
        cmocka_unit_test(old_files_take_no_other_directive),
        cmocka_unit_test(old_words_are_replaced_everywhere),
        cmocka_unit_test(a_missing_directory_is_an_error),
        cmocka_unit_test(a_loop_of_includes_is_an_error_with_its_line),
        cmocka_unit_test(cr_and_crlf_count_as_lines),
        cmocka_unit_test(what_was_looked_at_can_be_watched_even_after_an_error),
        cmocka_unit_test(the_disk_is_read_and_a_file_of_it_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
