/*
 * Homes of local domains: made, given to the domain's uid, and removed again. All this takes as
 * long as the home is large, so it is done in children. What of a domain must vanish with it is
 * noted before it is made, so that the next helper removes what a killed one could not.
 */
#ifndef QREXEC_SPAWNER_LOCAL_HOME_H
#define QREXEC_SPAWNER_LOCAL_HOME_H

#include "domain-spawner/backend.h"

#include <sys/types.h>

/* The uid that a home already has, if it is one of domains; else 0. */
uid_t home_uid(const char *home);

/*
 * Starts a child that makes spec->home for uid: a disposable's is a new copy of spec->home_from,
 * any other is kept as it is. Its messages go to log_fd. Exit code 0: done.
 */
int home_start_prepare(const struct domain_spec *spec, uid_t uid, int log_fd, pid_t *ret);
/* Starts a child that removes a disposable's home, and its note. */
int home_start_remove(const struct domain_spec *spec, pid_t *ret);

/* Writes the note. */
int home_note(const struct domain_spec *spec);
/* Starts a child that removes all that is noted; *ret 0: nothing was. */
int home_start_sweep(pid_t *ret);

#endif
