/* Line by line of the contract: tokens and parameters in each place, includes, R4.0, limits. */
#include "tests/unit/policy-engine/lib/fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static bool loads(const char *line)
{
    const struct policy_file f = {.path = "p/1.policy", .content = line, .len = strlen(line)};
    struct policy_source s = fixture_source(&f, 1);
    struct policy_error e = {0};
    struct policy *p = NULL;
    int r = policy_load(&s, &p, &e);

    assert_true(r == 0 || r == POLICY_E_INVALID);
    policy_error_deinit(&e);
    policy_unref(p);
    return r == 0;
}

/* The contract's table: which token may stand where. */
static void each_token_stands_where_the_table_says(void **state)
{
    static const struct {
        const char *token;
        bool source, target, redirect;
    } table[] = {
        {"work", true, true, true},
        {"uuid:" UUID(1), true, true, true},
        {"*", true, true, false},
        {"@adminvm", true, true, true},
        {"dom0", true, true, true},
        {"uuid:" ZERO_UUID, true, true, true},
        {"@anyvm", true, true, false},
        {"@default", false, true, false},
        {"@dispvm", false, true, true},
        {"@dispvm:work", true, true, true},
        {"@dispvm:uuid:" UUID(1), true, true, true},
        {"@dispvm:@tag:t", true, true, false},
        {"@tag:t", true, true, false},
        {"@type:AppVM", true, true, false},
        {"@tag:", false, false, false},
        {"@type:", false, false, false},
        {"@dispvm:", false, false, false},
        {"@dispvm:@tag:", false, false, false},
        {"uuid:", false, false, false},
        {"@tag:@t", false, false, false},
        {"@dispvm:@type:AppVM", false, false, false},
        {"@dispvm:@dispvm", false, false, false},
        {"@", false, false, false},
        {"@AdminVM", false, false, false},
        {"@anyvm:x", false, false, false},
        {"$anyvm", true, true, true},
        {"odd,name;\xc3\xa4", true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        static const char *const forms[] = {"a.B * %s work deny", "a.B * work %s deny",
                                            "a.B * work mail allow target=%s",
                                            "a.B * work mail ask default_target=%s"};
        const bool expected[] = {table[i].source, table[i].target, table[i].redirect,
                                 table[i].redirect};

        for (size_t k = 0; k < 4; k++) {
            _cleanup_(freep) char *at = strndup(forms[k], strcspn(forms[k], "%"));
            _cleanup_(freep) char *line =
                format_new("%s%s%s", at, table[i].token, strchr(forms[k], '%') + 2);

            if (loads(line) != expected[k])
                fail_msg("%s: should %sload", line, expected[k] ? "" : "not ");
        }
    }
}

static void each_parameter_goes_with_the_actions_that_the_table_says(void **state)
{
    static const struct {
        const char *parameter;
        bool allow, ask, deny;
    } table[] = {
        {"target=mail", true, true, false},
        {"user=joe", true, true, false},
        {"user=", true, true, false},
        {"default_target=mail", false, true, false},
        {"notify=yes", true, true, true},
        {"notify=no", true, true, true},
        {"notify=Yes", false, false, false},
        {"notify=", false, false, false},
        {"autostart=yes", true, true, false},
        {"autostart=no", true, true, false},
        {"autostart=1", false, false, false},
        {"default_target=", false, false, false},
        {"notify", false, false, false},
        {"=yes", false, false, false},
        {"Notify=yes", false, false, false},
        {"notify =yes", false, false, false},
        {"notify=yes notify=yes", false, false, false},
        {"autostart=no user=a=b notify=yes", true, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        static const char *const actions[] = {"allow", "ask", "deny"};
        const bool expected[] = {table[i].allow, table[i].ask, table[i].deny};

        for (size_t k = 0; k < 3; k++) {
            _cleanup_(freep) char *line =
                format_new("a.B * work vault %s %s", actions[k], table[i].parameter);

            if (loads(line) != expected[k])
                fail_msg("%s: should %sload", line, expected[k] ? "" : "not ");
        }
    }
}

static void parameters_left_out_have_their_defaults(void **state)
{
    static const char *const actions[] = {"allow", "ask", "deny"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(freep) char *line = format_new("a.B * work mail %s", actions[i]);
        struct policy *p = fixture_policy(line);
        struct policy_rule_view v;

        policy_get_rule(p, 0, &v);
        assert_int_equal(v.notify, i == 2);
        assert_true(v.autostart);
        assert_null(v.user);
        assert_null(v.redirect);
        assert_null(v.default_target);
        assert_string_equal(v.text, line);
        policy_unref(p);
    }
}

static void an_error_is_told_where_it_stands(void **state)
{
    const struct policy_file nested[] = {FILE_OF("p/1.policy", "!include x\n"),
                                         FILE_OF("p/x", "# fine\n\n!include-service a.B * y\n"),
                                         FILE_OF("p/y", "work mail deny\nwork mail permit\n")};
    const struct policy_file compat[] = {FILE_OF("p/1.policy", "\n!compat-4.0\n"),
                                         FILE_OF("l/a.B+x", "\nwork mail deny,colour=red\n")};
    const struct policy_file names[] = {FILE_OF("p/1.policy", "!include-dir d\n"),
                                        FILE_OF("p/d/A.policy", "")};
    const struct policy_file first[] = {FILE_OF("p/2.policy", "nonsense\n"),
                                        FILE_OF("p/1.policy", "nonsense\nnonsense\n")};
    const struct policy_file comment[] = {FILE_OF("p/1.policy", "\n# \xff in a comment\n")};
    const struct policy_file nul[] = {FILE_OF("p/1.policy", "a.B * work mail deny\0\n")};

    (void)state;
    fixture_fails(nested, 3, "p/y", 2, "permit");
    fixture_fails(compat, 2, "l/a.B+x", 2, "colour");
    fixture_fails(names, 2, "p/d/A.policy", 0, "name");
    fixture_fails(first, 2, "p/1.policy", 1, "too few");
    fixture_fails(comment, 1, "p/1.policy", 2, "UTF-8");
    fixture_fails(nul, 1, "p/1.policy", 1, "NUL");
}

static void check_places(const struct policy_source *s, const char *expected)
{
    struct policy_error e = {0};
    struct policy *p = NULL;
    char all[512] = "";
    size_t n = 0;

    if (policy_load(s, &p, &e))
        fail_msg("%s:%u: %s", e.file, e.line, e.text);
    for (size_t i = 0; i < policy_count_rules(p); i++) {
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s:%u", i ? " " : "", v.file, v.line);
    }
    assert_string_equal(all, expected);
    policy_unref(p);
}

static void relative_paths_start_where_the_top_level_file_came_from(void **state)
{
    static const char *const dirs[] = {"run", "etc", NULL};
    const struct policy_file files[] = {FILE_OF("run/1.policy", "!include sub/x\n"),
                                        FILE_OF("run/sub/x", "!include sub/y\n"),
                                        FILE_OF("run/sub/y", "a.B * a b deny\n"),
                                        FILE_OF("etc/2.policy", "!include sub/x\n"),
                                        FILE_OF("etc/sub/x", "!include /abs/z\n"),
                                        FILE_OF("/abs/z", "!include-dir sub/d\n"),
                                        FILE_OF("etc/sub/d/1.policy", "\na.B * a b deny\n")};
    struct policy_source s = {
        .dirs = dirs, .files = files, .n_files = ARRAY_SIZE(files), .files_only = true};

    (void)state;
    check_places(&s, "run/sub/y:1 etc/sub/d/1.policy:2");
}

static void old_files_include_from_their_own_directory(void **state)
{
    const struct policy_file files[] = {
        FILE_OF("p/1.policy", "!compat-4.0\n!include-service a.C * sub/x\n"),
        FILE_OF("l/a.B", "# $include:nowhere\n!include sub/x\n"),
        FILE_OF("l/sub/x", "$include:sub/y\n"),
        FILE_OF("l/sub/y", "$tag:work $dispvm:dvm allow,user=joe\n"),
        FILE_OF("p/sub/x", "$include:sub/y\n"),
        FILE_OF("p/sub/y", "\nwork mail deny\n")};
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));
    struct policy_rule_view v;
    struct policy *p;

    (void)state;
    check_places(&s, "l/sub/y:1 p/sub/y:2");
    p = fixture_load(files, ARRAY_SIZE(files));
    policy_get_rule(p, 0, &v);
    assert_string_equal(v.service, "a.B");
    assert_string_equal(v.argument, "*");
    assert_string_equal(v.source, "@tag:work");
    assert_string_equal(v.target, "@dispvm:dvm");
    assert_string_equal(v.user, "joe");
    assert_string_equal(v.text, "$tag:work $dispvm:dvm allow,user=joe");
    policy_unref(p);
}

