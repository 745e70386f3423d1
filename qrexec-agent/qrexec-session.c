/*
 * qrexec-session: a user's login, for the calls that run as this user.
 *
 * The agent starts it as root with a socket pair at descriptor 3, and sends a packet for each call
 * (session-call.h). It logs in once; each call is then carried by a child, which starts the program
 * as the user. It ends when the agent has gone, or when there was nothing to do for a while, but
 * never before the calls that it was given: until then the login stays open.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/service/login.h"
#include "qrexec-agent/carry.h"
#include "qrexec-agent/session-call.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LINK    3
#define IDLE_MS 300000

static const char *const who = "qrexec-session";

struct session {
    const char *user;
    struct login *login; /* NULL: failed, why says how */
    char why[SERVICE_TEXT_MAX];
    size_t n_calls;
    bool closed; /* no more calls come */
    int children;
};

/* In the child. Who could not log in has an exit code for each call, as any that cannot start. */
static _Noreturn void carry(const struct session *s, const struct wire_fork *call, char *line,
                            int fd)
{
    static struct service service;
    struct carry c = {
        .service = &service,
        .type = call->type,
        .domain = call->domain,
        .port = call->port,
        .keep_fd = fd,
        .tells = true,
        .who = who,
        .users = s->login ? login_users(s->login) : &service_users_own,
    };
    char why[SERVICE_TEXT_MAX];
    int r = service_plan(SERVICE_PLACE_VM, line, &service, why);

    free(line);
    if (!r && !s->login) {
        r = SERVICE_E_TROUBLE;
        (void)format(why, sizeof(why), "%s", s->why);
    }
    if (r)
        log_error("call on port %u of domain %u: %s", call->port, call->domain, why);
    c.failed = r < 0 ? SERVICE_E_TROUBLE : r;
    (void)send(fd, "", 1, MSG_NOSIGNAL); /* it is taken */
    carry_run(&c);
}

static void take_call(struct session *s)
{
    _cleanup_(freep) char *line = NULL;
    _cleanup_(closep) int fd = -1;
    struct wire_fork call;
    int r = session_call_receive(LINK, &call, &line, &fd);
    pid_t pid;

    if (r == -EAGAIN)
        return;
    if (r == -EPIPE)
        s->closed = true;
    if (r) {
        if (r != -EPIPE)
            log_error("a call is dropped: %s", strerror(-r));
        return;
    }
    if (s->login && strstr(line, ":QUBESRPC "))
        login_read_profile(s->login);
    pid = fork();
    if (pid == 0)
        carry(s, &call, take(line), take_fd(&fd));
    if (pid < 0) /* its end of the socket closes: the agent sees that nobody took it */
        log_error("call on port %u of domain %u: fork: %s", call.port, call.domain,
                  strerror(errno));
    else
        s->n_calls++;
}

static void reap(struct session *s)
{
    struct signalfd_siginfo info;

    while (read(s->children, &info, sizeof(info)) > 0)
        ;
    while (s->n_calls && waitpid(-1, NULL, WNOHANG) > 0)
        s->n_calls--;
}

/* What was sent before is still read; the agent learns that no more is taken. */
static void stop_taking(void)
{
    (void)shutdown(LINK, SHUT_RD);
}

static int loop(struct session *s)
{
    while (!s->closed || s->n_calls) {
        struct pollfd p[] = {{.fd = s->closed ? -1 : LINK, .events = POLLIN},
                             {.fd = s->children, .events = POLLIN}};
        int n = poll(p, ARRAY_SIZE(p), s->n_calls ? -1 : s->login ? IDLE_MS : 0);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            stop_taking();
        if (p[1].revents)
            reap(s);
        if (n == 0 || p[0].revents)
            take_call(s);
    }
    return 0;
}

/* Blocked, so that the profile's shell and the callers' programs are waited for by who starts them.
 */
static int watch_children(struct session *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    s->children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->children < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    struct session s = {.children = -1};
    int r = process_begin();

    if (r || argc < 1)
        return 1;
    log_open(who, LOG_TARGET_STDERR);
    if (argc != 2 || fd_set_cloexec(LINK, true)) {
        fputs(
            "usage: qrexec-session USER\nStarted by qrexec-agent, with a socket at descriptor 3.\n",
            stderr);
        return 2;
    }
    log_open(who, LOG_TARGET_SYSTEM);
    s.user = argv[1];
    signal(SIGPIPE, SIG_IGN);
    r = paths_init(NULL, PATHS_DAEMON);
    if (!r)
        r = watch_children(&s);
    if (!r && login_open(s.user, &s.login, s.why))
        log_error("%s", s.why);
    if (!r)
        r = loop(&s);
    login_close(s.login);
    if (r)
        log_error("user %s: %s", s.user, strerror(-r));
    return r ? 1 : 0;
}
