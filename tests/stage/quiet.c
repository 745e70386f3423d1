/*
 * Messages that go nowhere, in place of libqrexec/base/log.c: for tests that would write thousands
 * of them. They are put together all the same, so that a bad one is noticed.
 */
#include "libqrexec/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *name = "test";

void log_open(const char *who, enum log_target target)
{
    (void)target;
    name = who;
}

void log_close(void)
{
}

const char *log_who(void)
{
    return name;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
}
