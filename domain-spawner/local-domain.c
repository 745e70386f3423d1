/* A domain of the local backend: see local-domain.h. */
#include "domain-spawner/local-domain.h"

#include "domain-spawner/guest-daemon.h"
#include "domain-spawner/local-net.h"
#include "domain-spawner/local-sandbox.h"
#include "domain-spawner/local-stage.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/sandbox.h"
#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DOMAINS_DIR "/run/qubes/domains"
#define INFO_MAX    4096
#define LOG_MOST    ((size_t)16 << 20) /* of one life: then nobody listens any more */

void local_domain_init(struct local_domain *d, struct backend *b, const struct domain_spec *spec,
                       uint32_t domid)
{
    *d = (struct local_domain){.backend = b,
                               .spec = *spec,
                               .domid = domid,
                               .prepare = PROCESS_NULL,
                               .bwrap = PROCESS_NULL,
                               .net = PROCESS_NULL,
                               .daemon = PROCESS_NULL,
                               .remove = PROCESS_NULL,
                               .info = WATCH_NULL,
                               .up = WATCH_NULL,
                               .init = WATCH_NULL,
                               .net_ready = WATCH_NULL,
                               .notify = WATCH_NULL,
                               .log = WATCH_NULL,
                               .info_text = BUF_NULL(INFO_MAX),
                               .leash = -1,
                               .net_life = -1,
                               .log_write = -1,
                               .log_file = -1};
}

void local_domain_free(struct local_domain *d)
{
    struct process *const processes[] = {&d->prepare, &d->bwrap, &d->net, &d->daemon, &d->remove};
    struct watch *const watches[] = {&d->info,      &d->up,     &d->init,
                                     &d->net_ready, &d->notify, &d->log};

    for (size_t i = 0; i < ARRAY_SIZE(processes); i++)
        watch_remove(&processes[i]->watch);
    for (size_t i = 0; i < ARRAY_SIZE(watches); i++)
        watch_remove(watches[i]);
    buf_deinit(&d->info_text);
    close_fd(&d->leash);
    close_fd(&d->net_life);
    close_fd(&d->log_write);
    close_fd(&d->log_file);
    free(d);
}

static int open_log(struct local_domain *d)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/var/log/qubes");

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = path_get(path, "/var/log/qubes/guest-%s.log", d->spec.name);
    if (r)
        return r;
    d->log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    return d->log_file < 0 ? -errno : 0;
}

int local_make_files(struct local_domain *d, int *ret_log)
{
    int fds[2], r = path_get(d->dir, DOMAINS_DIR "/%u", d->domid);

    if (!r)
        r = mkdir_all(d->dir, 0755);
    if (!r)
        r = sandbox_write_files(&d->spec, d->dir);
    if (!r)
        r = open_log(d);
    if (!r && pipe2(fds, O_CLOEXEC) < 0)
        r = -errno;
    if (r)
        return r;
    *ret_log = fds[0];
    d->log_write = fds[1];
    return fd_set_nonblock(fds[0], true);
}

void local_remove_files(struct local_domain *d)
{
    local_drain_log(d);
    if (*d->dir)
        (void)remove_all(d->dir);
    guest_daemon_forget(&d->spec, d->domid);
    if (d->spec.disposable)
        guest_logs_remove(&d->spec);
}

int local_sweep_files(void)
{
    char path[PATH_SIZE];
    int r = path_get(path, DOMAINS_DIR);

    if (!r)
        r = remove_all(path);
    return r ? r : mkdir_all(path, 0755);
}

static int options_fd(const struct local_domain *d, const struct sandbox_paths *paths, int *ret)
{
    _cleanup_(freep) char *options = NULL;
    _cleanup_(closep) int fd = -1;
    size_t n;
    int r =
        sandbox_options(&d->spec, d->domid, geteuid() == 0 ? &stage_paths : paths, &options, &n);

    if (r)
        return r;
    fd = memfd_create("bwrap-options", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_full(fd, options, n);
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    if (!r)
        *ret = take_fd(&fd);
    return r;
}

static void sandbox_child(const struct local_domain *d, const char *bwrap, const int *fds,
                          const struct sandbox_paths *paths)
{
    char *const argv[] = {(char *)"bwrap",      (char *)"--args",  (char *)"5", (char *)"--",
                          (char *)SANDBOX_INIT, (char *)"--leash", NULL};
    char *const envp[] = {NULL};
    const char *step = "prepare";
    int r = spawn_prepare(fds, SANDBOX_N_FDS);

    if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        r = -errno;
    if (!r && geteuid() == 0) {
        step = "lay its directories for";
        r = stage_mount(paths);
    }
    if (!r)
        r = stage_drop(d->uid);
    if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* the change of uid took it away */
        r = -errno;
    if (!r) {
        step = "run";
        execve(bwrap, argv, envp);
        r = -errno;
    }
    dprintf(STDERR_FILENO, "cannot %s bubblewrap: %s\n", step, strerror(-r));
    _exit(127);
}

struct sandbox_pipes {
    int leash[2], info[2], up[2];
    int options, filter;
};

static void pipes_deinit(struct sandbox_pipes *p)
{
    int *const all[] = {p->leash, p->info, p->up};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        close_fd(&all[i][0]);
        close_fd(&all[i][1]);
    }
    close_fd(&p->options);
    close_fd(&p->filter);
}

