/*
 * Both ends of a data connection, each in a process of its own, over the socket transport in a
 * temporary directory.
 */
#include "tests/unit/test.h"

#include "libqrexec/base/spawn.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/vchan/transport.h"
#include "libqrexec/wire/message.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PORT    513
#define TIME_UP 20 /* seconds until a process that hangs is killed */

static char *dir;
static int test_only = -1; /* a descriptor that the ends must not hold */

static int set_up(void **state)
{
    (void)state;
    test_only = -1;
    dir = test_mkdir();
    setenv("VCHAN_SOCKET_DIR", dir, 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_rmdir(dir);
    return 0;
}

/* The caller listens as domain 1, the service connects as domain 2. */
static struct vchan *vchan_of(enum relay_role role)
{
    struct vchan *v = NULL;
    int r;

    setenv("VCHAN_DOMAIN", role == RELAY_CALLER ? "1" : "2", 1);
    if (role == RELAY_CALLER)
        r = vchan_listen(2, PORT, 65536, &v);
    else
        r = vchan_connect(1, PORT, &v);
    if (r)
        _exit(99);
    return v;
}

/* Starts script with socket pairs as stdin and stdout, and a pipe as stderr. */
static void start_script(struct relay_params *p, const char *script, bool with_err)
{
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    int in[2], out[2], err[2] = {-1, -1}, fds[3];
    char pid[32];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) ||
        (with_err && pipe2(err, O_CLOEXEC)))
        _exit(98);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("QREXEC_AGENT_PID", pid, 1);
    fds[0] = in[1];
    fds[1] = out[1];
    fds[2] = with_err ? err[1] : 2;
    if (spawn_process(&(struct spawn){.path = "/bin/sh", .argv = argv, .fds = fds, .n_fds = 3},
                      &p->child, NULL))
        _exit(97);
    close(in[1]);
    close(out[1]);
    close_fd(&err[1]);
    p->out_fd = in[0];
    p->in_fd = out[0];
    if (p->role == RELAY_SERVICE)
        p->err_fd = err[0];
}

/* A process that runs one end; script NULL: none. */
static pid_t run_end(const struct relay_params *with, const char *script)
{
    struct relay_params p = *with;
    pid_t pid = fork();
    int code, r;

    if (pid)
        return pid;
    alarm(TIME_UP);
    close_fd(&test_only);
    if (relay_prepare())
        _exit(96);
    p.vchan = vchan_of(p.role);
    if (script)
        start_script(&p, script, p.role == RELAY_SERVICE);
    r = relay_run(&p, &code);
    _exit(r < 0 ? 95 : code);
}

static int wait_end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static struct relay_params params(enum relay_role role)
{
    struct relay_params p = RELAY_PARAMS_NULL;

    p.role = role;
    p.connect_timeout_ms = 10000;
    return p;
}

