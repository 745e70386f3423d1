/*
 * The decision log as the tools read it: a JSON object a line, one for each decision.
 *
 * Only what a reader asked for is looked at; unknown fields are fine. A last line without its
 * newline is one that is being written, or was when the machine went down: it is passed over.
 */
#ifndef QREXEC_POLICY_LOGGED_DECISIONS_H
#define QREXEC_POLICY_LOGGED_DECISIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Where the policy daemon keeps it, if no option says otherwise; see path_get(). */
#define LOGGED_DECISIONS_PATH "/var/log/qubes/policy-decisions.jsonl"

#define LOGGED_TIME_NONE INT64_MIN

/* NULL: the record has no such field. Strings live until the callback returns. */
struct logged_decision {
    const char *call_id;
    const char *policy;             /* its policy_signature() in 16 hex digits */
    const char *service, *argument; /* argument with its + */
    const char *source, *target, *requested_source;
    const char *verdict, *reason;
    const char *rule; /* "FILE:LINE" */
    int64_t time;     /* seconds since 1970, or LOGGED_TIME_NONE */
};

/*
 * Calls fn for each record of path, and before it of the files path.9 … path.1 that it was turned
 * over to, as far as they are there, until it returns nonzero, which is handed out. 0; 1 and
 * *reterr (allocated) is "FILE:LINE: TEXT"; negative errno.
 */
int logged_decisions_read(const char *path, int (*fn)(void *user, const struct logged_decision *r),
                          void *user, char **reterr);

#endif
