/*
 * The programs of this VM that call others: one connection each, from its trigger to its end.
 *
 *   READING    its message is not all there yet
 *   QUEUED     it is, and the daemon's queue is full
 *   PENDING    passed on; the answer may take for ever (somebody is asked)
 *   CONNECTED  allowed; the client carries the data itself, its end is reported to the daemon
 *
 * A client may say one thing, its trigger, and later what it is asked; anything more ends it. Each
 * has its own buffer, and each user a budget of clients, so that a slow, silent or greedy one costs
 * nobody else.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#define IDENT_PREFIX     "SOCKET"
#define CLIENTS_PER_USER 4096
#define ACCEPTS_A_TURN   32
#define ACCEPT_AGAIN_MS  200
#define TRIGGER_MS       60000 /* for all of a trigger */

enum client_state { CLIENT_READING, CLIENT_QUEUED, CLIENT_PENDING, CLIENT_CONNECTED };

struct client {
    struct client *next, *prev;
    struct agent *agent;
    struct watch watch;
    struct timer silent; /* READING */
    int fd;
    enum client_state state;
    struct buf in;
    struct charge charge;
    uint64_t number; /* in its ident */
    uint64_t epoch;  /* PENDING, CONNECTED: of which daemon */
    uint32_t domain, port;
    pid_t pid;  /* who connected */
    bool asked; /* CONNECTED: to look, and has not answered */
};

static void listen_update(struct agent *a, bool on)
{
    watch_set(&a->clients.watch, a->clients.listener, on ? POLLIN : 0);
}

void clients_resume(struct agent *a)
{
    timer_stop(&a->clients.again);
    if (a->clients.listener >= 0)
        listen_update(a, true);
}

static struct client *client_at(struct agent *a, const struct wire_peer *peer)
{
    struct client *c = a->clients.first;

    while (c &&
           (c->state != CLIENT_CONNECTED || c->domain != peer->domain || c->port != peer->port))
        c = c->next;
    return c;
}

/* A killed one left its vchan's name, unless a newer one has the port. */
static void client_ended(const struct client *c)
{
    const struct wire_peer peer = {c->domain, c->port};

    if (!client_at(c->agent, &peer))
        vchan_forget_port(c->domain, c->port, c->pid);
    control_send_terminated(c->agent, c->epoch, c->domain, c->port);
}

