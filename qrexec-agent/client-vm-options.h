/* The words after qrexec-client-vm. */
#ifndef QREXEC_AGENT_CLIENT_VM_OPTIONS_H
#define QREXEC_AGENT_CLIENT_VM_OPTIONS_H

#include "libqrexec/base/util.h"

struct client_vm_options {
    const char *agent_socket; /* NULL: the usual one */
    const char *prefix;       /* NULL: none */
    const char *source;       /* "": none */
    char *target;             /* with @ for $; allocated */
    const char *service;
    char **program; /* argv of the local program, or NULL */
    uint32_t ring;  /* least bytes of the vchan's buffers; 0: not said */
    bool stdin_socket;
    bool filter_out, filter_err;
};

/* -1: go on; else the exit code, and everything has been said. */
int client_vm_options_read(int argc, char **argv, struct client_vm_options *ret);

#endif
