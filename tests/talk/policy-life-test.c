/*
 * The real qrexec-policy-daemon over time: a policy that breaks; floods; what it records; answers
 * that are kept; a shadow policy; questions of other domains. Changes of policy:
 * policy-reload-test.c.
 */
#include "tests/talk/policy-stage.h"

#include "libqrexec/base/call-id.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CALL REQUEST("work", "personal", "a.B")
#define ALLOWED                                                                                    \
    "result=allow\nuser=DEFAULT\ntarget=personal\nautostart=True\nrequested_target=personal\n"     \
    "target_uuid=uuid:u-personal\n"
#define LOG       "/var/log/qubes/policy-decisions.jsonl"
#define KEPT_FILE "/run/qubes/policy.d/00-kept.policy"
#define NOTIFY    "/etc/qubes-rpc/policy.Notify"
#define ASK       "/etc/qubes-rpc/policy.Ask"
#define EVAL      "/etc/qubes-rpc/policy.EvalSimple"
#define GUI       "/etc/qubes-rpc/policy.EvalGUI"

static char *content(struct policy_stage *p, const char *path)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);
    char *text = NULL;
    size_t n;

    if (file_read(full, 64 << 20, &text, &n))
        return strdup("");
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static size_t logged(struct policy_stage *p, const char *part)
{
    _cleanup_(freep) char *log = content(p, "/log");

    return count(log, part);
}

/* The prompt's next caller, which has said all; the spawner is answered meanwhile. */
static int hear_begin(struct policy_stage *p, int listener, char **ret_text)
{
    struct pollfd fds[] = {{.fd = listener, .events = POLLIN},
                           {.fd = p->spawner, .events = POLLIN}};
    char text[8192];
    size_t n = 0, at;
    int fd;

    while (!fds[0].revents) {
        assert_true(poll(fds, 2, WAIT_MS) > 0);
        if (fds[1].revents)
            spawner_answers(p, spawner_accept(p));
    }
    fd = stage_accept(listener);
    while (n < sizeof(text) - 1 && read_full_until(fd, text + n, 1, clock_ms() + WAIT_MS) == 0)
        n++;
    text[n] = 0;
    at = strlen(text) + 1;
    *ret_text = strdup(at < n ? text + at : "");
    return fd;
}

/* answer NULL: none. What it was told; the caller frees. */
static char *hear(struct policy_stage *p, int listener, const char *answer)
{
    char *text = NULL;
    int fd = hear_begin(p, listener, &text);

    if (answer)
        send_bytes(fd, answer, strlen(answer));
    close(fd);
    return text;
}

static void stays_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 100), 0);
}

/* ---- A broken policy ---- */

static void a_broken_policy_is_told_once_and_on_the_desktop(void **state)
{
    struct policy_stage p;
    int notify;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    notify = stage_listen(&p.s, NOTIFY);
    policy_file(&p, USER_POLICY, "a.B * work personal allow\n\na.B * work personal permit\n");
    /* nobody calls, and it is told all the same */
    _cleanup_(freep) char *notice = hear(&p, notify, NULL);

    assert_non_null(strstr(notice, "\"resolution\":\"fail\",\"source\":\"dom0\""));
    assert_non_null(strstr(notice, "30-user.policy:3: unknown action"));
    for (int i = 0; i < 5; i++)
        expect_answer(&p, CALL, DENY);
    policy_file(&p, "/etc/qubes/policy.d/40-x.policy", "# nothing\n");
    expect_answer(&p, CALL, DENY);
    stays_silent(notify);
    assert_int_equal(logged(&p, "does not load, so every call is denied until this is mended"), 1);
    policy_file(&p, USER_POLICY, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    policy_file(&p, USER_POLICY, "a.B * work personal permit\n"); /* mended in between: told */
    expect_answer(&p, CALL, DENY);
    free(hear(&p, notify, NULL));
    close(notify);
    policy_end(&p);
}

/* ---- Floods ---- */

/* What others make in the folders above, as in /run, neither loads a policy nor holds a load off.
 */
static void files_beside_the_policy_that_never_rest_hold_nothing_up(void **state)
{
    struct policy_stage p;
    int notify;
    pid_t noise;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    notify = stage_listen(&p.s, NOTIFY);
    noise = fork();
    assert_true(noise >= 0);
    for (int i = 0; noise == 0; i++) {
        if (getppid() == 1 || i == 1000)
            _exit(0);
        policy_file(&p, i % 2 ? "/etc/qubes/some" : "/etc/qubes/other", "noise");
        (void)poll(NULL, 0, 20);
    }
    policy_file(&p, USER_POLICY, "a.B * work personal permit\n");
    _cleanup_(freep) char *notice = hear(&p, notify, NULL);

    kill(noise, SIGKILL);
    assert_int_equal(waitpid(noise, NULL, 0), noise);
    assert_non_null(strstr(notice, "30-user.policy:1: unknown action"));
    close(notify);
    policy_end(&p);
}

static void a_flood_of_refused_calls_is_counted_and_hides_no_other(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    for (int i = 0; i < 2000; i++)
        expect_answer(&p, REQUEST("work", "personal", "a.Not"), DENY);
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, REQUEST("vault", "personal", "a.Not"), DENY);
    expect_log(&p, "more calls of work were refused within ");
    expect_log(&p, "the last one: a.Not+: work -> personal: denied: no-match");
    assert_true(logged(&p, "a.Not+: work -> personal: denied") < 100);
    assert_int_equal(logged(&p, "a.Not+: vault -> personal: denied: no-match"), 1);
    assert_int_equal(logged(&p, "a.B+: work -> personal: allowed"), 1);
    policy_end(&p);
}

