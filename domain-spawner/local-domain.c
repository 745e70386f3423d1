/* One domain of the local backend: see local-domain.h. */
#include "domain-spawner/local-domain.h"

#include "domain-spawner/local-net.h"
#include "domain-spawner/local-sandbox.h"
#include "domain-spawner/local-stage.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/sandbox.h"
#include "libqrexec/base/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define LOCAL_DIR "/run/qubes/local"

void local_domain_init(struct local_domain *d, struct backend *b, const struct domain_spec *spec,
                       uint32_t domid)
{
    *d = (struct local_domain){
        .backend = b,
        .spec = *spec,
        .domid = domid,
        .leash = -1,
        .block = -1,
        .net_exit = -1,
        .log_write = -1,
        .log_file = -1,
        .info = WATCH_NULL,
        .init = WATCH_NULL,
        .net_ready = WATCH_NULL,
        .notify = WATCH_NULL,
        .log = WATCH_NULL,
        .prepare = PROCESS_NULL,
        .bwrap = PROCESS_NULL,
        .net = PROCESS_NULL,
        .daemon = PROCESS_NULL,
        .remove = PROCESS_NULL,
    };
}

void local_domain_free(struct local_domain *d)
{
    struct watch *watches[] = {&d->info, &d->init, &d->net_ready, &d->notify, &d->log};
    struct process *processes[] = {&d->prepare, &d->bwrap, &d->net, &d->daemon, &d->remove};

    local_kill_init(d);
    for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
        process_kill(processes[i], SIGKILL);
        watch_remove(&processes[i]->watch);
    }
    for (size_t i = 0; i < ARRAY_SIZE(watches); i++)
        watch_remove(watches[i]);
    close_fd(&d->leash);
    close_fd(&d->block);
    close_fd(&d->net_exit);
    close_fd(&d->log_write);
    close_fd(&d->log_file);
    free(d); /* it is the first member of its backend_domain */
}

static int make_dirs(struct local_domain *d, char log_path[static PATH_SIZE])
{
    char dir[PATH_SIZE];
    int r = path_get(d->dir, LOCAL_DIR "/%s", d->spec.name);

    if (!r)
        r = path_get(dir, "/var/log/qubes");
    if (!r)
        r = mkdir_all(dir, 0755);
    if (!r)
        r = mkdir_all(d->dir, 0711);
    if (!r)
        r = path_get(log_path, "/var/log/qubes/guest-%s.log", d->spec.name);
    return r ? r : sandbox_write_files(&d->spec, d->dir);
}

int local_make_files(struct local_domain *d, int *ret_log)
{
    char path[PATH_SIZE];
    int log[2], r = make_dirs(d, path);

    if (r)
        return r;
    d->log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (d->log_file < 0 || pipe2(log, O_CLOEXEC) < 0)
        return -errno;
    d->log_write = log[1];
    *ret_log = log[0];
    return fd_set_nonblock(log[0], true);
}

void local_remove_files(struct local_domain *d)
{
    char path[PATH_SIZE];

    local_drain_log(d);
    (void)remove_all(d->dir);
    /* after the end, only the log that somebody chose to keep has a disposable's name */
    if (d->spec.disposable && path_get(path, "/var/log/qubes/guest-%s.log", d->spec.name) == 0)
        unlink(path);
}

int local_sweep_files(void)
{
    char path[PATH_SIZE];
    int r = path_get(path, LOCAL_DIR);

    if (!r)
        r = remove_all(path);
    return r ? r : mkdir_all(path, 0711);
}

/* bubblewrap's arguments in a file that only it sees. */
static int options_fd(const struct local_domain *d, const struct sandbox_paths *paths, int *ret)
{
    _cleanup_(freep) char *options = NULL;
    _cleanup_(closep) int fd = memfd_create("bwrap", MFD_CLOEXEC);
    size_t n = 0;
    int r = sandbox_options(&d->spec, d->domid, paths, &options, &n);

    if (fd < 0)
        return -errno;
    if (!r)
        r = write_full(fd, options, n);
    if (r || lseek(fd, 0, SEEK_SET) < 0)
        return r ? r : -errno;
    *ret = take_fd(&fd);
    return 0;
}