static void compat_may_stand_in_an_included_file_and_twice(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/1.policy", "!include x\n!compat-4.0\n"),
                                        FILE_OF("p/x", "!compat-4.0\n"),
                                        FILE_OF("l/a.B", "work mail deny\n")};
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));

    (void)state;
    check_places(&s, "l/a.B:1 l/a.B:1");
}

static void only_names_of_services_count_in_the_old_directory(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/1.policy", "!compat-4.0\n"),
                                        FILE_OF("l/a.B.rpmnew", "nonsense"),
                                        FILE_OF("l/a.B.swp", "nonsense"),
                                        FILE_OF("l/a.B~", "nonsense"),
                                        FILE_OF("l/a B", "nonsense"),
                                        FILE_OF("l/a.B.bak", "work mail deny\n"),
                                        FILE_OF("l/A-b_c.1", "work mail deny\n")};
    struct policy_source s = fixture_source(files, ARRAY_SIZE(files));

    (void)state;
    check_places(&s, "l/A-b_c.1:1 l/a.B.bak:1");
}

static void the_implicit_rules_of_an_old_file_deny_the_rest(void **state)
{
    const struct policy_file files[] = {FILE_OF("p/1.policy", "!compat-4.0\na.B * * * allow\n"),
                                        FILE_OF("l/a.B+x", "work mail allow\n")};
    struct policy *p = fixture_load(files, 2);
    struct policy_rule_view v;

    (void)state;
    assert_int_equal(policy_count_rules(p), 4);
    for (size_t i = 1; i < 3; i++) {
        policy_get_rule(p, i, &v);
        assert_string_equal(v.service, "a.B");
        assert_string_equal(v.argument, "+x");
        assert_string_equal(v.source, "@anyvm");
        assert_string_equal(v.target, i == 1 ? "@anyvm" : "@adminvm");
        assert_string_equal(v.action, "deny");
        assert_string_equal(v.text, "");
        assert_int_equal(v.line, 0);
    }
    policy_unref(p);
}

