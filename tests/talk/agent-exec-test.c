/* Talks of a scripted daemon with the agent: what others run here. */
#include "tests/talk/agent-peer.h"

#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_start(&world, 4);
    return 0;
}

static pid_t fork_server;

static int stop(void **state)
{
    (void)state;
    if (fork_server)
        kill(fork_server, SIGKILL);
    world_stop(&world);
    return 0;
}

static const char *line(const char *command)
{
    static char text[8192];

    assert_int_equal(format(text, sizeof(text), "%s:%s", world.user, command), 0);
    return text;
}

static void shell_command_gets_input_and_gives_output_and_code(void **state)
{
    struct outcome o;

    (void)state;
    call_run(&world, EXEC_CMDLINE, 513, line("cat; echo err >&2; exit 7"), "hello", &o);
    assert_string_equal(o.out, "hello");
    assert_non_null(strstr(o.err, "err\n"));
    assert_true(o.out_eof && o.err_eof);
    assert_int_equal(o.code, 7);
}

static void killed_carrier_is_reported(void **state)
{
    int listener = vchan_serve(&world, 0, 513), fd;
    struct message m;
    struct outcome o;

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 0, 513, line("echo $QREXEC_AGENT_PID; exec cat"));
    fd = vchan_accept(listener);
    close(listener);
    message_expect(fd, DATA_STDOUT, &m);
    if (m.len == 0)
        message_expect(fd, DATA_STDOUT, &m);
    m.body[m.len] = 0;
    assert_int_equal(kill((pid_t)strtol((char *)m.body, NULL, 10), SIGKILL), 0);
    expect_terminated(&world, 0, 513);
    call_finish(fd, &o);
    assert_int_equal(o.code, -1);
    call_run(&world, EXEC_CMDLINE, 513, line("echo again"), "", &o);
    assert_string_equal(o.out, "again\n");
}

static void send_word(const char *text)
{
    char ident[32] = {0};

    memcpy(ident, text, strlen(text));
    message_send(world.daemon, REFUSED, ident, sizeof(ident));
}

/* A call of domain 9; its program writes when its input has ended. */
static int call_from_9(int *ret_listener)
{
    struct message m;
    int fd;

    *ret_listener = vchan_serve(&world, 9, 515);
    send_exec(&world, EXEC_CMDLINE, 9, 515, line("echo up; cat >/dev/null; exit 0"));
    fd = vchan_accept(*ret_listener);
    message_expect(fd, DATA_STDOUT, &m);
    return fd;
}

static void gone_caller_ends_the_service_as_when_it_left(void **state)
{
    struct outcome o;
    int listener, fd = call_from_9(&listener);

    (void)state;
    send_word("gone.9.514");
    send_word("gone.0.515");
    send_word("gone.9.515x");
    expect_nothing(world.daemon); /* none of these was about it */
    send_word("gone.9.515");
    expect_terminated(&world, 9, 515); /* the program met the end of its input */
    close(fd);
    close(listener);
    call_run(&world, EXEC_CMDLINE, 513, line("echo again"), "", &o);
    assert_string_equal(o.out, "again\n");
}

static void gone_caller_that_never_served_ends_the_wait(void **state)
{
    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 515, line("echo never"));
    expect_nothing(world.daemon);
    send_word("gone.9.515");
    expect_terminated(&world, 9, 515);
}

