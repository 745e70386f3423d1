/*
 * The data connection: both ends of a call, or one end and a peer that says anything.
 *
 * The bytes of the input are steps: some bytes come in here, some go over there, a program reads a
 * little, a stream ends, somebody dies. Whatever the order: what comes out is what went in, as far
 * as it came; each stream ends once, the exit code is said once and last, and the call gets over.
 */
#include "libqrexec/relay/relay.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#include <stdlib.h>
#include <string.h>

#define RING       65536
#define STEPS_MOST 100000

enum { CALLER, SERVICE };

struct end {
    struct relay m;
    bool raw;  /* it is not there: the input speaks for it */
    bool over; /* nothing more is done with it */
    bool source_ended[RELAY_STREAMS];
    size_t sent[RELAY_STREAMS], got[RELAY_STREAMS];
    enum relay_stream_state was[RELAY_STREAMS];
    struct buf ring; /* what it sent and its peer has not read */
    bool told_deaf, told_gone;
    /* what it sends, message by message */
    unsigned char head[WIRE_HEADER_SIZE];
    size_t n_head, body, passed;
    bool said_hello, said_code, eof[2];
};

struct world {
    struct end end[2];
    uint32_t version;
    bool clean; /* nobody died, nobody stopped reading */
    uint8_t code;
};

static unsigned char pattern(size_t source, size_t offset)
{
    return (unsigned char)(offset * 31 + (offset >> 8) + source * 77);
}

/* Where the bytes of a sink come from: a number for the pattern. */
static size_t source_of(bool caller, enum relay_stream sink)
{
    return sink == RELAY_ERROUT ? 2 : caller ? 1 : 0;
}

static size_t source_number(bool caller, enum relay_stream source)
{
    return source == RELAY_ERR ? 2 : caller ? 0 : 1;
}

static void on_header(struct end *e, bool caller)
{
    struct wire_reader r = wire_reader(e->head, sizeof(e->head));
    struct msg_header h;
    bool err;

    if (wire_read_header(&r, &h) || e->said_code)
        fuzz_fail("something is said after the exit code");
    if (wire_check_header(WIRE_DATA, e->said_hello ? e->m.version : WIRE_VERSION, &h) ||
        (h.type == MSG_HELLO) == e->said_hello)
        fuzz_fail("a message that may not be sent");
    e->body = h.len;
    e->said_hello = true;
    if (h.type == MSG_HELLO)
        return;
    if (caller ? h.type != MSG_DATA_STDIN : h.type == MSG_DATA_STDIN)
        fuzz_fail("a message of the other role");
    if (h.type == MSG_DATA_EXIT_CODE) {
        if ((!e->m.just_exec && (!e->eof[0] || !e->eof[1])) || h.len != 4)
            fuzz_fail("an exit code before the ends of the streams");
        e->said_code = true;
        return;
    }
    err = h.type == MSG_DATA_STDERR;
    if (e->eof[err])
        fuzz_fail("a stream that ended goes on");
    e->eof[err] = h.len == 0;
}

/* What leaves an end is looked at; both hellos name the version of this world. */
static void pass(struct world *w, struct end *e, unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++, e->passed++) {
        if (e->passed >= WIRE_HEADER_SIZE && e->passed < WIRE_HEADER_SIZE + 4)
            p[i] = e->passed == WIRE_HEADER_SIZE ? (unsigned char)w->version : 0;
        if (e->body) {
            e->body--;
            continue;
        }
        e->head[e->n_head++] = p[i];
        if (e->n_head == WIRE_HEADER_SIZE) {
            e->n_head = 0;
            on_header(e, e == &w->end[CALLER]);
        }
    }
}

static void step(struct end *e, enum relay_event ev)
{
    if (relay_step(&e->m, ev))
        fuzz_fail("a step that fails");
    for (size_t i = 0; i < RELAY_STREAMS; i++) {
        if (e->m.streams[i] < e->was[i])
            fuzz_fail("a stream that moves backward");
        e->was[i] = e->m.streams[i];
    }
}

static struct end *peer_of(struct world *w, struct end *e)
{
    return &w->end[e == &w->end[CALLER] ? SERVICE : CALLER];
}

static void send_some(struct world *w, struct end *e, size_t n)
{
    struct buf *from = &e->m.to_peer;
    struct end *peer = peer_of(w, e);
    unsigned char *p;

    if (!relay_wants(&e->m).write_peer)
        return;
    if (peer->over) {
        if (!e->told_deaf)
            step(e, RELAY_EV_PEER_DEAF);
        e->told_deaf = true;
        return;
    }
    n = size_min(size_min(n, buf_len(from)), buf_room(&e->ring));
    if (!n)
        return;
    if (buf_reserve(&e->ring, n, &p))
        fuzz_fail("no memory");
    memcpy(p, buf_data(from), n);
    pass(w, e, p, n);
    buf_commit(&e->ring, n);
    buf_consume(from, n);
    if (peer->raw)
        buf_consume(&e->ring, n);
    step(e, RELAY_EV_MOVED);
}

