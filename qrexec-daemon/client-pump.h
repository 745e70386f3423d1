/*
 * A service of dom0 for dom0 itself: its streams are joined to ours without a vchan.
 */
#ifndef QREXEC_DAEMON_CLIENT_PUMP_H
#define QREXEC_DAEMON_CLIENT_PUMP_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct client_pump {
    int in, out, err;   /* ours, of any kind; err counts only with service_err */
    int service_in;     /* where it reads, where it writes: client_pump() closes them */
    int service_out;    /* a socket for each */
    int service_err;    /* -1: its stderr is not ours to carry */
    bool out_is_socket; /* its other direction is in: shut for writing at the output's end */
    bool filter;        /* unsafe bytes in its output become '_'; in its stderr always */
    const char *prefix; /* goes before in; NULL: nothing */
    pid_t child;        /* the service; reaped by the caller */
};

/*
 * Copies from in to service_in, from service_out to out, from service_err to err. The end of our
 * input is a half-close for the service, the end of its output is not the end of its input. Over
 * when its output has ended (who else holds it keeps it open), and it reads no more or has ended.
 * 0 or negative errno.
 */
int client_pump(const struct client_pump *p);

#endif
