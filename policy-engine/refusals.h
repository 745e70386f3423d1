/*
 * A token bucket a source for what refused calls cost beyond their answer.
 *
 * A domain that is refused again and again gets each answer, but only so many log lines, records
 * and notices: what is over is counted, and told as one line a while later. Accounts are few and
 * end once their source was quiet; a million refusals leave nothing behind.
 */
#ifndef QREXEC_POLICY_REFUSALS_H
#define QREXEC_POLICY_REFUSALS_H

#include "libqrexec/base/util.h"

#define REFUSALS_BURST     20  /* told at once */
#define REFUSALS_REFILL_MS 500 /* then one each */
#define REFUSALS_QUIET_MS  1000
#define REFUSALS_SOURCES   256 /* more at a time are told each time */

/* What was counted and not told. The strings live until the callback returns. */
struct refusals_repeat {
    const char *source;
    const char *last; /* "SERVICE+ARG: SOURCE -> TARGET: denied: REASON" of the last one */
    uint64_t count, ms;
};

struct refusal_account;

struct refusals {
    struct refusal_account *first;
    size_t n;
};

void refusals_deinit(struct refusals *r);

/* One more refusal of source at that moment. True: tell it. False: it was counted with `last`. */
bool refusals_take(struct refusals *r, const char *source, uint64_t now_ms, const char *last);

/*
 * Hands out every account whose source had nothing refused for a while, or whose count is old, and
 * forgets what is quiet. all: each, at the end. Returns the milliseconds until it should be called
 * again; 0: not at all.
 */
uint64_t refusals_flush(struct refusals *r, uint64_t now_ms, bool all,
                        void (*tell)(void *user, const struct refusals_repeat *repeat), void *user);

#endif
