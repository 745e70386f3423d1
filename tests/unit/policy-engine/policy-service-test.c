/* What the policy daemon and the one-shot program share. */
#include "policy-engine/policy-service.h"

#include "libqrexec/base/log.h"
#include "tests/unit/test.h"

#include <sys/stat.h>

static void a_query_is_taken_apart(void **state)
{
    static const struct {
        const char *text, *service, *argument;
    } cases[] = {
        {"a.B", "a.B", "+"},        {"a.B+", "a.B", "+"}, {"a.B+c", "a.B", "+c"},
        {"a.B+c+d", "a.B", "+c+d"}, {"+c", "", "+c"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_query query = {.source = wire_text("work"),
                                     .target = wire_text(""),
                                     .service = wire_text(cases[i].text),
                                     .just_evaluate = true};
        struct policy_question q;
        struct policy_request r;

        assert_int_equal(policy_question_new(&query, &q), 0);
        r = policy_question_request(&q);
        assert_string_equal(r.source, "work");
        assert_string_equal(r.target, "");
        assert_string_equal(r.service, cases[i].service);
        assert_string_equal(r.argument, cases[i].argument);
        assert_string_equal(r.requested_source, "");
        assert_true(r.just_evaluate);
        assert_false(q.assume_yes);
        policy_question_deinit(&q);
        assert_null(q.source);
    }
}

static char *choices[] = {(char *)"dom0", (char *)"work"};

static struct policy_verdict asked(const char *requested_target)
{
    return (struct policy_verdict){.action = POLICY_ASK,
                                   .requested_target = requested_target,
                                   .choices = choices,
                                   .n_choices = ARRAY_SIZE(choices)};
}

static void the_assumed_choice_is_the_target_in_any_spelling_of_dom0(void **state)
{
    static const char *const cases[][2] = {
        {"work", "work"},     {"dom0", "dom0"},
        {"@adminvm", "dom0"}, {"uuid:00000000-0000-0000-0000-000000000000", "dom0"},
        {"vault", NULL},      {"@default", NULL},
        {"@dispvm", NULL},    {"", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_verdict v = asked(cases[i][0]);
        const char *choice = policy_assumed_choice(&v);

        if (cases[i][1])
            assert_string_equal(choice, cases[i][1]);
        else
            assert_null(choice);
    }
}

static void an_ask_is_settled_only_where_the_verdict_alone_is_wanted(void **state)
{
    static const struct {
        bool just_evaluate, assume_yes;
        const char *target;
        enum policy_action action;
    } cases[] = {
        {false, false, "work", POLICY_ASK}, {false, true, "work", POLICY_ASK},
        {true, false, "work", POLICY_DENY}, {true, true, "work", POLICY_ALLOW},
        {true, true, "vault", POLICY_DENY}, {true, true, "@adminvm", POLICY_ALLOW},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_question q = {.just_evaluate = cases[i].just_evaluate,
                                    .assume_yes = cases[i].assume_yes};
        struct policy_verdict v = asked(cases[i].target);
        struct policy_verdict allow = {.action = POLICY_ALLOW, .target = "vault"};
        struct policy_verdict deny = {.action = POLICY_DENY, .reason = POLICY_REASON_POLICY};

        policy_settle(&q, &v);
        assert_int_equal(v.action, cases[i].action);
        if (v.action == POLICY_DENY) /* no user said no */
            assert_string_equal(policy_denial_text(&q, &v), "not-asked");
        policy_settle(&q, &allow); /* what is decided stays */
        assert_string_equal(allow.target, "vault");
        policy_settle(&q, &deny);
        assert_int_equal(deny.reason, POLICY_REASON_POLICY);
        assert_string_equal(policy_denial_text(&q, &deny), "policy");
        assert_null(policy_denial_text(&q, &allow));
    }
}

static void an_answer_is_in_the_words_of_the_socket(void **state)
{
    struct policy_question q = {0};
    struct policy_verdict v = {.action = POLICY_ALLOW,
                               .user = "DEFAULT",
                               .target = "work",
                               .requested_target = "@default",
                               .autostart = true,
                               .service = "relay.Call+x",
                               .policy_source = "remote"};
    struct policy_domains *d = NULL;
    char text[POLICY_ANSWER_MAX + 1];
    int n;

    (void)state;
    assert_int_equal(policy_domains_new(1, &d), 0);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "work", .uuid = "u-1"}),
                     0);
    n = policy_answer_text(d, &q, &v, text, sizeof(text));
    assert_true(n > 0);
    text[n] = 0;
    assert_string_equal(text, "result=allow\nuser=DEFAULT\ntarget=work\nautostart=True\n"
                              "requested_target=@default\ntarget_uuid=uuid:u-1\n"
                              "service=relay.Call+x\npolicy_source=remote\n");
    q.just_evaluate = true;
    n = policy_answer_text(d, &q, &v, text, sizeof(text));
    assert_int_equal(n, strlen("result=allow\n"));
    v.action = POLICY_DENY;
    n = policy_answer_text(NULL, &q, &v, text, sizeof(text));
    assert_memory_equal(text, "result=deny\n", (size_t)n);
    q.just_evaluate = false;
    v.action = POLICY_ALLOW;
    assert_int_equal(policy_answer_text(d, &q, &v, text, 20), -EMSGSIZE);
    policy_domains_unref(d);
}

