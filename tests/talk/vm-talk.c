/* Talks as tables: see vm-talk.h. */
#include "tests/talk/vm-talk.h"

#include "libqrexec/base/spawn.h"
#include "tests/talk/vm-play.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define TALKS_MOST 400

static struct world world;
static struct talk talks[TALKS_MOST];
static struct CMUnitTest tests[TALKS_MOST];
static size_t n_talks;
static struct play play; /* large: in no stack */
static bool clean;       /* the last row came to its end */

/* ---- Files and the log ---- */

static void write_to(struct play *p, const char *verb, char *rest)
{
    _cleanup_(freep) char *path = world_path(p->w, first_word(&rest));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool script = str_equal(verb, "script");

    assert_true(fd >= 0);
    read_bytes(p, rest);
    assert_int_equal(write_full(fd, "#!/bin/sh\n", script ? 10 : 0), 0);
    assert_int_equal(write_full(fd, p->bytes.data, p->bytes.len), 0);
    assert_int_equal(fchmod(fd, script ? 0755 : 0644), 0);
    close(fd);
}

static void expect_holds(struct play *p, char *rest)
{
    _cleanup_(freep) char *path = world_path(p->w, first_word(&rest));
    _cleanup_(freep) char *text = NULL;
    uint64_t deadline = clock_ms() + patience;
    size_t n = 0;

    read_bytes(p, rest);
    for (;;) {
        freep(&text);
        text = NULL;
        if (file_read(path, sizeof(p->got.data), &text, &n) == 0 && n == p->bytes.len &&
            memcmp(text, p->bytes.data, n) == 0)
            return;
        check(p, deadline_left(deadline) > 0, "that is not what it holds");
        (void)poll(NULL, 0, 1);
    }
}

static unsigned count(const char *in, const char *text)
{
    unsigned n = 0;

    for (; (in = strstr(in, text)); in += strlen(text))
        n++;
    return n;
}

/* A number says how often it stands there by now; without one it may come later. */
static void expect_log(struct play *p, const char *file, char *text)
{
    uint64_t deadline = clock_ms() + patience;
    bool exactly = isdigit((unsigned char)*text), streams = str_equal(file, "journal");
    unsigned want = exactly ? (unsigned)strtoul(first_word(&text), NULL, 10) : 0;

    if (streams ? !p->w->streams : !p->w->logged)
        return;
    for (;;) {
        _cleanup_(freep) char *all = world_log(p->w, file);
        unsigned n = count(streams ? all : all + p->log_from, text);

        if (exactly ? n == want : n > 0)
            return;
        if (exactly || deadline_left(deadline) == 0) {
            print_error("  %u times in: %.4000s\n", n, streams ? all : all + p->log_from);
            fail_line(p, "the log is otherwise");
        }
        (void)poll(NULL, 0, 2);
    }
}

static bool step_file(struct play *p, const char *verb, char *rest)
{
    if (str_equal(verb, "file") || str_equal(verb, "script")) {
        write_to(p, verb, rest);
    } else if (str_equal(verb, "link")) {
        _cleanup_(freep) char *path = world_path(p->w, first_word(&rest));

        assert_int_equal(symlink(rest, path), 0);
    } else if (str_equal(verb, "dir")) {
        _cleanup_(freep) char *path = world_path(p->w, rest);

        assert_int_equal(mkdir(path, 0755), 0);
    } else if (str_equal(verb, "mode")) {
        _cleanup_(freep) char *path = world_path(p->w, first_word(&rest));

        assert_int_equal(chmod(path, (mode_t)strtoul(rest, NULL, 8)), 0);
    } else if (str_equal(verb, "remove")) {
        _cleanup_(freep) char *path = world_path(p->w, rest);

        assert_int_equal(unlink(path), 0);
    } else if (str_equal(verb, "there") || str_equal(verb, "gone")) {
        wait_there(p, rest, *verb == 't');
    } else if (str_equal(verb, "holds")) {
        expect_holds(p, rest);
    } else if (str_equal(verb, "log") || str_equal(verb, "journal")) {
        expect_log(p, verb, rest);
    } else {
        return false;
    }
    return true;
}

/* ---- Steps ---- */

static bool step_alone(struct play *p, const char *verb, char *rest)
{
    if (str_equal(verb, "call")) {
        start_call(p, "EXEC", rest);
    } else if (str_equal(verb, "just")) {
        start_call(p, "JUST_EXEC", rest);
    } else if (str_equal(verb, "over")) {
        expect_over(p, rest);
    } else if (str_equal(verb, "result")) {
        expect_result(p, rest);
    } else if (str_equal(verb, "run")) {
        run_program(p, rest);
    } else if (str_equal(verb, "start")) {
        start_program(p, rest);
    } else if (str_equal(verb, "exit")) {
        expect_exit(p, rest);
    } else if (str_equal(verb, "kill")) {
        assert_int_equal(kill(p->pid, (int)strtol(rest, NULL, 0)), 0);
    } else if (str_equal(verb, "env")) {
        set_variable(rest);
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
        listen_at(p, who, rest);
    } else if (str_equal(verb, "poses")) {
        strange_listen(p, who, rest);
    } else if (str_equal(verb, "intrudes")) {
        strange_dial(p, who, rest);
    } else if (str_equal(verb, "tcp")) {
        listen_tcp(p, who, rest);
    } else if (str_equal(verb, "asks")) {
        expect_asked(p, get_end(p, who), rest);
    } else if (str_equal(verb, "back")) {
        daemon_back(p, rest);
    } else if (str_equal(verb, "hello")) {
        daemon_hello(p, rest);
    } else if (str_equal(verb, "mute")) {
        daemon_mute(p);
    } else {
        fail_line(p, "no such step");
    }
}

