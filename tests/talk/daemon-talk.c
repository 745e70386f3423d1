/* Talks as tables: see daemon-talk.h. */
#include "tests/talk/daemon-talk.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MOST_ENDS  40
#define MOST_WORDS 24

struct end {
    char name[16];
    int fd;
    bool listener, ignored;
};

/* One talk that runs. */
struct play {
    const struct talk *talk;
    struct stage s;
    struct end ends[MOST_ENDS];
    size_t n_ends;
    pid_t pid;   /* of run; 0: none */
    bool daemon; /* the stage's daemon runs */
    bool served; /* and its agent has said hello */
    uint32_t version;
    unsigned fds; /* of the daemon, at the last such line; 0: none */
    const char *line;
    struct bytes bytes, got;
};

static struct talk talks[TALKS_MOST];
static struct CMUnitTest tests[TALKS_MOST];
static size_t n_talks;

static void fail_line(const struct play *p, const char *why)
{
    int n = (int)strcspn(p->line, "\n");

    print_error("%s: \"%.*s\": %s\n", p->talk->name, n < 300 ? n : 300, p->line, why);
    fail();
}

static void check(const struct play *p, bool ok, const char *why)
{
    if (!ok)
        fail_line(p, why);
}

/* ---- Ends ---- */

static struct end *find_end(struct play *p, const char *name)
{
    for (size_t i = 0; i < p->n_ends; i++)
        if (str_equal(p->ends[i].name, name))
            return &p->ends[i];
    return NULL;
}

static struct end *set_end(struct play *p, const char *name, int fd, bool listener)
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
    return e;
}

static struct end *get_end(struct play *p, const char *name)
{
    struct end *e = find_end(p, name);

    check(p, e && e->fd >= 0, "there is no such end");
    return e;
}

static bool wait_for(int fd, short events, int ms)
{
    struct pollfd w = {.fd = fd, .events = events};

    return poll(&w, 1, ms) == 1;
}

static void dial(struct play *p, const char *name, const char *path)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1;

    while (unix_connect(full, &fd) && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 2);
    check(p, fd >= 0, "nobody listens there");
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    set_end(p, name, fd, false);
}

static void take_connection(struct play *p, const char *name, const char *listener)
{
    struct end *l = get_end(p, listener);
    int fd;

    check(p, wait_for(l->fd, POLLIN, WAIT_MS), "nobody connects");
    fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    check(p, fd >= 0, "accept failed");
    set_end(p, name, fd, false);
}

static void print_bytes(const char *what, const unsigned char *data, size_t n)
{
    size_t show = n < 200 ? n : 200;

    print_error("  %s %zu bytes:", what, n);
    for (size_t i = 0; i < show; i++)
        print_error(data[i] >= 32 && data[i] < 127 ? "%c" : "\\%02x", data[i]);
    print_error("%s\n", show < n ? "..." : "");
}

/* Up to n bytes; what has come by the end of the stream, or of our patience. */
static size_t hear(int fd, unsigned char *data, size_t n)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t got = 0;

    while (got < n && wait_for(fd, POLLIN, deadline_left(deadline))) {
        ssize_t r = read(fd, data + got, n - got);

        if (r <= 0)
            break;
        got += (size_t)r;
    }
    return got;
}

static void compare(struct play *p, size_t got)
{
    if (got == p->bytes.len && memcmp(p->got.data, p->bytes.data, got) == 0)
        return;
    print_bytes("expected", p->bytes.data, p->bytes.len);
    print_bytes("came    ", p->got.data, got);
    fail_line(p, "other bytes came");
}

static void expect_bytes(struct play *p, int fd)
{
    compare(p, hear(fd, p->got.data, p->bytes.len));
}

/* Half: what we say to it still matters. */
static void expect_end(struct play *p, struct end *e, bool half)
{
    char byte;

    check(p, wait_for(e->fd, POLLIN, WAIT_MS), "it is not closed");
    if (read(e->fd, &byte, 1) > 0)
        fail_line(p, "bytes come instead of the end");
    if (!half)
        close_fd(&e->fd);
}