static struct policy *policy_of(const char *text)
{
    const char *dirs[] = {"/p", NULL};
    struct policy_file file = {.path = "/p/1.policy", .content = text, .len = strlen(text)};
    struct policy_source s = {.dirs = dirs, .files = &file, .n_files = 1, .files_only = true};
    struct policy_error e = {0};
    struct policy *p = NULL;

    assert_int_equal(policy_load(&s, &p, &e), 0);
    return p;
}

/* uuids; NULL: there is no such domain, "": it has none */
static struct policy_domains *domains_of(const char *work, const char *mail)
{
    struct policy_domains *d = NULL;

    assert_int_equal(policy_domains_new(1, &d), 0);
    if (work)
        assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "work",
                                                                       .uuid = *work ? work : NULL,
                                                                       .guivm = "dom0"}),
                         0);
    if (mail)
        assert_int_equal(
            policy_domains_add(
                d, &(struct policy_domain){.name = "mail", .uuid = *mail ? mail : NULL}),
            0);
    return d;
}

static void a_yes_is_for_what_was_asked_about(void **state)
{
    static const struct {
        const char *policy, *work, *mail; /* by now */
        int outcome;
        enum policy_action action;
    } cases[] = {
        {"a * work mail ask\n", "1", "2", 0, POLICY_ASK},
        {"a * work mail deny\n", "1", "2", 0, POLICY_DENY},
        {"", "1", "2", 0, POLICY_DENY},
        {"a * work mail allow\n", "1", "2", 0, POLICY_ALLOW},
        {"a * work mail allow target=dom0\n", "1", "2", 0, POLICY_DENY},
        {"a * work mail ask\n", "1", "3", RECHECK_E_ANOTHER, 0},
        {"a * work mail ask\n", "3", "2", RECHECK_E_ANOTHER, 0},
        {"a * work mail ask\n", "1", NULL, RECHECK_E_ANOTHER, 0},
        {"a * work mail ask\n", "1", "", RECHECK_E_ANOTHER, 0},
        {"a * work mail allow\n", NULL, "2", RECHECK_E_ANOTHER, 0},
    };
    struct policy_question q = {.source = (char *)"work",
                                .target = (char *)"mail",
                                .service = (char *)"a",
                                .argument = (char *)"+",
                                .requested_source = (char *)""};
    struct policy_domains *before = domains_of("1", "2");
    struct policy_verdict first = asked("mail");

    (void)state;
    first.source = "work";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_domains *now = domains_of(cases[i].work, cases[i].mail);
        struct policy *p = policy_of(cases[i].policy);
        struct policy_verdict v = {0};

        assert_int_equal(policy_recheck(p, before, now, &q, &first, "mail", &v), cases[i].outcome);
        if (!cases[i].outcome)
            assert_int_equal(v.action, cases[i].action);
        policy_verdict_deinit(&v);
        policy_domains_unref(now);
        policy_unref(p);
    }
    policy_domains_unref(before);
}

