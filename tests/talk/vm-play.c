/* What the steps of a talk do: see vm-play.h. */
#include "tests/talk/vm-play.h"

#include "libqrexec/base/spawn.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#define MOST_WORDS 32
#define STRANGER   65534

unsigned patience = WAIT_MS;

void fail_line(const struct play *p, const char *why)
{
    int n = (int)strcspn(p->line, "\n");

    print_error("%s: \"%.*s\": %s\n", p->talk->name, n < 300 ? n : 300, p->line, why);
    fail();
}

void check(const struct play *p, bool ok, const char *why)
{
    if (!ok)
        fail_line(p, why);
}

/* ---- Ends ---- */

struct end *find_end(struct play *p, const char *name)
{
    for (size_t i = 0; i < p->n_ends; i++)
        if (str_equal(p->ends[i].name, name))
            return &p->ends[i];
    return NULL;
}

struct end *set_end(struct play *p, const char *name, int fd, bool listener)
{
    struct end *e = find_end(p, name);

    if (!e) {
        assert_true(p->n_ends < MOST_ENDS && strlen(name) < sizeof(e->name));
        e = &p->ends[p->n_ends++];
        *e = (struct end){.fd = -1};
        memcpy(e->name, name, strlen(name) + 1);
    }
    close_fd(&e->fd);
    e->fd = fd;
    e->listener = listener;
    e->ignored = false;
    return e;
}

struct end *get_end(struct play *p, const char *name)
{
    struct end *e = find_end(p, name);

    check(p, e && e->fd >= 0, "there is no such end");
    return e;
}

bool wait_for(int fd, short events, int ms)
{
    struct pollfd w = {.fd = fd, .events = events};

    return poll(&w, 1, ms) == 1;
}

void dial(struct play *p, const char *name, const char *path)
{
    _cleanup_(freep) char *full = world_path(p->w, path);
    uint64_t deadline = clock_ms() + patience;
    int fd = -1;

    while (unix_connect(full, &fd) && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 1);
    check(p, fd >= 0, "nobody listens there");
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    set_end(p, name, fd, false);
}

void listen_at(struct play *p, const char *name, const char *path)
{
    _cleanup_(freep) char *full = world_path(p->w, path);
    int fd;

    (void)unlink(full);
    assert_int_equal(unix_listen(full, 0777, &fd), 0);
    set_end(p, name, fd, true);
}

/* As somebody else: the kernel says who listened, and who connected. Only root can. */
void strange_listen(struct play *p, const char *name, const char *path)
{
    _cleanup_(freep) char *full = world_path(p->w, path);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(format(a.sun_path, sizeof(a.sun_path), "%s", full), 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    assert_int_equal(seteuid(STRANGER), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(seteuid(0), 0);
    set_end(p, name, fd, true);
}

void strange_dial(struct play *p, const char *name, const char *path)
{
    assert_int_equal(seteuid(STRANGER), 0);
    dial(p, name, path);
    assert_int_equal(seteuid(0), 0);
}

void take_connection(struct play *p, const char *name, const char *listener)
{
    struct end *l = get_end(p, listener);
    int fd;

    check(p, wait_for(l->fd, POLLIN, patience), "nobody connects");
    fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    check(p, fd >= 0, "accept failed");
    set_end(p, name, fd, false);
}

void listen_tcp(struct play *p, const char *name, char *rest)
{
    const char *host = first_word(&rest), *filler = rest;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    bool six = strchr(host, ':');
    struct sockaddr *a = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t n = six ? sizeof(v6) : sizeof(v4);
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(inet_pton(a->sa_family, host, six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) ==
                1);
    assert_true(fd >= 0 && bind(fd, a, n) == 0 && listen(fd, *filler ? 0 : 8) == 0);
    assert_int_equal(getsockname(fd, a, &n), 0);
    snprintf(p->idents['P' - 'A'], sizeof(p->idents[0]), "%u",
             ntohs(six ? v6.sin6_port : v4.sin_port));
    set_end(p, name, fd, true);
    if (!*filler)
        return;
    fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, a, n) == 0);
    set_end(p, filler, fd, false);
}

