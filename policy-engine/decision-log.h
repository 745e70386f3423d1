/*
 * The decision log as it is written: lines of decision-record.h, in a file or in the journal.
 *
 * The file is turned over by size: FILE becomes FILE.1 and so on, and the chain of hashes goes on
 * from one to the next, also over a restart. A record is there as a whole or not at all; what
 * cannot be written (disk full) is counted, said once, and the next record names how many are
 * missing. It never keeps a decision from being made: all that is done is one write to the page
 * cache.
 */
#ifndef QREXEC_POLICY_DECISION_LOG_H
#define QREXEC_POLICY_DECISION_LOG_H

#include "policy-engine/decision-record.h"

#include <sys/types.h>

#define DECISION_LOG_PATH "/var/log/qubes/policy-decisions.jsonl"
#define DECISION_LOG_MAX  (16U << 20)
#define DECISION_LOG_KEEP 4 /* files turned over */

struct decision_log {
    char *path; /* NULL: the journal */
    int fd;     /* -1: no log */
    bool works; /* it was open once: what cannot be written is counted, and tried again */
    off_t size, max;
    unsigned keep;
    char prev[DECISION_HASH_SIZE];    /* of the last record that was added */
    char written[DECISION_HASH_SIZE]; /* of the last one in the file */
    uint64_t lost, added;
    struct buf lines;
};

#define DECISION_LOG_NULL ((struct decision_log){.fd = -1})

/* path: of the file; "journal". The user is told what does not work. 0 or negative errno. */
int decision_log_open(struct decision_log *l, const char *path, uint64_t max, unsigned keep);
void decision_log_deinit(struct decision_log *l);
/*
 * One record by who decides once, where no daemon writes. 0; negative errno and not a word where
 * the file cannot be opened, -EBUSY: a daemon has it.
 */
int decision_log_once(const char *path, struct decision_record *d);
/* The file that is at the path now: somebody may have moved the old one away. */
void decision_log_reopen(struct decision_log *l);

/* d->lost is set here. What is added is written with the next flush, or before if it is much. */
void decision_log_add(struct decision_log *l, struct decision_record *d);
void decision_log_flush(struct decision_log *l);

#endif
