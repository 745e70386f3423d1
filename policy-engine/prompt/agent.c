/* The prompt: see agent.h. */
#include "policy-engine/prompt/agent.h"

#include "libqrexec/base/charge.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/prompt/notices.h"
#include "policy-engine/prompt/shown.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define CLIENTS_MOST 64
#define SOURCE_MOST  8 /* questions of one source that wait */
#define READ_MS      10000

struct client {
    struct client *next;
    struct agent *agent;
    struct watch watch;
    struct timer late;
    struct hangup gone;
    struct buf in;
    struct prompt_request request;
    struct charge charge;
    bool waits; /* its request is complete */
};

struct agent {
    struct watch listener;
    struct client *first; /* complete ones in order of arrival, behind them those being read */
    size_t n;
    struct client *shown;
    struct question question; /* of shown */
    struct front *front;
    bool locked, ended;
    struct notices notices;
    struct timer minute; /* the end of a notice's */
    struct ledger ledger;
    char path[PATH_SIZE];
};

static void show_next(struct agent *a);

/* ---- What is told ---- */

static void tell(struct agent *a, const char *text)
{
    a->front->ops->tell(a->front, text);
}

static void tell_more(void *user, const char *source, const char *service, size_t more)
{
    struct agent *a = user;
    _cleanup_(freep) char *from = shown_text(source), *to = service ? shown_text(service) : NULL;
    _cleanup_(freep) char *text = NULL;

    if (from)
        text = format_new("%zu more notices within a minute: %s from %s", more,
                          to ? to : "other services", from);
    if (text)
        tell(a, text);
}

static void set_minute(struct agent *a)
{
    uint64_t next = notices_next(&a->notices), now = clock_ms();

    if (next)
        timer_set(&a->minute, next > now ? next - now : 0);
}

static void on_minute(struct timer *t)
{
    struct agent *a = container_of(t, struct agent, minute);

    notices_expire(&a->notices, clock_ms(), tell_more, a);
    set_minute(a);
}

/* What a source's calls give cause to: one line a source and service a minute. */
static void tell_of(struct agent *a, const struct prompt_request *q, const char *text)
{
    if (text && notices_add(&a->notices, q->source, q->service, clock_ms()))
        tell(a, text);
    set_minute(a);
}

static void tell_notice(struct agent *a, const struct prompt_request *q)
{
    const char *what = str_equal(q->resolution, "allow")  ? "allowed"
                       : str_equal(q->resolution, "deny") ? "denied"
                                                          : "failed";
    _cleanup_(freep) char *call = shown_call(q, *q->target ? q->target : "@default");
    _cleanup_(freep) char *text = call ? format_new("%s: %s", what, call) : NULL;

    tell_of(a, q, text);
}

/* ---- Clients ---- */

static void unlink_client(struct client *c)
{
    struct client **p = &c->agent->first;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
}

static void drop(struct client *c)
{
    int fd = c->watch.fd;

    unlink_client(c);
    c->agent->n--;
    hangup_stop(&c->gone);
    timer_stop(&c->late);
    if (c->watch.events)
        watch_stop(&c->watch);
    close_fd(&fd);
    charge_release(&c->charge);
    prompt_request_deinit(&c->request);
    buf_deinit(&c->in);
    free(c);
}

static void refuse(struct client *c, const char *why)
{
    _cleanup_(freep) char *text = format_new("(a request is refused: %s)", why);

    if (text)
        tell(c->agent, text);
    drop(c);
}

/* Its domain asks too much; that is told as seldom as any notice. */
static void refuse_flood(struct client *c)
{
    _cleanup_(freep) char *source = shown_text(c->request.source);
    _cleanup_(freep) char *service = shown_text(c->request.service), *text = NULL;

    if (source && service)
        text = format_new("(a request for %s is refused: %d others of %s wait)", service,
                          SOURCE_MOST, source);
    tell_of(c->agent, &c->request, text);
    drop(c);
}

/* ---- The question that stands ---- */

/* The client, which no front shows any more. */
static struct client *take_shown(struct agent *a)
{
    question_deinit(&a->question);
    return take(a->shown);
}

static void on_answered(struct front *f)
{
    struct agent *a = f->user;
    _cleanup_(freep) char *answer = question_answer(&a->question);
    struct client *c = take_shown(a);

    if (answer)
        (void)write_full(c->watch.fd, answer, strlen(answer));
    drop(c);
    show_next(a);
}

static void on_front_gone(struct front *f)
{
    struct agent *a = f->user;

    a->ended = true;
    loop_quit(1);
}

static size_t count_waiting(const struct agent *a)
{
    size_t n = 0;

    for (const struct client *c = a->first; c; c = c->next)
        n += c->waits;
    return n;
}

