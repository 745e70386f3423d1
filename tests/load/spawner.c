/*
 * What the instance has no real one of: the domain spawner, and the far end of a socket service.
 *
 * A process of its own. It knows the domains a, b, c, "late" (halted, takes a while to start) and
 * "dvm", a template for disposables. Each request is served by a child, so that a lease can simply
 * be held: the disposable is two more children of that child, and all that descends from it goes
 * when its connection closes.
 */
#include "tests/load/load.h"

#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LATE_DOMID       50
#define FIRST_DISPOSABLE 100

static uint32_t next_domid = FIRST_DISPOSABLE;

static void answer_info(int fd)
{
    static const char json[] =
        "0\0{\"generation\":7,\"domains\":{\"dom0\":{\"type\":\"AdminVM\",\"icon\":\"adminvm\"}"
#define VM(name, number, more)                                                                     \
    ",\"" name "\":{\"type\":\"AppVM\",\"tags\":[],\"default_dispvm\":\"dvm\",\"icon\":\"red\","   \
    "\"guivm\":\"dom0\",\"uuid\":\"00000000-0000-4000-8000-0000000000" number "\"" more "}"
        VM("a", "01", "") VM("b", "02", "") VM("c", "03", "") VM("late", "50", "")
            VM("dvm", "90", ",\"template_for_dispvms\":true");

    (void)write_full(fd, json, sizeof(json) - 1);
    for (uint32_t id = FIRST_DISPOSABLE; id < next_domid; id++)
        (void)dprintf(fd,
                      ",\"disp%u\":{\"type\":\"DispVM\",\"tags\":[],\"default_dispvm\":\"dvm\","
                      "\"icon\":\"red\",\"guivm\":\"dom0\","
                      "\"uuid\":\"00000000-0000-4000-8000-%012u\"}",
                      id, id);
    (void)write_full(fd, "}}", 2);
}

/* Until the client's request is all there: NUL behind the header. */
static bool read_header(int fd, char *text, size_t size)
{
    size_t n = 0;
    uint64_t deadline = clock_ms() + WAIT_MS;

    while (n + 1 < size && !read_full_until(fd, text + n, 1, deadline))
        if (!text[n++])
            return true;
    return false;
}

static void kill_all(void)
{
    pid_t pids[64];
    size_t n;

    while ((n = descendants(getpid(), NULL, pids, ARRAY_SIZE(pids))) > 0) {
        for (size_t i = 0; i < n; i++)
            (void)kill(pids[i], SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        sleep_ms(1);
    }
}

/* Those of the daemon as guest_daemon_forget() does. */
static void forget_files(const struct vm *vm)
{
    static const char *const suffixes[] = {"", ":new"};

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        (void)unlink(in_dir("run/qubes/qrexec.%s%s", vm->name, suffixes[i]));
        (void)unlink(in_dir("run/qubes/qrexec.uuid:00000000-0000-4000-8000-%012u%s", vm->domid,
                            suffixes[i]));
        (void)unlink(in_dir("run/qubes/ports.%u%s", vm->domid, suffixes[i]));
    }
    (void)unlink(in_dir("agent.%s", vm->name));
    (void)unlink(in_dir("run/qubes/qrexec.%u", vm->domid));
    (void)unlink(in_dir("run/qubes/qrexec-calls.%u", vm->domid));
    (void)unlink(in_dir("run/vchan/vchan.%u.0.512.sock", vm->domid));
}

/* As the domain spawner does: nobody will come to these any more. */
static void hang_up_on_servers(const struct vm *vm)
{
    char client[32];
    DIR *d = opendir(in_dir("run/vchan"));
    const struct dirent *e;

    snprintf(client, sizeof(client), ".%u.", vm->domid);
    while (d && (e = readdir(d))) {
        const char *at = strncmp(e->d_name, "vchan.", 6) ? NULL : strchr(e->d_name + 6, '.');
        int fd;

        if (at && str_starts(at, client) &&
            unix_connect(in_dir("run/vchan/%s", e->d_name), &fd) == 0)
            close(fd);
    }
    if (d)
        closedir(d);
}

static bool has_ended(const struct vm *vm)
{
    return waitpid(vm->daemon, NULL, WNOHANG) != 0 || waitpid(vm->agent, NULL, WNOHANG) != 0;
}

