/*
 * What a long-running process needs of an event loop, and no more: descriptors, timers, the end.
 *
 * loop-main.c implements it with libev and is the only file that knows that. A watch or timer is a
 * member of its owner; a stopped one calls nobody, so that an owner may stop it and free itself
 * inside its own callback. One loop a process.
 */
#ifndef QREXEC_BASE_LOOP_H
#define QREXEC_BASE_LOOP_H

#include "libqrexec/base/util.h"

#include <poll.h>

#define LOOP_IMPL_SIZE 64

#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

struct watch {
    void (*fn)(struct watch *w, short revents);
    int fd;       /* not owned */
    short events; /* POLLIN, POLLOUT; 0: stopped */
    bool urgent;  /* from before watch_set(): of those ready at the same time it is called first */
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

/* Makes the loop; SIGTERM and SIGINT leave it with code 0. 0 or -ENOMEM. */
int loop_init(void);
/* Until loop_quit(): its exit code. */
int loop_run(void);
void loop_quit(int code);
/*
 * Memory that is free is given back to the system, a second from now: for who is there for long,
 * and has just served what may have been one of a crowd.
 */
void loop_rest(void);
void loop_deinit(void);

/* Calls fn(user) after the signal, from the loop. At most LOOP_SIGNALS of them in a process. */
#define LOOP_SIGNALS 4
void loop_on_signal(int signo, void (*fn)(void *user), void *user);

#endif
