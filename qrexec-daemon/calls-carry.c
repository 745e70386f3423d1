/*
 * Carrying: what a decided call needs until the caller can be told where to connect, and holds
 * until its end. The spawner, the target's daemon, and dom0's end.
 */
#include "qrexec-daemon/running-call.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define PEER_ANSWER_MAX 64

/* ---- The spawner ---- */

static void on_maker(void *user, enum maker_event ev, const char *text)
{
    struct running_call *c = user;

    if (ev == MAKER_MADE && *text)
        c->target_name[0] = 0; /* that of the template */
    if (ev == MAKER_MADE && *text)
        (void)format(c->target, sizeof(c->target), "%s", text); /* both are MAKER_NAME_SIZE */
    call_handle(&c->machine,
                ev == MAKER_MADE     ? CALL_EV_MADE
                : ev == MAKER_FAILED ? CALL_EV_MAKE_FAILED
                                     : CALL_EV_LEASE_GONE,
                ev == MAKER_MADE ? NULL : text);
}

int carry_make_disposable(struct call *m)
{
    struct running_call *c = running_call_of(m);

    return maker_lease(c->daemon->name, c->target, c->by_uuid, on_maker, c, &c->maker);
}

int carry_start_target(struct call *m)
{
    struct running_call *c = running_call_of(m);

    return maker_start(c->target, on_maker, c, &c->maker);
}

void carry_drop_lease(struct call *m)
{
    maker_drop(take(running_call_of(m)->maker));
}

/* ---- The target's daemon ---- */

/* What has come from it: 0: not all there yet; these; -EPROTO. */
enum { PEER_GAVE_PORT = 1, PEER_IS_OLD };

/* Its hello, then where the caller connects. */
static int take_peer_message(struct running_call *c, struct wire_reader *r,
                             const struct msg_header *h)
{
    struct wire_peer peer;
    uint32_t version = 0;

    if (!c->peer_said_hello) {
        if (h->type != MSG_HELLO || wire_read_hello(r, &version))
            return -EPROTO;
        c->peer_version = version;
        if (version < WIRE_VERSION_CLIENT)
            return PEER_IS_OLD;
        c->peer_said_hello = true;
        return 0;
    }
    if (h->type != MSG_EXEC_CMDLINE || wire_read_peer(r, &peer) || !peer.port ||
        peer.domain == c->daemon->domid || peer.domain == 0)
        return -EPROTO;
    c->domain = peer.domain;
    c->port = peer.port;
    return PEER_GAVE_PORT;
}

static int take_peer_messages(struct running_call *c)
{
    struct buf *in = &c->peer.in;
    int e = 0;

    while (!e && buf_len(in) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(in), buf_len(in));
        struct msg_header h;

        if (wire_read_header(&r, &h) ||
            wire_check_header(WIRE_DAEMON_TO_CLIENT, WIRE_VERSION_CLIENT, &h))
            return -EPROTO;
        if (buf_len(in) - WIRE_HEADER_SIZE < h.len)
            return 0;
        r = wire_reader(buf_data(in) + WIRE_HEADER_SIZE, h.len);
        e = take_peer_message(c, &r, &h);
        buf_consume(in, WIRE_HEADER_SIZE + h.len);
    }
    return e;
}

static void refuse_version(struct running_call *c)
{
    char why[96];

    snprintf(why, sizeof(why), "it speaks protocol %u, at least %d is needed: restart that domain",
             c->peer_version, WIRE_VERSION_CLIENT);
    call_handle(&c->machine, CALL_EV_TARGET_GONE, why);
}

static void on_peer(struct stream *s, int status)
{
    struct running_call *c = container_of(s, struct running_call, peer);
    bool nobody = status == -ENOENT || status == -ECONNREFUSED;
    int r = c->port ? 0 : take_peer_messages(c);

    if (r == PEER_GAVE_PORT)
        call_handle(&c->machine, CALL_EV_PORT, NULL);
    else if (r == PEER_IS_OLD)
        refuse_version(c);
    else if (nobody && !c->peer_said_hello)
        call_handle(&c->machine, CALL_EV_NO_DAEMON, strerror(-status));
    else if (r < 0)
        call_handle(&c->machine, CALL_EV_TARGET_GONE, "it did not answer as a daemon does");
    else if (status)
        call_handle(&c->machine, CALL_EV_TARGET_GONE, status < 0 ? strerror(-status) : NULL);
}

