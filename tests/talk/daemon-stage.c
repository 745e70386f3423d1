/* The stage for qrexec-daemon: see daemon-stage.h. */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SILENCE_MS   100
#define MOST_OPTIONS 16

char *stage_path(const struct stage *s, const char *path)
{
    char *p = format_new("%s%s", s->root, path);

    assert_non_null(p);
    return p;
}

static const char *build_dir(void)
{
    const char *dir = getenv("builddir");

    return dir ? dir : ".";
}

void stage_script(const struct stage *s, const char *path, const char *text)
{
    _cleanup_(freep) char *p = stage_path(s, path);

    assert_int_equal(file_replace(p, text, strlen(text), 0755), 0);
}

int stage_listen(const struct stage *s, const char *path)
{
    _cleanup_(freep) char *p = stage_path(s, path);
    int fd = -1;

    assert_int_equal(unix_listen(p, 0600, &fd), 0);
    return fd;
}

void stage_unlisten(const struct stage *s, int *listener, const char *path)
{
    _cleanup_(freep) char *p = stage_path(s, path);

    close_fd(listener);
    unlink(p);
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

int stage_accept(int listener)
{
    int fd;

    wait_readable(listener);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void make_dir(const struct stage *s, const char *path)
{
    _cleanup_(freep) char *p = stage_path(s, path);

    assert_int_equal(mkdir_all(p, 0755), 0);
}

void stage_prepare(struct stage *s)
{
    _cleanup_(freep) char *client = NULL;
    _cleanup_(freep) char *built = format_new("%s/qrexec-daemon/qrexec-client", build_dir());

    *s = (struct stage){.root = test_mkdir(), .agent = -1, .internal = -1, .admin = -1};
    make_dir(s, "/run/qubes");
    make_dir(s, "/run/vchan");
    make_dir(s, "/etc/qubes-rpc");
    make_dir(s, "/usr/lib/qubes");
    client = stage_path(s, "/usr/lib/qubes/qrexec-client");
    assert_int_equal(symlink(built, client), 0);
    s->control = stage_listen(s, "/run/vchan/vchan.1.0.512.sock");
    s->policy = stage_listen(s, "/run/qubes/policy.sock");
}

/* TALK_WRAP: what to run it under, e.g. "valgrind -q --leak-check=full --error-exitcode=9". */
pid_t stage_spawn(struct stage *s, const char *const *options, int out)
{
    _cleanup_(freep) char *path = format_new("%s/qrexec-daemon/qrexec-daemon", build_dir());
    _cleanup_(freep) char *root = format_new("--root=%s", s->root);
    _cleanup_(freep) char *program = format_new("%s/program", s->root);
    const char *argv[MOST_OPTIONS] = {"/bin/sh", "-c", "exec $TALK_WRAP \"$0\" \"$@\"",
                                      path,      root, "-p",
                                      program,   "-u", STAGE_UUID};
    size_t n = 9;
    int fds[] = {-1, out, out};
    pid_t pid = 0;

    while (*options)
        argv[n++] = *options++;
    argv[n++] = "1";
    argv[n++] = "email";
    argv[n] = NULL;
    setenv("QREXEC_TRANSPORT", "socket", 1);
    unsetenv("VCHAN_SOCKET_DIR");
    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = (char *const *)argv,
                                                   .fds = fds,
                                                   .n_fds = 3,
                                                   .parent_death_signal = SIGKILL},
                                   &pid, NULL),
                     0);
    return pid;
}

static void begin_mute(struct stage *s)
{
    static const char *const options[] = {"-D", NULL};
    bool talks = getenv("TALK_DEBUG") != NULL;

    stage_prepare(s);
    s->daemon = stage_spawn(s, options, talks ? STDERR_FILENO : -1);
    s->agent = stage_accept(s->control);
}

void stage_begin(struct stage *s, uint32_t version)
{
    begin_mute(s);
    send_hello(s->agent, version);
    expect_hello(s->agent, version);
}

