/* The stage of the calls' bench: see calls-stage.h. */
#include "tests/bench/calls-stage.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *const folders[] = {
    "/run",       "/run/qubes",          "/vchan",         "/rpc", "/etc",
    "/etc/qubes", "/etc/qubes/policy.d", "/etc/qubes-rpc",
};

static const char system_info[] =
    "{\"domains\": {\"dom0\": {\"type\": \"AdminVM\", \"tags\": []},"
    "\"one\": {\"type\": \"AppVM\", \"tags\": [], \"uuid\": "
    "\"00000000-0000-4000-8000-000000000001\","
    " \"power_state\": \"Running\", \"default_dispvm\": null, \"guivm\": null, \"icon\": \"red\","
    " \"label\": \"red\", \"internal\": null, \"template_for_dispvms\": false},"
    "\"two\": {\"type\": \"AppVM\", \"tags\": [], \"uuid\": "
    "\"00000000-0000-4000-8000-000000000002\","
    " \"power_state\": \"Running\", \"default_dispvm\": null, \"guivm\": null, \"icon\": \"red\","
    " \"label\": \"red\", \"internal\": null, \"template_for_dispvms\": false}},"
    " \"generation\": 1}";

static void path_in(const struct calls_stage *s, char buf[static PATH_SIZE], const char *rest)
{
    if (format(buf, PATH_SIZE, "%s%s", s->root, rest))
        bench_fail("a path is too long");
}

static void write_file(const struct calls_stage *s, const char *rest, const char *text, mode_t mode)
{
    char path[PATH_SIZE];
    int fd;

    path_in(s, path, rest);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write_full(fd, text, strlen(text)))
        bench_fail(path);
    close(fd);
}

static void link_program(const struct calls_stage *s, const char *rest, const char *program)
{
    char path[PATH_SIZE];

    path_in(s, path, rest);
    if (symlink(program, path) < 0)
        bench_fail(path);
}

static int listen_blocking(const struct calls_stage *s, const char *rest)
{
    char path[PATH_SIZE];
    int fd = -1;

    path_in(s, path, rest);
    if (unix_listen(path, 0600, &fd) || fd_set_nonblock(fd, false))
        bench_fail(path);
    return fd;
}

static void spawner_answer(int fd)
{
    char asked[256];

    while (read(fd, asked, sizeof(asked)) > 0)
        ;
    if (write_full(fd, "0", 2) || write_full(fd, system_info, strlen(system_info)))
        _exit(1);
}

/* Its descriptor, then the bytes back; a service that needs no process of its own. */
static void socket_answer(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));
    char *end = n > 0 ? memchr(buf, 0, (size_t)n) : NULL;

    if (!end)
        return;
    n -= end + 1 - buf;
    if (n > 0)
        (void)!write(fd, end + 1, (size_t)n);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        (void)!write(fd, buf, (size_t)n);
}

static pid_t serve(int listener, void (*answer)(int fd))
{
    pid_t pid = fork();

    if (pid != 0) {
        close(listener);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            _exit(1);
        answer(fd);
        close(fd);
    }
}

pid_t calls_stage_spawn(const char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? in : out;

        if (fd < 0)
            posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
        else
            posix_spawn_file_actions_adddup2(&actions, fd, i);
    }
    if (posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ))
        bench_fail(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* One that serves until we end; what it says goes to a log. */
static pid_t start(const struct calls_stage *s, const char *program, const char *const *rest)
{
    const char *build = getenv("builddir");
    const char *argv[16] = {NULL};
    char path[PATH_SIZE], log[PATH_SIZE];
    int out;
    pid_t pid;

    path_in(s, log, "/log");
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || format(path, sizeof(path), "%s/%s", build ? build : ".", program))
        bench_fail(log);
    argv[0] = path;
    for (size_t i = 0; rest[i]; i++)
        argv[i + 1] = rest[i];
    const int fds[] = {-1, out, out};

    if (spawn_process(&(struct spawn){.path = path,
                                      .argv = (char *const *)(uintptr_t)argv,
                                      .fds = fds,
                                      .n_fds = ARRAY_SIZE(fds),
                                      .parent_death_signal = SIGKILL},
                      &pid, NULL))
        bench_fail(path);
    close(out);
    return pid;
}

static void wait_for(const struct calls_stage *s, const char *rest)
{
    char path[PATH_SIZE];
    int fd = -1;

    path_in(s, path, rest);
    for (int i = 0; i < 500 && unix_connect(path, &fd); i++)
        (void)poll(NULL, 0, 10);
    if (fd < 0)
        bench_fail(path);
    close(fd);
}

static void set(const char *name, const char *value)
{
    if (setenv(name, value, 1) < 0)
        bench_fail(name);
}

