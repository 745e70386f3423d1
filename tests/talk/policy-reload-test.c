/*
 * The real qrexec-policy-daemon while its policy changes: each answer is of a policy that was there
 * as a whole, and the call after a change follows it, wherever on the way to a file that change
 * was.
 */
#include "tests/talk/policy-stage.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CALL REQUEST("work", "personal", "a.B")
#define ALLOWED                                                                                    \
    "result=allow\nuser=DEFAULT\ntarget=personal\nautostart=True\nrequested_target=personal\n"     \
    "target_uuid=uuid:u-personal\n"

static size_t logged(struct policy_stage *p, const char *part)
{
    _cleanup_(freep) char *path = stage_path(&p->s, "/log");
    _cleanup_(freep) char *log = NULL;
    size_t n, times = 0;

    assert_int_equal(file_read(path, 64 << 20, &log, &n), 0);
    for (const char *at = log; (at = strstr(at, part)); at += strlen(part))
        times++;
    return times;
}

static void a_directory_above_that_is_replaced_is_followed(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal deny\n");
    _cleanup_(freep) char *etc = stage_path(&p.s, "/etc/qubes");
    _cleanup_(freep) char *old = stage_path(&p.s, "/etc/old");
    _cleanup_(freep) char *next = stage_path(&p.s, "/etc/deep/next/policy.d");

    _cleanup_(freep) char *more = stage_path(&p.s, "/etc/third/next/policy.d");
    _cleanup_(freep) char *target = stage_path(&p.s, "/etc/deep");
    _cleanup_(freep) char *third = stage_path(&p.s, "/etc/third");
    _cleanup_(freep) char *gone = stage_path(&p.s, "/etc/gone");

    expect_answer(&p, CALL, DENY);
    assert_int_equal(mkdir_all(next, 0755), 0);
    assert_int_equal(mkdir_all(more, 0755), 0);
    policy_file(&p, "/etc/deep/next/policy.d/30-user.policy", "a.B * work personal allow\n");
    assert_int_equal(rename(etc, old), 0);
    assert_int_equal(symlink("deep/next", etc), 0);
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, "/etc/third/next/policy.d/30-user.policy", "a.B * work personal deny\n");
    assert_int_equal(rename(target, gone), 0); /* where a link above leads to */
    assert_int_equal(rename(third, target), 0);
    expect_answer(&p, CALL, DENY);
    assert_int_equal(rename(target, third), 0);
    assert_int_equal(rename(gone, target), 0);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(unlink(etc), 0); /* a link above that moves */
    assert_int_equal(symlink("old", etc), 0);
    expect_answer(&p, CALL, DENY);
    policy_end(&p);
}

/* Both are there when the daemon looks: the change comes first. */
static void a_call_right_after_a_change_follows_it(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal deny\n");
    expect_answer(&p, CALL, DENY);
    for (int i = 0; i < 8; i++) {
        _cleanup_(closep) int fd = -1;
        _cleanup_(freep) char *answer = NULL;

        assert_int_equal(kill(p.s.daemon, SIGSTOP), 0);
        policy_file(&p, USER_POLICY,
                    i % 2 ? "a.B * work personal deny\n" : "a.B * work personal allow\n");
        fd = caller_begin(&p, CALL);
        assert_int_equal(kill(p.s.daemon, SIGCONT), 0);
        answer = policy_read(&p, fd);
        assert_string_equal(answer, i % 2 ? DENY : ALLOWED);
    }
    policy_end(&p);
}

static void a_hangup_signal_loads_again(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(kill(p.s.daemon, SIGHUP), 0);
    expect_log(&p, "loading the policy again");
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

static void a_policy_that_violates_a_never_line_is_not_taken_over(void **state)
{
    static const char never[] = "/etc/qubes/policy.d/vault.never";
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    policy_file(&p, never, "a.B * @anyvm vault\n");
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, USER_POLICY, "a.B * work @anyvm allow\n");
    expect_answer(&p, REQUEST("work", "vault", "a.B"), DENY); /* by the old one */
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(logged(&p, "the old one stays in force"), 1);
    assert_int_equal(logged(&p, "vault.never:1: never, and yet "), 1);
    policy_file(&p, USER_POLICY, "a.B * work vault deny\na.B * work @anyvm deny\n");
    expect_answer(&p, CALL, DENY); /* mended */
    policy_file(&p, USER_POLICY, "a.B * work vault allow\n");
    expect_answer(&p, CALL, DENY);
    assert_int_equal(logged(&p, "the old one stays in force"), 2);
    policy_file(&p, never, "# nothing\n");
    expect_answer(
        &p, REQUEST("work", "vault", "a.B"),
        "result=allow\nuser=DEFAULT\ntarget=vault\nautostart=True\nrequested_target=vault\n");
    policy_end(&p);
}