void print_bytes(const char *what, const unsigned char *data, size_t n)
{
    size_t show = n < 200 ? n : 200;

    print_error("  %s %zu bytes:", what, n);
    for (size_t i = 0; i < show; i++)
        print_error(data[i] >= 32 && data[i] < 127 ? "%c" : "\\%02x", data[i]);
    print_error("%s\n", show < n ? "..." : "");
}

/* Up to n bytes; what has come by the end of the stream, or of our patience. */
size_t hear(int fd, unsigned char *data, size_t n)
{
    uint64_t deadline = clock_ms() + patience;
    size_t got = 0;

    while (got < n && wait_for(fd, POLLIN, deadline_left(deadline))) {
        ssize_t r = read(fd, data + got, n - got);

        if (r <= 0)
            break;
        got += (size_t)r;
    }
    return got;
}

void compare(struct play *p, const void *data, size_t n)
{
    if (n == p->bytes.len && memcmp(data, p->bytes.data, n) == 0)
        return;
    print_bytes("expected", p->bytes.data, p->bytes.len);
    print_bytes("came    ", data, n);
    fail_line(p, "other bytes came");
}

void expect_bytes(struct play *p, int fd)
{
    compare(p, p->got.data, hear(fd, p->got.data, p->bytes.len));
}

/* Half: what we say to it still matters. */
void expect_end(struct play *p, struct end *e, bool half)
{
    char byte;

    check(p, wait_for(e->fd, POLLIN, patience), "it is not closed");
    if (read(e->fd, &byte, 1) > 0) {
        print_bytes("first", (unsigned char *)&byte, 1);
        fail_line(p, "bytes come instead of the end");
    }
    if (!half)
        close_fd(&e->fd);
}

void expect_rest(struct play *p, struct end *e, bool exact)
{
    size_t got = hear(e->fd, p->got.data, sizeof(p->got.data) - 1);

    expect_end(p, e, false);
    p->got.data[got] = 0;
    if (exact) {
        compare(p, p->got.data, got);
        return;
    }
    p->bytes.data[p->bytes.len] = 0;
    if (!strstr((char *)p->got.data, (char *)p->bytes.data)) {
        print_bytes("came", p->got.data, got);
        fail_line(p, "that is not in it");
    }
}

void say(struct play *p, int fd, const struct bytes *b, bool must)
{
    if (write_full(fd, b->data, b->len) && must)
        fail_line(p, "it listens no more");
}

void read_bytes(struct play *p, const char *text)
{
    const char *why = NULL;

    if (!bytes_read(text, &p->bytes, &why))
        fail_line(p, why);
}

void say_text(struct play *p, int fd, const char *text)
{
    read_bytes(p, text);
    say(p, fd, &p->bytes, true);
}

void hear_text(struct play *p, int fd, const char *text)
{
    read_bytes(p, text);
    expect_bytes(p, fd);
}

/* The first word of *rest, which goes on behind it. */
char *first_word(char **rest)
{
    char *word = *rest;

    *rest += strcspn(*rest, " ");
    if (**rest)
        *(*rest)++ = 0;
    *rest += strspn(*rest, " ");
    return word;
}

/* ---- The agent ---- */

void wait_there(struct play *p, const char *path, bool there)
{
    _cleanup_(freep) char *full = world_path(p->w, path);
    uint64_t deadline = clock_ms() + patience;

    while ((access(full, F_OK) == 0) != there && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 1);
    check(p, (access(full, F_OK) == 0) == there, there ? "it is not there" : "it stays");
}

void daemon_mute(struct play *p)
{
    set_end(p, "daemon", -1, false);
    wait_there(p, "agent", false);
    dial(p, "daemon", "vchan.1.0.512.sock");
    hear_text(p, get_end(p, "daemon")->fd, "HELLO(4)");
}

void daemon_hello(struct play *p, const char *version)
{
    char text[64];

    assert_int_equal(format(text, sizeof(text), "HELLO(%s)", version), 0);
    say_text(p, get_end(p, "daemon")->fd, text);
    wait_there(p, "agent", true);
}

void daemon_back(struct play *p, const char *version)
{
    daemon_mute(p);
    daemon_hello(p, version);
    snprintf(p->idents['V' - 'A'], sizeof(p->idents[0]), "%s", version);
}

