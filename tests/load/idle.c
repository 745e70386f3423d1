/*
 * Idle means idle: a daemon, an agent and the policy daemon with nothing to do wait without a
 * limit, and nothing wakes them. Both are seen from outside: the time limit in the call that they
 * wait in, and the kernel's count of how often they gave up the processor.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>

static unsigned long switches(pid_t pid)
{
    _cleanup_(freep) char *text = NULL;
    const char *at;
    char path[64];
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (file_read(path, 65536, &text, &n))
        return 0;
    at = strstr(text, "\nvoluntary_ctxt_switches:");
    return at ? strtoul(strchr(at, ':') + 1, NULL, 10) : 0;
}

/* "NR ARGUMENT…" in hex; the limit of epoll_wait and epoll_pwait is the fourth, of poll the third.
 */
static bool waits_without_limit(pid_t pid, char ret[static 128])
{
    _cleanup_(freep) char *text = NULL;
    unsigned long long nr, arg[6];
    char path[64];
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
    if (file_read(path, 4096, &text, &n) ||
        sscanf(text, "%llu %llx %llx %llx %llx %llx %llx", &nr, &arg[0], &arg[1], &arg[2], &arg[3],
               &arg[4], &arg[5]) != 7) {
        (void)format(ret, 128, "not to be seen");
        return true; /* where the kernel does not show it, the count must do */
    }
    (void)format(ret, 128, "system call %llu, limit %d ms", nr, (int)arg[3]);
    return (int)arg[3] < 0 || (unsigned)arg[3] > 86400000;
}

/*
 * The policy daemon watches the folders above its policy too, and ours lies in /tmp: what others
 * make there wakes it, as it must.
 */
static int others_begin(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0 || inotify_add_watch(fd, "/tmp", IN_ALL_EVENTS) < 0)
        die("inotify: %s", strerror(errno));
    return fd;
}

static unsigned long others_count(int fd)
{
    _Alignas(struct inotify_event) char data[65536];
    unsigned long sum = 0;
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0)
        for (ssize_t at = 0; at < n; sum++)
            at += (ssize_t)(sizeof(struct inotify_event) +
                            ((struct inotify_event *)(void *)(data + at))->len);
    return sum;
}

struct idler {
    const char *name;
    pid_t pid;
    unsigned long before;
};

void idle_checks(void)
{
    struct idler idlers[] = {
        {"a qrexec-daemon", world.vms[1].daemon, 0},
        {"a qrexec-agent", world.vms[1].agent, 0},
        {"the policy daemon", world.policy, 0},
    };
    unsigned seconds = full ? 120 : 1;
    int watch;

    sleep_ms(full ? 15000 : 1500); /* what the calls before have set going ends */
    for (size_t i = 0; i < ARRAY_SIZE(idlers); i++)
        idlers[i].before = switches(idlers[i].pid);
    watch = others_begin();
    sleep_ms(seconds * 1000);
    for (size_t i = 0; i < ARRAY_SIZE(idlers); i++) {
        unsigned long woken = switches(idlers[i].pid) - idlers[i].before;
        unsigned long may = idlers[i].pid == world.policy ? others_count(watch) : 0;
        char how[128], what[128];
        bool still = waits_without_limit(idlers[i].pid, how);

        (void)format(what, sizeof(what), "%s that has nothing to do sleeps", idlers[i].name);
        check(woken <= may && still, what,
              "woken %lu times in %u s, for %lu things that happened in /tmp; %s", woken, seconds,
              may, how);
    }
    close_fd(&watch);
}