static uint64_t get_u64(const unsigned char *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

/* The agent's answer about that connection; its first byte came within the test's time. */
static void expect_counts(uint32_t domain, uint32_t port, uint64_t sent, uint64_t received)
{
    struct message m;

    message_expect(world.daemon, 0x2f0, &m);
    assert_int_equal(m.len, 32);
    assert_int_equal(get_u32(m.body), domain);
    assert_int_equal(get_u32(m.body + 4), port);
    assert_int_equal(get_u64(m.body + 8), sent);
    assert_int_equal(get_u64(m.body + 16), received);
    if (sent || received)
        assert_in_range(get_u64(m.body + 24), 1, 60000000);
    else
        assert_int_equal(get_u64(m.body + 24), 0);
}

static void looked_at_a_call_tells_its_bytes(void **state)
{
    int listener, fd = call_from_9(&listener);

    (void)state;
    send_word("look.9.514"); /* about no call here */
    send_word("look.9.515x");
    send_word("look.9");
    send_word("look.0.515");
    expect_nothing(world.daemon);
    send_word("look.9.515");
    expect_counts(9, 515, 3, 0); /* "up\n" */
    message_send(fd, DATA_STDIN, "12345", 5);
    for (int i = 0; i < 3; i++) { /* each is answered, with what there is by then */
        struct message m;

        send_word("look.9.515");
        message_expect(world.daemon, 0x2f0, &m);
        if (get_u64(m.body + 16) != 5 && i < 2)
            usleep(100000);
        else
            assert_int_equal(get_u64(m.body + 16), 5);
    }
    message_send(fd, DATA_STDIN, "", 0);
    expect_terminated(&world, 9, 515);
    send_word("look.9.515"); /* over */
    expect_nothing(world.daemon);
    close(fd);
    close(listener);
}

static void a_call_that_waits_for_its_caller_has_no_bytes(void **state)
{
    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 515, line("echo never"));
    send_word("look.9.515");
    expect_counts(9, 515, 0, 0);
    send_word("stop.9.515");
    expect_terminated(&world, 9, 515);
}

/* Its parent, 0 when it is gone; and whether the agent is above it. */
static pid_t parent_of(pid_t pid, bool *ret_ours)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/stat", (int)pid);
    _cleanup_(freep) char *text = NULL;
    const char *end;
    pid_t parent;
    bool ignored;
    size_t n;

    *ret_ours = false;
    if (pid <= 1 || file_read(path, 4096, &text, &n) != 0 || !(end = strrchr(text, ')')) ||
        end[2] == 'Z')
        return 0;
    parent = (pid_t)strtol(end + 4, NULL, 10);
    *ret_ours = parent == world.agent || (parent_of(parent, &ignored) && ignored);
    return parent;
}

/* In ticks since the machine's; numbers of processes begin anew some time. */
static unsigned long long started(pid_t pid)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/stat", (int)pid), *text = NULL;
    const char *at;
    size_t n;

    if (file_read(path, 4096, &text, &n))
        return 0;
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* The newest process that the agent, or a session of it, forked. */
static pid_t newest_carrier(void)
{
    DIR *proc = opendir("/proc");
    unsigned long long last = 0;
    pid_t newest = 0;
    bool ours;

    assert_non_null(proc);
    for (const struct dirent *e; (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        unsigned long long at = parent_of(pid, &ours) && ours ? started(pid) : 0;

        if (at > last || (at && at == last && pid > newest)) {
            newest = pid;
            last = at;
        }
    }
    closedir(proc);
    assert_int_not_equal(newest, 0);
    return newest;
}

/* It waits for its caller, and is killed. */
static void kill_waiting(uint32_t port)
{
    char look[32];

    assert_int_equal(format(look, sizeof(look), "look.9.%u", port), 0);
    send_word(look);
    expect_counts(9, port, 0, 0);
    assert_int_equal(kill(newest_carrier(), SIGKILL), 0);
}

/* Another takes its place to say so: nothing was run, and nobody waits in vain. */
static void a_carrier_killed_before_its_caller_was_reached_is_replaced(void **state)
{
    const struct {
        const char *line;
        int code;
    } cases[] = {{line("touch /tmp/nothing/there; echo never"), 125},
                 {"nobody-here:QUBESRPC test.None+ a", 127}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o;
        int listener, fd;

        send_exec(&world, EXEC_CMDLINE, 9, 516, cases[i].line);
        kill_waiting(516);
        listener = vchan_serve(&world, 9, 516);
        fd = vchan_accept(listener);
        close(listener);
        call_finish(fd, &o);
        assert_int_equal(o.code, cases[i].code);
        assert_string_equal(o.out, "");
        expect_terminated(&world, 9, 516);
        expect_nothing(world.daemon);
    }
}

static void one_that_replaces_another_is_not_replaced(void **state)
{
    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 516, line("echo never"));
    kill_waiting(516);
    kill_waiting(516);
    expect_terminated(&world, 9, 516);
    expect_nothing(world.daemon);
}

