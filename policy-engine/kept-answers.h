/*
 * Answers of the user that are kept for a time: rules in /run/qubes/policy.d/00-kept.policy.
 *
 * Each is a comment that says when it ends, and a rule that any reader of the policy understands:
 * one service and argument, one source and one target as asked for, both by uuid, allow, to the
 * domain that the user chose. Who decides with an ask before a user does not evaluate that rule,
 * but takes it for the user's answer: the file is left out of the policy there, and a kept answer
 * only counts while the policy still asks and offers that choice. So it never allows what the
 * policy denies by now, ends on time (by the clock since boot, which nobody sets), and ends with
 * either domain. The directory is in memory: a restart of the machine forgets all.
 */
#ifndef QREXEC_POLICY_KEPT_ANSWERS_H
#define QREXEC_POLICY_KEPT_ANSWERS_H

#include "policy-engine/policy-service.h"

#define KEPT_FILE         "00-kept.policy"
#define KEPT_MOST         512
#define KEPT_SECONDS_MOST 604800 /* a week; longer is a rule's business */

struct kept_answer {
    uint64_t number; /* for revoking; unique in the file */
    uint64_t until;  /* seconds since boot; 0: as long as the machine runs */
    char *service, *argument;
    char *source; /* "uuid:UUID" */
    char *target; /* "uuid:UUID", "@adminvm", "@default", "@dispvm", "@dispvm:uuid:UUID" */
    char *choice; /* the same, but never "@default" */
    char *about;  /* names at the time, for people */
};

struct kept_answers {
    struct kept_answer *list;
    size_t n;
};
#define KEPT_NULL ((struct kept_answers){0})
void kept_answers_deinit(struct kept_answers *k);

/* Seconds since boot, suspended ones too. */
uint64_t kept_now(void);

/* The file; a missing one is empty; lines that are not of its form are passed over, and dropped
 * with the next change. 0 or negative errno. */
int kept_answers_read(const char *path, struct kept_answers *ret);
/* By rename; without any left the file goes. 0 or negative errno. */
int kept_answers_write(const char *path, const struct kept_answers *k);

/* One change at a time: a lock on the directory, which is made. 0; -EWOULDBLOCK; other errno. */
int kept_answers_lock(const char *path, bool wait, int *ret_lock);

/* Takes out what has ended. True: there was some. */
bool kept_answers_expire(struct kept_answers *k, uint64_t now);
/* The number, or with all every one. How many there were. */
size_t kept_answers_remove(struct kept_answers *k, uint64_t number, bool all);
/* The next end of one, or 0: none ends. */
uint64_t kept_answers_next_end(const struct kept_answers *k);

/*
 * The one of asked's choices that is kept for this question; NULL: none. asked: an ask of the
 * policy as it is now, with these domains.
 */
const char *kept_answers_find(const struct kept_answers *k, const struct policy_domains *d,
                              const struct policy_question *q, const struct policy_verdict *asked,
                              uint64_t now);

/*
 * Keeps `chosen` for that question, in place of what was kept for it. seconds 0: as long as the
 * machine runs. 0; KEPT_E_NO_UUID: a domain has none; KEPT_E_FULL; -ENOMEM.
 */
enum { KEPT_E_NO_UUID = 1, KEPT_E_FULL };
int kept_answers_add(struct kept_answers *k, const struct policy_domains *d,
                     const struct policy_question *q, const struct policy_verdict *asked,
                     const char *chosen, uint64_t seconds, uint64_t now);

/* Reads the file, adds, writes it, under the lock, without waiting for that. As above, or errno. */
int kept_answers_keep(const char *path, const struct policy_domains *d,
                      const struct policy_question *q, const struct policy_verdict *asked,
                      const char *chosen, uint64_t seconds);

#endif
