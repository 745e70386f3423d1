/*
 * Data connection: the bytes of one call between a vchan and up to four streams, as a machine
 * without I/O.
 *
 *   in      towards the peer: the caller's stdin, the service's stdout
 *   err     towards the peer: the service's stderr
 *   out     from the peer: the caller's stdout, the service's stdin
 *   errout  from the peer: what a caller prints on stderr
 *
 * The machine owns no descriptor: its driver moves bytes into and out of its buffers, reports what
 * happened, and asks what to wait for. A stream only moves forward: open, ending (the end is
 * known, bytes are still queued), closed. What an event does to each stream is one table in
 * relay.c. The exit code is sent once, after both EOFs, and nothing after it. Every reason for a
 * call to be over is in relay_is_over().
 */
#ifndef QREXEC_RELAY_RELAY_H
#define QREXEC_RELAY_RELAY_H

#include "libqrexec/base/buf.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/wire/message.h"

enum relay_stream { RELAY_IN, RELAY_ERR, RELAY_OUT, RELAY_ERROUT, RELAY_STREAMS };

enum relay_stream_state { RELAY_OPEN, RELAY_ENDING, RELAY_CLOSED };

enum relay_event {
    RELAY_EV_CONNECTED,  /* the vchan is up */
    RELAY_EV_PEER_BYTES, /* from_peer grew */
    RELAY_EV_MOVED,      /* a queue shrank */
    RELAY_EV_IN_EOF,     /* nothing more to read there */
    RELAY_EV_ERR_EOF,
    RELAY_EV_OUT_GONE, /* nobody reads there any more */
    RELAY_EV_ERROUT_GONE,
    RELAY_EV_CHILD_ENDED, /* after relay.child_code was set */
    RELAY_EV_PEER_DEAF,   /* it takes no more; what it sent can still be read */
    RELAY_EV_PEER_GONE,   /* and that has been read */
    /* From what it sent: */
    RELAY_EV_PEER_LOST,
    RELAY_EV_PEER_EOF, /* of its data */
    RELAY_EV_PEER_ERR_EOF,
    RELAY_EV_PEER_EXIT, /* its exit code */
    RELAY_EVENTS,
};

enum relay_phase {
    RELAY_CONNECTING,
    RELAY_HELLO,
    RELAY_RUNNING,
};

struct relay {
    enum relay_role role;
    enum relay_phase phase;
    uint32_t version; /* in use, from RELAY_RUNNING; with RELAY_E_VERSION the peer's */
    bool read_first, hello_said, just_exec, socket_service, exit_on_client_eof, exit_on_service_eof;
    bool has_err; /* service: there is a stderr to send */
    bool limited; /* service: there may be a text for the caller's stderr to the end */
    bool filter_out, filter_err;
    int start_failed;

    enum relay_stream_state streams[RELAY_STREAMS];
    struct buf queues[RELAY_STREAMS]; /* out and errout: for whom we write */
    struct buf from_peer;             /* at least the longest message */
    struct buf to_peer;

    bool child_running;
    int child_code;          /* or 128 + signal */
    bool exit_done;          /* service: EXIT_CODE queued; caller: received */
    uint32_t exit_code;      /* that one */
    bool data_eof;           /* the peer's data has ended */
    bool deaf;               /* the peer takes no more */
    bool gone;               /* nor does it send: from_peer has the rest */
    bool lost;               /* and that has been taken */
    int error;               /* RELAY_E_*, ended the connection */
    bool cut;                /* ended by us: nothing of the service is waited for */
    bool output_lost;        /* caller: its stdout takes no more, but not for want of a reader */
    uint64_t sent, received; /* bytes of data to and from the peer */
    uint64_t max_bytes;      /* of both; 0: no limit */
    bool over_bytes;         /* what came next would have been more */
    enum relay_flow flow;
    uint32_t wrong_role; /* type of the first message that belongs to the other role, or 0 */
};

struct relay_wants {
    bool read_peer, write_peer;
    bool read[RELAY_STREAMS];  /* in, err: relay_put() takes a whole chunk then */
    bool write[RELAY_STREAMS]; /* out, errout: queues[] has bytes */
};

/* Takes what it needs from p; no descriptor, no pointer but the prefix, which is copied. */
int relay_init(struct relay *r, const struct relay_params *p);
void relay_deinit(struct relay *r);

/* Takes up what happened. 0, or negative errno (memory). */
int relay_step(struct relay *r, enum relay_event ev);

/*
 * Bytes of in or err, at most relay_chunk(), only while wanted: copied from data, or written to
 * where relay_reserve() says, and n of them then declared with relay_commit().
 */
int relay_put(struct relay *r, enum relay_stream stream, const void *data, size_t n);
int relay_reserve(struct relay *r, unsigned char **ret);
int relay_commit(struct relay *r, enum relay_stream stream, size_t n);
size_t relay_chunk(const struct relay *r);

/*
 * Ends the call now: a service's caller is told text (its stderr) and code, a caller's own streams
 * end; error is the result. What is on its way to the peer still goes out. A caller whose stderr is
 * over already loses the connection instead, which it will tell.
 */
int relay_cut(struct relay *r, int error, int code, const char *text);
#define RELAY_TEXT_MAX 256

struct relay_wants relay_wants(const struct relay *r);

/* Every reason to end, here only. */
bool relay_is_over(const struct relay *r);
/* 0 or RELAY_E_*; only when over. */
int relay_result(const struct relay *r, int *ret_code);

#endif
