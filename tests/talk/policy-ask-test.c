/* qrexec-policy-daemon and qrexec-policy-exec where a rule asks: the prompt is played by the test.
 */
#include "tests/talk/policy-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PROMPT "/etc/qubes-rpc/policy.Ask"
#define RULES                                                                                      \
    "a.Ask * work personal ask default_target=personal\n"                                          \
    "a.Ask * work dom0 ask\n"                                                                      \
    "a.Ask * work @dispvm:dvm ask\n"                                                               \
    "a.Ask * remote personal ask\n"                                                                \
    "a.Ask * vault personal ask\n"                                                                 \
    "a.One * work @default ask target=@dispvm user=joe\n"                                          \
    "a.Else * @anyvm @anyvm allow\n"
#define CALL REQUEST("work", "personal", "a.Ask+arg")
#define ICONS                                                                                      \
    "\"icons\":{\"dom0\":\"adminvm\",\"work\":\"appvm-red\",\"personal\":\"appvm-red\","           \
    "\"remote\":\"appvm-red\",\"vault\":\"appvm-red\",\"dvm\":\"appvm-red\","                      \
    "\"@dispvm:dvm\":\"dispvm-red\"}}"
#define TARGETS "\"targets\":[\"@dispvm:dvm\",\"dom0\",\"personal\"],"
#define QUESTION                                                                                   \
    "{\"source\":\"work\",\"service\":\"a.Ask\",\"argument\":\"+arg\"," TARGETS                    \
    "\"default_target\":\"personal\"," ICONS
#define ALLOWED                                                                                    \
    "result=allow\nuser=DEFAULT\ntarget=personal\nautostart=True\nrequested_target=personal\n"     \
    "target_uuid=uuid:u-personal\n"

struct asked {
    struct policy_stage p;
    int prompt; /* listener */
};

static void begin(struct asked *a)
{
    policy_begin(&a->p, RULES);
    a->prompt = stage_listen(&a->p.s, PROMPT);
}

static void end(struct asked *a)
{
    close_fd(&a->prompt);
    policy_end(&a->p);
}

/* A caller that has sent the request, once the daemon knows the domains. */
static int call(struct asked *a, const char *request)
{
    int fd;

    expect_answer(&a->p, REQUEST("work", "nobody", "a.None"), DENY);
    fd = caller_begin(&a->p, request);
    return fd;
}

/* The daemon's next request to a prompt; the connection, for the answer. */
static int hears(int listener, const char *descriptor, const char *json)
{
    char data[4096];
    int fd = stage_accept(listener);
    size_t n = 0;

    while (n < sizeof(data) - 1 && read_full_until(fd, data + n, 1, clock_ms() + WAIT_MS) == 0)
        n++;
    data[n] = 0;
    assert_string_equal(data, descriptor);
    assert_string_equal(data + strlen(descriptor) + 1, json);
    return fd;
}

static int question(struct asked *a, const char *json)
{
    return hears(a->prompt, "policy.Ask dom0 name dom0", json);
}

static void says(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
    close(fd);
}

static void expect_text(struct asked *a, int fd, const char *answer)
{
    _cleanup_(freep) char *text = policy_read(&a->p, fd);

    assert_string_equal(text, answer);
    close(fd);
}

static void the_users_answer_counts_if_it_is_a_choice(void **state)
{
    static const char *const cases[][2] = {
        {"allow:personal", ALLOWED},
        {"allow:personal\n", ALLOWED},
        {"allow:dom0",
         "result=allow\nuser=DEFAULT\ntarget=dom0\nautostart=True\nrequested_target=personal\n"},
        {"allow:@dispvm:dvm", "result=allow\nuser=DEFAULT\ntarget=@dispvm:dvm\nautostart=True\n"
                              "requested_target=personal\ntarget_uuid=@dispvm:uuid:u-dvm\n"},
        {"deny", DENY},
        {"", DENY},
        {"allow", DENY},
        {"allow:", DENY},
        {"allow:vault", DENY},
        {"allow:uuid:u-personal", DENY},
        {"allow:@adminvm", DENY},
        {"allow:personal\n\n", DENY},
        {"allow: personal", DENY},
        {"Allow:personal", DENY},
        {"yes", DENY},
        {"deny\nallow:personal", DENY},
    };
    struct asked a;

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = call(&a, CALL);

        says(question(&a, QUESTION), cases[i][0]);
        expect_text(&a, fd, cases[i][1]);
    }
    expect_log(&a.p, "qrexec: a.Ask+arg: work -> personal: allowed to @dispvm:dvm\n");
    expect_log(&a.p, "qrexec: a.Ask+arg: work -> personal: denied: user\n");
    expect_log(&a.p, "qrexec: a.Ask+arg: work -> personal: denied: bad-answer\n");
    end(&a);
}

