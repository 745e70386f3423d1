/* What vchan/, relay/ and the carrier of a call do when one call of the C library fails. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/vchan/vchan.h"
#include "libqrexec/wire/message.h"
#include "qrexec-agent/carry.h"
#include "tests/stage/folder.h"
#include "tests/unit/failing/failing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PORT  513
#define TURNS 200 /* of a millisecond */

/* The vchan that the domain `own` has with `peer`. */
static int make(bool server, uint32_t own, uint32_t peer, uint32_t port, struct vchan **ret)
{
    char number[12];

    (void)format(number, sizeof(number), "%u", own);
    setenv("VCHAN_DOMAIN", number, 1);
    return server ? vchan_listen(peer, port, 4096, ret) : vchan_connect(peer, port, ret);
}

/* Turns of both until both are up, or one says what is wrong. */
static int bring_up(struct vchan *a, struct vchan *b)
{
    int r = 0;

    for (int i = 0; i < TURNS && !r; i++) {
        if (vchan_state(a) != VCHAN_WAITING && vchan_state(b) != VCHAN_WAITING)
            return 0;
        (void)failing_real_poll(NULL, 0, 1);
        r = vchan_state(a) == VCHAN_WAITING ? vchan_dispatch(a) : 0;
        if (!r && vchan_state(b) == VCHAN_WAITING)
            r = vchan_dispatch(b);
    }
    return r ? r : -ETIMEDOUT;
}

static int say_hello(struct vchan *a, struct vchan *b)
{
    char text[8] = "";
    ssize_t put = vchan_write(a, "hello", 6);
    ssize_t got = put == 6 ? vchan_read(b, text, sizeof(text)) : -1;

    failing_check(put < 0 || put == 6, "half a write");
    if (got > 0)
        failing_check(str_equal(text, "hello"), "other bytes");
    if (put < 0)
        failing_check(vchan_state(a) == VCHAN_CLOSED, "a vchan that fails and is not closed");
    return got == 6 ? 0 : -1;
}

static int vchans(void)
{
    _cleanup_(vchan_freep) struct vchan *server = NULL, *client = NULL;
    int r = make(true, 1, 2, PORT, &server);

    if (!r)
        r = make(false, 2, 1, PORT, &client);
    if (!r)
        r = bring_up(server, client);
    if (!r)
        r = say_hello(server, client);
    if (!r)
        r = say_hello(client, server);
    if (!r)
        vchan_lose(client);
    return r;
}

/* The client is there first, and waits for a name. */
static int vchan_client_first(void)
{
    _cleanup_(vchan_freep) struct vchan *server = NULL, *client = NULL;
    int r = make(false, 2, 1, PORT + 1, &client);

    if (!r)
        r = make(true, 1, 2, PORT + 1, &server);
    return r ? r : bring_up(server, client);
}

static int vchan_peers_in_turn(void)
{
    _cleanup_(vchan_freep) struct vchan *server = NULL, *a = NULL, *b = NULL;
    int r = make(true, 3, 0, VCHAN_CONTROL_PORT, &server);

    if (!r)
        r = make(false, 0, 3, VCHAN_CONTROL_PORT, &a);
    if (!r)
        r = bring_up(server, a);
    if (!r)
        r = vchan_reset(server);
    if (!r)
        r = make(false, 0, 3, VCHAN_CONTROL_PORT, &b);
    return r ? r : bring_up(server, b);
}

static int vchan_deaths(void)
{
    struct vchan_deaths *d = NULL;
    int r = vchan_deaths_new(&d);

    if (!r)
        r = vchan_deaths_follow(d, 1);
    vchan_deaths_free(d);
    return r;
}

/* ---- A data connection, whose peer has said all that it will say ---- */

static struct wire_writer peer_says(unsigned char *data, size_t size, enum relay_role role)
{
    struct wire_writer w = wire_writer(data, size);
    uint32_t out = role == RELAY_SERVICE ? MSG_DATA_STDIN : MSG_DATA_STDOUT;

    (void)wire_write_hello(&w, WIRE_VERSION);
    wire_write_header(&w, out, 5);
    wire_put_bytes(&w, "bytes", 5);
    wire_write_header(&w, out, 0);
    if (role == RELAY_CALLER) {
        wire_write_header(&w, MSG_DATA_STDERR, 0);
        (void)wire_write_exit_code(&w, 3);
    }
    return w;
}

static int connect_raw(uint32_t server, uint32_t client, uint32_t port)
{
    char name[64];
    int fd = -1;

    (void)format(name, sizeof(name), "vchan.%u.%u.%u.sock", server, client, port);
    (void)unix_connect(folder_path(name), &fd);
    return fd;
}

/* Whether the peer was told everything: the bytes, their end, the exit code. */
static bool was_told_all(int fd)
{
    unsigned char data[256];
    ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
    struct wire_reader r = wire_reader(data, n > 0 ? (size_t)n : 0);
    bool bytes = false, end = false, code = false;
    struct msg_header h;

    while (wire_read_header(&r, &h) == 0) {
        const unsigned char *body = wire_get_bytes(&r, h.len);

        bytes |= h.type == MSG_DATA_STDOUT && h.len == 5 && memcmp(body, "bytes", 5) == 0;
        end |= h.type == MSG_DATA_STDOUT && h.len == 0;
        code |= h.type == MSG_DATA_EXIT_CODE;
    }
    /* a program's stream that fails ends like one that was closed */
    return (bytes || failing_did()) && end && code;
}

