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
#include "policy-engine/policy-freshness.h"

#include <errno.h>
#include <sys/socket.h>

#define CLIENTS_MOST 4096
#define SOURCE_MOST  512 /* requests of one source at a time */
#define PROMPT_MAX   4096

enum state { READING, WAITING_FOR_DOMAINS, ASKING, WRITING };

struct request {
    struct request *next;
    struct policy_server *server;
    struct watch client;
    struct hangup hangup; /* while the user is asked: the client's full close */
    struct buf in, out;
    enum state state;
    struct policy_question question;
    struct charge charge;
    /* while the user is asked: what the question was about */
    struct policy *policy;
    struct policy_domains *domains;
    struct policy_verdict asked;
    struct watch prompt;
    struct buf prompt_in, prompt_out;
};

struct policy_server {
    struct freshness fresh;
    struct watch listener;
    struct request *first;
    size_t n;
    struct ledger ledger;
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
    hangup_stop(&q->hangup);
    close_watch(&q->client);
    close_watch(&q->prompt);
    policy_verdict_deinit(&q->asked);
    policy_question_deinit(&q->question);
    policy_unref(q->policy);
    policy_domains_unref(q->domains);
    charge_release(&q->charge);
    buf_deinit(&q->in);
    buf_deinit(&q->out);
    buf_deinit(&q->prompt_in);
    buf_deinit(&q->prompt_out);
    free(q);
}

static void answer(struct request *q, const struct policy_verdict *v, const char *error)
{
    static char text[POLICY_ANSWER_MAX + 1];
    int n = policy_answer_text(q->domains, &q->question, v, text, sizeof(text));

    policy_log_decision(&q->question, v, error);
    q->state = WRITING;
    if (n < 0 || buf_append(&q->out, text, (size_t)n))
        drop(q);
    else
        watch_set(&q->client, q->client.fd, POLLOUT);
}

/* No rule decided: error says what stood in the way. */
static void deny(struct request *q, const char *error)
{
    struct policy_verdict v = {0};

    policy_verdict_deny(&v, POLICY_REASON_NO_MATCH);
    answer(q, &v, error);
}

/* ---- Asking the user ---- */

static void prompt_done(struct request *q, bool ok)
{
    struct policy_request rq = policy_question_request(&q->question);
    struct policy_verdict v = {0};
    char chosen[256];

    close_watch(&q->prompt);
    hangup_stop(&q->hangup);
    if (ok)
        ok = ask_user_answer((const char *)buf_data(&q->prompt_in), buf_len(&q->prompt_in), chosen,
                             sizeof(chosen));
    if (policy_answer_ask(q->policy, q->domains, &rq, &q->asked, ok ? chosen : NULL, &v))
        policy_verdict_deny(&v, POLICY_REASON_BAD_ANSWER);
    answer(q, &v, NULL);
    policy_verdict_deinit(&v);
}

static void on_prompt(struct watch *w, short revents)
{
    struct request *q = container_of(w, struct request, prompt);
    ssize_t n;

    (void)revents;
    if (buf_len(&q->prompt_out)) {
        n = buf_write_fd(&q->prompt_out, w->fd);
        if (n < 0 && n != -EAGAIN) {
            prompt_done(q, false);
            return;
        }
        if (!buf_len(&q->prompt_out)) {
            shutdown(w->fd, SHUT_WR);
            watch_set(w, w->fd, POLLIN);
        }
    }
    n = buf_read_fd(&q->prompt_in, w->fd, PROMPT_MAX);
    if (n == 0 || (n < 0 && n != -EAGAIN))
        prompt_done(q, n == 0);
}

/* A caller that goes away takes its question along; its half-close is no end. */
static void on_hangup(struct hangup *h)
{
    drop(container_of(h, struct request, hangup));
}

static void ask(struct request *q)
{
    static const char descriptor[] = "policy.Ask dom0 name dom0";
    _cleanup_(freep) char *json = ask_user_json(q->domains, &q->question, &q->asked);
    char path[PATH_SIZE];
    int fd = -1, r = json ? path_get(path, "/etc/qubes-rpc/policy.Ask") : -ENOMEM;

    q->state = ASKING;
    q->prompt_in = BUF_NULL(PROMPT_MAX);
    q->prompt_out = BUF_NULL(16U << 20);
    if (!r && (!q->asked.guivm || !str_equal(q->asked.guivm, "dom0")))
        r = -EHOSTUNREACH; /* a prompt in another domain */
    if (!r)
        r = unix_connect(path, &fd);
    if (!r)
        r = buf_append(&q->prompt_out, descriptor, sizeof(descriptor));
    if (!r)
        r = buf_append_str(&q->prompt_out, json);
    if (r) {
        log_warning("%s%s: nobody can be asked (%s), so it is denied; \"qrexec-policy-agent "
                    "--terminal\" in dom0 asks",
                    q->question.service, q->question.argument, strerror(-r));
        close_fd(&fd);
        prompt_done(q, false);
        return;
    }
    q->prompt.fn = on_prompt;
    watch_set(&q->prompt, fd, POLLIN | POLLOUT);
    q->hangup.fn = on_hangup;
    if (hangup_watch(&q->hangup, q->client.fd))
        log_debug("a caller's end will not be noticed before the user has answered");
}

/* ---- Deciding ---- */

static void decide(struct request *q)
{
    struct freshness *f = &q->server->fresh;
    struct policy_request rq = policy_question_request(&q->question);
    struct policy *p = freshness_policy(f);

    if (!p || !f->domains) {
        deny(q, p ? "error getting system info: the domain spawner cannot be reached" : f->error);
        return;
    }
    q->policy = policy_ref(p);
    q->domains = policy_domains_ref(f->domains);
    if (policy_decide(p, f->domains, &rq, &q->asked)) {
        drop(q);
        return;
    }
    policy_settle(&q->question, &q->asked);
    if (q->asked.action == POLICY_ASK)
        ask(q);
    else
        answer(q, &q->asked, NULL);
}

static void on_domains(struct freshness *f, bool ok)
{
    struct policy_server *s = container_of(f, struct policy_server, fresh);
    struct request *next;

    (void)ok;
    for (struct request *q = s->first; q; q = next) {
        next = q->next;
        if (q->state == WAITING_FOR_DOMAINS)
            decide(q);
    }
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
        deny(q, "denied: too many requests of this source at a time");
        return;
    }
    q->state = WAITING_FOR_DOMAINS;
    if (freshness_domains(&q->server->fresh))
        decide(q);
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

        if (fd < 0)
            return;
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
        q->prompt.fd = -1;
        q->client.fn = on_client;
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
    while (s->first)
        drop(s->first);
    close_watch(&s->listener);
    unlink(s->path);
    freshness_deinit(&s->fresh);
    ledger_deinit(&s->ledger);
    free(s);
}
