/* The instance: see load.h. */
#include "tests/load/load.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define GENERATION 7

struct world world;
int failures;
static uint64_t random_state = 1;

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void sleep_ms(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

uint32_t rnd(uint32_t n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(random_state >> 33) % n;
}

static void seed(void)
{
    const char *text = getenv("LOAD_SEED");

    random_state = text ? strtoull(text, NULL, 10) : now_us() % 1000000;
    printf("seed: LOAD_SEED=%llu\n", (unsigned long long)random_state);
}

void check(bool ok, const char *what, const char *figures, ...)
{
    va_list ap;

    printf("%s - %s", ok ? "ok" : "not ok", what);
    if (figures) {
        printf(": ");
        va_start(ap, figures);
        vprintf(figures, ap);
        va_end(ap);
    }
    puts("");
    fflush(stdout);
    failures += !ok;
}

void die(const char *fmt, ...)
{
    va_list ap;

    printf("not ok - ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    puts("");
    fflush(stdout);
    world_stop();
    exit(1);
}

static char *next_buffer(void)
{
    static char buffers[16][256];
    static size_t at;

    return buffers[at++ % ARRAY_SIZE(buffers)];
}

const char *in_dir(const char *fmt, ...)
{
    char *p = next_buffer();
    size_t n = (size_t)snprintf(p, 256, "%s/", world.dir);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p + n, 256 - n, fmt, ap);
    va_end(ap);
    return p;
}

const char *program(const char *path)
{
    static struct {
        const char *path;
        char full[256];
    } known[16];
    const char *build = getenv("builddir");
    _cleanup_(freep) char *real = realpath(build ? build : ".", NULL);
    size_t i = 0;

    while (i < ARRAY_SIZE(known) && known[i].path && !str_equal(known[i].path, path))
        i++;
    if (i == ARRAY_SIZE(known) || !real || format(known[i].full, 256, "%s/%s", real, path))
        die("%s: no place for its path", path);
    known[i].path = path;
    return known[i].full;
}

/* An own list each time: the last few stay valid. */
char *const *environment(uint32_t domid)
{
    static char texts[8][4][256];
    static char *lists[8][12];
    static size_t at;
    size_t i = at++ % 8, n = 0;
    char **e = lists[i];

    snprintf(texts[i][0], 256, "VCHAN_DOMAIN=%u", domid);
    snprintf(texts[i][1], 256, "VCHAN_SOCKET_DIR=%s/run/vchan", world.dir);
    if (domid)
        snprintf(texts[i][2], 256, "QREXEC_SERVICE_PATH=%s/services", world.dir);
    else
        snprintf(texts[i][2], 256, "QREXEC_ROOT=%s", world.dir);
    snprintf(texts[i][3], 256, "QUBES_RPC_CONFIG_PATH=%s/config", world.dir);
    for (size_t t = 0; t < (domid ? 4 : 3); t++)
        e[n++] = texts[i][t];
    e[n++] = (char *)"QREXEC_TRANSPORT=socket";
    e[n++] = (char *)"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    e[n++] = (char *)"HOME=/";
    e[n] = NULL;
    return e;
}

void write_file(const char *path, const char *text, mode_t mode)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write_full(fd, text, strlen(text)) || fchmod(fd, mode) < 0)
        die("%s: %s", path, strerror(errno));
}

pid_t spawn(const char *const *argv, uint32_t domid, const int *fds, int *ret_pidfd)
{
    const struct spawn s = {.path = argv[0],
                            .argv = (char *const *)(uintptr_t)argv,
                            .envp = environment(domid),
                            .fds = fds,
                            .n_fds = 3,
                            .parent_death_signal = SIGKILL};
    pid_t pid;
    int r = spawn_process(&s, &pid, ret_pidfd);

    if (r)
        die("%s: %s", argv[0], strerror(-r));
    return pid;
}

static pid_t spawn_logged(const char *const *argv, uint32_t domid, const char *log)
{
    _cleanup_(closep) int fd =
        open(in_dir("log/%s", log), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int fds[] = {-1, fd, fd};

    return spawn(argv, domid, fds, NULL);
}

void policy_start(void)
{
    char root[128];
    const char *const argv[] = {program("policy-engine/qrexec-policy-daemon"), root, NULL};
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1;

    snprintf(root, sizeof(root), "--root=%s", world.dir);
    world.policy = spawn_logged(argv, 0, "policy");
    while (unix_connect(in_dir("run/qubes/policy.sock"), &fd) && deadline_left(deadline) > 0)
        sleep_ms(5);
    if (fd < 0)
        die("the policy daemon does not serve");
    close_fd(&fd);
}

void daemon_start(struct vm *vm)
{
    char root[128], uuid[64], number[16];
    const char *const argv[] = {program("qrexec-daemon/qrexec-daemon"),
                                "-D",
                                root,
                                "-u",
                                uuid,
                                number,
                                vm->name,
                                world.user,
                                NULL};

    snprintf(root, sizeof(root), "--root=%s", world.dir);
    snprintf(uuid, sizeof(uuid), "00000000-0000-4000-8000-%012u", vm->domid);
    snprintf(number, sizeof(number), "%u", vm->domid);
    vm->daemon = spawn_logged(argv, 0, vm->name);
}

void agent_start(struct vm *vm)
{
    char log[64];
    const char *const argv[] = {program("qrexec-agent/qrexec-agent"), "-a",
                                in_dir("agent.%s", vm->name), "-S", NULL};

    snprintf(log, sizeof(log), "%s-agent", vm->name);
    vm->agent = spawn_logged(argv, vm->domid, log);
}

bool vm_serves(const struct vm *vm)
{
    int a = -1, d = -1;
    bool ok = unix_connect(in_dir("agent.%s", vm->name), &a) == 0 &&
              unix_connect(in_dir("run/qubes/qrexec.%s", vm->name), &d) == 0;

    close_fd(&a);
    close_fd(&d);
    return ok;
}

void vm_wait(const struct vm *vm)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    while (!vm_serves(vm) && deadline_left(deadline) > 0)
        sleep_ms(5);
    if (!vm_serves(vm))
        die("domain %s does not serve", vm->name);
}

