/*
 * The terminal prompt as text: what is shown for a question, and what a typed line means to it.
 */
#ifndef QREXEC_PROMPT_SCREEN_H
#define QREXEC_PROMPT_SCREEN_H

#include "libqrexec/base/buf.h"
#include "policy-engine/prompt/question.h"

/* waiting: how many more come after this one. 0, -ENOMEM, -ENOBUFS. */
int screen_question(const struct question *q, size_t waiting, struct buf *out);

/*
 * A line that is not empty, without its end: a target's number, which allows it (behind it perhaps
 * for how long), or a part of a name, which the list is searched for.
 */
void screen_feed(struct question *q, const char *line, size_t n, uint64_t now);

/* One line about what became of a question. */
int screen_result(const struct question *q, struct buf *out);

#endif
