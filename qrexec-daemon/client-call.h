/*
 * What both forms of qrexec-client do: options, and a call from dom0 to a VM. The daemon's
 * connection is kept as long as the call lasts.
 */
#ifndef QREXEC_DAEMON_CLIENT_CALL_H
#define QREXEC_DAEMON_CLIENT_CALL_H

#include "libqrexec/relay/relay-run.h"
#include "qrexec-daemon/client-options.h"

/* When the VM's end must be there; 0: no limit. */
uint64_t client_deadline(const struct client_options *o);

/* What stands at our end, once the connection listens: p's in_fd, out_fd, child. 0, or the exit
 * code, after a message. */
typedef int client_start_fn(const struct client_options *o, void *user, struct relay_params *p);
client_start_fn client_own_streams;

/* Asks the VM's daemon for a port, is the server of the data vchan. The exit code. */
int client_call(const struct client_options *o, client_start_fn *start, void *user);

/* The program: run gives the exit code of what the options ask for. */
int client_main(int argc, char **argv, int (*run)(const struct client_options *o, char **argv));

#endif
