/*
 * Starting what service_plan() found: the streams, the child, and how a failure in the child
 * becomes the caller's.
 *
 * A program gets a socket pair as stdin, another as stdout, a pipe as stderr (in dom0: ours), and
 * nothing else. The child reports through a pipe that closes when the program runs, so a user that
 * cannot log in is a reason with exit code 125, not a silent end.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

struct streams {
    int ours[3], theirs[3]; /* stdin, stdout, stderr */
    int log;
};

#define STREAMS_NULL ((struct streams){{-1, -1, -1}, {-1, -1, -1}, -1})

static void streams_deinit(struct streams *t)
{
    for (size_t i = 0; i < 3; i++) {
        close_fd(&t->ours[i]);
        close_fd(&t->theirs[i]);
    }
    close_fd(&t->log);
}

static int streams_pair(struct streams *t, size_t i)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    t->ours[i] = fds[0];
    t->theirs[i] = fds[1];
    return fd_set_nonblock(t->ours[i], true);
}

static int streams_stderr(struct streams *t, const struct service *s, bool just_exec)
{
    _cleanup_(freep) char *tag = NULL;
    int fds[2], r;

    if (s->place == SERVICE_PLACE_DOM0) {
        t->theirs[2] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        return 0;
    }
    tag = s->words.is_service ? format_new("%s-%s", s->words.full_name, s->words.source)
                              : strdup("qrexec-command");
    if (!tag)
        return -ENOMEM;
    r = service_log_open(tag, &t->log);
    if (r)
        return r;
    if (just_exec) {
        t->theirs[2] = t->log >= 0 ? take_fd(&t->log) : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        return 0;
    }
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    t->ours[2] = fds[0];
    t->theirs[2] = fds[1];
    return fd_set_nonblock(t->ours[2], true);
}

static int streams_init(struct streams *t, const struct service *s, bool just_exec)
{
    int r = 0;

    if (!just_exec)
        r = streams_pair(t, 0);
    if (!r && !just_exec)
        r = streams_pair(t, 1);
    if (!r)
        r = streams_stderr(t, s, just_exec);
    return r;
}

/* What the child had to say: nothing once the program runs. */
static int read_report(int fd, char *reterr)
{
    char text[SERVICE_TEXT_MAX];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof(text)) {
        n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (len == 0)
        return 0;
    text[len] = 0;
    snprintf(reterr, SERVICE_TEXT_MAX, "%s", text);
    return SERVICE_E_TROUBLE;
}

static _Noreturn void child_run(const struct session_exec *x, const struct streams *t, int report)
{
    int fds[] = {t->theirs[0], t->theirs[1], t->theirs[2], report};

    if (spawn_prepare(fds, ARRAY_SIZE(fds)) || fd_set_cloexec(SESSION_REPORT_FD, true))
        _exit(SERVICE_E_TROUBLE);
    session_run(x);
}

static int start_child(const struct session_exec *x, const struct streams *t, pid_t *ret,
                       char *reterr)
{
    int report[2], r;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        child_run(x, t, report[1]);
    r = pid < 0 ? -errno : 0;
    close(report[1]);
    if (!r)
        r = read_report(report[0], reterr);
    close(report[0]);
    if (r > 0)
        (void)spawn_wait(pid);
    if (!r)
        *ret = pid;
    return r;
}

static int start_program(const struct service *s, const struct service_start *how,
                         struct passwd *user, struct service_run *ret, char *reterr)
{
    struct session_exec x = {.service = s, .how = how, .agent = getpid(), .pw = user};
    _cleanup_(streams_deinit) struct streams t = STREAMS_NULL;
    int r = streams_init(&t, s, how->just_exec);

    if (!r)
        r = start_child(&x, &t, &ret->pid, reterr);
    if (r)
        return r;
    ret->out_fd = take_fd(&t.ours[0]);
    ret->in_fd = take_fd(&t.ours[1]);
    ret->err_fd = take_fd(&t.ours[2]);
    ret->log_fd = take_fd(&t.log);
    return 0;
}

int service_start(const struct service *s, const struct service_start *how, struct service_run *ret,
                  char reterr[static SERVICE_TEXT_MAX])
{
    struct service_run run = SERVICE_RUN_NULL;
    struct passwd *user = NULL;
    int r = how->users ? how->users->find(s, &user, reterr) : 0;

    if (!r && (s->kind == SERVICE_SHELL || s->kind == SERVICE_PROGRAM)) {
        r = start_program(s, how, user, &run, reterr);
    } else if (!r) { /* whoever serves the socket; a call is for a user all the same */
        r = service_connect(s, &run.in_fd, reterr);
        run.out_fd = run.in_fd;
        run.socket = true;
    }
    if (r < 0)
        snprintf(reterr, SERVICE_TEXT_MAX, "cannot start: %s", strerror(-r));
    if (!r)
        *ret = run;
    return r;
}

void service_run_deinit(struct service_run *run)
{
    if (run->out_fd == run->in_fd)
        run->out_fd = -1;
    close_fd(&run->in_fd);
    close_fd(&run->out_fd);
    close_fd(&run->err_fd);
    close_fd(&run->log_fd);
}