static void client_unlink(struct client *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->agent->clients.first = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

static void client_release(struct client *c)
{
    watch_stop(&c->watch);
    timer_stop(&c->silent);
    close_fd(&c->fd);
    charge_release(&c->charge);
    buf_deinit(&c->in);
    free(c);
}

static void client_free(struct client *c)
{
    struct agent *a = c->agent;

    client_unlink(c);
    if (c->state == CLIENT_CONNECTED)
        client_ended(c);
    client_release(c);
    loop_rest();
    clients_resume(a);
}

static int read_trigger(struct client *c, struct wire_trigger *ret)
{
    struct wire_reader r = wire_reader(buf_data(&c->in), buf_len(&c->in)), body;
    _cleanup_(freep) char *scratch = NULL;
    struct wire_request checked;
    struct msg_header h;
    int e;

    if (buf_len(&c->in) < WIRE_HEADER_SIZE)
        return WIRE_E_SHORT;
    e = wire_read_header(&r, &h);
    if (!e)
        e = wire_check_header(WIRE_CALLER_TO_AGENT, WIRE_VERSION, &h);
    if (e)
        return e;
    if (buf_len(&c->in) - WIRE_HEADER_SIZE < h.len)
        return WIRE_E_SHORT;
    if (buf_len(&c->in) - WIRE_HEADER_SIZE > h.len)
        return WIRE_E_TAIL;
    body = wire_reader(buf_data(&c->in) + WIRE_HEADER_SIZE, h.len);
    e = wire_read_trigger(&body, h.type, ret);
    if (e)
        return e;
    ret->ident = (struct wire_ident){{0}}; /* it gets one of ours */
    /* as the daemon would: for what it cannot take it may drop more than this client */
    scratch = malloc(WIRE_SERVICE_SIZE);
    return scratch ? wire_clean_trigger(ret, scratch, &checked) : -ENOMEM;
}

static int set_ident(struct client *c, struct wire_trigger *t)
{
    char text[WIRE_IDENT_SIZE];

    c->number = c->agent->clients.next_number++;
    snprintf(text, sizeof(text), IDENT_PREFIX "%" PRIu64, c->number);
    return wire_ident_from(text, &t->ident);
}

/* Its message goes to the daemon, or waits for room, or the client goes. */
static void client_forward(struct client *c)
{
    struct wire_trigger t;
    int e = read_trigger(c, &t);

    if (e == WIRE_E_SHORT)
        return;
    timer_stop(&c->silent);
    if (!e)
        e = set_ident(c, &t);
    if (!e)
        e = control_send_trigger(c->agent, &t);
    if (e == -ENOBUFS) {
        c->state = CLIENT_QUEUED;
        watch_set(&c->watch, c->fd, 0);
        return;
    }
    if (e) {
        log_warning("a call from this VM is refused: %s",
                    e < 0 ? strerror(-e) : wire_error_text(e));
        client_free(c);
        return;
    }
    c->state = CLIENT_PENDING;
    c->epoch = c->agent->control.epoch;
    buf_deinit(&c->in);
    watch_set(&c->watch, c->fd, POLLIN);
}

/* Counts, as they were asked for. False: it said more. */
static bool take_counts(struct client *c)
{
    struct wire_reader r = wire_reader(buf_data(&c->in), buf_len(&c->in));
    struct wire_counts counts;

    if (c->state != CLIENT_CONNECTED || !c->asked || buf_len(&c->in) > WIRE_COUNTS_SIZE)
        return false;
    if (buf_len(&c->in) < WIRE_COUNTS_SIZE)
        return true;
    c->asked = false;
    (void)wire_read_counts(&r, &counts);
    buf_deinit(&c->in);
    counts.domain = c->domain;
    counts.port = c->port;
    control_send_counts(c->agent, c->epoch, &counts);
    return true;
}

static void on_client(struct watch *w, short revents)
{
    struct client *c = container_of(w, struct client, watch);
    ssize_t n = buf_read_fd(&c->in, c->fd, buf_room(&c->in));

    (void)revents;
    if (n == -EAGAIN)
        return;
    if (n > 0 && c->state == CLIENT_READING) {
        client_forward(c);
        return;
    }
    if (n > 0 && take_counts(c))
        return;
    if (n > 0)
        log_warning("a caller in this VM said more than its trigger; its connection is closed");
    client_free(c);
}

static void on_silent(struct timer *t)
{
    struct client *c = container_of(t, struct client, silent);

    log_info("a caller in this VM that sent no whole request is let go");
    client_free(c);
}

static int client_charge(struct client *c)
{
    char user[16];
    uid_t uid;
    int r = unix_peer(c->fd, &c->pid, &uid);

    if (r)
        return r;
    snprintf(user, sizeof(user), "%u", uid);
    r = charge_take(&c->agent->clients.ledger, user, 1, &c->charge);
    if (r == CHARGE_E_BUDGET && !c->agent->clients.over_budget)
        log_warning("user %s has %d calls open, more are refused", user, CLIENTS_PER_USER);
    c->agent->clients.over_budget = r == CHARGE_E_BUDGET;
    return r;
}

static void client_new(struct agent *a, int fd)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        return;
    }
    c->agent = a;
    c->fd = fd;
    c->in = BUF_NULL(WIRE_CONTROL_MAX);
    c->watch.fn = on_client;
    c->silent.fn = on_silent;
    c->next = a->clients.first;
    if (c->next)
        c->next->prev = c;
    a->clients.first = c;
    if (client_charge(c)) {
        client_free(c);
        return;
    }
    watch_set(&c->watch, fd, POLLIN);
    timer_set(&c->silent, TRIGGER_MS);
}

static void on_again(struct timer *t)
{
    clients_resume(container_of(t, struct agent, clients.again));
}

/* Until a client or a call has gone; or a while, for others may hold what is short. */
static void pause_listening(struct agent *a, int error)
{
    if (!a->clients.paused)
        log_error("%s: accept: %s; callers wait", a->clients.path, strerror(error));
    a->clients.paused = true;
    listen_update(a, false);
    timer_set(&a->clients.again, ACCEPT_AGAIN_MS);
}

static void on_listener(struct watch *w, short revents)
{
    struct agent *a = container_of(w, struct agent, clients.watch);

    (void)revents;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(a->clients.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            client_new(a, fd);
            continue;
        }
        if (errno_is_shortage(errno))
            pause_listening(a, errno);
        else
            a->clients.paused = false;
        return;
    }
}

