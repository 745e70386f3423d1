/*
 * The terminal prompt as text: what is shown for a request, and what a typed line means.
 *
 * Whatever is not printable ASCII is shown as \xHH, a backslash too: what is shown is what is
 * asked, and nothing that a domain chose can steer the terminal.
 */
#ifndef QREXEC_PROMPT_SCREEN_H
#define QREXEC_PROMPT_SCREEN_H

#include "libqrexec/base/buf.h"
#include "policy-engine/prompt/request.h"

/* waiting: how many more come after this one. 0, -ENOMEM, -ENOBUFS. */
int screen_question(const struct prompt_request *q, size_t waiting, struct buf *out);

/* The chosen target's place for a line without its newline; q->n_targets: refused. */
size_t screen_answer(const struct prompt_request *q, const char *line, size_t n);

/* One line about a policy.Notify. */
int screen_notice(const struct prompt_request *q, struct buf *out);

/* One line about what became of a question; target NULL: refused. */
int screen_result(const char *target, struct buf *out);

#endif
