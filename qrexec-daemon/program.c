/* The policy program: see program.h. */
#include "qrexec-daemon/program.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/wire/policy-text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static void start_first(struct program *p);

static void stop(struct program *p)
{
    int fd = p->exited.fd;

    stream_close(&p->output);
    timer_stop(&p->timer);
    if (p->exited.events)
        watch_stop(&p->exited);
    close_fd(&fd);
    p->exited.fd = -1;
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        (void)spawn_wait(p->pid);
    }
    p->pid = 0;
    p->output_ended = p->has_exited = false;
}

static struct program_request *take_first(struct program *p)
{
    struct program_request *rq = p->first;

    p->first = rq->next;
    rq->next = NULL;
    p->n_waiting--;
    return rq;
}

/* The next one starts before the owner hears, who may ask again. */
static void finish(struct program *p, int error)
{
    struct program_request *rq = take_first(p);
    struct buf answer = p->output.in;

    p->output.in = BUF_NULL(0);
    stop(p);
    if (p->first)
        timer_set(&p->timer, 0);
    rq->fn(rq, buf_data(&answer), buf_len(&answer), error);
    buf_deinit(&answer);
}

static void finish_if_over(struct program *p)
{
    if (p->output_ended && p->has_exited)
        finish(p, p->code ? -EREMOTEIO : 0);
}

static void on_output(struct stream *s, int status)
{
    struct program *p = container_of(s, struct program, output);

    if (status < 0) {
        finish(p, status);
    } else if (status == STREAM_END) {
        p->output_ended = true;
        finish_if_over(p);
    }
}

static void on_exit_status(struct watch *w, short revents)
{
    struct program *p = container_of(w, struct program, exited);

    (void)revents;
    watch_stop(w);
    p->code = spawn_wait(p->pid);
    p->pid = 0;
    p->has_exited = true;
    finish_if_over(p);
}

static void on_timer(struct timer *t)
{
    struct program *p = container_of(t, struct program, timer);

    if (p->output.fd < 0 && !p->pid && !p->has_exited)
        start_first(p);
    else
        finish(p, -ETIMEDOUT);
}

static int start(struct program *p, const struct program_request *rq)
{
    char *argv[] = {(char *)p->path,    (char *)"--",        (char *)rq->source,
                    (char *)rq->target, (char *)rq->service, NULL};
    int out[2], pidfd = -1, r;

    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    {
        const int fds[] = {-1, out[1], STDERR_FILENO};

        r = spawn_process(&(struct spawn){.path = p->path,
                                          .argv = argv,
                                          .fds = fds,
                                          .n_fds = ARRAY_SIZE(fds),
                                          .parent_death_signal = SIGTERM},
                          &p->pid, &pidfd);
    }
    close(out[1]);
    if (r) {
        p->pid = 0;
        close(out[0]);
        return r;
    }
    watch_set(&p->exited, pidfd, POLLIN);
    return stream_adopt(&p->output, out[0], POLICY_ANSWER_MAX + 1, on_output);
}

/* A program that cannot be started fails its request; with the next turn comes the next one. */
static void start_first(struct program *p)
{
    int r = p->first ? start(p, p->first) : 0;

    if (r)
        finish(p, r);
    else if (p->first)
        timer_set(&p->timer, PROGRAM_MS);
}

void program_init(struct program *p, const char *path)
{
    *p = (struct program){.path = path, .output = STREAM_NULL};
    p->exited = (struct watch){.fn = on_exit_status, .fd = -1};
    p->timer.fn = on_timer;
}

void program_deinit(struct program *p)
{
    stop(p);
    p->first = NULL;
    p->n_waiting = 0;
}

int program_ask(struct program *p, struct program_request *rq, const char *why)
{
    struct program_request **end = &p->first;

    if (!p->said)
        log_error("the policy service does not decide (%s); %s is asked instead, one request at a "
                  "time",
                  why, p->path);
    p->said = true;
    if (p->n_waiting >= PROGRAM_QUEUE_MOST)
        return -EBUSY;
    while (*end)
        end = &(*end)->next;
    rq->next = NULL;
    *end = rq;
    if (p->n_waiting++ == 0)
        timer_set(&p->timer, 0);
    return 0;
}

void program_cancel(struct program *p, struct program_request *rq)
{
    struct program_request **q = &p->first;
    bool runs = p->first == rq;

    while (*q && *q != rq)
        q = &(*q)->next;
    if (!*q)
        return;
    *q = rq->next;
    rq->next = NULL;
    p->n_waiting--;
    if (!runs)
        return;
    stop(p);
    if (p->first)
        timer_set(&p->timer, 0);
}

void program_not_needed(struct program *p)
{
    if (p->said)
        log_info("the policy service decides again");
    p->said = false;
}
