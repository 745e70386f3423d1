/* A scripted peer for talks with the agent: see agent-peer.h. */
#include "tests/talk/agent-peer.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void program_path(char buf[static 512], const char *name)
{
    const char *build = getenv("builddir");

    assert_int_equal(format(buf, 512, "%s/qrexec-agent/%s", build ? build : ".", name), 0);
}

static void file_write(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

void service_write(struct world *w, const char *name, const char *text, mode_t mode)
{
    char path[512];

    assert_int_equal(format(path, sizeof(path), "%s/services/%s", w->dir, name), 0);
    file_write(path, text, mode);
}

void config_write(struct world *w, const char *name, const char *text)
{
    char path[512];

    assert_int_equal(format(path, sizeof(path), "%s/config/%s", w->dir, name), 0);
    file_write(path, text, 0644);
}

/* One that is free would still be given. */
static rlim_t first_free(pid_t pid)
{
    char path[64];

    for (unsigned i = 0;; i++) {
        assert_int_equal(format(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, i), 0);
        if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return i;
    }
}

void files_end(pid_t pid, struct rlimit *ret_old)
{
    struct rlimit none;

    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, ret_old), 0);
    none = (struct rlimit){.rlim_cur = first_free(pid), .rlim_max = ret_old->rlim_max};
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &none, NULL), 0);
}

void files_return(pid_t pid, const struct rlimit *old)
{
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, old, NULL), 0);
}

void agent_start(struct world *w)
{
    char program[512], server[512];
    char *argv[] = {program, (char *)"-a", w->agent_socket, (char *)"-s", server, NULL};
    const int fds[] = {-1, -1, 2};
    const struct spawn s = {
        .path = program, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGKILL};

    program_path(program, "qrexec-agent");
    assert_int_equal(format(server, sizeof(server), "%s/server.%%s.sock", w->dir), 0);
    assert_int_equal(spawn_process(&s, &w->agent, NULL), 0);
}

static int dial(const char *path)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd, r;

    while ((r = unix_connect(path, &fd)) != 0 && deadline_left(deadline) > 0)
        usleep(2000);
    assert_int_equal(r, 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    return fd;
}

/* The agent makes it once it has read the hello. */
static void wait_for_socket(const struct world *w)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    while (access(w->agent_socket, F_OK) < 0 && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 5);
    assert_int_equal(access(w->agent_socket, F_OK), 0);
}

int daemon_connect(struct world *w, uint32_t version)
{
    unsigned char hello[4];
    struct message m;
    char path[512];

    assert_int_equal(format(path, sizeof(path), "%s/vchan.1.0.512.sock", w->dir), 0);
    w->daemon = dial(path);
    message_expect(w->daemon, HELLO, &m);
    assert_int_equal(m.len, 4);
    assert_int_equal(get_u32(m.body), 4);
    put_u32(hello, version);
    if (version)
        message_send(w->daemon, HELLO, hello, 4);
    if (version >= 2)
        wait_for_socket(w);
    return w->daemon;
}

static void make_dir(struct world *w, const char *name)
{
    char path[512];

    assert_int_equal(format(path, sizeof(path), "%s/%s", w->dir, name), 0);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void set_path(struct world *w, const char *variable, const char *name)
{
    char path[512];

    assert_int_equal(format(path, sizeof(path), "%s%s", w->dir, name), 0);
    assert_int_equal(setenv(variable, path, 1), 0);
}

void world_start(struct world *w, uint32_t version)
{
    const struct passwd *pw = getpwuid(geteuid());

    *w = (struct world){.dir = test_mkdir(), .daemon = -1};
    assert_non_null(pw);
    assert_int_equal(format(w->user, sizeof(w->user), "%s", pw->pw_name), 0);
    assert_int_equal(format(w->agent_socket, sizeof(w->agent_socket), "%s/agent", w->dir), 0);
    make_dir(w, "services");
    make_dir(w, "config");
    set_path(w, "VCHAN_SOCKET_DIR", "");
    set_path(w, "QREXEC_SERVICE_PATH", "/services");
    set_path(w, "QUBES_RPC_CONFIG_PATH", "/config");
    setenv("VCHAN_DOMAIN", "1", 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    unsetenv("QREXEC_ROOT");
    agent_start(w);
    daemon_connect(w, version);
}

void world_stop(struct world *w)
{
    int status;

    close_fd(&w->daemon);
    kill(w->agent, SIGTERM);
    status = spawn_wait(w->agent);
    assert_int_equal(status, 0);
    test_rmdir(w->dir);
}

/* In one write, so that a peer that hangs up at the header is not met half-way. */
static int message_write(int fd, uint32_t type, const void *body, size_t len)
{
    unsigned char m[8 + 65536];

    assert_true(len <= 65536);
    put_u32(m, type);
    put_u32(m + 4, (uint32_t)len);
    if (len)
        memcpy(m + 8, body, len);
    return write_full(fd, m, 8 + len);
}

void message_send(int fd, uint32_t type, const void *body, size_t len)
{
    assert_int_equal(message_write(fd, type, body, len), 0);
}

void message_try(int fd, uint32_t type, const void *body, size_t len)
{
    int r = message_write(fd, type, body, len);

    assert_true(r == 0 || r == -EPIPE || r == -ECONNRESET);
}

bool message_read(int fd, struct message *m)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    unsigned char head[8];
    int r = read_full_until(fd, head, sizeof(head), deadline);

    if (r == -EPIPE || r == -ECONNRESET)
        return false;
    assert_int_equal(r, 0);
    m->type = get_u32(head);
    m->len = get_u32(head + 4);
    assert_true(m->len <= sizeof(m->body));
    assert_int_equal(read_full_until(fd, m->body, m->len, deadline), 0);
    return true;
}

void message_expect(int fd, uint32_t type, struct message *m)
{
    assert_true(message_read(fd, m));
    assert_int_equal(m->type, type);
}

void expect_closed(int fd)
{
    char byte;
    int r = read_full_until(fd, &byte, 1, clock_ms() + WAIT_MS);

    assert_true(r == -EPIPE || r == -ECONNRESET);
}

void expect_nothing(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 200), 0);
}