void vm_begin(struct vm *vm, uint32_t domid, const char *name)
{
    *vm = (struct vm){.domid = domid, .name = name};
    agent_start(vm);
    daemon_start(vm);
}

void end_process(pid_t *pid, int sig)
{
    if (*pid <= 0)
        return;
    /* before: a leak checker stops what ends, and would wait for ever if that were undone */
    (void)kill(*pid, SIGCONT);
    (void)kill(*pid, sig);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void make_dirs(void)
{
    static const char *const dirs[] = {"run/qubes",     "run/vchan", "etc/qubes/policy.d",
                                       "etc/qubes-rpc", "services",  "config",
                                       "usr/lib/qubes", "usr/bin",   "log",
                                       "var/log/qubes"};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (mkdir_all(in_dir("%s", dirs[i]), 0755))
            die("%s: %s", in_dir("%s", dirs[i]), strerror(errno));
}

static void make_files(void)
{
    const uint64_t page[512] = {GENERATION};
    int fd = open(in_dir("run/qubes/generation"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || write_full(fd, page, sizeof(page)))
        die("%s: %s", in_dir("run/qubes/generation"), strerror(errno));
    close_fd(&fd);
    write_file(in_dir("etc/qubes/policy.d/30-user.policy"),
               "load.Refused * @anyvm @anyvm deny\n"
               "load.Disposable * @anyvm @dispvm:dvm allow\n"
               "load.Back * @anyvm @dispvm:dvm allow\n"
               "* * @anyvm @anyvm allow\n"
               "* * @anyvm dom0 allow\n",
               0644);
    write_file(in_dir("services/load.Echo"), "#!/bin/sh\nexec cat\n", 0755);
    write_file(in_dir("services/load.Disposable"), "#!/bin/sh\nexec cat\n", 0755);
    write_file(in_dir("services/load.Code"), "#!/bin/sh\nexit ${1:-0}\n", 0755);
    write_file(in_dir("services/load.Drain"), "#!/bin/sh\ncat >/dev/null\nexit 5\n", 0755);
    write_file(in_dir("services/load.Some"), "#!/bin/sh\nhead -c \"$1\" /dev/zero\nexit 7\n", 0755);
    write_file(in_dir("services/load.Part"), "#!/bin/sh\nhead -c \"$1\"\nexit 7\n", 0755);
    write_file(in_dir("services/load.Descriptors"), "#!/bin/sh\nexec ls /proc/self/fd\n", 0755);
    write_file(in_dir("services/load.Name"), "#!/bin/sh\nprintf %s \"$QREXEC_SERVICE_FULL_NAME\"\n",
               0755);
    write_file(in_dir("etc/qubes-rpc/load.Dom0"), "#!/bin/sh\nexec cat\n", 0755);
    write_file(in_dir("config/load.Socket"), "skip-service-descriptor = true\n", 0644);
    if (symlink(program("qrexec-daemon/qrexec-client"), in_dir("usr/lib/qubes/qrexec-client")) <
            0 ||
        symlink(program("policy-engine/qrexec-policy-exec"), in_dir("usr/bin/qrexec-policy-exec")) <
            0 ||
        symlink(program("rpc-services/services/qubes.VMExec"), in_dir("services/qubes.VMExec")) < 0)
        die("symlink: %s", strerror(errno));
}

void world_start(void)
{
    static const char *const names[VMS] = {"a", "b", "c"};
    const struct passwd *pw = getpwuid(geteuid());

    seed();
    if (!pw || format(world.user, sizeof(world.user), "%s", pw->pw_name))
        die("who am I?");
    (void)format(world.dir, sizeof(world.dir), "%s", "/tmp/qrexec-load.XXXXXX");
    if (!mkdtemp(world.dir))
        die("%s: %s", world.dir, strerror(errno));
    (void)chmod(world.dir, 0711);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    make_dirs();
    make_files();
    world.spawner = spawner_start();
    policy_start();
    for (uint32_t i = 0; i < VMS; i++)
        vm_begin(&world.vms[i], i + 1, names[i]);
    for (size_t i = 0; i < VMS; i++)
        vm_wait(&world.vms[i]);
}

void world_stop(void)
{
    pid_t pids[256];
    size_t n;

    end_process(&world.spawner, SIGTERM);
    for (size_t i = 0; i < VMS; i++) {
        end_process(&world.vms[i].agent, SIGTERM);
        end_process(&world.vms[i].daemon, SIGTERM);
    }
    end_process(&world.policy, SIGTERM);
    while ((n = descendants(getpid(), NULL, pids, ARRAY_SIZE(pids))) > 0) {
        for (size_t i = 0; i < n; i++)
            (void)kill(pids[i], SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        sleep_ms(5);
    }
    if (*world.dir && !getenv("LOAD_KEEP"))
        (void)remove_all(world.dir);
}