static void the_text_of_a_rule_is_its_line_without_the_end(void **state)
{
    static const char text[] = "# x\r\n a.B * a  b deny \r\ra.B * c d ask\r\n\na.B\t* e f deny";
    static const char *const expected[] = {" a.B * a  b deny ", "a.B * c d ask", "a.B\t* e f deny"};
    struct policy *p = fixture_policy(text);
    struct policy_rule_view v;

    (void)state;
    assert_int_equal(policy_count_rules(p), 3);
    for (size_t i = 0; i < 3; i++) {
        policy_get_rule(p, i, &v);
        assert_string_equal(v.text, expected[i]);
    }
    policy_unref(p);
}

static void a_rule_is_shown_as_it_was_written(void **state)
{
    struct policy *p = fixture_policy("a.B +x uuid:" ZERO_UUID " dom0 ask target=@adminvm "
                                      "default_target=dom0 user=joe notify=yes autostart=no\n");
    struct policy_rule_view v;

    (void)state;
    policy_get_rule(p, 0, &v);
    assert_string_equal(v.service, "a.B");
    assert_string_equal(v.argument, "+x");
    assert_string_equal(v.source, "@adminvm"); /* the one spelling that it has as a token */
    assert_string_equal(v.target, "dom0");
    assert_string_equal(v.action, "ask");
    assert_string_equal(v.redirect, "@adminvm");
    assert_string_equal(v.default_target, "dom0");
    assert_string_equal(v.user, "joe");
    assert_true(v.notify);
    assert_false(v.autostart);
    policy_unref(p);
}

