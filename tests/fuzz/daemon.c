/*
 * The daemon: what an agent says on the control channel, with calls, ports and clients behind it.
 *
 * All of qrexec-daemon but its main() runs here. The agent, the policy service, the spawner, other
 * domains' daemons, clients and programs are played by the input, whose bytes are steps. Whatever
 * they do: what goes to the agent is well-formed, each request is answered once and no other ever
 * is, and when all is over nothing is left.
 */
#include "qrexec-daemon/daemon.h"
#include "libqrexec/base/io.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/stage/folder.h"
#include "tests/stage/loop.h"
#include "tests/stage/spawn.h"
#include "tests/stage/vchan.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define CONNECTIONS 64
#define REQUESTS    256
#define DOMID       7

/* Who the daemon turns to: their sockets stay from input to input. */
enum service { POLICY, LEASES, ADMIN, PEER, SERVICES };
static int listeners[SERVICES];

static struct daemon d;

static struct {
    int fd;
    enum service service;
} served[CONNECTIONS];
static size_t n_served;

static int clients[CONNECTIONS];
static size_t n_clients;

/* What this agent asked, and how often it was answered. */
static struct {
    struct wire_ident ident;
    int asked, answered;
} requests[REQUESTS];
static size_t n_requests;
static struct buf said; /* by the agent, and not looked at yet */
static bool said_nonsense, agent_said_hello, daemon_said_hello;
static const struct vchan *agent; /* whose the above is */

static void check(bool ok, const char *what)
{
    if (!ok)
        fuzz_fail(what);
}

static void forget_agent(const struct vchan *v)
{
    agent = v;
    n_requests = 0;
    said_nonsense = agent_said_hello = daemon_said_hello = false;
    buf_consume(&said, buf_len(&said));
}

static size_t find_request(const struct wire_ident *ident)
{
    size_t i = 0;

    while (i < n_requests && !wire_ident_equal(&requests[i].ident, ident))
        i++;
    return i;
}

static void note_request(const struct wire_ident *ident)
{
    size_t i = find_request(ident);

    check(i < REQUESTS, "the target's own table is full");
    if (i == n_requests) {
        requests[n_requests++].ident = *ident;
        requests[i].asked = requests[i].answered = 0;
    }
    requests[i].asked++;
}

/* The same reader over the same bytes, to know what was asked. */
static void look_at_said(void)
{
    while (!said_nonsense && buf_len(&said) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(&said), buf_len(&said));
        struct wire_trigger t;
        struct msg_header h;

        said_nonsense =
            wire_read_header(&r, &h) ||
            wire_check_header(WIRE_AGENT_TO_DAEMON, agent_said_hello ? d.control.version : 4, &h) ||
            (h.type == MSG_HELLO) == agent_said_hello;
        if (said_nonsense || buf_len(&said) - WIRE_HEADER_SIZE < h.len)
            return;
        agent_said_hello = true;
        r = wire_reader(buf_data(&said) + WIRE_HEADER_SIZE, h.len);
        if (h.type != MSG_HELLO && h.type != MSG_CONNECTION_TERMINATED &&
            wire_read_trigger(&r, h.type, &t) == 0)
            note_request(&t.ident);
        buf_consume(&said, WIRE_HEADER_SIZE + h.len);
        if (h.type == MSG_HELLO)
            return; /* the version is known with the next turn */
    }
}

static void note_answer(const struct wire_ident *ident)
{
    size_t i = find_request(ident);

    check(i < n_requests, "an answer that nobody asked for");
    requests[i].answered++;
    check(requests[i].answered <= requests[i].asked, "a request is answered twice");
}

static void look_at_message(const struct msg_header *h, struct wire_reader *r)
{
    struct wire_connect connect;
    struct wire_ident ident;
    struct wire_exec exec;
    uint32_t version;

    switch (h->type) {
    case MSG_HELLO: check(wire_read_hello(r, &version) == 0, "a bad hello"); break;
    case MSG_SERVICE_CONNECT:
        check(wire_read_connect(r, &connect) == 0, "a bad connect");
        check(connect.domain != DOMID && connect.port >= PORT_FIRST, "a bad port");
        note_answer(&connect.ident);
        break;
    case MSG_SERVICE_REFUSED:
        memcpy(&ident, r->data, sizeof(ident)); /* goes back as it came, and may be no ident */
        if (find_request(&ident) < n_requests ||
            (!wire_ident_says_gone(&ident) && !wire_ident_says_held(&ident)))
            note_answer(&ident); /* a request may have any ident */
        break;
    default:
        check(wire_read_exec(r, &exec) == 0, "a bad exec");
        check(exec.domain != DOMID && exec.port >= PORT_FIRST, "a bad port");
        break;
    }
}

