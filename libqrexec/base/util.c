/* Small words that every room uses: see util.h. */
#include "libqrexec/base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void close_fd(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int parse_u32(const char *text, uint32_t max, uint32_t *ret)
{
    uint64_t v = 0;

    if (!*text || (text[0] == '0' && text[1]))
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > max)
            return -EINVAL;
    }
    *ret = (uint32_t)v;
    return 0;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

char *format_new(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : s;
}
