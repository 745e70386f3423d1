/*
 * The domain's agent: hello, triggers, ends of connections.
 *
 * The agent speaks first; the lower version counts. A message that may not come there, or of a
 * wrong length, ends this connection and nobody else's. When the agent is gone, the sockets go,
 * clients are dropped and calls end; ports stay reserved, since the processes that carry data live
 * on. Then it is waited for again, without limit, and told which ports those are (doc/wire.md).
 */
#include "qrexec-daemon/carried.h"

#include "libqrexec/base/log.h"

#include <errno.h>

#define OUT_MAX       (16U << 20) /* what clients may make us hold for an agent that reads slowly */
#define OUT_FULL      (64U << 10) /* the agent's own messages are not read while this much waits */
#define PAUSE_MS      10
#define PAUSE_MOST_MS 10000

static void arm(struct daemon *d);

/* A peer that can never be understood is not asked all the time. */
static void note_trouble(struct control *c, bool misbehaved)
{
    c->pause = !misbehaved ? PAUSE_MS : c->pause * 2 < PAUSE_MOST_MS ? c->pause * 2 : PAUSE_MOST_MS;
}

static bool may_log(struct daemon *d)
{
    return log_limit_take(&d->agent_log, d->name, "messages about its agent");
}

static void lose_agent(struct daemon *d, const char *why)
{
    struct control *c = &d->control;

    if (may_log(d))
        log_warning("%s: the agent's connection ended: %s", d->name, why);
    c->version = 0;
    watch_stop(&c->watch);
    timer_stop(&c->timer);
    vchan_free(c->vchan);
    c->vchan = NULL;
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    clients_stop(d);
    calls_stop(d);
    carried_lose(d);
}

static int queue(struct daemon *d, const void *data, size_t n)
{
    int r = buf_append(&d->control.out, data, n);

    if (!r)
        timer_set(&d->control.timer, 0); /* with the next turn: never from inside a handler */
    return r;
}

static int send_message(struct daemon *d, const struct wire_writer *w, int error)
{
    if (!d->control.version)
        return -ENOTCONN;
    return error ? -EMSGSIZE : queue(d, w->data, w->len);
}

/* Written where it waits: it may be as long as a command line. */
int control_send_exec(struct daemon *d, uint32_t type, uint32_t domain, uint32_t port,
                      struct wire_text cmdline)
{
    size_t room = size_min(WIRE_CONTROL_MAX, WIRE_HEADER_SIZE + 8 + cmdline.len + 1);
    struct wire_writer w;
    unsigned char *p;
    int r = d->control.version ? buf_reserve(&d->control.out, room, &p) : -ENOTCONN;

    if (r)
        return r;
    w = wire_writer(p, room);
    if (wire_write_exec(&w, type, domain, port, cmdline))
        return -EMSGSIZE;
    buf_commit(&d->control.out, w.len);
    timer_set(&d->control.timer, 0); /* as in queue() */
    return 0;
}

int control_send_connect(struct daemon *d, uint32_t domain, uint32_t port,
                         const struct wire_ident *ident)
{
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int e = wire_write_connect(&w, domain, port, ident);

    return send_message(d, &w, e);
}

void control_send_refused(struct daemon *d, const struct wire_ident *ident)
{
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int e = wire_write_refused(&w, ident);

    (void)send_message(d, &w, e); /* without an agent there is nobody to tell */
}

void control_send_gone(struct daemon *d, uint32_t domain, uint32_t port)
{
    struct wire_ident ident = wire_gone_ident(domain, port);

    control_send_refused(d, &ident);
}

/* What was agreed before: this agent may know how it ended, or see its end. */
static void send_held(struct daemon *d)
{
    uint32_t domain, port;
    size_t at = 0;

    while (ports_next_domain(&d->ports, &at, &domain))
        for (port = 0; ports_next(&d->ports, domain, &port);) {
            struct wire_ident ident = wire_held_ident(domain, port);

            control_send_refused(d, &ident);
        }
}

static int on_hello(struct daemon *d, struct wire_reader *r)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    uint32_t peer = 0, version = 0;
    int e = wire_read_hello(r, &peer);

    if (!e)
        e = wire_choose_version(WIRE_VERSION, peer, &version);
    if (e == WIRE_E_VERSION && may_log(d))
        log_error("%s: the agent speaks protocol %u, at least %d is needed (ours is %d): update "
                  "the agent",
                  d->name, peer, WIRE_VERSION_MIN, WIRE_VERSION);
    if (!e)
        e = wire_write_hello(&w, version);
    if (e)
        return e;
    d->control.version = version;
    if (queue(d, w.data, w.len) || clients_listen(d))
        return -EIO;
    see_new_agent(d);
    send_held(d);
    deaths_recall(d); /* what ended while no daemon or no agent was there */
    if (may_log(d))
        log_info("%s: the agent answered, protocol %u", d->name, version);
    if (!d->ready_once && d->on_ready)
        d->on_ready(d);
    d->ready_once = true;
    return 0;
}

static int on_message(struct daemon *d, const struct msg_header *h, struct wire_reader *r)
{
    struct wire_counts counts;
    struct wire_trigger t;
    struct wire_peer p;
    int e;

    switch (h->type) {
    case MSG_HELLO: return on_hello(d, r);
    case MSG_CONNECTION_TERMINATED:
        e = wire_read_peer(r, &p);
        if (e)
            return e;
        if (ports_release(&d->ports, p.domain, p.port) && p.domain == 0)
            vchan_forget_port(d->domid, p.port, 0); /* of a client of dom0 that was killed */
        clients_terminated(d, p.domain, p.port);
        calls_terminated(d, p.domain, p.port);
        carried_terminated(d, p.domain, p.port);
        return 0;
    case MSG_CALL_COUNTS:
        e = wire_read_counts(r, &counts);
        if (!e)
            see_take_counts(d, &counts);
        return e;
    default:
        e = wire_read_trigger(r, h->type, &t);
        if (!e)
            calls_trigger(d, &t);
        return e;
    }
}