static void look_at_written(struct vchan *v)
{
    struct buf *b = stage_vchan_written(v);

    while (buf_len(b) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(b), buf_len(b));
        struct msg_header h;

        check(wire_read_header(&r, &h) == 0 &&
                  wire_check_header(WIRE_DAEMON_TO_AGENT,
                                    daemon_said_hello ? d.control.version : WIRE_VERSION,
                                    &h) == 0 &&
                  (h.type == MSG_HELLO) != daemon_said_hello,
              "a message to the agent that may not be sent");
        if (buf_len(b) - WIRE_HEADER_SIZE < h.len)
            return;
        daemon_said_hello = true;
        r = wire_reader(buf_data(b) + WIRE_HEADER_SIZE, h.len);
        look_at_message(&h, &r);
        buf_consume(b, WIRE_HEADER_SIZE + h.len);
    }
}

static void accept_all(void)
{
    for (int s = 0; s < SERVICES; s++)
        for (int fd; (fd = accept4(listeners[s], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
            if (n_served == CONNECTIONS) {
                close(fd);
                continue;
            }
            served[n_served].fd = fd;
            served[n_served++].service = (enum service)s;
        }
}

static void turns(void)
{
    check(stage_settle(), "the daemon does not come to rest");
    if (stage_vchan() != agent)
        forget_agent(stage_vchan());
    look_at_said();
    accept_all();
}

static void close_served(size_t i)
{
    close(served[i].fd);
    served[i] = served[--n_served];
}

static void close_client(size_t i)
{
    close(clients[i]);
    clients[i] = clients[--n_clients];
}

static void say(const void *data, size_t n)
{
    if (!agent || vchan_state(agent) != VCHAN_CONNECTED || !n)
        return;
    check(buf_append(&said, data, n) == 0, "no memory");
    stage_vchan_put(stage_vchan(), data, n);
}

static const char *const names[] = {"b",           "",    "dom0",       "@dispvm",
                                    "@dispvm:dvm", "src", "uuid:0-0-0", "..",
                                    "@adminvm",    "a b", "nobody",     "@default"};
static const char *const services[] = {"q.A+x", "q.A", "q.B+", "+", "q/A", "q.A b"};

static const char *pick(const char *const *list, size_t n, size_t i)
{
    return list[i % n];
}

static void say_trigger(struct input *in)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint8_t what = input_byte(in), who = input_byte(in);
    const char *target = pick(names, ARRAY_SIZE(names), what);
    const char *service = pick(services, ARRAY_SIZE(services), what >> 4);
    char text[16];
    struct wire_ident ident;
    struct wire_trigger t;

    snprintf(text, sizeof(text), "SOCKET%d", who % 8);
    (void)wire_ident_from(text, &ident);
    t = wire_trigger_new(who & 128 ? "other" : "", target, service, &ident);
    if (!wire_write_trigger(&w, d.control.version ? d.control.version : 4, &t))
        say(w.data, w.len);
}

/* A header of a message that may come, and any body of that length. */
static void say_message(struct input *in)
{
    static unsigned char data[WIRE_CONTROL_MAX];
    const struct wire_rule *rule = &wire_rules[input_byte(in) % wire_n_rules];
    size_t n = rule->min + input_byte(in), got;
    struct wire_writer w = wire_writer(data, sizeof(data));
    const uint8_t *p;

    n = size_min(n, rule->max);
    p = input_bytes(in, n, &got);
    wire_write_header(&w, rule->type, (uint32_t)n);
    wire_put_bytes(&w, p, got);
    memset(data + w.len, 0, n - got);
    say(data, WIRE_HEADER_SIZE + n);
}

static void say_terminated(struct input *in)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint32_t domain = input_byte(in) % 12, port = PORT_FIRST + input_byte(in);

    (void)wire_write_peer(&w, MSG_CONNECTION_TERMINATED, domain, port);
    say(w.data, w.len);
}

static void say_hello(struct input *in)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)wire_write_hello(&w, input_byte(in) % 8);
    say(w.data, w.len);
}

static void say_raw(struct input *in)
{
    size_t n = input_byte(in);
    const uint8_t *p = input_bytes(in, n, &n);

    say(p, n);
}

