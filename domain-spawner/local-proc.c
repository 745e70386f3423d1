/*
 * A domain's processes: see local-proc.h.
 *
 * In a PID namespace whose parents have ended comes to its init, so descent by parent finds all.
 * /proc is read once a pass; a process that forks meanwhile is found by the next pass.
 */
#include "domain-spawner/local-proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#define PASSES 16

struct entry {
    pid_t pid, parent;
    uint64_t ticks, pages;
    bool ours, stopped;
};

struct table {
    struct entry *entries;
    size_t n, size;
};

static void table_deinit(struct table *t)
{
    free(t->entries);
}

static int table_add(struct table *t, const struct entry *e)
{
    if (t->n == t->size) {
        size_t size = t->size ? 2 * t->size : 256;
        struct entry *p = reallocarray(t->entries, size, sizeof(*p));

        if (!p)
            return -ENOMEM;
        t->entries = p;
        t->size = size;
    }
    t->entries[t->n++] = *e;
    return 0;
}

/* The name in a stat line is the process's own choice, so the fields begin behind its last ')'. */
static bool read_stat(const char *pid, struct entry *ret)
{
    unsigned long long utime, stime;
    long long cutime, cstime, pages;
    char path[64], line[1024], state;
    uint32_t number;
    const char *at;
    ssize_t n;
    int fd, parent;

    if (parse_u32(pid, INT32_MAX, &number) || format(path, sizeof(path), "/proc/%s/stat", pid))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    close_fd(&fd);
    if (n <= 0)
        return false;
    line[n] = 0;
    at = strrchr(line, ')');
    if (!at || sscanf(at + 1,
                      " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d "
                      "%*d %*u %*u %lld",
                      &state, &parent, &utime, &stime, &cutime, &cstime, &pages) != 7)
        return false;
    *ret = (struct entry){.pid = (pid_t)number,
                          .parent = parent,
                          .ticks = utime + stime + (uint64_t)cutime + (uint64_t)cstime,
                          .pages = (uint64_t)pages,
                          .stopped = state == 'T' || state == 'Z' || state == 'X'};
    return true;
}

static void mark_descendants(struct table *t, pid_t init)
{
    bool more = true;

    for (size_t i = 0; i < t->n; i++)
        t->entries[i].ours = t->entries[i].pid == init;
    while (more) {
        more = false;
        for (size_t i = 0; i < t->n; i++)
            for (size_t k = 0; !t->entries[i].ours && k < t->n; k++)
                if (t->entries[k].ours && t->entries[k].pid == t->entries[i].parent)
                    more = t->entries[i].ours = true;
    }
}

static int table_read(pid_t init, struct table *t)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    struct entry one;
    int r = d ? 0 : -errno;

    while (!r && (e = readdir(d)))
        if (read_stat(e->d_name, &one))
            r = table_add(t, &one);
    if (d)
        closedir(d);
    if (!r)
        mark_descendants(t, init);
    return r;
}

int proc_stats(pid_t init, struct domain_stats *ret)
{
    _cleanup_(table_deinit) struct table t = {0};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), tick = (uint64_t)sysconf(_SC_CLK_TCK);
    struct domain_stats sum = {0};
    int r = table_read(init, &t);

    if (r)
        return r;
    for (size_t i = 0; i < t.n; i++)
        if (t.entries[i].ours) {
            sum.memory_kib += t.entries[i].pages * page / 1024;
            sum.cpu_ns += t.entries[i].ticks * (1000000000 / tick);
        }
    *ret = sum;
    return 0;
}

/* One pass: how many were not yet in the wanted state. */
static int stop_pass(pid_t init, bool stop, size_t *ret_missed)
{
    _cleanup_(table_deinit) struct table t = {0};
    int r = table_read(init, &t);

    *ret_missed = 0;
    for (size_t i = 0; !r && i < t.n; i++)
        if (t.entries[i].ours && t.entries[i].stopped != stop) {
            (*ret_missed)++;
            (void)kill(t.entries[i].pid, stop ? SIGSTOP : SIGCONT);
        }
    return r;
}

int proc_stop(pid_t init, bool stop)
{
    size_t missed = 1;
    int r = 0;

    if (!stop)
        return stop_pass(init, false, &missed);
    for (int i = 0; i < PASSES && missed && !r; i++)
        r = stop_pass(init, true, &missed);
    return r;
}
