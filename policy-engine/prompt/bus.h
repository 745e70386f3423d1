/*
 * The desktop over D-Bus: whether the screen is locked, and notifications.
 *
 * Locked is what any screen saver or logind says. Until each of them that is there has answered,
 * the screen counts as locked; one that is not there, or goes away, says nothing. Without a bus
 * nothing is ever locked. No call waits.
 */
#ifndef QREXEC_PROMPT_BUS_H
#define QREXEC_PROMPT_BUS_H

#include "libqrexec/base/util.h"

struct bus;

/* NULL without memory. */
struct bus *bus_new(void);
void bus_free(struct bus *b);

bool bus_is_locked(const struct bus *b);
/* fn(user) whenever that changes; from the loop. */
void bus_on_lock(struct bus *b, void (*fn)(void *user), void *user);

/* Shows a line of text, which needs no escaping. Without a bus or a server for it, it is logged. */
void bus_notify(struct bus *b, const char *text);

#endif
