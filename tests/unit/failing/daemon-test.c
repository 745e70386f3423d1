/*
 * What qrexec-daemon does when one call of the C library fails: the call that it was for may fail,
 * with an answer; the daemon goes on.
 *
 * The loop and the vchans are the stage's; the policy service, the spawner, the target's daemon,
 * clients are played here over real sockets, programs really run.
 */
#include "libqrexec/base/io.h"
#include "qrexec-daemon/running-call.h"
#include "tests/stage/folder.h"
#include "tests/stage/loop.h"
#include "tests/stage/vchan.h"
#include "tests/unit/failing/failing.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define DOMID 7

enum { POLICY, LEASES, ADMIN, PEER, SERVICES };
static int listeners[SERVICES];
static struct daemon d;
static int conns[SERVICES];

static const char to_vm[] = "result=allow\nuser=u\ntarget=b\nautostart=True\nrequested_target=b\n";
static const char to_dom0[] =
    "result=allow\nuser=u\ntarget=dom0\nautostart=True\nrequested_target=dom0\n";
static const char to_disposable[] =
    "result=allow\nuser=u\ntarget=@dispvm:dvm\nautostart=True\nrequested_target=@dispvm\n";

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

/* Whatever failed, the next agent is served. */
static void agent_comes(void)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_hello(&w, WIRE_VERSION);
    for (int i = 0; i < 4 && !d.control.version; i++) {
        if (stage_vchan())
            stage_vchan_appear(stage_vchan());
        turns();
        say(&w);
        turns();
        if (!d.control.version)
            stage_advance(20000);
        turns();
    }
    failing_check(d.control.version == WIRE_VERSION && d.listener >= 0,
                  "the daemon does not serve the next agent");
    buf_consume(stage_vchan_written(stage_vchan()), buf_len(stage_vchan_written(stage_vchan())));
}

static int up(void)
{
    int r;

    d = (struct daemon){.domid = DOMID,
                        .name = "src",
                        .uuid = "0-0-0",
                        .default_user = "user",
                        .listener = -1,
                        .pending.most = DAEMON_CALLS_MOST};
    failing_off();
    failing_check(format(d.socket_dir, sizeof(d.socket_dir), "%s/run/qubes", paths_root()) == 0,
                  "no path");
    stage_reset();
    stage_vchan_reset();
    for (int i = 0; i < SERVICES; i++)
        conns[i] = -1;
    unlink(folder_path("ports"));
    failing_on();
    program_init(&d.program, folder_path("program"));
    ports_init(&d.ports, DOMID);
    r = ports_keep(&d.ports, folder_path("ports"), "0-0-0"); /* goes without it */
    r = deaths_start(&d);
    if (!r)
        r = control_start(&d);
    if (!r)
        agent_comes();
    return r;
}

static void down(void)
{
    control_stop(&d);
    if (d.deaths)
        deaths_stop(&d);
    calls_deinit(&d);
    program_deinit(&d.program);
    ports_deinit(&d.ports);
    failing_off();
    for (int i = 0; i < SERVICES; i++) {
        int fd;

        close_fd(&conns[i]);
        while ((fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0)
            close(fd);
    }
    failing_check(!stage_watches() && !stage_timers() && !stage_vchans(),
                  "something is waited for");
    failing_check(!d.clients && !d.calls && !d.call_bytes && !d.orphans, "something is left");
    failing_on();
}

static void trigger(void)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    struct wire_writer w = wire_writer(data, sizeof(data));
    struct wire_ident ident = {"SOCKET1"};
    struct wire_trigger t = wire_trigger_new("", "b", "q.A+x", &ident);

    (void)wire_write_trigger(&w, WIRE_VERSION, &t);
    say(&w);
    turns();
}

/* The service that the daemon has turned to, if it has, says something. */
static void serve(int service, const void *data, size_t n, bool whole)
{
    char ignored[4096];

    failing_off();
    if (conns[service] < 0)
        conns[service] = accept4(listeners[service], NULL, NULL, SOCK_CLOEXEC);
    while (conns[service] >= 0 && recv(conns[service], ignored, sizeof(ignored), MSG_DONTWAIT) > 0)
        ; /* or it would be a reset */
    if (conns[service] >= 0 && n)
        (void)send(conns[service], data, n, MSG_NOSIGNAL);
    if (whole)
        close_fd(&conns[service]);
    failing_on();
    turns();
}