void stage_end(struct stage *s)
{
    assert_int_equal(kill(s->daemon, SIGTERM), 0);
    assert_int_equal(spawn_wait(s->daemon), 0);
    expect_gone(s, "/run/qubes/qrexec.1");
    expect_gone(s, "/run/qubes/qrexec.email");
    expect_gone(s, "/run/qubes/qrexec.uuid:" STAGE_UUID);
    close_fd(&s->agent);
    close_fd(&s->control);
    close_fd(&s->policy);
    close_fd(&s->internal);
    close_fd(&s->admin);
    test_rmdir(s->root);
}

void agent_restart(struct stage *s)
{
    close_fd(&s->agent);
    s->agent = stage_accept(s->control);
    send_hello(s->agent, 4);
    expect_hello(s->agent, 4);
}

/* ---- Messages ---- */

void put_text(struct bytes *b, const char *text, size_t n)
{
    assert_true(b->len + n <= sizeof(b->data));
    memcpy(b->data + b->len, text, n);
    b->len += n;
}

void put_u32(struct bytes *b, uint32_t v)
{
    put_text(b, (const char *)&v, sizeof(v));
}

void put_field(struct bytes *b, const char *text, size_t size)
{
    assert_true(strlen(text) <= size && b->len + size <= sizeof(b->data));
    memset(b->data + b->len, 0, size);
    memcpy(b->data + b->len, text, strlen(text));
    b->len += size;
}

uint32_t get_u32(const struct bytes *b, size_t at)
{
    uint32_t v;

    assert_true(at + sizeof(v) <= b->len);
    memcpy(&v, b->data + at, sizeof(v));
    return v;
}

void send_bytes(int fd, const void *data, size_t n)
{
    assert_int_equal(write_full(fd, data, n), 0);
}

void send_message(int fd, uint32_t type, const struct bytes *body)
{
    struct bytes b = {.len = 0};

    put_u32(&b, type);
    put_u32(&b, (uint32_t)body->len);
    put_text(&b, (const char *)body->data, body->len);
    send_bytes(fd, b.data, b.len);
}

void send_hello(int fd, uint32_t version)
{
    struct bytes b = {.len = 0};

    put_u32(&b, version);
    send_message(fd, HELLO, &b);
}

void send_peer(int fd, uint32_t type, uint32_t domain, uint32_t port)
{
    struct bytes b = {.len = 0};

    put_u32(&b, domain);
    put_u32(&b, port);
    send_message(fd, type, &b);
}

void send_exec(int fd, uint32_t type, uint32_t domain, uint32_t port, const char *command)
{
    struct bytes b = {.len = 0};

    put_u32(&b, domain);
    put_u32(&b, port);
    put_text(&b, command, strlen(command) + 1);
    send_message(fd, type, &b);
}

void send_trigger(int fd, const char *source, const char *target, const char *ident,
                  const char *service)
{
    struct bytes b = {.len = 0};

    put_field(&b, source, 64);
    put_field(&b, target, 64);
    put_field(&b, ident, 32);
    put_text(&b, service, strlen(service) + 1);
    send_message(fd, TRIGGER4, &b);
}

static void read_bytes(int fd, void *data, size_t n)
{
    assert_int_equal(read_full_until(fd, data, n, clock_ms() + WAIT_MS), 0);
}

void expect_message(int fd, uint32_t type, struct bytes *ret)
{
    uint32_t header[2];

    read_bytes(fd, header, sizeof(header));
    assert_int_equal(header[0], type);
    assert_true(header[1] <= sizeof(ret->data));
    read_bytes(fd, ret->data, header[1]);
    ret->len = header[1];
}

void expect_hello(int fd, uint32_t version)
{
    struct bytes b;

    expect_message(fd, HELLO, &b);
    assert_int_equal(b.len, 4);
    assert_int_equal(get_u32(&b, 0), version);
}

void expect_peer(int fd, uint32_t type, uint32_t domain, uint32_t port)
{
    struct bytes b;

    expect_message(fd, type, &b);
    assert_int_equal(b.len, 8);
    assert_int_equal(get_u32(&b, 0), domain);
    assert_int_equal(get_u32(&b, 4), port);
}