static uint64_t signature(const char *path, const char *one, const char *two)
{
    const struct policy_file files[] = {{path, one, strlen(one)}, {"p/2.policy", two, strlen(two)}};
    struct policy *p = fixture_load(files, 2);
    uint64_t s = policy_signature(p);

    policy_unref(p);
    return s;
}

static void the_signature_tells_policies_apart(void **state)
{
    static const char *const different[][3] = {{"p/1.policy", "# 12345678", "# 9"},
                                               {"p/1.policy", "# 12345678", "# 8"},
                                               {"p/1.policy", "# 1234567", "#8 9"},
                                               {"p/1.policy", "# 12345678 ", "# 9"},
                                               {"p/1.policy", "# 123456780", "# 9"},
                                               {"p/1.policy", "# 22345678", "# 9"},
                                               {"p/0.policy", "# 12345678", "# 9"},
                                               {"p/1.policy", "# 9", "# 12345678"},
                                               {"p/1.policy", "", ""},
                                               {"p/1.policy", "\n", ""}};
    uint64_t seen[ARRAY_SIZE(different)];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
        seen[i] = signature(different[i][0], different[i][1], different[i][2]);
        for (size_t k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
    }
    assert_true(seen[0] == signature("p/1.policy", "# 12345678", "# 9"));
}

/* ---- The disk ---- */

static void links_to_files_are_followed_and_directories_passed_over(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *file = format_new("%s/real", dir);
    _cleanup_(freep) char *link = format_new("%s/1.policy", dir);
    _cleanup_(freep) char *dangling = format_new("%s/2.policy", dir);
    _cleanup_(freep) char *sub = format_new("%s/3.policy", dir);
    _cleanup_(freep) char *expected = format_new("%s:1", link);
    const char *const dirs[] = {dir, NULL};
    const struct policy_source s = {.dirs = dirs};

    (void)state;
    assert_int_equal(file_replace(file, "a.B * a b deny\n", 15, 0600), 0);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(mkdir(sub, 0700), 0);
    check_places(&s, expected);
    test_rmdir(dir);
}

static void check_unreadable(const char *dir, const char *file, const char *why)
{
    const char *const dirs[] = {dir, NULL};
    struct policy_error e = {0};
    struct policy *p = NULL;

    assert_int_equal(policy_load(&(struct policy_source){.dirs = dirs}, &p, &e), POLICY_E_INVALID);
    assert_string_equal(e.file, file);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    policy_error_deinit(&e);
}

/* A deny that nobody can look at must not leave a later allow to decide. */
static void a_link_that_cannot_be_followed_is_not_taken_for_absent(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *link = format_new("%s/1.policy", dir);
    _cleanup_(freep) char *readme = format_new("%s/README", dir);
    _cleanup_(freep) char *loop = format_new("%s/3.policy", dir);
    _cleanup_(freep) char *through = format_new("%s/4.policy", dir);
    _cleanup_(freep) char *allow = format_new("%s/2.policy", dir);
    _cleanup_(freep) char *secret = format_new("%s/secret", dir);
    _cleanup_(freep) char *expected = format_new("%s:1", allow);
    const char *const dirs[] = {dir, NULL};
    bool root = geteuid() == 0;
    char name[300];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    assert_int_equal(file_replace(allow, "a.B * a b allow\n", 16, 0644), 0);
    assert_int_equal(symlink(name, readme), 0); /* does not count */
    assert_int_equal(symlink("3.policy", loop), 0);
    assert_int_equal(symlink("2.policy/x", through), 0);
    check_places(&(struct policy_source){.dirs = dirs}, expected);
    assert_int_equal(symlink(name, link), 0);
    check_unreadable(dir, link, strerror(ENAMETOOLONG));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("secret/deny", link), 0);
    assert_int_equal(mkdir(secret, 0), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    check_unreadable(dir, link, strerror(EACCES));
    if (root)
        assert_int_equal(seteuid(0), 0);
    test_rmdir(dir);
}