static int pipes_init(struct sandbox_pipes *p, const struct local_domain *d,
                      const struct sandbox_paths *paths)
{
    *p = (struct sandbox_pipes){{-1, -1}, {-1, -1}, {-1, -1}, -1, -1};
    if (pipe2(p->leash, O_CLOEXEC) < 0 || pipe2(p->info, O_CLOEXEC) < 0 ||
        pipe2(p->up, O_CLOEXEC) < 0)
        return -errno;
    return options_fd(d, paths, &p->options);
}

int local_start_sandbox(struct local_domain *d, pid_t *ret, int ret_ends[static 2],
                        const char **ret_why)
{
    _cleanup_(pipes_deinit) struct sandbox_pipes p = {{-1, -1}, {-1, -1}, {-1, -1}, -1, -1};
    const char *bwrap = stage_find_program("bwrap");
    char vm[PATH_SIZE], vchan[PATH_SIZE];
    const struct sandbox_paths paths = {vm, d->spec.home, vchan, d->dir};
    pid_t pid;
    int r;

    if (!bwrap) {
        *ret_why = "bubblewrap is missing: install the package bubblewrap";
        return -ENOENT;
    }
    r = path_program(vm, PATH_LIB, "vm");
    if (!r)
        r = path_get(vchan, "/run/vchan/%u", d->domid);
    if (!r)
        r = pipes_init(&p, d, &paths);
    if (!r)
        r = sandbox_filter_domain(&p.filter);
    if (!r)
        r = fd_set_nonblock(p.info[0], true);
    if (r)
        return r;
    pid = fork();
    if (pid == 0) {
        const int fds[SANDBOX_N_FDS] = {p.leash[0], d->log_write, d->log_write, p.info[1],
                                        p.up[1],    p.options,    p.filter};

        sandbox_child(d, bwrap, fds, &paths);
    }
    if (pid < 0)
        return -errno;
    d->leash = take_fd(&p.leash[1]);
    ret_ends[0] = take_fd(&p.info[0]);
    ret_ends[1] = take_fd(&p.up[0]);
    *ret = pid;
    return 0;
}

int local_read_info(struct local_domain *d)
{
    ssize_t n = buf_read_fd(&d->info_text, d->info.fd, INFO_MAX);
    json_t *info;
    json_int_t pid;

    if (n == -EAGAIN)
        return -EAGAIN;
    if (n <= 0)
        return n ? (int)n : -EPIPE;
    info = json_loadb((const char *)buf_data(&d->info_text), buf_len(&d->info_text), 0, NULL);
    if (!info)
        return -EAGAIN;
    pid = json_integer_value(json_object_get(info, "child-pid"));
    json_decref(info);
    if (pid <= 1 || pid > INT32_MAX)
        return -EPROTO;
    d->init_pid = (pid_t)pid;
    return 0;
}

int local_start_net(struct local_domain *d, pid_t *ret, int *ret_ready, const char **ret_why)
{
    _cleanup_(closep) int read_end = -1;
    struct net_params p = {.init = d->init_pid, .uid = d->uid, .log_fd = d->log_write};
    int life[2], r;

    if (pipe2(life, O_CLOEXEC) < 0)
        return -errno;
    read_end = life[0];
    d->net_life = life[1];
    p.exit_fd = read_end;
    r = net_start(&p, ret, ret_ready, ret_why);
    return r;
}

/*
 * The last line that is not empty, as plain text: the domain chose its bytes. A line may come in
 * pieces: it goes on until its end is seen.
 */
static void keep_last_line(struct local_domain *d, const char *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (data[i] == '\n' || data[i] == '\r') {
            d->line_over = true;
            continue;
        }
        if (d->line_over)
            d->last_len = 0;
        d->line_over = false;
        if (d->last_len < sizeof(d->last_line) / 2)
            d->last_line[d->last_len++] = data[i] >= 0x20 && data[i] <= 0x7e ? data[i] : '_';
        d->last_line[d->last_len] = 0;
    }
}

void local_read_log(struct local_domain *d)
{
    static const char full[] = "\n[the log of this life of the domain is full]\n";
    char data[4096];
    ssize_t n = d->log.fd < 0 ? 0 : read(d->log.fd, data, sizeof(data));

    if (n <= 0)
        return;
    (void)write_full(d->log_file, data, (size_t)n); /* a full disk must not end the domain */
    keep_last_line(d, data, (size_t)n);
    d->logged += (size_t)n;
    if (d->logged > LOG_MOST) {
        (void)write_full(d->log_file, full, sizeof(full) - 1);
        watch_remove(&d->log);
    }
}

void local_drain_log(struct local_domain *d)
{
    for (int i = 0; i < 16; i++)
        local_read_log(d);
}

const char *local_advice(const struct local_domain *d)
{
    if (!str_starts(d->last_line, "bwrap: "))
        return "";
    if (strstr(d->last_line, "nknown option"))
        return "; install bubblewrap 0.8 or newer";
    if (strstr(d->last_line, "namespace") || strstr(d->last_line, "uid map"))
        return "; this machine does not let users make namespaces: sysctl "
               "user.max_user_namespaces=65536 (Debian: kernel.unprivileged_userns_clone=1, "
               "Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0)";
    if (strstr(d->last_line, SANDBOX_INIT))
        return "; the VM side is not installed";
    return "";
}

void local_kill_init(struct local_domain *d)
{
    if (d->init.fd >= 0)
        (void)syscall(SYS_pidfd_send_signal, d->init.fd, SIGKILL, NULL, 0);
    close_fd(&d->net_life);
}

bool local_processes_left(const struct local_domain *d)
{
    return process_alive(&d->prepare) || process_alive(&d->bwrap) || process_alive(&d->net) ||
           process_alive(&d->daemon) || d->init.fd >= 0;
}