/* Four writers flip whole policies by rename, each between two of its own, over one file. */
static pid_t start_flipping(struct policy_stage *p, int writer)
{
    static const char *const rules[] = {
        "!include include/x\n* * @anyvm @anyvm deny\n",
        "* * work @anyvm deny\na.B * work personal allow\n* * @anyvm @anyvm deny\n",
        "a.B * work personal allow target=vault\n",
        "a.B * work personal deny\n",
    };
    pid_t pid = fork();

    if (pid)
        return pid;
    for (int i = writer;; i++) {
        policy_file(p, writer % 2 ? USER_POLICY : "/etc/qubes/policy.d/20-other.policy",
                    rules[i % 4]);
        (void)poll(NULL, 0, writer + 1);
    }
}

static void each_answer_is_of_one_whole_policy(void **state)
{
    static const char other[] =
        "result=allow\nuser=DEFAULT\ntarget=vault\nautostart=True\nrequested_target=personal\n";
    struct policy_stage p;
    pid_t writers[4];
    size_t seen[3] = {0};
    uint64_t end;

    (void)state;
    policy_begin(&p, "a.B * work personal deny\n");
    _cleanup_(freep) char *dir = stage_path(&p.s, "/etc/qubes/policy.d/include");

    assert_int_equal(mkdir_all(dir, 0755), 0);
    policy_file(&p, "/etc/qubes/policy.d/include/x", "a.B * work personal allow\n");
    expect_answer(&p, CALL, DENY);
    for (int i = 0; i < 4; i++)
        writers[i] = start_flipping(&p, i);
    end = clock_ms() + 3000;
    while (clock_ms() < end) {
        _cleanup_(closep) int fd = caller_begin(&p, CALL);
        _cleanup_(freep) char *answer = policy_read(&p, fd);

        if (str_equal(answer, ALLOWED))
            seen[0]++;
        else if (str_equal(answer, DENY))
            seen[1]++;
        else if (str_equal(answer, other))
            seen[2]++;
        else
            fail_msg("an answer of no policy:\n%s", answer);
    }
    for (int i = 0; i < 4; i++) {
        kill(writers[i], SIGKILL);
        (void)waitpid(writers[i], NULL, 0);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(logged(&p, "error loading policy"), 0); /* never half */
    policy_end(&p);
}

/* ---- Two files, in an order ---- */

#define FIRST  "/etc/qubes/policy.d/20-first.policy"
#define SECOND USER_POLICY
#define OTHERS 200 /* between the two: reading takes a while */

/* As quick as can be: the content is there already, under another name. */
static void put(struct policy_stage *p, const char *from, const char *to)
{
    _cleanup_(freep) char *source = stage_path(&p->s, from), *target = stage_path(&p->s, to);
    _cleanup_(freep) char *link_path = format_new("%s.link", source);

    if (link(source, link_path) < 0 || rename(link_path, target) < 0)
        _exit(1);
}

/*
 * The first file gets a deny before the second one gets an allow, and loses it after that: at no
 * moment does the policy allow. Only who reads the first before and the second after sees one.
 */
static void flip_in_order(struct policy_stage *p)
{
    for (unsigned i = 0;; i++) {
        put(p, "/deny", FIRST);
        put(p, "/allow", SECOND);
        (void)poll(NULL, 0, (int)(i % 3));
        put(p, "/nothing", SECOND);
        put(p, "/nothing", FIRST);
        (void)poll(NULL, 0, (int)(i % 2));
    }
}

static void files_of_different_moments_make_no_policy(void **state)
{
    struct policy_stage p;
    uint64_t end;
    pid_t writer;

    (void)state;
    policy_begin(&p, "");
    for (int i = 0; i < OTHERS; i++) {
        _cleanup_(freep) char *name = format_new("/etc/qubes/policy.d/25-x%d.policy", i);

        policy_file(&p, name, "a.Other * work personal allow\n");
    }
    policy_file(&p, "/deny", "a.B * work personal deny\n");
    policy_file(&p, "/allow", "a.B * work personal allow\n");
    policy_file(&p, "/nothing", "# nothing\n");
    expect_answer(&p, CALL, DENY);
    writer = fork();
    if (writer == 0)
        flip_in_order(&p);
    end = clock_ms() + 3000;
    while (clock_ms() < end)
        expect_answer(&p, CALL, DENY);
    assert_int_equal(kill(writer, SIGKILL), 0);
    (void)waitpid(writer, NULL, 0);
    policy_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_above_that_is_replaced_is_followed),
        cmocka_unit_test(a_call_right_after_a_change_follows_it),
        cmocka_unit_test(a_hangup_signal_loads_again),
        cmocka_unit_test(a_policy_that_violates_a_never_line_is_not_taken_over),
        cmocka_unit_test(each_answer_is_of_one_whole_policy),
        cmocka_unit_test(files_of_different_moments_make_no_policy),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
