/*
 * The prompt: asks its user about calls that the policy leaves to the user, one at a time.
 *
 * A client is one request: it is read to its end, checked, and waits in order of arrival until its
 * question is shown by the front. A client that hangs up takes its question along. However it ends
 * without an answer, the call is refused by who asked; so closing is always safe. Clients are
 * limited in number, and each source in those that wait for it. While the screen is locked nothing
 * is asked: who asks then waits.
 */
#ifndef QREXEC_PROMPT_AGENT_H
#define QREXEC_PROMPT_AGENT_H

#include "policy-engine/prompt/front.h"

struct agent;

/* Serves path and asks with front, which it takes over (not on failure). 0 or negative errno; the
 * user was told. */
int agent_new(const char *path, struct front *front, struct agent **ret);
void agent_free(struct agent *a);

/* A question that stands is taken away, and comes again when the screen is unlocked. */
void agent_set_locked(struct agent *a, bool locked);

#endif