/* A trigger as expected, but for the number in its ident. */
void expect_asked(struct play *p, struct end *e, char *rest)
{
    char *name = first_word(&rest), *ident;
    size_t at, n;

    read_bytes(p, rest);
    for (at = 0; at + 32 <= p->bytes.len && memcmp(p->bytes.data + at, "SOCKET", 7) != 0; at++)
        ;
    assert_true(at + 32 <= p->bytes.len && isupper((unsigned char)*name));
    n = hear(e->fd, p->got.data, p->bytes.len);
    if (n == p->bytes.len) {
        ident = p->idents[*name - 'A'];
        memcpy(ident, p->got.data + at, 32);
        check(p, ident[31] == 0 && str_starts(ident, "SOCKET"), "another ident");
        check(p, ident[6] && strspn(ident + 6, "0123456789") == strlen(ident + 6), "no number");
        memset(p->got.data + at + 6, 0, strlen(ident) - 6);
    }
    compare(p, p->got.data, n);
}

void start_call(struct play *p, const char *type, char *rest)
{
    char *who = first_word(&rest), *port = first_word(&rest);
    _cleanup_(freep) char *path = format_new("vchan.0.1.%s.sock", port);
    _cleanup_(freep) char *text = format_new("%s(0 %s %s b0)", type, port, rest);
    struct bytes b;

    assert_true(path && text);
    listen_at(p, "its", path);
    read_bytes(p, text);
    b = p->bytes;
    say(p, get_end(p, "daemon")->fd, &b, true);
    take_connection(p, who, "its");
    set_end(p, "its", -1, false);
    say_text(p, get_end(p, who)->fd, "HELLO(4)");
    hear_text(p, get_end(p, who)->fd, "HELLO(4)");
    p->calls++;
}

void expect_over(struct play *p, const char *port)
{
    char text[64];

    assert_int_equal(format(text, sizeof(text), "OVER(0 %s)", port), 0);
    hear_text(p, get_end(p, "daemon")->fd, text);
    p->calls -= p->calls > 0;
}

/* What a call gave. */
struct outcome {
    struct bytes out, err;
    bool out_eof, err_eof, over;
    uint32_t code;
};

static void collect(struct play *p, bool *eof, struct bytes *to)
{
    check(p, !*eof, "data after its end");
    *eof = p->got.len == 0;
    put_text(to, (char *)p->got.data, p->got.len);
}

static void take_message(struct play *p, uint32_t type, struct outcome *o)
{
    check(p, !o->over, "a message after the exit code");
    if (type == STDOUT) {
        collect(p, &o->out_eof, &o->out);
    } else if (type == STDERR) {
        collect(p, &o->err_eof, &o->err);
    } else {
        check(p, type == EXIT_CODE && p->got.len == 4, "no message of a service");
        check(p, o->out_eof && o->err_eof, "the exit code before an end");
        o->over = true;
        o->code = get_u32(&p->got, 0);
    }
}

static void read_outcome(struct play *p, int fd, struct outcome *o)
{
    unsigned char head[8];
    uint32_t words[2];
    size_t n;

    *o = (struct outcome){.over = false};
    while ((n = hear(fd, head, sizeof(head))) == sizeof(head)) {
        memcpy(words, head, sizeof(words));
        check(p, words[1] <= 65536, "a message that is too long");
        p->got.len = hear(fd, p->got.data, words[1]);
        check(p, p->got.len == words[1], "a message that is cut");
        take_message(p, words[0], o);
    }
    check(p, n == 0, "a header that is cut");
}

void expect_result(struct play *p, char *rest)
{
    static struct outcome o;
    struct end *e = get_end(p, first_word(&rest));
    const char *code = first_word(&rest);
    char *bar = str_starts(rest, "| ") ? rest : strstr(rest, " | ");

    if (bar) {
        bar += *bar == ' ';
        *bar = 0;
    }
    read_outcome(p, e->fd, &o);
    expect_end(p, e, false);
    check(p, o.over, "no exit code came");
    if (o.code != strtoul(code, NULL, 0)) {
        print_error("  code %u\n", o.code);
        print_bytes("stderr", o.err.data, o.err.len);
        fail_line(p, "another exit code");
    }
    read_bytes(p, rest);
    compare(p, o.out.data, o.out.len);
    read_bytes(p, bar ? bar + 1 : "");
    compare(p, o.err.data, o.err.len);
}

