/* Log and payload of the policy.* services: see admin-log.h. */
#include "rpc-services/dom0/admin-log.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void admin_clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

void admin_log(const char *path, const char *fmt, ...)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0660);
    char text[2048], line[2200], when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    va_list ap;
    int n;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    admin_clean(text);
    if (gmtime_r(&now, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    n = snprintf(line, sizeof(line), "%s %s\n", when, text);
    /* one write: lines of requests that run at the same time do not mix */
    if (fd < 0 || write(fd, line, size_min((size_t)n, sizeof(line) - 1)) != n)
        log_info("%s", text);
}

int admin_read_payload(int fd, size_t max, char **ret, size_t *ret_len)
{
    struct buf b = BUF_NULL(max + 2); /* one byte that shows too many, and the NUL */
    ssize_t got = 1;
    int r = 0;

    while (!r && got > 0 && buf_len(&b) <= max) {
        got = buf_read_fd(&b, fd, size_min(max + 1 - buf_len(&b), 65536));
        if (got == -EINTR)
            got = 1;
        else if (got < 0)
            r = (int)got;
    }
    if (!r && buf_len(&b) > max)
        r = -EFBIG;
    if (!r)
        r = buf_append(&b, "", 1);
    if (r) {
        buf_deinit(&b);
        return r;
    }
    *ret_len = buf_len(&b) - 1;
    *ret = (char *)b.data; /* nothing was consumed: it begins there */
    return 0;
}