/* ---- Records ---- */

static char *tool(struct policy_stage *p, int code, const char *const *argv)
{
    char *out = NULL;
    int r = policy_run(p, argv, &out);

    if (r != code)
        fail_msg("exit code %d in place of %d:\n%s", r, code, out);
    return out;
}

#define TOOL(p, code, ...) tool(p, code, (const char *const[]){"qrexec-policy", __VA_ARGS__, NULL})

static void each_decision_has_its_record(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\na.C * work personal deny\n");
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, REQUEST("work", "personal", "a.C+x"), DENY);
    expect_answer(&p, REQUEST("vault", "", "a.D"), DENY);
    expect_log(&p, "a.D+: vault -> @default: denied");
    _cleanup_(freep) char *allowed = TOOL(&p, 0, "log", "--verdict=allow");
    _cleanup_(freep) char *refused =
        TOOL(&p, 0, "log", "--source=work", "--service=a.C+x", "--json", "--since=1h");
    _cleanup_(freep) char *none = TOOL(&p, 0, "log", "--target=dom0");
    _cleanup_(freep) char *whole = TOOL(&p, 0, "log", "--verify");

    assert_int_equal(count(allowed, "\n"), 1);
    assert_non_null(strstr(allowed, " a.B+ work -> personal: allow to personal, "));
    assert_non_null(strstr(allowed, "30-user.policy:1, "));
    assert_int_equal(count(refused, "\n"), 1);
    assert_non_null(strstr(refused,
                           "\"generation\":7,\"source\":\"work\",\"requested_source\":null,"
                           "\"target\":\"personal\",\"service\":\"a.C\",\"argument\":\"+x\","
                           "\"verdict\":\"deny\",\"reason\":\"policy\",\"final\":null,"));
    assert_non_null(strstr(refused, "30-user.policy:2\",\"asked\":null,\"micros\":{\"read\":"));
    assert_string_equal(none, "");
    assert_true(str_starts(whole, "3 records from "));
    policy_end(&p);
}

