/* The data connection as a machine: see relay.h. */
#include "libqrexec/relay/relay.h"

#include <errno.h>

/* What an event does to a stream that is not closed yet. */
enum action {
    KEEP,
    FINISH, /* towards the peer: send EOF, closed */
    DRAIN,  /* from the peer: closed once its queue is out */
    DROP,   /* closed, what is queued is thrown away, nothing is sent */
};

/* clang-format off */
static const enum action actions[RELAY_EVENTS][RELAY_STREAMS] = {
    /*                            in      err     out    errout */
    [RELAY_EV_IN_EOF]       = { FINISH, KEEP,   KEEP,  KEEP  },
    [RELAY_EV_ERR_EOF]      = { KEEP,   FINISH, KEEP,  KEEP  },
    [RELAY_EV_OUT_GONE]     = { KEEP,   KEEP,   DROP,  KEEP  },
    [RELAY_EV_ERROUT_GONE]  = { KEEP,   KEEP,   KEEP,  DROP  },
    [RELAY_EV_CHILD_ENDED]  = { KEEP,   KEEP,   DROP,  KEEP  },
    [RELAY_EV_PEER_DEAF]    = { DROP,   DROP,   KEEP,  KEEP  },
    [RELAY_EV_PEER_GONE]    = { DROP,   DROP,   KEEP,  KEEP  },
    [RELAY_EV_PEER_LOST]    = { DROP,   DROP,   DRAIN, DRAIN },
    [RELAY_EV_PEER_EOF]     = { KEEP,   KEEP,   DRAIN, KEEP  },
    [RELAY_EV_PEER_ERR_EOF] = { KEEP,   KEEP,   KEEP,  DRAIN },
    [RELAY_EV_PEER_EXIT]    = { FINISH, FINISH, KEEP,  KEEP  },
};
/* clang-format on */

/*
 * More than the longest message: a ring of that size is emptied at once, not by the few bytes that
 * a message lacks, for which the peer would be woken.
 */
#define FROM_PEER_LIMIT (3 * (WIRE_HEADER_SIZE + WIRE_CHUNK))

/* Beside two chunks: a text, EOFs, exit code and hello always fit. */
#define TO_PEER_SPARE 512
#define TO_PEER_LIMIT (WIRE_CHUNK + 2 * (WIRE_HEADER_SIZE + WIRE_CHUNK) + TO_PEER_SPARE)

int relay_init(struct relay *r, const struct relay_params *p)
{
    *r = (struct relay){
        .role = p->role,
        .read_first = p->read_first,
        .hello_said = p->hello_said,
        .just_exec = p->just_exec,
        .socket_service = p->socket_service,
        .exit_on_client_eof = p->socket_service && p->exit_on_client_eof,
        .exit_on_service_eof = p->socket_service && p->exit_on_service_eof,
        .has_err = p->role == RELAY_SERVICE && p->err_fd >= 0,
        .filter_out = p->filter_out,
        .filter_err = p->filter_err,
        .start_failed = p->start_failed,
        .child_running = p->child != 0,
        .limited = p->max_time_s || p->max_bytes,
        .max_bytes = p->max_bytes,
        .flow = p->flow,
        .from_peer = BUF_NULL(FROM_PEER_LIMIT),
        .to_peer = BUF_NULL(TO_PEER_LIMIT),
    };
    r->queues[RELAY_OUT] = r->queues[RELAY_ERROUT] = BUF_NULL(WIRE_CHUNK);
    /* the prefix waits in in's queue until the chunk size is known */
    r->queues[RELAY_IN] = BUF_NULL(p->prefix_len);
    if (r->role == RELAY_CALLER)
        r->streams[RELAY_ERR] = RELAY_CLOSED;
    else
        r->streams[RELAY_ERROUT] = RELAY_CLOSED;
    return buf_append(&r->queues[RELAY_IN], p->prefix, p->prefix_len);
}

void relay_deinit(struct relay *r)
{
    for (size_t i = 0; i < RELAY_STREAMS; i++)
        buf_deinit(&r->queues[i]);
    buf_deinit(&r->from_peer);
    buf_deinit(&r->to_peer);
}

size_t relay_chunk(const struct relay *r)
{
    return wire_chunk(r->version);
}

