/* The prompt: see agent.h. */
#include "policy-engine/prompt/agent.h"

#include "libqrexec/base/charge.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/prompt/screen.h"
#include "policy-engine/prompt/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define CLIENTS_MOST 64
#define SOURCE_MOST  8 /* questions of one source that wait */
#define READ_MS      10000
#define SCREEN_MAX   (16U << 20)
#define HELD_MAX     8192 /* what is said once the question is over */

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
    struct terminal terminal;
    struct buf held;
    struct ledger ledger;
    char path[PATH_SIZE];
};

static void show_next(struct agent *a);

/* ---- What is said ---- */

/* Nothing is written into a question that stands; what does not fit is not said at all. */
static void say(struct agent *a, const struct buf *text)
{
    if (!a->terminal.asking)
        terminal_say(&a->terminal, text);
    else
        (void)buf_append(&a->held, buf_data(text), buf_len(text));
}

static void say_text(struct agent *a, const char *text)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(HELD_MAX);

    if (buf_append_str(&b, text) == 0)
        say(a, &b);
}

static void say_held(struct agent *a)
{
    terminal_say(&a->terminal, &a->held);
    buf_deinit(&a->held);
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
    _cleanup_(freep) char *text = format_new("(a request is refused: %s)\n", why);

    if (text)
        say_text(c->agent, text);
    drop(c);
}

/* ---- The question that stands ---- */

static void finish_shown(struct agent *a, size_t choice)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(SCREEN_MAX);
    struct prompt_request *q = &a->shown->request;
    const char *target = choice < q->n_targets ? q->targets[choice] : NULL;
    _cleanup_(freep) char *answer = target ? format_new("allow:%s", target) : strdup("deny");

    if (answer)
        (void)write_full(a->shown->watch.fd, answer, strlen(answer));
    if (screen_result(target, &b) == 0)
        terminal_say(&a->terminal, &b);
    drop(take(a->shown));
    say_held(a);
}

static void on_answer(struct terminal *t, enum terminal_event event, const char *line, size_t n)
{
    struct agent *a = container_of(t, struct agent, terminal);
    const struct prompt_request *q = &a->shown->request;

    if (event != TERMINAL_LINE) /* the cursor still stands behind the question */
        say_text(a, "\n");
    finish_shown(a, event == TERMINAL_LINE ? screen_answer(q, line, n) : q->n_targets);
    if (event == TERMINAL_GONE)
        loop_quit(1);
    else
        show_next(a);
}

static size_t count_waiting(const struct agent *a)
{
    size_t n = 0;

    for (const struct client *c = a->first; c; c = c->next)
        n += c->waits;
    return n;
}

static void show_next(struct agent *a)
{
    while (!a->shown && a->first && a->first->waits) {
        _cleanup_(buf_deinit) struct buf b = BUF_NULL(SCREEN_MAX);
        struct client *c = a->first;

        if (screen_question(&c->request, count_waiting(a) - 1, &b)) {
            refuse(c, "there is no memory");
            continue;
        }
        a->shown = c;
        terminal_ask(&a->terminal, &b);
    }
}

static void on_gone(struct hangup *h)
{
    struct client *c = container_of(h, struct client, gone);
    struct agent *a = c->agent;
    bool shown = a->shown == c;

    if (shown) {
        a->shown = NULL;
        terminal_withdraw(&a->terminal);
        say_text(a, "\n(the call was given up)\n");
        say_held(a);
    }
    drop(c);
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
        refuse(c, r > 0 ? "its domain has too many others waiting" : strerror(-r));
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
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(SCREEN_MAX);
    int r = prompt_request_parse(buf_data(&c->in), buf_len(&c->in), &c->request);

    watch_stop(&c->watch);
    timer_stop(&c->late);
    buf_deinit(&c->in);
    if (r) {
        refuse(c, prompt_error_text(r));
    } else if (c->request.kind == PROMPT_ASK) {
        take_question(c);
    } else {
        if (screen_notice(&c->request, &b) == 0)
            say(c->agent, &b);
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
    say_text(a, "(a request is refused: too many wait)\n");
}

static void greet(struct agent *a)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(HELD_MAX);

    if (buf_appendf(&b, "Calls that the policy asks about are asked about here (%s).\n", a->path) ==
        0)
        say(a, &b);
}

int agent_new(const char *path, int in, int out, struct agent **ret)
{
    struct agent *a = calloc(1, sizeof(*a));
    int fd = -1, r = a ? format(a->path, sizeof(a->path), "%s", path) : -ENOMEM;

    if (!r)
        r = terminal_init(&a->terminal, in, out);
    if (!r)
        r = unix_listen(path, 0660, &fd);
    if (r) {
        log_error("cannot ask for %s: %s", path,
                  r == -ENOTTY       ? "standard input is no terminal"
                  : r == -EADDRINUSE ? "another prompt does it already"
                                     : strerror(-r));
        free(a);
        return r;
    }
    a->terminal.fn = on_answer;
    a->held = BUF_NULL(HELD_MAX);
    a->ledger.budget = SOURCE_MOST;
    a->listener.fn = on_listener;
    watch_set(&a->listener, fd, POLLIN);
    greet(a);
    *ret = a;
    return 0;
}

void agent_free(struct agent *a)
{
    int fd = a->listener.fd;

    terminal_withdraw(&a->terminal);
    while (a->first)
        drop(a->first);
    watch_stop(&a->listener);
    close_fd(&fd);
    unlink(a->path);
    ledger_deinit(&a->ledger);
    buf_deinit(&a->held);
    free(a);
}