static const char *const verdicts[] = {
    "result=allow\nuser=DEFAULT\ntarget=dom0\nautostart=True\nrequested_target=dom0\n",
    "result=allow\nuser=u\ntarget=b\nautostart=True\nrequested_target=b\n",
    "result=allow\nuser=u\ntarget=b\nautostart=False\nrequested_target=b\n",
    "result=allow\nuser=u\ntarget=@dispvm:dvm\nautostart=True\nrequested_target=@dispvm\n",
    "result=allow\nuser=u\ntarget=@dispvm:dvm\ntarget_uuid=@dispvm:uuid:1\nautostart=True\n"
    "requested_target=\n",
    "result=allow\nuser=u\ntarget=absent\nautostart=True\nrequested_target=absent\n",
    "result=allow\nuser=u\ntarget=src\nautostart=True\nrequested_target=src\n",
    "result=deny\n",
    "result=allow\nuser=u\ntarget=../b\nautostart=True\nrequested_target=b\n",
    "result=allow\nuser=u\ntarget=b\nautostart=True\nrequested_target=b\nservice=q.C+y\n"
    "policy_source=far\n",
};
/* of the spawner; with NULs */
#define ADMIN_ANSWER(s)                                                                            \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
static const struct {
    const char *text;
    size_t n;
} leases[] = {ADMIN_ANSWER("0\0disp1 uuid:1 9\n"),
              ADMIN_ANSWER("0\0b\n"),
              ADMIN_ANSWER("2\0QubesException\0\0no %s\0room\0"),
              ADMIN_ANSWER("2\0ProtocolError\0\0unknown\0"),
              ADMIN_ANSWER("0\0disp1"),
              ADMIN_ANSWER("0\0")};

static void answer_service(struct input *in, size_t i, uint8_t what)
{
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));
    const char *text = pick(verdicts, ARRAY_SIZE(verdicts), what);
    size_t n = input_byte(in);

    switch (served[i].service) {
    case POLICY: (void)!write(served[i].fd, text, strlen(text)); break;
    case LEASES:
    case ADMIN:
        n = what % ARRAY_SIZE(leases);
        (void)!write(served[i].fd, leases[n].text, leases[n].n);
        break;
    default:
        (void)wire_write_hello(&w, what & 64 ? 2 : 3);
        (void)wire_write_peer(&w, what & 32 ? MSG_JUST_EXEC : MSG_EXEC_CMDLINE, what % 12,
                              n ? PORT_FIRST + (uint32_t)n : 0);
        (void)!write(served[i].fd, data, what & 16 ? w.len / 2 : w.len);
        break;
    }
}

/* answer, raw bytes, or its end; an answer of the policy is whole with its end */
static void serve(struct input *in)
{
    uint8_t what = input_byte(in);
    size_t i = n_served ? input_byte(in) % n_served : 0, n;
    const uint8_t *p;

    if (!n_served)
        return;
    if (what & 128) {
        p = input_bytes(in, input_byte(in), &n);
        if (n)
            (void)!write(served[i].fd, p, n);
    } else {
        answer_service(in, i, what & 127);
    }
    if (input_byte(in) % 2)
        close_served(i);
}

static void new_client(void)
{
    int fd = -1;

    if (n_clients == CONNECTIONS || unix_connect(folder_path("run/qubes/qrexec.7"), &fd))
        return;
    clients[n_clients++] = fd;
}

static void client_says(struct input *in)
{
    unsigned char data[256];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint8_t what = input_byte(in), more = input_byte(in);
    uint32_t domain = what & 8 ? more % 12 : 0;
    size_t i = n_clients ? (what >> 4) % n_clients : 0, n;
    struct wire_ident ident;
    char text[16];
    const uint8_t *p;

    if (!n_clients)
        return;
    snprintf(text, sizeof(text), "SOCKET%d", more % 8);
    (void)wire_ident_from(text, &ident);
    switch (what % 8) {
    case 0: (void)wire_write_hello(&w, 3); break;
    case 1: (void)wire_write_exec(&w, MSG_EXEC_CMDLINE, domain, 0, wire_text("DEFAULT:ls")); break;
    case 2: (void)wire_write_exec(&w, MSG_JUST_EXEC, domain, 0, wire_text("u:true")); break;
    case 3: (void)wire_write_connect(&w, domain, 0, &ident); break;
    case 4: (void)wire_write_connect(&w, domain, PORT_FIRST + more, &ident); break;
    case 5:
        p = input_bytes(in, more, &n);
        wire_put_bytes(&w, p, n);
        break;
    case 6: close_client(i); return;
    default: (void)wire_write_hello(&w, more); break;
    }
    (void)!send(clients[i], data, w.len, MSG_NOSIGNAL);
}

