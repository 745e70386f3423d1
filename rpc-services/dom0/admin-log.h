/* What the policy.* services share as programs: a log file, and a bounded payload. */
#ifndef QREXEC_RPC_ADMIN_LOG_H
#define QREXEC_RPC_ADMIN_LOG_H

#include "libqrexec/base/util.h"

/* One line with the time (UTC) at the end of the file; bytes that could steer a terminal are
 * replaced. Where the file cannot be written to, the line goes to the system's log: a log that is
 * full holds nobody up. */
void admin_log(const char *path, const char *fmt, ...) _printf_(2, 3);

/* Control characters of a text become '?'. */
void admin_clean(char *text);

/* Up to the end of the stream. 0; -EFBIG over max; other negative errno. NUL behind the last byte;
 * the caller frees. */
int admin_read_payload(int fd, size_t max, char **ret, size_t *ret_len);

#endif
