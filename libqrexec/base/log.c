/* Messages for people: see log.h. */
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>

static struct {
    const char *who;
    enum log_target target;
    int journal; /* connected datagram socket, or -1 */
    bool syslog; /* has no journal */
    int max;
} state = {.who = "qrexec", .target = LOG_TARGET_STDERR, .journal = -1, .max = -1};

static int max_level(void)
{
    const char *debug;

    if (state.max < 0) {
        debug = secure_getenv("QREXEC_DEBUG");
        state.max = debug && *debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    }
    return state.max;
}

static int journal_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        close_fd(&fd);
    return fd;
}

void log_open(const char *who, enum log_target target)
{
    state.who = who;
    state.target = target;
    if (target == LOG_TARGET_SYSTEM) {
        close_fd(&state.journal);
        state.journal = journal_connect();
        state.syslog = state.journal < 0 && access("/dev/log", W_OK) == 0;
        if (state.syslog)
            openlog(who, LOG_PID, LOG_DAEMON);
        else if (state.journal < 0)
            state.target = LOG_TARGET_STDERR;
    }
}

void log_close(void)
{
    close_fd(&state.journal);
    if (state.syslog)
        closelog();
}

const char *log_who(void)
{
    return state.who;
}

/* Printable ASCII and UTF-8-free: everything else as \xHH. */
static void clean(const char *in, char *out, size_t size)
{
    size_t n = 0;

    for (; *in && n + 5 < size; in++) {
        unsigned char c = (unsigned char)*in;

        if (c >= 0x20 && c <= 0x7e)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
    }
    out[n] = 0;
}

static struct iovec piece(const char *text)
{
    return (struct iovec){.iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text)};
}

static void emit(enum log_level level, const char *text)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    char priority[64];

    if (state.target == LOG_TARGET_SYSTEM && state.journal < 0 && !state.syslog)
        log_open(state.who, state.target);
    if (state.target == LOG_TARGET_SYSTEM && state.journal >= 0) {
        (void)snprintf(priority, sizeof(priority),
                       "PRIORITY=%d\nSYSLOG_IDENTIFIER=", priorities[level]);
        if (writev(state.journal,
                   (struct iovec[]){piece(priority), piece(state.who), piece("\nMESSAGE="),
                                    piece(text), piece("\n")},
                   5) >= 0)
            return;
    } else if (state.target == LOG_TARGET_SYSTEM) {
        syslog(priorities[level], "%s", text);
        return;
    }
    /* one write, so that lines of processes that share stderr do not mix */
    if (writev(STDERR_FILENO,
               (struct iovec[]){piece(state.who), piece(": "), piece(text), piece("\n")}, 4) < 0)
        return; /* nobody is left to tell */
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    int saved = errno;
    char raw[2048], text[4096];
    va_list ap;

    if ((int)level > max_level())
        return;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    clean(raw, text, sizeof(text));
    emit(level, text);
    errno = saved;
}