/* Of the policy of now, not of when the user was asked. */
static void a_yes_counts_as_long_as_the_policy_asks_or_allows(void **state)
{
    static const char *const cases[][2] = {
        {"a.Ask * work personal ask\na.Ask * work dom0 ask\n", ALLOWED},
        {"a.Ask * work personal deny\n", DENY},
        {"a.Ask * work dom0 ask\n", DENY},
        {"a.Ask * work personal allow\n", ALLOWED},
        {"a.Ask * work personal allow target=dom0\n", DENY},
        {"a.Ask * work personal ask\nand a mistake\n", DENY},
    };
    struct asked a;

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd, prompt;

        policy_file(&a.p, USER_POLICY, RULES);
        fd = call(&a, CALL);
        prompt = question(&a, QUESTION);
        policy_file(&a.p, USER_POLICY, cases[i][0]);
        says(prompt, "allow:personal");
        expect_text(&a, fd, cases[i][1]);
    }
    end(&a);
}

static void an_answer_over_the_limit_refuses(void **state)
{
    char longest[5000];
    struct asked a;
    int fd, prompt;

    (void)state;
    begin(&a);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    fd = call(&a, CALL);
    prompt = question(&a, QUESTION);
    send_bytes(prompt, longest, strlen(longest));
    expect_text(&a, fd, DENY);
    close(prompt);
    end(&a);
}

static void a_single_choice_is_asked_about_too(void **state)
{
    struct asked a;
    int fd;

    (void)state;
    begin(&a);
    fd = call(&a, REQUEST("work", "", "a.One"));
    says(question(&a, "{\"source\":\"work\",\"service\":\"a.One\",\"argument\":\"+\","
                      "\"targets\":[\"@dispvm\"],\"default_target\":\"\"," ICONS),
         "allow:@dispvm");
    expect_text(&a, fd,
                "result=allow\nuser=joe\ntarget=@dispvm:dvm\nautostart=True\n"
                "requested_target=@default\ntarget_uuid=@dispvm:uuid:u-dvm\n");
    end(&a);
}

static void others_go_on_while_the_user_thinks(void **state)
{
    struct asked a;
    int fds[3], prompts[3];

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = call(&a, CALL);
        prompts[i] = question(&a, QUESTION);
    }
    expect_answer(&a.p, REQUEST("vault", "personal", "a.Else"), ALLOWED);
    says(prompts[1], "deny");
    expect_text(&a, fds[1], DENY);
    says(prompts[2], "allow:personal");
    expect_text(&a, fds[2], ALLOWED);
    expect_silence(fds[0]);
    policy_file(&a.p, USER_POLICY, ""); /* a yes counts while the policy still asks */
    expect_answer(&a.p, REQUEST("vault", "personal", "a.Else"), DENY);
    says(prompts[0], "allow:personal");
    expect_text(&a, fds[0], DENY);
    end(&a);
}

static void a_caller_that_half_closed_waits(void **state)
{
    struct asked a;
    int fd, prompt;

    (void)state;
    begin(&a);
    fd = call(&a, CALL);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    prompt = question(&a, QUESTION);
    expect_silence(fd);
    says(prompt, "allow:personal");
    expect_text(&a, fd, ALLOWED);
    end(&a);
}

static void a_caller_that_is_gone_takes_its_question_along(void **state)
{
    static const bool half_closed_first[] = {false, true};
    struct asked a;

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(half_closed_first); i++) {
        struct pollfd p = {.events = POLLHUP};
        int fd = call(&a, CALL);

        if (half_closed_first[i])
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        p.fd = question(&a, QUESTION);
        assert_int_equal(poll(&p, 1, 50), 0); /* it stands */
        close(fd);
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        assert_true(p.revents & POLLHUP);
        close(p.fd);
        expect_log(&a.p, "qrexec: a.Ask+arg: work -> personal: denied: the caller is gone\n");
    }
    expect_answer(&a.p, REQUEST("vault", "personal", "a.Else"), ALLOWED);
    end(&a);
}

