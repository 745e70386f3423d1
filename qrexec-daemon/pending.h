/*
 * Requests that wait for their answer: the ident as the VM sent it, and who will answer.
 *
 * Each request gets exactly one answer: pending_close() is true once. A VM that sends an ident
 * again before its answer has made a second request; each is answered. The most that wait at a
 * time is limited; what is over it is refused, and nobody else notices.
 */
#ifndef QREXEC_DAEMON_PENDING_H
#define QREXEC_DAEMON_PENDING_H

#include "libqrexec/base/util.h"

#define PENDING_IDENT_SIZE 32

#define PENDING_E_FULL 1

/* A member of what waits. Zeroed: not pending. */
struct pending {
    unsigned char ident[PENDING_IDENT_SIZE];
    bool open;
    struct pending *next;
    struct pending *prev;
};

struct pending_table {
    struct pending *first; /* oldest */
    struct pending *last;
    size_t count;
    size_t most;
};

/* 0 or PENDING_E_FULL. */
int pending_open(struct pending_table *t, struct pending *p, const unsigned char *ident);
/* True if it was open: the caller owes the answer now. */
bool pending_close(struct pending_table *t, struct pending *p);
/* The oldest with that ident behind after (NULL: of all), or NULL. */
struct pending *pending_find(const struct pending_table *t, const unsigned char *ident,
                             const struct pending *after);

#endif
