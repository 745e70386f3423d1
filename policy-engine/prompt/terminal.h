/*
 * A terminal on which one question stands at a time.
 *
 * What was typed before a question stood there, or within half a second after, was meant for
 * something else: it is thrown away, a half-typed line too. Between questions nothing is read.
 */
#ifndef QREXEC_PROMPT_TERMINAL_H
#define QREXEC_PROMPT_TERMINAL_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"

enum terminal_event {
    TERMINAL_LINE, /* without its newline */
    TERMINAL_EOF,  /* the user's end of file, or half a line before it */
    TERMINAL_GONE, /* nobody will type here any more */
};

struct terminal {
    /* The question's answer; it stands no longer. */
    void (*fn)(struct terminal *t, enum terminal_event event, const char *line, size_t n);
    struct watch keys;
    struct timer deaf;
    int in, out;
    bool asking;
};

/* in must be a terminal: -ENOTTY. */
int terminal_init(struct terminal *t, int in, int out);
/* No question may stand. */
void terminal_ask(struct terminal *t, const struct buf *text);
/* Takes the question back. */
void terminal_withdraw(struct terminal *t);
void terminal_say(struct terminal *t, const struct buf *text);

#endif