static void what_cannot_be_read_makes_the_policy_invalid(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *file = format_new("%s/1.policy", dir);
    _cleanup_(freep) char *sub = format_new("%s/sub", dir);
    _cleanup_(freep) char *big = format_new("%s/big", dir);
    const char *const dirs[] = {dir, NULL};
    const struct policy_source s = {.dirs = dirs};
    static const char *const lines[] = {"\n!include sub\n", "\n!include big\n", "\n!include gone\n",
                                        "\n!include-dir big\n", "\n!include /dev/zero\n"};
    static const char *const words[] = {"directory", "larger than 16 MiB", "No such file",
                                        "Not a directory", "neither file nor directory"};

    (void)state;
    assert_int_equal(mkdir(sub, 0700), 0);
    assert_int_equal(file_replace(big, "#", 1, 0600), 0);
    assert_int_equal(truncate(big, (16 << 20) + 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct policy_error e = {0};
        struct policy *p = NULL;

        assert_int_equal(file_replace(file, lines[i], strlen(lines[i]), 0600), 0);
        assert_int_equal(policy_load(&s, &p, &e), POLICY_E_INVALID);
        assert_string_equal(e.file, file);
        assert_int_equal(e.line, 2);
        if (!strstr(e.text, words[i]))
            fail_msg("\"%s\" does not say \"%s\"", e.text, words[i]);
        policy_error_deinit(&e);
    }
    test_rmdir(dir);
}

/* The kernel says of a file in /proc that it has no bytes. */
static void a_file_that_is_longer_than_it_says_is_read(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *file = format_new("%s/1.policy", dir);
    const char *const dirs[] = {dir, NULL};
    const struct policy_source s = {.dirs = dirs};
    struct policy_error e = {0};
    struct policy *p = NULL;

    (void)state;
    assert_int_equal(file_replace(file, "!include /proc/self/status\n", 27, 0600), 0);
    assert_int_equal(policy_load(&s, &p, &e), POLICY_E_INVALID);
    assert_string_equal(e.file, "/proc/self/status");
    assert_int_equal(e.line, 1);
    policy_error_deinit(&e);
    test_rmdir(dir);
}

/* ---- Limits ---- */

static void a_path_that_is_too_long_is_an_error_with_its_line(void **state)
{
    static const char *const forms[] = {"!include %s", "!include-dir %s", "!include /%s",
                                        "!include-service a.B * %s"};
    char name[4100];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        _cleanup_(freep) char *text = NULL;
        int n = asprintf(&text, "# first\n%.*s%s\n", (int)strlen(forms[i]) - 2, forms[i], name);
        const struct policy_file f = {"p/1.policy", text, n < 0 ? 0 : (size_t)n};

        fixture_fails(&f, 1, "p/1.policy", 2, "the path is too long");
    }
}

static void a_file_of_no_service_is_an_error(void **state)
{
    static const struct policy_file f[] = {FILE_OF("p/1.policy", "!compat-4.0\n"),
                                           FILE_OF("l/+x", "a b allow\n")};

    (void)state;
    fixture_fails(f, 2, "l/+x", 0, "no service before its +");
}

static void there_are_eight_directories_at_most(void **state)
{
    const char *dirs[10] = {"p", "p", "p", "p", "p", "p", "p", "p"};
    static const struct policy_file f = FILE_OF("p/1.policy", "a.B * a b allow\n");
    struct policy_source s = {.dirs = dirs, .files = &f, .n_files = 1, .files_only = true};
    struct policy *p = NULL;
    char **watched = NULL;

    (void)state;
    assert_int_equal(policy_load(&s, &p, NULL), 0);
    policy_unref(p);
    p = NULL;
    dirs[8] = "p";
    assert_int_equal(policy_load(&s, &p, NULL), -E2BIG);
    assert_int_equal(policy_list_watched(&s, &watched), -E2BIG);
    assert_null(p);
    assert_null(watched);
}

static void includes_nest_as_deep_as_the_limit_and_no_deeper(void **state)
{
    char paths[20][16], texts[20][32];
    struct policy_file files[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        snprintf(paths[i], sizeof(paths[i]), i ? "p/x%zu" : "p/%zu.policy", i);
        snprintf(texts[i], sizeof(texts[i]), "!include x%zu\n", i + 1);
        files[i] = (struct policy_file){paths[i], texts[i], strlen(texts[i])};
    }
    files[16].content = "a.B * work mail deny\n";
    files[16].len = strlen(files[16].content);
    policy_unref(fixture_load(files, 20));
    files[16].content = texts[16];
    files[16].len = strlen(texts[16]);
    fixture_fails(files, 20, "p/x16", 1, "nested too deep");
}

