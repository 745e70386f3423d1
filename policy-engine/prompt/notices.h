/*
 * Which notices are shown: one for a source and service a minute; the rest of the minute is counted
 * and told in one line when it is over.
 *
 * A domain can name any number of services: after NOTICES_SERVICES of them in a minute the others
 * of that source count as one. The number of all entries is bounded too. No clock is read here.
 */
#ifndef QREXEC_PROMPT_NOTICES_H
#define QREXEC_PROMPT_NOTICES_H

#include "libqrexec/base/util.h"

#define NOTICES_MS       60000
#define NOTICES_SERVICES 4
#define NOTICES_MOST     512

struct notice;

struct notices {
    struct notice *first;
    size_t n;
};

/* Whether this one is shown now. */
bool notices_add(struct notices *n, const char *source, const char *service, uint64_t now);
/* The time (clock_ms()) at which notices_expire() has something to do; 0: never. */
uint64_t notices_next(const struct notices *n);
/* Forgets those whose minute is over; fn for each that has counted any. service NULL: several. */
void notices_expire(struct notices *n, uint64_t now,
                    void (*fn)(void *user, const char *source, const char *service, size_t more),
                    void *user);
void notices_deinit(struct notices *n);

#endif