void send_exec(struct world *w, uint32_t type, uint32_t domain, uint32_t port, const char *line)
{
    unsigned char body[65536];
    size_t n = strlen(line) + 1;

    put_u32(body, domain);
    put_u32(body + 4, port);
    memcpy(body + 8, line, n);
    message_send(w->daemon, type, body, n + 8);
}

void expect_terminated(struct world *w, uint32_t domain, uint32_t port)
{
    struct message m;

    message_expect(w->daemon, TERMINATED, &m);
    assert_int_equal(m.len, 8);
    assert_int_equal(get_u32(m.body), domain);
    assert_int_equal(get_u32(m.body + 4), port);
}

int vchan_serve(struct world *w, uint32_t domain, uint32_t port)
{
    char path[512];
    int fd;

    assert_int_equal(format(path, sizeof(path), "%s/vchan.%u.1.%u.sock", w->dir, domain, port), 0);
    unlink(path);
    assert_int_equal(unix_listen(path, 0777, &fd), 0);
    return fd;
}

static void hellos(int fd)
{
    unsigned char hello[4];
    struct message m;

    put_u32(hello, 4);
    message_send(fd, HELLO, hello, 4);
    message_expect(fd, HELLO, &m);
    assert_int_equal(get_u32(m.body), 4);
}

int vchan_accept(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int fd;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    hellos(fd);
    return fd;
}

int vchan_dial(struct world *w, uint32_t domain, uint32_t port)
{
    char path[512];
    int fd;

    assert_int_equal(format(path, sizeof(path), "%s/vchan.1.%u.%u.sock", w->dir, domain, port), 0);
    fd = dial(path);
    hellos(fd);
    return fd;
}

static void collect(const struct message *m, char *text, size_t *len, bool *eof)
{
    assert_false(*eof);
    *eof = m->len == 0;
    assert_true(*len + m->len < 4096);
    memcpy(text + *len, m->body, m->len);
    *len += m->len;
    text[*len] = 0;
}

void call_finish(int fd, struct outcome *o)
{
    struct message m;

    *o = (struct outcome){.code = -1};
    while (message_read(fd, &m)) {
        assert_int_equal(o->code, -1); /* nothing comes after it */
        if (m.type == DATA_STDOUT)
            collect(&m, o->out, &o->out_len, &o->out_eof);
        else if (m.type == DATA_STDERR)
            collect(&m, o->err, &o->err_len, &o->err_eof);
        else if (m.type == DATA_EXIT_CODE)
            o->code = (int)get_u32(m.body);
        else
            fail_msg("message %#x", m.type);
    }
    close(fd);
}

void call_run(struct world *w, uint32_t type, uint32_t port, const char *line, const char *input,
              struct outcome *o)
{
    int listener = vchan_serve(w, 0, port), fd;

    send_exec(w, type, 0, port, line);
    fd = vchan_accept(listener);
    close(listener);
    if (input && *input)
        message_try(fd, DATA_STDIN, input, strlen(input));
    if (input)
        message_try(fd, DATA_STDIN, "", 0);
    call_finish(fd, o);
    expect_terminated(w, 0, port);
}

int client_dial(struct world *w)
{
    return dial(w->agent_socket);
}

void client_trigger(int fd, const char *target, const char *service)
{
    unsigned char body[160 + 4096] = {0};
    size_t n = strlen(service) + 1;

    memcpy(body + 64, target, strlen(target));
    memcpy(body + 128, "SOCKET", 6);
    memcpy(body + 160, service, n);
    message_send(fd, TRIGGER4, body, 160 + n);
}
