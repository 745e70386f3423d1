/*
 * How names are shown: letters, digits and signs of ASCII as they are, everything else as \xHH.
 *
 * A blank, a backslash, a control character, a mark that turns the direction of the text and any
 * other character outside ASCII become escapes. So two names that differ look different, no name
 * can look like two fields, and nothing that a domain chose steers a terminal or a label.
 */
#ifndef QREXEC_PROMPT_SHOWN_H
#define QREXEC_PROMPT_SHOWN_H

#include "libqrexec/base/buf.h"
#include "policy-engine/prompt/request.h"

/* 0, -ENOMEM, -ENOBUFS. */
int shown_put(struct buf *out, const char *text);
/* "@dispvm:X" as a new disposable of X. */
int shown_put_target(struct buf *out, const char *target);

/* The same as texts of their own; NULL without memory. The caller frees. */
char *shown_text(const char *text);
char *shown_target(const char *target);
/* An argument of any length, without its "+"; "(none)". What is over most bytes is counted. */
char *shown_argument(const char *argument, size_t most);
/* "SERVICE+ARG: SOURCE -> TARGET", the argument cut at 512 bytes. */
char *shown_call(const struct prompt_request *q, const char *target);

#endif
