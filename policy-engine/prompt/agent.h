/*
 * The prompt: asks its user about calls that the policy leaves to the user, one at a time.
 *
 * A client is one request: it is read to its end, checked, and waits in order of arrival until its
 * question stands on the terminal. A client that hangs up takes its question along. However it ends
 * without an answer, the call is refused by who asked; so closing is always safe. Clients are
 * limited in number, and each source in those that wait for it.
 */
#ifndef QREXEC_PROMPT_AGENT_H
#define QREXEC_PROMPT_AGENT_H

struct agent;

/* Serves path, asks on the terminal (in, out). 0 or negative errno; the user was told. */
int agent_new(const char *path, int in, int out, struct agent **ret);
void agent_free(struct agent *a);

#endif
