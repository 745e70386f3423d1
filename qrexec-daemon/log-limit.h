/*
 * A limit of lines in the log, so that no domain can fill it: a few at once, and one more for each
 * time that passes. What is left out is counted, and said with the next line.
 */
#ifndef QREXEC_DAEMON_LOG_LIMIT_H
#define QREXEC_DAEMON_LOG_LIMIT_H

#include "libqrexec/base/util.h"

struct log_limit {
    uint64_t at, skipped;
    unsigned tokens;
};

/* Whether a line may be written now. who, what: for the line about those left out. */
bool log_limit_take(struct log_limit *l, const char *who, const char *what);

#endif