static char *repeated(const char *line, size_t n)
{
    size_t len = strlen(line);
    char *text = malloc(len * n + 1);

    assert_non_null(text);
    for (size_t i = 0; i <= n; i++)
        memcpy(text + i * len, i < n ? line : "", i < n ? len : 1);
    return text;
}

/* Files that include files that include files … end at a number, whoever asks. */
static void a_bomb_of_includes_is_an_error(void **state)
{
    _cleanup_(freep) char *text = repeated("!include x\n", 10000);
    const struct policy_file files[] = {
        {.path = "p/1.policy", .content = text, .len = strlen(text)}, FILE_OF("p/x", "")};
    struct policy_source s = fixture_source(files, 2);
    struct policy_findings f = {0};

    (void)state;
    fixture_fails(files, 2, "p/1.policy", 10000, "too large: more than 10000 files");
    assert_int_equal(policy_lint_errors(&s, &f), 0);
    assert_int_equal(f.n, 1);
    policy_findings_deinit(&f);
}

static void more_rules_than_the_limit_are_an_error(void **state)
{
    _cleanup_(freep) char *text = repeated("* * * * deny\n", 1000001);
    struct policy_file f = {.path = "p/1.policy", .content = text, .len = strlen(text) - 13};

    (void)state;
    policy_unref(fixture_load(&f, 1));
    f.len += 13;
    fixture_fails(&f, 1, "p/1.policy", 1000001, "too large: more than 1000000 rules");
}

static void more_bytes_than_the_limit_are_an_error(void **state)
{
    _cleanup_(freep) char *text = repeated("#", (16 << 20) + 1);
    struct policy_file files[] = {
        FILE_OF("p/1.policy", "!include a\n!include b\n!include c\n!include d\n"),
        {.path = "p/a", .content = text, .len = 16 << 20},
        {.path = "p/b", .content = text, .len = 16 << 20},
        {.path = "p/c", .content = text, .len = 16 << 20},
        {.path = "p/d", .content = text, .len = 1 << 20}};

    (void)state;
    policy_unref(fixture_load(files, 5));
    files[4].len = 16 << 20;
    fixture_fails(files, 5, "p/1.policy", 4, "too large: more than 64 MiB");
    files[1].len++;
    fixture_fails(files, 5, "p/1.policy", 1, "larger than 16 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_stands_where_the_table_says),
        cmocka_unit_test(each_parameter_goes_with_the_actions_that_the_table_says),
        cmocka_unit_test(parameters_left_out_have_their_defaults),
        cmocka_unit_test(an_error_is_told_where_it_stands),
        cmocka_unit_test(relative_paths_start_where_the_top_level_file_came_from),
        cmocka_unit_test(old_files_include_from_their_own_directory),
        cmocka_unit_test(compat_may_stand_in_an_included_file_and_twice),
        cmocka_unit_test(only_names_of_services_count_in_the_old_directory),
        cmocka_unit_test(the_implicit_rules_of_an_old_file_deny_the_rest),
        cmocka_unit_test(the_text_of_a_rule_is_its_line_without_the_end),
        cmocka_unit_test(a_rule_is_shown_as_it_was_written),
        cmocka_unit_test(the_signature_tells_policies_apart),
        cmocka_unit_test(links_to_files_are_followed_and_directories_passed_over),
        cmocka_unit_test(a_link_that_cannot_be_followed_is_not_taken_for_absent),
        cmocka_unit_test(what_cannot_be_read_makes_the_policy_invalid),
        cmocka_unit_test(a_file_that_is_longer_than_it_says_is_read),
        cmocka_unit_test(a_path_that_is_too_long_is_an_error_with_its_line),
        cmocka_unit_test(a_file_of_no_service_is_an_error),
        cmocka_unit_test(there_are_eight_directories_at_most),
        cmocka_unit_test(includes_nest_as_deep_as_the_limit_and_no_deeper),
        cmocka_unit_test(a_bomb_of_includes_is_an_error),
        cmocka_unit_test(more_rules_than_the_limit_are_an_error),
        cmocka_unit_test(more_bytes_than_the_limit_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
