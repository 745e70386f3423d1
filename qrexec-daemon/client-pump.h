/*
 * A service of dom0 for dom0 itself: its streams are joined to ours without a vchan.
 */
#ifndef QREXEC_DAEMON_CLIENT_PUMP_H
#define QREXEC_DAEMON_CLIENT_PUMP_H

#include "libqrexec/base/util.h"

/*
 * Copies from in to service_in, and from service_out to out, until the service's output has ended.
 * The end of our input is a half-close for the service. Owns service_in and service_out; all may
 * block. filter: unsafe bytes in the output become '_'. 0 or negative errno.
 */
int client_pump(int in, int service_in, int service_out, int out, bool filter);

#endif
