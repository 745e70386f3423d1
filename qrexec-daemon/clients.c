/*
 * The daemon's socket: dom0's qrexec-client, and the daemons of domains that call ours.
 *
 * A client says hello, sends one message with port 0, gets a port, and is kept until the agent
 * reports that port as over; it may leave early. Each has its own buffers and a time limit for its
 * request; anything more that it sends ends its connection.
 *
 * The command that one asks for is a call in carried.c: with the id that the caller's daemon gave
 * it, or one of ours.
 */
#include "qrexec-daemon/carried.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define REQUEST_MS      60000 /* for hello and request */
#define ACCEPT_AGAIN_MS 200

struct client {
    struct watch watch;
    struct timer silent;
    struct client *next;
    struct daemon *daemon;
    struct buf in, out;
    bool hello, served;
    uint32_t domain, port;     /* served: its connection */
    struct running_call *call; /* that it claimed, or NULL */
    char id[CALL_ID_SIZE];     /* of its call, as it said; "": none */
    uint64_t accepted;         /* us */
};

static void drop(struct client *c)
{
    struct daemon *d = c->daemon;
    struct client **p = &d->clients;
    struct running_call *call = c->call;
    int fd = c->watch.fd;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    d->n_clients--;
    watch_stop(&c->watch);
    timer_stop(&c->silent);
    close_fd(&fd);
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    free(c);
    loop_rest();
    if (call)
        calls_client_gone(call);
}

static int reply(struct client *c, const struct wire_writer *w, int error)
{
    return error ? -EMSGSIZE : buf_append(&c->out, w->data, w->len);
}

static int send_hello(struct client *c)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int e = wire_write_hello(&w, WIRE_VERSION_CLIENT);

    return reply(c, &w, e);
}

static int send_port(struct client *c, uint32_t type)
{
    unsigned char data[32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int e = wire_write_peer(&w, type, c->daemon->domid, c->port);

    return reply(c, &w, e);
}

/* "DEFAULT:" at the start means the daemon's default user. */
static int pass_on(struct client *c, uint32_t type, struct wire_text cmdline)
{
    static char text[WIRE_EXEC_AGENT_MAX];
    const struct daemon *d = c->daemon;

    if (wire_text_starts(cmdline, "DEFAULT:")) {
        if (format(text, sizeof(text), "%s%s", d->default_user, cmdline.s + strlen("DEFAULT")))
            return -EMSGSIZE;
        cmdline = wire_text(text);
    }
    return control_send_exec(c->daemon, type, c->domain, c->port, cmdline);
}

/* "USER:QUBESRPC SERVICE+ARG …", or "USER:COMMAND". */
static struct wire_text service_of(struct wire_text cmdline)
{
    struct wire_text word;

    (void)wire_text_split(&cmdline, ':', &word);
    if (wire_text_starts(cmdline, "nogui:"))
        (void)wire_text_split(&cmdline, ':', &word);
    if (!wire_text_starts(cmdline, "QUBESRPC ") || !wire_text_split(&cmdline, ' ', &word))
        return cmdline;
    return wire_text_split(&cmdline, ' ', &word) ? word : cmdline;
}

static void note_call(struct client *c, struct wire_text cmdline)
{
    struct daemon *d = c->daemon;
    struct carried call = {.incoming = true,
                           .domain = c->domain,
                           .port = c->port,
                           .since = call_id_clock(),
                           .entered_at = clock_us()};
    char maker[WIRE_NAME_SIZE + 32];

    call.spent[CALL_ASKING_PORT] = call.entered_at - c->accepted;
    carried_text(call.target, sizeof(call.target), wire_text(d->name));
    carried_text(call.service, sizeof(call.service), service_of(cmdline));
    (void)format(maker, sizeof(maker), "%s%u.%s", c->domain ? "domain" : "dom", c->domain, d->name);
    if (*c->id)
        memcpy(call.id, c->id, sizeof(call.id));
    else
        call_id_make(call.id, maker, d->start, ++d->next_call);
    carried_add(d, &call);
}

static int on_exec(struct client *c, uint32_t type, struct wire_reader *r)
{
    struct daemon *d = c->daemon;
    struct wire_exec x;
    int e = wire_read_exec(r, &x);

    if (e || x.port != 0 || x.domain == d->domid)
        return -EPROTO;
    c->domain = x.domain;
    e = ports_allot(&d->ports, x.domain, &c->port);
    if (e) {
        log_error("%s: no port is free towards domain %u: too many open calls", d->name, x.domain);
        return -ENOBUFS;
    }
    e = send_port(c, type);
    if (!e)
        e = pass_on(c, type, x.cmdline);
    if (e)
        (void)ports_release(&d->ports, c->domain, c->port);
    else
        deaths_follow(d, c->domain, c->port);
    c->served = e == 0;
    if (c->served)
        note_call(c, x.cmdline);
    return e;
}

/* dom0's own port comes from us; one of another domain's may come with the request. */
static bool connect_is_valid(const struct daemon *d, const struct wire_connect *x)
{
    if (x->domain == d->domid)
        return false;
    return x->port == 0 || (x->domain != 0 && x->port >= PORT_FIRST);
}

/* The request is answered only when the agent can be told. */
static int on_connect(struct client *c, struct wire_reader *r)
{
    struct daemon *d = c->daemon;
    struct running_call *call;
    struct wire_connect x;
    int e = wire_read_connect(r, &x);

    if (e || !connect_is_valid(d, &x))
        return -EPROTO;
    call = calls_find(d, &x.ident);
    if (!call) {
        log_warning("%s: a client wants to connect a request that does not wait", d->name);
        return -EPROTO;
    }
    c->domain = x.domain;
    c->port = x.port;
    if (!x.port && ports_allot(&d->ports, x.domain, &c->port))
        return -ENOBUFS;
    e = x.port ? 0 : send_port(c, MSG_SERVICE_CONNECT);
    if (!e)
        e = control_send_connect(d, c->domain, c->port, &x.ident);
    if (e) {
        if (!x.port)
            (void)ports_release(&d->ports, c->domain, c->port);
        return e;
    }
    deaths_follow(d, c->domain, c->port);
    c->served = true;
    c->call = call;
    calls_claim(call, c->domain, c->port);
    return 0;
}

static int on_message(struct client *c, const struct msg_header *h, struct wire_reader *r)
{
    uint32_t version = 0;

    if (h->type == MSG_HELLO) {
        c->hello = wire_read_hello(r, &version) == 0 && version >= WIRE_VERSION_CLIENT;
        if (!c->hello)
            log_error("%s: a client speaks protocol %u, ours is %d", c->daemon->name, version,
                      WIRE_VERSION_CLIENT);
        return c->hello ? 0 : -EPROTO;
    }
    return h->type == MSG_SERVICE_CONNECT ? on_connect(c, r) : on_exec(c, h->type, r);
}

static int take_messages(struct client *c)
{
    while (buf_len(&c->in) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(&c->in), buf_len(&c->in));
        struct msg_header h;
        int e = wire_read_header(&r, &h);

        if (!e)
            e = wire_check_header(WIRE_CLIENT_TO_DAEMON, WIRE_VERSION_CLIENT, &h);
        if (e || c->served || (h.type == MSG_HELLO) == c->hello)
            return -EPROTO;
        if (buf_len(&c->in) - WIRE_HEADER_SIZE < h.len)
            return 0;
        r = wire_reader(buf_data(&c->in) + WIRE_HEADER_SIZE, h.len);
        e = on_message(c, &h, &r);
        if (e)
            return e;
        buf_consume(&c->in, WIRE_HEADER_SIZE + h.len);
    }
    return c->served && buf_len(&c->in) ? -EPROTO : 0;
}

