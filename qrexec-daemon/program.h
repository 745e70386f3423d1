/*
 * The policy program: who decides while the policy service does not.
 *
 * One runs at a time, a few wait, and what is over that is refused: a dead policy service must not
 * bring dom0 down with it. That it is used is said once for each time that the service is gone.
 */
#ifndef QREXEC_DAEMON_PROGRAM_H
#define QREXEC_DAEMON_PROGRAM_H

#include "qrexec-daemon/stream.h"

#include <sys/types.h>

#define PROGRAM_QUEUE_MOST 16
#define PROGRAM_MS         120000 /* it may ask the user */

struct program_request {
    struct program_request *next;
    const char *source, *target, *service; /* the owner's, until it is done or cancelled */
    /* Its whole output, or error: -EREMOTEIO its exit status was not 0, -ETIMEDOUT … */
    void (*fn)(struct program_request *rq, const void *answer, size_t n, int error);
};

struct program {
    const char *path;
    bool said; /* that it is used */
    struct program_request *first;
    size_t n_waiting; /* with the first, which runs */
    /* the one that runs */
    struct stream output;
    struct watch exited;
    struct timer timer;
    pid_t pid; /* 0: none */
    bool output_ended, has_exited;
    int code;
};

void program_init(struct program *p, const char *path);
void program_deinit(struct program *p);
/* 0; -EBUSY: too many wait. The outcome comes later. why: what the policy service lacks. */
int program_ask(struct program *p, struct program_request *rq, const char *why);
/* Nothing is heard of it any more; fine for one that is done. */
void program_cancel(struct program *p, struct program_request *rq);
/* The policy service answered again. */
void program_not_needed(struct program *p);

#endif
