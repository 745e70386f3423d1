/* The policy daemon's sockets and the life of a request: see policy-server.h. */
#include "policy-engine/policy-server.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "policy-engine/eval-question.h"
#include "policy-engine/policy-request.h"

#include <errno.h>
#include <sys/socket.h>

#define CLIENTS_MOST 4096
#define SOURCE_MOST  512  /* requests of one source at a time */
#define READ_SIZE    1024 /* most requests are one read */
#define SPARE_MOST   4096 /* memory of its input that a spare one may keep */
#define LATE_MS      60000

/* ---- A request's end ---- */

static void close_watch(struct watch *w)
{
    int fd = w->fd;

    if (w->events)
        watch_stop(w);
    close_fd(&fd);
    w->fd = -1;
}

static void listen_again(struct policy_server *s)
{
    for (size_t i = 0; i < SOCKETS; i++)
        if (s->listeners[i].watch.fd >= 0)
            watch_set(&s->listeners[i].watch, s->listeners[i].watch.fd, POLLIN);
}

/* One that says nothing, or a byte now and then, has its place for a minute. */
static void on_late(struct timer *t)
{
    struct request *q = container_of(t, struct request, late);

    if (q->state == READING && buf_len(&q->in))
        log_warning("a request did not come whole within %d s", LATE_MS / 1000);
    request_hang_up(q);
}

static void wait_for_client(struct request *q, short events)
{
    if (!q->late.set)
        timer_set(&q->late, LATE_MS);
    watch_set(&q->client, q->client.fd, events);
}

static void free_memory(struct request *q)
{
    buf_deinit(&q->in);
    buf_deinit(&q->out);
    free(q);
}

static struct request *new_request(struct policy_server *s, enum socket_kind kind)
{
    struct request *q = s->spare ? take(s->spare) : calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    buf_consume(&q->in, buf_len(&q->in));
    buf_consume(&q->out, buf_len(&q->out));
    q->in.limit = kind == SOCKET_POLICY ? POLICY_REQUEST_MAX : EVAL_REQUEST_MAX;
    q->out.limit = POLICY_ANSWER_MAX;
    q->late.fn = on_late;
    q->kind = kind;
    q->server = s;
    q->next = s->first;
    s->first = q;
    s->n++;
    return q;
}

void request_hang_up(struct request *q)
{
    struct policy_server *s = q->server;
    struct request **p = &s->first;

    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    s->n--;
    timer_stop(&q->late);
    hangup_stop(&q->gone);
    guivm_call_stop(&q->prompt);
    close_watch(&q->client);
    policy_verdict_deinit(&q->asked);
    policy_question_deinit(&q->question);
    policy_unref(q->policy);
    policy_domains_unref(q->domains);
    charge_release(&q->charge);
    free(q->caller);
    free(q->shadow);
    if (s->spare || q->in.size > SPARE_MOST) {
        free_memory(q);
    } else {
        *q = (struct request){.in = q->in, .out = q->out};
        s->spare = q;
    }
    listen_again(s);
}

/* ---- Answers ---- */

/* The stream's end is the answer's, so it is closed as soon as all is said. */
static void write_out(struct request *q)
{
    ssize_t n = buf_write_fd(&q->out, q->client.fd);

    if ((n < 0 && n != -EAGAIN) || !buf_len(&q->out))
        close_watch(&q->client);
    else
        wait_for_client(q, POLLOUT);
}

void request_send(struct request *q, const struct policy_verdict *v)
{
    static char text[POLICY_ANSWER_MAX + 1];
    int n = policy_answer_text(q->domains, &q->question, v, text, sizeof(text));

    q->state = WRITING;
    if (n < 0 || buf_append(&q->out, text, (size_t)n))
        close_watch(&q->client);
    else
        write_out(q);
}

void request_finish(struct request *q)
{
    if (q->client.fd < 0)
        request_hang_up(q);
}

/* ---- Questions ---- */

static void on_domains(struct freshness *f)
{
    struct policy_server *s = container_of(f, struct policy_server, fresh);
    struct request *next;
    bool wait = false;

    account_tell_broken(s);
    for (struct request *q = s->first; q; q = next) {
        next = q->next;
        if (q->state != WAITING_FOR_DOMAINS && q->state != ANSWERED)
            continue;
        if (!freshness_serves(f, q->need))
            wait = true;
        else if (q->state == ANSWERED)
            request_recheck(q);
        else
            request_decide(q);
    }
    if (wait)
        freshness_ask(f);
}

