/* qrexec-client against a scripted daemon and a scripted VM: options, streams, exit codes. */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#define MOST_WORDS 16

struct client {
    struct stage s;
    int daemon; /* listener, for domain "work", number 1 */
    pid_t pid;
    int in, out; /* the client's */
};

static void begin(struct client *c)
{
    *c = (struct client){.in = -1, .out = -1};
    stage_prepare(&c->s);
    setenv("QREXEC_ROOT", c->s.root, 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    c->daemon = stage_listen(&c->s, "/run/qubes/qrexec.work");
}

static void end(struct client *c)
{
    close_fd(&c->daemon);
    close_fd(&c->in);
    close_fd(&c->out);
    close_fd(&c->s.control);
    close_fd(&c->s.policy);
    close_fd(&c->s.admin);
    test_rmdir(c->s.root);
}

/* words: up to NULL. Its stdin is c->in, stdout and stderr c->out. */
static void start(struct client *c, const char *const *words)
{
    _cleanup_(freep) char *path = stage_path(&c->s, "/usr/lib/qubes/qrexec-client");
    const char *argv[MOST_WORDS] = {path};
    int in[2], out[2], fds[3];

    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    close_fd(&c->in);
    close_fd(&c->out);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fds[0] = in[0];
    fds[1] = fds[2] = out[1];
    assert_int_equal(spawn_process(&(struct spawn){.path = path,
                                                   .argv = (char *const *)argv,
                                                   .fds = fds,
                                                   .n_fds = 3,
                                                   .parent_death_signal = SIGKILL},
                                   &c->pid, NULL),
                     0);
    close(in[0]);
    close(out[1]);
    c->in = in[1];
    c->out = out[0];
}

#define START(c, ...) start(c, (const char *const[]){__VA_ARGS__, NULL})

/* The daemon's part; the connection stays open. */
static int serves(struct client *c, uint32_t type, const char *command)
{
    int fd = stage_accept(c->daemon);

    send_hello(fd, 3);
    expect_hello(fd, 3);
    expect_exec(fd, type, 0, 0, command);
    send_peer(fd, type, 1, 513);
    return fd;
}

/* The VM's end of the data connection, after the hellos. */
static int vm_connects(struct client *c)
{
    _cleanup_(freep) char *path = stage_path(&c->s, "/run/vchan/vchan.0.1.513.sock");
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1;

    while (unix_connect(path, &fd) && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 5);
    assert_true(fd >= 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    send_hello(fd, 4);
    expect_hello(fd, 4);
    return fd;
}

static void send_data(int fd, uint32_t type, const char *text)
{
    struct bytes b = {.len = 0};

    put_text(&b, text, strlen(text));
    send_message(fd, type, &b);
}

static void send_code(int fd, uint32_t code)
{
    struct bytes b = {.len = 0};

    put_u32(&b, code);
    send_message(fd, EXIT_CODE, &b);
}

static void expect_data(int fd, const char *text)
{
    struct bytes b;

    expect_message(fd, STDIN, &b);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);
}

static void expect_end(struct client *c, const char *text, int code)
{
    _cleanup_(freep) char *out = read_to_end(c->out);

    assert_non_null(strstr(out, text));
    assert_int_equal(spawn_wait(c->pid), code);
}

static void a_command_has_its_streams_and_its_code(void **state)
{
    struct client c;
    int daemon, vm;

    (void)state;
    begin(&c);
    START(&c, "-d", "work", "user:cat");
    daemon = serves(&c, EXEC, "user:cat");
    vm = vm_connects(&c);
    send_bytes(c.in, "question", 8);
    expect_data(vm, "question");
    close_fd(&c.in);
    expect_data(vm, "");
    send_data(vm, STDOUT, "answer");
    send_data(vm, STDERR, "");
    send_data(vm, STDOUT, "");
    send_code(vm, 42);
    expect_end(&c, "answer", 42);
    close(vm);
    close(daemon);
    end(&c);
}

static void options_change_what_goes_through(void **state)
{
    struct client c;
    int daemon, vm;

    (void)state;
    begin(&c);
    START(&c, "-t", "-E", "-p", "first", "-d", "work", "user:cat");
    daemon = serves(&c, EXEC, "user:cat");
    vm = vm_connects(&c);
    expect_data(vm, "first");
    send_data(vm, STDOUT, "a\033[2Jb\n");
    send_data(vm, STDERR, "");
    send_data(vm, STDOUT, "");
    send_code(vm, 42);
    expect_end(&c, "a_[2Jb\n", 0);
    close(vm);
    close(daemon);
    end(&c);
}

static void just_exec_waits_for_its_status(void **state)
{
    static const uint32_t codes[] = {0, 127};
    struct client c;
    int daemon, vm;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        START(&c, "-e", "-d", "work", "user:true");
        daemon = serves(&c, JUST_EXEC, "user:true");
        vm = vm_connects(&c);
        send_code(vm, codes[i]);
        close(vm);
        close(daemon);
        expect_end(&c, "", (int)codes[i]);
    }
    end(&c);
}