static int show(struct agent *a, struct client *c)
{
    int r = question_init(&a->question, &c->request);

    if (r)
        return r;
    a->shown = c;
    r = a->front->ops->ask(a->front, &a->question, count_waiting(a) - 1);
    if (r)
        (void)take_shown(a);
    return r;
}

static void show_next(struct agent *a)
{
    while (!a->shown && !a->locked && !a->ended && a->first && a->first->waits)
        if (show(a, a->first))
            refuse(a->first, "there is no memory");
}

static void withdraw(struct agent *a, const char *why)
{
    a->front->ops->withdraw(a->front, why);
    (void)take_shown(a);
}

static void on_gone(struct hangup *h)
{
    struct client *c = container_of(h, struct client, gone);
    struct agent *a = c->agent;

    if (a->shown == c)
        withdraw(a, "the call was given up");
    drop(c);
    show_next(a);
}

void agent_set_locked(struct agent *a, bool locked)
{
    a->locked = locked;
    if (locked && a->shown)
        withdraw(a, "asked again when the screen is unlocked");
    show_next(a);
}

/* ---- A request ---- */

/* Behind the others that wait. */
static void enqueue(struct client *c)
{
    struct client **p = &c->agent->first;

    unlink_client(c);
    while (*p && (*p)->waits)
        p = &(*p)->next;
    c->next = *p;
    *p = c;
    c->waits = true;
    show_next(c->agent);
}

static void take_question(struct client *c)
{
    int r = charge_take(&c->agent->ledger, c->request.source, 1, &c->charge);

    if (r) {
        if (r > 0)
            refuse_flood(c);
        else
            refuse(c, strerror(-r));
        return;
    }
    r = hangup_watch(&c->gone, c->watch.fd);
    if (r)
        refuse(c, strerror(-r));
    else
        enqueue(c);
}

static void take_request(struct client *c)
{
    int r = prompt_request_parse(buf_data(&c->in), buf_len(&c->in), &c->request);

    watch_stop(&c->watch);
    timer_stop(&c->late);
    buf_deinit(&c->in);
    if (r) {
        refuse(c, prompt_error_text(r));
    } else if (c->request.kind == PROMPT_ASK) {
        take_question(c);
    } else {
        tell_notice(c->agent, &c->request);
        drop(c);
    }
}

static void on_client(struct watch *w, short revents)
{
    struct client *c = container_of(w, struct client, watch);
    ssize_t n = buf_read_fd(&c->in, w->fd, 1 << 16);

    (void)revents;
    if (n == 0)
        take_request(c);
    else if (n == -ENOBUFS)
        refuse(c, "it is too long");
    else if (n < 0 && n != -EAGAIN)
        drop(c);
}

static void on_late(struct timer *t)
{
    refuse(container_of(t, struct client, late), "it did not come to an end");
}

static void add_client(struct agent *a, int fd)
{
    struct client **end = &a->first, *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        return;
    }
    while (*end)
        end = &(*end)->next;
    *end = c;
    a->n++;
    c->agent = a;
    c->in = BUF_NULL(PROMPT_REQUEST_MAX);
    c->gone.fn = on_gone;
    c->late.fn = on_late;
    c->watch.fn = on_client;
    watch_set(&c->watch, fd, POLLIN);
    timer_set(&c->late, READ_MS);
}

static void on_listener(struct watch *w, short revents)
{
    struct agent *a = container_of(w, struct agent, listener);
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)revents;
    if (fd < 0)
        return;
    if (a->n < CLIENTS_MOST) {
        add_client(a, fd);
        return;
    }
    close(fd);
    tell(a, "(a request is refused: too many wait)");
}

int agent_new(const char *path, struct front *front, struct agent **ret)
{
    struct agent *a = calloc(1, sizeof(*a));
    int fd = -1, r = a ? format(a->path, sizeof(a->path), "%s", path) : -ENOMEM;

    if (!r)
        r = unix_listen(path, 0660, &fd);
    if (r) {
        log_error("cannot ask for %s: %s", path,
                  r == -EADDRINUSE ? "another prompt does it already" : strerror(-r));
        free(a);
        return r;
    }
    a->front = front;
    front->user = a;
    front->answered = on_answered;
    front->gone = on_front_gone;
    a->minute.fn = on_minute;
    a->ledger.budget = SOURCE_MOST;
    a->listener.fn = on_listener;
    watch_set(&a->listener, fd, POLLIN);
    *ret = a;
    return 0;
}

void agent_free(struct agent *a)
{
    int fd = a->listener.fd;

    if (a->shown)
        withdraw(a, "this prompt ends");
    while (a->first)
        drop(a->first);
    timer_stop(&a->minute);
    watch_stop(&a->listener);
    close_fd(&fd);
    unlink(a->path);
    ledger_deinit(&a->ledger);
    notices_deinit(&a->notices);
    a->front->ops->free(a->front);
    free(a);
}
