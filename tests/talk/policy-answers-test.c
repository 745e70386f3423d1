/* qrexec-policy-daemon: answers, and how they follow the files and the domains. */
#include "tests/talk/policy-stage.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RULES                                                                                      \
    "a.Allow * work personal allow\n"                                                              \
    "a.Allow * work dom0 allow user=root autostart=no\n"                                           \
    "a.Allow * work @dispvm allow target=@dispvm\n"                                                \
    "a.Deny * @anyvm @anyvm deny\n"                                                                \
    "a.Ask * work @anyvm ask\n"                                                                    \
    "a.Ask * work dom0 ask\n"
#define CALL   REQUEST("work", "personal", "a.Call")
#define PERMIT "a.Call * work personal allow\n"
#define ALLOWED                                                                                    \
    "result=allow\nuser=DEFAULT\ntarget=personal\nautostart=True\nrequested_target=personal\n"     \
    "target_uuid=uuid:u-personal\n"

static void answers_are_those_of_the_contract(void **state)
{
    static const char *const cases[][2] = {
        {REQUEST("work", "personal", "a.Allow"), ALLOWED},
        {REQUEST("work", "personal", "a.Allow+arg"), ALLOWED},
        {REQUEST("work", "@adminvm", "a.Allow"),
         "result=allow\nuser=root\ntarget=dom0\nautostart=False\nrequested_target=@adminvm\n"},
        {REQUEST("work", "@dispvm", "a.Allow"),
         "result=allow\nuser=DEFAULT\ntarget=@dispvm:dvm\nautostart=True\n"
         "requested_target=@dispvm\ntarget_uuid=@dispvm:uuid:u-dvm\n"},
        {REQUEST("personal", "work", "a.Allow"), DENY},
        {REQUEST("work", "", "a.Allow"), DENY},
        {REQUEST("work", "vault", "a.Deny"), DENY},
        {REQUEST("work", "vault", "a.Unknown"), DENY},
        {"source=work\nintended_target=personal\nservice_and_arg=a.Allow\njust_evaluate=yes\n\n",
         "result=allow\n"},
        {"source=work\nintended_target=vault\nservice_and_arg=a.Ask\njust_evaluate=yes\n\n", DENY},
    };
    struct policy_stage p;

    (void)state;
    policy_begin(&p, RULES);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        expect_answer(&p, cases[i][0], cases[i][1]);
    assert_int_equal(p.spawner_asked, 1); /* the page says that nothing changed */
    expect_log(&p, "qrexec: a.Allow+arg: work -> personal: allowed to personal\n");
    expect_log(&p, "qrexec: a.Allow+: work -> @default: denied: no-match\n");
    expect_log(&p, "qrexec: a.Deny+: work -> vault: denied: policy\n");
    policy_end(&p);
}

/* assume_yes: as if the user had chosen what was asked for. dom0 has three names. */
static void an_assumed_yes_needs_a_choice(void **state)
{
    static const char *const targets[][2] = {
        {"vault", "result=allow\n"},
        {"personal", "result=allow\n"},
        {"@adminvm", "result=allow\n"},
        {"dom0", "result=allow\n"},
        {"uuid:00000000-0000-0000-0000-000000000000", "result=allow\n"},
        {"@dispvm:dvm", "result=allow\n"},
        {"work", DENY},
        {"nobody", DENY},
        {"@default", DENY},
    };
    struct policy_stage p;

    (void)state;
    policy_begin(&p, RULES);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_(freep) char *request = format_new(
            "source=work\nintended_target=%s\nservice_and_arg=a.Ask\nassume_yes_for_ask=yes\n"
            "just_evaluate=yes\n\n",
            targets[i][0]);

        expect_answer(&p, request, targets[i][1]);
    }
    expect_answer(&p,
                  "source=work\nintended_target=@adminvm\nservice_and_arg=a.Ask\n"
                  "assume_yes_for_ask=yes\n\n",
                  "result=allow\nuser=DEFAULT\ntarget=dom0\nautostart=True\n"
                  "requested_target=@adminvm\n");
    expect_answer(&p,
                  "source=work\nintended_target=nobody\nservice_and_arg=a.Ask\n"
                  "assume_yes_for_ask=yes\n\n",
                  DENY);
    policy_end(&p);
}