static void step_stream(struct play *p, const char *who, const char *verb, char *rest)
{
    if (str_equal(verb, ">") || str_equal(verb, ">?")) {
        read_bytes(p, rest);
        say(p, get_end(p, who)->fd, &p->bytes, !verb[1]);
    } else if (str_equal(verb, "says")) {
        say(p, get_end(p, who)->fd, &p->cut, true);
    } else if (str_equal(verb, "drips")) {
        struct bytes b;

        read_bytes(p, rest);
        for (size_t i = 0; i < p->bytes.len; i++) {
            b = (struct bytes){.data = {p->bytes.data[i]}, .len = 1};
            say(p, get_end(p, who)->fd, &b, true);
        }
    } else if (str_equal(verb, "<")) {
        hear_text(p, get_end(p, who)->fd, rest);
    } else if (str_equal(verb, "skips")) {
        size_t n = strtoul(rest, NULL, 0);

        check(p, hear(get_end(p, who)->fd, p->got.data, n) == n, "it ends before");
    } else if (str_equal(verb, "end") || str_equal(verb, "half")) {
        expect_end(p, get_end(p, who), *verb == 'h');
    } else if (str_equal(verb, "has") || str_equal(verb, "all")) {
        read_bytes(p, rest);
        expect_rest(p, get_end(p, who), *verb == 'a');
    } else if (str_equal(verb, "quiet")) {
        check(p, !wait_for(get_end(p, who)->fd, POLLIN, 60), "something comes");
    } else if (str_equal(verb, "ignored")) {
        get_end(p, who)->ignored = true;
    } else if (str_equal(verb, "close")) {
        close_fd(&get_end(p, who)->fd);
    } else if (str_equal(verb, "shut")) {
        assert_int_equal(shutdown(get_end(p, who)->fd, SHUT_WR), 0);
    } else {
        step_connection(p, who, verb, rest);
    }
}

/* The line with what stands for ^U and the like. */
static void expand(const struct play *p, const char *line, char buf[static LINE_MOST])
{
    size_t n = 0;

    for (; *line && *line != '\n'; line++) {
        const char *text = NULL;

        if (*line == '^' && isupper((unsigned char)line[1])) {
            line++;
            text = *line == 'U' ? p->w->user : *line == 'D' ? p->w->dir : p->idents[*line - 'A'];
        }
        assert_true(n + (text ? strlen(text) : 1) < LINE_MOST);
        if (text)
            n += (size_t)snprintf(buf + n, LINE_MOST - n, "%s", text);
        else
            buf[n++] = *line;
    }
    buf[n] = 0;
}

static void step(struct play *p, const char *text)
{
    char line[LINE_MOST], *rest = line, *who, *verb;

    p->line = text;
    expand(p, text, line);
    who = first_word(&rest);
    if (!*who || step_alone(p, who, rest))
        return;
    verb = first_word(&rest);
    step_stream(p, who, verb, rest);
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

static void steps(struct play *p, const char *line);

/* The rest, until it was once as fast as that: on a busy machine not every time. */
static void steps_quick(struct play *p, const char *line)
{
    unsigned long ms = strtoul(line + strlen("quick "), NULL, 10);

    for (int i = 0; i < 30; i++) {
        uint64_t start = clock_ms();

        steps(p, next_line(line));
        if (clock_ms() - start <= ms)
            return;
    }
    p->line = line;
    fail_line(p, "it was never that quick");
}

static void steps(struct play *p, const char *line)
{
    char text[LINE_MOST];
    struct bytes all;

    for (; *line; line = next_line(line)) {
        if (str_starts(line, "quick ")) {
            steps_quick(p, line);
            return;
        }
        if (!str_starts(line, "cuts ")) {
            step(p, line);
            continue;
        }
        p->line = line;
        expand(p, line + strlen("cuts "), text);
        read_bytes(p, text);
        all = p->bytes;
        for (size_t i = 0; i < all.len; i++) {
            p->cut = all;
            p->cut.len = i;
            steps(p, next_line(line));
        }
        return;
    }
}

/* ---- Talks ---- */

static void begin(struct play *p)
{
    static const char *const sockets[] = {"agent", "server", "vchan.1.0.512.sock"};

    p->line = "the start\n";
    if (!clean) {
        if (p->w->running) {
            kill(p->w->running, SIGKILL);
            (void)spawn_wait(p->w->running);
        }
        p->w->running = 0;
        for (size_t i = 0; i < p->n_ends; i++)
            close_fd(&p->ends[i].fd);
        p->n_ends = 0;
        for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
            _cleanup_(freep) char *path = world_path(p->w, sockets[i]);

            (void)unlink(path);
        }
        world_clean(p->w);
        world_start(p->w);
    }
    clean = false;
    p->pid = 0;
    p->calls = 0;
    if (p->w->logged) {
        _cleanup_(freep) char *log = world_log(p->w, "log");

        p->log_from = strlen(log);
    }
    if (p->w->program == TALK_AGENT && (!find_end(p, "daemon") || find_end(p, "daemon")->fd < 0 ||
                                        !str_equal(p->idents['V' - 'A'], "4")))
        daemon_back(p, "4");
}