/* Ended, if perhaps not waited for yet by whoever is its parent now. */
static bool has_ended(pid_t pid)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/stat", (int)pid);
    _cleanup_(freep) char *text = NULL;
    size_t n;

    return file_read(path, 4096, &text, &n) != 0 || strstr(text, ") Z ");
}

/* Though its program takes no notice. */
static void a_stopped_call_ends_and_its_caller_is_told(void **state)
{
    int listener = vchan_serve(&world, 9, 515), fd;
    struct message m;
    struct outcome o;
    uint64_t start;
    pid_t program;

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 515,
              line("trap '' TERM HUP; echo $$; while :; do sleep 0.1; done"));
    fd = vchan_accept(listener);
    message_expect(fd, DATA_STDOUT, &m);
    m.body[m.len] = 0;
    program = (pid_t)strtol((char *)m.body, NULL, 10);
    start = clock_ms();
    send_word("stop.9.514");
    send_word("stop.9.515.");
    expect_nothing(world.daemon);
    send_word("stop.9.515");
    call_finish(fd, &o);
    assert_int_equal(o.code, 255);
    assert_string_equal(o.err, "qrexec: the call is ended by the administrator\n");
    assert_true(o.out_eof && o.err_eof);
    expect_terminated(&world, 9, 515);
    assert_in_range(clock_ms() - start, 0, 5000);
    while (!has_ended(program) && clock_ms() - start < WAIT_MS)
        usleep(10000);
    assert_true(has_ended(program));
    close(listener);
    call_run(&world, EXEC_CMDLINE, 513, line("echo again"), "", &o);
    assert_string_equal(o.out, "again\n");
}

/* ---- Limits of a service [ext] ---- */

static void a_service_over_its_time_ends_with_125_and_says_so(void **state)
{
    struct outcome o;
    uint64_t start = clock_ms();

    (void)state;
    service_write(&world, "test.Long",
                  "#!/bin/sh\ntrap '' TERM; echo up; sleep 60 & wait; sleep 60\n", 0755);
    config_write(&world, "test.Long", "max-time = 1\n");
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Long+a email"), "", &o);
    assert_int_equal(o.code, 125);
    assert_string_equal(o.out, "up\n");
    assert_string_equal(o.err, "qrexec: service test.Long+a: its max-time of 1 s is over\n");
    assert_in_range(clock_ms() - start, 1000, WAIT_MS);
    service_write(&world, "test.Long", "#!/bin/sh\nexit 3\n", 0755);
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Long+a email"), "", &o);
    assert_int_equal(o.code, 3);
    assert_string_equal(o.err, "");
}

static void a_service_over_its_bytes_ends_with_125_and_says_so(void **state)
{
    struct outcome o;

    (void)state;
    service_write(&world, "test.Much", "#!/bin/sh\necho 12345; cat\n", 0755);
    config_write(&world, "test.Much", "max-bytes = 10\n");
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Much email"), "12", &o);
    assert_int_equal(o.code, 0);
    assert_string_equal(o.out, "12345\n12");
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Much email"), "123", &o);
    assert_int_equal(o.code, 125);
    assert_string_equal(o.err, "qrexec: service test.Much: its max-bytes of 10 are used up\n");
    assert_true(str_starts("12345\n123", o.out));
}