/* The daemon that asks tells its call's id; a name that is none is not taken. */
static void a_record_has_the_id_that_the_call_has_elsewhere(void **state)
{
    struct policy_stage p;
    _cleanup_(freep) char *path = NULL;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    path = stage_path(&p.s, "/run/qubes/policy.sock");
    for (int i = 0; i < 2; i++) {
        _cleanup_(closep) int fd = -1;
        _cleanup_(freep) char *answer = NULL;

        assert_int_equal(call_id_connect(path, i ? "bad id" : "work-7k.12", CALL_ID_POLICY, &fd),
                         0);
        send_bytes(fd, CALL, strlen(CALL));
        answer = policy_read(&p, fd);
        assert_string_equal(answer, ALLOWED);
    }
    expect_answer(&p, CALL, ALLOWED); /* the memory of a request is used again */
    policy_stop(&p);
    _cleanup_(freep) char *all = TOOL(&p, 0, "log");
    _cleanup_(freep) char *one = TOOL(&p, 0, "log", "--call=work-7k.12");
    _cleanup_(freep) char *domains = stage_path(&p.s, "/domains");
    _cleanup_(freep) char *why = NULL;

    assert_int_equal(count(all, "\n"), 3);
    assert_int_equal(count(all, "work-7k.12"), 1);
    assert_int_equal(count(all, "bad id"), 0);
    assert_int_equal(count(one, "\n"), 1);
    policy_file(&p, "/domains", "[work]\ntype = AppVM\n[personal]\ntype = AppVM\n");
    why = TOOL(&p, 0, "explain", "--domains", domains, "work-7k.12");
    assert_non_null(strstr(why, "Call work-7k.12, "));
    policy_start(&p);
    policy_end(&p);
}

static void the_chain_goes_on_over_files_and_restarts_and_shows_changes(void **state)
{
    const char *const options[] = {"--decision-log-size=4096", "--decision-log-keep=3", NULL};
    struct policy_stage p;

    (void)state;
    policy_begin_with(&p, "a.B * work personal allow\n", options);
    for (int i = 0; i < 20; i++)
        expect_answer(&p, CALL, ALLOWED);
    policy_restart(&p);
    for (int i = 0; i < 5; i++)
        expect_answer(&p, CALL, ALLOWED);
    policy_restart(&p);
    _cleanup_(freep) char *whole = TOOL(&p, 0, "log", "--verify");
    _cleanup_(freep) char *path = stage_path(&p.s, LOG ".1");
    _cleanup_(freep) char *too_old = stage_path(&p.s, LOG ".4");
    _cleanup_(freep) char *text = content(&p, LOG ".1");
    char *at = strstr(text, "\"verdict\":\"allow\"");

    assert_true(str_starts(whole, "25 records from "));
    assert_int_equal(access(too_old, F_OK), -1);
    assert_non_null(at);
    memcpy(at, "\"verdict\":\"deny\" ", 17); /* still JSON */
    assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
    _cleanup_(freep) char *changed = TOOL(&p, 1, "log", "--verify");

    assert_non_null(strstr(changed, ".jsonl.1:1: the record was changed"));
    at = strchr(text, '\n') + 1; /* and one that is gone */
    assert_int_equal(file_replace(path, at, strlen(at), 0600), 0);
    _cleanup_(freep) char *dropped = TOOL(&p, 1, "log", "--verify");

    assert_non_null(strstr(dropped, "the chain is broken"));
    policy_end(&p);
}

static void a_record_that_a_crash_cut_is_shown_and_the_chain_goes_on(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    expect_log(&p, "allowed");
    policy_stop(&p);
    _cleanup_(freep) char *path = stage_path(&p.s, LOG);
    int fd = open(path, O_WRONLY | O_APPEND);

    assert_int_equal(write(fd, "{\"call_id\":\"", 12), 12);
    close(fd);
    policy_start(&p);
    expect_answer(&p, CALL, ALLOWED);
    policy_restart(&p);
    _cleanup_(freep) char *out = TOOL(&p, 1, "log", "--verify");

    assert_non_null(strstr(out, ":2: not a whole record"));
    assert_non_null(strstr(out, "0 breaks of the chain, 1 lines"));
    policy_end(&p);
}

static void a_full_disk_breaks_no_decision(void **state)
{
    const char *const options[] = {"--decision-log=/dev/full", NULL};
    struct policy_stage p;

    (void)state;
    policy_begin_with(&p, "a.B * work personal allow\n", options);
    expect_answer(&p, CALL, ALLOWED);
    expect_log(&p, "decisions are not recorded");
    policy_end(&p);
}

