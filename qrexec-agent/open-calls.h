/*
 * How many calls this VM has open: the connections to its agent's socket, as the kernel lists them.
 * Whoever runs the agent, nothing has to be kept for it, and nothing can be left of it.
 */
#ifndef QREXEC_AGENT_OPEN_CALLS_H
#define QREXEC_AGENT_OPEN_CALLS_H

#include <stddef.h>

/* list: /proc/net/unix. The caller's own connection counts too. 0 where it cannot be told. */
size_t open_calls(const char *list, const char *agent_socket);

#endif