static void a_service_may_only_take_or_only_give(void **state)
{
    struct outcome o;

    (void)state;
    service_write(&world, "test.Flow", "#!/bin/sh\necho given; cat >&2; exit 4\n", 0755);
    config_write(&world, "test.Flow", "flow = in\n");
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Flow email"), "taken", &o);
    assert_string_equal(o.out, "");
    assert_string_equal(o.err, "taken");
    assert_true(o.out_eof);
    assert_int_equal(o.code, 4);
    config_write(&world, "test.Flow", "flow = 'out'\n");
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Flow email"), "taken", &o);
    assert_string_equal(o.out, "given\n");
    assert_string_equal(o.err, "");
    assert_int_equal(o.code, 4);
}

static void call_outlives_daemon_and_is_not_reported_to_the_next(void **state)
{
    int listener = vchan_serve(&world, 0, 513), fd;
    struct message m;
    struct outcome o;

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 0, 513, line("cat"));
    fd = vchan_accept(listener);
    close(listener);
    close_fd(&world.daemon);
    daemon_connect(&world, 4);
    send_word("held.7.513"); /* others' */
    send_word("held.0.514");
    message_send(fd, DATA_STDIN, "late", 4);
    message_expect(fd, DATA_STDOUT, &m);
    assert_memory_equal(m.body, "late", 4);
    message_send(fd, DATA_STDIN, "", 0);
    call_finish(fd, &o);
    assert_int_equal(o.code, 0);
    expect_nothing(world.daemon);
    call_run(&world, EXEC_CMDLINE, 513, line("echo again"), "", &o);
    assert_string_equal(o.out, "again\n");
}

/* A call that runs, and the daemon that it belongs to is gone. */
static int call_without_its_daemon(uint32_t port)
{
    int listener = vchan_serve(&world, 0, port), fd;

    send_exec(&world, EXEC_CMDLINE, 0, port, line("cat"));
    fd = vchan_accept(listener);
    close(listener);
    close_fd(&world.daemon);
    return fd;
}

static void end_call(int fd)
{
    struct outcome o;

    message_send(fd, DATA_STDIN, "", 0);
    call_finish(fd, &o);
    assert_int_equal(o.code, 0);
}

static void call_is_reported_to_a_daemon_that_holds_its_port(void **state)
{
    int fd = call_without_its_daemon(513);

    (void)state;
    daemon_connect(&world, 4);
    send_word("held.0.513");
    send_word("held.0.599"); /* none of ours: an earlier agent's may go on */
    send_word("held.7.513");
    send_word("held.0.513x");
    expect_nothing(world.daemon);
    end_call(fd);
    expect_terminated(&world, 0, 513);
    close_fd(&world.daemon);
    daemon_connect(&world, 4);
    send_word("held.0.513"); /* as if the last daemon had died before it read that */
    expect_terminated(&world, 0, 513);
    expect_nothing(world.daemon);
}

static void call_that_ended_without_a_daemon_is_reported_when_asked_for(void **state)
{
    int fd = call_without_its_daemon(513), other;

    (void)state;
    end_call(fd);
    daemon_connect(&world, 4);
    expect_nothing(world.daemon);
    send_word("held.7.513");
    expect_nothing(world.daemon);
    other = call_without_its_daemon(514); /* it did not ask: nor need the next */
    daemon_connect(&world, 4);
    send_word("held.0.514");
    send_word("held.0.513");
    expect_terminated(&world, 0, 513);
    expect_nothing(world.daemon);
    end_call(other);
    expect_terminated(&world, 0, 514);
}

/* The daemon did not know that the port was taken. */
static void the_newest_call_of_a_port_is_meant(void **state)
{
    int old = call_without_its_daemon(513), new;

    (void)state;
    daemon_connect(&world, 4);
    new = call_without_its_daemon(513);
    daemon_connect(&world, 4);
    send_word("held.0.513");
    end_call(old);
    expect_nothing(world.daemon);
    end_call(new);
    expect_terminated(&world, 0, 513);
}