static int read_question(struct request *q, bool eof, const char **reterr)
{
    static const char *const services[SOCKETS] = {
        [SOCKET_EVAL] = "policy.EvalSimple", [SOCKET_GUI] = "policy.EvalGUI"};
    struct policy_query query;
    int e;

    if (q->kind != SOCKET_POLICY) {
        *reterr = "not a service's descriptor and SOURCE NUL TARGET";
        e = eval_question_read(services[q->kind], buf_data(&q->in), buf_len(&q->in), eof,
                               &q->question, &q->caller);
        return e == EVAL_E_MORE ? -EAGAIN : e;
    }
    e = policy_text_read_query(buf_data(&q->in), buf_len(&q->in), eof, &query);
    if (e == WIRE_E_SHORT && !eof)
        return -EAGAIN;
    *reterr = e ? wire_error_text(e) : "out of memory";
    return e ? e : policy_question_new(&query, &q->question);
}

static void take_question(struct request *q, bool eof)
{
    struct policy_server *s = q->server;
    const char *error = NULL;
    int r = read_question(q, eof, &error);

    if (r == -EAGAIN) {
        wait_for_client(q, POLLIN);
        return;
    }
    if (r) {
        if (buf_len(&q->in)) /* else somebody looked whether we are there */
            log_warning("a request is not understood: %s", error);
        request_hang_up(q);
        return;
    }
    q->read = clock_us();
    watch_stop(&q->client);
    timer_stop(&q->late);
    if (charge_take(&s->ledger, q->caller ? q->caller : q->question.source, 1, &q->charge)) {
        request_deny(q, "denied", "its source has too many requests at a time");
        return;
    }
    q->state = WAITING_FOR_DOMAINS;
    q->need = freshness_need(&s->fresh);
    if (freshness_serves(&s->fresh, q->need))
        request_decide(q);
    else
        freshness_ask(&s->fresh);
}

/* ---- Clients ---- */

static void on_client(struct watch *w, short revents)
{
    struct request *q = container_of(w, struct request, client);
    ssize_t n;

    (void)revents;
    if (q->state == WRITING) {
        write_out(q);
        request_finish(q);
        return;
    }
    n = buf_read_fd(&q->in, w->fd, READ_SIZE);
    if (n == -EAGAIN)
        wait_for_client(q, POLLIN);
    else if (n < 0)
        request_hang_up(q);
    else
        take_question(q, n == 0);
}

/* One client a turn: a second try would mostly be for nothing. Most have said all already. */
static void on_listener(struct watch *w, short revents)
{
    struct listener *l = container_of(w, struct listener, watch);
    struct policy_server *s = l->server;
    char id[CALL_ID_SIZE] = "";
    int fd = call_id_accept(w->fd, CALL_ID_POLICY, id);
    struct request *q = fd >= 0 && s->n < CLIENTS_MOST ? new_request(s, l->kind) : NULL;

    (void)revents;
    if (fd < 0) {
        if (fd == -EMFILE || fd == -ENFILE)
            watch_stop(w); /* until a request has ended */
        return;
    }
    if (!q) {
        close(fd);
        return;
    }
    if (l->kind == SOCKET_POLICY)
        memcpy(q->call_id, id, sizeof(id));
    q->begun = clock_us();
    q->client.fn = on_client;
    q->client.fd = fd;
    on_client(&q->client, POLLIN);
}

/* ---- The server ---- */

/* Is there a socket of just that name? A single one without a name is that for decisions. */
static bool is_named(const char *name)
{
    const char *names = getenv("LISTEN_FDNAMES"), *at = names ? strstr(names, name) : NULL;
    size_t n = strlen(name);

    return at && (at == names || at[-1] == ':') && (!at[n] || at[n] == ':');
}

static int open_socket(enum socket_kind kind, const char *path, int *ret, bool *ret_handed)
{
    /* socket units name them so */
    static const char *const names[SOCKETS] = {"policy", "eval", "gui"};
    int r = 0;

    *ret = -1;
    if (kind == SOCKET_POLICY || is_named(names[kind]))
        r = notify_listen_fd(names[kind], ret);
    *ret_handed = !r && *ret >= 0;
    if (r || *ret >= 0)
        return r;
    r = unix_listen(path, 0660, ret);
    if (!r)
        group_give(path);
    return r;
}

static int listen_on(struct policy_server *s, enum socket_kind kind, const char *path)
{
    struct listener *l = &s->listeners[kind];
    int fd = -1, r;

    if (!*path)
        return 0;
    r = format(l->path, sizeof(l->path), "%s", path);
    if (!r)
        r = open_socket(kind, path, &fd, &l->handed);
    if (r) {
        log_error("cannot serve %s: %s", path,
                  r == -EADDRINUSE ? "another policy daemon serves it already" : strerror(-r));
        return r;
    }
    l->server = s;
    l->kind = kind;
    l->watch.fn = on_listener;
    watch_set(&l->watch, fd, POLLIN);
    return 0;
}

