/*
 * The control channel: vchan server on port 512 for domain 0.
 *
 * The agent says hello first; the version is the lower of both. A daemon that breaks the protocol
 * or goes away is dropped, and the next one is served the same way. The vchan's descriptor only
 * says that something changed, so each turn reads and writes until nothing moves, or until its
 * budget of messages is spent and the timer brings it back at once.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"

#include <errno.h>

#define RING            4096
#define LISTEN_AGAIN_MS 10000
#define TURN_MESSAGES   64
#define OUT_MAX         (4u << 20)
#define OUT_TRIGGER_MAX (1u << 20) /* the rest is for what must be reported */

static void control_update(struct agent *a, bool again);

bool control_serves(const struct agent *a, uint64_t epoch)
{
    return a->control.state == CONTROL_SERVING && a->control.epoch == epoch;
}

/* The daemon is gone, or what it says makes no sense: wait for the next one. */
static void control_drop(struct agent *a, const char *why)
{
    struct control *c = &a->control;
    int r;

    log_warning("daemon: %s; waiting for the next one", why);
    c->state = CONTROL_WAITING;
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    clients_close(a);
    watch_stop(&c->watch); /* the next descriptor may have the same number */
    r = vchan_reset(c->vchan);
    if (r) { /* the supervisor starts a new agent */
        log_error("control vchan: cannot listen again: %s", vchan_error_text(r));
        loop_quit(1);
    }
}

static int queue(struct agent *a, const struct wire_writer *w)
{
    int r = w->error ? -EINVAL : buf_append(&a->control.out, w->data, w->len);

    if (!r)
        timer_set(&a->control.timer, 0);
    return r;
}

static void send_hello(struct agent *a)
{
    unsigned char bytes[16];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    a->control.state = CONTROL_HELLO;
    a->control.epoch++;
    (void)wire_write_hello(&w, WIRE_VERSION);
    (void)queue(a, &w);
}

/* Reported ones, too: their daemon may have died before it read that. The oldest goes. */
static void note_end(struct control *c, uint32_t domain, uint32_t port)
{
    c->ends[c->n_ends++ % ENDS_MOST] = (struct wire_peer){domain, port};
}

static bool has_ended(const struct control *c, const struct wire_peer *peer)
{
    for (size_t i = 0; i < ENDS_MOST; i++)
        if (c->ends[i].port && c->ends[i].domain == peer->domain && c->ends[i].port == peer->port)
            return true;
    return false;
}

static void send_terminated(struct agent *a, uint32_t domain, uint32_t port)
{
    unsigned char bytes[32];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    (void)wire_write_peer(&w, MSG_CONNECTION_TERMINATED, domain, port);
    if (queue(a, &w))
        log_error("daemon: too slow to be told that the call on port %u of domain %u ended", port,
                  domain);
}

void control_send_terminated(struct agent *a, uint64_t epoch, uint32_t domain, uint32_t port)
{
    note_end(&a->control, domain, port);
    if (control_serves(a, epoch))
        send_terminated(a, domain, port);
}