/* By a session, where there are any; and by a child, that only says so. */
static void a_call_is_carried_when_a_shortage_of_descriptors_is_over(void **state)
{
    const struct {
        const char *line;
        int code;
    } cases[] = {{"exit 3", 3}, {"QUBESRPC test.None+ a", 127}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int listener = vchan_serve(&world, 9, 516);
        struct rlimit files;
        struct outcome o;

        files_end(world.agent, &files);
        send_exec(&world, EXEC_CMDLINE, 9, 516, line(cases[i].line));
        expect_nothing(world.daemon);
        expect_nothing(listener);
        files_return(world.agent, &files);
        call_finish(vchan_accept(listener), &o);
        assert_int_equal(o.code, cases[i].code);
        expect_terminated(&world, 9, 516);
        close(listener);
    }
}

static void a_call_that_waits_for_a_descriptor_is_looked_at_and_stopped(void **state)
{
    struct rlimit files;

    (void)state;
    files_end(world.agent, &files);
    send_exec(&world, EXEC_CMDLINE, 9, 516, line("echo never"));
    send_word("look.9.516");
    expect_counts(9, 516, 0, 0);
    send_word("stop.9.516");
    expect_terminated(&world, 9, 516);
    files_return(world.agent, &files);
    expect_nothing(world.daemon);
}

