/*
 * A terminal on which one question stands at a time: see front.h.
 *
 * What was typed before a question stood there, or while it is deaf, was meant for something else:
 * it is thrown away, a half-typed line too. Between questions nothing is read. Lines are edited by
 * the terminal itself; Escape ends a line while a question stands (VEOL). A terminal tells no
 * release of a key: an Enter or Escape alone is let go once nothing has followed for a moment, so
 * that a key that is held down, which comes again and again, answers nothing.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/prompt/front.h"
#include "policy-engine/prompt/screen.h"

#include <errno.h>
#include <termios.h>

#define LET_GO_MS     150  /* longer than between two repetitions on any console */
#define LINE_MAX_SIZE 4096 /* of a line in a terminal's own editing */
#define SCREEN_MAX    (16U << 20)
#define HELD_MAX      8192 /* what is said once the question is over */
#define ESCAPE        '\033'

struct terminal {
    struct front front;
    struct question *asked; /* NULL: no question stands */
    size_t waiting;
    struct watch keys;
    struct timer deaf, let_go;
    enum question_event key; /* that is down: its release */
    struct termios saved;
    bool changed; /* saved counts */
    struct buf held;
    int in, out;
};

static void put(struct terminal *t, const struct buf *text)
{
    (void)write_full(t->out, buf_data(text), buf_len(text));
}

static void put_text(struct terminal *t, const char *text)
{
    (void)write_full(t->out, text, strlen(text));
}

static void set_escape(struct terminal *t)
{
    struct termios with;

    t->changed = tcgetattr(t->in, &t->saved) == 0;
    if (!t->changed)
        return;
    with = t->saved;
    with.c_cc[VEOL] = ESCAPE;
    (void)tcsetattr(t->in, TCSANOW, &with);
}

static void stop(struct terminal *t)
{
    t->asked = NULL;
    timer_stop(&t->deaf);
    timer_stop(&t->let_go);
    if (t->keys.events)
        watch_stop(&t->keys);
    if (t->changed)
        (void)tcsetattr(t->in, TCSANOW, &t->saved);
    t->changed = false;
}

static void put_held(struct terminal *t)
{
    put(t, &t->held);
    buf_deinit(&t->held);
}

/* It stands on the screen, and is deaf for its time. */
static int show(struct terminal *t)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(SCREEN_MAX);
    int r = screen_question(t->asked, t->waiting, &b);

    if (r)
        return r;
    if (t->keys.events)
        watch_stop(&t->keys);
    (void)tcflush(t->in, TCIFLUSH);
    put(t, &b);
    question_disturb(t->asked, clock_ms());
    timer_set(&t->deaf, QUESTION_DEAF_MS);
    return 0;
}

/* After input: the answer, or the list as it is now. */
static void go_on(struct terminal *t)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(SCREEN_MAX);
    struct question *q = t->asked;

    if (q->state == QUESTION_STANDS && show(t) == 0)
        return;
    if (q->state == QUESTION_STANDS) /* no memory */
        q->state = QUESTION_DENIED;
    if (screen_result(q, &b) == 0)
        put(t, &b);
    stop(t);
    put_held(t);
    t->front.answered(&t->front);
}

static void on_let_go(struct timer *timer)
{
    struct terminal *t = container_of(timer, struct terminal, let_go);

    question_input(t->asked, t->key, 0, clock_ms());
    if (t->key == QUESTION_ESCAPE_RELEASED)
        put_text(t, "\n");
    go_on(t);
}

static void press(struct terminal *t, bool escape)
{
    question_input(t->asked, escape ? QUESTION_ESCAPE_PRESSED : QUESTION_RETURN_PRESSED, 0,
                   clock_ms());
    t->key = escape ? QUESTION_ESCAPE_RELEASED : QUESTION_RETURN_RELEASED;
    timer_set(&t->let_go, LET_GO_MS);
}

static void deny(struct terminal *t, bool gone)
{
    question_input(t->asked, QUESTION_DENY, 0, clock_ms());
    put_text(t, "\n"); /* the cursor still stands behind the question */
    if (gone)
        t->front.gone(&t->front);
    go_on(t);
}

static void on_line(struct terminal *t, const char *line, size_t n)
{
    bool escape = line[n - 1] == ESCAPE;

    if (t->let_go.set && t->key == QUESTION_ESCAPE_RELEASED && !escape) {
        timer_stop(&t->let_go);
        on_let_go(&t->let_go);
    } else if (t->let_go.set) { /* whatever follows so soon is no answer */
        press(t, t->key == QUESTION_ESCAPE_RELEASED);
    } else if (escape || n == 1) {
        press(t, escape);
    } else {
        screen_feed(t->asked, line, n - 1, clock_ms());
        go_on(t);
    }
}

static void on_keys(struct watch *w, short revents)
{
    struct terminal *t = container_of(w, struct terminal, keys);
    struct pollfd p = {.fd = t->in, .events = POLLIN};
    char line[LINE_MAX_SIZE];
    ssize_t n;

    (void)revents;
    if (poll(&p, 1, 0) < 1)
        return;
    n = read(t->in, line, sizeof(line));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ESCAPE))
        on_line(t, line, (size_t)n);
    else /* the user's end of file, perhaps behind half a line; or nobody is there any more */
        deny(t, n < 0 || (n == 0 && (p.revents & (POLLHUP | POLLERR))));
}

static void on_deaf_over(struct timer *timer)
{
    struct terminal *t = container_of(timer, struct terminal, deaf);

    (void)tcflush(t->in, TCIFLUSH);
    watch_set(&t->keys, t->in, POLLIN);
}

static int terminal_ask(struct front *f, struct question *q, size_t waiting)
{
    struct terminal *t = container_of(f, struct terminal, front);
    int r;

    t->asked = q;
    t->waiting = waiting;
    set_escape(t);
    r = show(t);
    if (r)
        stop(t);
    return r;
}

static void terminal_withdraw(struct front *f, const char *why)
{
    struct terminal *t = container_of(f, struct terminal, front);

    stop(t);
    put_text(t, "\n(");
    put_text(t, why);
    put_text(t, ")\n");
    put_held(t);
}

/* Nothing is written into a question that stands; what does not fit is not said at all. */
static void terminal_tell(struct front *f, const char *text)
{
    struct terminal *t = container_of(f, struct terminal, front);

    if (t->asked) {
        (void)buf_appendf(&t->held, "%s\n", text);
        return;
    }
    put_text(t, text);
    put_text(t, "\n");
}

static void terminal_free(struct front *f)
{
    struct terminal *t = container_of(f, struct terminal, front);

    buf_deinit(&t->held);
    free(t);
}

int terminal_front_new(int in, int out, struct front **ret)
{
    static const struct front_ops ops = {.ask = terminal_ask,
                                         .withdraw = terminal_withdraw,
                                         .tell = terminal_tell,
                                         .free = terminal_free};
    struct terminal *t;

    if (!isatty(in))
        return -ENOTTY;
    t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    *t = (struct terminal){.front = {.ops = &ops},
                           .keys = {.fn = on_keys},
                           .deaf = {.fn = on_deaf_over},
                           .let_go = {.fn = on_let_go},
                           .held = BUF_NULL(HELD_MAX),
                           .in = in,
                           .out = out};
    *ret = &t->front;
    return 0;
}
