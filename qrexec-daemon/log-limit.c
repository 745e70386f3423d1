/* A limit of lines in the log: see log-limit.h. */
#include "qrexec-daemon/log-limit.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#define LOG_BURST 50
#define LOG_MS    100 /* for one line more */

bool log_limit_take(struct log_limit *l, const char *who, const char *what)
{
    uint64_t now = clock_ms(), earned = (now - l->at) / LOG_MS;

    if (earned) {
        l->tokens = (unsigned)size_min(LOG_BURST, l->tokens + earned);
        l->at = now;
    }
    if (!l->tokens) {
        l->skipped++;
        return false;
    }
    l->tokens--;
    if (l->skipped)
        log_warning("%s: %llu more %s, not shown", who, (unsigned long long)l->skipped, what);
    l->skipped = 0;
    return true;
}