static void expect_rest(struct play *p, struct end *e, bool exact)
{
    size_t got = hear(e->fd, p->got.data, sizeof(p->got.data) - 1);

    expect_end(p, e, false);
    p->got.data[got] = 0;
    if (exact) {
        compare(p, got);
        return;
    }
    p->bytes.data[p->bytes.len] = 0;
    if (!strstr((char *)p->got.data, (char *)p->bytes.data)) {
        print_bytes("came", p->got.data, got);
        fail_line(p, "that is not in it");
    }
}

static void say(struct play *p, int fd, bool must)
{
    if (write_full(fd, p->bytes.data, p->bytes.len) && must)
        fail_line(p, "it listens no more");
}

static void read_bytes(struct play *p, const char *text)
{
    const char *why = NULL;

    if (!bytes_read(text, &p->bytes, &why))
        fail_line(p, why);
}

static void say_text(struct play *p, int fd, const char *text)
{
    read_bytes(p, text);
    say(p, fd, true);
}

static void hear_text(struct play *p, int fd, const char *text)
{
    read_bytes(p, text);
    expect_bytes(p, fd);
}

/* ---- The daemon ---- */

static void is_served(struct play *p, const char *version)
{
    unsigned long v = strtoul(version, NULL, 0);

    p->served = true;
    p->version = v < 4 ? (uint32_t)v : 4;
}

static void agent_hello(struct play *p, const char *version)
{
    char text[64];
    unsigned long v = strtoul(version, NULL, 0);

    assert_int_equal(format(text, sizeof(text), "HELLO(%lu)", v), 0);
    say_text(p, get_end(p, "agent")->fd, text);
    assert_int_equal(format(text, sizeof(text), "HELLO(%lu)", v < 4 ? v : 4), 0);
    hear_text(p, get_end(p, "agent")->fd, text);
    is_served(p, version);
}

/* An empty service is refused at once, without anybody being asked: what came before it, came. */
static void probe(struct play *p)
{
    static const char *const triggers[] = {"TRIGGER2(''/64 ''/32 'PROBE'/32)",
                                           "TRIGGER3(''/64 'PROBE'/32 b0)",
                                           "TRIGGER4(''/64 ''/64 'PROBE'/32 b0)"};
    int fd = get_end(p, "agent")->fd;

    say_text(p, fd, triggers[p->version - 2]);
    hear_text(p, fd, "REFUSED('PROBE'/32)");
}

static void check_fds(struct play *p)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    while (p->fds && stage_descriptors(&p->s) != p->fds && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 2);
    check(p, !p->fds || stage_descriptors(&p->s) == p->fds, "descriptors are left over");
    p->fds = stage_descriptors(&p->s);
}

/* Each beginning of the bytes, and the end. */
static void die_at_each_byte(struct play *p, const char *who, const char *text)
{
    bool agent = str_equal(who, "agent");
    struct bytes all;

    read_bytes(p, text);
    all = p->bytes;
    for (size_t i = 0; i < all.len; i++) {
        if (!agent)
            dial(p, who, "/run/qubes/qrexec.1");
        else if (i > 0)
            take_connection(p, who, "control");
        p->bytes = all;
        p->bytes.len = i;
        say(p, get_end(p, who)->fd, true);
        close_fd(&get_end(p, who)->fd);
    }
    if (agent)
        take_connection(p, who, "control");
}

/* ---- Programs ---- */

/* "$/" in it is a path below the root; "=$" at its end is the root. */
static char *word_of(struct play *p, size_t start)
{
    const char *text = (const char *)p->bytes.data + start, *at = strstr(text, "$/");
    size_t n = strlen(text);

    if (!at && n > 1 && str_equal(text + n - 2, "=$"))
        at = text + n - 1;
    return at ? format_new("%.*s%s%s", (int)(at - text), text, p->s.root, at + 1) : strdup(text);
}