static void a_local_command_stands_for_our_streams(void **state)
{
    struct client c;
    int daemon, vm;

    (void)state;
    begin(&c);
    START(&c, "-l", "echo $QREXEC_REMOTE_DOMAIN; cat >&2; exit 3", "-d", "work", "user:x");
    daemon = serves(&c, EXEC, "user:x");
    vm = vm_connects(&c);
    expect_data(vm, "work\n");
    send_data(vm, STDOUT, "to the local one");
    send_data(vm, STDERR, "");
    send_data(vm, STDOUT, "");
    send_code(vm, 0);
    expect_end(&c, "to the local one", 3); /* the remote code is 0: the local one counts */
    close(vm);
    close(daemon);
    end(&c);
}

static void a_lost_connection_is_never_success(void **state)
{
    struct client c;
    int daemon, vm;

    (void)state;
    begin(&c);
    START(&c, "-d", "work", "user:x");
    daemon = serves(&c, EXEC, "user:x");
    vm = vm_connects(&c);
    send_data(vm, STDOUT, "half");
    close(vm);
    expect_end(&c, "half", 255);
    close(daemon);
    end(&c);
}

static void what_is_not_reached_gives_125(void **state)
{
    struct client c;
    int fd;

    (void)state;
    begin(&c);
    START(&c, "-d", "nobody", "user:x");
    expect_end(&c, "nobody", 125);
    START(&c, "-d", "work", "user:x"); /* a daemon of another version */
    fd = stage_accept(c.daemon);
    send_hello(fd, 2);
    expect_end(&c, "protocol 2", 125);
    close(fd);
    START(&c, "-d", "work", "user:x"); /* one that drops us */
    close(stage_accept(c.daemon));
    expect_end(&c, "work", 125);
    START(&c, "-w", "1", "-d", "work", "user:x"); /* a VM that does not come */
    fd = serves(&c, EXEC, "user:x");
    expect_end(&c, "work", 125);
    close(fd);
    START(&c, "-d", "work", "user:x"); /* a call that ends before its VM came */
    close(serves(&c, EXEC, "user:x"));
    expect_end(&c, "work", 125);
    end(&c);
}

static void a_domain_is_killed_at_the_end_also_after_failure(void **state)
{
    struct client c;
    int fd;

    (void)state;
    begin(&c);
    c.s.admin = stage_listen(&c.s, "/run/qubesd.sock");
    START(&c, "-k", "-d", "work", "user:x");
    close(stage_accept(c.daemon));
    fd = expect_admin(c.s.admin, "admin.vm.Kill+ dom0 name work", "");
    admin_says(fd, "0\0", 2);
    expect_end(&c, "", 125);
    end(&c);
}

