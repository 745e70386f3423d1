/* The policy daemon: see policy-server.h. */
#include "policy-engine/policy-server.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/charge.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/guivm-call.h"
#include "policy-engine/notify-user.h"
#include "policy-engine/policy-freshness.h"

#include <errno.h>
#include <sys/socket.h>

#define CLIENTS_MOST 4096
#define SOURCE_MOST  512 /* requests of one source at a time */

enum state { READING, WAITING_FOR_DOMAINS, ASKING, WRITING };

struct request {
    struct request *next;
    struct policy_server *server;
    struct watch client;
    struct buf in, out;
    enum state state;
    struct policy_question question;
    struct charge charge;
    uint64_t need; /* the domains must be no older than that */
    /* while the user is asked: what the question was about */
    struct policy *policy;
    struct policy_domains *domains;
    struct policy_verdict asked;
    struct guivm_call prompt;
    struct hangup gone;
};

struct policy_server {
    struct freshness fresh;
    struct watch listener;
    struct request *first;
    size_t n;
    struct ledger ledger;
    struct notices notices;
    char path[PATH_SIZE];
};

static void close_watch(struct watch *w)
{
    int fd = w->fd;

    if (w->events)
        watch_stop(w);
    close_fd(&fd);
    w->fd = -1;
}

static void drop(struct request *q)
{
    struct request **p = &q->server->first;

    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
    q->server->n--;
    hangup_stop(&q->gone);
    guivm_call_stop(&q->prompt);
    close_watch(&q->client);
    policy_verdict_deinit(&q->asked);
    policy_question_deinit(&q->question);
    policy_unref(q->policy);
    policy_domains_unref(q->domains);
    charge_release(&q->charge);
    buf_deinit(&q->in);
    buf_deinit(&q->out);
    if (q->server->listener.fd >= 0)
        watch_set(&q->server->listener, q->server->listener.fd, POLLIN);
    free(q);
}

static void send_answer(struct request *q, const struct policy_verdict *v)
{
    static char text[POLICY_ANSWER_MAX + 1];
    int n = policy_answer_text(q->domains, &q->question, v, text, sizeof(text));

    q->state = WRITING;
    if (n < 0 || buf_append(&q->out, text, (size_t)n))
        drop(q);
    else
        watch_set(&q->client, q->client.fd, POLLOUT);
}

static void answer(struct request *q, const struct policy_verdict *v)
{
    policy_log_decision(&q->question, v);
    notify_user(&q->server->notices, q->domains, &q->question, v);
    send_answer(q, v);
}

/* No verdict of the policy's: something of ours failed. */
static void deny(struct request *q, const char *what, const char *why)
{
    struct policy_verdict v = {.action = POLICY_DENY};

    policy_log_trouble(&q->question, what, why);
    send_answer(q, &v);
}

/* ---- Asking the user ---- */

/* chosen NULL: the user said no; "", which is never a choice: something failed. */
static void conclude(struct request *q, const char *chosen)
{
    struct policy_request rq = policy_question_request(&q->question);
    struct policy_verdict v = {0};
    int r = policy_answer_ask(q->policy, q->domains, &rq, &q->asked, chosen, &v);

    hangup_stop(&q->gone);
    if (r)
        deny(q, "denied", strerror(-r));
    else
        answer(q, &v);
    policy_verdict_deinit(&v);
}

static void on_prompt(struct guivm_call *c, bool ok)
{
    struct request *q = container_of(c, struct request, prompt);
    char chosen[256];

    if (!ok)
        conclude(q, "");
    else if (ask_user_refused(buf_data(&c->in), buf_len(&c->in)))
        conclude(q, NULL);
    else
        conclude(q, ask_user_answer(buf_data(&c->in), buf_len(&c->in), chosen, sizeof(chosen))
                        ? chosen
                        : "");
}

/* A caller that is gone takes its question along; one that half-closed waits for the answer. */
static void on_gone(struct hangup *h)
{
    struct request *q = container_of(h, struct request, gone);

    policy_log_trouble(&q->question, "denied", "the caller is gone");
    drop(q);
}

static int start_prompt(struct request *q)
{
    _cleanup_(freep) char *json = ask_user_json(q->domains, &q->question, &q->asked);
    int r = json ? hangup_watch(&q->gone, q->client.fd) : -ENOMEM;

    return r ? r : guivm_call_start(&q->prompt, q->asked.guivm, "policy.Ask", json);
}

static void ask(struct request *q)
{
    int r;

    if (!q->asked.guivm) {
        policy_verdict_deny(&q->asked, POLICY_REASON_NO_GUIVM);
        answer(q, &q->asked);
        return;
    }
    q->state = ASKING;
    r = start_prompt(q);
    if (!r)
        return;
    log_warning("nobody can be asked in %s (%s); \"qrexec-policy-agent --terminal\" there asks",
                q->asked.guivm, strerror(-r));
    conclude(q, "");
}

/* ---- Deciding ---- */

