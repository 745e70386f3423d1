/*
 * A record of the decision log: one decision as a line of JSON that names the line before it.
 *
 * "hash" is the SHA-256 of the line's bytes up to its own key, which hold "prev", the hash of the
 * record before: who changes, drops or inserts a record must change all that follow.
 */
#ifndef QREXEC_POLICY_DECISION_RECORD_H
#define QREXEC_POLICY_DECISION_RECORD_H

#include "libqrexec/base/buf.h"

#define DECISION_HASH_SIZE 65 /* lower-case hex, with its NUL */
#define DECISION_LINE_MAX  (1U << 20)
/* Before the first record. */
#define DECISION_HASH_START "0000000000000000000000000000000000000000000000000000000000000000"

/* Texts may be NULL: null in JSON, then. Microseconds. */
struct decision_record {
    const char *call_id;
    uint64_t time_us;            /* of the request, since 1970 */
    uint64_t policy, generation; /* policy_signature(), policy_domains_generation() */
    const char *source, *requested_source;
    const char *target; /* as asked for */
    const char *service, *argument;
    const char *verdict, *reason;
    const char *detail; /* of a trouble of ours: what it was */
    const char *final;  /* the target of an allow */
    const char *rule_file;
    unsigned rule_line;
    const char *asked;        /* who answered an ask: a guivm, "kept"; NULL: none, or nobody */
    const char *evaluated_by; /* only the verdict was wanted, by that domain; NULL: a call */
    const char *shadow;       /* what the shadow policy says where that differs */
    struct {
        uint64_t read, wait, decide, ask, total;
    } micros;
    uint64_t repeats; /* this many of that source's were refused and are not recorded */
    uint64_t lost;    /* before this one, that many could not be written */
};

/*
 * Appends the line with its newline to out. prev: hash of the record before. 0 and ret_hash;
 * -ENOMEM, -ENOBUFS.
 */
int decision_record_write(const struct decision_record *d, const char *prev, struct buf *out,
                          char ret_hash[static DECISION_HASH_SIZE]);

/* The hash that a line (without newline) must have, and the two that it has. False: not a record.
 */
bool decision_line_hashes(const char *line, size_t n, char ret_right[static DECISION_HASH_SIZE],
                          char ret_has[static DECISION_HASH_SIZE],
                          char ret_prev[static DECISION_HASH_SIZE]);

#endif
