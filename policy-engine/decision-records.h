/*
 * The decision log as the tools read it: a JSON object a line, one for each decision.
 *
 * Only what a reader asked for is looked at; unknown fields are fine. A last line without its
 * newline is one that is being written, or was when the machine went down: it is passed over.
 */
#ifndef QREXEC_POLICY_DECISION_RECORDS_H
#define QREXEC_POLICY_DECISION_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

/* Where the policy daemon keeps it, if no option says otherwise; see path_get(). */
#define DECISION_LOG "/var/log/qubes/policy-decisions.jsonl"

/* NULL: the record has no such field. Strings live until the callback returns. */
struct decision_record {
    const char *call_id;
    const char *service, *argument; /* argument with its + */
    const char *source, *target, *requested_source;
    const char *verdict;
    const char *rule; /* "FILE:LINE" */
    int64_t time;     /* seconds since 1970; INT64_MIN: none, or none that is a time */
};

/*
 * Calls fn for each record, in order, until it returns nonzero, which is handed out. 0; 1 and
 * *reterr (allocated) is "FILE:LINE: TEXT"; negative errno.
 */
int decision_records_read(const char *path, int (*fn)(void *user, const struct decision_record *r),
                          void *user, char **reterr);

#endif