int carry_ask_port(struct call *m)
{
    struct running_call *c = running_call_of(m);
    static unsigned char data[WIRE_CONTROL_MAX + 32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    char path[PATH_SIZE];
    int r = format(path, sizeof(path), "%s/qrexec.%s", c->daemon->socket_dir, c->target);

    c->peer_said_hello = false;
    if (m->target == CALL_TO_VM)
        maker_drop(take(c->maker)); /* its start has been answered */
    if (!r && (wire_write_hello(&w, WIRE_VERSION_CLIENT) ||
               wire_write_exec(&w, MSG_EXEC_CMDLINE, c->daemon->domid, 0, wire_text(c->command))))
        r = -EMSGSIZE;
    return r ? r : stream_open(&c->peer, path, w.data, w.len, false, PEER_ANSWER_MAX, on_peer);
}

void carry_drop_target(struct call *m)
{
    stream_close(&running_call_of(m)->peer);
}

/* ---- dom0's end ---- */

/* A child whose call is over: it carries its data to the end, or was killed. Only reaped. */
struct orphan {
    struct watch watch;
    struct orphan *next;
    struct daemon *daemon;
    pid_t pid;
};

static void orphan_free(struct orphan *o)
{
    struct orphan **p = &o->daemon->orphans;
    int fd = o->watch.fd;

    while (*p != o)
        p = &(*p)->next;
    *p = o->next;
    watch_stop(&o->watch);
    close_fd(&fd);
    free(o);
}

static void on_orphan(struct watch *w, short revents)
{
    struct orphan *o = container_of(w, struct orphan, watch);

    (void)revents;
    (void)spawn_wait(o->pid);
    orphan_free(o);
}

void carry_forget_orphans(struct daemon *d)
{
    while (d->orphans)
        orphan_free(d->orphans);
}

static void on_child(struct watch *w, short revents)
{
    struct running_call *c = container_of(w, struct running_call, child_watch);
    int code = spawn_wait(c->child), fd = w->fd;
    char detail[64];

    (void)revents;
    watch_stop(w);
    close_fd(&fd);
    w->fd = -1;
    c->child = 0;
    snprintf(detail, sizeof(detail), "qrexec-client ended with %d", code);
    call_handle(&c->machine, CALL_EV_CHILD_ENDED, detail);
}

static int start_child(struct running_call *c, char *const *argv)
{
    const int fds[] = {-1, -1, STDERR_FILENO};
    int pidfd = -1;
    int r = spawn_process(
        &(struct spawn){.path = argv[0], .argv = argv, .fds = fds, .n_fds = ARRAY_SIZE(fds)},
        &c->child, &pidfd);

    if (r) {
        c->child = 0;
        return r;
    }
    c->child_watch.fn = on_child;
    watch_set(&c->child_watch, pidfd, POLLIN);
    return 0;
}

int carry_run_in_dom0(struct call *m)
{
    struct running_call *c = running_call_of(m);
    const struct daemon *d = c->daemon;
    _cleanup_(freep) char *who =
        format_new("%s,%s,%u", wire_ident_str(&c->request.ident), d->name, d->domid);
    _cleanup_(freep) char *dir = format_new("--socket-dir=%s", d->socket_dir);
    char path[PATH_SIZE];
    char *argv[] = {path,           dir,          (char *)"-E", (char *)"-W", (char *)"-d",
                    (char *)"dom0", (char *)"-c", who,          c->command,   NULL};
    int r = path_program(path, PATH_LIB, "qrexec-client");

    if (r || !who || !dir)
        return r ? r : -ENOMEM;
    return start_child(c, argv);
}

/* One that did not come for its request must not come later for another of the same ident. */
void carry_drop_child(struct call *m)
{
    struct running_call *c = running_call_of(m);
    struct orphan *o;

    if (!c->child)
        return;
    if (!c->claimed)
        kill(c->child, SIGKILL);
    else if (c->stopped)
        kill(c->child, SIGUSR2);
    o = calloc(1, sizeof(*o));
    if (o) {
        *o = (struct orphan){.watch = {.fn = on_orphan, .fd = -1},
                             .next = c->daemon->orphans,
                             .daemon = c->daemon,
                             .pid = c->child};
        c->daemon->orphans = o;
        watch_set(&o->watch, c->child_watch.fd, POLLIN);
    }
    watch_stop(&c->child_watch);
    if (!o)
        close_fd(&c->child_watch.fd);
    c->child_watch.fd = -1;
    c->child = 0;
}
