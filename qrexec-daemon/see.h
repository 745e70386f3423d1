/*
 * Calls seen and ended by the administrator [ext]: a socket beside the daemon's own, for
 * qrexec-calls. Lines in, lines out; doc/wire.md has them.
 *
 *   see.c         the socket, and who is connected there
 *   see-lines.c   a call as a line
 *   see-counts.c  what went over connections, asked of the agent
 *   see-end.c     a call is ended
 *
 * The agent is asked only while somebody looks; one that does not answer is not asked again.
 */
#ifndef QREXEC_DAEMON_SEE_H
#define QREXEC_DAEMON_SEE_H

#include "qrexec-daemon/running-call.h"

#define SEE_LINE_MAX 4096

/* A line about a call, without its newline: "WORD\tKEY=VALUE\t…". how: what it has come to. */
int see_line_running(struct buf *b, const char *word, const struct running_call *c,
                     const char *how);
int see_line_carried(struct buf *b, const char *word, const struct carried *c, const char *how);

/* see-counts.c: asks the agent for all calls. True: answers are waited for; see_counted() follows.
 */
bool see_look(struct daemon *d);
/* Nothing is waited for any more. */
void see_counted(struct daemon *d);

/* see-end.c. */
enum see_end { SEE_END_UNKNOWN, SEE_END_DONE, SEE_END_WAIT };
enum see_end see_end(struct daemon *d, const char *id);
/* The agent has had its time: dom0's end, if there is one, is told. */
void see_end_dom0(struct daemon *d, const char *id);
/* It did not end by itself. False: nothing is left to do about it. */
bool see_end_by_force(struct daemon *d, const char *id);
bool see_knows(const struct daemon *d, const char *id);

#endif