static void sandbox_child(const struct local_domain *d, const struct sandbox_paths *paths,
                          const char *program, const int *fds)
{
    char *argv[] = {(char *)"bwrap", (char *)"--args",     (char *)"5",
                    (char *)"--",    (char *)SANDBOX_INIT, NULL};
    int r = spawn_prepare(fds, SANDBOX_N_FDS);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!r && geteuid() == 0)
        r = stage_mount(paths);
    if (!r)
        r = stage_drop(d->uid);
    if (!r) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of uid takes it away */
        execve(program, argv, (char *[]){NULL});
        r = -errno;
    }
    dprintf(STDERR_FILENO, "cannot start bubblewrap: %s\n", strerror(-r));
    _exit(127);
}

struct sandbox_ends {
    int leash, info, block, args, seccomp; /* bubblewrap's */
};

static int open_pipe(int *ret_read, int *ret_write)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    *ret_read = p[0];
    *ret_write = p[1];
    return 0;
}

static int open_ends(struct local_domain *d, const struct sandbox_paths *paths,
                     struct sandbox_ends *e, int *ret_info)
{
    int r = options_fd(d, geteuid() == 0 ? &stage_paths : paths, &e->args);

    if (!r)
        r = sandbox_filter_domain(&e->seccomp);
    if (!r)
        r = open_pipe(&e->leash, &d->leash);
    if (!r)
        r = open_pipe(&e->block, &d->block);
    if (!r)
        r = open_pipe(ret_info, &e->info);
    return r ? r : fd_set_nonblock(*ret_info, true);
}

int local_start_sandbox(struct local_domain *d, pid_t *ret_pid, int *ret_info, const char **ret_why)
{
    char vm[PATH_SIZE], vchan[PATH_SIZE];
    const struct sandbox_paths paths = {
        .vm = vm, .home = d->spec.home, .vchan = vchan, .own = d->dir};
    const char *program = stage_find_program("bwrap");
    struct sandbox_ends e = {-1, -1, -1, -1, -1};
    pid_t pid = -1;
    int r;

    if (!program) {
        *ret_why = "bubblewrap is missing: install the package bubblewrap";
        return -ENOENT;
    }
    r = path_program(vm, PATH_LIB, "vm");
    if (!r)
        r = path_get(vchan, "/run/vchan/%u", d->domid);
    if (!r)
        r = open_ends(d, &paths, &e, ret_info);
    if (!r) {
        int fds[SANDBOX_N_FDS] = {e.leash, d->log_write, d->log_write, e.info,
                                  e.block, e.args,       e.seccomp};

        pid = fork();
        if (pid == 0)
            sandbox_child(d, &paths, program, fds);
        r = pid < 0 ? -errno : 0;
    }
    close_fd(&e.leash);
    close_fd(&e.info);
    close_fd(&e.block);
    close_fd(&e.args);
    close_fd(&e.seccomp);
    if (!r)
        *ret_pid = pid;
    return r;
}

int local_read_info(struct local_domain *d)
{
    const char *key = "\"child-pid\":", *at;
    ssize_t n =
        read(d->info.fd, d->info_text + d->info_len, sizeof(d->info_text) - 1 - d->info_len);
    long pid;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    d->info_len += (size_t)n;
    d->info_text[d->info_len] = 0;
    at = strstr(d->info_text, key);
    if (at && strchr(at, '}')) {
        pid = strtol(at + strlen(key), NULL, 10);
        d->init_pid = (pid_t)pid;
        return pid > 1 ? 0 : -EBADMSG;
    }
    return n == 0 || d->info_len == sizeof(d->info_text) - 1 ? -EBADMSG : -EAGAIN;
}

