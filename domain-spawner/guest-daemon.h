/* Starting the qrexec-daemon of a domain, for every backend alike. */
#ifndef QREXEC_SPAWNER_GUEST_DAEMON_H
#define QREXEC_SPAWNER_GUEST_DAEMON_H

#include "domain-spawner/backend.h"

#include <sys/types.h>

#define DAEMON_END_MS   3000  /* from SIGTERM to SIGKILL */
#define DAEMON_WAIT_MS  250   /* before the first restart; doubles */
#define DAEMON_WAIT_MAX 30000 /* … up to this */

/*
 * transport: socket or xen. notify: the path of the socket on which it says READY=1 once the
 * agent has answered. It says what it has to say in ROOT/var/log/qubes/qrexec.NAME.log, and ends
 * with us.
 */
int guest_daemon_start(const struct domain_spec *spec, uint32_t domid, const char *transport,
                       const char *notify, pid_t *ret);

/* One datagram of that socket: true if it says READY=1. */
bool guest_daemon_is_ready(int notify_fd);

/* The pause before the next restart after one of wait ms. */
size_t guest_daemon_next_wait(size_t wait);

/*
 * The domain and its daemon are gone: what that keeps for the next one of the same domain goes,
 * too, and what one that was killed could not remove.
 */
void guest_daemon_forget(const struct domain_spec *spec, uint32_t domid);

/* A disposable's logs go with it: nothing in dom0 keeps its name. */
void guest_logs_remove(const struct domain_spec *spec);

#endif
