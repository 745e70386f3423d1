/*
 * How the agent gives a call to a session: one packet with the fork server's message and a
 * descriptor, over a socket pair that only the two have.
 */
#ifndef QREXEC_AGENT_SESSION_CALL_H
#define QREXEC_AGENT_SESSION_CALL_H

#include "libqrexec/wire/message.h"

/* Never blocks. 0; -EPIPE: the session takes no more; -EAGAIN: too many wait; negative errno. */
int session_call_send(int link, const struct wire_fork *f, struct wire_text line, int fd);

/*
 * The next call, if there is one: its command line (the caller frees), its descriptor. 0; -EAGAIN:
 * none now; -EPIPE: none will come; -EBADMSG; negative errno.
 */
int session_call_receive(int link, struct wire_fork *ret, char **ret_line, int *ret_fd);

#endif
