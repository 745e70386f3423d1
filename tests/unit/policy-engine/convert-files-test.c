/* A conversion is carried out as a whole, or not at all; nothing is overwritten. */
#include "policy-engine/convert-files.h"

#include "tests/unit/test.h"

#include <sys/stat.h>

/* In a directory: a file to change, one to make, two R4.0 files. */
struct stage {
    char *dir;
    struct convert_edit edits[2];
    char *old[3];
    struct convert_plan plan;
};

static char *path(const struct stage *s, const char *name)
{
    char *p = format_new("%s/%s", s->dir, name);

    assert_non_null(p);
    return p;
}

static void put(const struct stage *s, const char *name, const char *text)
{
    _cleanup_(freep) char *p = path(s, name);

    assert_int_equal(file_replace(p, text, strlen(text), 0640), 0);
}

/* "" where there is no such file. */
static void expect(const struct stage *s, const char *name, const char *text)
{
    _cleanup_(freep) char *p = path(s, name), *content = NULL;
    size_t n;
    int r = file_read(p, 4096, &content, &n);

    assert_true(r == 0 || r == -ENOENT);
    assert_string_equal(r ? "" : content, text);
}

static struct stage *stage_new(void)
{
    struct stage *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->dir = test_mkdir();
    put(s, "30", "user's\n");
    put(s, "a.B", "old 1\n");
    put(s, "a.C", "old 2\n");
    s->edits[0] = (struct convert_edit){.path = path(s, "30"),
                                        .before = strdup("user's\n"),
                                        .before_len = 7,
                                        .after = strdup("lines\nuser's\n"),
                                        .after_len = 13};
    s->edits[1] =
        (struct convert_edit){.path = path(s, "50"), .after = strdup("more\n"), .after_len = 5};
    s->old[0] = path(s, "a.B");
    s->old[1] = path(s, "a.C");
    s->plan = (struct convert_plan){.edits = s->edits, .n_edits = 2, .old = s->old};
    return s;
}

static void stage_free(struct stage *s)
{
    for (size_t i = 0; i < 2; i++) {
        free(s->edits[i].path);
        free(s->edits[i].before);
        free(s->edits[i].after);
        free(s->old[i]);
    }
    test_rmdir(s->dir);
    free(s);
}

static void expect_untouched(const struct stage *s)
{
    expect(s, "30", "user's\n");
    expect(s, "30.bak", "");
    expect(s, "50", "");
    expect(s, "a.B", "old 1\n");
    expect(s, "a.B.rpmsave", "");
    expect(s, "a.C.rpmsave", "");
}

static void files_are_written_and_old_ones_renamed(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};
    struct stat st;

    (void)state;
    assert_int_equal(convert_carry_out(&s->plan, &done), 0);
    expect(s, "30", "lines\nuser's\n");
    expect(s, "30.bak", "user's\n");
    expect(s, "50", "more\n");
    expect(s, "a.B", "");
    expect(s, "a.B.rpmsave", "old 1\n");
    expect(s, "a.C.rpmsave", "old 2\n");
    assert_int_equal(stat(s->edits[0].path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640); /* as it was */
    assert_null(done.kept[1]);
    convert_done_deinit(&s->plan, &done);
    stage_free(s);
}

static void all_of_it_can_be_taken_back(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};

    (void)state;
    assert_int_equal(convert_carry_out(&s->plan, &done), 0);
    assert_int_equal(convert_take_back(&s->plan, &done), 0);
    expect_untouched(s);
    expect(s, "a.C", "old 2\n");
    convert_done_deinit(&s->plan, &done);
    stage_free(s);
}

static void copies_of_earlier_conversions_stay(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};

    (void)state;
    put(s, "30.bak", "first\n");
    put(s, "30.bak.1", "second\n");
    put(s, "a.B.rpmsave", "saved\n");
    assert_int_equal(convert_carry_out(&s->plan, &done), 0);
    expect(s, "30.bak", "first\n");
    expect(s, "30.bak.1", "second\n");
    expect(s, "30.bak.2", "user's\n");
    expect(s, "a.B.rpmsave", "saved\n");
    expect(s, "a.B.1.rpmsave", "old 1\n");
    convert_done_deinit(&s->plan, &done);
    stage_free(s);
}

/* The last one is renamed first: it is gone, and so nothing may be done. */
static void a_rename_that_fails_undoes_everything(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct stage *s = stage_new();
        struct convert_done done = {0};

        (void)state;
        assert_int_equal(unlink(s->old[i]), 0);
        assert_int_equal(convert_carry_out(&s->plan, &done), -ENOENT);
        if (i)
            expect_untouched(s);
        expect(s, "30", "user's\n");
        expect(s, "50", "");
        expect(s, "a.C", i ? "" : "old 2\n");
        stage_free(s);
    }
}

static void a_file_that_cannot_be_written_undoes_the_others(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};

    (void)state;
    free(s->edits[1].path);
    s->edits[1].path = path(s, "no-such-directory/50");
    assert_int_equal(convert_carry_out(&s->plan, &done), -ENOENT);
    expect_untouched(s);
    stage_free(s);
}

static void a_file_that_is_gone_undoes_the_others(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};

    (void)state;
    assert_int_equal(unlink(s->edits[0].path), 0);
    assert_int_equal(convert_carry_out(&s->plan, &done), -ENOENT);
    expect(s, "30", "");
    expect(s, "50", "");
    expect(s, "a.B", "old 1\n");
    stage_free(s);
}

static void what_cannot_be_put_back_is_told(void **state)
{
    struct stage *s = stage_new();
    struct convert_done done = {0};

    (void)state;
    assert_int_equal(convert_carry_out(&s->plan, &done), 0);
    put(s, "a.B", "somebody wrote another\n"); /* never overwritten */
    assert_int_equal(unlink(done.kept[0]), 0);
    assert_int_equal(convert_take_back(&s->plan, &done), -EEXIST);
    expect(s, "a.B", "somebody wrote another\n");
    expect(s, "a.B.rpmsave", "old 1\n");
    expect(s, "a.C", "old 2\n");
    expect(s, "30", "lines\nuser's\n");
    convert_done_deinit(&s->plan, &done);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_and_old_ones_renamed),
        cmocka_unit_test(all_of_it_can_be_taken_back),
        cmocka_unit_test(copies_of_earlier_conversions_stay),
        cmocka_unit_test(a_rename_that_fails_undoes_everything),
        cmocka_unit_test(a_file_that_cannot_be_written_undoes_the_others),
        cmocka_unit_test(a_file_that_is_gone_undoes_the_others),
        cmocka_unit_test(what_cannot_be_put_back_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