static void turn(struct client *c)
{
    ssize_t n = buf_read_fd(&c->in, c->watch.fd, buf_room(&c->in));
    int r = n == 0 ? -EPIPE : n == -EAGAIN ? 0 : n < 0 ? (int)n : take_messages(c);

    while (!r && buf_len(&c->out)) {
        n = buf_write_fd(&c->out, c->watch.fd);
        if (n < 0 && n != -EAGAIN)
            r = (int)n;
        if (n <= 0)
            break;
    }
    if (c->served)
        timer_stop(&c->silent);
    if (r)
        drop(c);
    else
        watch_set(&c->watch, c->watch.fd, (short)(POLLIN | (buf_len(&c->out) ? POLLOUT : 0)));
}

static void on_silent(struct timer *t)
{
    struct client *c = container_of(t, struct client, silent);

    log_warning("%s: a client that sent no request is dropped", c->daemon->name);
    drop(c);
}

static void on_client(struct watch *w, short revents)
{
    (void)revents;
    turn(container_of(w, struct client, watch));
}

static void accept_one(struct daemon *d, int fd, const char *id)
{
    struct client *c = d->n_clients < DAEMON_CLIENTS_MOST ? calloc(1, sizeof(*c)) : NULL;

    if (!c) {
        if (!d->crowded)
            log_warning("%s: too many clients at a time (%zu), more are turned away", d->name,
                        d->n_clients);
        d->crowded = true;
        close(fd);
        return;
    }
    d->crowded = false;
    *c = (struct client){.watch = {.fn = on_client, .fd = fd},
                         .silent = {.fn = on_silent},
                         .next = d->clients,
                         .daemon = d,
                         .in = BUF_NULL(WIRE_HEADER_SIZE + WIRE_EXEC_MAX),
                         .out = BUF_NULL(256)};
    c->accepted = clock_us();
    (void)format(c->id, sizeof(c->id), "%s", id);
    d->clients = c;
    d->n_clients++;
    if (send_hello(c)) {
        drop(c);
        return;
    }
    watch_set(&c->watch, fd, POLLIN | POLLOUT);
    timer_set(&c->silent, REQUEST_MS);
}

