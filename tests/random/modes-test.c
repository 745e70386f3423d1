/*
 * One verdict, whichever way it is asked for: the library, qrexec-policy eval and explain,
 * qrexec-policy-exec, and the socket of qrexec-policy-daemon give what the contract gives.
 *
 *   modes-test [POLICIES]     environment: QREXEC_SEED (printed), builddir
 *
 * Each random policy has a private instance (QREXEC_ROOT) of its own; a child of ours is its
 * spawner. Where the user would be asked, "yes" is assumed.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "tests/random/generate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define POLICIES_DEFAULT 12
#define REQUESTS         12
#define WAIT_MS          20000

struct instance {
    char root[64];
    const struct test_case *c;
    struct loaded_case l;
    pid_t spawner, daemon;
};

static unsigned long asked[5]; /* by mode */
enum { LIBRARY, BATCH, ONE_SHOT, SOCKET, EXPLAIN };

__attribute__((format(printf, 2, 3), noreturn)) static void die(const char *what, const char *form,
                                                                ...)
{
    va_list ap;

    printf("not ok - %s: ", what);
    va_start(ap, form);
    vprintf(form, ap);
    va_end(ap);
    printf("\n");
    exit(1);
}

static char *in_root(const struct instance *in, const char *path)
{
    char *full = format_new("%s%s", in->root, path);

    if (!full)
        die("setup", "no memory");
    return full;
}

static const char *build_dir(void)
{
    const char *dir = getenv("builddir");

    return dir ? dir : ".";
}

/* ---- The instance ---- */

static void put_text(FILE *f, const char *key, const char *value)
{
    if (value)
        fprintf(f, ",\"%s\":\"%s\"", key, value);
}

/* The domains as the spawner tells them. */
static void put_json(const struct test_case *c, FILE *f)
{
    fprintf(f, "{\"generation\":1,\"domains\":{");
    for (size_t i = 0; i < c->n_domains; i++) {
        const struct policy_domain *d = &c->domain[i];

        fprintf(f, "%s\"%s\":{\"icon\":\"x\",\"tags\":[", i ? "," : "", d->name);
        for (size_t k = 0; k < CASE_TAGS && c->tag[i][k]; k++)
            fprintf(f, "%s\"%s\"", k ? "," : "", c->tag[i][k]);
        fprintf(f, "],\"template_for_dispvms\":%s,\"internal\":%s",
                d->template_for_dispvms ? "true" : "false", d->internal ? "true" : "false");
        put_text(f, "uuid", d->uuid);
        put_text(f, "type", d->type);
        put_text(f, "default_dispvm", d->default_dispvm);
        put_text(f, "power_state", d->power_state);
        put_text(f, "guivm", d->guivm);
        put_text(f, "relayvm", d->relayvm);
        put_text(f, "transport_rpc", d->transport_rpc);
        fprintf(f, "}");
    }
    fprintf(f, "}}");
}

/* A child that tells the domains to whoever asks, until it is killed. */
static void start_spawner(struct instance *in)
{
    _cleanup_(freep) char *path = in_root(in, "/run/qubesd.internal.sock");
    _cleanup_(freep) char *json = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&json, &n);
    int listener = -1;

    put_json(in->c, f);
    fclose(f);
    if (unix_listen(path, 0600, &listener))
        die("setup", "cannot listen on %s", path);
    in->spawner = fork();
    if (in->spawner) {
        close(listener);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = -1;
        char buf[256];

        while (poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, -1) <= 0)
            ;
        fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        while (read(fd, buf, sizeof(buf)) > 0)
            ;
        if (write_full(fd, "0\0", 2) == 0)
            (void)write_full(fd, json, n);
        close(fd);
    }
}

static void put_page(const struct instance *in)
{
    _cleanup_(freep) char *path = in_root(in, "/run/qubes/generation");
    _cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const uint64_t generation = 1;

    if (fd < 0 || ftruncate(fd, 4096) ||
        pwrite(fd, &generation, sizeof(generation), 0) != sizeof(generation))
        die("setup", "cannot write %s", path);
}