static void receive_some(struct world *w, struct end *e, size_t n)
{
    struct end *peer = peer_of(w, e);
    struct buf *to = &e->m.from_peer;

    if (!relay_wants(&e->m).read_peer)
        return;
    n = size_min(size_min(n, buf_len(&peer->ring)), buf_room(to));
    if (n) {
        if (buf_append(to, buf_data(&peer->ring), n))
            fuzz_fail("no memory");
        buf_consume(&peer->ring, n);
        step(e, RELAY_EV_PEER_BYTES);
    } else if (peer->over && !buf_len(&peer->ring) && !e->told_gone) {
        e->told_gone = true;
        step(e, RELAY_EV_PEER_GONE);
    }
}

/* A program writes. */
static void put(struct world *w, struct end *e, enum relay_stream stream, size_t n, bool in_place)
{
    static unsigned char bytes[WIRE_CHUNK];
    bool caller = e == &w->end[CALLER];
    unsigned char *p = bytes;
    int r = 0;

    if (e->source_ended[stream] || !relay_wants(&e->m).read[stream])
        return;
    n = size_min(n, relay_chunk(&e->m));
    if (in_place)
        r = relay_reserve(&e->m, &p);
    for (size_t i = 0; i < n && !r; i++)
        p[i] = pattern(source_number(caller, stream), e->sent[stream] + i);
    if (!r)
        r = in_place ? relay_commit(&e->m, stream, n) : relay_put(&e->m, stream, p, n);
    if (r)
        fuzz_fail("a chunk that was wanted is not taken");
    e->sent[stream] += n;
}

static void end_source(struct end *e, enum relay_stream stream)
{
    if (e->source_ended[stream] || !relay_wants(&e->m).read[stream])
        return;
    e->source_ended[stream] = true;
    step(e, stream == RELAY_IN ? RELAY_EV_IN_EOF : RELAY_EV_ERR_EOF);
}

/* A program reads. */
static void drain(struct world *w, struct end *e, enum relay_stream stream, size_t n)
{
    bool caller = e == &w->end[CALLER],
         filtered = stream == RELAY_OUT ? e->m.filter_out : e->m.filter_err;
    struct buf *queue = &e->m.queues[stream];

    if (!relay_wants(&e->m).write[stream])
        return;
    n = size_min(n, buf_len(queue));
    for (size_t i = 0; i < n && !peer_of(w, e)->raw; i++) {
        unsigned char c = pattern(source_of(caller, stream), e->got[stream] + i);

        if (filtered)
            wire_filter_unsafe(&c, 1);
        if (buf_data(queue)[i] != c)
            fuzz_fail("other bytes come out than went in");
    }
    e->got[stream] += n;
    buf_consume(queue, n);
    step(e, RELAY_EV_MOVED);
}

static void stop_reading(struct world *w, struct end *e, enum relay_stream stream)
{
    if (!relay_wants(&e->m).write[stream])
        return;
    w->clean = false;
    step(e, stream == RELAY_OUT ? RELAY_EV_OUT_GONE : RELAY_EV_ERROUT_GONE);
}

static void end_child(struct world *w, struct end *e)
{
    if (!e->m.child_running)
        return;
    e->m.child_code = w->code;
    step(e, RELAY_EV_CHILD_ENDED);
}

static void look_whether_over(struct end *e)
{
    int code = -1;

    if (e->over || e->raw || !relay_is_over(&e->m))
        return;
    e->over = true;
    if (relay_result(&e->m, &code) && code != 255)
        fuzz_fail("a failure that looks like success");
    if (code < 0 || code > 255)
        fuzz_fail("an exit status that is none");
}

enum { PUT, PUT_IN_PLACE, END_SOURCE, DRAIN, SEND, RECEIVE, CHILD, DEAF, DIE, RAW, EVENTS };

static void raw_bytes(struct world *w, struct end *e, struct input *in, size_t n)
{
    const uint8_t *p = input_bytes(in, n, &n);

    n = size_min(n, buf_room(&peer_of(w, e)->ring));
    if (peer_of(w, e)->raw && n && buf_append(&peer_of(w, e)->ring, p, n))
        fuzz_fail("no memory");
}