static void without_a_prompt_it_is_denied(void **state)
{
    struct asked a;

    (void)state;
    begin(&a);
    stage_unlisten(&a.p.s, &a.prompt, PROMPT);
    expect_answer(&a.p, CALL, DENY);
    expect_log(&a.p, "nobody can be asked in dom0 (No such file or directory)");
    expect_answer(&a.p, REQUEST("vault", "personal", "a.Ask"), DENY); /* no guivm */
    expect_log(&a.p, "qrexec: a.Ask+: vault -> personal: denied: no-guivm\n");
    end(&a);
}

/* ---- Notices ---- */

#define NOTIFY "/etc/qubes-rpc/policy.Notify"
#define NOTICE(resolution, service, target)                                                        \
    "{\"resolution\":\"" resolution "\",\"source\":\"work\",\"service\":\"" service                \
    "\",\"argument\":\"+x\",\"target\":\"" target "\"}"

static void a_user_is_told_where_the_rule_says_so(void **state)
{
    static const struct {
        const char *request, *notice; /* NULL: none */
    } cases[] = {
        {REQUEST("work", "personal", "a.Told+x"), NOTICE("allow", "a.Told", "personal")},
        {REQUEST("work", "@dispvm", "a.Told+x"), NOTICE("allow", "a.Told", "@dispvm:dvm")},
        {REQUEST("work", "personal", "a.Else+x"), NULL},
        {REQUEST("work", "personal", "a.No+x"), NOTICE("deny", "a.No", "personal")},
        {REQUEST("work", "", "a.No2+x"), NOTICE("deny", "a.No2", "@default")},
        {REQUEST("work", "nobody", "a.No3+x"), NOTICE("deny", "a.No3", "nobody")},
        {REQUEST("work", "personal", "a.No+x"), NULL}, /* once a minute */
        {REQUEST("work", "personal", "a.Quiet+x"), NULL},
        {REQUEST("work", "@bad", "a.No+x"), NULL},
        {REQUEST("vault", "personal", "a.No+x"), NULL}, /* nowhere */
        {"source=work\nintended_target=personal\nservice_and_arg=a.No\njust_evaluate=yes\n\n",
         NULL},
    };
    struct asked a;
    int notify;

    (void)state;
    begin(&a);
    policy_file(&a.p, USER_POLICY,
                "a.Told * @anyvm @anyvm allow notify=yes\na.Else * @anyvm @anyvm allow\n"
                "a.Told * work @dispvm allow notify=yes\na.Quiet * @anyvm @anyvm deny notify=no\n");
    notify = stage_listen(&a.p.s, NOTIFY);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = caller_begin(&a.p, cases[i].request);
        _cleanup_(freep) char *answer = policy_read(&a.p, fd);
        struct pollfd p = {.fd = notify, .events = POLLIN};

        assert_true(str_starts(answer, "result="));
        close(fd);
        if (cases[i].notice)
            close(hears(notify, "policy.Notify dom0 name dom0", cases[i].notice));
        else
            assert_int_equal(poll(&p, 1, 30), 0);
    }
    close(notify);
    end(&a);
}

static void a_prompt_that_takes_no_notice_holds_nobody_up(void **state)
{
    struct asked a;
    int notify, fds[8];

    (void)state;
    begin(&a);
    notify = stage_listen(&a.p.s, NOTIFY);
    for (int i = 0; i < 50; i++) {
        _cleanup_(freep) char *request =
            format_new("source=work\nintended_target=personal\nservice_and_arg=a.No%d+x\n\n", i);

        expect_answer(&a.p, request, DENY);
    }
    expect_answer(&a.p, REQUEST("personal", "work", "a.No+x"), DENY);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) { /* so many of one source, and no more */
        _cleanup_(freep) char *service = format_new("a.No%zu", i);
        _cleanup_(freep) char *notice =
            format_new("{\"resolution\":\"deny\",\"source\":\"work\",\"service\":\"%s\","
                       "\"argument\":\"+x\",\"target\":\"personal\"}",
                       service);

        fds[i] = hears(notify, "policy.Notify dom0 name dom0", notice);
    }
    close(stage_accept(notify)); /* the other's */
    expect_silence(notify);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    close(notify);
    end(&a);
}