static int file_with(const char *name, const void *data, size_t n)
{
    char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, data, n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void assert_file(const char *name, const char *text, size_t n)
{
    _cleanup_(freep) char *got = NULL;
    char path[200];
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(file_read(path, 16 << 20, &got, &len), 0);
    assert_int_equal(len, n);
    assert_memory_equal(got, text, n);
}

/* Runs script as the service for a caller with that input; output lands in "out" and "err". */
static int call(const char *script, const char *input, size_t n, struct relay_params c)
{
    struct relay_params s = params(RELAY_SERVICE);
    pid_t caller, service;
    int code;

    c.in_fd = file_with("in", input, n);
    c.out_fd = file_with("out", "", 0);
    c.err_fd = file_with("err", "", 0);
    caller = run_end(&c, NULL);
    close(c.in_fd);
    close(c.out_fd);
    close(c.err_fd);
    service = run_end(&s, script);
    code = wait_end(caller);
    wait_end(service);
    return code;
}

/* A reader that left is no failure of the call; a full disk is. */
static void output_that_cannot_be_kept_is_no_success(void **state)
{
    static const struct {
        const char *script;
        int code;
        bool full;
    } cases[] = {{"echo x", 255, true}, {"echo x; exit 7", 7, true}, {"echo x", 0, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
        int p[2];
        pid_t caller, service;

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        close(p[0]);
        c.out_fd = cases[i].full ? open("/dev/full", O_WRONLY | O_CLOEXEC) : p[1];
        c.err_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        caller = run_end(&c, NULL);
        service = run_end(&s, cases[i].script);
        assert_int_equal(wait_end(caller), cases[i].code);
        wait_end(service);
        close(c.err_fd);
        if (cases[i].full)
            close(c.out_fd);
        close(p[1]);
    }
}

static void output_stderr_and_exit_code_reach_the_caller(void **state)
{
    (void)state;
    assert_int_equal(call("cat; echo problem >&2; exit 7", "hello\n", 6, params(RELAY_CALLER)), 7);
    assert_file("out", "hello\n", 6);
    assert_file("err", "problem\n", 8);
    assert_int_equal(call("exit 0", "", 0, params(RELAY_CALLER)), 0);
    assert_int_equal(call("kill -9 $$", "", 0, params(RELAY_CALLER)), 137);
}

static void a_mebibyte_each_way_arrives_whole(void **state)
{
    size_t n = 1 << 20;
    _cleanup_(freep) char *data = malloc(n);
    uint32_t x = 1;

    (void)state;
    for (size_t i = 0; i < n; i++)
        data[i] = (char)((x = x * 1103515245 + 12345) >> 16);
    assert_int_equal(call("cat", data, n, params(RELAY_CALLER)), 0);
    assert_file("out", data, n);
}

static void a_service_that_ignores_its_input_does_not_lose_its_exit_code(void **state)
{
    size_t n = 4 << 20;
    _cleanup_(freep) char *data = calloc(1, n);

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(call("echo done; exit 3", data, n, params(RELAY_CALLER)), 3);
        assert_file("out", "done\n", 5);
    }
}

static void output_that_others_still_hold_keeps_the_call_open(void **state)
{
    (void)state;
    assert_int_equal(call("(sleep 0.3; echo late) & exit 4", "", 0, params(RELAY_CALLER)), 4);
    assert_file("out", "late\n", 5);
}

static void closed_input_leaves_the_service_running(void **state)
{
    (void)state;
    assert_int_equal(
        call("cat >/dev/null; sleep 0.2; echo after; exit 5", "x", 1, params(RELAY_CALLER)), 5);
    assert_file("out", "after\n", 6);
}

static void the_prefix_goes_out_before_the_input(void **state)
{
    struct relay_params c = params(RELAY_CALLER);
    char prefix[100000];

    (void)state;
    memset(prefix, 'p', sizeof(prefix));
    c.prefix = prefix;
    c.prefix_len = sizeof(prefix);
    assert_int_equal(call("head -c 100000 | tr -d p; cat", "rest", 4, c), 0);
    assert_file("out", "rest", 4);
}

static void unsafe_bytes_are_replaced_where_asked(void **state)
{
    struct relay_params c = params(RELAY_CALLER);

    (void)state;
    c.filter_out = true;
    assert_int_equal(call("printf 'a\\033[1m\\tb\\n'; printf '\\033' >&2", "", 0, c), 0);
    assert_file("out", "a_[1m\tb\n", 8);
    assert_file("err", "\033", 1);
    c.filter_out = false;
    c.filter_err = true;
    assert_int_equal(call("printf '\\033'; printf '\\033' >&2", "", 0, c), 0);
    assert_file("out", "\033", 1);
    assert_file("err", "_", 1);
}

static void sigusr1_moves_output_to_the_stdin_pair(void **state)
{
    (void)state;
    assert_int_equal(call("echo one; kill -USR1 $QREXEC_AGENT_PID; sleep 0.2;"
                          " read x; echo \"two $x\" >&0; exit 6",
                          "in\n", 3, params(RELAY_CALLER)),
                     6);
    assert_file("out", "one\ntwo in\n", 11);
}

/* A caller without files of its own: its local program talks to the service. */
static int call_local(const char *local, const char *script)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    int code;

    caller = run_end(&c, local);
    service = run_end(&s, script);
    code = wait_end(caller);
    wait_end(service);
    return code;
}

static void the_local_program_talks_to_the_service(void **state)
{
    (void)state;
    assert_int_equal(call_local("echo ping; read x; test \"$x\" = pong", "read x; echo pong"), 0);
    assert_int_equal(call_local("read x; test \"$x\" = pong", "echo ping"), 1);
}

static void the_remote_exit_code_goes_before_the_local_one(void **state)
{
    (void)state;
    assert_int_equal(call_local("exit 9", "exit 0"), 9);
    assert_int_equal(call_local("exit 9", "exit 8"), 8);
    assert_int_equal(call_local("kill -9 $$", "exit 0"), 137);
    assert_int_equal(call_local("exit 0", "exit 0"), 0);
}

