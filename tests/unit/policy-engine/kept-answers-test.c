/* Answers that are kept for a time. */
#include "policy-engine/kept-answers.h"

#include "libqrexec/base/paths.h"
#include "tests/unit/test.h"

#include <sys/file.h>

static char *choices[] = {(char *)"@dispvm:dvm", (char *)"dom0", (char *)"mail", (char *)"work"};

static struct policy_question question = {.service = (char *)"a.B",
                                          .argument = (char *)"+c",
                                          .source = (char *)"work",
                                          .target = (char *)"mail"};

static struct policy_verdict asked(const char *source, const char *requested)
{
    return (struct policy_verdict){.action = POLICY_ASK,
                                   .source = source,
                                   .requested_target = requested,
                                   .choices = choices,
                                   .n_choices = ARRAY_SIZE(choices)};
}

/* mail NULL: it is gone. */
static struct policy_domains *domains(const char *mail)
{
    struct policy_domains *d = NULL;

    assert_int_equal(policy_domains_new(1, &d), 0);
    assert_int_equal(
        policy_domains_add(d, &(struct policy_domain){.name = "work", .uuid = "u-work"}), 0);
    if (mail)
        assert_int_equal(
            policy_domains_add(d, &(struct policy_domain){.name = "mail", .uuid = mail}), 0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "dvm",
                                                                   .uuid = "u-dvm",
                                                                   .template_for_dispvms = true}),
                     0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "bare"}), 0);
    return d;
}

static const char *find(const struct kept_answers *k, const struct policy_domains *d,
                        const char *source, const char *requested, uint64_t now)
{
    struct policy_verdict v = asked(source, requested);

    return kept_answers_find(k, d, &question, &v, now);
}

static int add(struct kept_answers *k, const struct policy_domains *d, const char *source,
               const char *requested, const char *chosen, uint64_t seconds)
{
    struct policy_verdict v = asked(source, requested);

    return kept_answers_add(k, d, &question, &v, chosen, seconds, 1000);
}

static void an_answer_holds_for_its_question_alone(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");
    struct policy_question saved = question;

    (void)state;
    assert_int_equal(add(&k, d, "work", "mail", "mail", 10), 0);
    assert_string_equal(find(&k, d, "work", "mail", 1001), "mail");
    assert_string_equal(find(&k, d, "work", "uuid:u-mail", 1001), "mail");
    assert_null(find(&k, d, "mail", "mail", 1001));
    assert_null(find(&k, d, "work", "@default", 1001));
    assert_null(find(&k, d, "work", "dom0", 1001));
    assert_null(find(&k, d, "work", "bare", 1001));
    question.argument = (char *)"+d";
    assert_null(find(&k, d, "work", "mail", 1001));
    question = saved;
    question.service = (char *)"a.C";
    assert_null(find(&k, d, "work", "mail", 1001));
    question = saved;
    policy_domains_unref(d);
}

static void every_kind_of_target_can_be_kept(void **state)
{
    static const char *const cases[][3] = {
        {"@default", "mail", "mail"},
        {"@default", "dom0", "dom0"},
        {"@adminvm", "dom0", "dom0"},
        {"@dispvm", "@dispvm:dvm", "@dispvm:dvm"},
        {"@dispvm:dvm", "@dispvm:dvm", "@dispvm:dvm"},
        {"@dispvm:uuid:u-dvm", "@dispvm:dvm", "@dispvm:dvm"},
    };
    struct policy_domains *d = domains("u-mail");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;

        assert_int_equal(add(&k, d, "work", cases[i][0], cases[i][1], 0), 0);
        assert_string_equal(find(&k, d, "work", cases[i][0], 1u << 30), cases[i][2]);
    }
    policy_domains_unref(d);
}

static void it_ends_with_its_time(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");

    (void)state;
    assert_int_equal(add(&k, d, "work", "mail", "mail", 10), 0);
    assert_int_equal(add(&k, d, "work", "@default", "mail", 0), 0);
    assert_int_equal(kept_answers_next_end(&k), 1010);
    assert_non_null(find(&k, d, "work", "mail", 1009));
    assert_null(find(&k, d, "work", "mail", 1010));
    assert_false(kept_answers_expire(&k, 1009));
    assert_true(kept_answers_expire(&k, 1010));
    assert_int_equal(k.n, 1);
    assert_int_equal(kept_answers_next_end(&k), 0);
    assert_non_null(find(&k, d, "work", "@default", 1u << 30));
    policy_domains_unref(d);
}

