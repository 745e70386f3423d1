/*
 * The prompt on a terminal: questions from the agent's socket, one at a time, in order.
 *
 * A question is shown; what was typed before that, and for half a second after, is thrown away, so
 * that a stray key allows nothing. Then one line is read: a number or a target's name allows that
 * target, an empty line the default, anything else denies. A caller that goes away takes its
 * question along. The end of the terminal's input denies what is open and ends the agent. Who
 * waits for the user holds a place in a queue with a limit; over it, questions are refused.
 */
#ifndef QREXEC_POLICY_TERMINAL_H
#define QREXEC_POLICY_TERMINAL_H

#include "libqrexec/base/util.h"

struct terminal;

/* listener: a listening socket, taken. in, out: the terminal's, not taken. */
int terminal_new(int listener, int in, int out, struct terminal **ret);
void terminal_free(struct terminal *t);

#endif
