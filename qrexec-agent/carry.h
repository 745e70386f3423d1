/*
 * Carrying one call: the process that connects to the caller, starts the service and moves the
 * bytes. The agent, a session and the fork server fork into this, without exec
 * (tests/talk/agent-exec-test.c).
 */
#ifndef QREXEC_AGENT_CARRY_H
#define QREXEC_AGENT_CARRY_H

#include "libqrexec/service/service.h"

#include <sys/resource.h>

struct carry {
    const struct service *service;
    int failed;    /* it cannot be started: 127 or 125, else 0 */
    uint32_t type; /* MSG_EXEC_CMDLINE, MSG_JUST_EXEC */
    uint32_t domain, port;
    int keep_fd; /* a socket: stays open until the end; bytes there say that the caller's domain is
                    gone. -1 none */
    bool late;   /* another process had that call, and was killed: the caller is there, or gone */
    bool tells; /* WIRE_TELLS_REACHED there: without it nobody knows whether this process was killed
                   before the caller heard of it */
    const char *who;     /* for the log */
    struct rlimit files; /* what the program gets */
    const struct service_users *users;
};

/* In the child: ends the process. */
_Noreturn void carry_run(const struct carry *c);

#endif
