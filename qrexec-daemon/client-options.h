/*
 * The options of qrexec-client (wire.md, "Options that scripts rely on").
 */
#ifndef QREXEC_DAEMON_CLIENT_OPTIONS_H
#define QREXEC_DAEMON_CLIENT_OPTIONS_H

#include "libqrexec/base/util.h"
#include "libqrexec/wire/message.h"

#define CLIENT_EXIT_USAGE   2
#define CLIENT_EXIT_TROUBLE 125 /* not reached */
#define CLIENT_EXIT_NO_LINK 137 /* -c: the pending request was not connected */
#define CLIENT_CONNECT_MS   10000
#define CLIENT_NAME_MAX     64

/* The pending request that -c connects. */
struct client_request {
    struct wire_ident ident;
    char source[CLIENT_NAME_MAX];
    uint32_t source_domain; /* not 0 */
};

struct client_options {
    const char *target; /* -d */
    const char *command;
    const char *local;      /* -l, or NULL */
    const char *prefix;     /* -p, or NULL */
    const char *socket_dir; /* or NULL */
    bool connects;          /* -c: request is set */
    struct client_request request;
    bool just_exec;      /* -e */
    bool no_exit_code;   /* -E */
    bool filter_out;     /* -t */
    bool filter_err;     /* -T */
    bool wait_for_end;   /* -W */
    bool kill_at_end;    /* -k */
    bool stdin_socket;   /* --use-stdin-socket */
    unsigned connect_ms; /* -w; 0: no limit */
};

/* -1: go on; else the exit code, and everything has been said. */
int client_options_read(int argc, char **argv, struct client_options *ret);

bool client_target_is_dom0(const struct client_options *o);

#endif