static void a_replay_shows_what_would_flip(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\na.C * work personal deny\n");
    _cleanup_(freep) char *dir = stage_path(&p.s, "/new");
    _cleanup_(freep) char *log = stage_path(&p.s, LOG);

    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, REQUEST("work", "personal", "a.C+x"), DENY);
    expect_log(&p, "a.C+x: work -> personal: denied");
    assert_int_equal(mkdir_all(dir, 0755), 0);
    policy_file(&p, "/new/10.policy", "a.B * work personal ask\na.C * work personal deny\n");
    _cleanup_(freep) char *flips = TOOL(&p, 1, "replay", log, "--policy", dir);

    assert_non_null(strstr(flips, "a.B+ work -> personal: allow to personal ("));
    assert_non_null(strstr(flips, "becomes ask about personal ("));
    assert_non_null(strstr(flips, "2 calls, 1 would be decided otherwise"));
    policy_file(&p, "/new/10.policy", "a.B * work personal allow\n");
    _cleanup_(freep) char *same = TOOL(&p, 0, "replay", log, "--policy", dir);

    assert_non_null(strstr(same, "2 calls, 0 would be decided otherwise"));
    policy_end(&p);
}

static void a_daemon_that_is_killed_leaves_its_records_to_the_next(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    expect_log(&p, "a.B+: work -> personal: allowed to personal");
    expect_answer(&p, REQUEST("work", "personal", "a.Last"), DENY);
    assert_int_equal(kill(p.s.daemon, SIGKILL), 0);
    (void)spawn_wait(p.s.daemon);
    policy_start(&p);
    expect_log(&p, "a.Last+: work -> personal: denied: no-match");
    policy_restart(&p);
    _cleanup_(freep) char *whole = TOOL(&p, 0, "log", "--verify");

    assert_true(str_starts(whole, "2 records from ") || str_starts(whole, "3 records from "));
    policy_end(&p);
}