/* A listener whose queue is full; *ret_filler is in it. */
static int busy_socket(const char *name, int *ret_filler)
{
    _cleanup_(freep) char *path = format_new("%s/%s", world.dir, name);
    int listener;

    assert_int_equal(unix_listen(path, 0777, &listener), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(unix_connect(path, ret_filler), 0);
    return listener;
}

static int take_next(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int fd;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void a_busy_fork_server_is_waited_for(void **state)
{
    _cleanup_(freep) char *name = format_new("server.%s.sock", world.user);
    _cleanup_(freep) char *path = format_new("%s/%s", world.dir, name);
    int filler, busy = busy_socket(name, &filler), fd;
    unsigned char said[16 + sizeof("echo hi")];

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 516, line("echo hi"));
    expect_nothing(world.daemon);
    close(take_next(busy));
    fd = take_next(busy);
    assert_int_equal(read_full_until(fd, said, sizeof(said), clock_ms() + WAIT_MS), 0);
    assert_string_equal((char *)said + 16, "echo hi");
    close(fd);
    expect_terminated(&world, 9, 516);
    close(filler);
    close(busy);
    unlink(path);
}

static void a_busy_socket_service_is_waited_for(void **state)
{
    int filler, busy = busy_socket("services/test.Busy", &filler);
    int listener = vchan_serve(&world, 9, 516), fd;
    char said[sizeof("test.Busy+ email")];
    struct outcome o;

    (void)state;
    send_exec(&world, EXEC_CMDLINE, 9, 516, line("QUBESRPC test.Busy+ email"));
    expect_nothing(world.daemon);
    close(take_next(busy));
    fd = take_next(busy);
    assert_int_equal(read_full_until(fd, said, sizeof(said), clock_ms() + WAIT_MS), 0);
    assert_string_equal(said, "test.Busy+ email");
    assert_int_equal(write_full(fd, "served", 6), 0);
    close(fd);
    call_finish(vchan_accept(listener), &o);
    assert_string_equal(o.out, "served");
    assert_int_equal(o.code, 0);
    expect_terminated(&world, 9, 516);
    close(filler);
    close(busy);
    close(listener);
}

static void session_is_waited_for_once(void **state)
{
    int first = vchan_serve(&world, 0, 513), second = vchan_serve(&world, 0, 514);
    char script[1024];
    _cleanup_(freep) char *log = NULL;
    struct outcome o;
    size_t n;

    (void)state;
    assert_int_equal(format(script, sizeof(script),
                            "#!/bin/sh\nread u; echo \"$u $QREXEC_REMOTE_DOMAIN\" >>%s/waited\n"
                            "while [ -d %s ] && ! [ -e %s/go ]; do sleep 0.01; done\nexit 3\n",
                            world.dir, world.dir, world.dir),
                     0);
    service_write(&world, "qubes.WaitForSession", script, 0755);
    service_write(&world, "test.Gui", "#!/bin/sh\necho gui\n", 0755);
    config_write(&world, "test.Gui", "wait-for-session = 1\n");
    send_exec(&world, EXEC_CMDLINE, 0, 513, line("QUBESRPC test.Gui+ email"));
    send_exec(&world, EXEC_CMDLINE, 0, 514, line("QUBESRPC test.Gui+ email"));
    expect_nothing(first);
    call_run(&world, EXEC_CMDLINE, 515, line("nogui:QUBESRPC test.Gui+ email"), "", &o);
    assert_string_equal(o.out, "gui\n");
    assert_int_equal(format(script, sizeof(script), "%s/go", world.dir), 0);
    close(open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    call_finish(vchan_accept(first), &o);
    assert_string_equal(o.out, "gui\n");
    expect_terminated(&world, 0, 513);
    call_finish(vchan_accept(second), &o);
    assert_string_equal(o.out, "gui\n");
    expect_terminated(&world, 0, 514);
    close(first);
    close(second);
    assert_int_equal(format(script, sizeof(script), "%s/waited", world.dir), 0);
    assert_int_equal(file_read(script, 1000, &log, &n), 0);
    assert_int_equal(format(script, sizeof(script), "%s email\n", world.user), 0);
    assert_string_equal(log, script);
}

static unsigned long ticks_of(pid_t pid)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/stat", (int)pid), *text = NULL;
    unsigned long user = 0, system = 0;
    size_t n;

    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_int_equal(sscanf(strrchr(text, ')'),
                            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                            &system),
                     2);
    return user + system;
}

/* The end of what it says is seen once, and not again and again until it ends itself. */
static void an_agent_sleeps_while_a_session_is_waited_for(void **state)
{
    int listener = vchan_serve(&world, 0, 513);
    unsigned long before;
    struct outcome o;

    (void)state;
    service_write(&world, "qubes.WaitForSession", "#!/bin/sh\nexec >&- 2>&-\nsleep 1\n", 0755);
    service_write(&world, "test.Gui", "#!/bin/sh\necho gui\n", 0755);
    config_write(&world, "test.Gui", "wait-for-session = 1\n");
    send_exec(&world, EXEC_CMDLINE, 0, 513, line("QUBESRPC test.Gui+ email"));
    before = ticks_of(world.agent);
    call_finish(vchan_accept(listener), &o);
    assert_string_equal(o.out, "gui\n");
    assert_in_range(ticks_of(world.agent) - before, 0, 20); /* of a hundred in that second */
    expect_terminated(&world, 0, 513);
    close(listener);
}

static void fork_server_start(void)
{
    char program[512], path[512];
    char *argv[] = {program, path, NULL};
    const int fds[] = {-1, -1, -1};
    const struct spawn s = {.path = program, .argv = argv, .fds = fds, .n_fds = 3};
    struct outcome o;
    pid_t pid;

    program_path(program, "qrexec-fork-server");
    assert_int_equal(format(path, sizeof(path), "%s/server.%s.sock", world.dir, world.user), 0);
    assert_int_equal(spawn_process(&s, &pid, NULL), 0);
    assert_int_equal(spawn_wait(pid), 0); /* it listens now */
    call_run(&world, EXEC_CMDLINE, 513, line("ps -o ppid= -p $QREXEC_AGENT_PID"), "", &o);
    fork_server = (pid_t)strtol(o.out, NULL, 10);
    assert_true(fork_server > 1);
}

static uint64_t cpu_ms(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &t), 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What waits to be accepted is there all the time. */
static void fork_server_rests_while_descriptors_are_short(void)
{
    int listener = vchan_serve(&world, 9, 516);
    struct rlimit files;
    struct outcome o;
    uint64_t spent;

    files_end(fork_server, &files);
    spent = cpu_ms(fork_server);
    send_exec(&world, EXEC_CMDLINE, 9, 516, line("exit 3"));
    for (int i = 0; i < 5; i++)
        expect_nothing(listener);
    assert_in_range(cpu_ms(fork_server) - spent, 0, 50); /* of a second */
    files_return(fork_server, &files);
    call_finish(vchan_accept(listener), &o);
    assert_int_equal(o.code, 3);
    expect_terminated(&world, 9, 516);
    close(listener);
}

static void fork_server_runs_in_its_session(void **state)
{
    struct outcome o;

    (void)state;
    setenv("SESSION_MARK", "session", 1);
    fork_server_start();
    unsetenv("SESSION_MARK");
    service_write(&world, "test.Where", "#!/bin/sh\necho ${SESSION_MARK-none} $1; exit 4\n", 0755);
    call_run(&world, EXEC_CMDLINE, 513, line("QUBESRPC test.Where+a email"), "", &o);
    assert_string_equal(o.out, "session a\n");
    assert_int_equal(o.code, 4);
    call_run(&world, EXEC_CMDLINE, 513, line("echo ${SESSION_MARK-none}"), "", &o);
    assert_string_equal(o.out, "session\n");
    call_run(&world, EXEC_CMDLINE, 513, line("nogui:echo ${SESSION_MARK-none}"), "", &o);
    assert_string_equal(o.out, "none\n");
    gone_caller_ends_the_service_as_when_it_left(state);
    gone_caller_that_never_served_ends_the_wait(state);
    looked_at_a_call_tells_its_bytes(state);
    a_call_that_waits_for_its_caller_has_no_bytes(state);
    a_stopped_call_ends_and_its_caller_is_told(state);
    fork_server_rests_while_descriptors_are_short();
    kill(fork_server, SIGKILL);
    fork_server = 0;
    usleep(50000);
    call_run(&world, EXEC_CMDLINE, 513, line("echo ${SESSION_MARK-none}"), "", &o);
    assert_string_equal(o.out, "none\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shell_command_gets_input_and_gives_output_and_code),
        cmocka_unit_test(killed_carrier_is_reported),
        cmocka_unit_test(gone_caller_ends_the_service_as_when_it_left),
        cmocka_unit_test(gone_caller_that_never_served_ends_the_wait),
        cmocka_unit_test(looked_at_a_call_tells_its_bytes),
        cmocka_unit_test(a_call_that_waits_for_its_caller_has_no_bytes),
        cmocka_unit_test(a_carrier_killed_before_its_caller_was_reached_is_replaced),
        cmocka_unit_test(one_that_replaces_another_is_not_replaced),
        cmocka_unit_test(a_stopped_call_ends_and_its_caller_is_told),
        cmocka_unit_test(a_service_over_its_time_ends_with_125_and_says_so),
        cmocka_unit_test(a_service_over_its_bytes_ends_with_125_and_says_so),
        cmocka_unit_test(a_service_may_only_take_or_only_give),
        cmocka_unit_test(call_outlives_daemon_and_is_not_reported_to_the_next),
        cmocka_unit_test(call_is_reported_to_a_daemon_that_holds_its_port),
        cmocka_unit_test(call_that_ended_without_a_daemon_is_reported_when_asked_for),
        cmocka_unit_test(the_newest_call_of_a_port_is_meant),
        cmocka_unit_test(a_call_is_carried_when_a_shortage_of_descriptors_is_over),
        cmocka_unit_test(a_call_that_waits_for_a_descriptor_is_looked_at_and_stopped),
        cmocka_unit_test(a_busy_fork_server_is_waited_for),
        cmocka_unit_test(a_busy_socket_service_is_waited_for),
        cmocka_unit_test(session_is_waited_for_once),
        cmocka_unit_test(an_agent_sleeps_while_a_session_is_waited_for),
        cmocka_unit_test(fork_server_runs_in_its_session),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