/* The case's folders at the places where the programs look for them. */
static void put_files(const struct instance *in)
{
    static const char *const places[][2] = {{"run.d", "/run/qubes/policy.d"},
                                            {"policy.d", "/etc/qubes/policy.d"},
                                            {"legacy", "/etc/qubes-rpc/policy"}};
    static const char *const dirs[] = {"/run/qubes", "/etc/qubes", "/etc/qubes-rpc"};
    _cleanup_(freep) char *copy = in_root(in, "/case");

    if (case_write(in->c, copy) || case_write(in->c, in->root))
        die("setup", "cannot write below %s", in->root);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_(freep) char *dir = in_root(in, dirs[i]), *to = in_root(in, places[i][1]),
                              *from = format_new("%s/%s", in->root, places[i][0]);

        if (mkdir_all(dir, 0755) || rename(from, to))
            die("setup", "cannot make %s", to);
    }
}

/* input: -1 for /dev/null. */
static pid_t start(const struct instance *in, const char *const *argv, const char *dir, int input,
                   int out)
{
    _cleanup_(freep) char *path = format_new("%s/policy-engine/%s", build_dir(), argv[0]);
    _cleanup_(freep) char *log = in_root(in, "/log");
    _cleanup_(closep) int err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int fds[] = {input, out, err};
    pid_t pid = 0;
    int r;

    setenv("QREXEC_ROOT", in->root, 1);
    r = spawn_process(&(struct spawn){.path = path,
                                      .argv = (char *const *)argv,
                                      .fds = fds,
                                      .n_fds = 3,
                                      .dir = dir,
                                      .parent_death_signal = SIGKILL},
                      &pid, NULL);
    if (r)
        die("setup", "cannot start %s: %s", path, strerror(-r));
    return pid;
}

/* All that comes until the end; the caller frees. */
static char *read_all(int fd)
{
    char *text = NULL;
    size_t n = 0, size = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (n + 4096 > size && !(text = realloc(text, size += 65536)))
            die("reading", "no memory");
        if (poll(&p, 1, WAIT_MS) <= 0)
            die("reading", "nothing came for %d s", WAIT_MS / 1000);
        got = read(fd, text + n, size - n - 1);
        if (got < 0)
            die("reading", "%s", strerror(errno));
        n += (size_t)got;
        text[n] = 0;
        if (!got)
            return text;
    }
}

/* A program of the tree, to its end: its exit code, and what it printed. */
static int run(const struct instance *in, const char *const *argv, int input, char **ret)
{
    _cleanup_(freep) char *dir = in_root(in, "/case");
    int out[2] = {-1, -1};
    pid_t pid;

    if (pipe2(out, O_CLOEXEC))
        die("setup", "pipe: %s", strerror(errno));
    pid = start(in, argv, dir, input, out[1]);
    close(out[1]);
    *ret = read_all(out[0]);
    close(out[0]);
    return spawn_wait(pid);
}

static void start_daemon(struct instance *in)
{
    _cleanup_(freep) char *root = format_new("--root=%s", in->root);
    _cleanup_(freep) char *path = in_root(in, "/run/qubes/policy.sock");
    const char *const argv[] = {"qrexec-policy-daemon", root, NULL};
    int fd = -1;

    in->daemon = start(in, argv, NULL, -1, -1);
    for (int i = 0; i < WAIT_MS / 5 && unix_connect(path, &fd); i++)
        (void)poll(NULL, 0, 5);
    if (fd < 0)
        die("setup", "the policy daemon does not serve %s", path);
    close(fd);
}

static void begin(struct instance *in, const struct test_case *c)
{
    *in = (struct instance){.root = "/tmp/qrexec-modes.XXXXXX", .c = c};
    if (!mkdtemp(in->root) || case_load(c, &in->l))
        die("setup", "no directory, or the policy does not load");
    put_files(in);
    put_page(in);
    start_spawner(in);
    start_daemon(in);
}

static void end(struct instance *in)
{
    kill(in->spawner, SIGKILL);
    (void)spawn_wait(in->spawner);
    kill(in->daemon, SIGTERM);
    if (spawn_wait(in->daemon))
        die("the daemon", "it ended with a failure");
    loaded_case_deinit(&in->l);
    if (remove_all(in->root))
        die("setup", "cannot remove %s", in->root);
}