static void decide(struct request *q)
{
    struct freshness *f = &q->server->fresh;
    struct policy_request rq = policy_question_request(&q->question);
    struct policy *p = freshness_policy(f);
    const char *choice;
    int r;

    if (!p) {
        deny(q, LOG_POLICY, f->policy_trouble);
        return;
    }
    if (!f->domains) {
        deny(q, LOG_SYSTEM_INFO, f->domains_trouble);
        return;
    }
    q->policy = policy_ref(p);
    q->domains = policy_domains_ref(f->domains);
    r = policy_decide(p, f->domains, &rq, &q->asked);
    if (r) {
        deny(q, "denied", strerror(-r));
        return;
    }
    policy_settle(&q->question, &q->asked);
    choice = policy_assumed_choice(&q->asked);
    if (q->asked.action != POLICY_ASK)
        answer(q, &q->asked);
    else if (q->question.assume_yes)
        conclude(q, choice ? choice : "");
    else
        ask(q);
}

static void on_domains(struct freshness *f)
{
    struct policy_server *s = container_of(f, struct policy_server, fresh);
    struct request *next;
    bool wait = false;

    for (struct request *q = s->first; q; q = next) {
        next = q->next;
        if (q->state != WAITING_FOR_DOMAINS)
            continue;
        if (freshness_serves(f, q->need))
            decide(q);
        else
            wait = true;
    }
    if (wait)
        freshness_ask(f);
}

static void take_query(struct request *q, bool eof)
{
    struct policy_query query;
    int e = policy_text_read_query(buf_data(&q->in), buf_len(&q->in), eof, &query);

    if (e == WIRE_E_SHORT && !eof)
        return;
    if (e || policy_question_new(&query, &q->question)) {
        log_warning("a request is not understood: %s", e ? wire_error_text(e) : "out of memory");
        drop(q);
        return;
    }
    watch_stop(&q->client);
    if (charge_take(&q->server->ledger, q->question.source, 1, &q->charge)) {
        deny(q, "denied", "its source has too many requests at a time");
        return;
    }
    q->state = WAITING_FOR_DOMAINS;
    q->need = freshness_need(&q->server->fresh);
    if (freshness_serves(&q->server->fresh, q->need))
        decide(q);
    else
        freshness_ask(&q->server->fresh);
}

static void on_client(struct watch *w, short revents)
{
    struct request *q = container_of(w, struct request, client);
    ssize_t n;

    (void)revents;
    if (q->state == WRITING) {
        n = buf_write_fd(&q->out, w->fd);
        if ((n < 0 && n != -EAGAIN) || !buf_len(&q->out))
            drop(q);
        return;
    }
    n = buf_read_fd(&q->in, w->fd, POLICY_REQUEST_MAX);
    if (n == -EAGAIN)
        return;
    if (n < 0)
        drop(q);
    else
        take_query(q, n == 0);
}

static void on_listener(struct watch *w, short revents)
{
    struct policy_server *s = container_of(w, struct policy_server, listener);

    (void)revents;
    for (int budget = 64; budget > 0; budget--) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct request *q = fd >= 0 && s->n < CLIENTS_MOST ? calloc(1, sizeof(*q)) : NULL;

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                watch_stop(w); /* until a request has ended */
            return;
        }
        if (!q) {
            close(fd);
            continue;
        }
        q->server = s;
        q->next = s->first;
        s->first = q;
        s->n++;
        q->in = BUF_NULL(POLICY_REQUEST_MAX);
        q->out = BUF_NULL(POLICY_ANSWER_MAX);
        q->client.fn = on_client;
        q->prompt.fn = on_prompt;
        q->gone.fn = on_gone;
        watch_set(&q->client, fd, POLLIN);
    }
}

int policy_server_new(struct policy_files *files, const char *path, struct policy_server **ret)
{
    struct policy_server *s = calloc(1, sizeof(*s));
    int fd = -1, r = s ? format(s->path, sizeof(s->path), "%s", path) : -ENOMEM;

    if (r) {
        free(s);
        return r;
    }
    s->ledger.budget = SOURCE_MOST;
    s->notices = NOTICES_NULL;
    s->listener.fd = -1;
    r = freshness_init(&s->fresh, files, on_domains);
    if (!r)
        r = unix_listen(path, 0660, &fd);
    if (r) {
        log_error("cannot serve %s: %s", path,
                  r == -EADDRINUSE ? "another policy daemon serves it already" : strerror(-r));
        freshness_deinit(&s->fresh);
        free(s);
        return r;
    }
    s->listener.fn = on_listener;
    watch_set(&s->listener, fd, POLLIN);
    *ret = s;
    return 0;
}

void policy_server_free(struct policy_server *s)
{
    close_watch(&s->listener);
    while (s->first)
        drop(s->first);
    unlink(s->path);
    freshness_deinit(&s->fresh);
    notices_deinit(&s->notices);
    ledger_deinit(&s->ledger);
    free(s);
}
