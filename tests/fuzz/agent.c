/*
 * The agent: what a daemon says on the control channel, and programs of this VM on the socket.
 *
 * All of qrexec-agent but its main() runs here; children are not really made. The daemon, callers,
 * children and a fork server are played by the input, whose bytes are steps. Whatever they do:
 * what goes to the daemon is well-formed, no request's number is used twice, each command and each
 * connection is reported as over once, and when all is over nothing is left.
 */
#include "qrexec-agent/agent.h"
#include "libqrexec/base/io.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/stage/folder.h"
#include "tests/stage/loop.h"
#include "tests/stage/vchan.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define MOST 128

static struct agent a;
static int callers[MOST], servers[MOST], listener;
static size_t n_callers, n_servers;
static pid_t children[4096];
static size_t n_children;
static bool fork_fails;

static struct buf said; /* by the daemon, and not looked at yet */
static bool said_nonsense, daemon_said_hello, agent_said_hello, said_held;
static uint64_t last_number, first_number;
static size_t ends_due, ends_told;

/* Nobody is really made: the child that the agent sees ends when the input says so. */
pid_t fork(void)
{
    static pid_t next = 0x70000000;

    if (fork_fails || n_children == ARRAY_SIZE(children)) {
        fork_fails = false;
        errno = EAGAIN;
        return -1;
    }
    children[n_children++] = next;
    return next++;
}

/* In place of sessions.c: whoever takes the call is played like a fork server. */
int sessions_call(struct agent *agent, const char *user, const struct wire_fork *f,
                  struct wire_text line, int *ret)
{
    int pair[2];

    (void)agent;
    (void)user;
    (void)line;
    if (fork_fails || n_servers == MOST || !f->cmdline_len ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        fork_fails = false;
        return -EAGAIN;
    }
    servers[n_servers++] = pair[1];
    *ret = pair[0];
    return 0;
}

void sessions_deinit(struct agent *agent)
{
    (void)agent;
}

static void check(bool ok, const char *what)
{
    if (!ok)
        fuzz_fail(what);
}

static bool is_ours(const struct wire_ident *ident)
{
    uint64_t n = strtoull(ident->bytes + strlen("SOCKET"), NULL, 10);

    return str_starts(ident->bytes, "SOCKET") && n >= first_number && n <= last_number;
}

static void look_at_order(const struct msg_header *h, struct wire_reader *r)
{
    struct wire_connect connect;
    struct wire_ident ident;
    struct wire_exec exec;
    int e = 0;

    switch (h->type) {
    case MSG_HELLO: daemon_said_hello = true; break;
    case MSG_SERVICE_CONNECT:
        e = wire_read_connect(r, &connect);
        if (!e && is_ours(&connect.ident))
            ends_due++;
        break;
    case MSG_SERVICE_REFUSED:
        e = wire_read_refused(r, &ident);
        said_held |= !e && wire_ident_says_held(&ident);
        break;
    default:
        e = wire_read_exec(r, &exec);
        ends_due += !e;
        break;
    }
    said_nonsense = e != 0;
}

/* The same reader over the same bytes, to know what was ordered. */
static void look_at_said(void)
{
    while (!said_nonsense && buf_len(&said) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(&said), buf_len(&said));
        struct msg_header h;

        said_nonsense = wire_read_header(&r, &h) ||
                        wire_check_header(WIRE_DAEMON_TO_AGENT, 4, &h) ||
                        (h.type == MSG_HELLO) == daemon_said_hello;
        if (said_nonsense || buf_len(&said) - WIRE_HEADER_SIZE < h.len)
            return;
        r = wire_reader(buf_data(&said) + WIRE_HEADER_SIZE, h.len);
        look_at_order(&h, &r);
        buf_consume(&said, WIRE_HEADER_SIZE + h.len);
    }
}

static void look_at_report(const struct msg_header *h, struct wire_reader *r)
{
    struct wire_trigger t;
    struct wire_request rq;
    static char service[WIRE_SERVICE_SIZE];
    uint64_t number;

    if (h->type == MSG_CONNECTION_TERMINATED) {
        ends_told++;
        return;
    }
    check(wire_read_trigger(r, h->type, &t) == 0 && wire_clean_trigger(&t, service, &rq) == 0,
          "a trigger that a daemon does not take");
    number = strtoull(t.ident.bytes + strlen("SOCKET"), NULL, 10);
    check(str_starts(t.ident.bytes, "SOCKET") && number > last_number, "a number is used twice");
    last_number = number;
}

static void look_at_written(void)
{
    struct buf *b = stage_vchan_written(stage_vchan());

    while (buf_len(b) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(b), buf_len(b));
        struct msg_header h;
        uint32_t version = agent_said_hello ? a.control.version : WIRE_VERSION;

        check(wire_read_header(&r, &h) == 0 &&
                  wire_check_header(WIRE_AGENT_TO_DAEMON, version, &h) == 0 &&
                  (h.type == MSG_HELLO) != agent_said_hello,
              "a message to the daemon that may not be sent");
        if (buf_len(b) - WIRE_HEADER_SIZE < h.len)
            return;
        agent_said_hello = true;
        r = wire_reader(buf_data(b) + WIRE_HEADER_SIZE, h.len);
        if (h.type != MSG_HELLO)
            look_at_report(&h, &r);
        buf_consume(b, WIRE_HEADER_SIZE + h.len);
    }
}