static void it_ends_with_its_domains(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail"), *other = domains("u-new"), *gone = domains(NULL);

    (void)state;
    assert_int_equal(add(&k, d, "work", "mail", "mail", 0), 0);
    assert_int_equal(add(&k, d, "mail", "@default", "work", 0), 0);
    assert_null(find(&k, other, "work", "mail", 1));
    assert_null(find(&k, gone, "work", "mail", 1));
    assert_null(find(&k, other, "mail", "@default", 1));
    assert_non_null(find(&k, d, "mail", "@default", 1));
    /* what can never match again makes place */
    assert_int_equal(add(&k, gone, "work", "@default", "dom0", 0), 0);
    assert_int_equal(k.n, 2);
    policy_domains_unref(d);
    policy_domains_unref(other);
    policy_domains_unref(gone);
}

static void a_choice_that_is_offered_no_more_is_not_taken(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");
    struct policy_verdict v = asked("work", "mail");

    (void)state;
    assert_int_equal(add(&k, d, "work", "mail", "work", 0), 0);
    assert_string_equal(find(&k, d, "work", "mail", 1), "work");
    v.n_choices = 3;
    assert_null(kept_answers_find(&k, d, &question, &v, 1));
    policy_domains_unref(d);
}

static void a_domain_without_uuid_keeps_nothing(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");

    (void)state;
    assert_int_equal(add(&k, d, "bare", "mail", "mail", 0), KEPT_E_NO_UUID);
    assert_int_equal(add(&k, d, "work", "bare", "mail", 0), KEPT_E_NO_UUID);
    assert_int_equal(add(&k, d, "work", "mail", "bare", 0), KEPT_E_NO_UUID);
    assert_int_equal(add(&k, d, "dom0", "mail", "mail", 0), KEPT_E_NO_UUID);
    assert_int_equal(k.n, 0);
    policy_domains_unref(d);
}

static void a_new_answer_takes_the_place_of_the_old(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");

    (void)state;
    assert_int_equal(add(&k, d, "work", "@default", "mail", 10), 0);
    assert_int_equal(add(&k, d, "work", "mail", "mail", 10), 0);
    assert_int_equal(add(&k, d, "work", "@default", "dom0", 10), 0);
    assert_int_equal(k.n, 2);
    assert_string_equal(find(&k, d, "work", "@default", 1001), "dom0");
    assert_int_equal(k.list[1].number, 3); /* numbers are not used twice while others stand */
    assert_int_equal(kept_answers_remove(&k, 9, false), 0);
    assert_int_equal(kept_answers_remove(&k, 3, false), 1);
    assert_int_equal(kept_answers_remove(&k, 0, true), 1);
    policy_domains_unref(d);
}

