/*
 * Calls of the C library that fail, each once: for programs linked with --wrap for what is listed
 * in failing.c.
 *
 * A scenario is run once to count the calls that our code makes, then once for each of them with
 * just that one failing, with an errno that is typical of it. It must end in time, with a clean
 * error or the right result, which it checks itself; afterwards no memory, no descriptor and no
 * child may be left. Children that a scenario forks count along.
 */
#ifndef QREXEC_TESTS_UNIT_FAILING_H
#define QREXEC_TESTS_UNIT_FAILING_H

#include "libqrexec/base/util.h"

#include <poll.h>
#include <sys/types.h>

struct scenario {
    const char *name;
    /* 0: all went right; anything else: an error was reported, as it should be. */
    int (*run)(void);
};

/* The exit code. Prints what was run. argv: names of scenarios, none: all. */
int failing_main(int argc, char **argv, const struct scenario *list, size_t n);

/* Between these, calls of the test itself do not fail and are not counted. */
void failing_off(void);
void failing_on(void);
/* Says which call failed, and ends the process, unless ok. */
void failing_check(bool ok, const char *what);
/* Whether the call that is to fail in this run has failed. */
bool failing_did(void);
/* From now on each child must have been waited for at the end of a run. */
void failing_wait_for_children(void);
/* Never fails. */
int failing_real_poll(struct pollfd *p, nfds_t n, int ms);
/* From now on fork() makes nobody but gives a number, from the first one on in each run. */
#define FAILING_PID_FIRST 0x70000000
void failing_fake_forks(void);

#endif