static void forget_daemon(void)
{
    said_nonsense = daemon_said_hello = agent_said_hello = said_held = false;
    ends_due = ends_told = 0;
    buf_consume(&said, buf_len(&said));
}

static bool is_connected(void)
{
    return stage_vchan() && vchan_state(stage_vchan()) == VCHAN_CONNECTED;
}

static void turns(void)
{
    check(stage_settle(), "the agent does not come to rest");
    if (!is_connected())
        forget_daemon();
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
        if (n_servers < MOST)
            servers[n_servers++] = fd;
        else
            close(fd);
    }
}

static void close_server(size_t i)
{
    close(servers[i]);
    servers[i] = servers[--n_servers];
}

/* What a caller was told: where to connect, then that the domain there is gone. */
static void close_caller(size_t i)
{
    unsigned char bytes[64];
    ssize_t n = recv(callers[i], bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0) {
        struct wire_reader r = wire_reader(bytes, (size_t)n);

        check(n % 8 == 0, "a caller is told half a thing");
        (void)wire_get_u32(&r);
        check(wire_get_u32(&r) != 0 || n == 8, "a caller is told of no port");
    }
    close(callers[i]);
    callers[i] = callers[--n_callers];
}

static void say(const void *data, size_t n)
{
    if (!is_connected() || !n)
        return;
    check(buf_append(&said, data, n) == 0, "no memory");
    stage_vchan_put(stage_vchan(), data, n);
}

static void say_raw(struct input *in)
{
    size_t n = input_byte(in);
    const uint8_t *p = input_bytes(in, n, &n);

    say(p, n);
}

/* A header of a message that may come, and any body of that length. */
static void say_message(struct input *in)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    const struct wire_rule *rule = &wire_rules[input_byte(in) % wire_n_rules];
    size_t n = size_min(rule->min + input_byte(in), rule->max), got;
    struct wire_writer w = wire_writer(data, sizeof(data));
    const uint8_t *p = input_bytes(in, n, &got);

    wire_write_header(&w, rule->type, (uint32_t)n);
    wire_put_bytes(&w, p, got);
    memset(data + w.len, 0, n - got);
    say(data, WIRE_HEADER_SIZE + n);
}

static void say_exec(struct input *in)
{
    static const char *const lines[] = {"root:QUBESRPC q.A+x src",
                                        "root:QUBESRPC q.Wait src",
                                        "root:nogui:QUBESRPC q.Wait src",
                                        "nobody:QUBESRPC q.A+ src",
                                        "root:QUBESRPC q.Missing src",
                                        "root:true",
                                        "a/b:true",
                                        "QUBESRPC",
                                        "root:QUBESRPC q.Bad src"};
    unsigned char data[256];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint8_t what = input_byte(in), where = input_byte(in);
    const char *line = lines[what % ARRAY_SIZE(lines)];

    if (!wire_write_exec(&w, what & 128 ? MSG_JUST_EXEC : MSG_EXEC_CMDLINE, where % 4,
                         513 + where / 4, wire_text(line)))
        say(w.data, w.len);
}

static void say_about_request(struct input *in, uint8_t kind)
{
    unsigned char data[128];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint8_t who = input_byte(in), where = input_byte(in);
    uint32_t domain = where % 4, port = 513 + where / 4;
    struct wire_ident ident;
    char text[32];

    snprintf(text, sizeof(text), "SOCKET%llu", (unsigned long long)last_number - who % 16);
    (void)wire_ident_from(text, &ident);
    if (kind == 0)
        (void)wire_write_connect(&w, domain, port, &ident);
    else if (kind == 1)
        (void)wire_write_refused(&w, &ident);
    ident = kind == 2 ? wire_gone_ident(domain, who % 2 ? port : 0) : wire_held_ident(domain, port);
    if (kind >= 2)
        (void)wire_write_refused(&w, &ident);
    say(w.data, w.len);
}

static void say_hello(struct input *in)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_hello(&w, input_byte(in) % 8);
    say(w.data, w.len);
}

static void new_caller(void)
{
    int fd = -1;

    if (n_callers < MOST && unix_connect(a.clients.path, &fd) == 0)
        callers[n_callers++] = fd;
}