/* A disposable, while its connection is open and its two processes live. */
static void lease(int fd, uint32_t domid)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char name[32], text[128];
    struct vm vm;
    int n;

    while (!read_full_until(fd, text, 1, clock_ms() + WAIT_MS) && *text != '\n')
        ; /* its payload */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(name, sizeof(name), "disp%u", domid);
    vm_begin(&vm, domid, name);
    while (!vm_serves(&vm) && !has_ended(&vm) && poll(&p, 1, 5) == 0)
        ;
    n = snprintf(text, sizeof(text), "0%cdisp%u uuid:00000000-0000-4000-8000-%012u %u\n", 0, domid,
                 domid, domid);
    if (!p.revents && vm_serves(&vm))
        (void)write_full(fd, text, (size_t)n);
    while (!has_ended(&vm) && poll(&p, 1, 20) == 0)
        ;
    kill_all();
    hang_up_on_servers(&vm);
    forget_files(&vm);
}

/* What starts the domain must outlive the request: it is the spawner's child, not the server's. */
static struct vm late;
static uint64_t late_at; /* when it was asked for; 0: it is halted */

static void serve_start(int fd)
{
    if (!late_at)
        late_at = clock_ms() + LATE_MS;
    if (fork() > 0)
        return;
    late = (struct vm){.domid = LATE_DOMID, .name = "late"};
    for (uint64_t end = late_at + WAIT_MS; clock_ms() < late_at || !vm_serves(&late);) {
        if (clock_ms() > end)
            _exit(1);
        sleep_ms(5);
    }
    _exit(write_full(fd, "0", 2) != 0);
}

static void start_late(void)
{
    if (late_at && !late.daemon && clock_ms() + 50 >= late_at)
        vm_begin(&late, LATE_DOMID, "late");
}

/* Whom it is about is the header's last word: a name, or a uuid, which ends with the number. */
static bool is_late(const char *header)
{
    const char *last = strrchr(header, ' ');
    size_t n = last ? strlen(last) : 0;

    return n > 4 && (str_equal(last + n - 4, "late") || str_equal(last + n - 4, "0050"));
}

static void serve_request(int fd)
{
    char header[256];
    uint32_t domid;

    if (!read_header(fd, header, sizeof(header)))
        return;
    if (str_starts(header, "admin.vm.Start+") && is_late(header)) {
        serve_start(fd);
    } else if (str_starts(header, "admin.vm.Start+")) {
        (void)write_full(fd, "0", 2); /* it runs: its daemon may have been killed */
    } else if (str_starts(header, "internal.GetSystemInfo+")) {
        answer_info(fd);
    } else if (str_starts(header, "internal.LeaseDisposable+")) {
        domid = next_domid++;
        if (fork() == 0) {
            lease(fd, domid);
            _exit(0);
        }
    }
}

static void serve_echo(int fd)
{
    char data[65536];
    ssize_t n;

    if (fork() > 0)
        return;
    (void)fd_set_nonblock(fd, false);
    while ((n = read(fd, data, sizeof(data))) > 0)
        if (write_full(fd, data, (size_t)n))
            break;
    _exit(0);
}

static volatile sig_atomic_t ending;

static void on_term(int sig)
{
    (void)sig;
    ending = 1;
}

static _Noreturn void serve(void)
{
    static const char *const paths[] = {"run/qubesd.internal.sock", "run/qubesd.sock",
                                        "services/load.Socket"};
    struct pollfd p[ARRAY_SIZE(paths)];

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        p[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (unix_listen(in_dir("%s", paths[i]), 0666, &p[i].fd))
            _exit(1);
    }
    while (!ending) {
        (void)poll(p, ARRAY_SIZE(paths), late_at && !late.daemon ? 10 : 1000);
        start_late();
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
            int fd = p[i].revents ? accept(p[i].fd, NULL, NULL) : -1;

            if (fd < 0)
                continue;
            if (i == 2)
                serve_echo(fd);
            else
                serve_request(fd);
            close_fd(&fd);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    kill_all();
    if (late.daemon)
        forget_files(&late);
    _exit(0);
}

pid_t spawner_start(void)
{
    pid_t pid = fork();
    uint64_t deadline = clock_ms() + WAIT_MS;

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        signal(SIGTERM, on_term);
        serve();
    }
    while (access(in_dir("services/load.Socket"), F_OK) < 0 && deadline_left(deadline) > 0)
        sleep_ms(2);
    return pid;
}
