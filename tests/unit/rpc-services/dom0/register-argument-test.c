/* policy.RegisterArgument: whose words become a rule. */
#include "rpc-services/dom0/register-argument.h"
#include "tests/unit/rpc-services/dom0/fixture.h"

#define FILE_NAME "policy.d/" REGISTER_FILE ".policy"

static struct registration words(const char *argument)
{
    return (struct registration){.service = "my.Svc",
                                 .backend = "back",
                                 .target_type = "name",
                                 .frontend = "front",
                                 .argument = argument,
                                 .argument_len = strlen(argument)};
}

static int add(struct fixture *f, const char *argument)
{
    struct registration r = words(argument);

    return registration_add(&f->store, &r, f->why);
}

static void a_line_is_appended_for_each(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "x"), 0);
    assert_int_equal(add(f, "Y-._0"), 0);
    fixture_expect(f, FILE_NAME, "my.Svc +x front back allow\nmy.Svc +Y-._0 front back allow\n");
}

static void what_a_rule_names_is_not_registered(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "policy.d/90-any.policy", "my.Svc +x @anyvm @anyvm deny\nmy.Svc * a b ask\n");
    assert_int_equal(add(f, "x"), REGISTER_E_REFUSED);
    assert_int_equal(add(f, "y"), 0);
    assert_int_equal(add(f, "y"), REGISTER_E_REFUSED);
    fixture_expect(f, FILE_NAME, "my.Svc +y front back allow\n");
}

static void every_byte_of_an_argument_is_judged(void **state)
{
    struct fixture *f = *state;

    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b', 0};
        struct registration r = words("a?b");
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '.';

        r.argument = text;
        assert_int_equal(registration_check(&r, f->why), good ? 0 : REGISTER_E_REFUSED);
        text[1] = 0;
        r = words("ab");
        r.service = (char[]){'a', (char)c, 'b', 0};
        assert_int_equal(registration_check(&r, f->why), good || c == 0 ? 0 : REGISTER_E_REFUSED);
    }
}

static void an_argument_has_1_to_64_bytes(void **state)
{
    struct fixture *f = *state;
    char text[REGISTER_ARGUMENT_MAX + 2];
    struct registration r;

    memset(text, 'a', sizeof(text));
    text[REGISTER_ARGUMENT_MAX + 1] = 0;
    r = words(text);
    assert_int_equal(registration_check(&r, f->why), REGISTER_E_REFUSED);
    r.argument_len = REGISTER_ARGUMENT_MAX;
    assert_int_equal(registration_check(&r, f->why), 0);
    r.argument_len = 1;
    assert_int_equal(registration_check(&r, f->why), 0);
    r.argument_len = 0;
    assert_int_equal(registration_check(&r, f->why), REGISTER_E_REFUSED);
}

static void each_word_must_be_there_and_a_name(void **state)
{
    static const char *const bad[] = {NULL,  "",  "@anyvm", "a b",     "a\nb",
                                      "a+b", "*", "#",      "!include"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct registration service = words("x"), front = words("x"), back = words("x"),
                            type = words("x");

        service.service = bad[i];
        front.frontend = bad[i];
        back.backend = bad[i];
        type.target_type = bad[i] ? "keyword" : NULL;
        assert_int_equal(registration_check(&service, f->why), REGISTER_E_REFUSED);
        assert_int_equal(registration_check(&front, f->why), REGISTER_E_REFUSED);
        assert_int_equal(registration_check(&back, f->why), REGISTER_E_REFUSED);
        assert_int_equal(registration_check(&type, f->why), REGISTER_E_REFUSED);
        assert_int_equal(registration_add(&f->store, &front, f->why), REGISTER_E_REFUSED);
    }
}

static void a_broken_policy_takes_nothing(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    fixture_write(f, "policy.d/a.policy", "broken\n");
    assert_int_equal(add(f, "x"), REGISTER_E_REFUSED);
    assert_int_equal(access(fixture_path(f, FILE_NAME, path), F_OK), -1);
}

static void a_full_file_takes_nothing(void **state)
{
    struct fixture *f = *state;
    _cleanup_(freep) char *text = malloc(REGISTER_CONTENT_MAX);

    assert_non_null(text);
    memset(text, '#', REGISTER_CONTENT_MAX);
    text[REGISTER_CONTENT_MAX - 20] = 0;
    fixture_write(f, FILE_NAME, text);
    assert_int_equal(add(f, "x"), REGISTER_E_REFUSED);
    assert_non_null(strstr(f->why, "is full"));
    text[REGISTER_CONTENT_MAX - 40] = 0;
    fixture_write(f, FILE_NAME, text);
    assert_int_equal(add(f, "x"), 0);
}

static void no_directory_is_trouble(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(format(f->store.dir, sizeof(f->store.dir), "%s/none", f->dir), 0);
    assert_int_equal(add(f, "x"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_appended_for_each),         TEST(what_a_rule_names_is_not_registered),
        TEST(every_byte_of_an_argument_is_judged), TEST(an_argument_has_1_to_64_bytes),
        TEST(each_word_must_be_there_and_a_name),  TEST(a_broken_policy_takes_nothing),
        TEST(a_full_file_takes_nothing),           TEST(no_directory_is_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
