/* Starting programs: see spawn.h. */
#include "libqrexec/base/spawn.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MOST_FDS 16

static void default_signals(void)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &sa, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves every descriptor out of the way first, so that no target is overwritten before its use. */
static int place_fds(const int *fds, size_t n)
{
    int moved[MOST_FDS];

    if (n > MOST_FDS)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int from = fds[i] >= 0 ? fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);

        moved[i] = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, MOST_FDS);
        if (moved[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < n; i++)
        if (dup2(moved[i], (int)i) < 0)
            return -errno;
    return 0;
}

int spawn_prepare(const int *fds, size_t n_fds)
{
    int r;

    log_close();
    r = place_fds(fds, n_fds);
    if (r)
        return r;
    if (syscall(SYS_close_range, (unsigned)n_fds, ~0U, 0) < 0)
        return -errno;
    default_signals();
    return 0;
}

/* In the child: all but the report pipe, which comes last and closes on exec. */
static int child_setup(const struct spawn *s, int report, int *ret_report)
{
    int fds[MOST_FDS + 1], r;

    if (s->n_fds < 3 || s->n_fds >= MOST_FDS)
        return -EINVAL;
    memcpy(fds, s->fds, s->n_fds * sizeof(int));
    fds[s->n_fds] = report;
    r = spawn_prepare(fds, s->n_fds + 1);
    if (r)
        return r;
    *ret_report = (int)s->n_fds;
    if (fcntl(*ret_report, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    if (s->new_session && setsid() < 0)
        return -errno;
    if (s->parent_death_signal && prctl(PR_SET_PDEATHSIG, s->parent_death_signal) < 0)
        return -errno;
    if (s->dir && chdir(s->dir) < 0)
        return -errno;
    return 0;
}

static void child_run(const struct spawn *s, int report)
{
    int r = child_setup(s, report, &report);

    if (!r) {
        execve(s->path, s->argv, s->envp ? s->envp : environ);
        r = -errno;
    }
    if (write(report, &r, sizeof(r)) < 0)
        _exit(126);
    _exit(127);
}

int spawn_process(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
    int report[2], r = 0, pidfd = -1;
    ssize_t n;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        child_run(s, report[1]);
    r = pid < 0 ? -errno : 0;
    close(report[1]);
    if (!r) {
        do
            n = read(report[0], &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        if (n < 0)
            r = -errno;
        if (n == 0)
            r = ret_pidfd ? spawn_pidfd(pid, &pidfd) : 0;
        if (r) {
            kill(pid, SIGKILL);
            (void)spawn_wait(pid);
        }
    }
    close(report[0]);
    if (r)
        return r;
    *ret_pid = pid;
    if (ret_pidfd)
        *ret_pidfd = pidfd;
    return 0;
}

int spawn_pidfd(pid_t pid, int *ret)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

int spawn_exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int spawn_wait(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return spawn_exit_code(status);
}

int spawn_become(const char *name, char **argv)
{
    char path[PATH_SIZE];
    int r = path_neighbour(path, name);

    if (r)
        return r;
    execv(path, argv);
    return -errno;
}
