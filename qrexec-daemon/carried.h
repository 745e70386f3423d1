/*
 * Calls between our domain and others whose data flows without us, from the port's agreement to the
 * end that the agent reports: what stands in the log then, and in the list of calls until then.
 *
 * They hold nothing but memory, and that of at most CARRIED_MOST: only the domain's own agent says
 * that a call is over, and it may never do. Calls to dom0 and to disposables are not here but in
 * calls.c, which holds something for them.
 */
#ifndef QREXEC_DAEMON_CARRIED_H
#define QREXEC_DAEMON_CARRIED_H

#include "qrexec-daemon/call.h"
#include "qrexec-daemon/daemon.h"

#define CARRIED_MOST    16384 /* more cannot be open: each is a process in the domain, and a port */
#define CARRIED_SERVICE 128   /* bytes of a service's name that are kept, with the NUL */

struct carried {
    struct carried *next, *prev;
    char id[CALL_ID_SIZE];
    bool incoming;                 /* ours was called */
    bool lost;                     /* ours called, and its agent went: nobody may tell its end */
    uint32_t domain, port;         /* the other end */
    char source[WIRE_NAME_SIZE];   /* incoming: "", since only the number is known */
    char asked[WIRE_NAME_SIZE];    /* the target as asked for; incoming: "" */
    char target[WIRE_NAME_SIZE];   /* the one it is */
    char service[CARRIED_SERVICE]; /* with its argument; a command is cut in the same way */
    uint64_t since;                /* ms since 1970 */
    uint64_t spent[CALL_STATES];   /* us; but for the present one, CALL_RUNNING */
    uint64_t entered_at;
    struct call_counts counts;
};

/*
 * Keeps a copy. Without memory the call is not seen, and goes on. Of one that is lost it is known
 * now that it is over, if its port is this one's, and the oldest of too many is forgotten.
 */
void carried_add(struct daemon *d, const struct carried *c);
/* The agent reported an end: of the oldest, since a port is given anew by who saw the other end. */
void carried_terminated(struct daemon *d, uint32_t domain, uint32_t port);
/* The agent is gone. Another one knows nothing of the calls that ours made. */
void carried_lose(struct daemon *d);
/* We end; the calls go on. */
void carried_forget(struct daemon *d);

/* Text into a field of that size: cut if it must be. */
void carried_text(char *ret, size_t size, struct wire_text text);

#endif
