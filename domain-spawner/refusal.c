/* Refusals: see refusal.h. */
#include "domain-spawner/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(struct refusal *r, const char *type, const char *fmt, ...)
{
    va_list ap;

    r->type = type;
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof(r->text), fmt, ap);
    va_end(ap);
    return REFUSED;
}