static void on_accept_again(struct timer *t)
{
    struct daemon *d = container_of(t, struct daemon, accept_again);

    watch_set(&d->listening, d->listener, POLLIN);
}

/* Without a descriptor left the listener would fire for ever. */
static void pause_listening(struct daemon *d, int error)
{
    log_error("%s: cannot take a client: %s", d->name, strerror(error));
    watch_stop(&d->listening);
    d->accept_again.fn = on_accept_again;
    timer_set(&d->accept_again, ACCEPT_AGAIN_MS);
}

static void on_listener(struct watch *w, short revents)
{
    struct daemon *d = container_of(w, struct daemon, listening);

    (void)revents;
    for (int budget = 64; budget > 0; budget--) {
        char id[CALL_ID_SIZE] = "";
        int fd = call_id_accept(d->listener, CALL_ID_TARGET, id);

        if (fd < 0 && fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED)
            pause_listening(d, -fd);
        if (fd < 0)
            return;
        accept_one(d, fd, id);
    }
}

static int link_path(const struct daemon *d, const char *prefix, const char *name,
                     char buf[static UNIX_PATH_SIZE])
{
    return format(buf, UNIX_PATH_SIZE, "%s/qrexec.%s%s", d->socket_dir, prefix, name);
}

/* No domain has a name with a colon. */
static void make_link(const struct daemon *d, const char *prefix, const char *name)
{
    char path[UNIX_PATH_SIZE], temporary[UNIX_PATH_SIZE + 8], to[32];

    if (link_path(d, prefix, name, path) || format(temporary, sizeof(temporary), "%s:new", path) ||
        format(to, sizeof(to), "qrexec.%u", d->domid))
        return;
    unlink(temporary);
    if (symlink(to, temporary) < 0 || rename(temporary, path) < 0)
        log_error("%s: cannot make the link %s: %s", d->name, path, strerror(errno));
}

/* Only ours: another daemon may serve a new domain of that name by now. */
static void remove_link(const struct daemon *d, const char *prefix, const char *name)
{
    char path[UNIX_PATH_SIZE], ours[32];

    if (link_path(d, prefix, name, path) == 0 &&
        format(ours, sizeof(ours), "qrexec.%u", d->domid) == 0)
        link_remove(path, ours);
}

int clients_listen(struct daemon *d)
{
    char path[UNIX_PATH_SIZE], number[16];
    int r = format(number, sizeof(number), "%u", d->domid);

    if (!r)
        r = link_path(d, "", number, path);
    if (!r)
        r = mkdir_all(d->socket_dir, 0755);
    if (!r)
        r = unix_listen(path, 0660, &d->listener);
    if (r) {
        log_error("%s: cannot serve %s: %s", d->name, path, strerror(-r));
        return r;
    }
    group_give(path);
    make_link(d, "", d->name);
    make_link(d, "uuid:", d->uuid);
    d->listening.fn = on_listener;
    watch_set(&d->listening, d->listener, POLLIN);
    return 0;
}

void clients_stop(struct daemon *d)
{
    char path[UNIX_PATH_SIZE], number[16];

    timer_stop(&d->accept_again);
    if (d->listener >= 0) {
        watch_stop(&d->listening);
        close_fd(&d->listener);
        remove_link(d, "", d->name);
        remove_link(d, "uuid:", d->uuid);
        if (format(number, sizeof(number), "%u", d->domid) == 0 &&
            link_path(d, "", number, path) == 0)
            unlink(path);
    }
    while (d->clients)
        drop(d->clients);
}

void clients_terminated(struct daemon *d, uint32_t domain, uint32_t port)
{
    for (struct client *c = d->clients; c; c = c->next)
        if (c->served && c->domain == domain && c->port == port) {
            drop(c);
            return;
        }
}

void clients_stop_call(struct daemon *d, uint32_t domain, uint32_t port)
{
    pid_t pid = 0;
    uid_t uid;

    for (struct client *c = d->clients; c; c = c->next)
        if (c->served && c->domain == domain && c->port == port && (domain == 0 || c->call) &&
            unix_peer(c->watch.fd, &pid, &uid) == 0 && pid > 1)
            (void)kill(pid, SIGUSR2);
}

void clients_forget(struct daemon *d, const struct running_call *call)
{
    for (struct client *c = d->clients; c; c = c->next)
        if (c->call == call)
            c->call = NULL;
}
