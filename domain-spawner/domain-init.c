/*
 * qrexec-domain-init: what runs first in a domain of the local backend. Keeps the agent and the
 * user's fork server running, a moment apart where they keep ending; ends all when told to.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROGRAMS   "/usr/local/lib/qubes/"
#define PAUSE_MS   100 /* before a program that ended is started again; doubles */
#define PAUSE_MOST 5000

struct child {
    const char *path;
    char *argv[4];
    pid_t pid;
    uint64_t next;  /* when it may be started; clock_ms() */
    uint64_t pause; /* before the next time */
};

static struct child children[] = {
    {.path = PROGRAMS "qrexec-fork-server",
     .argv = {(char *)"qrexec-fork-server", (char *)"--foreground", NULL}},
    {.path = PROGRAMS "qrexec-agent", .argv = {(char *)"qrexec-agent", NULL}},
};

static void start(struct child *c)
{
    int fds[3] = {-1, 1, 2}, r;

    r = spawn_process(&(struct spawn){.path = c->path,
                                      .argv = c->argv,
                                      .fds = fds,
                                      .n_fds = 3,
                                      .dir = getenv("HOME"),
                                      .parent_death_signal = SIGTERM},
                      &c->pid, NULL);
    if (r) {
        log_error("cannot start %s: %s", c->path, strerror(-r));
        c->pid = 0;
        c->next = clock_ms() + PAUSE_MOST;
    }
}

static void on_end(pid_t pid)
{
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        struct child *c = &children[i];

        if (c->pid != pid)
            continue;
        log_warning("%s ended; it is started again", c->argv[0]);
        c->pid = 0;
        c->next = clock_ms() + c->pause;
        c->pause = c->pause ? (c->pause * 2 > PAUSE_MOST ? PAUSE_MOST : c->pause * 2) : PAUSE_MS;
    }
}

static int start_due(void)
{
    int wait = -1;

    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        struct child *c = &children[i];
        int left = c->next ? deadline_left(c->next) : 0;

        if (!c->pid && left <= 0)
            start(c);
        else if (!c->pid && (wait < 0 || left < wait))
            wait = left;
    }
    return wait;
}

/* True: told to end. */
static bool take_signals(int fd)
{
    struct signalfd_siginfo si;
    bool end = false;
    pid_t pid;

    while (read(fd, &si, sizeof(si)) == sizeof(si))
        end |= si.ssi_signo != SIGCHLD;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        on_end(pid);
    return end;
}

int main(void)
{
    sigset_t mask;
    int fd;

    if (fd_open_standard())
        return 1;
    log_open("qrexec-domain-init", LOG_TARGET_STDERR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    mkdir("/run/qubes", 0755);
    for (;;) {
        /* our stdin is a leash: its end, or its breaking, ends the domain */
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

        if (poll(p, 2, start_due()) <= 0)
            continue;
        if (p[1].revents || (p[0].revents && take_signals(fd)))
            break;
    }
    /* the kernel ends what is left in our namespace when we are gone */
    kill(-1, SIGTERM);
    return 0;
}