static void serve_port(void)
{
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_hello(&w, WIRE_VERSION_CLIENT);
    (void)wire_write_peer(&w, MSG_EXEC_CMDLINE, 9, 513);
    serve(PEER, data, w.len, false);
}

/* Answers to the request; connected: the caller may go on. */
static int answers(bool *ret_connected)
{
    struct buf *b = stage_vchan_written(stage_vchan());
    int n = 0;

    *ret_connected = false;
    while (buf_len(b) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(b), buf_len(b));
        struct wire_ident ident;
        struct msg_header h;

        failing_check(wire_read_header(&r, &h) == 0, "half a message");
        if (h.type == MSG_SERVICE_REFUSED)
            failing_check(wire_read_refused(&r, &ident) == 0, "no ident");
        n += h.type == MSG_SERVICE_CONNECT ||
             (h.type == MSG_SERVICE_REFUSED && !wire_ident_says_gone(&ident));
        *ret_connected |= h.type == MSG_SERVICE_CONNECT;
        buf_consume(b, WIRE_HEADER_SIZE + h.len);
    }
    return n;
}

/* The request has its one answer, unless the agent's connection itself was lost. */
static int answered(const struct vchan *agent)
{
    bool connected;
    int n;

    for (int i = 0; i < 3; i++) { /* what nobody answers comes to its deadline */
        stage_advance(200000);
        turns();
    }
    if (!agent || d.control.vchan != agent || !d.control.version)
        return -EPIPE;
    n = answers(&connected);
    failing_check(n == 1, "not one answer");
    return connected ? 0 : -EACCES;
}

static void terminated(uint32_t domain)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_peer(&w, MSG_CONNECTION_TERMINATED, domain, 513);
    say(&w);
    turns();
}

static int call_to_vm(void)
{
    int r = up();

    if (!r) {
        const struct vchan *agent = stage_vchan();

        trigger();
        serve(POLICY, to_vm, sizeof(to_vm) - 1, true);
        serve_port();
        r = answered(agent);
        terminated(9);
    }
    down();
    return r;
}

static int call_to_disposable(void)
{
    static const char lease[] = "0\0disp1 uuid:1 9\n";
    int r = up();

    if (!r) {
        const struct vchan *agent = stage_vchan();

        trigger();
        serve(POLICY, to_disposable, sizeof(to_disposable) - 1, true);
        serve(LEASES, lease, sizeof(lease) - 1, false);
        serve_port();
        r = answered(agent);
        serve(PEER, NULL, 0, true);
        terminated(9);
    }
    down();
    return r;
}

/* The spawner is another's: created, started, and killed over the Admin API. */
static int call_to_disposable_of_another_spawner(void)
{
    int r = up();

    if (!r) {
        const struct vchan *agent = stage_vchan();

        trigger();
        serve(POLICY, to_disposable, sizeof(to_disposable) - 1, true);
        serve(LEASES, NULL, 0, true);
        serve(ADMIN, "0\0disp1", 7, true);
        serve(ADMIN, "0\0", 2, true);
        serve_port();
        r = answered(agent);
        terminated(9);
        serve(ADMIN, "0\0", 2, true);
    }
    down();
    return r;
}

static int client(void)
{
    int fd = -1;

    failing_off();
    (void)unix_connect(folder_path("run/qubes/qrexec.7"), &fd);
    failing_on();
    turns();
    return fd;
}

static void client_says(int fd, const struct wire_writer *w)
{
    failing_off();
    if (fd >= 0)
        (void)send(fd, w->data, w->len, MSG_NOSIGNAL);
    failing_on();
    turns();
}

static void hang_up(int fd)
{
    failing_off();
    close_fd(&fd);
    failing_on();
    turns();
}

