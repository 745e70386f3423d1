/*
 * Records of decisions on their way to the log, so that no answer waits for a log.
 *
 * They lie in a small file that is mapped (in /run, so in memory): putting one there is a copy and
 * no system call, and a daemon that is killed leaves them to the next one. It holds each until it
 * was handed on: a daemon that is killed while it hands some on leaves these to be handed on twice.
 */
#ifndef QREXEC_POLICY_DECISION_SPOOL_H
#define QREXEC_POLICY_DECISION_SPOOL_H

#include "policy-engine/decision-record.h"

#define DECISION_SPOOL_PATH "/run/qubes/policy-decisions.spool"
#define DECISION_SPOOL_SIZE 32768

struct decision_spool {
    unsigned char *map; /* NULL: closed */
};

/*
 * Where the file cannot be used, memory takes its place, and the user was told. 0 or -ENOMEM. What
 * an earlier daemon left is in it.
 */
int decision_spool_open(struct decision_spool *s, const char *path);
void decision_spool_deinit(struct decision_spool *s);

bool decision_spool_is_empty(const struct decision_spool *s);
bool decision_spool_is_half_full(const struct decision_spool *s);
/* False: there is no room for it now. One that never fits: not even when it is empty. */
bool decision_spool_put(struct decision_spool *s, const struct decision_record *d);
/* Hands on each, in order. Texts live until decision_spool_forget(). */
void decision_spool_drain(struct decision_spool *s,
                          void (*fn)(void *user, struct decision_record *d), void *user);
/* They are where they belong. */
void decision_spool_forget(struct decision_spool *s);

#endif
