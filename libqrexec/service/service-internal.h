/* What the files of this folder share. */
#ifndef QREXEC_SERVICE_INTERNAL_H
#define QREXEC_SERVICE_INTERNAL_H

#include "libqrexec/service/service.h"

#include <pwd.h>

/* An environment under construction: names are unique, the last one set stays. */
struct environment {
    char **list; /* NULL at its end; allocated */
    size_t n, size;
    bool failed; /* no memory; sticks */
};

void environment_deinit(struct environment *e);
void environment_set(struct environment *e, const char *name, const char *value);
/* A whole "NAME=VALUE". */
void environment_put(struct environment *e, const char *pair);
/* HOME, SHELL, USER, LOGNAME. */
void environment_set_user(struct environment *e, const struct passwd *pw);
const char *environment_get(const struct environment *e, const char *name);

/*
 * The environment of the service: base (NULL at its end) without what is ours alone, with the
 * variables of wire.md. agent is the value of QREXEC_AGENT_PID.
 */
void environment_build(struct environment *e, const struct service *s, char *const *base,
                       pid_t agent);

/* The program and its words. */
struct session_exec {
    const struct service *service;
    const struct service_start *how;
    pid_t agent;       /* who carries the data */
    struct passwd *pw; /* the user; NULL: where there are none, or unknown (a session's own) */
};

/*
 * In the child: the pipe that takes the reason of a failure, close-on-exec.
 */
#define SESSION_REPORT_FD 3

/*
 * In the child whose descriptors are set: becomes the user (a login session where the place asks
 * for one) and the program. Does not return.
 */
_Noreturn void session_run(const struct session_exec *x);

/* Gives the parent the reason, and ends. */
_Noreturn void session_fail(const char *fmt, ...) _printf_(1, 2);

struct service_users {
    /* The user that the command runs as; checks that we may. 0, SERVICE_E_TROUBLE and a reason. */
    int (*find)(const struct service *s, struct passwd **ret, char reterr[static SERVICE_TEXT_MAX]);
    /*
     * In root's child, NULL where nobody logs in: becomes the user, with the environment of the
     * login; or session_fail(). True: the profile has been read, no login shell is needed.
     */
    bool (*become)(const struct service_users *users, const struct service *s,
                   struct environment *ret);
};
int users_find(const struct service *s, struct passwd **ret, char reterr[static SERVICE_TEXT_MAX]);

/* Connects to s->path, or to s->host and s->port, and queues the descriptor. */
int service_connect(const struct service *s, int *ret, char reterr[static SERVICE_TEXT_MAX]);

/*
 * A stream whose lines reach the log of this machine under that tag: the journal's, else a pipe to
 * a small process that passes them to syslog. *ret -1: there is no log.
 */
int service_log_open(const char *tag, int *ret);

#endif