void expect_exec(int fd, uint32_t type, uint32_t domain, uint32_t port, const char *command)
{
    struct bytes b;

    expect_message(fd, type, &b);
    assert_int_equal(get_u32(&b, 0), domain);
    assert_int_equal(get_u32(&b, 4), port);
    assert_int_equal(b.len, 8 + strlen(command) + 1);
    assert_string_equal((const char *)b.data + 8, command);
}

void expect_connect(int fd, uint32_t domain, uint32_t port, const char *ident)
{
    struct bytes b, want = {.len = 0};

    put_u32(&want, domain);
    put_u32(&want, port);
    put_field(&want, ident, 32);
    expect_message(fd, CONNECT, &b);
    assert_int_equal(b.len, want.len);
    assert_memory_equal(b.data, want.data, want.len);
}

void expect_refused(int fd, const char *ident)
{
    struct bytes b, want = {.len = 0};

    put_field(&want, ident, 32);
    expect_message(fd, REFUSED, &b);
    assert_int_equal(b.len, want.len);
    assert_memory_equal(b.data, want.data, want.len);
}

void expect_closed(int fd)
{
    char byte;
    ssize_t n;

    wait_readable(fd);
    n = read(fd, &byte, 1);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

void expect_silence(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, SILENCE_MS), 0);
}

static char *read_text(int fd, const char *end)
{
    static char text[70000];
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        assert_int_equal(poll(&p, 1, deadline_left(deadline)), 1);
        got = read(fd, text + n, 1);
        assert_true(got >= 0 && n + 1 < sizeof(text));
        n += (size_t)got;
        text[n] = 0;
        if (got == 0 || (end && n >= strlen(end) && str_equal(text + n - strlen(end), end)))
            break;
    }
    return strdup(text);
}

char *read_to_end(int fd)
{
    return read_text(fd, NULL);
}

char *read_until(int fd, const char *end)
{
    return read_text(fd, end);
}

int client_begin(const struct stage *s)
{
    _cleanup_(freep) char *path = stage_path(s, "/run/qubes/qrexec.email");
    int fd = -1;

    assert_int_equal(unix_connect(path, &fd), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    expect_hello(fd, 3);
    send_hello(fd, 3);
    return fd;
}

void policy_answers(struct stage *s, const char *line, const char *answer)
{
    _cleanup_(closep) int fd = stage_accept(s->policy);
    _cleanup_(freep) char *request = read_until(fd, "\n\n");

    assert_non_null(request);
    if (!strstr(request, line))
        fail_msg("the request has no \"%s\":\n%s", line, request);
    send_bytes(fd, answer, strlen(answer));
}

static bool is_there(const struct stage *s, const char *path)
{
    _cleanup_(freep) char *p = stage_path(s, path);
    struct stat st;

    return lstat(p, &st) == 0;
}

static void expect_file(const struct stage *s, const char *path, bool there)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    while (is_there(s, path) != there && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 5);
    if (is_there(s, path) != there)
        fail_msg("%s is %s", path, there ? "missing" : "still there");
}

void expect_gone(const struct stage *s, const char *path)
{
    expect_file(s, path, false);
}

void expect_there(const struct stage *s, const char *path)
{
    expect_file(s, path, true);
}

/* ---- Other parts ---- */

int target_serves(int listener, const char *command, uint32_t port)
{
    int fd = stage_accept(listener);

    send_hello(fd, 3);
    expect_hello(fd, 3);
    expect_exec(fd, EXEC, 1, 0, command);
    send_peer(fd, EXEC, 9, port);
    return fd;
}

int expect_admin(int listener, const char *header, const char *payload)
{
    int fd = stage_accept(listener);
    char data[512] = "";
    size_t want = strlen(header) + 1 + strlen(payload);

    assert_int_equal(read_full_until(fd, data, want, clock_ms() + WAIT_MS), 0);
    assert_string_equal(data, header);
    assert_memory_equal(data + strlen(header) + 1, payload, strlen(payload));
    return fd;
}

unsigned stage_descriptors(const struct stage *s)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/fd", (int)s->daemon);
    DIR *dir = opendir(path);
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

void admin_says(int fd, const char *data, size_t n)
{
    send_bytes(fd, data, n);
    close(fd);
}