static void caller_says(struct input *in)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    static const char *const services[] = {"q.A+x", "q.A", "+", "q A", ""};
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint8_t what = input_byte(in), more = input_byte(in);
    size_t i = n_callers ? (what >> 3) % n_callers : 0, n;
    const struct wire_ident ident = {"mine"};
    struct wire_trigger t = wire_trigger_new(more & 8 ? "other" : "", more & 16 ? "b" : "",
                                             services[more % ARRAY_SIZE(services)], &ident);
    const uint8_t *p;

    if (!n_callers)
        return;
    switch (what % 8) {
    case 0:
    case 1:
    case 2: (void)wire_write_trigger(&w, what % 8 == 0 ? 3 : 4, &t); break;
    case 3:
        p = input_bytes(in, more, &n);
        wire_put_bytes(&w, p, n);
        break;
    case 4: wire_write_header(&w, MSG_TRIGGER_SERVICE3, 65000); break;
    default: close_caller(i); return;
    }
    (void)!send(callers[i], data, what % 8 == 2 ? w.len / 2 : w.len, MSG_NOSIGNAL);
}

static void child_ends(size_t i)
{
    pid_t pid;

    if (!n_children)
        return;
    i %= n_children;
    pid = children[i];
    children[i] = children[--n_children];
    calls_reap(&a, pid);
}

/* It takes the call, or ends. */
static void server_does(uint8_t what)
{
    if (!n_servers)
        return;
    if (what & 128)
        (void)!send(servers[what % n_servers], "", 1, MSG_NOSIGNAL);
    else
        close_server(what % n_servers);
}

static void one_step(struct input *in)
{
    uint8_t what = input_byte(in);

    switch (what % 16) {
    case 0: say_raw(in); break;
    case 1: say_message(in); break;
    case 2: say_hello(in); break;
    case 3: say_exec(in); break;
    case 4:
    case 5:
    case 6:
    case 7: say_about_request(in, what % 4); break;
    case 8: new_caller(); break;
    case 9:
    case 10: caller_says(in); break;
    case 11: child_ends(input_byte(in)); break;
    case 12:
        if (what & 16)
            stage_vchan_close(stage_vchan());
        else
            stage_vchan_appear(stage_vchan());
        break;
    case 13: stage_vchan_room(stage_vchan(), input_u16(in)); break;
    case 14: server_does(input_byte(in)); break;
    default: fork_fails = true; break;
    }
    turns();
    look_at_written();
    look_at_said();
}

/* Everybody goes, and time passes: all ends are told. */
static void finish(void)
{
    stage_vchan_room(stage_vchan(), STAGE_RING);
    for (int i = 0; i < 5; i++) { /* a call whose session ended is tried again */
        while (n_children)
            child_ends(0);
        while (n_servers)
            close_server(0);
        while (n_callers)
            close_caller(0);
        stage_advance(200); /* what is put off is tried again */
        turns();
        look_at_written();
    }
    check(!a.calls.first && !a.calls.waits && !a.clients.first, "somebody is left");
    if (is_connected() && daemon_said_hello && !said_nonsense && !said_held)
        check(ends_told == ends_due, "not each end is told once");
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void set_up_once(void)
{
    signal(SIGPIPE, SIG_IGN);
    folder_file("services/q.A", "#!/bin/sh\n", 0755);
    folder_file("services/q.Wait", "#!/bin/sh\n", 0755);
    folder_file("services/q.Bad", "#!/bin/sh\n", 0755);
    folder_file("services/qubes.WaitForSession", "#!/bin/sh\n", 0755);
    folder_file("config/q.Wait", "wait-for-session = true\n", 0644);
    folder_file("config/q.Bad", "force-user = nobody\n", 0644);
    setenv("QREXEC_SERVICE_PATH", folder_path("services"), 1);
    setenv("QUBES_RPC_CONFIG_PATH", folder_path("config"), 1);
    listener = folder_socket("server.nobody");
    said = BUF_NULL(4U << 20);
}

static void set_up(void)
{
    static char server[PATH_SIZE];

    memset(&a, 0, sizeof(a));
    check(!format(server, sizeof(server), "%s/server.%%s", folder_new()) &&
              !format(a.clients.path, sizeof(a.clients.path), "%s/agent", folder_new()),
          "no path");
    a.calls.fork_server = server;
    a.calls.told_meminfo = true; /* nobody here is told */
    stage_reset();
    stage_vchan_reset();
    clients_init(&a);
    first_number = a.clients.first_number = a.clients.next_number = 1000;
    last_number = 999;
    fork_fails = false;
    check(control_init(&a) == 0, "no start");
    forget_daemon();
}

static void tear_down(void)
{
    clients_deinit(&a);
    calls_deinit(&a);
    control_deinit(&a);
    check(!stage_watches() && !stage_timers() && !stage_vchans(), "something is left at the end");
    check(access(a.clients.path, F_OK) < 0, "the socket is left at the end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static bool is_set_up;
    size_t fds;

    if (!is_set_up)
        set_up_once();
    is_set_up = true;
    fds = count_fds();
    set_up();
    while (in.left && !stage_has_quit())
        one_step(&in);
    finish();
    tear_down();
    check(count_fds() == fds, "a descriptor is left after the end");
    return 0;
}
