/*
 * The decision log as it is read: records in order over the files that were turned over, those that
 * match, and whether the chain of hashes holds.
 */
#ifndef QREXEC_POLICY_LOG_READ_H
#define QREXEC_POLICY_LOG_READ_H

#include "libqrexec/base/util.h"

#include <stdio.h>

/* A record's texts; "" where it has none. They live until the callback returns. */
struct log_record {
    const char *call_id, *time, *policy;
    const char *source, *requested_source, *target, *service, *argument;
    const char *verdict, *reason, *final, *rule, *asked, *shadow, *evaluated_by;
    uint64_t generation, repeats, lost, total_us;
    const char *line; /* as it stands in the file */
};

/* NULL or "": any. */
struct log_filter {
    const char *source, *target, *service, *verdict, *call_id;
    char since[40]; /* "": from the start; compared as text, as times are written */
};

/* "2026-11-28[T03:52[:36[.5]]][Z]", or how long ago: "90s", "5m", "2h", "1d". False: neither. */
bool log_parse_since(const char *text, char ret[static 40]);

/* target: as asked for, or the final one. service: with or without argument. */
bool log_matches(const struct log_filter *f, const struct log_record *r);

struct log_check {
    uint64_t records, lines_bad, chain_breaks;
    char first[40], last[40]; /* times */
    char hash[65];            /* of the last record */
};

/*
 * All of path, the files FILE.N … FILE.1 before it ("-": stdin). fn for each that matches; another
 * result than 0 ends it and is returned. What is no record is counted, and said with its file and
 * line to complain, which may be NULL. 0; the callback's; negative errno.
 */
int log_read(const char *path, const struct log_filter *f,
             int (*fn)(void *user, const struct log_record *r), void *user, struct log_check *check,
             FILE *complain);

/* Where the log is if no option says so. 0 or -ENAMETOOLONG. */
int log_default_path(char buf[static 4096]);

#endif
