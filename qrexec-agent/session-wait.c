/*
 * Waiting for users' sessions: see agent.h.
 *
 * calls.c asks for it before a call whose settings say wait-for-session, and goes on when the child
 * is reaped. Tests: tests/talk/agent-exec-test.c and agent-services-talks-test.c.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/service/service.h"

#include <errno.h>
#include <unistd.h>

#define OUTPUT_SIZE 4096
#define LAST_READS  32 /* more than a pipe or a socket holds in reads of that size */

struct session_wait {
    struct session_wait *next;
    struct service_run run;
    struct watch out, err; /* it must not stand still because nobody reads what it says */
    char user[SERVICE_USER_MAX];
};

/* To the log, where there is one: no caller has a stderr yet. As read(2), but for the errno. */
static ssize_t take_output(const struct session_wait *w, int fd)
{
    char bytes[OUTPUT_SIZE];
    ssize_t n = read(fd, bytes, sizeof(bytes));

    if (n > 0 && fd == w->run.err_fd && w->run.log_fd >= 0)
        (void)!write(w->run.log_fd, bytes, (size_t)n); /* a log that is full loses it */
    return n < 0 ? -errno : n;
}

static void on_output(struct watch *watch, const struct session_wait *w)
{
    ssize_t n = take_output(w, watch->fd);

    if (n <= 0 && n != -EAGAIN && n != -EINTR)
        watch_stop(watch);
}

static void on_out(struct watch *watch, short revents)
{
    (void)revents;
    on_output(watch, container_of(watch, struct session_wait, out));
}

static void on_err(struct watch *watch, short revents)
{
    (void)revents;
    on_output(watch, container_of(watch, struct session_wait, err));
}

static void read_output(struct session_wait *w)
{
    w->out.fn = on_out;
    w->err.fn = on_err;
    fd_set_nonblock(w->run.in_fd, true);
    fd_set_nonblock(w->run.err_fd, true);
    if (w->run.log_fd >= 0)
        fd_set_nonblock(w->run.log_fd, true);
    watch_set(&w->out, w->run.in_fd, POLLIN);
    watch_set(&w->err, w->run.err_fd, POLLIN);
}

/* The service runs as this process, in this environment. */
static int start(struct session_wait *w, const char *source, char *reterr)
{
    const struct service_start how = {.new_session = true, .users = &service_users_own};
    struct service s = SERVICE_NULL;
    _cleanup_(freep) char *line = format_new("QUBESRPC qubes.WaitForSession+ %s", source);
    int r = line ? service_plan(SERVICE_PLACE_SESSION, line, &s, reterr) : -ENOMEM;

    if (!r)
        r = service_start(&s, &how, &w->run, reterr);
    service_deinit(&s);
    if (r)
        return r;
    if (!w->run.pid) {
        (void)format(reterr, SERVICE_TEXT_MAX, "qubes.WaitForSession is no executable");
        return -ENOEXEC;
    }
    (void)write_full(w->run.out_fd, w->user, strlen(w->user));
    (void)write_full(w->run.out_fd, "\n", 1);
    close_fd(&w->run.out_fd);
    return 0;
}

static struct session_wait *wait_new(struct agent *a, const char *user, const char *source)
{
    struct session_wait *w = calloc(1, sizeof(*w));
    char why[SERVICE_TEXT_MAX] = "no memory";

    if (!w)
        return NULL;
    w->run = SERVICE_RUN_NULL;
    (void)format(w->user, sizeof(w->user), "%s", user);
    if (start(w, source, why)) {
        log_warning("cannot wait for the session of user %s, going on without: %s", user, why);
        service_run_deinit(&w->run);
        free(w);
        return NULL;
    }
    read_output(w);
    w->next = a->calls.waits;
    a->calls.waits = w;
    return w;
}

struct session_wait *session_wait_for(struct agent *a, const char *user, const char *source)
{
    struct session_wait *w = a->calls.waits;

    while (w && !str_equal(w->user, user))
        w = w->next;
    return w ? w : wait_new(a, user, source);
}

struct session_wait *session_wait_of(const struct agent *a, pid_t pid)
{
    struct session_wait *w = a->calls.waits;

    while (w && w->run.pid != pid)
        w = w->next;
    return w;
}

void session_wait_free(struct agent *a, struct session_wait *w)
{
    struct session_wait **p = &a->calls.waits;

    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    for (int i = 0; i < LAST_READS && take_output(w, w->run.err_fd) > 0; i++)
        ;
    watch_stop(&w->out);
    watch_stop(&w->err);
    service_run_deinit(&w->run);
    free(w);
}
