#include "tests/unit/test.h"

#include "libqrexec/base/ini.h"

static char seen[4096];

static bool note(void *user, const char *section, const char *key, const char *value, int line)
{
    size_t n = strlen(seen);

    (void)user;
    snprintf(seen + n, sizeof(seen) - n, "%d[%s]%s=%s;", line, section, key, value);
    return !str_equal(key, "bad");
}

static int read_text(const char *text, int *line)
{
    seen[0] = 0;
    *line = 0;
    return ini_read_text(text, strlen(text), note, NULL, line);
}

static void gives_each_pair_with_section_and_line(void **state)
{
    int line;

    (void)state;
    assert_int_equal(read_text("a = 1\n# c\n[s]\nb=x y\n", &line), 0);
    assert_string_equal(seen, "1[]a=1;4[s]b=x y;");
}

static void continuation_comes_with_the_same_key(void **state)
{
    int line;

    (void)state;
    assert_int_equal(read_text("tags = a b\n  c d\n", &line), 0);
    assert_string_equal(seen, "1[]tags=a b;2[]tags=c d;");
}

static void a_line_that_would_be_cut_is_an_error(void **state)
{
    char text[400] = "ok = 1\nkey = ";
    int line;

    (void)state;
    memset(text + strlen(text), 'x', 260);
    assert_int_equal(read_text(text, &line), INI_E_TOO_LONG);
    assert_int_equal(line, 2);
    assert_null(strstr(seen, "key"));
}

static void a_nul_byte_is_an_error(void **state)
{
    int line = 0;

    (void)state;
    seen[0] = 0;
    assert_int_equal(ini_read_text("a = 1\nb\0c = 2\n", 14, note, NULL, &line), INI_E_TOO_LONG);
    assert_int_equal(line, 2);
}

static void syntax_and_refused_lines_are_told_apart(void **state)
{
    int line;

    (void)state;
    assert_int_equal(read_text("a = 1\nnonsense\n", &line), INI_E_SYNTAX);
    assert_int_equal(line, 2);
    assert_int_equal(read_text("a = 1\nbad = 2\nc = 3\n", &line), INI_E_HANDLER);
    assert_int_equal(line, 2);
    assert_null(strstr(seen, "c="));
}

static void what_is_written_is_read_back(void **state)
{
    char *text = NULL, value[1200] = "";
    size_t n = 0;
    FILE *f;
    int line = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        snprintf(value + strlen(value), sizeof(value) - strlen(value), "%sword%d", i ? " " : "", i);
    f = open_memstream(&text, &n);
    assert_int_equal(ini_write(f, "tags", value), 0);
    assert_int_equal(ini_write(f, "x", "a ;b"), -EINVAL);
    assert_int_equal(ini_write(f, "x", "a\nb"), -EINVAL);
    fclose(f);
    seen[0] = 0;
    assert_int_equal(ini_read_text(text, n, note, NULL, &line), 0);
    assert_non_null(strstr(seen, "[]tags=word0 word1"));
    assert_non_null(strstr(seen, "word99;"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_pair_with_section_and_line),
        cmocka_unit_test(continuation_comes_with_the_same_key),
        cmocka_unit_test(a_line_that_would_be_cut_is_an_error),
        cmocka_unit_test(a_nul_byte_is_an_error),
        cmocka_unit_test(syntax_and_refused_lines_are_told_apart),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