static void program_does(struct input *in)
{
    uint8_t what = input_byte(in);
    size_t n = stage_programs();
    const char *text = pick(verdicts, ARRAY_SIZE(verdicts), what);

    if (!n)
        return;
    n = (what >> 4) % n;
    stage_program_writes(n, text, strlen(text));
    if (!(what & 8))
        stage_program_ends(n, what & 4 ? 1 : 0);
}

static void one_step(struct input *in)
{
    uint8_t what = input_byte(in);

    switch (what % 16) {
    case 0: say_raw(in); break;
    case 1: say_message(in); break;
    case 2: say_hello(in); break;
    case 3:
    case 4: say_trigger(in); break;
    case 5: say_terminated(in); break;
    case 6:
    case 7: serve(in); break;
    case 8: new_client(); break;
    case 9:
    case 10: client_says(in); break;
    case 11: program_does(in); break;
    case 12: stage_advance(input_byte(in) * 1000U); break;
    case 13:
        if (agent && what & 16)
            stage_vchan_close(stage_vchan());
        else if (agent)
            stage_vchan_appear(stage_vchan());
        break;
    case 14:
        if (agent)
            stage_vchan_room(stage_vchan(), input_u16(in));
        break;
    default: stage_domain_dies(what & 16 ? DOMID : input_byte(in) % 12); break;
    }
    turns();
    if (agent)
        look_at_written(stage_vchan());
}

/* Nobody does anything more, and time passes: all that was asked is answered. */
static void finish(void)
{
    if (agent)
        stage_vchan_room(stage_vchan(), STAGE_RING);
    while (n_clients)
        close_client(0);
    for (int i = 0; i < 40; i++) {
        turns();
        while (n_served)
            close_served(0);
        for (size_t n = 0; n < stage_programs(); n++)
            stage_program_ends(n, 1);
        stage_advance(150000);
        turns();
        if (agent)
            look_at_written(stage_vchan());
    }
    if (agent && daemon_said_hello && d.control.vchan == agent)
        for (size_t i = 0; i < n_requests; i++)
            check(requests[i].answered == requests[i].asked, "a request is not answered");
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
    static const char *const paths[SERVICES] = {"run/qubes/policy.sock", "run/qubesd.internal.sock",
                                                "run/qubesd.sock", "run/qubes/qrexec.b"};

    signal(SIGPIPE, SIG_IGN);
    if (paths_init(folder_new(), PATHS_DAEMON))
        fuzz_fail("no folder");
    for (int i = 0; i < SERVICES; i++)
        listeners[i] = folder_socket(paths[i]);
    folder_link("run/qubes/qrexec.disp1", "qrexec.b");
    said = BUF_NULL(4U << 20);
}

static void set_up(void)
{
    d = (struct daemon){.domid = DOMID,
                        .name = "src",
                        .uuid = "0-0-0",
                        .default_user = "user",
                        .listener = -1,
                        .pending.most = DAEMON_CALLS_MOST};
    check(format(d.socket_dir, sizeof(d.socket_dir), "%s/run/qubes", paths_root()) == 0, "no path");
    program_init(&d.program, "/program");
    ports_init(&d.ports, DOMID);
    stage_vchan_reset();
    stage_reset();
    check(deaths_start(&d) == 0 && control_start(&d) == 0, "no start");
    forget_agent(stage_vchan());
}

static void tear_down(void)
{
    control_stop(&d);
    deaths_stop(&d);
    calls_deinit(&d);
    program_deinit(&d.program);
    ports_deinit(&d.ports);
    stage_programs_reset();
    accept_all();
    while (n_served)
        close_served(0);
    while (n_clients)
        close_client(0);
    check(!stage_watches() && !stage_timers(), "something is waited for after the end");
    check(!d.clients && !d.n_clients && !d.calls && !d.n_calls && !d.call_bytes && !d.orphans,
          "something is left after the end");
    check(!stage_vchans() && !d.pending.count, "a connection or request is left after the end");
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
    if (!stage_has_quit())
        finish();
    tear_down();
    check(count_fds() == fds, "a descriptor is left after the end");
    return 0;
}