static void a_killed_peer_is_255(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    char byte;
    int out[2];

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    c.out_fd = out[1];
    c.in_fd = -1;
    caller = run_end(&c, NULL);
    close(out[1]);
    service = run_end(&s, "echo x; cat; sleep 2");
    assert_int_equal(read(out[0], &byte, 1), 1);
    kill(service, SIGKILL);
    assert_int_equal(wait_end(service), 1009);
    assert_int_equal(wait_end(caller), 255);
    close(out[0]);
}

static void a_killed_caller_closes_the_services_streams(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    int in[2], out[2];
    char byte, script[200];

    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    c.in_fd = in[0];
    c.out_fd = out[1];
    caller = run_end(&c, NULL);
    snprintf(script, sizeof(script), "echo x; cat; echo ended >%s/ended", dir);
    service = run_end(&s, script);
    assert_int_equal(read(out[0], &byte, 1), 1);
    kill(caller, SIGKILL);
    assert_int_equal(wait_end(caller), 1009);
    assert_int_equal(wait_end(service), 255);
    assert_file("ended", "ended\n", 6);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

static void a_reader_that_left_does_not_end_the_call(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    char byte;
    int out[2];

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    c.out_fd = out[1];
    test_only = out[0];
    caller = run_end(&c, NULL);
    close(out[1]);
    service = run_end(&s, "echo; sleep 0.3; head -c 1000000 /dev/zero; exit 11");
    assert_int_equal(read(out[0], &byte, 1), 1);
    close(out[0]);
    assert_int_equal(wait_end(caller), 11);
    assert_int_equal(wait_end(service), 11);
}

static void a_slow_reader_gets_everything(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    size_t total = 0;
    char buf[50000];
    ssize_t n;
    int out[2];

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    c.out_fd = out[1];
    caller = run_end(&c, NULL);
    close(out[1]);
    service = run_end(&s, "head -c 1000000 /dev/zero; exit 12");
    usleep(300000);
    while ((n = read(out[0], buf, sizeof(buf))) > 0) {
        total += (size_t)n;
        usleep(1000);
    }
    assert_int_equal(total, 1000000);
    assert_int_equal(wait_end(caller), 12);
    assert_int_equal(wait_end(service), 12);
    close(out[0]);
}

static void a_pipe_keeps_its_flags(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    int out[2], in[2];

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    c.out_fd = out[1];
    c.in_fd = in[0];
    caller = run_end(&c, NULL);
    service = run_end(&s, "echo x; sleep 0.1");
    wait_end(caller);
    wait_end(service);
    assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

static void one_socket_can_be_both_directions(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    char buf[10];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    c.in_fd = c.out_fd = pair[1];
    caller = run_end(&c, NULL);
    close(pair[1]);
    service = run_end(&s, "cat; exit 13");
    assert_int_equal(write(pair[0], "abc", 3), 3);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(read_full(pair[0], buf, 3), 0);
    assert_memory_equal(buf, "abc", 3);
    assert_int_equal(read(pair[0], buf, 1), 0);
    assert_int_equal(wait_end(caller), 13);
    assert_int_equal(wait_end(service), 13);
    close(pair[0]);
}

/* The service end without a program of its own. */
static int call_service(struct relay_params s)
{
    struct relay_params c = params(RELAY_CALLER);
    pid_t caller, service;
    int code;

    c.out_fd = file_with("out", "", 0);
    c.in_fd = file_with("in", "input", 5);
    caller = run_end(&c, NULL);
    close(c.out_fd);
    close(c.in_fd);
    service = run_end(&s, NULL);
    code = wait_end(caller);
    assert_int_equal(wait_end(service), code);
    return code;
}

static void what_could_not_be_started_has_its_code(void **state)
{
    struct relay_params s = params(RELAY_SERVICE);

    (void)state;
    s.start_failed = 127;
    assert_int_equal(call_service(s), 127);
    s.start_failed = 125;
    s.read_first = true;
    assert_int_equal(call_service(s), 125);
}

static void just_exec_sends_only_the_code(void **state)
{
    struct relay_params s = params(RELAY_SERVICE);

    (void)state;
    s.just_exec = true;
    assert_int_equal(call_service(s), 0);
    s.start_failed = 127;
    assert_int_equal(call_service(s), 127);
}

/* A socket service; the test plays it at the other end of the pair. */
static void a_socket_service_ends_when_both_ways_are_shut(void **state)
{
    struct relay_params s = params(RELAY_SERVICE), c = params(RELAY_CALLER);
    pid_t caller, service;
    char buf[10];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    s.socket_service = true;
    s.in_fd = s.out_fd = pair[1];
    c.in_fd = file_with("in", "question", 8);
    c.out_fd = file_with("out", "", 0);
    caller = run_end(&c, NULL);
    service = run_end(&s, NULL);
    close(pair[1]);
    close(c.in_fd);
    close(c.out_fd);
    assert_int_equal(read_full(pair[0], buf, 8), 0);
    assert_int_equal(read(pair[0], buf, 1), 0);
    assert_int_equal(write(pair[0], "answer", 6), 6);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(wait_end(caller), 0);
    assert_int_equal(wait_end(service), 0);
    assert_file("out", "answer", 6);
    close(pair[0]);
}

static void a_full_close_by_a_socket_service_ends_the_call(void **state)
{
    struct relay_params s = params(RELAY_SERVICE), c = params(RELAY_CALLER);
    pid_t caller, service;
    int pair[2], in[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    s.socket_service = true;
    s.in_fd = s.out_fd = pair[1];
    c.in_fd = in[0]; /* never ends */
    c.out_fd = file_with("out", "", 0);
    test_only = pair[0];
    caller = run_end(&c, NULL);
    service = run_end(&s, NULL);
    close(pair[1]);
    close(c.out_fd);
    assert_int_equal(write(pair[0], "bye", 3), 3);
    close(pair[0]);
    assert_int_equal(wait_end(caller), 0);
    assert_int_equal(wait_end(service), 0);
    assert_file("out", "bye", 3);
    close(in[0]);
    close(in[1]);
}

static void a_peer_that_never_comes_ends_by_its_time_limit(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    uint64_t start = clock_ms();

    (void)state;
    c.connect_timeout_ms = s.connect_timeout_ms = 100;
    assert_int_equal(wait_end(run_end(&c, NULL)), 255);
    assert_int_equal(wait_end(run_end(&s, "cat")), 255);
    assert_in_range(clock_ms() - start, 200, 5000);
}

static void a_watched_socket_that_closes_ends_the_wait(void **state)
{
    struct relay_params c = params(RELAY_CALLER);
    uint64_t start = clock_ms();
    pid_t caller;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    c.watch_fd = pair[1];
    fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    caller = run_end(&c, NULL);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(wait_end(caller), 255);
    assert_in_range(clock_ms() - start, 0, 5000);
    close(pair[0]);
    close(pair[1]);
}

static void a_word_that_the_peers_domain_is_gone_ends_the_wait(void **state)
{
    struct relay_params c = params(RELAY_CALLER);
    uint64_t start = clock_ms();
    pid_t caller;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    c.gone_fd = pair[1];
    caller = run_end(&c, NULL);
    assert_int_equal(write(pair[0], "\7\0\0\0\0\0\0\0", 8), 8);
    assert_int_equal(wait_end(caller), 255);
    assert_in_range(clock_ms() - start, 0, 5000);
    close(pair[0]);
    close(pair[1]);
}

static void the_end_of_who_would_tell_it_says_nothing(void **state)
{
    struct relay_params c = params(RELAY_CALLER), s = params(RELAY_SERVICE);
    pid_t caller, service;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    c.gone_fd = pair[1];
    c.in_fd = file_with("in", "words", 5);
    c.out_fd = file_with("out", "", 0);
    caller = run_end(&c, NULL);
    close(pair[1]);
    close(pair[0]);
    service = run_end(&s, "cat");
    assert_int_equal(wait_end(caller), 0);
    assert_int_equal(wait_end(service), 0);
    assert_file("out", "words", 5);
}

/*
 * A vchan whose peer leaves at the worst moment: nothing to read, then the write fails, and only
 * then its last words are there.
 */
static int scripted_fd;
static bool scripted_failed;
static size_t scripted_given;

static int scripted_get_fd(const struct vchan *v)
{
    (void)v;
    return scripted_fd;
}

static short scripted_events(struct vchan *v, bool want_read, bool want_write)
{
    (void)v;
    (void)want_read;
    (void)want_write;
    return POLLIN;
}

static int scripted_timeout(const struct vchan *v)
{
    (void)v;
    return -1;
}

static int scripted_nothing(struct vchan *v)
{
    (void)v;
    return 0;
}

static void scripted_free(struct vchan *v)
{
    (void)v;
}

static ssize_t scripted_read(struct vchan *v, void *data, size_t n)
{
    static const unsigned char words[] = {0,    3, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0,
                                          0x93, 1, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0};
    size_t there = scripted_failed ? sizeof(words) : 12;

    (void)v;
    n = size_min(n, there - scripted_given);
    memcpy(data, words + scripted_given, n);
    scripted_given += n;
    return n || !scripted_failed ? (ssize_t)n : -EPIPE;
}

static ssize_t scripted_write(struct vchan *v, const void *data, size_t n)
{
    if (n == 12 && ((const unsigned char *)data)[1] == 3)
        return 12; /* hello */
    v->state = VCHAN_CLOSED;
    scripted_failed = true;
    return -EPIPE;
}

static void a_peer_that_hears_no_more_is_still_listened_to(void **state)
{
    static const struct vchan_transport scripted = {
        .free = scripted_free,
        .fd = scripted_get_fd,
        .events = scripted_events,
        .timeout = scripted_timeout,
        .dispatch = scripted_nothing,
        .read = scripted_read,
        .write = scripted_write,
    };
    struct vchan v = {.transport = &scripted, .state = VCHAN_CONNECTED};
    struct relay_params p = params(RELAY_CALLER);
    int code;

    (void)state;
    scripted_fd = eventfd(0, EFD_CLOEXEC);
    p.vchan = &v;
    p.in_fd = file_with("in", "input", 5);
    alarm(TIME_UP);
    assert_int_equal(relay_run(&p, &code), 0);
    alarm(0);
    assert_int_equal(code, 9);
    close(scripted_fd);
}

static void what_a_peer_said_that_closed_before_our_hello_is_taken(void **state)
{
    static const unsigned char said[] = {0,    3, 0, 0, 4, 0, 0, 0, 4,   0,  0, 0, /* hello */
                                         0x90, 1, 0, 0, 2, 0, 0, 0, 'h', 'i'};
    struct relay_params p = params(RELAY_SERVICE);
    int listener, peer, out, code;
    char path[200], got[8];

    (void)state;
    snprintf(path, sizeof(path), "%s/vchan.1.2.%d.sock", dir, PORT);
    assert_int_equal(unix_listen(path, 0600, &listener), 0);
    p.vchan = vchan_of(RELAY_SERVICE);
    peer = accept(listener, NULL, NULL);
    while (vchan_state(p.vchan) == VCHAN_WAITING)
        assert_int_equal(vchan_dispatch(p.vchan), 0);
    assert_int_equal(write(peer, said, sizeof(said)), sizeof(said));
    close(peer);
    p.out_fd = out = file_with("out", "", 0);
    out = fcntl(out, F_DUPFD_CLOEXEC, 3);
    relay_say_hello(&p);
    alarm(TIME_UP);
    assert_int_equal(relay_run(&p, &code), RELAY_E_LOST);
    alarm(0);
    assert_int_equal(pread(out, got, sizeof(got), 0), 2);
    assert_memory_equal(got, "hi", 2);
    close(out);
    close(listener);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_that_cannot_be_kept_is_no_success),
        TEST(output_stderr_and_exit_code_reach_the_caller),
        TEST(a_mebibyte_each_way_arrives_whole),
        TEST(a_service_that_ignores_its_input_does_not_lose_its_exit_code),
        TEST(output_that_others_still_hold_keeps_the_call_open),
        TEST(closed_input_leaves_the_service_running),
        TEST(the_prefix_goes_out_before_the_input),
        TEST(unsafe_bytes_are_replaced_where_asked),
        TEST(sigusr1_moves_output_to_the_stdin_pair),
        TEST(the_local_program_talks_to_the_service),
        TEST(the_remote_exit_code_goes_before_the_local_one),
        TEST(a_killed_peer_is_255),
        TEST(a_killed_caller_closes_the_services_streams),
        TEST(a_reader_that_left_does_not_end_the_call),
        TEST(a_slow_reader_gets_everything),
        TEST(a_pipe_keeps_its_flags),
        TEST(one_socket_can_be_both_directions),
        TEST(what_could_not_be_started_has_its_code),
        TEST(just_exec_sends_only_the_code),
        TEST(a_socket_service_ends_when_both_ways_are_shut),
        TEST(a_full_close_by_a_socket_service_ends_the_call),
        TEST(a_peer_that_never_comes_ends_by_its_time_limit),
        TEST(a_watched_socket_that_closes_ends_the_wait),
        TEST(a_word_that_the_peers_domain_is_gone_ends_the_wait),
        TEST(the_end_of_who_would_tell_it_says_nothing),
        TEST(a_peer_that_hears_no_more_is_still_listened_to),
        TEST(what_a_peer_said_that_closed_before_our_hello_is_taken),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
