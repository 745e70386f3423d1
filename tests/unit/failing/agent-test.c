/*
 * What qrexec-agent does when one call of the C library fails: the call that it was for may fail,
 * and its end is told; the agent goes on.
 *
 * The loop and the vchan are the stage's, and children are not really made; callers and a fork
 * server are played here over real sockets.
 */
#include "libqrexec/base/io.h"
#include "qrexec-agent/agent.h"
#include "tests/stage/folder.h"
#include "tests/stage/loop.h"
#include "tests/stage/vchan.h"
#include "tests/unit/failing/failing.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct agent a;
static char server_path[PATH_SIZE];
static int server;

static void say(const struct wire_writer *w)
{
    if (stage_vchan() && vchan_state(stage_vchan()) == VCHAN_CONNECTED)
        stage_vchan_put(stage_vchan(), w->data, w->len);
}

static void turns(void)
{
    bool rests = stage_settle();

    failing_off();
    failing_check(rests, "it does not come to rest");
    failing_on();
}

/* Whatever failed, the next daemon is served, and callers are heard. */
static void daemon_comes(void)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_hello(&w, WIRE_VERSION);
    for (int i = 0; i < 3 && a.control.state != CONTROL_SERVING; i++) {
        stage_vchan_appear(stage_vchan());
        turns();
        say(&w);
        turns();
    }
    stage_advance(10000); /* a socket that could not be made is tried again */
    turns();
    failing_check(a.control.state == CONTROL_SERVING && a.clients.listener >= 0,
                  "the agent does not serve the next daemon");
    buf_consume(stage_vchan_written(stage_vchan()), buf_len(stage_vchan_written(stage_vchan())));
}

static int up(void)
{
    int r;

    failing_off();
    memset(&a, 0, sizeof(a));
    stage_reset();
    stage_vchan_reset();
    (void)format(a.clients.path, sizeof(a.clients.path), "%s/agent", folder_new());
    a.calls.fork_server = server_path;
    a.calls.told_meminfo = true;
    failing_on();
    clients_init(&a);
    r = control_init(&a);
    if (!r)
        daemon_comes();
    return r;
}

static void down(void)
{
    clients_deinit(&a);
    calls_deinit(&a);
    control_deinit(&a);
    failing_check(!stage_watches() && !stage_timers() && !stage_vchans(),
                  "something is waited for");
    failing_check(!a.calls.first && !a.calls.waits && !a.clients.first, "something is left");
    failing_off();
    unlink(a.clients.path);
    failing_on();
}

static int count(uint32_t type)
{
    struct buf *b = stage_vchan_written(stage_vchan());
    int n = 0;

    while (buf_len(b) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(b), buf_len(b));
        struct msg_header h;

        failing_check(wire_read_header(&r, &h) == 0, "half a message");
        n += h.type == type;
        buf_consume(b, WIRE_HEADER_SIZE + h.len);
    }
    return n;
}

/* All that were made so far, in turn. */
static void children_end(void)
{
    for (int i = 0; i < 8; i++)
        calls_reap(&a, FAILING_PID_FIRST + i);
    turns();
}

static void order(const char *line)
{
    unsigned char data[256];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_exec(&w, MSG_EXEC_CMDLINE, 1, 513, wire_text(line));
    say(&w);
    turns();
}

static void wait_again(void)
{
    stage_advance(200); /* what failed for a shortage is tried again */
    turns();
}

/* The end is told once: at once, or when the carrier has ended. */
static int ends(const struct vchan *daemon, uint64_t epoch)
{
    int n;

    for (int i = 0; i < 6 && a.calls.first; i++) {
        children_end();
        wait_again();
    }
    if (stage_vchan() != daemon || !control_serves(&a, epoch))
        return -EPIPE;
    n = count(MSG_CONNECTION_TERMINATED);
    failing_check(n == 1, "the end of a call is not told once");
    return 0;
}

static int command(const char *line)
{
    int r = up();

    if (!r) {
        const struct vchan *daemon = stage_vchan();
        uint64_t epoch = a.control.epoch;

        order(line);
        r = ends(daemon, epoch);
    }
    down();
    return r;
}

static int command_by_a_child(void)
{
    return command("root:QUBESRPC q.A+x src");
}

static void advance(unsigned n)
{
    failing_off();
    for (unsigned i = 0; i < n && a.calls.first; i++) {
        stage_advance(200);
        (void)stage_settle();
    }
    failing_on();
}

