/*
 * What the two files of the driver share: relay-run.c, which waits and decides what comes next, and
 * relay-streams.c, which moves the bytes. Nobody else includes it: relay-run.h is for others. Test:
 * tests/unit/relay/relay-run-test.c.
 */
#ifndef QREXEC_RELAY_RELAY_DRIVER_H
#define QREXEC_RELAY_RELAY_DRIVER_H

#include "libqrexec/relay/relay.h"

struct driver {
    struct relay_params *p;
    struct relay relay;
    struct vchan *vchan;
    int fds[RELAY_STREAMS];        /* -1: none, or closed */
    size_t most[RELAY_STREAMS];    /* bytes a write may have; 0: any number */
    bool no_socket[RELAY_STREAMS]; /* it turned out to be none */
    bool eager[RELAY_STREAMS];     /* never blocks: tried without asking poll first */
    bool shut;                     /* streams are sockets of ours: shut, not closed */
    bool switching; /* output comes from the stdin pair once the stdout pair is empty */
    bool switched;
    bool out_shut;
    bool watch_done; /* somebody wrote there: it is no longer only a sign of life */
    bool wrong_role_said;
    int pidfd;
    int signals;
    uint64_t deadline; /* for the peer's hello */
    uint64_t end_at;   /* max-time is over then; 0: none */
    uint64_t cut_at;   /* the call was cut: nothing is waited for any longer then; 0: it was not */
    uint64_t connected_at, first_at; /* us: the connection, the first byte; 0: not yet */
};

/* Takes up what happened, and logs what the user should know of it. 0 or negative errno. */
int driver_step(struct driver *d, enum relay_event ev);
/* SIGUSR1, SIGUSR2 or SIGCHLD, if one is there. 0 or negative errno. */
int driver_on_signal(struct driver *d);

/* Takes over the parameters' descriptors, with the flags that they need. 0 or negative errno. */
int driver_take_fds(struct driver *d);
/* Those that the machine is done with. */
void driver_close_streams(struct driver *d);
/* Poll said something about it. 0 or negative errno. */
int driver_on_stream(struct driver *d, enum relay_stream stream, short revents);
/*
 * Moves what the vchan takes and gives, and what can be written and read at once. *ret_more: the
 * budget was spent, come again without waiting. 0 or negative errno.
 */
int driver_pump(struct driver *d, bool *ret_more);

/*
 * A read that never blocks on a socket, and on others only if somebody else was faster. *no_socket
 * remembers what it is. Bytes, 0 at the end, or negative errno; -EAGAIN: nothing now.
 */
ssize_t relay_read_some(int fd, bool *no_socket, void *data, size_t n);

#endif