/* Who decides once, while no daemon does, goes on with its chain, however many at a time. */
static void the_one_shot_program_records_too(void **state)
{
    static const char *const allowed[] = {"qrexec-policy-exec", "work", "personal", "a.B+x", NULL};
    static const char *const refused[] = {"qrexec-policy-exec", "work", "vault", "a.B", NULL};
    struct policy_stage p;
    pid_t crowd[4];
    char *out = NULL;

    (void)state;
    policy_begin(&p, "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(policy_run(&p, allowed, &out), 0); /* that one must do without */
    free(take(out));
    assert_int_equal(kill(p.s.daemon, SIGTERM), 0);
    assert_int_equal(spawn_wait(p.s.daemon), 0);
    for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
        crowd[i] = policy_spawn(&p, i % 2 ? allowed : refused, -1);
    for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
        spawner_answers(&p, spawner_accept(&p));
    for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
        assert_int_equal(spawn_wait(crowd[i]), i % 2 ? 0 : 1);
    policy_start(&p);
    expect_answer(&p, CALL, ALLOWED);
    policy_restart(&p);
    _cleanup_(freep) char *whole = TOOL(&p, 0, "log", "--verify");
    _cleanup_(freep) char *yes = TOOL(&p, 0, "log", "--service=a.B+x");
    _cleanup_(freep) char *no = TOOL(&p, 0, "log", "--target=vault");

    assert_true(str_starts(whole, "6 records from "));
    assert_int_equal(count(yes, " a.B+x work -> personal: allow to personal, "), 2);
    assert_int_equal(count(yes, "30-user.policy:1, "), 2);
    assert_int_equal(count(no, " a.B+ work -> vault: deny"), 2);
    policy_end(&p);
}

static void the_journal_may_have_the_records(void **state)
{
    const char *const options[] = {"--decision-log=journal", NULL};
    struct policy_stage p;
    char data[4096];
    int journal = -1;
    ssize_t n;

    (void)state;
    policy_prepare(&p, "a.B * work personal allow\n");
    _cleanup_(freep) char *dir = stage_path(&p.s, "/run/systemd/journal");
    _cleanup_(freep) char *path = stage_path(&p.s, "/run/systemd/journal/socket");

    assert_int_equal(mkdir_all(dir, 0755), 0);
    assert_int_equal(notify_server(path, &journal), 0);
    p.options = options;
    policy_start(&p);
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(poll(&(struct pollfd){.fd = journal, .events = POLLIN}, 1, WAIT_MS), 1);
    n = read(journal, data, sizeof(data) - 1);
    assert_true(n > 0);
    data[n] = 0;
    assert_non_null(strstr(data, "\nQREXEC_DECISION={\"call_id\":\""));
    assert_non_null(strstr(data, "\"verdict\":\"allow\""));
    assert_int_equal(data[n - 1], '\n');
    close(journal);
    policy_end(&p);
}

/* ---- The supervisor ---- */

static void sockets_are_taken_over_and_readiness_is_told(void **state)
{
    struct policy_stage p;
    char text[64] = "";
    int ready = -1;
    ssize_t n;

    (void)state;
    policy_prepare(&p, "a.B * work personal allow\n");
    _cleanup_(freep) char *notify = stage_path(&p.s, "/notify");
    _cleanup_(closep) int listener = stage_listen(&p.s, "/run/qubes/policy.sock");

    assert_int_equal(notify_server(notify, &ready), 0);
    setenv("NOTIFY_SOCKET", notify, 1);
    p.handed = listener;
    p.handed_name = "policy";
    policy_start(&p);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(poll(&(struct pollfd){.fd = ready, .events = POLLIN}, 1, WAIT_MS), 1);
    n = read(ready, text, sizeof(text) - 1);
    assert_true(n > 0 && str_starts(text, "READY=1"));
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(kill(p.s.daemon, SIGTERM), 0);
    assert_int_equal(spawn_wait(p.s.daemon), 0);
    expect_there(&p.s, "/run/qubes/policy.sock"); /* it is the supervisor's */
    expect_gone(&p.s, EVAL);
    close(ready);
    close(p.spawner);
    test_rmdir(p.s.root);
}

/* ---- Kept answers ---- */

static void ask_and_answer(struct policy_stage *p, int listener, const char *request,
                           const char *answer, const char *result)
{
    _cleanup_(closep) int fd = caller_begin(p, request);

    free(hear(p, listener, answer));
    _cleanup_(freep) char *text = policy_read(p, fd);

    assert_string_equal(text, result);
}

/* explain must give the verdict that the daemon gives. */
static void expect_explained(struct policy_stage *p, int code, const char *begins, const char *has)
{
    _cleanup_(freep) char *text = TOOL(p, code, "explain", "work", "personal", "a.B");

    assert_true(str_starts(text, begins));
    assert_non_null(strstr(text, has));
}

#define KEPT_POLICY "a.B * work personal ask\na.B * work vault ask\n"

static void an_answer_is_kept_until_it_is_revoked(void **state)
{
    struct policy_stage p;
    int ask;

    (void)state;
    policy_begin(&p, KEPT_POLICY);
    ask = stage_listen(&p.s, ASK);
    ask_and_answer(&p, ask, CALL, "allow:personal\nkeep=session\n", ALLOWED);
    for (int i = 0; i < 3; i++)
        expect_answer(&p, CALL, ALLOWED);
    stays_silent(ask);
    /* only this service, argument, source and target */
    ask_and_answer(&p, ask, REQUEST("work", "personal", "a.B+x"), "deny", DENY);
    _cleanup_(freep) char *rule = content(&p, KEPT_FILE);
    _cleanup_(freep) char *list = TOOL(&p, 0, "kept");

    assert_non_null(
        strstr(rule, "\na.B + uuid:u-work uuid:u-personal allow target=uuid:u-personal\n"));
    assert_string_equal(list, "1\ta.B+\twork -> personal: personal\tuntil this machine restarts\n");
    free(TOOL(&p, 1, "kept", "--revoke=2"));
    free(TOOL(&p, 0, "kept", "--revoke=1"));
    ask_and_answer(&p, ask, CALL, "deny", DENY);
    ask_and_answer(&p, ask, CALL, "allow:personal\nkeep=100\n", ALLOWED);
    free(TOOL(&p, 0, "kept", "--all"));
    ask_and_answer(&p, ask, CALL, "deny", DENY);
    policy_restart(&p); /* all is written */
    _cleanup_(freep) char *kept = TOOL(&p, 0, "log", "--json");

    assert_int_equal(count(kept, "\"asked\":\"kept\""), 3);
    assert_int_equal(count(kept, "\"asked\":\"dom0\""), 5);
    close(ask);
    policy_end(&p);
}

static void a_kept_answer_ends_with_its_time_the_policy_and_the_domain(void **state)
{
    struct policy_stage p;
    uint64_t end;
    int ask;

    (void)state;
    policy_begin(&p, KEPT_POLICY);
    ask = stage_listen(&p.s, ASK);
    ask_and_answer(&p, ask, CALL, "allow:personal\nkeep=1\n", ALLOWED);
    end = clock_ms() + WAIT_MS;
    while (clock_ms() < end) { /* the file goes by itself */
        _cleanup_(freep) char *text = content(&p, KEPT_FILE);

        if (!*text)
            break;
        (void)poll(NULL, 0, 20);
    }
    _cleanup_(freep) char *gone = content(&p, KEPT_FILE);

    assert_string_equal(gone, "");
    ask_and_answer(&p, ask, CALL, "allow:personal\nkeep=1000\n", ALLOWED);
    expect_answer(&p, CALL, ALLOWED);
    expect_explained(&p, 0, "allowed: a.B+ from work to personal\n", "kept --revoke 1\n");
    policy_file(&p, USER_POLICY, "a.B * work personal deny\n" KEPT_POLICY);
    expect_answer(&p, CALL, DENY); /* what policy denies by now is not kept */
    expect_explained(&p, 1, "denied: a.B+ ", "30-user.policy:1: ");
    policy_file(&p, USER_POLICY, KEPT_POLICY);
    expect_answer(&p, CALL, ALLOWED);
    policy_restart(&p); /* it is no memory of the daemon's */
    expect_answer(&p, CALL, ALLOWED);
    p.personal_uuid = "u-other"; /* another domain of that name */
    policy_raise(&p);
    ask_and_answer(&p, ask, CALL, "deny", DENY);
    expect_explained(&p, 1, "ask: a.B+ ", "30-user.policy:1: ");
    close(ask);
    policy_end(&p);
}

static void a_yes_does_not_go_to_another_domain_of_that_name(void **state)
{
    struct policy_stage p;
    char *question = NULL;
    int ask, fd, prompt;

    (void)state;
    policy_begin(&p, KEPT_POLICY);
    ask = stage_listen(&p.s, ASK);
    fd = caller_begin(&p, CALL);
    prompt = hear_begin(&p, ask, &question);
    free(question);
    p.personal_uuid = "u-other";
    policy_raise(&p);
    send_bytes(prompt, "allow:personal", 14);
    close(prompt);
    _cleanup_(freep) char *text = policy_read(&p, fd);

    assert_string_equal(text, DENY);
    expect_log(&p, "a domain is not the one that the user was asked about");
    close(fd);
    close(ask);
    policy_end(&p);
}

/* ---- The shadow ---- */

static void a_shadow_is_told_and_not_enforced(void **state)
{
    struct policy_stage p;
    char dir[PATH_SIZE];
    const char *options[] = {dir, NULL};

    (void)state;
    policy_prepare(&p, "a.B * work personal allow\n");
    assert_int_equal(format(dir, sizeof(dir), "--shadow-path=%s/shadow", p.s.root), 0);
    assert_int_equal(mkdir_all(dir + strlen("--shadow-path="), 0755), 0);
    policy_file(&p, "/shadow/10.policy", "a.B * work personal deny\n");
    p.options = options;
    policy_start(&p);
    expect_answer(&p, CALL, ALLOWED);
    expect_answer(&p, REQUEST("work", "vault", "a.B"), DENY); /* as there */
    expect_log(&p, "shadow: a.B+: work -> personal: allowed, but the policy in ");
    expect_log(&p, "/shadow says: deny (policy, ");
    assert_int_equal(logged(&p, "shadow: "), 1);
    policy_file(&p, "/shadow/10.policy", "a.B * work personal allow\n");
    expect_answer(&p, CALL, ALLOWED);
    assert_int_equal(logged(&p, "shadow: "), 1);
    policy_file(&p, "/shadow/10.policy", "a.B * work personal permit\n");
    expect_answer(&p, CALL, ALLOWED); /* a broken one changes nothing */
    expect_log(&p, "the shadow policy does not load, so nothing is compared with it");
    policy_end(&p);
}

/* ---- Questions ---- */

static char *evaluate(struct policy_stage *p, const char *socket, const void *data, size_t n)
{
    _cleanup_(freep) char *path = stage_path(&p->s, socket);
    _cleanup_(closep) int fd = -1;

    assert_int_equal(unix_connect(path, &fd), 0);
    send_bytes(fd, data, n);
    shutdown(fd, SHUT_WR);
    return policy_read(p, fd);
}

static void domains_may_ask_what_policy_says(void **state)
{
    static const struct {
        const char *socket, *text; /* | is a NUL */
        const char *answer;
    } cases[] = {
        {EVAL, "policy.EvalSimple+a.B vault name dom0|work|personal", "result=allow\n"},
        {EVAL, "policy.EvalSimple+a.B+x vault|work|personal", "result=allow\n"},
        {EVAL, "policy.EvalSimple+a.B vault|work|vault", "result=deny\n"},
        {EVAL, "policy.EvalSimple+a.Ask vault|work|personal", "result=allow\n"},
        {EVAL, "policy.EvalSimple+a.Ask vault|work|vault", "result=deny\n"},
        {EVAL, "policy.EvalSimple+a.B vault|work|@default", "result=deny\n"},
        {EVAL, "policy.EvalSimple vault|work|personal", ""},
        {EVAL, "policy.EvalSimple+ vault|work|personal", ""},
        {EVAL, "policy.EvalGUI+a.B vault|work|personal", ""},
        {EVAL, "policy.EvalSimple+a.B|work|personal", ""},
        {EVAL, "policy.EvalSimple+a.B vault|work", ""},
        {EVAL, "policy.EvalSimple+a.B vault|work|", ""},
        {EVAL, "policy.EvalSimple+a.B vault||personal", ""},
        {EVAL, "policy.EvalSimple+a.B vault|work|uuid:x", ""},
        {EVAL, "policy.EvalSimple+a.B vault|work|personal|", ""},
        {EVAL, "policy.EvalSimple+a.B vault|w w|personal", ""},
        {EVAL, "policy.EvalSimple+a.B vault|01234567890123456789012345678901|personal", ""},
        {GUI, "policy.EvalGUI+a.B screen name dom0|work|remote", "result=allow\n"},
        {GUI, "policy.EvalGUI+a.B other name dom0|work|remote", ""},
        {GUI, "policy.EvalGUI+a.B screen name dom0|work|personal", ""},
        {GUI, "policy.EvalSimple+a.B screen|work|remote", ""},
    };
    struct policy_stage p;

    (void)state;
    policy_prepare(&p, "a.B * work personal allow\na.B * work remote allow\n"
                       "a.Ask * work personal ask\n");
    p.work_tags = p.remote_tags = "\"guivm-screen\"";
    policy_start(&p);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(freep) char *data = strdup(cases[i].text);
        size_t n = strlen(data);

        for (char *c = data; (c = strchr(c, '|'));)
            *c++ = 0;
        _cleanup_(freep) char *answer = evaluate(&p, cases[i].socket, data, n);

        if (!str_equal(answer, cases[i].answer))
            fail_msg("%s: %s", cases[i].text, answer);
    }
    policy_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_policy_is_told_once_and_on_the_desktop),
        cmocka_unit_test(files_beside_the_policy_that_never_rest_hold_nothing_up),
        cmocka_unit_test(a_flood_of_refused_calls_is_counted_and_hides_no_other),
        cmocka_unit_test(each_decision_has_its_record),
        cmocka_unit_test(a_record_has_the_id_that_the_call_has_elsewhere),
        cmocka_unit_test(the_chain_goes_on_over_files_and_restarts_and_shows_changes),
        cmocka_unit_test(a_record_that_a_crash_cut_is_shown_and_the_chain_goes_on),
        cmocka_unit_test(a_full_disk_breaks_no_decision),
        cmocka_unit_test(a_daemon_that_is_killed_leaves_its_records_to_the_next),
        cmocka_unit_test(the_one_shot_program_records_too),
        cmocka_unit_test(the_journal_may_have_the_records),
        cmocka_unit_test(sockets_are_taken_over_and_readiness_is_told),
        cmocka_unit_test(a_replay_shows_what_would_flip),
        cmocka_unit_test(an_answer_is_kept_until_it_is_revoked),
        cmocka_unit_test(a_kept_answer_ends_with_its_time_the_policy_and_the_domain),
        cmocka_unit_test(a_yes_does_not_go_to_another_domain_of_that_name),
        cmocka_unit_test(a_shadow_is_told_and_not_enforced),
        cmocka_unit_test(domains_may_ask_what_policy_says),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
