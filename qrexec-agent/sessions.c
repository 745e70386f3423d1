/*
 * Login sessions: one process a user (qrexec-session.c), which the user's calls share. It is
 * started with the first call, ends when it has had none for a while, and is replaced when what a
 * login depends on has changed; a call that it was given goes on in any case.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/login.h"
#include "qrexec-agent/session-call.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>

#define PROGRAM     "qrexec-session"
#define QUEUE_BYTES (8 << 20) /* of calls that wait for a login */

struct session {
    struct session *next;
    char *user, *home;
    uint64_t stamp;
    int link;
};

static void session_free(struct session *s)
{
    close_fd(&s->link);
    free(s->user);
    free(s->home);
    free(s);
}

static void session_drop(struct agent *a, struct session *s)
{
    struct session **p = &a->calls.sessions;

    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    session_free(s);
}

/* It gets the descriptor limit that programs get. */
static int start_program(struct agent *a, const char *user, int link)
{
    char path[PATH_SIZE];
    char *argv[] = {path, (char *)(uintptr_t)user, NULL};
    const int fds[] = {-1, STDOUT_FILENO, STDERR_FILENO, link};
    struct rlimit own;
    bool limited = a->calls.files.rlim_max && getrlimit(RLIMIT_NOFILE, &own) == 0 &&
                   setrlimit(RLIMIT_NOFILE, &a->calls.files) == 0;
    pid_t pid;
    int r = path_neighbour(path, PROGRAM);

    if (!r)
        r = spawn_process(
            &(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = ARRAY_SIZE(fds)}, &pid,
            NULL);
    if (limited)
        (void)setrlimit(RLIMIT_NOFILE, &own);
    if (r)
        log_error("%s: %s: user %s cannot log in", path, strerror(-r), user);
    return r;
}

static int session_start(struct agent *a, const char *user, const char *home, struct session **ret)
{
    struct session *s = calloc(1, sizeof(*s));
    int pair[2] = {-1, -1}, size = QUEUE_BYTES, r = 0;

    if (!s)
        return -ENOMEM;
    s->link = -1;
    s->user = strdup(user);
    s->home = strdup(home);
    s->stamp = login_stamp(home);
    if (!s->user || !s->home)
        r = -ENOMEM;
    else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        r = -errno;
    else
        r = start_program(a, user, pair[1]);
    close_fd(&pair[1]);
    s->link = pair[0];
    if (r) {
        session_free(s);
        return r;
    }
    if (setsockopt(s->link, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(s->link, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    s->next = a->calls.sessions;
    a->calls.sessions = s;
    *ret = s;
    return 0;
}

/* The user's session as it would be opened now. */
static int session_get(struct agent *a, const char *user, struct session **ret)
{
    struct session *s = a->calls.sessions;
    const struct passwd *pw;

    while (s && !str_equal(s->user, user))
        s = s->next;
    if (s && s->stamp == login_stamp(s->home)) {
        *ret = s;
        return 0;
    }
    if (s)
        session_drop(a, s);
    pw = getpwnam(user);
    return session_start(a, user, pw ? pw->pw_dir : "/", ret);
}

int sessions_call(struct agent *a, const char *user, const struct wire_fork *f,
                  struct wire_text line, int *ret)
{
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    r = -EPIPE;
    for (int i = 0; i < 2 && r == -EPIPE; i++) { /* one that has just ended is replaced */
        struct session *s = NULL;

        r = session_get(a, user, &s);
        if (!r)
            r = session_call_send(s->link, f, line, pair[1]);
        if (r == -EPIPE)
            session_drop(a, s);
    }
    close_fd(&pair[1]);
    if (r)
        close_fd(&pair[0]);
    else
        *ret = pair[0];
    return r;
}

void sessions_deinit(struct agent *a)
{
    while (a->calls.sessions)
        session_drop(a, a->calls.sessions);
}
