/*
 * The one driver of the data connection: moves the bytes between a vchan and the descriptors.
 *
 * The rules are in relay.h. One poll loop; nothing is driven by a timer but the time limit for
 * the peer to appear. It takes signals through a signalfd of its own, so it expects to be alone
 * in its process: SIGUSR1 is taken over where there is a child, unless no_sigusr1 is set; the
 * child's end comes from a pidfd, or from SIGCHLD where the kernel has none. Call relay_prepare()
 * before the child is started.
 */
#ifndef QREXEC_RELAY_RELAY_RUN_H
#define QREXEC_RELAY_RELAY_RUN_H

#include "libqrexec/vchan/vchan.h"

#include <sys/types.h>

enum relay_role { RELAY_CALLER, RELAY_SERVICE };

#define RELAY_CONNECT_TIMEOUT_MS 120000

/* Which direction of data goes through; the other is thrown away, but for its end. */
enum relay_flow { RELAY_FLOW_BOTH, RELAY_FLOW_IN /* to the service */, RELAY_FLOW_OUT };

/* Named outcomes of relay_run(), positive. */
enum relay_error {
    RELAY_E_CONNECT = 1, /* the peer did not appear in time, or watch_fd closed before it did */
    RELAY_E_VERSION,     /* the peer's version is below 2 */
    RELAY_E_PROTOCOL,    /* no hello, an unknown message, a length over the limit */
    RELAY_E_LOST,        /* the connection ended before the exit code was through */
    RELAY_E_GONE,        /* likewise, because the peer's domain is gone */
    RELAY_E_GONE_EARLY,  /* it went before it appeared */
    RELAY_E_STOPPED,     /* ended by the administrator [ext] */
    RELAY_E_TIME,        /* a service's max-time is over [ext] */
    RELAY_E_BYTES,       /* a service's max-bytes have gone over the connection [ext] */
};
const char *relay_error_text(int error);

/* Start from RELAY_PARAMS_NULL. relay_run() takes ownership of vchan and descriptors. */
struct relay_params {
    enum relay_role role;
    struct vchan *vchan;
    bool read_first; /* hello: a dom0 end that runs a service */
    bool hello_said; /* relay_say_hello() sets it */
    int in_fd;  /* bytes for the peer: the caller's stdin, or the service's stdout. -1: EOF at once
                 */
    int out_fd; /* bytes from the peer: the caller's stdout, or the service's stdin. -1: thrown
                   away. May be the same number as in_fd (a socket for both directions) */
    int err_fd; /* service: its stderr, to be sent, -1 none (EOF is sent at the start);
                   caller: where to write the peer's, -1 throw away */
    int own_err_fd; /* service: also write its stderr there (the VM's log), -1 nowhere */
    pid_t child;    /* the service's process, or the caller's local program; 0 none. Reaped here */
    int start_failed;    /* service: 127 or 125 when it could not be started, else 0 */
    bool just_exec;      /* only the exit code is sent, at once */
    bool socket_service; /* service: in_fd and out_fd are its socket; code 0 */
    bool exit_on_client_eof, exit_on_service_eof; /* socket services */
    bool filter_out, filter_err; /* caller: replace unsafe bytes in what is written */
    const char *prefix;          /* caller: goes out before in_fd's bytes */
    size_t prefix_len;
    unsigned connect_timeout_ms; /* for the peer to appear and say hello; 0: no limit */
    int watch_fd; /* -1, or: give up when its peer closes it before the data connection is up */
    int gone_fd;  /* -1, or: where the agent speaks, WIRE_SAYS_*; its end says nothing */
    bool sigusr2_stops; /* [ext] dom0's ends: SIGUSR2 is the administrator's */
    /* service [ext]: limits, 0 none; what it is called in a message about them */
    uint32_t max_time_s;
    uint64_t max_bytes; /* of data, both directions together */
    enum relay_flow flow;
    const char *name;
    bool no_sigusr1; /* in dom0: the switch of output to the stdin pair is not offered */
};

#define RELAY_PARAMS_NULL                                                                          \
    ((struct relay_params){.in_fd = -1,                                                            \
                           .out_fd = -1,                                                           \
                           .err_fd = -1,                                                           \
                           .own_err_fd = -1,                                                       \
                           .watch_fd = -1,                                                         \
                           .gone_fd = -1,                                                          \
                           .connect_timeout_ms = RELAY_CONNECT_TIMEOUT_MS})

/*
 * Before the program is started that may send SIGUSR1: blocks it, and ignores SIGPIPE. The
 * program itself must get a clean mask (spawn.h does that). 0 or negative errno.
 */
int relay_prepare(void);

/*
 * For an end that has connected and something slow to do before relay_run(): the peer has a time
 * limit for the hello. What fails here relay_run() finds.
 */
void relay_say_hello(struct relay_params *p);

/*
 * Until the call is over. *ret_code: the caller's exit code (remote, else the local program's;
 * 255 when the connection was lost), for a service what it ended with. 0, RELAY_E_* (and *ret_code
 * is 255), or negative errno (likewise).
 */
int relay_run(struct relay_params *p, int *ret_code);

#endif
