/*
 * Desktop entries, through GLib: what opens a URL or a file, and starting it, waited for.
 * Nothing that a caller sends reaches a shell or is taken as an option.
 */
#ifndef QREXEC_RPC_LAUNCH_H
#define QREXEC_RPC_LAUNCH_H

#include "libqrexec/base/util.h"

#include <gio/gdesktopappinfo.h>

/* The default application for a URL's scheme or a file's type; NULL: none. The caller unrefs. */
GAppInfo *launch_default_for(const char *url_or_file);

/*
 * Starts it with the URL or file (NULL: none) and waits for its process. Its exit code; -1 where
 * it could not be started and *reterr says why (the caller frees).
 */
int launch_and_wait(GAppInfo *app, const char *url_or_file, char **reterr);

#endif
