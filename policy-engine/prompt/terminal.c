/* One question at a time: see terminal.h. */
#include "policy-engine/prompt/terminal.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <termios.h>

#define DEAF_MS       500
#define LINE_MAX_SIZE 4096 /* of a line in a terminal's own editing */

static void stop(struct terminal *t)
{
    t->asking = false;
    timer_stop(&t->deaf);
    if (t->keys.events)
        watch_stop(&t->keys);
}

static void on_keys(struct watch *w, short revents)
{
    struct terminal *t = container_of(w, struct terminal, keys);
    struct pollfd p = {.fd = t->in, .events = POLLIN};
    enum terminal_event event = TERMINAL_EOF;
    char line[LINE_MAX_SIZE];
    ssize_t n;

    (void)revents;
    if (poll(&p, 1, 0) < 1)
        return;
    n = read(t->in, line, sizeof(line));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    stop(t);
    if (n > 0 && line[n - 1] == '\n')
        event = TERMINAL_LINE;
    else if (n < 0 || (n == 0 && (p.revents & (POLLHUP | POLLERR))))
        event = TERMINAL_GONE;
    t->fn(t, event, line, event == TERMINAL_LINE ? (size_t)n - 1 : 0);
}

static void on_deaf_over(struct timer *timer)
{
    struct terminal *t = container_of(timer, struct terminal, deaf);

    (void)tcflush(t->in, TCIFLUSH);
    watch_set(&t->keys, t->in, POLLIN);
}

int terminal_init(struct terminal *t, int in, int out)
{
    if (!isatty(in))
        return -ENOTTY;
    t->in = in;
    t->out = out;
    t->keys.fn = on_keys;
    t->deaf.fn = on_deaf_over;
    return 0;
}

void terminal_ask(struct terminal *t, const struct buf *text)
{
    t->asking = true;
    (void)tcflush(t->in, TCIFLUSH);
    terminal_say(t, text);
    timer_set(&t->deaf, DEAF_MS);
}

void terminal_withdraw(struct terminal *t)
{
    stop(t);
}

void terminal_say(struct terminal *t, const struct buf *text)
{
    (void)write_full(t->out, buf_data(text), buf_len(text));
}