static void a_request_that_does_not_wait_gives_137(void **state)
{
    struct client c;
    int listener, fd;
    struct bytes b;

    (void)state;
    begin(&c);
    listener = stage_listen(&c.s, "/run/qubes/qrexec.7");
    START(&c, "-c", "SOCKET1,email,7", "-d", "dom0", "QUBESRPC test.Echo+ email name dom0");
    fd = stage_accept(listener);
    send_hello(fd, 3);
    expect_hello(fd, 3);
    expect_message(fd, CONNECT, &b);
    assert_string_equal((const char *)b.data + 8, "SOCKET1");
    close(fd);
    expect_end(&c, "", 137);
    close(listener);
    end(&c);
}

static void a_request_is_connected_to_another_vm(void **state)
{
    struct client c;
    int listener, source, target;

    (void)state;
    begin(&c);
    listener = stage_listen(&c.s, "/run/qubes/qrexec.7");
    START(&c, "-W", "-c", "SOCKET1,email,7", "-d", "work", "user:QUBESRPC a+ email");
    target = stage_accept(c.daemon);
    send_hello(target, 3);
    expect_hello(target, 3);
    expect_exec(target, EXEC, 7, 0, "user:QUBESRPC a+ email");
    send_peer(target, EXEC, 1, 514);
    source = stage_accept(listener);
    send_hello(source, 3);
    expect_hello(source, 3);
    expect_connect(source, 1, 514, "SOCKET1");
    expect_silence(c.out); /* it stays */
    close(target);
    expect_end(&c, "", 0);
    close(source);
    close(listener);
    end(&c);
}

static void a_service_of_dom0_runs_for_dom0(void **state)
{
    struct client c;

    (void)state;
    begin(&c);
    stage_script(&c.s, "/etc/qubes-rpc/test.Echo",
                 "#!/bin/sh\necho \"$QREXEC_REMOTE_DOMAIN:$1\"; cat; exit 9\n");
    START(&c, "-d", "dom0", "DEFAULT:QUBESRPC test.Echo+x dom0");
    send_bytes(c.in, "data", 4);
    close_fd(&c.in);
    expect_end(&c, "dom0:x\ndata", 9);
    START(&c, "-d", "dom0", "DEFAULT:QUBESRPC test.None+x dom0");
    expect_end(&c, "test.None", 127);
    end(&c);
}

static void what_does_not_go_together_is_usage(void **state)
{
    static const char *const cases[][8] = {
        {"user:x"},
        {"-d", "work"},
        {"-d", "work", "user:x", "more"},
        {"-e", "-l", "x", "-d", "work", "user:x"},
        {"-W", "-d", "work", "user:x"},
        {"-k", "-c", "A,b,1", "-d", "work", "user:x"},
        {"-c", "A,b,0", "-d", "work", "user:x"},
        {"-c", "A,b", "-d", "work", "user:x"},
        {"-c", "A;,b,1", "-d", "work", "user:x"},
        {"-w", "1.5", "-d", "work", "user:x"},
        {"-d", "dom0", "root:ls"},
        {"-d", "../work", "user:x"},
        {"--use-stdin-socket", "-l", "x", "-d", "work", "user:x"},
        {"--nothing", "-d", "work", "user:x"},
    };
    struct client c;

    (void)state;
    begin(&c);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start(&c, cases[i]);
        expect_end(&c, "usage: qrexec-client", 2);
    }
    START(&c, "--help");
    expect_end(&c, "usage: qrexec-client", 0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_has_its_streams_and_its_code),
        cmocka_unit_test(options_change_what_goes_through),
        cmocka_unit_test(just_exec_waits_for_its_status),
        cmocka_unit_test(a_local_command_stands_for_our_streams),
        cmocka_unit_test(a_lost_connection_is_never_success),
        cmocka_unit_test(what_is_not_reached_gives_125),
        cmocka_unit_test(a_domain_is_killed_at_the_end_also_after_failure),
        cmocka_unit_test(a_request_that_does_not_wait_gives_137),
        cmocka_unit_test(a_request_is_connected_to_another_vm),
        cmocka_unit_test(a_service_of_dom0_runs_for_dom0),
        cmocka_unit_test(what_does_not_go_together_is_usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
