/* libxl's messages: see xen-log.h. */
#include "domain-spawner/xen-log.h"

#include "libqrexec/base/log.h"

#include <stdarg.h>
#include <stdio.h>

/* Past "NAME.c:123:function: " and "Domain 7:", of which there may be several. */
const char *xen_log_plain(const char *text)
{
    const char *p = text, *end;
    size_t file;

    while ((file = strcspn(p, ": ")) > 2 && p[file] == ':' && str_starts(p + file - 2, ".c") &&
           (end = strstr(p + file, ": ")))
        p = end + 2;
    if (str_starts(p, "Domain ") && (end = strchr(p, ':')))
        p = end + 1 + strspn(end + 1, " ");
    return *p ? p : text;
}

/* The first errors: what comes after them is what they led to. */
static void keep(struct xen_log *log, const char *text)
{
    size_t n = strlen(log->errors);

    if (strstr(log->errors, text) || n + strlen(text) + 3 > sizeof(log->errors))
        return;
    (void)format(log->errors + n, sizeof(log->errors) - n, "%s%s", n ? "; " : "", text);
}

_printf_(5, 0) static void on_message(xentoollog_logger *logger, xentoollog_level level, int errnum,
                                      const char *context, const char *fmt, va_list ap)
{
    struct xen_log *log = (struct xen_log *)logger;
    char text[512], line[640];
    int n;

    if (level < XTL_WARN)
        return;
    n = vsnprintf(text, sizeof(text), fmt, ap);
    while (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
        text[--n] = 0;
    snprintf(line, sizeof(line), "%s%s%s", xen_log_plain(text), errnum >= 0 ? ": " : "",
             errnum >= 0 ? strerror(errnum) : "");
    log_warning("libxl: %s%s%s", context ? context : "", context ? ": " : "", line);
    if (level >= XTL_ERROR)
        keep(log, line);
}

static void on_destroy(xentoollog_logger *logger)
{
    (void)logger; /* it lies in its owner */
}

void xen_log_init(struct xen_log *log)
{
    *log = (struct xen_log){.logger = {.vmessage = on_message, .destroy = on_destroy}};
}
