/*
 * Where questions are asked: a window, or a terminal. One question stands at a time.
 *
 * The agent owns queue and question and calls the front; the front shows the question, feeds the
 * user's input to it, and calls back once it is answered.
 */
#ifndef QREXEC_PROMPT_FRONT_H
#define QREXEC_PROMPT_FRONT_H

#include "policy-engine/prompt/question.h"

struct front;

struct front_ops {
    /*
     * Mandatory. Shows the question and disturbs it then; none stands. It stays the agent's, and
     * valid until front->answered or withdraw(). waiting: how many come after it. 0 or -ENOMEM.
     */
    int (*ask)(struct front *f, struct question *q, size_t waiting);
    /* Mandatory. Takes the question that stands away; why is a line for the user. */
    void (*withdraw)(struct front *f, const char *why);
    /* Mandatory. Tells the user something that needs no answer: one line, escaped, no newline. */
    void (*tell)(struct front *f, const char *text);
    /* Mandatory. No question may stand. */
    void (*free)(struct front *f);
};

struct front {
    const struct front_ops *ops;
    /* Set by the agent. The question is answered and stands no more; may ask the next one. */
    void (*answered)(struct front *f);
    /* Nobody will answer here any more; a question that stands is refused right after it. */
    void (*gone)(struct front *f);
    void *user;
};

/* On a terminal (-ENOTTY: in is none). 0 or negative errno. */
int terminal_front_new(int in, int out, struct front **ret);

struct bus;
/* As a window; options of the toolkit are not taken. -ENOTCONN: there is no display. */
int window_front_new(struct bus *bus, struct front **ret);

#endif