/* PROGRAM [sock|full] 'WORD' ... The words' bytes are in p->bytes, each with its NUL. */
static void run_program(struct play *p, char *rest)
{
    char *argv[MOST_WORDS] = {NULL};
    const char *dir = getenv("builddir");
    int in[2], out[2], err[2], n = 0, fds[3];
    bool client = str_starts(rest, "client"), sock, full, no_words;
    _cleanup_(freep) char *path = NULL;

    rest += strcspn(rest, " ") + (strchr(rest, ' ') != NULL);
    sock = str_starts(rest, "sock ");
    full = str_starts(rest, "full ");
    no_words = str_starts(rest, "nothing");
    read_bytes(p, sock || full ? rest + 5 : no_words ? "" : rest);
    path = client ? stage_path(&p->s, "/usr/lib/qubes/qrexec-client")
                  : format_new("%s/qrexec-daemon/qrexec-daemon", dir ? dir : ".");
    if (!no_words)
        argv[n++] = strdup(path);
    for (size_t at = 0; at < p->bytes.len; at += strlen((char *)p->bytes.data + at) + 1)
        argv[n++] = word_of(p, at);
    assert_true(n < MOST_WORDS);
    if (sock)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
    else
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    if (full) {
        close(out[1]);
        out[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
    }
    fds[0] = in[0];
    fds[1] = out[1];
    fds[2] = err[1];
    assert_int_equal(
        spawn_process(
            &(struct spawn){
                .path = path, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGKILL},
            &p->pid, NULL),
        0);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    set_end(p, sock ? "sock" : "in", in[1], false);
    set_end(p, "out", out[0], false);
    set_end(p, "err", err[0], false)->ignored = true;
    for (int i = 0; i < n; i++)
        free(argv[i]);
}

static void expect_exit(struct play *p, const char *code)
{
    int got, want = (int)strtol(code, NULL, 0);

    check(p, p->pid > 0, "nothing runs");
    got = spawn_wait(p->pid);
    p->pid = 0;
    if (got == want)
        return;
    if (find_end(p, "err")->fd >= 0) {
        size_t n = hear(find_end(p, "err")->fd, p->got.data, 2000);

        print_bytes("stderr:", p->got.data, n);
    }
    print_error("  it ended with %d\n", got);
    fail_line(p, "another exit code");
}

/* The program at the other end, in the background by now, ends. */
static void end_peer(struct play *p, struct end *e)
{
    pid_t pid = 0;
    uid_t uid;

    assert_int_equal(unix_peer(e->fd, &pid, &uid), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    expect_end(p, e, false);
}

/* ---- Files ---- */

/* exact: nothing else. Waited for. */
static void check_holds(struct play *p, const char *path, bool exact)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);
    _cleanup_(freep) char *text = NULL;
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t n = 0;

    for (;;) {
        freep(&text);
        text = NULL;
        if (file_read(full, sizeof(p->got.data), &text, &n) == 0) {
            bool same = n == p->bytes.len && memcmp(text, p->bytes.data, n) == 0;

            if (same || (!exact && strstr(text, (char *)p->bytes.data)))
                return;
        }
        if (deadline_left(deadline) == 0)
            break;
        (void)poll(NULL, 0, 2);
    }
    if (text)
        print_bytes("it holds", (unsigned char *)text, n);
    fail_line(p, "that is not what it holds");
}

static void check_link(struct play *p, const char *path, const char *to)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);
    char got[256] = "";

    check(p, readlink(full, got, sizeof(got) - 1) > 0 && str_equal(got, to), "another link");
}

/* The first word of *rest, which goes on behind it. */
static char *first_word(char **rest)
{
    char *word = *rest;

    *rest += strcspn(*rest, " ");
    if (**rest)
        *(*rest)++ = 0;
    *rest += strspn(*rest, " ");
    return word;
}

static bool step_file(struct play *p, const char *verb, char *rest)
{
    const char *path = rest, *behind;
    mode_t mode = str_equal(verb, "script") ? 0755 : 0644;

    if (str_equal(verb, "there")) {
        expect_there(&p->s, path);
    } else if (str_equal(verb, "gone")) {
        expect_gone(&p->s, path);
    } else if (str_equal(verb, "dir")) {
        _cleanup_(freep) char *full = stage_path(&p->s, path);

        assert_int_equal(mkdir_all(full, 0755), 0);
    } else if (str_equal(verb, "mode")) {
        mode_t bits = (mode_t)strtoul(first_word(&rest), NULL, 8);
        _cleanup_(freep) char *full = stage_path(&p->s, rest);

        assert_int_equal(chmod(full, bits), 0);
    } else if (str_equal(verb, "remove")) {
        _cleanup_(freep) char *full = stage_path(&p->s, path);

        check(p, unlink(full) == 0, "it cannot be removed");
    } else if (str_equal(verb, "link") || str_equal(verb, "holds") || str_equal(verb, "mentions") ||
               str_equal(verb, "file") || str_equal(verb, "script")) {
        path = first_word(&rest);
        behind = rest;
        if (str_equal(verb, "link")) {
            check_link(p, path, behind);
            return true;
        }
        read_bytes(p, behind);
        if (str_equal(verb, "holds") || str_equal(verb, "mentions")) {
            p->bytes.data[p->bytes.len] = 0;
            check_holds(p, path, str_equal(verb, "holds"));
        } else {
            _cleanup_(freep) char *full = stage_path(&p->s, path);

            assert_int_equal(file_replace(full, p->bytes.data, p->bytes.len, mode), 0);
        }
    } else {
        return false;
    }
    return true;
}

