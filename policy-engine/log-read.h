/*
 * The decision log as it is read: records in order over the files that were turned over, those that
 * match, and whether the chain of hashes holds.
 *
 * Only what a reader asks for is looked at; unknown fields are fine, and so are missing ones. A
 * last line without its newline is one that is being written, or was when the machine went down:
 * only who checks the chain sees it.
 */
#ifndef QREXEC_POLICY_LOG_READ_H
#define QREXEC_POLICY_LOG_READ_H

#include "libqrexec/base/util.h"

#include <stdio.h>

#define LOG_TIME_NONE INT64_MIN

/* A record's texts; "" where it has none. They live until the callback returns. */
struct log_record {
    const char *call_id, *time, *policy;
    const char *source, *requested_source, *target, *service, *argument;
    const char *verdict, *reason, *final, *rule, *asked, *shadow, *evaluated_by;
    uint64_t generation, repeats, lost, total_us;
    int64_t seconds;  /* the time, since 1970; LOG_TIME_NONE */
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

struct log_reader {
    const struct log_filter *filter; /* NULL: all */
    /* For each that matches; another result than 0 ends the reading. May be NULL. */
    int (*fn)(void *user, const struct log_record *r);
    void *user;
    FILE *complain; /* told of each line that is no record, by file and line; may be NULL */
    bool verify;    /* the chain is checked as well, and its breaks are told */
};

struct log_check {
    uint64_t records, lines_bad, chain_breaks;
    uint64_t no_records;      /* of lines_bad: not even an object */
    char first[40], last[40]; /* times */
    char hash[65];            /* of the last record, where the chain is checked */
};

/*
 * All of path, the files FILE.9 … FILE.1 before it, as far as they are there ("-": stdin). 0; what
 * the callback gave; negative errno.
 */
int log_read(const char *path, const struct log_reader *how, struct log_check *check);

/* Where the log is if no option says so. 0 or -ENAMETOOLONG. */
int log_default_path(char buf[static 4096]);

#endif