void control_send_counts(struct agent *a, uint64_t epoch, const struct wire_counts *c)
{
    unsigned char bytes[WIRE_HEADER_SIZE + WIRE_COUNTS_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    (void)wire_write_counts(&w, c);
    if (control_serves(a, epoch) && buf_len(&a->control.out) <= OUT_TRIGGER_MAX)
        (void)queue(a, &w);
}

int control_send_trigger(struct agent *a, const struct wire_trigger *t)
{
    size_t size = WIRE_CONTROL_MAX + WIRE_HEADER_SIZE;
    _cleanup_(freep) unsigned char *bytes = NULL;
    struct wire_writer w;
    int r;

    if (buf_len(&a->control.out) > OUT_TRIGGER_MAX)
        return -ENOBUFS;
    bytes = malloc(size);
    if (!bytes)
        return -ENOMEM;
    w = wire_writer(bytes, size);
    r = wire_write_trigger(&w, a->control.version, t);
    return r ? r : queue(a, &w);
}

/* What to do with a message; WIRE_E_* ends the connection. */
static int on_hello(struct agent *a, struct wire_reader *r)
{
    struct control *c = &a->control;
    uint32_t theirs;
    int e = wire_read_hello(r, &theirs);

    if (!e)
        e = wire_choose_version(WIRE_VERSION, theirs, &c->version);
    if (e == WIRE_E_VERSION)
        log_error("daemon: it speaks protocol %u, this agent %d to %d", theirs, WIRE_VERSION_MIN,
                  WIRE_VERSION);
    if (e)
        return e;
    c->state = CONTROL_SERVING;
    e = clients_open(a);
    if (e)
        log_error("%s: cannot listen: %s", a->clients.path, strerror(-e));
    log_info("daemon connected, protocol %u", c->version);
    (void)notify_send("READY=1");
    return 0;
}

static int on_exec(struct agent *a, uint32_t type, struct wire_reader *r)
{
    struct wire_exec exec;
    int e = wire_read_exec(r, &exec);

    if (!e)
        calls_start(a, type, &exec);
    return e;
}

static int on_connect(struct agent *a, struct wire_reader *r)
{
    struct wire_connect connect;
    int e = wire_read_connect(r, &connect);

    if (!e)
        clients_connect(a, &connect);
    return e;
}

/* Its word is about a domain, not about a request. */
static void on_gone(struct agent *a, const struct wire_ident *ident)
{
    struct wire_peer peer;

    if (wire_read_gone(ident, &peer)) {
        log_warning("daemon: a word about a domain that is gone makes no sense and is ignored");
        return;
    }
    if (peer.domain != 0) /* of dom0 it is only said that one of its ends is */
        vchan_forget(peer.domain);
    (void)clients_tell(a, &peer, WIRE_SAYS_GONE);
    (void)calls_tell(a, &peer, WIRE_SAYS_GONE);
}

/* Only of what this agent saw is it sure: an earlier one's connections may go on. */
static void on_held(struct agent *a, const struct wire_ident *ident)
{
    struct wire_peer peer;

    if (wire_read_held(ident, &peer))
        log_warning("daemon: a word about a port that it holds makes no sense and is ignored");
    else if (!calls_keep(a, &peer) && !clients_keep(a, &peer) && has_ended(&a->control, &peer))
        send_terminated(a, peer.domain, peer.port);
}

/* Its word is about a connection. Of one that this agent does not carry nothing is known. */
static void on_word(struct agent *a, const struct wire_ident *ident)
{
    struct wire_peer peer;
    bool look = wire_ident_says_look(ident);
    uint32_t word = look ? WIRE_SAYS_LOOK : WIRE_SAYS_STOP;

    if (look ? wire_read_look(ident, &peer) : wire_read_stop(ident, &peer))
        log_warning("daemon: a word about a call makes no sense and is ignored");
    else if (!calls_tell(a, &peer, word))
        (void)clients_tell(a, &peer, word);
}

static int on_refused(struct agent *a, struct wire_reader *r)
{
    struct wire_ident ident;
    int e = wire_read_refused(r, &ident);

    if (!e && wire_ident_says_gone(&ident))
        on_gone(a, &ident);
    else if (!e && wire_ident_says_held(&ident))
        on_held(a, &ident);
    else if (!e && (wire_ident_says_look(&ident) || wire_ident_says_stop(&ident)))
        on_word(a, &ident);
    else if (!e)
        clients_refuse(a, &ident);
    return e;
}

static int handle(struct agent *a, uint32_t type, struct wire_reader *r)
{
    if ((a->control.state == CONTROL_HELLO) != (type == MSG_HELLO))
        return WIRE_E_TYPE;
    switch (type) {
    case MSG_HELLO: return on_hello(a, r);
    case MSG_SERVICE_CONNECT: return on_connect(a, r);
    case MSG_SERVICE_REFUSED: return on_refused(a, r);
    default: return on_exec(a, type, r);
    }
}

/* 0 one message was handled; WIRE_E_SHORT not all there yet; others end the connection. */
static int take_message(struct agent *a)
{
    struct control *c = &a->control;
    struct wire_reader all = wire_reader(buf_data(&c->in), buf_len(&c->in)), body;
    struct msg_header h;
    int e;

    if (buf_len(&c->in) < WIRE_HEADER_SIZE)
        return WIRE_E_SHORT;
    e = wire_read_header(&all, &h);
    if (!e)
        e = wire_check_header(WIRE_DAEMON_TO_AGENT,
                              c->state == CONTROL_HELLO ? WIRE_VERSION : c->version, &h);
    if (e)
        return e == WIRE_E_SHORT ? WIRE_E_LENGTH : e;
    if (buf_len(&c->in) - WIRE_HEADER_SIZE < h.len)
        return WIRE_E_SHORT;
    body = wire_reader(buf_data(&c->in) + WIRE_HEADER_SIZE, h.len);
    e = handle(a, h.type, &body);
    if (e)
        return e == WIRE_E_SHORT ? WIRE_E_LENGTH : e;
    buf_consume(&c->in, WIRE_HEADER_SIZE + h.len);
    return 0;
}

/* Takes what the daemon sent. 0 nothing left; 1 more; negative errno the daemon is gone. */
static int control_read(struct agent *a)
{
    struct control *c = &a->control;

    for (int n = 0; n < TURN_MESSAGES;) {
        unsigned char *p;
        ssize_t got;
        int e = take_message(a);

        n += e == 0;
        if (e == 0)
            continue;
        if (e != WIRE_E_SHORT) {
            log_error("daemon: bad message: %s", wire_error_text(e));
            return -EPROTO;
        }
        e = buf_reserve(&c->in, buf_room(&c->in), &p);
        if (e)
            return e;
        got = vchan_read(c->vchan, p, buf_room(&c->in));
        if (got <= 0)
            return (int)got;
        buf_commit(&c->in, (size_t)got);
    }
    return 1;
}

static int control_write(struct agent *a)
{
    struct control *c = &a->control;
    bool was_full = buf_len(&c->out) > OUT_TRIGGER_MAX;

    while (buf_len(&c->out)) {
        ssize_t put = vchan_write(c->vchan, buf_data(&c->out), buf_len(&c->out));

        if (put < 0)
            return (int)put;
        if (put == 0)
            break;
        buf_consume(&c->out, (size_t)put);
    }
    if (was_full && buf_len(&c->out) <= OUT_TRIGGER_MAX)
        clients_flush(a);
    return 0;
}

/* One turn: what arrived, then what is to be sent. */
static void control_turn(struct agent *a)
{
    struct control *c = &a->control;
    bool waiting = c->state == CONTROL_WAITING;
    int r = vchan_dispatch(c->vchan), more = 0;

    if (c->state == CONTROL_SERVING)
        (void)clients_open(a); /* what kept it from listening may be over */
    if (!r && waiting && vchan_state(c->vchan) == VCHAN_CONNECTED)
        send_hello(a);
    if (!r && c->state != CONTROL_WAITING) {
        more = control_read(a);
        r = more < 0 ? more : 0;
    }
    if (!r && c->state != CONTROL_WAITING)
        r = control_write(a);
    if (!r && vchan_state(c->vchan) == VCHAN_CLOSED && more == 0)
        r = -EPIPE;
    if (r)
        control_drop(a, r == -EPIPE ? "it went away" : vchan_error_text(r));
    control_update(a, more > 0);
}

static void on_changed(struct watch *w, short revents)
{
    (void)revents;
    control_turn(container_of(w, struct agent, control.watch));
}

static void on_timer(struct timer *t)
{
    control_turn(container_of(t, struct agent, control.timer));
}

static void control_update(struct agent *a, bool again)
{
    struct control *c = &a->control;
    int ms = again ? 0 : vchan_timeout(c->vchan);

    if (ms < 0 && c->state == CONTROL_SERVING && a->clients.listener < 0)
        ms = LISTEN_AGAIN_MS;
    watch_set(&c->watch, vchan_fd(c->vchan), vchan_events(c->vchan, true, buf_len(&c->out) > 0));
    if (ms >= 0)
        timer_set(&c->timer, (uint64_t)ms);
    else
        timer_stop(&c->timer);
}

int control_init(struct agent *a)
{
    struct control *c = &a->control;
    int r;

    c->in = BUF_NULL(WIRE_CONTROL_MAX);
    c->out = BUF_NULL(OUT_MAX);
    c->watch.fn = on_changed;
    c->timer.fn = on_timer;
    r = vchan_listen(0, VCHAN_CONTROL_PORT, RING, &c->vchan);
    if (r)
        return r;
    control_update(a, false);
    return 0;
}

void control_deinit(struct agent *a)
{
    struct control *c = &a->control;

    watch_stop(&c->watch);
    timer_stop(&c->timer);
    vchan_free(take(c->vchan));
    buf_deinit(&c->in);
    buf_deinit(&c->out);
}
