/*
 * The commands qvm-copy, qvm-move, qvm-copy-to-vm and qvm-move-to-vm: which one is told by the name
 * that it was called by. In a domain and in dom0 they differ in how the call is made.
 */
#ifndef QREXEC_RPC_COPY_COMMAND_H
#define QREXEC_RPC_COPY_COMMAND_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct copy_side {
    bool may_choose; /* qvm-copy, qvm-move: policy or prompt choose the target */
    int usage_code;
    /* Starts what carries the call, with these as its stdin and stdout. 0, negative errno; told. */
    int (*start)(const char *target, const char *service, int in, int out, pid_t *ret);
};

/* All of it, from opening 0 to 2 to the exit code. */
int copy_command(int argc, char **argv, const struct copy_side *side);

#endif
