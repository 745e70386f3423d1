/*
 * The driver of call.c: one running_call per request, with the connections that it needs.
 *
 * A stream is a client connection of ours to a local socket: what is to be said is queued, what
 * comes is gathered, and a reader looks at it after each arrival. Events go to the machine last in
 * a handler, since the call may be freed there.
 */
#include "qrexec-daemon/daemon.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/wire/admin.h"
#include "libqrexec/wire/policy-text.h"
#include "qrexec-daemon/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define ANSWER_MAX 65536

struct stream {
    struct watch watch; /* fd -1: not open */
    struct buf in, out;
};

struct running_call {
    struct call machine;
    struct running_call *next;
    struct daemon *daemon;
    struct pending pending;
    struct timer timer;
    struct timer late; /* an outcome that was known at once: told with the next turn */
    enum call_event late_event;
    char late_detail[64];
    uint64_t number;
    struct wire_request request;
    char *service;    /* of the request, allocated */
    char *command;    /* what the target runs */
    char target[128]; /* after the decision: a name, dom0, @dispvm:…; then the disposable's name */
    struct stream policy, lease, peer;
    bool by_program, claimed;
    pid_t child;
    struct watch child_watch;
    uint32_t domain, port; /* where the caller connects; the target */
    bool peer_said_hello;
};

#define CALL_OF(ptr) container_of(ptr, struct running_call, machine)

static void on_late(struct timer *t)
{
    struct running_call *c = container_of(t, struct running_call, late);

    call_handle(&c->machine, c->late_event, c->late_detail);
}

/* Never from inside an op: the call may end by it. */
static int tell_late(struct running_call *c, enum call_event ev, const char *detail)
{
    c->late_event = ev;
    snprintf(c->late_detail, sizeof(c->late_detail), "%s", detail);
    c->late.fn = on_late;
    timer_set(&c->late, 0);
    return 0;
}

static void stream_close(struct stream *s)
{
    int fd = s->watch.fd;

    if (fd >= 0)
        watch_stop(&s->watch);
    close_fd(&fd);
    s->watch.fd = -1;
    buf_deinit(&s->in);
    buf_deinit(&s->out);
}

static void stream_begin(struct stream *s, int fd, void (*fn)(struct watch *, short))
{
    s->watch.fn = fn;
    s->in = BUF_NULL(ANSWER_MAX);
    s->out.limit = 2 * WIRE_EXEC_MAX;
    watch_set(&s->watch, fd, (short)(POLLIN | (buf_len(&s->out) ? POLLOUT : 0)));
}

