/*
 * The event loop for tests, in place of loop-main.c: nothing waits, and time stands still until the
 * test moves it on.
 *
 * Descriptors from STAGE_FD on are none of the kernel's: they are ready once after stage_poke().
 */
#ifndef QREXEC_TESTS_STAGE_LOOP_H
#define QREXEC_TESTS_STAGE_LOOP_H

#include "libqrexec/base/loop.h"

#define STAGE_FD 1000000

/* One turn: what is ready is called, then the timers that are due. False: there was nothing. */
bool stage_turn(void);
/* Turns until nothing happens any more; false: it does not come to rest. */
bool stage_settle(void);
void stage_advance(uint64_t ms);
void stage_poke(void);

/* What looks at descriptors: poll(); tests that let poll() fail put the real one here. */
extern int (*stage_poll)(struct pollfd *p, nfds_t n, int ms);

/* Whether loop_quit() was called, since the last reset. */
bool stage_has_quit(void);
/* Watches and timers that are set. */
size_t stage_watches(void);
size_t stage_timers(void);
/* Forgets all of them, and the time. */
void stage_reset(void);

#endif