static uint32_t data_type(const struct relay *r, enum relay_stream stream)
{
    if (stream == RELAY_ERR)
        return MSG_DATA_STDERR;
    return r->role == RELAY_CALLER ? MSG_DATA_STDIN : MSG_DATA_STDOUT;
}

/* Whether n more bytes may pass; if not, none may from now on. */
static bool may_pass(struct relay *r, size_t n)
{
    if (r->max_bytes && (r->over_bytes || n > r->max_bytes - (r->sent + r->received)))
        r->over_bytes = true;
    return !r->over_bytes;
}

/* Data of a direction that the service has not. */
static bool is_dropped(const struct relay *r, enum relay_stream stream)
{
    return (stream == RELAY_IN && r->flow == RELAY_FLOW_IN) ||
           (stream == RELAY_OUT && r->flow == RELAY_FLOW_OUT);
}

/* A message for the peer; one that takes no more gets none. */
static int queue_message(struct relay *r, uint32_t type, const void *body, size_t n)
{
    unsigned char bytes[WIRE_HEADER_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    int e;

    if (r->deaf)
        return 0;
    wire_write_header(&w, type, (uint32_t)n);
    e = buf_append(&r->to_peer, bytes, w.len);
    return e ? e : buf_append(&r->to_peer, body, n);
}

static int queue_u32(struct relay *r, uint32_t type, uint32_t value)
{
    unsigned char bytes[4];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    wire_put_u32(&w, value);
    return queue_message(r, type, bytes, w.len);
}

int relay_reserve(struct relay *r, unsigned char **ret)
{
    unsigned char *p;
    int e = buf_reserve(&r->to_peer, WIRE_HEADER_SIZE + relay_chunk(r), &p);

    if (!e)
        *ret = p + WIRE_HEADER_SIZE;
    return e;
}

int relay_commit(struct relay *r, enum relay_stream stream, size_t n)
{
    struct wire_writer w;
    unsigned char *p;
    int e;

    if (r->streams[stream] != RELAY_OPEN || r->deaf || !n || is_dropped(r, stream) ||
        !may_pass(r, n))
        return 0;
    r->sent += n;
    e = buf_reserve(&r->to_peer, WIRE_HEADER_SIZE + n, &p);
    if (e)
        return e;
    w = wire_writer(p, WIRE_HEADER_SIZE);
    wire_write_header(&w, data_type(r, stream), (uint32_t)n);
    buf_commit(&r->to_peer, WIRE_HEADER_SIZE + n);
    return 0;
}

int relay_put(struct relay *r, enum relay_stream stream, const void *data, size_t n)
{
    if (r->streams[stream] != RELAY_OPEN || !n || is_dropped(r, stream) || !may_pass(r, n))
        return 0;
    r->sent += n;
    return queue_message(r, data_type(r, stream), data, n);
}

static int finish(struct relay *r, enum relay_stream stream)
{
    if (r->streams[stream] == RELAY_CLOSED)
        return 0;
    r->streams[stream] = RELAY_CLOSED;
    return queue_message(r, data_type(r, stream), NULL, 0);
}

static int act(struct relay *r, enum relay_stream stream, enum action action)
{
    enum relay_stream_state *state = &r->streams[stream];

    if (action == KEEP || *state == RELAY_CLOSED)
        return 0;
    /* a limited service's stderr ends with the call: a limit may still have to be told */
    if (action == DRAIN || (action == FINISH && stream == RELAY_ERR && r->limited)) {
        *state = RELAY_ENDING;
        return 0;
    }
    if (action == FINISH)
        return finish(r, stream);
    *state = RELAY_CLOSED;
    buf_consume(&r->queues[stream], buf_len(&r->queues[stream]));
    return 0;
}

static int act_all(struct relay *r, enum relay_event ev)
{
    int e = 0;

    for (size_t i = 0; i < RELAY_STREAMS && !e; i++)
        e = act(r, (enum relay_stream)i, actions[ev][i]);
    return e;
}

/* It takes no more: what was queued for it is lost, and with it a service's exit code. */
static void go_deaf(struct relay *r)
{
    if (r->role == RELAY_SERVICE && r->phase == RELAY_RUNNING && !r->error &&
        (!r->exit_done || buf_len(&r->to_peer)))
        r->error = RELAY_E_LOST;
    r->deaf = true;
    buf_consume(&r->to_peer, buf_len(&r->to_peer));
}

static int lose(struct relay *r, int error)
{
    if (!r->error)
        r->error = error;
    go_deaf(r);
    r->lost = true;
    buf_consume(&r->from_peer, buf_len(&r->from_peer));
    return act_all(r, RELAY_EV_PEER_LOST);
}

/* Both ends have said their version. */
static int start(struct relay *r)
{
    int e = 0;

    r->phase = RELAY_RUNNING;
    if (r->role == RELAY_CALLER)
        return 0;
    if (r->just_exec) {
        for (size_t i = 0; i < RELAY_STREAMS; i++)
            r->streams[i] = RELAY_CLOSED;
        return 0;
    }
    if (r->start_failed) {
        e = act(r, RELAY_IN, FINISH);
        act(r, RELAY_OUT, DROP);
    }
    if (!e && (r->start_failed || (!r->has_err && !r->limited)))
        e = act(r, RELAY_ERR, FINISH);
    return e;
}

static int on_hello(struct relay *r, struct wire_reader *body)
{
    uint32_t version;
    int e = 0;

    if (wire_read_hello(body, &version))
        return lose(r, RELAY_E_PROTOCOL);
    if (wire_choose_version(WIRE_VERSION, version, &r->version)) {
        r->version = version;
        return lose(r, RELAY_E_VERSION);
    }
    if (r->read_first)
        e = queue_u32(r, MSG_HELLO, WIRE_VERSION);
    return e ? e : start(r);
}

/* Data that nobody wants any more is thrown away: it stays in from_peer. */
static int on_data(struct relay *r, enum relay_stream stream, size_t n)
{
    struct buf *queue = &r->queues[stream];
    int e;

    if (!n) {
        r->data_eof |= stream == RELAY_OUT;
        return act_all(r, stream == RELAY_OUT ? RELAY_EV_PEER_EOF : RELAY_EV_PEER_ERR_EOF);
    }
    if (r->streams[stream] != RELAY_OPEN || is_dropped(r, stream) || !may_pass(r, n))
        return 0;
    r->received += n;
    e = buf_move(&r->from_peer, n, queue);
    if (!e && (stream == RELAY_OUT ? r->filter_out : r->filter_err))
        wire_filter_unsafe(queue->data + queue->end - n, n);
    return e;
}

static int on_exit_code(struct relay *r, const unsigned char *data, size_t n)
{
    if (r->exit_done)
        return 0;
    r->exit_done = true;
    r->exit_code = wire_exit_code(data, n);
    if (r->just_exec) /* no EOF comes with it */
        act(r, RELAY_OUT, DRAIN);
    return act_all(r, RELAY_EV_PEER_EXIT);
}

static int on_message(struct relay *r, const struct msg_header *h)
{
    const unsigned char *data = buf_data(&r->from_peer);
    bool caller = r->role == RELAY_CALLER;
    bool expected = h->type == MSG_DATA_STDIN ? !caller : caller;

    if (!expected && !r->wrong_role)
        r->wrong_role = h->type;
    switch (h->type) {
    case MSG_DATA_STDIN:
    case MSG_DATA_STDOUT: return on_data(r, RELAY_OUT, h->len);
    case MSG_DATA_STDERR: return caller ? on_data(r, RELAY_ERROUT, h->len) : 0;
    case MSG_DATA_EXIT_CODE: return caller ? on_exit_code(r, data, h->len) : 0;
    default: return lose(r, RELAY_E_PROTOCOL);
    }
}

/* Whether a message of that length can be taken now, or must wait until a queue is out. */
static bool has_room(const struct relay *r, const struct msg_header *h)
{
    enum relay_stream stream = h->type == MSG_DATA_STDERR ? RELAY_ERROUT : RELAY_OUT;

    if (h->type == MSG_HELLO || h->type == MSG_DATA_EXIT_CODE)
        return true;
    return r->streams[stream] != RELAY_OPEN || h->len <= buf_room(&r->queues[stream]);
}

enum next { NEXT_NONE, NEXT_READY, NEXT_WAITS };

/* The first message in from_peer: not all there, to be taken, or waiting for its queue. */
static enum next next_message(struct relay *r, struct msg_header *ret)
{
    struct wire_reader header = wire_reader(buf_data(&r->from_peer), buf_len(&r->from_peer));
    bool hello = r->phase == RELAY_HELLO;

    if (r->lost || wire_read_header(&header, ret))
        return NEXT_NONE;
    if ((ret->type == MSG_HELLO) != hello ||
        wire_check_header(WIRE_DATA, hello ? WIRE_VERSION : r->version, ret)) {
        (void)lose(r, RELAY_E_PROTOCOL);
        return NEXT_NONE;
    }
    if (ret->len > header.len - header.offset)
        return NEXT_NONE;
    return has_room(r, ret) ? NEXT_READY : NEXT_WAITS;
}

/* The first message, all there. What is left of it afterwards is done with. */
static int take_message(struct relay *r, const struct msg_header *h)
{
    struct wire_reader hello;
    size_t behind = buf_len(&r->from_peer) - WIRE_HEADER_SIZE - h->len;
    int e;

    buf_consume(&r->from_peer, WIRE_HEADER_SIZE);
    hello = wire_reader(buf_data(&r->from_peer), h->len);
    e = r->phase == RELAY_HELLO ? on_hello(r, &hello) : on_message(r, h);
    if (!e && !r->lost)
        buf_consume(&r->from_peer, buf_len(&r->from_peer) - behind);
    return e;
}

/* A peer that is gone is lost when all that it said has been taken. */
static int take_messages(struct relay *r)
{
    struct msg_header h;
    enum next next;
    int e = 0;

    while ((next = next_message(r, &h)) == NEXT_READY) {
        e = take_message(r, &h);
        if (e)
            return e;
    }
    if (r->gone && !r->lost && next == NEXT_NONE)
        e = lose(r, r->phase == RELAY_RUNNING ? 0 : RELAY_E_CONNECT);
    return e;
}

/* The prefix goes out before anything else, in chunks as large as the version allows. */
static int put_prefix(struct relay *r)
{
    struct buf *prefix = &r->queues[RELAY_IN];
    int e = 0;

    while (!e && r->phase == RELAY_RUNNING && buf_len(prefix) &&
           buf_len(&r->to_peer) <= WIRE_CHUNK) {
        size_t n = size_min(buf_len(prefix), relay_chunk(r));

        e = relay_put(r, RELAY_IN, buf_data(prefix), n);
        buf_consume(prefix, n);
    }
    return e;
}

/* A service's own end: its exit code follows the EOFs. */
static int settle_service(struct relay *r)
{
    const enum relay_stream_state *s = r->streams;
    int e = 0;

    if (r->exit_on_client_eof && r->data_eof && s[RELAY_OUT] == RELAY_CLOSED)
        e = act(r, RELAY_IN, FINISH);
    if (!e && r->exit_on_service_eof && s[RELAY_IN] == RELAY_CLOSED)
        e = act(r, RELAY_OUT, DROP);
    if (!e && !r->has_err && s[RELAY_IN] == RELAY_CLOSED)
        e = act(r, RELAY_ERR, FINISH);
    if (e || r->exit_done || s[RELAY_IN] != RELAY_CLOSED || s[RELAY_ERR] == RELAY_OPEN)
        return e;
    if (!r->just_exec && (r->child_running || (r->socket_service && s[RELAY_OUT] != RELAY_CLOSED)))
        return 0;
    if (r->over_bytes) /* relay_cut() says how it ends */
        return 0;
    e = finish(r, RELAY_ERR);
    if (e)
        return e;
    r->exit_done = true;
    r->exit_code = (uint32_t)(r->start_failed ? r->start_failed : r->child_code);
    if (r->just_exec)
        r->exit_code = (uint32_t)r->start_failed;
    act(r, RELAY_OUT, DROP);
    return queue_u32(r, MSG_DATA_EXIT_CODE, r->exit_code);
}

/* What follows from the state, whatever event led to it. */
static int settle(struct relay *r)
{
    for (size_t i = RELAY_OUT; i <= RELAY_ERROUT; i++)
        if (r->streams[i] == RELAY_ENDING && !buf_len(&r->queues[i]))
            r->streams[i] = RELAY_CLOSED;
    if (r->phase != RELAY_RUNNING)
        return 0;
    if (r->role == RELAY_SERVICE)
        return settle_service(r);
    /* its stderr ends with the call, even if it does not say so */
    if (r->exit_done && r->streams[RELAY_OUT] == RELAY_CLOSED &&
        r->streams[RELAY_ERROUT] == RELAY_OPEN) {
        act(r, RELAY_ERROUT, DRAIN);
        return settle(r);
    }
    return 0;
}

int relay_step(struct relay *r, enum relay_event ev)
{
    int e = 0;

    switch (ev) {
    case RELAY_EV_CONNECTED:
        r->phase = RELAY_HELLO;
        if (!r->read_first && !r->hello_said)
            e = queue_u32(r, MSG_HELLO, WIRE_VERSION);
        break;
    case RELAY_EV_PEER_DEAF: go_deaf(r); break;
    case RELAY_EV_PEER_GONE:
        go_deaf(r);
        r->gone = true;
        break;
    case RELAY_EV_CHILD_ENDED: r->child_running = false; break;
    default: break;
    }
    if (!e)
        e = act_all(r, ev);
    if (!e)
        e = settle(r);
    if (!e)
        e = take_messages(r);
    if (!e)
        e = put_prefix(r);
    return e ? e : settle(r);
}

static int tell_peer_of_cut(struct relay *r, int code, const char *text)
{
    int e = queue_message(r, MSG_DATA_STDERR, text, size_min(strlen(text), RELAY_TEXT_MAX));

    if (!e)
        e = finish(r, RELAY_IN);
    if (!e)
        e = finish(r, RELAY_ERR);
    if (e)
        return e;
    act(r, RELAY_OUT, DROP);
    r->exit_done = true;
    r->exit_code = (uint32_t)code;
    return queue_u32(r, MSG_DATA_EXIT_CODE, r->exit_code);
}

int relay_cut(struct relay *r, int error, int code, const char *text)
{
    int e;

    if (r->cut || r->lost)
        return 0;
    r->cut = true;
    if (r->role == RELAY_SERVICE && r->exit_done) /* it was faster */
        return 0;
    /* a text that would not be shown would leave a code that seems the service's own */
    if (r->role == RELAY_CALLER || r->phase != RELAY_RUNNING ||
        r->streams[RELAY_ERR] == RELAY_CLOSED) {
        e = lose(r, error);
    } else {
        r->error = error;
        e = tell_peer_of_cut(r, code, text);
    }
    return e ? e : settle(r);
}

struct relay_wants relay_wants(const struct relay *r)
{
    struct relay_wants w = {.read_peer = false};
    bool space = r->phase == RELAY_RUNNING && !r->deaf && buf_len(&r->to_peer) <= WIRE_CHUNK;

    /* a message that waits for its queue lets from_peer fill up, no further */
    w.read_peer = r->phase != RELAY_CONNECTING && !r->gone && !r->lost && buf_room(&r->from_peer);
    w.write_peer = !r->deaf && buf_len(&r->to_peer) > 0;
    w.read[RELAY_IN] =
        space && r->streams[RELAY_IN] == RELAY_OPEN && !buf_len(&r->queues[RELAY_IN]);
    w.read[RELAY_ERR] = space && r->streams[RELAY_ERR] == RELAY_OPEN;
    w.write[RELAY_OUT] = buf_len(&r->queues[RELAY_OUT]) > 0;
    w.write[RELAY_ERROUT] = buf_len(&r->queues[RELAY_ERROUT]) > 0;
    return w;
}

bool relay_is_over(const struct relay *r)
{
    bool told = r->exit_done && (r->deaf || !buf_len(&r->to_peer));

    if (r->child_running && !r->just_exec && !r->cut)
        return false;
    if (r->streams[RELAY_OUT] != RELAY_CLOSED || r->streams[RELAY_ERROUT] != RELAY_CLOSED)
        return false;
    return r->lost || told;
}

int relay_result(const struct relay *r, int *ret_code)
{
    uint32_t code = r->exit_code;
    int error = r->error;

    if (!error && !r->exit_done)
        error = RELAY_E_LOST;
    if (r->role == RELAY_CALLER && code == 0)
        code = r->output_lost ? 255 : (uint32_t)r->child_code;
    /* an exit status has eight bits, and no failure may look like success */
    *ret_code = error || code > 255 ? 255 : (int)code;
    return error;
}