/* A shortage that does not pass: longer than 50 s, less than the 120 s of its caller. */
static int command_without_a_descriptor(void)
{
    struct rlimit files, none;
    int r = up(), told = 0;

    if (!r) {
        (void)getrlimit(RLIMIT_NOFILE, &files);
        none = (struct rlimit){.rlim_cur = 0, .rlim_max = files.rlim_max};
        (void)setrlimit(RLIMIT_NOFILE, &none);
        order("nobody:true");
        advance(250);
        failing_check(a.calls.first || failing_did(), "a call is given up too soon");
        advance(300);
        failing_check(!a.calls.first, "a call that cannot be carried is not given up");
        told = count(MSG_CONNECTION_TERMINATED);
        failing_check(told == 1 || failing_did(), "the end of a call is not told once");
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    down();
    return r ? r : told == 1 ? 0 : -EPIPE;
}

static int command_that_waits_for_its_session(void)
{
    return command("root:QUBESRPC q.Wait src");
}

static int command_that_is_not_there(void)
{
    return command("root:QUBESRPC q.Missing src");
}

static int command_by_the_fork_server(void)
{
    int r = up(), fd;

    if (!r) {
        const struct vchan *daemon = stage_vchan();
        uint64_t epoch = a.control.epoch;

        order("nobody:QUBESRPC q.A+x src");
        wait_again();
        failing_off();
        while ((fd = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0)
            close_fd(&fd);
        failing_on();
        turns();
        r = ends(daemon, epoch);
    }
    down();
    return r;
}

static int caller(void)
{
    int fd = -1;

    failing_off();
    (void)unix_connect(a.clients.path, &fd);
    failing_on();
    turns();
    return fd;
}

static void caller_says(int fd)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    struct wire_writer w = wire_writer(data, sizeof(data));
    const struct wire_ident ident = {""};
    struct wire_trigger t = wire_trigger_new("", "b", "q.A+x", &ident);

    (void)wire_write_trigger(&w, 3, &t);
    failing_off();
    (void)send(fd, data, w.len, MSG_NOSIGNAL);
    failing_on();
    turns();
}

static void answer(uint64_t number)
{
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));
    struct wire_ident ident = {""};

    (void)format(ident.bytes, sizeof(ident.bytes), "SOCKET%llu", (unsigned long long)number);
    (void)wire_write_connect(&w, 2, 514, &ident);
    say(&w);
    turns();
}

/* A caller is told where to connect, or by the end of its connection that it may not. */
static int call_of_a_program(void)
{
    unsigned char bytes[16];
    ssize_t n = -1;
    int r = up(), fd, ended;

    if (!r) {
        fd = caller();
        caller_says(fd);
        if (a.clients.next_number > a.clients.first_number)
            answer(a.clients.next_number - 1);
        failing_off();
        n = fd < 0 ? 0 : recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        close_fd(&fd);
        failing_on();
        turns();
        ended = count(MSG_CONNECTION_TERMINATED);
        failing_check(ended <= 1, "an end is told twice");
        failing_check(n != 8 || ended == 1 || failing_did(), "the end of a call is not told");
        r = n == 8 ? 0 : -EPIPE;
    }
    down();
    return r;
}

static int daemons_in_turn(void)
{
    int r = up(), fd;

    if (!r) {
        fd = caller();
        caller_says(fd);
        stage_vchan_close(stage_vchan());
        turns();
        failing_check(stage_has_quit() || !a.clients.first, "a caller of the old daemon is left");
        if (!stage_has_quit())
            daemon_comes();
        failing_off();
        close_fd(&fd);
        failing_on();
        turns();
    }
    down();
    return r;
}

static const struct scenario list[] = {
    {"command_by_a_child", command_by_a_child},
    {"command_without_a_descriptor", command_without_a_descriptor},
    {"command_that_waits_for_its_session", command_that_waits_for_its_session},
    {"command_that_is_not_there", command_that_is_not_there},
    {"command_by_the_fork_server", command_by_the_fork_server},
    {"call_of_a_program", call_of_a_program},
    {"daemons_in_turn", daemons_in_turn},
};

int main(int argc, char **argv)
{
    stage_poll = failing_real_poll;
    failing_fake_forks();
    folder_file("services/q.A", "#!/bin/sh\n", 0755);
    folder_file("services/q.Wait", "#!/bin/sh\n", 0755);
    folder_file("services/qubes.WaitForSession", "#!/bin/sh\n", 0755);
    folder_file("config/q.Wait", "wait-for-session = true\n", 0644);
    setenv("QREXEC_SERVICE_PATH", folder_path("services"), 1);
    setenv("QUBES_RPC_CONFIG_PATH", folder_path("config"), 1);
    server = folder_socket("server.nobody");
    (void)format(server_path, sizeof(server_path), "%s/server.%%s", folder_new());
    return failing_main(argc, argv, list, ARRAY_SIZE(list));
}
