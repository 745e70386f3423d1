/*
 * qrexec-domain-init: what runs first in a domain of the local backend, as the child of its pid 1.
 *
 * It starts the fork server and the agent, starts them again when they end (250 ms later, then
 * twice as long each time, up to 30 s), and reaps. With --leash it first says by a byte on
 * descriptor 4 that it runs, and waits for one on its stdin: then the network is there. It ends,
 * and with it the domain, on SIGTERM or when its leash, which is its stdin, closes: then the user's
 * programs get SIGTERM, after them what carries their calls, and what is left a little later
 * SIGKILL. It also ends if its parent does.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define AGAIN_MS     250
#define AGAIN_MOST   30000
#define HEALTHY_MS   10000 /* one that ran this long begins at AGAIN_MS again */
#define TERMINATE_MS 1500
#define UP_FD        4
#define CARRIERS_MS  200
#define PROGRAMS     "/usr/local/lib/qubes/qrexec-"

struct service {
    const char *name;
    const char *path;
    const char *option; /* or NULL */
    pid_t pid;          /* 0: not running */
    uint64_t started;   /* when */
    uint64_t again;     /* when to start it */
    uint64_t wait;      /* the back-off that led to that */
};

static struct service services[] = {
    {.name = "qrexec-fork-server", .path = PROGRAMS "fork-server", .option = "--foreground"},
    {.name = "qrexec-agent", .path = PROGRAMS "agent"},
};

static void plan_again(struct service *s)
{
    uint64_t now = clock_ms();

    s->wait = !s->wait || now - s->started > HEALTHY_MS ? AGAIN_MS : 2 * s->wait;
    if (s->wait > AGAIN_MOST)
        s->wait = AGAIN_MOST;
    s->again = now + s->wait;
}

static void start(struct service *s)
{
    char *const argv[] = {(char *)s->name, (char *)s->option, NULL};
    const int fds[] = {-1, STDOUT_FILENO, STDERR_FILENO};
    struct spawn how = {.path = s->path,
                        .argv = argv,
                        .fds = fds,
                        .n_fds = ARRAY_SIZE(fds),
                        .dir = getenv("HOME"),
                        .parent_death_signal = SIGTERM};
    int r = spawn_process(&how, &s->pid, NULL);

    s->started = clock_ms();
    if (!r)
        return;
    s->pid = 0;
    plan_again(s);
    log_error("cannot start %s: %s; again in %u ms", s->path, strerror(-r), (unsigned)s->wait);
}

static void start_due(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (!services[i].pid && deadline_left(services[i].again ? services[i].again : 1) == 0)
            start(&services[i]);
}

static int next_due(void)
{
    int least = -1;

    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        int left = services[i].pid ? -1 : deadline_left(services[i].again);

        if (left >= 0 && (least < 0 || left < least))
            least = left;
    }
    return least;
}

static void reap(bool ending)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
            struct service *s = &services[i];

            if (s->pid != pid)
                continue;
            s->pid = 0;
            plan_again(s);
            if (!ending)
                log_warning("%s ended (exit code %d), again in %u ms", s->name,
                            spawn_exit_code(status), (unsigned)s->wait);
        }
}

/* A process of ours: the agent, the fork server, and those of them that carry a call each. */
static bool is_ours(const char *pid)
{
    char path[64], target[256];
    ssize_t n;

    if (format(path, sizeof(path), "/proc/%s/exe", pid))
        return true;
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return true; /* gone, or about to be */
    target[n] = 0;
    return str_starts(target, PROGRAMS);
}

/* Signals the user's programs (0: only counts them): how many there are. */
static size_t signal_programs(int sig)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    size_t n = 0;
    uint32_t pid;

    while (d && (e = readdir(d)))
        if (parse_u32(e->d_name, INT32_MAX, &pid) == 0 && pid > 1 && !is_ours(e->d_name)) {
            n++;
            if (sig)
                (void)kill((pid_t)pid, sig);
        }
    if (d)
        closedir(d);
    return n;
}

static void wait_a_little(int signals)
{
    struct pollfd pfd = {.fd = signals, .events = POLLIN};
    struct signalfd_siginfo si;

    (void)poll(&pfd, 1, 20); /* grandchildren are pid 1's to reap: no signal tells */
    while (read(signals, &si, sizeof(si)) == sizeof(si))
        ;
    reap(true);
}

/*
 * The user's programs first, while the calls that carry their output still do, so that they can
 * say what they have to say and the callers get their exit codes; then what carried them.
 */
static void terminate_all(int signals)
{
    uint64_t deadline = clock_ms() + TERMINATE_MS;

    (void)signal_programs(SIGTERM);
    (void)signal_programs(SIGCONT);
    while (signal_programs(0) && deadline_left(deadline) > 0)
        wait_a_little(signals);
    (void)kill(-1, SIGTERM); /* in the domain's PID namespace: all but pid 1 and us */
    deadline = clock_ms() + CARRIERS_MS;
    while (kill(-1, 0) == 0 && deadline_left(deadline) > 0)
        wait_a_little(signals);
    (void)kill(-1, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* True: told to end. */
static bool take_signals(int signals)
{
    struct signalfd_siginfo si;
    bool over = false;

    while (read(signals, &si, sizeof(si)) == sizeof(si))
        over = over || si.ssi_signo == SIGTERM;
    reap(false);
    return over;
}

static bool leash_closed(short events)
{
    char c[64];
    ssize_t n;

    if (!(events & (POLLIN | POLLHUP | POLLERR)))
        return false;
    n = read(STDIN_FILENO, c, sizeof(c));
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static int run(int signals, bool leash)
{
    for (;;) {
        struct pollfd pfds[] = {{.fd = signals, .events = POLLIN},
                                {.fd = leash ? STDIN_FILENO : -1, .events = POLLIN}};

        start_due();
        if (poll(pfds, ARRAY_SIZE(pfds), next_due()) < 0 && errno != EINTR)
            return -errno;
        if (take_signals(signals) || leash_closed(pfds[1].revents)) {
            terminate_all(signals);
            return 0;
        }
    }
}

/* False: told to end before that. */
static bool may_go_on(int signals)
{
    struct pollfd pfds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = signals, .events = POLLIN}};
    char c = 'u';

    if (write(UP_FD, &c, 1) != 1)
        log_warning("nobody hears that this domain is up: %s", strerror(errno));
    close(UP_FD);
    do
        if (pfds[1].revents && take_signals(signals))
            return false;
    while (poll(pfds, ARRAY_SIZE(pfds), -1) < 0 || !pfds[0].revents);
    return read(STDIN_FILENO, &c, 1) == 1;
}

static int open_signals(int *ret)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    *ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: qrexec-domain-init [--leash]\n";
    static const struct option options[] = {
        {"leash", no_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool leash = false;
    int c, signals = -1, r;

    if (process_begin() || argc < 1)
        return 2;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (c != 'l') {
            fputs(usage, stderr);
            return 2;
        }
        leash = true;
    }
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    log_open("qrexec-domain-init", LOG_TARGET_STDERR);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != 1) {
        log_error("only a domain's pid 1 starts this program");
        return 2;
    }
    r = open_signals(&signals);
    if (!r && leash && !may_go_on(signals))
        return 0;
    if (!r)
        r = run(signals, leash);
    if (r)
        log_error("%s", strerror(-r));
    return r ? 1 : 0;
}