/* ---- Steps ---- */

static bool step_alone(struct play *p, const char *verb, char *rest)
{
    if (str_equal(verb, "probe")) {
        probe(p);
    } else if (str_equal(verb, "fds")) {
        check_fds(p);
    } else if (str_equal(verb, "run")) {
        run_program(p, rest);
    } else if (str_equal(verb, "exit")) {
        expect_exit(p, rest);
    } else if (str_equal(verb, "kill")) {
        assert_int_equal(kill(p->pid, (int)strtol(rest, NULL, 0)), 0);
    } else if (str_equal(verb, "later")) {
        (void)poll(NULL, 0, (int)strtol(rest, NULL, 0));
    } else if (str_equal(verb, "endpeer")) {
        end_peer(p, get_end(p, rest));
    } else if (str_equal(verb, "env")) {
        char *value = strchr(rest, '=');

        assert_non_null(value);
        *value = 0;
        assert_int_equal(value[1] ? setenv(rest, value + 1, 1) : unsetenv(rest), 0);
    } else {
        return step_file(p, verb, rest);
    }
    return true;
}

static void step_connection(struct play *p, const char *who, const char *verb, char *rest)
{
    if (str_equal(verb, "dials")) {
        dial(p, who, rest);
    } else if (str_equal(verb, "takes")) {
        take_connection(p, who, rest);
    } else if (str_equal(verb, "listens")) {
        set_end(p, who, stage_listen(&p->s, rest), true);
    } else if (str_equal(verb, "joins")) {
        dial(p, who, *rest ? rest : "/run/qubes/qrexec.email");
        hear_text(p, get_end(p, who)->fd, "HELLO(3)");
        say_text(p, get_end(p, who)->fd, "HELLO(3)");
    } else if (str_equal(verb, "back")) {
        take_connection(p, who, "control");
        agent_hello(p, rest);
    } else if (str_equal(verb, "hello")) {
        agent_hello(p, rest);
    } else if (str_equal(verb, "is")) {
        is_served(p, rest);
    } else if (str_equal(verb, "dies")) {
        die_at_each_byte(p, who, rest);
    } else if (str_equal(verb, "says")) {
        _cleanup_(freep) char *request = NULL;

        take_connection(p, "asked", who);
        request = read_until(get_end(p, "asked")->fd, "\n\n");
        read_bytes(p, rest);
        say(p, get_end(p, "asked")->fd, false);
        close_fd(&get_end(p, "asked")->fd);
    } else {
        fail_line(p, "no such step");
    }
}

static void step(struct play *p, char *line)
{
    char *rest = line, *who = first_word(&rest), *verb;

    if (step_alone(p, who, rest))
        return;
    verb = first_word(&rest);
    if (str_equal(verb, ">") || str_equal(verb, ">?")) {
        read_bytes(p, rest);
        say(p, get_end(p, who)->fd, !verb[1]);
    } else if (str_equal(verb, "<")) {
        hear_text(p, get_end(p, who)->fd, rest);
    } else if (str_equal(verb, "half")) {
        expect_end(p, get_end(p, who), true);
    } else if (str_equal(verb, "end")) {
        expect_end(p, get_end(p, who), false);
        p->served = p->served && !str_equal(who, "agent");
    } else if (str_equal(verb, "has") || str_equal(verb, "all")) {
        read_bytes(p, rest);
        expect_rest(p, get_end(p, who), str_equal(verb, "all"));
    } else if (str_equal(verb, "quiet")) {
        check(p, !wait_for(get_end(p, who)->fd, POLLIN, 60), "something comes");
    } else if (str_equal(verb, "ignored")) {
        get_end(p, who)->ignored = true;
    } else if (str_equal(verb, "close")) {
        close_fd(&get_end(p, who)->fd);
        p->served = p->served && !str_equal(who, "agent");
    } else if (str_equal(verb, "shut")) {
        assert_int_equal(shutdown(get_end(p, who)->fd, SHUT_WR), 0);
    } else {
        step_connection(p, who, verb, rest);
    }
}