static void one_step(struct world *w, struct input *in)
{
    uint8_t what = input_byte(in);
    size_t n = input_byte(in);
    struct end *e = &w->end[what >> 7];
    enum relay_stream in_or_err = what & 64 ? RELAY_ERR : RELAY_IN;
    enum relay_stream out_or_errout = what & 64 ? RELAY_ERROUT : RELAY_OUT;

    if (what & 32)
        n = (n + 1) * 1024;
    if (e->raw)
        e = peer_of(w, e);
    if (e->over)
        return;
    switch (what % 32 % EVENTS) {
    case PUT: put(w, e, in_or_err, n, false); break;
    case PUT_IN_PLACE: put(w, e, in_or_err, n, true); break;
    case END_SOURCE: end_source(e, in_or_err); break;
    case DRAIN: drain(w, e, out_or_errout, n); break;
    case SEND: send_some(w, e, n); break;
    case RECEIVE: receive_some(w, e, n); break;
    case CHILD: end_child(w, e); break;
    case DEAF: stop_reading(w, e, out_or_errout); break;
    case DIE:
        w->clean = false;
        peer_of(w, e)->over = true;
        break;
    case RAW: raw_bytes(w, e, in, n); break;
    default: break;
    }
    look_whether_over(e);
}

/* Nothing new happens, and everything takes its course. */
static void finish(struct world *w)
{
    for (int i = 0; i < STEPS_MOST; i++) {
        for (int k = 0; k < 2; k++) {
            struct end *e = &w->end[k];

            if (e->raw)
                e->over = true;
            if (e->over)
                continue;
            end_source(e, RELAY_IN);
            end_source(e, RELAY_ERR);
            drain(w, e, RELAY_OUT, RING);
            drain(w, e, RELAY_ERROUT, RING);
            send_some(w, e, RING);
            receive_some(w, e, RING);
            if (i > 2)
                end_child(w, e);
            look_whether_over(e);
        }
        if (w->end[CALLER].over && w->end[SERVICE].over)
            return;
    }
    fuzz_fail("a call that does not end");
}

static void compare(struct world *w)
{
    const struct end *caller = &w->end[CALLER], *service = &w->end[SERVICE];
    int code = -1, expected = service->m.start_failed;

    if (caller->raw || service->raw)
        return;
    if (service->got[RELAY_OUT] > caller->sent[RELAY_IN] ||
        caller->got[RELAY_OUT] > service->sent[RELAY_IN] ||
        caller->got[RELAY_ERROUT] > service->sent[RELAY_ERR])
        fuzz_fail("more comes out than went in");
    if (!w->clean)
        return;
    if (!expected && !service->m.just_exec && !service->m.socket_service)
        expected = w->code;
    if (relay_result(&caller->m, &code) || code != expected)
        fuzz_fail("another exit code");
    if (caller->got[RELAY_OUT] != service->sent[RELAY_IN] ||
        caller->got[RELAY_ERROUT] != service->sent[RELAY_ERR])
        fuzz_fail("something of the service's output is lost");
}

static void set_up(struct world *w, struct input *in)
{
    uint8_t mode = input_byte(in), flags = input_byte(in);
    struct relay_params caller = RELAY_PARAMS_NULL, service = RELAY_PARAMS_NULL;
    unsigned char prefix[256];
    bool socket = flags & 2;

    *w = (struct world){.version = 2 + (uint32_t)(mode >> 2) % 3, .clean = true};
    w->code = input_byte(in);
    caller.role = RELAY_CALLER;
    caller.filter_out = flags & 32;
    caller.filter_err = flags & 32;
    caller.prefix_len = flags & 64 ? sizeof(prefix) : 0;
    caller.prefix = (const char *)prefix;
    for (size_t i = 0; i < sizeof(prefix); i++)
        prefix[i] = pattern(0, i);
    service.role = RELAY_SERVICE;
    service.just_exec = (flags & 3) == 1;
    service.socket_service = socket;
    service.exit_on_client_eof = socket && flags & 4;
    service.exit_on_service_eof = socket && flags & 8;
    service.err_fd = flags & 16 ? 1 : -1;
    service.child = socket || flags & 128 ? 0 : 1;
    service.start_failed = flags & 128 ? 127 : 0;
    service.read_first = mode & 128;
    if (relay_init(&w->end[CALLER].m, &caller) || relay_init(&w->end[SERVICE].m, &service))
        fuzz_fail("no memory");
    w->end[CALLER].sent[RELAY_IN] = caller.prefix_len;
    w->end[CALLER].eof[1] = true;
    w->end[CALLER].raw = (mode & 3) == 1;
    w->end[SERVICE].raw = (mode & 3) == 2;
    for (int i = 0; i < 2; i++) {
        memcpy(w->end[i].was, w->end[i].m.streams, sizeof(w->end[i].was));
        w->end[i].ring = BUF_NULL(RING);
        step(&w->end[i], RELAY_EV_CONNECTED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w;

    set_up(&w, &in);
    while (in.left)
        one_step(&w, &in);
    finish(&w);
    compare(&w);
    for (int i = 0; i < 2; i++) {
        relay_deinit(&w.end[i].m);
        buf_deinit(&w.end[i].ring);
    }
    return 0;
}
