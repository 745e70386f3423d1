/* What is left behind: processes below this one, descriptors of the daemons, ports, files. */
#include "tests/load/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROCESSES_MOST 32768

/* Of /proc/PID/stat; false: it is gone. */
static bool read_stat(pid_t pid, pid_t *ret_parent, char comm[static 32])
{
    char path[64], *begin, *end;
    _cleanup_(freep) char *text = NULL;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(path, 4096, &text, &n))
        return false;
    begin = strchr(text, '(');
    end = strrchr(text, ')');
    if (!begin || !end || end[1] != ' ' || end[2] == 0)
        return false;
    *end = 0;
    (void)format(comm, 32, "%.20s", begin + 1);
    *ret_parent = (pid_t)strtol(end + 3, NULL, 10);
    return true;
}

struct process {
    pid_t pid, parent;
    char comm[32];
};

static size_t all_processes(struct process **ret)
{
    struct process *list = calloc(PROCESSES_MOST, sizeof(*list));
    DIR *d = opendir("/proc");
    struct dirent *e;
    size_t n = 0;

    while (d && list && n < PROCESSES_MOST && (e = readdir(d))) {
        uint32_t pid;

        if (parse_u32(e->d_name, INT32_MAX, &pid))
            continue;
        list[n].pid = (pid_t)pid;
        n += read_stat((pid_t)pid, &list[n].parent, list[n].comm);
    }
    if (d)
        closedir(d);
    *ret = list;
    return n;
}

static bool is_below(const struct process *all, size_t n, pid_t pid, pid_t root)
{
    for (int depth = 0; depth < 20 && pid > 1; depth++) {
        size_t i = 0;

        while (i < n && all[i].pid != pid)
            i++;
        if (i == n)
            return false;
        pid = all[i].parent;
        if (pid == root)
            return true;
    }
    return false;
}

size_t descendants(pid_t root, const char *comm, pid_t *ret, size_t max)
{
    _cleanup_(freep) struct process *all = NULL;
    size_t n = all_processes(&all), found = 0;

    for (size_t i = 0; i < n && found < max; i++)
        if ((!comm || strncmp(all[i].comm, comm, 15) == 0) && is_below(all, n, all[i].pid, root))
            ret[found++] = all[i].pid;
    return found;
}

/* Root's agent has a session for each user, any other one carries calls itself. */
static bool is_session(const struct process *p, pid_t agent)
{
    return p->parent == agent && str_equal(p->comm, "qrexec-session");
}

size_t carriers(pid_t agent, pid_t *ret, size_t max)
{
    _cleanup_(freep) struct process *all = NULL;
    size_t n = all_processes(&all), found = 0;

    for (size_t i = 0; i < n && found < max; i++)
        if ((str_equal(all[i].comm, "qrexec-agent") || str_equal(all[i].comm, "qrexec-session")) &&
            !is_session(&all[i], agent) && is_below(all, n, all[i].pid, agent))
            ret[found++] = all[i].pid;
    return found;
}

pid_t session_of(pid_t agent)
{
    _cleanup_(freep) struct process *all = NULL;
    size_t n = all_processes(&all);

    for (size_t i = 0; i < n; i++)
        if (is_session(&all[i], agent))
            return all[i].pid;
    return 0;
}

size_t descriptors_of(pid_t pid)
{
    char path[64];
    size_t n = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

size_t memory_of(pid_t pid)
{
    _cleanup_(freep) char *text = NULL;
    char path[64];
    size_t n, sum = 0;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    if (file_read(path, 65536, &text, &n))
        return 0;
    for (char *at = text; (at = strstr(at, "Private_")); at++)
        sum += strtoul(strchr(at, ':') + 1, NULL, 10);
    return sum;
}

/* Ports that a daemon's file says are taken; a port may stand there twice. */
static size_t ports_of(uint32_t domid)
{
    static bool taken[128][65536];
    _cleanup_(freep) char *text = NULL;
    unsigned domain, port;
    size_t n, sum = 0;
    char sign;

    memset(taken, 0, sizeof(taken));
    if (file_read(in_dir("run/qubes/ports.%u", domid), 16U << 20, &text, &n))
        return 0;
    for (char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
        if (sscanf(line + 1, "%c%u %u", &sign, &domain, &port) == 3)
            taken[domain % 128][port % 65536] = sign == '+';
    for (size_t d = 0; d < 128; d++)
        for (size_t p = 0; p < 65536; p++)
            sum += taken[d][p];
    return sum;
}

static size_t files_seen;

static int see_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)where;
    files_seen += type != FTW_D && !strstr(path, "/log/");
    return 0;
}

void left_count(struct left *ret)
{
    static pid_t pids[PROCESSES_MOST];

    *ret = (struct left){0};
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    ret->processes = descendants(getpid(), NULL, pids, ARRAY_SIZE(pids));
    for (size_t i = 0; i < VMS; i++) {
        ret->descriptors += descriptors_of(world.vms[i].agent);
        ret->descriptors += descriptors_of(world.vms[i].daemon);
        ret->ports += ports_of(world.vms[i].domid);
    }
    ret->descriptors += descriptors_of(world.policy);
    files_seen = 0;
    (void)nftw(world.dir, see_file, 16, FTW_PHYS);
    ret->files = files_seen;
}

static int show_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)where;
    if (type != FTW_D && !strstr(path, "/log/"))
        printf("  %s\n", path + strlen(world.dir));
    return 0;
}

/* Who and what it is, for whoever has to find out why. */
static void show_left(void)
{
    static pid_t pids[PROCESSES_MOST];
    size_t n = descendants(getpid(), NULL, pids, ARRAY_SIZE(pids));

    for (size_t i = 0; i < n; i++) {
        char comm[32] = "";
        pid_t parent = 0;

        (void)read_stat(pids[i], &parent, comm);
        printf("  %d %s below %d: %zu descriptors\n", (int)pids[i], comm, (int)parent,
               descriptors_of(pids[i]));
    }
    (void)nftw(world.dir, show_file, 16, FTW_PHYS);
}

void left_check(const struct left *before, unsigned ms, const char *after_what)
{
    uint64_t deadline = clock_ms() + ms;
    struct left now;
    char what[256];

    for (;;) {
        left_count(&now);
        if ((now.processes <= before->processes && now.descriptors <= before->descriptors &&
             now.ports <= before->ports && now.files <= before->files) ||
            deadline_left(deadline) == 0)
            break;
        sleep_ms(20);
    }
    if (deadline_left(deadline) == 0)
        show_left();
    (void)format(what, sizeof(what), "nothing is left after %s", after_what);
    check(deadline_left(deadline) > 0, what,
          "%zu processes, %zu descriptors, %zu ports, %zu files; before: %zu, %zu, %zu, %zu",
          now.processes, now.descriptors, now.ports, now.files, before->processes,
          before->descriptors, before->ports, before->files);
}