/* ---- A guivm of its own ---- */

#define CLIENT "/usr/lib/qubes/qrexec-client"

static void another_guivm_is_asked_by_a_call(void **state)
{
    static const char *const cases[][2] = {
        {"printf allow:personal; exit 0", ALLOWED},
        {"printf deny; exit 0", DENY},
        {"exit 0", DENY},
        {"printf allow:personal; exit 125", DENY}, /* broken off: who knows what was to follow */
        {"printf allow:personal; kill -9 $$", DENY},
        {"printf allow:vault", DENY},
    };
    struct asked a;

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *script =
            format_new("#!/bin/sh\ncase $3 in *Notify*) exit;; esac\ncat "
                       ">\"$QREXEC_ROOT/json\"\necho \"$#:$1:$2:$3\" >\"$QREXEC_ROOT/args\"\n"
                       "%s\n",
                       cases[i][0]);
        _cleanup_(freep) char *path = stage_path(&a.p.s, "/args");
        _cleanup_(freep) char *args = NULL;
        size_t n;

        stage_script(&a.p.s, CLIENT, script);
        expect_answer(&a.p, REQUEST("remote", "personal", "a.Ask"), cases[i][1]);
        assert_int_equal(file_read(path, 1000, &args, &n), 0);
        assert_string_equal(args, "3:-d:screen:DEFAULT:QUBESRPC policy.Ask dom0\n");
    }
    {
        _cleanup_(freep) char *path = stage_path(&a.p.s, "/json");
        _cleanup_(freep) char *json = NULL;
        size_t n;

        assert_int_equal(file_read(path, 10000, &json, &n), 0);
        assert_string_equal(json, "{\"source\":\"remote\",\"service\":\"a.Ask\",\"argument\":\"+\","
                                  "\"targets\":[\"personal\"],\"default_target\":\"\"," ICONS);
    }
    end(&a);
}

static void a_guivm_that_cannot_be_called_refuses(void **state)
{
    struct asked a;

    (void)state;
    begin(&a);
    expect_answer(&a.p, REQUEST("remote", "personal", "a.Ask"), DENY);
    expect_log(&a.p, "nobody can be asked in screen (No such file or directory)");
    end(&a);
}

static void a_caller_that_is_gone_ends_the_call_to_its_guivm(void **state)
{
    struct asked a;
    _cleanup_(freep) char *fifo = NULL;
    int fd, pipe;

    (void)state;
    begin(&a);
    fifo = stage_path(&a.p.s, "/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    stage_script(&a.p.s, CLIENT,
                 "#!/bin/sh\nexec >\"$QREXEC_ROOT/fifo\"\necho up\nexec sleep 60\n");
    fd = call(&a, REQUEST("remote", "personal", "a.Ask"));
    pipe = open(fifo, O_RDONLY | O_CLOEXEC);
    free(read_until(pipe, "up\n"));
    close(fd);
    expect_closed(pipe); /* who held its other end is gone */
    close(pipe);
    end(&a);
}

/* ---- qrexec-policy-exec ---- */

static void the_one_shot_program_decides_alike(void **state)
{
    static const struct {
        const char *argv[6];
        int code;
        const char *out;
    } cases[] = {
        {{"work", "personal", "a.Else+x"}, 0, ALLOWED},
        {{"work", "personal", "a.None"}, 1, DENY},
        {{"vault", "personal", "a.Ask"}, 1, DENY},
        {{"--just-evaluate", "work", "personal", "a.Else"}, 0, ""},
        {{"--just-evaluate", "work", "personal", "a.None"}, 1, ""},
        {{"--just-evaluate", "work", "personal", "a.Ask"}, 1, ""},
        {{"--just-evaluate", "--assume-yes-for-ask", "work", "personal", "a.Ask"}, 0, ""},
        {{"--just-evaluate", "--assume-yes-for-ask", "work", "@adminvm", "a.Ask"}, 0, ""},
        {{"--just-evaluate", "--assume-yes-for-ask", "work", "vault", "a.Ask"}, 1, ""},
        {{"--assume-yes-for-ask", "work", "personal", "a.Ask"}, 0, ALLOWED},
        {{"--assume-yes-for-ask", "work", "vault", "a.Ask"}, 1, DENY},
        {{"--", "work", "personal", "a.Else"}, 0, ALLOWED},
        {{"work", "personal"}, 2, ""},
        {{"--nothing", "work", "personal", "a.Else"}, 2, ""},
    };
    struct asked a;

    (void)state;
    begin(&a);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *argv[8] = {"qrexec-policy-exec"};
        _cleanup_(freep) char *out = NULL;
        int code;

        memcpy(argv + 1, cases[i].argv, sizeof(cases[i].argv));
        code = policy_run(&a.p, argv, &out);
        if (code != cases[i].code || !str_equal(out, cases[i].out))
            fail_msg("case %zu: %d, %s", i, code, out);
    }
    end(&a);
}