/* A call that is refused, and before it nothing that was not expected. */
static void agent_serves(struct play *p)
{
    static const char *const triggers[] = {"Z TRIGGER2('probe'/64 'dom0'/32 'SOCKET'/32)",
                                           "Z TRIGGER3('dom0'/64 'SOCKET'/32 'probe'z)",
                                           "Z TRIGGER4(''/64 'dom0'/64 'SOCKET'/32 'probe'z)"};
    char text[128];

    if (find_end(p, "daemon")->fd < 0)
        daemon_back(p, "4");
    dial(p, "probe", "agent");
    say_text(p, get_end(p, "probe")->fd, "TRIGGER4(''/64 'dom0'/64 'SOCKET'/32 'probe'z)");
    snprintf(text, sizeof(text), "%s", triggers[p->idents['V' - 'A'][0] - '2']);
    expect_asked(p, get_end(p, "daemon"), text);
    snprintf(text, sizeof(text), "REFUSED('%s'/32)", p->idents['Z' - 'A']);
    say_text(p, get_end(p, "daemon")->fd, text);
    expect_end(p, get_end(p, "probe"), false);
}

static void server_serves(struct play *p)
{
    listen_at(p, "its", "vchan.0.1.999.sock");
    dial(p, "probe", "server");
    say_text(p, get_end(p, "probe")->fd, "0x201 0 999 5 'true'z");
    take_connection(p, "served", "its");
    set_end(p, "its", -1, false);
    say_text(p, get_end(p, "served")->fd, "HELLO(4)");
    hear_text(p, get_end(p, "served")->fd, "HELLO(4) EXIT(0)");
    expect_end(p, get_end(p, "served"), false);
    expect_end(p, get_end(p, "probe"), false);
}

/* Nothing may be left to read anywhere. */
static void check_nothing_left(struct play *p)
{
    for (size_t i = 0; i < p->n_ends; i++) {
        struct end *e = &p->ends[i];
        ssize_t n = 0;

        if (e->fd < 0 || e->ignored)
            continue;
        if (e->listener && wait_for(e->fd, POLLIN, 0)) {
            print_error("  %s:\n", e->name);
            fail_line(p, "somebody connected who was not expected");
        } else if (!e->listener && wait_for(e->fd, POLLIN, 0)) {
            n = read(e->fd, p->got.data, sizeof(p->got.data));
        }
        if (n > 0) {
            print_bytes(e->name, p->got.data, (size_t)n);
            fail_line(p, "more came than expected");
        }
        if (!str_equal(e->name, "daemon"))
            close_fd(&e->fd);
    }
}

static void finish(struct play *p)
{
    p->line = "the end\n";
    check(p, p->pid == 0, "the program was not waited for");
    check(p, p->calls == 0, "a call is not over");
    if (p->w->program == TALK_AGENT)
        agent_serves(p);
    else if (p->w->program == TALK_FORK_SERVER)
        server_serves(p);
    check_nothing_left(p);
    if (p->w->program == TALK_CLIENT) {
        _cleanup_(freep) char *agent = world_path(p->w, "agent");

        (void)unlink(agent);
    }
    world_clean(p->w);
    clean = true;
}

static void run_talk(void **state)
{
    play.talk = *state;
    play.w = &world;
    begin(&play);
    steps(&play, play.talk->script);
    finish(&play);
}

void talk_add(const char *name, const char *script)
{
    if (n_talks == TALKS_MOST)
        abort();
    talks[n_talks] = (struct talk){name, script};
    tests[n_talks] =
        (struct CMUnitTest){.name = name, .test_func = run_talk, .initial_state = &talks[n_talks]};
    n_talks++;
}

void talk_add_all(const struct talk *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        talk_add(rows[i].name, rows[i].script);
}

static enum talk_program the_program;

static int open_all(void **state)
{
    (void)state;
    world_open(&world, the_program);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < play.n_ends; i++)
        close_fd(&play.ends[i].fd);
    if (clean)
        world_stop(&world);
    else if (world.running)
        kill(world.running, SIGKILL);
    world_close(&world);
    return 0;
}

int talks_run(enum talk_program program)
{
    const char *ms = getenv("TALK_PATIENCE"); /* for who writes a row */

    the_program = program;
    if (ms)
        patience = (unsigned)strtoul(ms, NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    return _cmocka_run_group_tests("talks", tests, n_talks, open_all, close_all);
}