/* Moves what can be moved. 1: end of file; 0; negative errno. */
static int stream_turn(struct stream *s, bool half_close)
{
    ssize_t n = buf_len(&s->out) ? buf_write_fd(&s->out, s->watch.fd) : 0;

    if (n < 0 && n != -EAGAIN)
        return (int)n;
    if (half_close && n > 0 && !buf_len(&s->out))
        shutdown(s->watch.fd, SHUT_WR);
    n = buf_read_fd(&s->in, s->watch.fd, ANSWER_MAX);
    watch_set(&s->watch, s->watch.fd, (short)(POLLIN | (buf_len(&s->out) ? POLLOUT : 0)));
    if (n == 0)
        return 1;
    return n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* ---- The policy service ---- */

static void decide_target(struct running_call *c, const struct policy_answer *a)
{
    struct wire_text target = a->target, uuid = a->target_uuid;

    c->machine.autostart = a->autostart;
    if (wire_text_is(target, "dom0") || wire_text_is(target, "@adminvm"))
        c->machine.target = CALL_TO_DOM0;
    else
        c->machine.target = wire_text_starts(target, "@dispvm:") ? CALL_TO_DISPOSABLE : CALL_TO_VM;
    if (uuid.s && uuid.len && c->machine.target != CALL_TO_DOM0)
        target = uuid;
    if (c->machine.target == CALL_TO_DISPOSABLE)
        target = (struct wire_text){target.s + strlen("@dispvm:"), target.len - strlen("@dispvm:")};
    snprintf(c->target, sizeof(c->target), "%.*s", WIRE_TEXT_ARGS(target));
}

/* USER:QUBESRPC SERVICE+ARG SOURCE, for dom0 QUBESRPC SERVICE+ARG SOURCE TYPE TARGET. */
static int make_command(struct running_call *c, const struct policy_answer *a)
{
    struct wire_text service = a->service.s && a->service.len ? a->service : wire_text(c->service);
    struct wire_text source =
        a->policy_source.s && a->policy_source.len ? a->policy_source : wire_text(c->daemon->name);
    struct wire_text asked = a->requested_target;
    const char *plus = memchr(service.s, '+', service.len) ? "" : "+";
    bool keyword = wire_text_starts(asked, "@");

    free(c->command);
    if (c->machine.target == CALL_TO_DOM0)
        c->command = format_new("QUBESRPC %.*s%s %.*s %s %.*s", WIRE_TEXT_ARGS(service), plus,
                                WIRE_TEXT_ARGS(source), keyword ? "keyword" : "name",
                                (int)(asked.len - keyword), asked.s + keyword);
    else
        c->command = format_new("%.*s:QUBESRPC %.*s%s %.*s", WIRE_TEXT_ARGS(a->user),
                                WIRE_TEXT_ARGS(service), plus, WIRE_TEXT_ARGS(source));
    return c->command ? 0 : -ENOMEM;
}

static void take_answer(struct running_call *c, bool failed)
{
    struct policy_answer a;
    int e = failed ? WIRE_E_SHORT
                   : policy_text_read_answer(buf_data(&c->policy.in), buf_len(&c->policy.in), &a);

    if (!e && a.allow)
        decide_target(c, &a);
    if (!e && a.allow && make_command(c, &a))
        e = WIRE_E_SPACE;
    if (!e && a.allow && c->machine.target == CALL_TO_VM && str_equal(c->target, c->daemon->name))
        call_handle(&c->machine, CALL_EV_DENIED, "a domain cannot call itself");
    else
        call_handle(&c->machine,
                    e         ? CALL_EV_NO_VERDICT
                    : a.allow ? CALL_EV_ALLOWED
                              : CALL_EV_DENIED,
                    e ? wire_error_text(e) : NULL);
}

static void on_policy(struct watch *w, short revents)
{
    struct running_call *c =
        container_of(container_of(w, struct stream, watch), struct running_call, policy);
    int r = stream_turn(&c->policy, true);

    (void)revents;
    if (r)
        take_answer(c, r < 0);
}

static int ask_policy(struct call *m)
{
    struct running_call *c = CALL_OF(m);
    struct policy_query q = {.source = wire_text(c->daemon->name),
                             .target = wire_text(c->request.target),
                             .service = wire_text(c->service),
                             .requested_source = wire_text(c->request.source)};
    static char text[POLICY_REQUEST_MAX];
    struct wire_writer w = wire_writer(text, sizeof(text));
    char path[PATH_SIZE];
    int fd = -1, r = path_get(path, "/run/qubes/policy.sock");

    if (!r && policy_text_write_query(&w, &q))
        r = -EMSGSIZE;
    if (!r)
        r = unix_connect(path, &fd);
    if (r)
        return tell_late(c, CALL_EV_NO_VERDICT, strerror(-r));
    c->policy.out = BUF_NULL(POLICY_REQUEST_MAX);
    r = buf_append(&c->policy.out, w.data, w.len);
    stream_begin(&c->policy, fd, on_policy);
    return r;
}

static void drop_policy(struct call *m)
{
    stream_close(&CALL_OF(m)->policy);
}

/* ---- Children: the policy program, dom0's end ---- */

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
    if (c->by_program) {
        c->by_program = false;
        if (code != 0 && c->machine.state == CALL_DECIDING)
            call_handle(&c->machine, CALL_EV_NO_VERDICT, "the policy program failed");
        return;
    }
    snprintf(detail, sizeof(detail), "exit code %d", code);
    call_handle(&c->machine, CALL_EV_CHILD_ENDED, detail);
}

static int start_child(struct running_call *c, char *const *argv, int out)
{
    int fds[3] = {-1, out, STDERR_FILENO}, pidfd = -1;
    int r = spawn_process(&(struct spawn){.path = argv[0], .argv = argv, .fds = fds, .n_fds = 3},
                          &c->child, &pidfd);

    if (r)
        return r;
    c->child_watch.fn = on_child;
    watch_set(&c->child_watch, pidfd, POLLIN);
    return 0;
}

static bool program_runs(const struct daemon *d)
{
    for (const struct running_call *c = d->calls; c; c = c->next)
        if (c->by_program)
            return true;
    return false;
}