static void the_one_shot_program_asks_and_fails_closed(void **state)
{
    static const char *const argv[] = {"qrexec-policy-exec", "remote", "personal", "a.Ask", NULL};
    static const char *const here[] = {"qrexec-policy-exec", "work", "personal", "a.Ask", NULL};
    struct asked a;
    _cleanup_(freep) char *yes = NULL, *no = NULL, *none = NULL, *broken = NULL, *blind = NULL;

    (void)state;
    begin(&a);
    stage_unlisten(&a.p.s, &a.prompt, PROMPT);
    stage_script(&a.p.s, CLIENT, "#!/bin/sh\ncat >/dev/null\nprintf allow:personal\n");
    assert_int_equal(policy_run(&a.p, argv, &yes), 0);
    assert_string_equal(yes, ALLOWED);
    stage_script(&a.p.s, CLIENT, "#!/bin/sh\ncat >/dev/null\nprintf deny\n");
    assert_int_equal(policy_run(&a.p, argv, &no), 1);
    assert_string_equal(no, DENY);
    assert_int_equal(policy_run(&a.p, here, &none), 1);
    assert_string_equal(none, DENY);
    policy_file(&a.p, USER_POLICY, "nonsense\n");
    assert_int_equal(policy_run(&a.p, here, &broken), 1);
    assert_string_equal(broken, DENY);
    policy_file(&a.p, USER_POLICY, "a.Ask * work personal allow\n");
    stage_unlisten(&a.p.s, &a.p.spawner, "/run/qubesd.internal.sock");
    assert_int_equal(policy_run(&a.p, here, &blind), 1);
    assert_string_equal(blind, DENY);
    end(&a);
}

static void has_line(const char *log, const char *words)
{
    if (!strstr(log, words))
        fail_msg("\"%s\" is not in\n%s", words, log);
}

/* Where no daemon runs, its records tell who answered, and when nobody was asked. */
static void the_one_shot_program_records_who_answered(void **state)
{
    static const char *const ask[] = {"qrexec-policy-exec", "remote", "personal", "a.Ask", NULL};
    static const char *const only[] = {"qrexec-policy-exec", "--just-evaluate", "work",
                                       "personal",           "a.Ask",           NULL};
    static const char *const assume[] = {
        "qrexec-policy-exec", "--assume-yes-for-ask", "work", "@default", "a.One", NULL};
    static const char *const show[] = {"qrexec-policy", "log", NULL};
    _cleanup_(freep) char *yes = NULL, *no = NULL, *none = NULL, *assumed = NULL, *log = NULL;
    struct asked a;

    (void)state;
    begin(&a);
    assert_int_equal(kill(a.p.s.daemon, SIGTERM), 0);
    assert_int_equal(spawn_wait(a.p.s.daemon), 0);
    stage_script(&a.p.s, CLIENT, "#!/bin/sh\ncat >/dev/null\nprintf allow:personal\n");
    assert_int_equal(policy_run(&a.p, ask, &yes), 0);
    stage_script(&a.p.s, CLIENT, "#!/bin/sh\ncat >/dev/null\nprintf deny\n");
    assert_int_equal(policy_run(&a.p, ask, &no), 1);
    assert_int_equal(policy_run(&a.p, only, &none), 1);
    assert_int_equal(policy_run(&a.p, assume, &assumed), 1);
    assert_int_equal(policy_run(&a.p, show, &log), 0);
    has_line(log, "remote -> personal: allow to personal, answered by screen, ");
    has_line(log, "remote -> personal: deny (user), answered by screen, ");
    has_line(log, "work -> personal: deny (not-asked), ");
    has_line(log, ", evaluated for dom0, ");
    has_line(log, "work -> @default: deny (not-asked), ");
    policy_start(&a.p);
    end(&a);
}