static void start_domain(struct calls_stage *s, unsigned i)
{
    char root[PATH_SIZE], agent[PATH_SIZE], domid[8], dir[PATH_SIZE], wait[64];
    const char *name = i == 0 ? "one" : "two";
    char uuid[64];

    if (format(root, sizeof(root), "--root=%s", s->root) ||
        format(agent, sizeof(agent), "--agent-socket=%s/agent-%s", s->root, name) ||
        format(domid, sizeof(domid), "%u", i + 1) ||
        format(uuid, sizeof(uuid), "--uuid=00000000-0000-4000-8000-00000000000%u", i + 1) ||
        format(dir, sizeof(dir), "%s", s->socket_option))
        bench_fail("a path is too long");
    set("VCHAN_DOMAIN", domid);
    s->agents[i] = start(s, "qrexec-agent/qrexec-agent", (const char *[]){agent, "-S", NULL});
    set("VCHAN_DOMAIN", "0");
    s->daemons[i] = start(s, "qrexec-daemon/qrexec-daemon",
                          (const char *[]){"-D", root, dir, uuid, domid, name, s->user, NULL});
    (void)format(wait, sizeof(wait), "/agent-%s", name);
    wait_for(s, wait);
    (void)format(wait, sizeof(wait), "/run/qubes/qrexec.%s", name);
    wait_for(s, wait);
}

/* As a user, if there is one: root's agent makes a login of each call. */
static struct passwd *find_user(void)
{
    struct passwd *pw;

    if (geteuid() != 0)
        return getpwuid(geteuid());
    setpwent(); /* a plain shell: others take longer to start than a call */
    while ((pw = getpwent()))
        if (pw->pw_uid >= 1000 && pw->pw_uid < 60000 && str_equal(pw->pw_shell, "/bin/sh"))
            break;
    endpwent();
    return pw ? pw : getpwuid(0);
}

static void become_user(void)
{
    struct passwd *pw = find_user();

    if (!pw || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
        bench_fail("who we are");
    printf("as user %s, whose shell is %s\n", pw->pw_name, pw->pw_shell);
    fflush(stdout);
}

static void set_environment(struct calls_stage *s)
{
    const char *build = getenv("builddir");
    struct passwd *pw = getpwuid(geteuid());
    char path[PATH_SIZE];

    if (!pw || format(s->user, sizeof(s->user), "%s", pw->pw_name) ||
        format(s->client_vm, PATH_SIZE, "%s/qrexec-agent/qrexec-client-vm", build ? build : ".") ||
        format(s->client, PATH_SIZE, "%s/qrexec-daemon/qrexec-client", build ? build : ".") ||
        format(s->agent_option, PATH_SIZE, "--agent-socket=%s/agent-one", s->root) ||
        format(s->socket_option, PATH_SIZE, "--socket-dir=%s/run/qubes", s->root))
        bench_fail("who we are, and where the programs are");
    set("QREXEC_ROOT", s->root);
    set("QREXEC_TRANSPORT", "socket");
    path_in(s, path, "/vchan");
    set("VCHAN_SOCKET_DIR", path);
    path_in(s, path, "/rpc");
    set("QREXEC_SERVICE_PATH", path);
    path_in(s, path, "/rpc-config");
    set("QUBES_RPC_CONFIG_PATH", path);
}

void calls_stage_start(struct calls_stage *s)
{
    static const char generation[4096] = {1};
    char path[PATH_SIZE], root_option[PATH_SIZE];
    int fd;

    *s = (struct calls_stage){.root = "/tmp/qrexec-bench.XXXXXX"};
    become_user();
    if (!mkdtemp(s->root))
        bench_fail(s->root);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        path_in(s, path, folders[i]);
        if (mkdir(path, 0755) < 0)
            bench_fail(path);
    }
    path_in(s, path, "/run/qubes/generation");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write_full(fd, generation, sizeof(generation)))
        bench_fail(path);
    close(fd);
    set_environment(s);
    write_file(s, "/etc/qubes/policy.d/30-user.policy",
               "bench.No * @anyvm @anyvm deny\n* * @anyvm @anyvm allow\n", 0644);
    link_program(s, "/rpc/bench.Cat", "/bin/cat");
    write_file(s, "/rpc/bench.Sink", "#!/bin/sh\nexec cat >/dev/null\n", 0755);
    write_file(s, "/rpc/bench.Source", "#!/bin/sh\nexec head -c \"$1\" /dev/zero\n", 0755);
    s->spawner = serve(listen_blocking(s, "/run/qubesd.internal.sock"), spawner_answer);
    s->socket_service = serve(listen_blocking(s, "/rpc/bench.Socket"), socket_answer);
    if (format(root_option, sizeof(root_option), "--root=%s", s->root))
        bench_fail("a path is too long");
    s->policy = start(s, "policy-engine/qrexec-policy-daemon", (const char *[]){root_option, NULL});
    wait_for(s, "/run/qubes/policy.sock");
    for (unsigned i = 0; i < 2; i++)
        start_domain(s, i);
    set("VCHAN_DOMAIN", "1");
}

static void stop(pid_t *pid)
{
    kill(*pid, SIGTERM);
    (void)spawn_wait(*pid);
    *pid = 0;
}

void calls_stage_stop(struct calls_stage *s)
{
    const char *const argv[] = {"/bin/rm", "-rf", s->root, NULL};

    for (size_t i = 0; i < 2; i++) {
        stop(&s->daemons[i]);
        stop(&s->agents[i]);
    }
    stop(&s->policy);
    stop(&s->socket_service);
    stop(&s->spawner);
    (void)spawn_wait(calls_stage_spawn(argv, -1, -1));
}
