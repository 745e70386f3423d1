/* A call to another domain by way of qrexec-client-vm, which carries it. */
#ifndef QREXEC_RPC_CALL_H
#define QREXEC_RPC_CALL_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

/*
 * Starts qrexec-client-vm TARGET SERVICE with these descriptors (-1: /dev/null); "$" in target is
 * read as "@" there. 0 and *ret_pid, or negative errno.
 */
int call_start(const char *target, const char *service, int in, int out, pid_t *ret_pid);

/* The same, and waits. What is to go in first: prefix (may be NULL), then the bytes of from (-1:
 * none). */
int call_run(const char *target, const char *service, const void *prefix, size_t n, int from,
             int out);

#endif
