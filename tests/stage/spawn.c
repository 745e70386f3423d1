/* Programs for tests: see spawn.h. */
#include "tests/stage/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define MOST 8192

struct program {
    pid_t pid;
    int event, out; /* ours */
    int code;
};

static struct program programs[MOST];
static size_t n_programs;
static pid_t next_pid = STAGE_PID_FIRST;

static size_t find(pid_t pid)
{
    size_t i = 0;

    while (i < n_programs && programs[i].pid != pid)
        i++;
    return i;
}

static void forget(size_t i)
{
    close_fd(&programs[i].event);
    close_fd(&programs[i].out);
    memmove(&programs[i], &programs[i + 1], (--n_programs - i) * sizeof(*programs));
}

int spawn_process(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
    struct program p = {.pid = next_pid, .event = -1, .out = -1, .code = 137};

    if (n_programs == MOST)
        return -EAGAIN;
    if (s->fds[1] >= 0)
        p.out = fcntl(s->fds[1], F_DUPFD_CLOEXEC, 3);
    if (ret_pidfd) {
        p.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        *ret_pidfd = fcntl(p.event, F_DUPFD_CLOEXEC, 3);
    }
    next_pid++;
    programs[n_programs++] = p;
    *ret_pid = p.pid;
    return 0;
}

int spawn_prepare(const int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    return 0;
}

int spawn_wait(pid_t pid)
{
    size_t i = find(pid);
    int code;

    if (i == n_programs)
        return -ECHILD;
    code = programs[i].code;
    forget(i);
    return code;
}

int spawn_exit_code(int status)
{
    return status;
}

int spawn_pidfd(pid_t pid, int *ret)
{
    (void)pid;
    (void)ret;
    return -ESRCH;
}

size_t stage_programs(void)
{
    return n_programs;
}

void stage_program_writes(size_t n, const void *data, size_t len)
{
    if (programs[n].out >= 0)
        (void)!write(programs[n].out, data, size_min(len, 4096));
}

void stage_program_ends(size_t n, int code)
{
    const uint64_t one = 1;

    close_fd(&programs[n].out);
    programs[n].code = code;
    if (programs[n].event >= 0)
        (void)!write(programs[n].event, &one, sizeof(one));
}

void stage_programs_reset(void)
{
    while (n_programs)
        forget(0);
}