static void what_is_no_request_is_hung_up_on(void **state)
{
    static const char *const bad[] = {
        "source=work\n\n",
        "source=work\nsource=work\nintended_target=vault\nservice_and_arg=a.Allow\n\n",
        "source=work\nintended_target=vault\nservice_and_arg=a.Allow\nmore=x\n\n",
        "source=work\nintended_target=vault\nservice_and_arg=a.Allow\njust_evaluate=maybe\n\n",
        "source=w\303\251\nintended_target=vault\nservice_and_arg=a.Allow\n\n",
        "nonsense\n\n",
        "\n",
    };
    struct policy_stage p;

    (void)state;
    policy_begin(&p, RULES);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        expect_answer(&p, bad[i], "");
    assert_int_equal(p.spawner_asked, 0);
    policy_end(&p);
}

static void the_end_of_the_stream_ends_a_request(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *text = NULL;
    int fd;

    (void)state;
    policy_begin(&p, RULES);
    fd = caller_begin(&p, "source=work\nintended_target=personal\nservice_and_arg=a.Allow\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    text = policy_read(&p, fd);
    assert_string_equal(text, ALLOWED);
    close(fd);
    policy_end(&p);
}

/* ---- The files ---- */

static void write_in_place(struct policy_stage *p, const char *text)
{
    _cleanup_(freep) char *path = stage_path(&p->s, USER_POLICY);
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

static void the_call_after_an_edit_follows_it(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "");
    for (int i = 0; i < 50; i++) {
        write_in_place(&p, PERMIT);
        expect_answer(&p, CALL, ALLOWED);
        write_in_place(&p, "");
        expect_answer(&p, CALL, DENY);
        policy_file(&p, USER_POLICY, PERMIT); /* an editor writes beside it and renames */
        expect_answer(&p, CALL, ALLOWED);
        policy_file(&p, USER_POLICY, "");
        expect_answer(&p, CALL, DENY);
    }
    policy_end(&p);
}

static void files_come_and_go(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *first = NULL, *run = NULL, *in_run = NULL;

    (void)state;
    policy_begin(&p, "!include include/more\n");
    first = stage_path(&p.s, "/etc/qubes/policy.d/20-first.policy");
    run = stage_path(&p.s, "/run/qubes/policy.d");
    in_run = stage_path(&p.s, "/run/qubes/policy.d/10-run.policy");
    expect_answer(&p, CALL, DENY); /* the included one is missing: nothing loads */
    assert_int_equal(mkdir(run, 0755), 0);
    policy_file(&p, USER_POLICY, "");
    policy_file(&p, "/etc/qubes/policy.d/20-first.policy", PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, "/run/qubes/policy.d/10-run.policy", "a.Call * * * deny\n");
    expect_answer(&p, CALL, DENY);
    assert_int_equal(unlink(in_run), 0);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(unlink(first), 0);
    expect_answer(&p, CALL, DENY);
    policy_end(&p);
}

static void an_included_file_counts(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *dir = NULL;

    (void)state;
    policy_begin(&p, "!include include/more\n");
    dir = stage_path(&p.s, "/etc/qubes/policy.d/include");
    expect_answer(&p, CALL, DENY);
    assert_int_equal(mkdir(dir, 0755), 0);
    policy_file(&p, "/etc/qubes/policy.d/include/more", PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, "/etc/qubes/policy.d/include/more", "");
    expect_answer(&p, CALL, DENY);
    policy_end(&p);
}

static void relink(const char *to, const char *path)
{
    _cleanup_(freep) char *beside = format_new("%s.new", path);

    assert_int_equal(symlink(to, beside), 0);
    assert_int_equal(rename(beside, path), 0);
}

static void a_link_that_moves_is_followed(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *link = NULL, *dir = NULL, *yes = NULL, *no = NULL;

    (void)state;
    policy_begin(&p, "");
    dir = stage_path(&p.s, "/elsewhere");
    yes = stage_path(&p.s, "/elsewhere/yes");
    no = stage_path(&p.s, "/elsewhere/no");
    link = stage_path(&p.s, "/etc/qubes/policy.d/20-link.policy");
    assert_int_equal(mkdir(dir, 0755), 0);
    policy_file(&p, "/elsewhere/yes", PERMIT);
    policy_file(&p, "/elsewhere/no", "");
    for (int i = 0; i < 5; i++) {
        relink(yes, link);
        expect_answer(&p, CALL, ALLOWED);
        relink(no, link);
        expect_answer(&p, CALL, DENY);
    }
    policy_file(&p, "/elsewhere/no", PERMIT); /* where it points, in another directory */
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

static void a_directory_that_is_replaced_is_followed(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *dir = NULL, *other = NULL, *old = NULL;

    (void)state;
    policy_begin(&p, "");
    dir = stage_path(&p.s, "/etc/qubes/policy.d");
    other = stage_path(&p.s, "/etc/qubes/policy.new");
    old = stage_path(&p.s, "/etc/qubes/policy.old");
    expect_answer(&p, CALL, DENY);
    assert_int_equal(mkdir(other, 0755), 0);
    policy_file(&p, "/etc/qubes/policy.new/30-user.policy", PERMIT);
    assert_int_equal(rename(dir, old), 0);
    assert_int_equal(rename(other, dir), 0);
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, USER_POLICY, ""); /* the new one is watched too */
    expect_answer(&p, CALL, DENY);
    assert_int_equal(remove_all(dir), 0); /* none at all, and there again */
    expect_answer(&p, CALL, DENY);
    assert_int_equal(rename(old, dir), 0);
    policy_file(&p, USER_POLICY, PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

static void an_error_denies_everything_until_it_is_mended(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, "/etc/qubes/policy.d/90-late.policy", "# a comment\na.Call * work\n");
    expect_answer(&p, CALL, DENY);
    expect_log(&p, "qrexec: a.Call+: work -> personal: error loading policy: ");
    expect_log(&p, "/etc/qubes/policy.d/90-late.policy:2: ");
    policy_file(&p, "/etc/qubes/policy.d/90-late.policy", "# a comment\n");
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

/* ---- Other callers ---- */

static void half_requests_and_silent_clients_disturb_nobody(void **state)
{
    struct policy_stage p;
    int fds[100];

    (void)state;
    policy_begin(&p, PERMIT);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = caller_begin(&p, i % 2 ? "source=work\nintended_tar" : "");
    expect_answer(&p, CALL, ALLOWED);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i += 2)
        close(fds[i]);
    expect_answer(&p, CALL, ALLOWED);
    send_bytes(fds[1], "get=personal\nservice_and_arg=a.Call\n\n", 37);
    {
        _cleanup_(freep) char *text = policy_read(&p, fds[1]);

        assert_string_equal(text, ALLOWED);
    }
    for (size_t i = 1; i < ARRAY_SIZE(fds); i += 2)
        close(fds[i]);
    policy_end(&p);
}

static void a_caller_that_leaves_early_disturbs_nobody(void **state)
{
    struct policy_stage p;
    int spawner;

    (void)state;
    policy_begin(&p, PERMIT);
    close(caller_begin(&p, CALL));
    spawner = spawner_accept(&p);
    spawner_answers(&p, spawner);
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

/* ---- The domains ---- */

#define NEWCOMER REQUEST("work", "newcomer", "a.Call")

static void a_change_of_domains_is_waited_for(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *text = NULL;
    int fd, spawner;

    (void)state;
    policy_begin(&p, PERMIT "a.Call * work newcomer allow\n");
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, NEWCOMER, DENY);
    assert_int_equal(p.spawner_asked, 1);
    p.extra = ",\"newcomer\":{\"type\":\"AppVM\"}";
    policy_raise(&p);
    fd = caller_begin(&p, NEWCOMER);
    spawner = spawner_accept(&p);
    expect_silence(fd);
    spawner_answers(&p, spawner);
    text = policy_read(&p, fd);
    assert_string_equal(text, "result=allow\nuser=DEFAULT\ntarget=newcomer\nautostart=True\n"
                              "requested_target=newcomer\n");
    close(fd);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(p.spawner_asked, 2);
    policy_end(&p);
}

/* The answer that was on its way when the second request came may know less than it needs. */
static void an_older_answer_does_not_serve_a_later_request(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *one = NULL, *two = NULL;
    int first, second, spawner;

    (void)state;
    policy_begin(&p, "a.Call * work newcomer allow\n");
    first = caller_begin(&p, NEWCOMER);
    spawner = spawner_accept(&p);
    spawner_answers(&p, dup(spawner)); /* nothing yet is at its end: spawner is open */
    policy_raise(&p);
    p.extra = ",\"newcomer\":{\"type\":\"AppVM\"}";
    second = caller_begin(&p, NEWCOMER);
    expect_silence(second);
    close(spawner);
    one = policy_read(&p, first);
    assert_string_equal(one, DENY);
    two = policy_read(&p, second);
    assert_non_null(strstr(two, "result=allow\n"));
    assert_int_equal(p.spawner_asked, 2);
    close(first);
    close(second);
    policy_end(&p);
}

/* Its successor makes a new page; until then each decision asks. */
static void a_page_that_is_gone_is_not_believed(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(p.spawner_asked, 1);
    policy_remove_page(&p);
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(p.spawner_asked, 3);
    policy_raise(&p);
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(p.spawner_asked, 4);
    policy_end(&p);
}

/* Both are there when the daemon looks: the page's end comes first. */
static void a_page_that_went_just_before_the_call_is_not_believed(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, PERMIT);
    expect_answer(&p, CALL, ALLOWED);
    for (size_t i = 0; i < 8; i++) {
        _cleanup_(closep) int fd = -1;
        _cleanup_(freep) char *answer = NULL;

        assert_int_equal(kill(p.s.daemon, SIGSTOP), 0);
        policy_remove_page(&p);
        fd = caller_begin(&p, CALL);
        assert_int_equal(kill(p.s.daemon, SIGCONT), 0);
        answer = policy_read(&p, fd);
        assert_string_equal(answer, ALLOWED);
        assert_int_equal(p.spawner_asked, 2 + 2 * i);
        policy_raise(&p);
        expect_answer(&p, CALL, ALLOWED);
    }
    policy_end(&p);
}

static void without_the_spawner_every_call_is_denied(void **state)
{
    static const char *const answers[] = {"", "2", "0", "0x", "2\0Error\0\0no\0"};
    struct policy_stage p;

    (void)state;
    policy_begin(&p, PERMIT);
    stage_unlisten(&p.s, &p.spawner, "/run/qubesd.internal.sock");
    expect_answer(&p, CALL, DENY);
    expect_log(&p, "qrexec: a.Call+: work -> personal: error getting system info: it cannot be "
                   "reached\n");
    p.spawner = stage_listen(&p.s, "/run/qubesd.internal.sock");
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        _cleanup_(closep) int fd = caller_begin(&p, CALL);
        _cleanup_(freep) char *text = NULL;
        int spawner = spawner_accept(&p);

        send_bytes(spawner, answers[i], strlen(answers[i]));
        close(spawner);
        text = policy_read(&p, fd);
        assert_string_equal(text, DENY);
    }
    expect_log(&p, "error getting system info: its answer is not understood\n");
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_contract),
        cmocka_unit_test(an_assumed_yes_needs_a_choice),
        cmocka_unit_test(what_is_no_request_is_hung_up_on),
        cmocka_unit_test(the_end_of_the_stream_ends_a_request),
        cmocka_unit_test(the_call_after_an_edit_follows_it),
        cmocka_unit_test(files_come_and_go),
        cmocka_unit_test(an_included_file_counts),
        cmocka_unit_test(a_link_that_moves_is_followed),
        cmocka_unit_test(a_directory_that_is_replaced_is_followed),
        cmocka_unit_test(an_error_denies_everything_until_it_is_mended),
        cmocka_unit_test(half_requests_and_silent_clients_disturb_nobody),
        cmocka_unit_test(a_caller_that_leaves_early_disturbs_nobody),
        cmocka_unit_test(a_change_of_domains_is_waited_for),
        cmocka_unit_test(an_older_answer_does_not_serve_a_later_request),
        cmocka_unit_test(a_page_that_is_gone_is_not_believed),
        cmocka_unit_test(a_page_that_went_just_before_the_call_is_not_believed),
        cmocka_unit_test(without_the_spawner_every_call_is_denied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