int local_start_net(struct local_domain *d, pid_t *ret_pid, int *ret_ready, const char **ret_why)
{
    struct net_params p = {.init = d->init_pid, .uid = d->uid, .log_fd = d->log_write};
    _cleanup_(closep) int exit_read = -1;
    int r = open_pipe(&exit_read, &d->net_exit);

    p.exit_fd = exit_read;
    return r ? r : net_start(&p, ret_pid, ret_ready, ret_why);
}

int local_start_daemon(struct local_domain *d, const char *notify, pid_t *ret_pid)
{
    _cleanup_(freep) char *root = NULL, *socket = format_new("NOTIFY_SOCKET=%s", notify);
    char path[PATH_SIZE], domid[16], *argv[10];
    char *envp[] = {socket, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                    (char *)"QREXEC_TRANSPORT=socket", (char *)"QREXEC_STARTUP_TIMEOUT=3600", NULL};
    int fds[3] = {-1, d->log_file, d->log_file}, r = path_program(path, PATH_SBIN, "qrexec-daemon");
    size_t n = 0;

    if (!r)
        r = format(domid, sizeof(domid), "%u", d->domid);
    if (*paths_root() && !(root = format_new("--root=%s", paths_root())))
        r = -ENOMEM;
    if (r || !socket)
        return r ? r : -ENOMEM;
    argv[n++] = (char *)"qrexec-daemon";
    argv[n++] = (char *)"-D";
    if (root)
        argv[n++] = root;
    argv[n++] = (char *)"-u";
    argv[n++] = d->spec.uuid;
    argv[n++] = domid;
    argv[n++] = d->spec.name;
    if (*d->spec.default_user)
        argv[n++] = d->spec.default_user;
    argv[n] = NULL;
    return spawn_process(&(struct spawn){.path = path,
                                         .argv = argv,
                                         .envp = envp,
                                         .fds = fds,
                                         .n_fds = 3,
                                         .new_session = true,
                                         .parent_death_signal = SIGTERM},
                         ret_pid, NULL);
}

/* Through its pidfd, so that no other process can be meant. */
void local_kill_init(struct local_domain *d)
{
    struct process init = {.watch = d->init, .pid = d->init_pid};

    close_fd(&d->net_exit);
    if (d->init.fd >= 0)
        process_kill(&init, SIGKILL);
}

bool local_processes_left(const struct local_domain *d)
{
    return process_alive(&d->prepare) || process_alive(&d->bwrap) || process_alive(&d->net) ||
           process_alive(&d->daemon) || d->init.fd >= 0;
}

/* Keeps the last whole line, as printable text. */
static void note_line(struct local_domain *d, const char *data, size_t n)
{
    size_t end = n, start, m;

    while (end > 0 && isspace((unsigned char)data[end - 1]))
        end--;
    for (start = end; start > 0 && data[start - 1] != '\n'; start--)
        ;
    m = size_min(end - start, sizeof(d->last_line) - 1);
    if (!m)
        return;
    for (size_t i = 0; i < m; i++)
        d->last_line[i] = isprint((unsigned char)data[start + i]) ? data[start + i] : '_';
    d->last_line[m] = 0;
}

void local_read_log(struct local_domain *d)
{
    char buf[4096];
    ssize_t n = read(d->log.fd, buf, sizeof(buf));

    if (n <= 0)
        return;
    note_line(d, buf, (size_t)n);
    if (write(d->log_file, buf, (size_t)n) < 0)
        return; /* a full disk takes the log, not the domain */
}

void local_drain_log(struct local_domain *d)
{
    char buf[4096];
    ssize_t n;

    while (d->log.fd >= 0 && (n = read(d->log.fd, buf, sizeof(buf))) > 0) {
        note_line(d, buf, (size_t)n);
        if (write(d->log_file, buf, (size_t)n) < 0)
            return;
    }
}

const char *local_advice(const struct local_domain *d)
{
    if (strstr(d->last_line, "amespace") || strstr(d->last_line, "clone"))
        return " (this machine does not let an ordinary user make namespaces: see "
               "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)";
    return "";
}