/* One message out of the buffer. 0 and *ret_used 0: not all there yet. */
static int take_message(struct daemon *d, size_t *ret_used)
{
    const struct buf *in = &d->control.in;
    struct wire_reader r = wire_reader(buf_data(in), buf_len(in));
    struct msg_header h;
    int e;

    *ret_used = 0;
    if (buf_len(in) < WIRE_HEADER_SIZE)
        return 0;
    e = wire_read_header(&r, &h);
    if (!e && (h.type == MSG_HELLO) != !d->control.version)
        return WIRE_E_TYPE;
    if (!e)
        e = wire_check_header(WIRE_AGENT_TO_DAEMON,
                              d->control.version ? d->control.version : WIRE_VERSION, &h);
    if (e)
        return e;
    if (buf_len(in) - WIRE_HEADER_SIZE < h.len)
        return 0;
    r = wire_reader(buf_data(in) + WIRE_HEADER_SIZE, h.len);
    *ret_used = WIRE_HEADER_SIZE + h.len;
    return on_message(d, &h, &r);
}

static int read_messages(struct daemon *d)
{
    struct control *c = &d->control;
    unsigned char *p;
    size_t used, room;
    ssize_t n;
    int e = 0;

    for (int budget = 16; budget > 0; budget--) {
        if (vchan_state(c->vchan) == VCHAN_CONNECTED && buf_len(&c->out) >= OUT_FULL)
            return 0; /* read on when it has taken its answers */
        room = buf_room(&c->in);
        if (buf_reserve(&c->in, room, &p))
            return -ENOMEM;
        n = vchan_read(c->vchan, p, room);
        if (n <= 0)
            return (int)n;
        buf_commit(&c->in, (size_t)n);
        do {
            e = take_message(d, &used);
            if (c->vchan && used)
                buf_consume(&c->in, used);
        } while (!e && used && c->vchan);
        if (e > 0 && may_log(d))
            log_error("%s: the agent sent what it may not: %s", d->name, wire_error_text(e));
        if (e || !c->vchan)
            return -EPROTO;
    }
    timer_set(&c->timer, 0); /* the budget is spent, the rest comes with the next turn */
    return 0;
}

static int write_messages(struct control *c)
{
    while (buf_len(&c->out)) {
        ssize_t n = vchan_write(c->vchan, buf_data(&c->out), buf_len(&c->out));

        if (n <= 0)
            return (int)n;
        buf_consume(&c->out, (size_t)n);
    }
    return 0;
}

/* Nobody will come back here: the sockets go, and what calls hold. */
static void lose_domain(struct daemon *d)
{
    log_info("%s: the domain is gone", d->name);
    vchan_forget(d->domid);
    ports_forget(&d->ports);
    loop_quit(d->ready_once ? 0 : 1);
}

static void turn(struct daemon *d)
{
    struct control *c = &d->control;
    int r;

    if (!c->vchan) {
        r = control_start(d);
        if (r == -EHOSTDOWN)
            lose_domain(d);
        else if (r)
            timer_set(&c->timer, 1000);
        return;
    }
    r = vchan_dispatch(c->vchan);
    if (r == -EHOSTDOWN) {
        lose_domain(d);
        return;
    }
    if (!r && vchan_state(c->vchan) != VCHAN_WAITING)
        r = read_messages(d);
    if (!r && c->vchan && vchan_state(c->vchan) == VCHAN_CONNECTED)
        r = write_messages(c);
    if (r && c->vchan) {
        note_trouble(c, r == -EPROTO);
        lose_agent(d, r == -EPIPE ? "it closed" : vchan_error_text(r));
    }
    if (!c->vchan)
        timer_set(&c->timer, c->pause);
    else
        arm(d);
}

static void on_watch(struct watch *w, short revents)
{
    (void)revents;
    turn(container_of(container_of(w, struct control, watch), struct daemon, control));
}

static void on_timer(struct timer *t)
{
    turn(container_of(container_of(t, struct control, timer), struct daemon, control));
}

static void arm(struct daemon *d)
{
    struct control *c = &d->control;
    int ms = vchan_timeout(c->vchan);

    if (vchan_state(c->vchan) == VCHAN_CLOSED) {
        watch_stop(&c->watch); /* it is read until it says so itself */
        ms = 0;
    } else {
        watch_set(&c->watch, vchan_fd(c->vchan),
                  vchan_events(c->vchan, buf_len(&c->out) < OUT_FULL, buf_len(&c->out) > 0));
    }
    if (ms >= 0)
        timer_set(&c->timer, (uint64_t)ms);
}

int control_start(struct daemon *d)
{
    struct control *c = &d->control;
    int r = vchan_connect(d->domid, VCHAN_CONTROL_PORT, &c->vchan);

    c->watch.fn = on_watch;
    c->timer.fn = on_timer;
    if (!c->pause)
        c->pause = PAUSE_MS;
    if (r)
        return r;
    c->in = BUF_NULL(WIRE_CONTROL_MAX);
    c->out = BUF_NULL(OUT_MAX);
    arm(d);
    return 0;
}

void control_stop(struct daemon *d)
{
    struct control *c = &d->control;

    watch_stop(&c->watch);
    timer_stop(&c->timer);
    clients_stop(d);
    calls_stop(d);
    vchan_free(c->vchan);
    c->vchan = NULL;
    buf_deinit(&c->in);
    buf_deinit(&c->out);
}