static struct client *client_find(struct agent *a, const struct wire_ident *ident)
{
    char text[WIRE_IDENT_SIZE];

    for (struct client *c = a->clients.first; c; c = c->next) {
        if (c->state != CLIENT_PENDING)
            continue;
        snprintf(text, sizeof(text), IDENT_PREFIX "%" PRIu64, c->number);
        if (strncmp(ident->bytes, text, sizeof(ident->bytes)) == 0)
            return c;
    }
    return NULL;
}

/* One that this agent gave to a client, which may have left since. */
static bool is_ours(const struct agent *a, const struct wire_ident *ident)
{
    const char *text = wire_ident_str(ident);
    uint64_t number;

    if (!str_starts(text, IDENT_PREFIX))
        return false;
    number = strtoull(text + strlen(IDENT_PREFIX), NULL, 10);
    return number >= a->clients.first_number && number < a->clients.next_number;
}

/* The caller has left, and nobody else would free the port that it was given. */
static void connect_nobody(struct agent *a, const struct wire_connect *c)
{
    log_info("no caller %.32s is waiting for an answer", c->ident.bytes);
    if (is_ours(a, &c->ident))
        control_send_terminated(a, a->control.epoch, c->domain, c->port);
}

void clients_connect(struct agent *a, const struct wire_connect *connect)
{
    struct client *c = client_find(a, &connect->ident);
    unsigned char bytes[8];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (!c) {
        connect_nobody(a, connect);
        return;
    }
    c->state = CLIENT_CONNECTED;
    c->domain = connect->domain;
    c->port = connect->port;
    (void)wire_write_bare_peer(&w, c->domain, c->port);
    if (send(c->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) != (ssize_t)sizeof(bytes))
        client_free(c);
}

void clients_refuse(struct agent *a, const struct wire_ident *ident)
{
    struct client *c = client_find(a, ident);

    if (c)
        client_free(c);
    else
        log_info("the daemon refused %.32s, which is not there", ident->bytes);
}

/*
 * Told by the same eight bytes as where to connect, with a word in place of the port. One that is
 * gone or stopped ends by itself, and with its connection the call. One that takes no bytes has
 * some unread already.
 */
bool clients_tell(struct agent *a, const struct wire_peer *peer, uint32_t word)
{
    unsigned char bytes[8];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    bool found = false;

    (void)wire_write_bare_peer(&w, peer->domain, word);
    for (struct client *c = a->clients.first; c; c = c->next) {
        if (c->state != CLIENT_CONNECTED || c->domain != peer->domain || c->port != peer->port)
            continue;
        found = true;
        if (word == WIRE_SAYS_LOOK && c->asked)
            continue;
        c->asked |= word == WIRE_SAYS_LOOK;
        (void)send(c->fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return found;
}

bool clients_keep(struct agent *a, const struct wire_peer *peer)
{
    struct client *c = client_at(a, peer);

    if (c)
        c->epoch = a->control.epoch;
    return c;
}

void clients_flush(struct agent *a)
{
    for (struct client *c = a->clients.first, *next; c; c = next) {
        next = c->next;
        if (c->state == CLIENT_QUEUED)
            client_forward(c);
    }
}

int clients_open(struct agent *a)
{
    struct clients *s = &a->clients;
    int r;

    if (s->listener >= 0)
        return 0;
    r = unix_listen(s->path, 0777, &s->listener);
    if (!r)
        listen_update(a, true);
    return r;
}

void clients_close(struct agent *a)
{
    struct clients *s = &a->clients;

    if (s->listener >= 0) {
        watch_stop(&s->watch);
        timer_stop(&s->again);
        close_fd(&s->listener);
        (void)unlink(s->path);
    }
    for (struct client *c = s->first, *next; c; c = next) {
        next = c->next;
        if (c->state != CLIENT_CONNECTED)
            client_free(c);
    }
}

void clients_init(struct agent *a)
{
    a->clients.listener = -1;
    a->clients.watch.fn = on_listener;
    a->clients.again.fn = on_again;
    a->clients.ledger.budget = CLIENTS_PER_USER;
    a->clients.next_number = clock_real_us();
    a->clients.first_number = a->clients.next_number;
}

/* Who is connected goes on without this agent, or only begins: its vchan keeps its name. */
void clients_deinit(struct agent *a)
{
    clients_close(a);
    for (struct client *c; (c = a->clients.first);) {
        client_unlink(c);
        client_release(c);
    }
    ledger_deinit(&a->clients.ledger);
}
