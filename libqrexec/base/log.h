/*
 * Messages for people: what was being done, to what, why it failed, what to do.
 *
 * One line each, as "WHO: TEXT". Bytes that are not printable ASCII are shown as \xHH, so nothing
 * that a VM sends can steer a terminal or forge a line. Where they go: stderr for programs that a
 * person runs; the journal's socket, else syslog, for daemons. log never changes errno.
 */
#ifndef QREXEC_BASE_LOG_H
#define QREXEC_BASE_LOG_H

#include "libqrexec/base/util.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target {
    LOG_TARGET_STDERR,
    LOG_TARGET_SYSTEM, /* journal, else syslog, else stderr */
};

/* who must outlive the process's last message. Default: stderr, level info (QREXEC_DEBUG=1: debug).
 */
void log_open(const char *who, enum log_target target);
/*
 * Gives its descriptor back, in a child that is about to place its own: their numbers may be the
 * same. The next message finds the way anew.
 */
void log_close(void);
const char *log_who(void);
void log_msg(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...)   log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
