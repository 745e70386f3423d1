/* The world of a VM's program in a talk: see vm-world.h. */
#include "tests/talk/vm-world.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define JOURNAL "/run/systemd/journal"
#define STREAMS 64 /* of services at once */

static const char *const folders[] = {"services", "services2", "config", "config2"};

char *world_path(const struct world *w, const char *name)
{
    char *path = *name == '/' ? strdup(name) : format_new("%s/%s", w->dir, name);

    assert_non_null(path);
    return path;
}

char *world_program(const char *name)
{
    const char *build = getenv("builddir");
    char *path = format_new("%s/qrexec-agent/%s", build ? build : ".", name);

    assert_non_null(path);
    return path;
}

/* ---- A /run of our own ---- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write_full(fd, text, strlen(text)) == 0;

    close_fd(&fd);
    return done;
}

/* Without root's rights: in a user namespace where we stay who we are. */
static bool unshare_mounts(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();

    if (uid == 0)
        return unshare(CLONE_NEWNS) == 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", map);
}

/* What root's own profile would print or do is nobody's business here. */
static void no_profile(const char *home)
{
    static const char *const names[] = {".profile", ".bash_profile", ".bash_login",
                                        ".bashrc",  ".zprofile",     ".zshenv"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(freep) char *path = format_new("%s/%s", home, names[i]);

        if (path && access(path, F_OK) == 0)
            (void)mount("/dev/null", path, NULL, MS_BIND, NULL);
    }
}

static bool own_run(void)
{
    return unshare_mounts() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("run", "/run", "tmpfs", 0, "mode=0755") == 0 && mkdir("/run/systemd", 0755) == 0 &&
           mkdir(JOURNAL, 0755) == 0;
}

/* ---- The journal ---- */

static int datagrams(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = JOURNAL "/socket"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    assert_int_equal(chmod(a.sun_path, 0666), 0);
    return fd;
}

static int append_to(const struct world *w, const char *name)
{
    _cleanup_(freep) char *path = world_path(w, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static const char *field_of(char *text, const char *name)
{
    char *at = strstr(text, name);

    if (!at)
        return "";
    at += strlen(name);
    return at;
}

static void keep_message(int from, int to)
{
    char text[8192], line[8192];
    ssize_t n = recv(from, text, sizeof(text) - 1, 0);
    const char *who, *message;
    int len;

    if (n <= 0)
        return;
    text[n] = 0;
    who = field_of(text, "SYSLOG_IDENTIFIER=");
    message = field_of(text, "MESSAGE=");
    len = snprintf(line, sizeof(line), "%.*s: %.*s\n", (int)strcspn(who, "\n"), who,
                   (int)strcspn(message, "\n"), message);
    (void)!write(to, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line));
}

static void keep_stream(struct pollfd *p, int to)
{
    char text[4096];
    ssize_t n = read(p->fd, text, sizeof(text));

    if (n > 0) {
        (void)!write(to, text, (size_t)n);
        return;
    }
    close(p->fd);
    p->fd = -1;
}

static void take_stream(int listener, struct pollfd *streams)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (streams[i].fd < 0) {
            streams[i] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
            return;
        }
}

static _Noreturn void collect(int messages, int listener, int log, int journal)
{
    struct pollfd p[2 + STREAMS] = {{.fd = messages, .events = POLLIN},
                                    {.fd = listener, .events = POLLIN}};

    for (size_t i = 0; i < STREAMS; i++)
        p[2 + i].fd = -1;
    while (poll(p, ARRAY_SIZE(p), -1) > 0) {
        if (p[0].revents)
            keep_message(messages, log);
        for (size_t i = 0; i < STREAMS; i++)
            if (p[2 + i].fd >= 0 && p[2 + i].revents)
                keep_stream(&p[2 + i], journal);
        if (p[1].revents)
            take_stream(listener, p + 2);
    }
    _exit(1);
}

static void journal_start(struct world *w)
{
    int messages = datagrams(), listener, log = append_to(w, "log"),
        journal = append_to(w, "journal");

    assert_int_equal(unix_listen(JOURNAL "/stdout", 0666, &listener), 0);
    w->collector = fork();
    assert_true(w->collector >= 0);
    if (w->collector == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        collect(messages, listener, log, journal);
    }
    close(messages);
    close(listener);
    close(log);
    close(journal);
}

