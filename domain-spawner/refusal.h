/*
 * Why a request is refused: one of the Admin API's exception types and a text for the user.
 *
 * Functions that can refuse return 0, REFUSED with *refusal filled, or a negative errno.
 */
#ifndef QREXEC_SPAWNER_REFUSAL_H
#define QREXEC_SPAWNER_REFUSAL_H

#include "libqrexec/base/util.h"

#define REFUSED 1

struct refusal {
    const char *type; /* e.g. "QubesVMNotFoundError"; a literal */
    char text[512];
};

/* Fills it (a text too long is cut) and returns REFUSED. */
int refuse(struct refusal *r, const char *type, const char *fmt, ...) _printf_(3, 4);

#endif