static void the_file_is_policy_and_comes_back_the_same(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/%s", dir, KEPT_FILE);
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL, again = KEPT_NULL;
    const char *dirs[] = {dir, NULL};
    struct policy_source source = {.dirs = dirs};
    struct policy_domains *d = domains("u-mail");
    struct policy_error e = {0};
    struct policy *p = NULL;
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(add(&k, d, "work", "@dispvm", "@dispvm:dvm", 10), 0);
    assert_int_equal(add(&k, d, "work", "@default", "mail", 0), 0);
    assert_int_equal(kept_answers_write(path, &k), 0);
    assert_int_equal(kept_answers_read(path, &again), 0);
    assert_int_equal(again.n, 2);
    assert_int_equal(again.list[0].until, 1010);
    assert_int_equal(again.list[1].number, 2);
    assert_string_equal(again.list[0].about, "work -> @dispvm: @dispvm:dvm");
    assert_string_equal(find(&again, d, "work", "@dispvm", 1001), "@dispvm:dvm");
    assert_int_equal(policy_load(&source, &p, &e), 0); /* other programs read it as rules */
    assert_int_equal(policy_count_rules(p), 2);
    assert_int_equal(
        policy_decide(p, d,
                      &(struct policy_request){
                          .service = "a.B", .argument = "+c", .source = "work", .target = ""},
                      &v),
        0);
    assert_int_equal(v.action, POLICY_ALLOW);
    assert_string_equal(v.target, "uuid:u-mail");
    policy_verdict_deinit(&v);
    policy_unref(p);
    kept_answers_remove(&again, 0, true);
    assert_int_equal(kept_answers_write(path, &again), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(kept_answers_write(path, &again), 0);
    policy_domains_unref(d);
    test_rmdir(dir);
}

static void lines_of_another_form_keep_nothing(void **state)
{
    static const char *const bad[] = {
        "a.B +c uuid:u-work uuid:u-mail allow target=uuid:u-mail\n", /* nobody says until when */
        "# kept number=1 until=x y\na.B +c uuid:u-work @default allow target=uuid:u-mail\n",
        "# kept number=0 until=0 y\na.B +c uuid:u-work @default allow target=uuid:u-mail\n",
        "# kept number=1 until=0 y\na.B +c uuid:u-work @default ask target=uuid:u-mail\n",
        "# kept number=1 until=0 y\na.B +c work @default allow target=uuid:u-mail\n",
        "# kept number=1 until=0 y\na.B +c uuid:u-work @default allow\n",
        "# kept number=1 until=0 y\na.B +c uuid:u-work @default allow target=uuid:u-mail x\n",
        "# kept number=1 until=0 y\n\na.B +c uuid:u-work @default allow target=uuid:u-mail\n",
        "# kept number=1 until=0 y\n",
        "",
        "\n\n",
    };
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/%s", dir, KEPT_FILE);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct kept_answers k = KEPT_NULL;

        assert_int_equal(file_replace(path, bad[i], strlen(bad[i]), 0600), 0);
        assert_int_equal(kept_answers_read(path, &k), 0);
        assert_int_equal(k.n, 0);
        kept_answers_deinit(&k);
    }
    test_rmdir(dir);
}

static void changes_wait_for_each_other(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/new/%s", dir, KEPT_FILE);
    struct policy_domains *d = domains("u-mail");
    struct policy_verdict v = asked("work", "mail");
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    int lock = -1;

    (void)state;
    assert_int_equal(kept_answers_lock(path, true, &lock), 0); /* makes the directory */
    assert_int_equal(kept_answers_keep(path, d, &question, &v, "mail", 5), -EWOULDBLOCK);
    close(lock);
    assert_int_equal(kept_answers_keep(path, d, &question, &v, "mail", 5), 0);
    assert_int_equal(kept_answers_read(path, &k), 0);
    assert_int_equal(k.n, 1);
    assert_in_range(k.list[0].until, kept_now() + 3, kept_now() + 5);
    policy_domains_unref(d);
    test_rmdir(dir);
}

static void there_is_a_limit(void **state)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    struct policy_domains *d = domains("u-mail");
    struct policy_question saved = question;

    (void)state;
    for (int i = 0; i < KEPT_MOST + 1; i++) {
        char argument[16];

        (void)format(argument, sizeof(argument), "+%d", i);
        question.argument = argument;
        assert_int_equal(add(&k, d, "work", "mail", "mail", 0), i < KEPT_MOST ? 0 : KEPT_E_FULL);
    }
    question = saved;
    policy_domains_unref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_holds_for_its_question_alone),
        cmocka_unit_test(every_kind_of_target_can_be_kept),
        cmocka_unit_test(it_ends_with_its_time),
        cmocka_unit_test(it_ends_with_its_domains),
        cmocka_unit_test(a_choice_that_is_offered_no_more_is_not_taken),
        cmocka_unit_test(a_domain_without_uuid_keeps_nothing),
        cmocka_unit_test(a_new_answer_takes_the_place_of_the_old),
        cmocka_unit_test(the_file_is_policy_and_comes_back_the_same),
        cmocka_unit_test(lines_of_another_form_keep_nothing),
        cmocka_unit_test(changes_wait_for_each_other),
        cmocka_unit_test(there_is_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