static void the_one_shot_program_knows_kept_answers(void **state)
{
    static const char *const work[] = {"qrexec-policy-exec", "work", "personal", "a.Ask+arg", NULL};
    static const char *const remote[] = {"qrexec-policy-exec", "remote", "personal", "a.Ask", NULL};
    static const char *const end_all[] = {"qrexec-policy", "kept", "--all", NULL};
    _cleanup_(freep) char *kept = NULL, *ended = NULL, *asked = NULL, *once = NULL, *again = NULL;
    struct asked a;
    int fd;

    (void)state;
    begin(&a);
    fd = call(&a, CALL);
    says(question(&a, QUESTION), "allow:personal\nkeep=session\n");
    expect_text(&a, fd, ALLOWED);
    stage_unlisten(&a.p.s, &a.prompt, PROMPT); /* nobody can be asked */
    assert_int_equal(policy_run(&a.p, work, &kept), 0);
    assert_string_equal(kept, ALLOWED);
    assert_int_equal(policy_run(&a.p, end_all, &ended), 0);
    assert_int_equal(policy_run(&a.p, work, &asked), 1);
    assert_string_equal(asked, DENY);
    /* "remote" has no uuid: its answer counts, and once */
    stage_script(&a.p.s, CLIENT,
                 "#!/bin/sh\ncat >/dev/null\nprintf 'allow:personal\\nkeep=9\\n'\n");
    assert_int_equal(policy_run(&a.p, remote, &once), 0);
    assert_string_equal(once, ALLOWED);
    stage_script(&a.p.s, CLIENT, "#!/bin/sh\ncat >/dev/null\nprintf deny\n");
    assert_int_equal(policy_run(&a.p, remote, &again), 1);
    end(&a);
}

static void the_one_shot_program_looks_again_after_the_answer(void **state)
{
    static const char *const argv[] = {"qrexec-policy-exec", "remote", "personal", "a.Ask", NULL};
    struct asked a;

    (void)state;
    begin(&a);
    _cleanup_(freep) char *policy = stage_path(&a.p.s, USER_POLICY);
    _cleanup_(freep) char *script = format_new(
        "#!/bin/sh\ncat >/dev/null\necho '# nothing' > %s\nprintf allow:personal\n", policy);
    _cleanup_(freep) char *out = NULL;

    stage_script(&a.p.s, CLIENT, script);
    assert_int_equal(policy_run(&a.p, argv, &out), 1);
    assert_string_equal(out, DENY);
    end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_users_answer_counts_if_it_is_a_choice),
        cmocka_unit_test(a_yes_counts_as_long_as_the_policy_asks_or_allows),
        cmocka_unit_test(an_answer_over_the_limit_refuses),
        cmocka_unit_test(a_single_choice_is_asked_about_too),
        cmocka_unit_test(others_go_on_while_the_user_thinks),
        cmocka_unit_test(a_caller_that_half_closed_waits),
        cmocka_unit_test(a_caller_that_is_gone_takes_its_question_along),
        cmocka_unit_test(without_a_prompt_it_is_denied),
        cmocka_unit_test(a_user_is_told_where_the_rule_says_so),
        cmocka_unit_test(a_prompt_that_takes_no_notice_holds_nobody_up),
        cmocka_unit_test(another_guivm_is_asked_by_a_call),
        cmocka_unit_test(a_guivm_that_cannot_be_called_refuses),
        cmocka_unit_test(a_caller_that_is_gone_ends_the_call_to_its_guivm),
        cmocka_unit_test(the_one_shot_program_decides_alike),
        cmocka_unit_test(the_one_shot_program_asks_and_fails_closed),
        cmocka_unit_test(the_one_shot_program_records_who_answered),
        cmocka_unit_test(the_one_shot_program_knows_kept_answers),
        cmocka_unit_test(the_one_shot_program_looks_again_after_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