/* dom0's end is a program that we start; here somebody else comes for it. */
static int call_to_dom0(void)
{
    unsigned char data[128];
    struct wire_writer w = wire_writer(data, sizeof(data));
    const struct wire_ident ident = {"SOCKET1"};
    int r = up(), fd;
    pid_t child = 0;

    if (!r) {
        const struct vchan *agent = stage_vchan();

        trigger();
        serve(POLICY, to_dom0, sizeof(to_dom0) - 1, true);
        child = d.calls ? d.calls->child : 0;
        fd = client();
        (void)wire_write_hello(&w, WIRE_VERSION_CLIENT);
        (void)wire_write_connect(&w, 0, 0, &ident);
        client_says(fd, &w);
        r = answered(agent);
        terminated(0);
        hang_up(fd);
    }
    if (child > 0)
        kill(child, SIGTERM);
    for (int i = 0; i < 5000 && (d.calls || d.orphans); i++) {
        (void)failing_real_poll(NULL, 0, 1);
        turns();
    }
    down();
    return r;
}

/* The policy service says nothing: the program is asked, and denies. */
static int call_decided_by_the_program(void)
{
    int r = up();

    if (!r) {
        const struct vchan *agent = stage_vchan();

        trigger();
        serve(POLICY, NULL, 0, true);
        for (int i = 0; i < 5000 && d.calls; i++) {
            (void)failing_real_poll(NULL, 0, 1);
            turns();
        }
        r = answered(agent) == -EACCES ? 0 : -EPIPE;
    }
    down();
    return r;
}

/* Whether the agent got the command. */
static bool agent_has_command(void)
{
    struct buf *b = stage_vchan_written(stage_vchan());
    struct wire_reader r = wire_reader(buf_data(b), buf_len(b));
    struct msg_header h;
    bool has = wire_read_header(&r, &h) == 0 && h.type == MSG_EXEC_CMDLINE;

    buf_consume(b, buf_len(b));
    return has;
}

/* It reaches the agent, or the client is told by the end of its connection and no port is taken. */
static int command_of_a_client(void)
{
    unsigned char data[128];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint32_t port = 0;
    ssize_t n = 0;
    int r = up(), fd;

    if (!r) {
        fd = client();
        (void)wire_write_hello(&w, WIRE_VERSION_CLIENT);
        (void)wire_write_exec(&w, MSG_EXEC_CMDLINE, 0, 0, wire_text("DEFAULT:true"));
        client_says(fd, &w);
        stage_advance(1000);
        turns();
        failing_off();
        if (fd >= 0)
            n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
        failing_on();
        r = n == 28 ? 0 : -EPIPE; /* hello and port */
        if (agent_has_command())
            terminated(0);
        else
            failing_check(r || failing_did(), "the command does not reach the agent");
        hang_up(fd);
        failing_check(!ports_next(&d.ports, 0, &port), "a port is left");
    }
    down();
    return r;
}

/* The agent goes and the next one comes: nothing of the old is left, and it is served. */
static int agents_in_turn(void)
{
    int r = up();

    if (!r) {
        trigger();
        stage_vchan_close(stage_vchan());
        turns();
        failing_check(!d.calls && !d.clients, "something of the old agent is left");
        stage_advance(20000);
        turns();
        agent_comes();
    }
    down();
    return r;
}

static const struct scenario list[] = {
    {"call_to_vm", call_to_vm},
    {"call_to_disposable", call_to_disposable},
    {"call_to_disposable_of_another_spawner", call_to_disposable_of_another_spawner},
    {"call_to_dom0", call_to_dom0},
    {"call_decided_by_the_program", call_decided_by_the_program},
    {"command_of_a_client", command_of_a_client},
    {"agents_in_turn", agents_in_turn},
};

static void set_up(void)
{
    static const char *const paths[SERVICES] = {"run/qubes/policy.sock", "run/qubesd.internal.sock",
                                                "run/qubesd.sock", "run/qubes/qrexec.b"};

    if (paths_init(folder_new(), PATHS_DAEMON))
        abort();
    for (int i = 0; i < SERVICES; i++)
        listeners[i] = folder_socket(paths[i]);
    folder_link("run/qubes/qrexec.disp1", "qrexec.b");
    folder_file("program", "#!/bin/sh\necho result=deny\n", 0755);
    folder_file("usr/lib/qubes/qrexec-client", "#!/bin/sh\nexec sleep 3\n", 0755);
}

int main(int argc, char **argv)
{
    stage_poll = failing_real_poll;
    set_up();
    return failing_main(argc, argv, list, ARRAY_SIZE(list));
}