static int start_cat(struct relay_params *p)
{
    char *argv[] = {(char *)"cat", NULL};
    int in[2], out[2], r;

    failing_off();
    failing_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) == 0 &&
                      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) == 0,
                  "no socket pair");
    {
        const int fds[] = {in[1], out[1], STDERR_FILENO};

        r = spawn_process(&(struct spawn){.path = "/bin/cat", .argv = argv, .fds = fds, .n_fds = 3},
                          &p->child, NULL);
    }
    close(in[1]);
    close(out[1]);
    p->out_fd = in[0];
    p->in_fd = out[0];
    failing_on();
    return r;
}

static int relay_service(void)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    unsigned char data[256];
    struct wire_writer w = peer_says(data, sizeof(data), RELAY_SERVICE);
    int code = 0, fd, r = make(true, 2, 1, PORT + 2, &p.vchan);

    if (r)
        return r;
    failing_off();
    fd = connect_raw(2, 1, PORT + 2);
    failing_check(write_full(fd, data, w.len) == 0, "no peer");
    failing_on();
    p.role = RELAY_SERVICE;
    r = relay_prepare();
    if (!r)
        r = start_cat(&p);
    if (!r)
        r = relay_run(&p, &code);
    else
        vchan_free(p.vchan);
    failing_off();
    failing_check(r <= 0 || code == 255, "a failure that looks like success");
    if (r == 0 && code == 0)
        failing_check(was_told_all(fd), "something is lost, and nobody says so");
    close(fd);
    failing_on();
    return r ? r : code;
}

static int relay_caller(void)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    unsigned char data[256];
    struct wire_writer w = peer_says(data, sizeof(data), RELAY_CALLER);
    char text[8] = "";
    int code = 0, fd, in[2], out[2], r = make(true, 1, 2, PORT + 3, &p.vchan);

    if (r)
        return r;
    failing_off();
    fd = connect_raw(1, 2, PORT + 3);
    failing_check(write_full(fd, data, w.len) == 0 && pipe2(in, O_CLOEXEC) == 0 &&
                      pipe2(out, O_CLOEXEC) == 0 && write(in[1], "bytes", 5) == 5,
                  "no peer");
    close(in[1]);
    failing_on();
    p.role = RELAY_CALLER;
    p.in_fd = in[0];
    p.out_fd = out[1];
    r = relay_run(&p, &code);
    failing_off();
    failing_check(r == 0 ? code == 3 : code == 255, "another exit code");
    if (r == 0)
        failing_check(read(out[0], text, sizeof(text)) == 5 || failing_did(),
                      "something is lost, and nobody says so");
    close(out[0]);
    close(fd);
    failing_on();
    return r;
}

/* ---- The process that carries a call for the agent ---- */

static int carry_a_call(const char *line, uint32_t port, int failed)
{
    static struct service s;
    char why[SERVICE_TEXT_MAX];
    struct carry carry = {.service = &s,
                          .failed = failed,
                          .type = MSG_EXEC_CMDLINE,
                          .domain = 1,
                          .port = port,
                          .who = "failing",
                          .users = &service_users_own};
    struct vchan *v = NULL;
    int pair[2], code;
    pid_t pid;

    failing_off();
    failing_check(service_plan(SERVICE_PLACE_SESSION, line, &s, why) == 0 || failed, "no plan");
    failing_check(make(true, 1, 2, port, &v) == 0, "no vchan");
    failing_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "no pair");
    setenv("VCHAN_DOMAIN", "2", 1);
    pid = fork();
    if (pid == 0) {
        carry.keep_fd = pair[1];
        failing_on();
        carry_run(&carry);
    }
    close(pair[1]);
    code = -1;
    for (int i = 0; i < TURNS * 5; i++) {
        unsigned char data[256];
        struct wire_writer w = peer_says(data, sizeof(data), RELAY_SERVICE);
        char byte;

        if (vchan_state(v) == VCHAN_WAITING) {
            (void)vchan_dispatch(v);
            if (vchan_state(v) == VCHAN_CONNECTED)
                (void)vchan_write(v, data, w.len);
        } else {
            while (vchan_read(v, data, sizeof(data)) > 0)
                ;
        }
        if (recv(pair[0], &byte, 1, MSG_DONTWAIT) == 0)
            break;
        (void)failing_real_poll(NULL, 0, 1);
    }
    vchan_free(v);
    close(pair[0]);
    service_deinit(&s);
    code = spawn_wait(pid);
    failing_check(code == 0 || code == 1, "the carrier does not end as it should");
    failing_on();
    return code;
}

static int carrier(void)
{
    return carry_a_call("QUBESRPC q.Cat+ src", PORT + 4, 0);
}

static int carrier_of_a_call_that_failed(void)
{
    return carry_a_call("QUBESRPC q.Cat+ src", PORT + 5, 127);
}

static const struct scenario list[] = {
    {"vchans", vchans},
    {"vchan_client_first", vchan_client_first},
    {"vchan_peers_in_turn", vchan_peers_in_turn},
    {"vchan_deaths", vchan_deaths},
    {"relay_service", relay_service},
    {"relay_caller", relay_caller},
    {"carrier", carrier},
    {"carrier_of_a_call_that_failed", carrier_of_a_call_that_failed},
};

int main(int argc, char **argv)
{
    setenv("VCHAN_SOCKET_DIR", folder_new(), 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    folder_file("services/q.Cat", "#!/bin/sh\nexec cat\n", 0755);
    setenv("QREXEC_SERVICE_PATH", folder_path("services"), 1);
    return failing_main(argc, argv, list, ARRAY_SIZE(list));
}