/* The user's kept answers belong to the default directories. */
static void load_kept(struct policy_server *s)
{
    uint64_t next, now = kept_now();
    int r;

    kept_answers_deinit(&s->kept);
    r = *s->kept_path ? kept_answers_read(s->kept_path, &s->kept) : 0;
    if (r)
        log_warning("users are asked again, for %s cannot be read: %s", s->kept_path, strerror(-r));
    if (kept_answers_expire(&s->kept, now)) {
        int lock = -1;

        /* who holds the lock changes the file, and that comes here again */
        if (kept_answers_lock(s->kept_path, false, &lock) == 0)
            (void)kept_answers_write(s->kept_path, &s->kept);
        close_fd(&lock);
    }
    next = kept_answers_next_end(&s->kept);
    if (next)
        timer_set(&s->kept_ends, (next - now) * 1000 + 100);
    else
        timer_stop(&s->kept_ends);
}

static void on_kept_end(struct timer *t)
{
    load_kept(container_of(t, struct policy_server, kept_ends));
}

static void on_live(struct policy_watch *w, bool said_now)
{
    struct policy_server *s = container_of(w, struct policy_server, live);

    load_kept(s);
    s->untold = (s->untold || said_now) && w->trouble;
    account_tell_broken(s);
}

static void on_flush(struct timer *t)
{
    account_flush(container_of(t, struct policy_server, flush), false);
}

static void on_spooled(struct timer *t)
{
    account_log(container_of(t, struct policy_server, spooled));
}

/* Without a log decisions go on. What a daemon that was killed left behind goes first. */
static int open_log(struct policy_server *s)
{
    const struct server_options *o = s->options;
    char path[PATH_SIZE];
    int r = path_get(path, "%s", DECISION_SPOOL_PATH);

    if (!str_equal(o->log, "none"))
        (void)decision_log_open(&s->log, o->log, o->log_max, o->log_keep);
    if (!r)
        r = decision_spool_open(&s->spool, path);
    if (!r)
        account_log(s);
    return r;
}

static int start(struct policy_server *s)
{
    const struct server_options *o = s->options;
    const char *const paths[SOCKETS] = {o->socket, o->eval_socket, o->gui_socket};
    int r = policy_watch_init(&s->live, &o->files, "the policy", "every call is denied", on_live);

    if (r)
        log_error("the policy's files cannot be watched: %s", strerror(-r));
    if (!r && o->shadow.n_dirs)
        r = policy_watch_init(&s->shadow, &o->shadow, "the shadow policy",
                              "nothing is compared with it", NULL);
    s->untold = !s->live.policy;
    load_kept(s);
    if (!r)
        r = open_log(s);
    /* decisions last: who finds that socket finds the others too; and they do not need those */
    for (int k = SOCKETS - 1; !r && k >= 0; k--)
        r = listen_on(s, (enum socket_kind)k, paths[k]) && k == SOCKET_POLICY ? -EADDRNOTAVAIL : 0;
    if (!r)
        account_tell_broken(s);
    return r;
}

int policy_server_new(const struct server_options *o, struct policy_server **ret)
{
    struct policy_server *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    (void)format(s->id_start, sizeof(s->id_start), "%llx-",
                 (unsigned long long)clock_real_us() / 1000);
    s->options = o;
    s->ledger.budget = SOURCE_MOST;
    s->notices = NOTICES_NULL;
    s->log = DECISION_LOG_NULL;
    s->flush.fn = on_flush;
    s->kept_ends.fn = on_kept_end;
    s->spooled.fn = on_spooled;
    for (size_t i = 0; i < SOCKETS; i++)
        s->listeners[i].watch.fd = -1;
    freshness_init(&s->fresh, on_domains);
    r = o->files.n_dirs ? 0 : policy_files_kept(&o->files, s->kept_path);
    if (!r)
        r = start(s);
    if (r)
        policy_server_free(s);
    else
        *ret = s;
    return r;
}

void policy_server_reload(struct policy_server *s)
{
    policy_watch_reload(&s->live);
    if (s->options->shadow.n_dirs)
        policy_watch_reload(&s->shadow);
    account_log(s);
    decision_log_reopen(&s->log);
}

void policy_server_free(struct policy_server *s)
{
    for (size_t i = 0; i < SOCKETS; i++) {
        struct listener *l = &s->listeners[i];

        if (l->watch.fd >= 0 && !l->handed)
            unlink(l->path);
        close_watch(&l->watch);
    }
    while (s->first)
        request_hang_up(s->first);
    if (s->spare)
        free_memory(s->spare);
    account_flush(s, true);
    account_log(s);
    decision_spool_deinit(&s->spool);
    timer_stop(&s->flush);
    timer_stop(&s->kept_ends);
    kept_answers_deinit(&s->kept);
    decision_log_deinit(&s->log);
    policy_watch_deinit(&s->live);
    policy_watch_deinit(&s->shadow);
    freshness_deinit(&s->fresh);
    notices_deinit(&s->notices);
    ledger_deinit(&s->ledger);
    refusals_deinit(&s->refusals);
    refusals_deinit(&s->differences);
    free(s);
}