/* ---- Talks ---- */

static void begin(struct play *p)
{
    static const char *const options[] = {"-D", NULL};

    stage_prepare(&p->s);
    set_end(p, "control", take_fd(&p->s.control), true);
    set_end(p, "policy", take_fd(&p->s.policy), true);
    setenv("QREXEC_ROOT", p->s.root, 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    p->line = "the start\n";
    if (p->talk->agent == TALK_NONE)
        return;
    unsetenv("QREXEC_ROOT");
    p->s.daemon = stage_spawn(&p->s, options, getenv("TALK_DEBUG") ? STDERR_FILENO : -1);
    p->daemon = true;
    take_connection(p, "agent", "control");
    if (p->talk->agent != TALK_MUTE) {
        char version[16];

        assert_int_equal(format(version, sizeof(version), "%u", p->talk->agent), 0);
        agent_hello(p, version);
    }
}

/* Nothing may be left to read anywhere but the end. */
static void check_nothing_left(struct play *p)
{
    static const char *const paths[] = {"/run/qubes/qrexec.1", "/run/qubes/qrexec.email",
                                        ("/run/qubes/qrexec.uuid:" STAGE_UUID)};

    for (size_t i = 0; i < p->n_ends; i++) {
        struct end *e = &p->ends[i];
        ssize_t n;

        if (e->fd >= 0 && e->listener && !e->ignored && wait_for(e->fd, POLLIN, 0)) {
            print_error("  %s:\n", e->name);
            fail_line(p, "somebody connected who was not expected");
        }
        if (e->fd < 0 || e->listener || e->ignored)
            continue;
        (void)fd_set_nonblock(e->fd, true);
        n = read(e->fd, p->got.data, sizeof(p->got.data));
        if (n > 0) {
            print_bytes(e->name, p->got.data, (size_t)n);
            fail_line(p, "more came than expected");
        }
    }
    for (size_t i = 0; p->daemon && i < ARRAY_SIZE(paths); i++)
        expect_gone(&p->s, paths[i]);
}

static void finish(struct play *p)
{
    p->line = "the end\n";
    check(p, p->pid == 0, "the program was not waited for");
    if (p->daemon) {
        if (p->served)
            probe(p);
        assert_int_equal(kill(p->s.daemon, SIGTERM), 0);
        check(p, spawn_wait(p->s.daemon) == 0, "the daemon does not end well");
    }
    check_nothing_left(p);
    for (size_t i = 0; i < p->n_ends; i++)
        close_fd(&p->ends[i].fd);
    test_rmdir(p->s.root);
}

static void run_talk(void **state)
{
    static struct play p;
    const struct talk *t = *state;

    p = (struct play){.talk = t};
    begin(&p);
    for (const char *line = t->script; *line; line += strcspn(line, "\n") + 1) {
        _cleanup_(freep) char *copy = strndup(line, strcspn(line, "\n"));

        p.line = line;
        step(&p, copy);
    }
    finish(&p);
}

void talk_add(const char *name, uint32_t agent, const char *script)
{
    if (n_talks == TALKS_MOST || !*script)
        abort(); /* a talk of no step would always pass */
    talks[n_talks] = (struct talk){name, agent, script};
    tests[n_talks] =
        (struct CMUnitTest){.name = name, .test_func = run_talk, .initial_state = &talks[n_talks]};
    n_talks++;
}

void talk_add_all(const struct talk *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        talk_add(rows[i].name, rows[i].agent, rows[i].script);
}

int talks_run(void)
{
    signal(SIGPIPE, SIG_IGN);
    return _cmocka_run_group_tests("talks", tests, n_talks, NULL, NULL);
}
