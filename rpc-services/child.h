/* Programs that services and commands start: found on PATH or beside us, never by a shell. */
#ifndef QREXEC_RPC_CHILD_H
#define QREXEC_RPC_CHILD_H

#include "libqrexec/base/util.h"

/* The path of a program on PATH. 0, -ENOENT, -ENAMETOOLONG. */
int find_program(const char *name, char *buf, size_t size);

/*
 * Runs argv[0] (found on PATH) with stdin, stdout, stderr as given (-1: /dev/null) and waits.
 * Its exit code, or negative errno where it could not be started.
 */
int run_program(char *const *argv, int in, int out, int err);

/* The descriptor that qrexec-client-vm left for its local program (SAVED_FD_0, SAVED_FD_1), or -1.
 */
int saved_fd(const char *name);

#endif
