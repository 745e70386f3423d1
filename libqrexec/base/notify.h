/*
 * The supervisor's protocol: readiness (NOTIFY_SOCKET) and socket activation (LISTEN_FDS), as
 * systemd and its likes speak it.
 */
#ifndef QREXEC_BASE_NOTIFY_H
#define QREXEC_BASE_NOTIFY_H

#include "libqrexec/base/util.h"

/* Tells the supervisor, if there is one, e.g. "READY=1". 0 (also without one) or negative errno. */
int notify_send(const char *state);

/*
 * The first socket that was handed in for the name (LISTEN_FDNAMES), or the only one. 0 and
 * *ret = -1 where there is none. It is made close-on-exec and non-blocking.
 */
int notify_listen_fd(const char *name, int *ret);

/* A datagram socket at path for children's notices; the owner reads it. */
int notify_server(const char *path, int *ret);

#endif