static void what_does_not_load_says_where(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *file = format_new("%s/10-a.policy", dir);
    _cleanup_(freep) char *want = format_new("%s/10-a.policy:2: ", dir);
    _cleanup_(freep) char *error = NULL;
    struct policy_files f = {.dirs = {dir}, .n_dirs = 1};
    struct policy *p = NULL;

    (void)state;
    assert_int_equal(file_replace(file, "# x\na * * *\n", 12, 0600), 0);
    assert_int_equal(policy_files_load(&f, &p, &error), POLICY_E_INVALID);
    assert_null(p);
    assert_int_equal(strncmp(error, want, strlen(want)), 0);
    assert_int_equal(file_replace(file, "a * * * deny\n", 13, 0600), 0);
    free(take(error));
    assert_int_equal(policy_files_load(&f, &p, &error), 0);
    assert_null(error);
    policy_unref(p);
    test_rmdir(dir);
}

static void what_violates_a_never_line_says_how(void **state)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *file = format_new("%s/10-a.policy", dir);
    _cleanup_(freep) char *never = format_new("%s/10-a.never", dir);
    _cleanup_(freep) char *want =
        format_new("%s:1: never, and yet %s:1 allows a from ", never, file);
    _cleanup_(freep) char *error = NULL;
    struct policy_files f = {.dirs = {dir}, .n_dirs = 1};
    struct policy *p = NULL;

    (void)state;
    assert_int_equal(file_replace(file, "a * * * allow\n", 14, 0600), 0);
    assert_int_equal(file_replace(never, "a * * vault\n", 12, 0600), 0);
    assert_int_equal(policy_files_load(&f, &p, &error), POLICY_E_NEVER);
    assert_null(p);
    assert_int_equal(strncmp(error, want, strlen(want) - strlen(" from ")), 0);
    test_rmdir(dir);
}

/* What a function writes to the log, which is stderr here. */
static char *logged(void (*fn)(void))
{
    int ends[2], saved = dup(STDERR_FILENO);
    char text[16384];
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    fn();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    n = read(ends[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = 0;
    close(ends[0]);
    return strdup(text);
}

static struct policy_question logged_question = {.source = (char *)"work",
                                                 .target = (char *)"",
                                                 .service = (char *)"a.B",
                                                 .argument = (char *)"+c"};

static void log_each(void)
{
    struct policy_verdict v = {.action = POLICY_ALLOW, .target = "vault"};

    policy_log_decision(&logged_question, &v);
    policy_verdict_deny(&v, POLICY_REASON_NO_TARGET);
    policy_log_decision(&logged_question, &v);
    policy_log_trouble(&logged_question, LOG_POLICY, "f:1: bad");
    policy_log_trouble(&logged_question, LOG_SYSTEM_INFO, NULL);
}

static void a_decision_is_one_line_of_the_log(void **state)
{
    _cleanup_(freep) char *text = NULL;

    (void)state;
    log_open("who", LOG_TARGET_STDERR);
    text = logged(log_each);
    assert_string_equal(text,
                        "who: qrexec: a.B+c: work -> @default: allowed to vault\n"
                        "who: qrexec: a.B+c: work -> @default: denied: no-target\n"
                        "who: qrexec: a.B+c: work -> @default: error loading policy: f:1: bad\n"
                        "who: qrexec: a.B+c: work -> @default: error getting system info: no "
                        "memory\n");
}

static void a_long_argument_does_not_hide_the_verdict(void **state)
{
    char argument[60000];
    char *saved = logged_question.argument;
    _cleanup_(freep) char *text = NULL;

    (void)state;
    memset(argument, '\n', sizeof(argument) - 1); /* the worst: four bytes each in the log */
    argument[sizeof(argument) - 1] = 0;
    logged_question.argument = argument;
    text = logged(log_each);
    logged_question.argument = saved;
    assert_non_null(strstr(text, "...: work -> @default: allowed to vault\n"));
    assert_non_null(strstr(text, "...: work -> @default: denied: no-target\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_taken_apart),
        cmocka_unit_test(the_assumed_choice_is_the_target_in_any_spelling_of_dom0),
        cmocka_unit_test(an_ask_is_settled_only_where_the_verdict_alone_is_wanted),
        cmocka_unit_test(an_answer_is_in_the_words_of_the_socket),
        cmocka_unit_test(a_yes_is_for_what_was_asked_about),
        cmocka_unit_test(what_does_not_load_says_where),
        cmocka_unit_test(what_violates_a_never_line_says_how),
        cmocka_unit_test(a_decision_is_one_line_of_the_log),
        cmocka_unit_test(a_long_argument_does_not_hide_the_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
