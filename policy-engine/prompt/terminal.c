/* The prompt on a terminal: see terminal.h. */
#include "policy-engine/prompt/terminal.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/prompt/prompt.h"

#include <errno.h>
#include <sys/socket.h>
#include <termios.h>

#define QUESTIONS_MOST 64
#define DEAF_MS        500
#define LINE_MAX_BYTES 256

enum state { READING, QUEUED, SHOWN };

struct question {
    struct question *next; /* in order of arrival */
    struct terminal *terminal;
    struct watch peer;   /* READING: its bytes */
    struct watch hangup; /* later: its end */
    struct buf in;
    struct prompt prompt;
    enum state state;
};

struct terminal {
    struct watch listener, keys;
    struct timer deaf;
    struct question *first, *shown;
    size_t n;
    int in, out;
    char line[LINE_MAX_BYTES];
    size_t line_len; /* LINE_MAX_BYTES: too long, so it denies */
};

static void show_next(struct terminal *t);

static void close_watch(struct watch *w)
{
    int fd = w->fd;

    if (w->events)
        watch_stop(w);
    close_fd(&fd);
    w->fd = -1;
}

static void say(struct terminal *t, const char *text)
{
    (void)write_full(t->out, text, strlen(text)); /* a terminal that is gone ends by its input */
}

static void drop(struct question *q)
{
    struct terminal *t = q->terminal;
    struct question **p = &t->first;

    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    t->n--;
    if (t->shown == q)
        t->shown = NULL;
    close_watch(&q->hangup);
    close_watch(&q->peer);
    buf_deinit(&q->in);
    prompt_deinit(&q->prompt);
    free(q);
}

/* ---- The user's side ---- */