/* One at a time, so that a dead policy service cannot bring dom0 down with it. */
static int ask_program(struct call *m)
{
    static bool said;
    struct running_call *c = CALL_OF(m);
    struct daemon *d = c->daemon;
    char *argv[] = {(char *)d->policy_program, (char *)"--", (char *)d->name,
                    c->request.target,         c->service,   NULL};
    int p[2], r;

    if (!said)
        log_error("%s: the policy service does not answer (%s); %s is asked instead, one request "
                  "at a time",
                  d->name, m->why, d->policy_program);
    said = true;
    if (program_runs(d))
        return -EBUSY;
    if (pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    r = start_child(c, argv, p[1]);
    close(p[1]);
    if (!r)
        r = fd_set_nonblock(p[0], true);
    if (r) {
        close(p[0]);
        return r;
    }
    c->by_program = true;
    stream_begin(&c->policy, p[0], on_policy);
    return 0;
}

static int run_in_dom0(struct call *m)
{
    struct running_call *c = CALL_OF(m);
    char path[PATH_SIZE], *argv[9];
    _cleanup_(freep) char *who = format_new("%s,%s,%u", wire_ident_str(&c->request.ident),
                                            c->daemon->name, c->daemon->domid);
    _cleanup_(freep) char *dir = format_new("--socket-dir=%s", c->daemon->socket_dir);
    int r = path_program(path, PATH_LIB, "qrexec-client");

    if (r || !who || !dir)
        return r ? r : -ENOMEM;
    setenv("QREXEC_ROOT", paths_root(), 1);
    argv[0] = path;
    argv[1] = dir;
    argv[2] = (char *)"-E";
    argv[3] = (char *)"-W";
    argv[4] = (char *)"-c";
    argv[5] = who;
    argv[6] = (char *)"-ddom0";
    argv[7] = c->command;
    argv[8] = NULL;
    return start_child(c, argv, -1);
}

/* A child that outlives its call: dom0's end goes on with its data. Only reaped. */
struct orphan {
    struct watch watch;
    pid_t pid;
};

static void on_orphan(struct watch *w, short revents)
{
    struct orphan *o = container_of(w, struct orphan, watch);
    int fd = w->fd;

    (void)revents;
    watch_stop(w);
    close_fd(&fd);
    (void)spawn_wait(o->pid);
    free(o);
}

static void drop_child(struct call *m)
{
    struct running_call *c = CALL_OF(m);
    int fd = c->child_watch.fd;
    struct orphan *o;

    if (!c->child)
        return;
    watch_stop(&c->child_watch);
    c->child_watch.fd = -1;
    o = calloc(1, sizeof(*o));
    if (o) {
        *o = (struct orphan){.watch = {.fn = on_orphan}, .pid = c->child};
        watch_set(&o->watch, fd, POLLIN);
    } else {
        close_fd(&fd);
    }
    c->child = 0;
}

/* ---- The spawner ---- */

/* A lease's success is one line; the connection stays open. */
static void take_lease(struct running_call *c, int end)
{
    const char *data = (const char *)buf_data(&c->lease.in), *nl;
    struct admin_answer a;
    char text[256] = "the spawner closed the connection";

    nl = buf_len(&c->lease.in) ? memchr(data, '\n', buf_len(&c->lease.in)) : NULL;
    if (c->machine.state == CALL_MAKING && nl && data[0] == '0') {
        size_t n = strcspn(data + 2, " \n");

        snprintf(c->target, sizeof(c->target), "%.*s", (int)size_min(n, sizeof(c->target) - 1),
                 data + 2);
        call_handle(&c->machine, CALL_EV_MADE, NULL);
        return;
    }
    if (!end)
        return;
    if (c->machine.state == CALL_MAKING && !admin_read_answer(data, buf_len(&c->lease.in), &a)) {
        if (a.success && c->machine.target == CALL_TO_VM) {
            call_handle(&c->machine, CALL_EV_MADE, NULL);
            return;
        }
        if (!a.success && wire_text_is(a.type, "QubesVMNotHaltedError") &&
            c->machine.target == CALL_TO_VM) {
            call_handle(&c->machine, CALL_EV_MADE, NULL);
            return;
        }
        if (!a.success)
            admin_exception_text(&a, text, sizeof(text));
    }
    watch_stop(&c->lease.watch);
    call_handle(&c->machine,
                c->machine.state == CALL_MAKING ? CALL_EV_MAKE_FAILED : CALL_EV_LEASE_GONE, text);
}

static void on_lease(struct watch *w, short revents)
{
    struct running_call *c =
        container_of(container_of(w, struct stream, watch), struct running_call, lease);
    int r = stream_turn(&c->lease, c->machine.target == CALL_TO_VM);

    (void)revents;
    take_lease(c, r);
}

static int ask_spawner(struct running_call *c, const char *socket_name, const char *method,
                       const char *payload)
{
    char data[1024], path[PATH_SIZE];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int fd = -1, r = path_get(path, "/run/%s", socket_name);
    bool lease = c->machine.target == CALL_TO_DISPOSABLE;

    if (!r && admin_write_request(&w, method, "", lease ? c->daemon->name : "dom0", c->target,
                                  false, payload, strlen(payload)))
        r = -EMSGSIZE;
    if (!r)
        r = unix_connect(path, &fd);
    if (r)
        return r;
    c->lease.out = BUF_NULL(sizeof(data));
    r = buf_append(&c->lease.out, w.data, w.len);
    stream_begin(&c->lease, fd, on_lease);
    return r;
}

static int make_disposable(struct call *m)
{
    return ask_spawner(CALL_OF(m), "qubesd.internal.sock", "internal.LeaseDisposable", "\n");
}

static int start_target(struct call *m)
{
    return ask_spawner(CALL_OF(m), "qubesd.sock", "admin.vm.Start", "");
}

static void drop_lease(struct call *m)
{
    stream_close(&CALL_OF(m)->lease);
}

/* ---- The target's daemon ---- */

/* Its hello, then its answer with the port. 0; 1: the port is there; -EPROTO. */
static int take_peer_message(struct running_call *c)
{
    while (buf_len(&c->peer.in) >= WIRE_HEADER_SIZE) {
        struct wire_reader r = wire_reader(buf_data(&c->peer.in), buf_len(&c->peer.in));
        struct msg_header h;
        struct wire_peer p;
        uint32_t version;

        if (wire_read_header(&r, &h) ||
            wire_check_header(WIRE_DAEMON_TO_CLIENT, WIRE_VERSION_CLIENT, &h))
            return -EPROTO;
        if (buf_len(&c->peer.in) - WIRE_HEADER_SIZE < h.len)
            return 0;
        r = wire_reader(buf_data(&c->peer.in) + WIRE_HEADER_SIZE, h.len);
        if (!c->peer_said_hello) {
            if (h.type != MSG_HELLO || wire_read_hello(&r, &version) ||
                version < WIRE_VERSION_CLIENT)
                return -EPROTO;
            c->peer_said_hello = true;
        } else {
            if (c->port || h.type == MSG_HELLO || wire_read_peer(&r, &p) || !p.port)
                return -EPROTO;
            c->domain = p.domain;
            c->port = p.port;
        }
        buf_consume(&c->peer.in, WIRE_HEADER_SIZE + h.len);
        if (c->port)
            return 1;
    }
    return 0;
}

static void on_peer(struct watch *w, short revents)
{
    struct running_call *c =
        container_of(container_of(w, struct stream, watch), struct running_call, peer);
    int end = stream_turn(&c->peer, false), r = c->port ? 0 : take_peer_message(c);

    (void)revents;
    if (r == 1)
        call_handle(&c->machine, CALL_EV_PORT, NULL);
    else if (end || r < 0)
        call_handle(&c->machine, CALL_EV_TARGET_GONE, NULL);
}

static int ask_port(struct call *m)
{
    struct running_call *c = CALL_OF(m);
    static unsigned char data[WIRE_CONTROL_MAX + 32];
    struct wire_writer w = wire_writer(data, sizeof(data));
    char path[PATH_SIZE];
    int fd = -1, r = format(path, sizeof(path), "%s/qrexec.%s", c->daemon->socket_dir, c->target);

    stream_close(&c->peer);
    if (m->target == CALL_TO_VM)
        stream_close(&c->lease); /* it was a request to start, and is answered */
    if (!r)
        r = unix_connect(path, &fd);
    if (r == -ENOENT || r == -ECONNREFUSED)
        return tell_late(c, CALL_EV_NO_DAEMON, strerror(-r));
    if (!r && (wire_write_hello(&w, WIRE_VERSION_CLIENT) ||
               wire_write_exec(&w, MSG_EXEC_CMDLINE, c->daemon->domid, 0, wire_text(c->command))))
        r = -EMSGSIZE;
    if (r) {
        close_fd(&fd);
        return r;
    }
    c->peer.out = BUF_NULL(sizeof(data));
    r = buf_append(&c->peer.out, w.data, w.len);
    stream_begin(&c->peer, fd, on_peer);
    return r;
}

static int connect_caller(struct call *m)
{
    struct running_call *c = CALL_OF(m);

    if (!pending_close(&c->daemon->pending, &c->pending))
        return -ESTALE;
    return control_send_connect(c->daemon, c->domain, c->port, &c->request.ident);
}

static void refuse_caller(struct call *m)
{
    struct running_call *c = CALL_OF(m);

    if (pending_close(&c->daemon->pending, &c->pending))
        control_send_refused(c->daemon, &c->request.ident);
}

static void drop_target(struct call *m)
{
    stream_close(&CALL_OF(m)->peer);
}

/* ---- Life ---- */

static void on_deadline(struct timer *t)
{
    struct running_call *c = container_of(t, struct running_call, timer);

    call_handle(&c->machine, CALL_EV_DEADLINE, call_state_name(c->machine.state));
}

static void entered(struct call *m, uint64_t ms)
{
    struct running_call *c = CALL_OF(m);

    log_debug("call %s-%llu: %s", c->daemon->name, (unsigned long long)c->number,
              call_state_name(m->state));
    timer_stop(&c->timer);
    c->timer.fn = on_deadline;
    if (ms)
        timer_set(&c->timer, ms);
}

static void free_call(struct running_call *c)
{
    struct running_call **p = &c->daemon->calls;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    c->daemon->n_calls--;
    timer_stop(&c->timer);
    timer_stop(&c->late);
    clients_forget(c->daemon, c);
    (void)pending_close(&c->daemon->pending, &c->pending);
    free(c->service);
    free(c->command);
    free(c);
}

static void ended(struct call *m, bool failed)
{
    struct running_call *c = CALL_OF(m);

    if (failed)
        log_error("call %s-%llu: %s: %s -> %s: %s", c->daemon->name, (unsigned long long)c->number,
                  c->service, c->daemon->name, *c->target ? c->target : c->request.target, m->why);
    free_call(c);
}

static const struct call_ops ops = {
    .ask_policy = ask_policy,
    .ask_program = ask_program,
    .make_disposable = make_disposable,
    .start_target = start_target,
    .ask_port = ask_port,
    .run_in_dom0 = run_in_dom0,
    .connect_caller = connect_caller,
    .refuse_caller = refuse_caller,
    .drop_policy = drop_policy,
    .drop_target = drop_target,
    .drop_lease = drop_lease,
    .drop_child = drop_child,
    .entered = entered,
    .ended = ended,
};

void calls_trigger(struct daemon *d, const struct wire_trigger *t)
{
    static char service[WIRE_SERVICE_SIZE];
    struct wire_request rq;
    struct running_call *c;
    int e = wire_clean_trigger(t, service, &rq);

    c = e ? NULL : calloc(1, sizeof(*c));
    if (c)
        c->service = strdup(service);
    if (!c || !c->service ||
        pending_open(&d->pending, &c->pending, (const unsigned char *)rq.ident.bytes)) {
        log_warning("%s: a request is refused: %s", d->name,
                    e ? wire_error_text(e) : "too many are waiting");
        control_send_refused(d, &t->ident);
        if (c)
            free(c->service);
        free(c);
        return;
    }
    c->daemon = d;
    c->request = rq;
    c->request.service = c->service;
    c->number = ++d->next_call;
    c->policy.watch.fd = c->lease.watch.fd = c->peer.watch.fd = c->child_watch.fd = -1;
    c->next = d->calls;
    d->calls = c;
    d->n_calls++;
    call_begin(&c->machine, &ops, !*rq.source);
}

void calls_terminated(struct daemon *d, uint32_t domain, uint32_t port)
{
    for (struct running_call *c = d->calls; c; c = c->next)
        if (c->machine.answered && c->domain == domain && c->port == port) {
            call_handle(&c->machine, CALL_EV_CALLER_DONE, NULL);
            return;
        }
}

void calls_stop(struct daemon *d)
{
    while (d->calls)
        call_handle(&d->calls->machine, CALL_EV_AGENT_GONE, NULL);
}

struct running_call *calls_claim(struct daemon *d, const struct wire_ident *ident)
{
    for (struct running_call *c = d->calls; c; c = c->next)
        if (call_is_claimable(&c->machine) && wire_ident_equal(&c->request.ident, ident) &&
            pending_close(&d->pending, &c->pending)) {
            c->claimed = true;
            call_handle(&c->machine, CALL_EV_CLAIMED, NULL);
            return c;
        }
    return NULL;
}

void calls_client_gone(struct running_call *c)
{
    call_handle(&c->machine, CALL_EV_CLIENT_GONE, NULL);
}