/* A message of our own comes behind all others: when it is there, they are. */
static unsigned journal_flush(void)
{
    static unsigned count;
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = JOURNAL "/socket"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[64];
    int n = snprintf(text, sizeof(text), "SYSLOG_IDENTIFIER=mark\nMESSAGE=%u\n", ++count);

    assert_true(fd >= 0);
    assert_true(sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&a, sizeof(a)) == n);
    close(fd);
    return count;
}

static char *file_text(const struct world *w, const char *file)
{
    _cleanup_(freep) char *path = world_path(w, file);
    char *text;
    size_t n;

    assert_int_equal(file_read(path, 64u << 20, &text, &n), 0);
    return text;
}

char *world_log(struct world *w, const char *file)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    char mark[64], *text;

    if (!w->collector || str_equal(file, "journal"))
        return file_text(w, file);
    snprintf(mark, sizeof(mark), "mark: %u\n", journal_flush());
    while (!strstr(text = file_text(w, file), mark) && deadline_left(deadline) > 0) {
        free(text);
        (void)poll(NULL, 0, 1);
    }
    return text;
}

/* ---- The directory ---- */

static void make_folders(struct world *w)
{
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_(freep) char *path = world_path(w, folders[i]);

        assert_int_equal(mkdir(path, 0755), 0);
    }
}

static void set_path(const struct world *w, const char *variable, const char *fmt)
{
    char text[600];

    assert_int_equal(format(text, sizeof(text), "%s/%s%s%s/%s2", w->dir, fmt, ":", w->dir, fmt), 0);
    assert_int_equal(setenv(variable, text, 1), 0);
}

void world_clean(struct world *w)
{
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_(freep) char *path = world_path(w, folders[i]);

        assert_int_equal(remove_all(path), 0);
    }
    make_folders(w);
}

void world_open(struct world *w, enum talk_program program)
{
    const struct passwd *pw = getpwuid(geteuid());

    *w = (struct world){.program = program, .dir = test_mkdir(), .log = -1};
    assert_non_null(pw);
    assert_int_equal(format(w->user, sizeof(w->user), "%s", pw->pw_name), 0);
    assert_int_equal(chmod(w->dir, 0755), 0);
    make_folders(w);
    w->streams = own_run();
    if (w->streams && geteuid() == 0)
        no_profile(pw->pw_dir);
    w->logged = w->streams || (access(JOURNAL "/socket", F_OK) < 0 && access("/dev/log", F_OK) < 0);
    w->log = append_to(w, "log");
    if (w->streams)
        journal_start(w);
    setenv("VCHAN_SOCKET_DIR", w->dir, 1);
    set_path(w, "QREXEC_SERVICE_PATH", "services");
    set_path(w, "QUBES_RPC_CONFIG_PATH", "config");
    setenv("SHELL", "/bin/sh", 1); /* of a session; bash would read a file of its HOME first */
    setenv("HOME", w->dir, 1);
    setenv("VCHAN_DOMAIN", "1", 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    setenv("QREXEC_OF_THE_AGENT", "1", 1); /* which no service may see */
    unsetenv("QREXEC_ROOT");
}

void world_start(struct world *w)
{
    _cleanup_(freep) char *agent = world_program("qrexec-agent");
    _cleanup_(freep) char *server = world_program("qrexec-fork-server");
    _cleanup_(freep) char *path = world_path(w, "agent");
    _cleanup_(freep) char *own = world_path(w, "server");
    _cleanup_(freep) char *servers = world_path(w, "server.%s.sock");
    char *as_agent[] = {agent, (char *)"-a", path, (char *)"-s", servers, NULL};
    char *as_server[] = {server, (char *)"--foreground", own, NULL};
    bool is_agent = w->program == TALK_AGENT;
    const int fds[] = {-1, -1, w->log};
    const struct spawn s = {.path = is_agent ? agent : server,
                            .argv = is_agent ? as_agent : as_server,
                            .fds = fds,
                            .n_fds = 3,
                            .parent_death_signal = SIGKILL};

    if (w->program != TALK_CLIENT)
        assert_int_equal(spawn_process(&s, &w->running, NULL), 0);
}

void world_stop(struct world *w)
{
    int code;

    if (!w->running)
        return;
    kill(w->running, SIGTERM);
    code = spawn_wait(w->running);
    w->running = 0;
    assert_int_equal(code, w->program == TALK_AGENT ? 0 : 128 + SIGTERM);
}

void world_close(struct world *w)
{
    if (w->collector) {
        kill(w->collector, SIGKILL);
        (void)spawn_wait(w->collector);
    }
    close_fd(&w->log);
    test_rmdir(w->dir);
}