/* The answer is short and the socket's buffer empty: it fits, or the peer is gone. */
static void answer(struct question *q, const char *target)
{
    struct terminal *t = q->terminal;
    _cleanup_(freep) char *text = target ? format_new("allow:%s", target) : strdup("deny");

    if (text && send(q->peer.fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        log_warning("the answer did not reach who asked: %s", strerror(errno));
    drop(q);
    timer_stop(&t->deaf);
    watch_stop(&t->keys);
    show_next(t);
}

static void on_line(struct terminal *t, const char *line)
{
    const char *target = prompt_choose(&t->shown->prompt, line);

    say(t, target ? "Allowed: " : "Denied.\n");
    if (target) {
        say(t, target);
        say(t, "\n");
    }
    answer(t->shown, target);
}

static void end_of_input(struct terminal *t)
{
    log_info("the terminal's input has ended: all that is open is denied");
    while (t->first) {
        if (t->first->state != READING)
            (void)send(t->first->peer.fd, "deny", 4, MSG_NOSIGNAL);
        drop(t->first);
    }
    watch_stop(&t->keys);
    loop_quit(0);
}

/* One read: a terminal gives a line at most. False: the input has ended. */
static bool read_keys(struct terminal *t, char *data, size_t size, size_t *ret)
{
    ssize_t n = read(t->in, data, size);

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        *ret = 0;
        return true;
    }
    *ret = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void on_keys(struct watch *w, short revents)
{
    struct terminal *t = container_of(w, struct terminal, keys);
    char data[LINE_MAX_BYTES];
    size_t n;

    (void)revents;
    if (!read_keys(t, data, sizeof(data), &n)) {
        end_of_input(t);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (data[i] == '\n') {
            bool fits = t->line_len < LINE_MAX_BYTES;

            t->line[fits ? t->line_len : 0] = 0;
            /* what follows on the line's heels was typed before the next question */
            on_line(t, fits && !memchr(t->line, 0, t->line_len) ? t->line : "?");
            return;
        }
        if (t->line_len < LINE_MAX_BYTES - 1)
            t->line[t->line_len++] = data[i];
        else
            t->line_len = LINE_MAX_BYTES;
    }
}

/* Throws away what was typed so far. False: the input has ended. */
static bool flush_keys(struct terminal *t)
{
    struct pollfd p = {.fd = t->in, .events = POLLIN};
    char data[LINE_MAX_BYTES];
    size_t n;

    (void)tcflush(t->in, TCIFLUSH);
    for (int i = 0; i < 256 && poll(&p, 1, 0) > 0; i++)
        if (!read_keys(t, data, sizeof(data), &n))
            return false;
    return true;
}

static void on_hearing_again(struct timer *timer)
{
    struct terminal *t = container_of(timer, struct terminal, deaf);

    if (!flush_keys(t)) {
        end_of_input(t);
        return;
    }
    say(t, t->shown->prompt.default_target < t->shown->prompt.n_targets
               ? "Number (Enter: the default; anything else denies): "
               : "Number (anything else denies): ");
    t->line_len = 0;
    watch_set(&t->keys, t->in, POLLIN);
}

static void show_next(struct terminal *t)
{
    struct question *q = t->first;
    _cleanup_(freep) char *text = NULL;

    while (q && q->state != QUEUED)
        q = q->next;
    if (!q || t->shown)
        return;
    text = prompt_show(&q->prompt);
    if (!text) {
        drop(q);
        return;
    }
    q->state = SHOWN;
    t->shown = q;
    say(t, text);
    timer_set(&t->deaf, DEAF_MS);
}

/* ---- The callers' side ---- */

static void on_hangup(struct watch *w, short revents)
{
    struct question *q = container_of(w, struct question, hangup);
    struct terminal *t = q->terminal;

    (void)revents;
    if (q->state == SHOWN) {
        say(t, "\nWithdrawn: who asked is gone.\n");
        timer_stop(&t->deaf);
        watch_stop(&t->keys);
    }
    drop(q);
    show_next(t);
}

static void take_request(struct question *q)
{
    struct terminal *t = q->terminal;
    int fd = -1, r = prompt_read(buf_data(&q->in), buf_len(&q->in), &q->prompt);

    buf_deinit(&q->in);
    if (!r && q->prompt.kind == PROMPT_NOTIFY) {
        _cleanup_(freep) char *text = prompt_show(&q->prompt);

        if (text)
            say(t, text);
        drop(q);
        return;
    }
    if (!r)
        r = hangup_fd(q->peer.fd, &fd);
    if (r) {
        log_warning("a request is refused: %s", r < 0 ? strerror(-r) : prompt_error_text(r));
        drop(q);
        return;
    }
    watch_stop(&q->peer);
    q->hangup.fn = on_hangup;
    watch_set(&q->hangup, fd, POLLIN);
    q->state = QUEUED;
    show_next(t);
}

static void on_peer(struct watch *w, short revents)
{
    struct question *q = container_of(w, struct question, peer);
    ssize_t n = buf_read_fd(&q->in, w->fd, 65536);

    (void)revents;
    if (n > 0 || n == -EAGAIN)
        return;
    if (n == 0)
        take_request(q);
    else
        drop(q);
}

/* Only dom0's root, or the user whom this agent serves, may put something on the screen. */
static bool peer_may_ask(int fd)
{
    uid_t uid;
    pid_t pid;

    return unix_peer(fd, &pid, &uid) == 0 && (uid == 0 || uid == geteuid());
}

static void on_listener(struct watch *w, short revents)
{
    struct terminal *t = container_of(w, struct terminal, listener);
    _cleanup_(closep) int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct question *q, **p = &t->first;

    (void)revents;
    if (fd < 0)
        return;
    if (t->n >= QUESTIONS_MOST || !peer_may_ask(fd)) {
        log_warning("a request is refused: %s", t->n >= QUESTIONS_MOST
                                                    ? "too many wait for the user already"
                                                    : "it comes from another user");
        return;
    }
    q = calloc(1, sizeof(*q));
    if (!q)
        return;
    while (*p)
        p = &(*p)->next;
    *p = q;
    t->n++;
    q->terminal = t;
    q->in = BUF_NULL(PROMPT_REQUEST_MAX);
    q->hangup.fd = -1;
    q->peer.fn = on_peer;
    watch_set(&q->peer, take_fd(&fd), POLLIN);
}

int terminal_new(int listener, int in, int out, struct terminal **ret)
{
    struct terminal *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->in = in;
    t->out = out;
    t->keys.fn = on_keys;
    t->keys.fd = in;
    t->deaf.fn = on_hearing_again;
    t->listener.fn = on_listener;
    watch_set(&t->listener, listener, POLLIN);
    *ret = t;
    return 0;
}

void terminal_free(struct terminal *t)
{
    while (t->first)
        drop(t->first);
    timer_stop(&t->deaf);
    watch_stop(&t->keys);
    close_watch(&t->listener);
    free(t);
}