/* ---- qrexec-client-vm ---- */

static char *next_word(char **rest)
{
    char *start = *rest, *end;

    start += strspn(start, " ");
    if (!*start)
        return NULL;
    if (*start == '\'') {
        end = strchr(++start, '\'');
        assert_non_null(end);
    } else {
        end = start + strcspn(start, " ");
    }
    *rest = *end ? end + 1 : end;
    *end = 0;
    return start;
}

static void open_terminal(int ret[2])
{
    struct termios t;

    ret[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(ret[1] >= 0 && grantpt(ret[1]) == 0 && unlockpt(ret[1]) == 0);
    ret[0] = open(ptsname(ret[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(ret[0] >= 0 && tcgetattr(ret[0], &t) == 0);
    cfmakeraw(&t);
    assert_int_equal(tcsetattr(ret[0], TCSANOW, &t), 0);
}

/* fds: the program's; ends of the row: in, out, err, or sock, or tty for all. */
static void make_streams(struct play *p, const char *how, int fds[3])
{
    int in[2], out[2], err[2];

    if (str_equal(how, "tty")) {
        open_terminal(in);
        fds[0] = fds[1] = fds[2] = in[0];
        set_end(p, "tty", in[1], false);
        return;
    }
    if (str_equal(how, "sock")) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
        set_end(p, "sock", in[1], false);
    } else {
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        set_end(p, "in", in[1], false);
    }
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    fds[0] = in[0];
    fds[1] = out[1];
    fds[2] = err[1];
    set_end(p, "out", out[0], false);
    set_end(p, "err", err[0], false)->ignored = true;
}

void run_program(struct play *p, char *rest)
{
    _cleanup_(freep) char *path = world_program("qrexec-client-vm");
    _cleanup_(freep) char *agent = world_path(p->w, "agent");
    char *argv[MOST_WORDS] = {path, (char *)"-a", agent}, *word;
    const char *how = "pipes";
    int fds[3], n = 3;
    struct spawn s = {.path = path, .fds = fds, .n_fds = 3, .parent_death_signal = SIGKILL};

    if (str_starts(rest, "sock ") || str_starts(rest, "tty "))
        how = first_word(&rest);
    if (str_starts(rest, "bare")) {
        (void)first_word(&rest);
        n = 1;
    }
    if (str_equal(rest, "nothing")) {
        n = 0;
        rest += strlen(rest);
    }
    while ((word = next_word(&rest)))
        argv[n++] = word;
    assert_true(n < MOST_WORDS);
    argv[n] = NULL;
    make_streams(p, how, fds);
    s.argv = argv;
    assert_int_equal(spawn_process(&s, &p->pid, NULL), 0);
    close(fds[0]);
    if (!str_equal(how, "tty")) {
        close(fds[1]);
        close(fds[2]);
    }
}

/* Any program of ours, with these words alone: not even its name is added. */
void start_program(struct play *p, char *rest)
{
    _cleanup_(freep) char *path = world_program(next_word(&rest));
    char *argv[MOST_WORDS] = {NULL}, *word;
    int fds[3], n = 0;
    struct spawn s = {
        .path = path, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGKILL};

    while ((word = next_word(&rest)))
        argv[n++] = word;
    assert_true(n < MOST_WORDS);
    make_streams(p, "pipes", fds);
    assert_int_equal(spawn_process(&s, &p->pid, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

void expect_exit(struct play *p, const char *code)
{
    int got, want = (int)strtol(code, NULL, 0);
    struct end *err = find_end(p, "err");

    check(p, p->pid > 0, "nothing runs");
    got = spawn_wait(p->pid);
    p->pid = 0;
    if (got == want)
        return;
    if (err && err->fd >= 0) {
        size_t n = hear(err->fd, p->got.data, 2000);

        print_bytes("stderr:", p->got.data, n);
    }
    print_error("  it ended with %d\n", got);
    fail_line(p, "another exit code");
}

void set_variable(char *pair)
{
    char *value = strchr(pair, '=');

    assert_non_null(value);
    *value++ = 0;
    assert_int_equal(*value ? setenv(pair, value, 1) : unsetenv(pair), 0);
}