/* ---- The modes ---- */

/* expected and got are whole texts. */
static void expect(struct instance *in, const struct test_case *c, int mode, const char *expected,
                   const char *got)
{
    static const char *const names[] = {"the library", "eval --batch", "qrexec-policy-exec",
                                        "the policy socket", "explain"};

    asked[mode]++;
    if (str_equal(expected, got))
        return;
    printf("not ok - %s gives another verdict than the contract\n  contract: %s\n  got:      %s\n",
           names[mode], expected, got);
    case_print(c, stdout);
    kill(in->spawner, SIGKILL);
    exit(1);
}

static void check_library(struct instance *in, const struct test_case *c)
{
    struct policy_request q = case_request(c);
    char what[8192] = "";

    (void)case_compare(&in->l, &q, what, sizeof(what));
    expect(in, c, LIBRARY, "", what);
}

/* All requests at once. */
static void check_batch(struct instance *in, const struct test_case *list, size_t n)
{
    static const char *const argv[] = {"qrexec-policy", "eval",        "--policy-dir", "run.d",
                                       "--policy-dir",  "policy.d",    "--legacy-dir", "legacy",
                                       "--domains",     "domains.ini", "--batch",      NULL};
    _cleanup_(freep) char *path = in_root(in, "/all.tsv"), *out = NULL;
    _cleanup_(closep) int input = -1;
    FILE *f = fopen(path, "w");
    char *rest, *line, expected[8192];

    for (size_t i = 0; f && i < n; i++)
        fprintf(f, "%s%s\t%s\t%s\t%s\n", list[i].service, list[i].argument, list[i].source,
                list[i].target, list[i].requested_source);
    if (!f || fclose(f) || (input = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        die("setup", "cannot write %s", path);
    if (run(in, argv, input, &out))
        die("eval", "it failed");
    rest = out;
    for (size_t i = 0; i < n; i++) {
        struct policy_request q = case_request(&list[i]);
        static struct oracle_verdict o;

        oracle_decide(&in->l.world, &q, &o);
        oracle_line(&o, expected, sizeof(expected));
        line = strsep(&rest, "\n");
        expect(in, &list[i], BATCH, expected, line ? line : "(no line)");
    }
}

/* What the policy socket says for it, where an ask is answered with what was asked for. */
static void answer_text(const struct instance *in, const struct test_case *c, char *buf,
                        size_t size)
{
    static struct oracle_verdict o, asked_for;
    struct policy_request q = case_request(c);
    char uuid[256];
    size_t n;

    oracle_decide(&in->l.world, &q, &o);
    if (o.action == POLICY_ASK) {
        const char *choice = oracle_is_dom0(o.requested_target) ? "dom0" : o.requested_target;

        asked_for = o;
        oracle_answer(&in->l.world, &q, &asked_for, choice, &o);
    }
    if (o.action != POLICY_ALLOW) {
        (void)format(buf, size, "result=deny\n");
        return;
    }
    (void)format(buf, size, "result=allow\nuser=%s\ntarget=%s\nautostart=%s\nrequested_target=%s\n",
                 o.user, o.target, o.autostart ? "True" : "False", o.requested_target);
    n = strlen(buf);
    if (oracle_target_uuid(&in->l.world, o.target, uuid, sizeof(uuid)))
        (void)format(buf + n, size - n, "target_uuid=%s\n", uuid);
    n = strlen(buf);
    if (o.service)
        (void)format(buf + n, size - n, "service=%s\n", o.service);
    n = strlen(buf);
    if (o.policy_source)
        (void)format(buf + n, size - n, "policy_source=%s\n", o.policy_source);
}

static void check_one_shot(struct instance *in, const struct test_case *c)
{
    _cleanup_(freep) char *service = format_new("%s%s", c->service, c->argument), *out = NULL;
    const char *const argv[] = {
        "qrexec-policy-exec", "--assume-yes-for-ask", "--", c->source, c->target, service, NULL};
    char expected[8192];
    int code;

    if (*c->requested_source)
        return; /* it has no place there */
    answer_text(in, c, expected, sizeof(expected));
    code = run(in, argv, -1, &out);
    expect(in, c, ONE_SHOT, expected, out);
    expect(in, c, ONE_SHOT, str_starts(expected, "result=allow") ? "exit code 0" : "exit code 1",
           code == 0   ? "exit code 0"
           : code == 1 ? "exit code 1"
                       : "another exit code");
}

static void check_socket(struct instance *in, const struct test_case *c)
{
    _cleanup_(freep) char *path = in_root(in, "/run/qubes/policy.sock");
    _cleanup_(freep) char *request =
        format_new("source=%s\nintended_target=%s\nservice_and_arg=%s%s\nrequested_source=%s\n"
                   "assume_yes_for_ask=yes\n\n",
                   c->source, c->target, c->service, c->argument, c->requested_source);
    _cleanup_(freep) char *out = NULL;
    char expected[8192];
    int fd = -1;

    answer_text(in, c, expected, sizeof(expected));
    if (unix_connect(path, &fd) || write_full(fd, request, strlen(request)))
        die("the socket", "it does not take a request");
    out = read_all(fd);
    close(fd);
    expect(in, c, SOCKET, expected, out);
}

/* The first line says which of the three, and a denial's second line begins with its reason. */
static void check_explain(struct instance *in, const struct test_case *c)
{
    static const char *const words[] = {"denied: ", "allowed: ", "ask: "};
    _cleanup_(freep) char *service = format_new("%s%s", c->service, c->argument), *out = NULL;
    const char *const argv[] = {"qrexec-policy", "explain",     "--policy-dir", "run.d",
                                "--policy-dir",  "policy.d",    "--legacy-dir", "legacy",
                                "--domains",     "domains.ini", c->source,      c->target,
                                service,         NULL};
    static struct oracle_verdict o;
    struct policy_request q = case_request(c);
    char expected[256];
    const char *second;
    int code;

    if (*c->requested_source)
        return;
    oracle_decide(&in->l.world, &q, &o);
    code = run(in, argv, -1, &out);
    expect(in, c, EXPLAIN, words[o.action],
           str_starts(out, words[o.action]) ? words[o.action] : out);
    expect(in, c, EXPLAIN, o.action == POLICY_ALLOW ? "exit code 0" : "exit code 1",
           code == 0   ? "exit code 0"
           : code == 1 ? "exit code 1"
                       : "another exit code");
    second = strchr(out, '\n');
    (void)format(expected, sizeof(expected), "\n  %s: ", policy_reason_text(o.reason));
    if (o.action == POLICY_ALLOW)
        (void)format(expected, sizeof(expected), "\n  goes to %s as user %s", o.target, o.user);
    if (o.action != POLICY_ASK)
        expect(in, c, EXPLAIN, expected, second && str_starts(second, expected) ? expected : out);
}

static void check_policy(struct random *r, const struct test_case *c)
{
    static struct test_case list[REQUESTS];
    struct instance in;

    begin(&in, c);
    for (size_t i = 0; i < REQUESTS; i++) {
        list[i] = *c;
        generate_request(r, true, &list[i]);
        check_library(&in, &list[i]);
        check_one_shot(&in, &list[i]);
        check_socket(&in, &list[i]);
        check_explain(&in, &list[i]);
    }
    check_batch(&in, list, REQUESTS);
    end(&in);
}

int main(int argc, char **argv)
{
    const char *seed_text = getenv("QREXEC_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
    unsigned long policies = argc > 1 ? strtoul(argv[1], NULL, 10) : POLICIES_DEFAULT;

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    printf("# seed %llu\n", (unsigned long long)seed);
    for (unsigned long n = 0; n < policies; n++) {
        static struct test_case c;
        struct random r = random_new(seed, n);
        struct loaded_case l;

        generate_case(&r, true, &c);
        if (case_load(&c, &l)) {
            policies++;
            continue;
        }
        loaded_case_deinit(&l);
        check_policy(&r, &c);
    }
    printf("ok - the same verdict everywhere, checks: library %lu, batch %lu, one-shot %lu, socket "
           "%lu, explain %lu\n",
           asked[LIBRARY], asked[BATCH], asked[ONE_SHOT], asked[SOCKET], asked[EXPLAIN]);
    return policies ? 0 : 1;
}
