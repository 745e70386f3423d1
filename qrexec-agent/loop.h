/*
 * What the agent's parts need of an event loop, and no more: descriptors and a timer.
 *
 * agent-main.c implements this with libev and is the only file that knows it. A watch is a member
 * of its owner; a stopped one calls nobody, so an owner may stop it and free itself inside its own
 * callback.
 */
#ifndef QREXEC_AGENT_LOOP_H
#define QREXEC_AGENT_LOOP_H

#include "libqrexec/base/util.h"

#include <poll.h>

#define LOOP_IMPL_SIZE 64

#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

struct watch {
    void (*fn)(struct watch *w, short revents);
    int fd;       /* not owned */
    short events; /* POLLIN, POLLOUT; 0: stopped */
    _Alignas(16) unsigned char impl[LOOP_IMPL_SIZE];
};

struct timer {
    void (*fn)(struct timer *t);
    bool set;
    _Alignas(16) unsigned char impl[LOOP_IMPL_SIZE];
};

/* Waits for events (none: stops) on fd; may be called again with others. */
void watch_set(struct watch *w, int fd, short events);
void watch_stop(struct watch *w);

/* Fires once, that many milliseconds from now; 0: with the next turn of the loop. */
void timer_set(struct timer *t, uint64_t ms);
void timer_stop(struct timer *t);

/* Leaves the loop, with this exit code. */
void loop_quit(int code);

#endif
