/*
 * qrexec-client's talk with a domain's daemon, and with the spawner. Each waits, with a deadline.
 */
#ifndef QREXEC_DAEMON_CLIENT_DAEMON_H
#define QREXEC_DAEMON_CLIENT_DAEMON_H

#include "libqrexec/base/util.h"
#include "libqrexec/wire/message.h"

/*
 * Connects to the daemon that serves the domain (name, uuid:UUID or number) and says hello. 0 or
 * negative errno, after a message. deadline as in io.h.
 */
int client_daemon_connect(const char *socket_dir, const char *domain, uint64_t deadline, int *ret);

/* Asks for a command for the domain (0, or the one that calls); *ret is where to listen. */
int client_daemon_exec(int fd, uint32_t type, uint32_t domain, const char *command,
                       uint64_t deadline, struct wire_peer *ret);

/*
 * Connects a pending request. to->port 0: the daemon allots one, and *to is what it answered; else
 * that is where the caller is sent, and nothing is answered.
 */
int client_daemon_connect_request(int fd, const struct wire_ident *ident, uint64_t deadline,
                                  struct wire_peer *to);

/* Until the daemon closes the connection: the call has ended. */
void client_daemon_wait_end(int fd);

/* admin.vm.Kill. 0 or negative errno, after a message. */
int client_kill(const char *domain);

#endif
