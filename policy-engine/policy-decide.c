/* Finding the verdict of a request: see policy-request.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/eval-question.h"
#include "policy-engine/policy-request.h"
#include "policy-engine/shadow.h"

#include <errno.h>

static void answer(struct request *q, const struct policy_verdict *v)
{
    bool told;

    if (!q->decided)
        q->decided = clock_us();
    told = account_decision(q, v);
    request_send(q, v);
    account_after(q, told ? v : NULL);
    request_finish(q);
}

void request_deny(struct request *q, const char *what, const char *why)
{
    struct policy_verdict v = {.action = POLICY_DENY};

    q->decided = clock_us();
    account_trouble(q, what, why);
    request_send(q, &v);
    account_after(q, NULL);
    request_finish(q);
}

/* chosen NULL: the user said no; "", which is never a choice: something failed. */
static void conclude(struct request *q, const char *chosen)
{
    struct policy_request rq = policy_question_request(&q->question);
    struct policy_verdict v = {0};
    int r = policy_answer_ask(q->policy, q->domains, &rq, &q->asked, chosen, &v);

    hangup_stop(&q->gone);
    if (r)
        request_deny(q, "denied", strerror(-r));
    else
        answer(q, &v);
    policy_verdict_deinit(&v);
}

/* ---- Asking the user ---- */

static void note_who_answered(struct request *q)
{
    (void)format(q->answered_in, sizeof(q->answered_in), "%s", q->asked.guivm);
    q->answered_by = q->answered_in;
}

static void on_prompt(struct guivm_call *c, bool ok)
{
    struct request *q = container_of(c, struct request, prompt);
    const void *data = buf_data(&c->in);
    size_t n = buf_len(&c->in);

    q->answered_at = clock_us();
    if (ok && ask_user_refused(data, n)) {
        note_who_answered(q);
        conclude(q, NULL);
    } else if (ok &&
               ask_user_answer(data, n, q->chosen, sizeof(q->chosen), &q->keep, &q->keep_seconds)) {
        note_who_answered(q);
        q->state = ANSWERED;
        q->need = freshness_need(&q->server->fresh);
        if (freshness_serves(&q->server->fresh, q->need))
            request_recheck(q);
        else
            freshness_ask(&q->server->fresh);
    } else {
        conclude(q, "");
    }
}

/* A caller that is gone takes its question along; one that half-closed waits for the answer. */
static void on_gone(struct hangup *h)
{
    struct request *q = container_of(h, struct request, gone);

    account_trouble(q, "denied", "the caller is gone");
    request_hang_up(q);
}

static int start_prompt(struct request *q)
{
    _cleanup_(freep) char *json = ask_user_json(q->domains, &q->question, &q->asked);
    int r = json ? hangup_watch(&q->gone, q->client.fd) : -ENOMEM;

    q->prompt.fn = on_prompt;
    q->gone.fn = on_gone;
    return r ? r : guivm_call_start(&q->prompt, q->asked.guivm, "policy.Ask", json);
}

static void ask(struct request *q)
{
    const char *kept = kept_answers_find(&q->server->kept, q->domains, &q->question, &q->asked,
                                         q->server->kept.n ? kept_now() : 0);
    int r;

    if (kept) {
        q->answered_by = "kept";
        conclude(q, kept);
        return;
    }
    if (!q->asked.guivm) {
        policy_verdict_deny(&q->asked, POLICY_REASON_NO_GUIVM);
        answer(q, &q->asked);
        return;
    }
    q->state = ASKING;
    q->asked_at = clock_us();
    r = start_prompt(q);
    if (!r)
        return;
    log_warning("nobody can be asked in %s (%s); \"qrexec-policy-agent --terminal\" there asks",
                q->asked.guivm, strerror(-r));
    conclude(q, "");
}

/* ---- What was asked about must still be so ---- */

static void keep(const struct request *q)
{
    int r;

    if (!q->keep || q->state != ANSWERED)
        return;
    r = !*q->server->kept_path ? -ENOTSUP
                               : kept_answers_keep(q->server->kept_path, q->domains, &q->question,
                                                   &q->asked, q->chosen, q->keep_seconds);
    if (r)
        log_warning("the user's answer for %s%s from %s counts once, but is not kept: %s",
                    q->question.service, q->question.argument, q->asked.source,
                    r == KEPT_E_NO_UUID ? "a domain of it has no uuid"
                    : r == KEPT_E_FULL  ? "too many are kept (qrexec-policy kept --revoke)"
                                        : strerror(-r));
}

/* The verdict on the same question as of now takes the place of the one that was asked about. */
static void apply_answer(struct request *q, struct policy *p, struct policy_domains *d,
                         struct policy_verdict *now)
{
    policy_verdict_deinit(&q->asked);
    policy_unref(q->policy);
    policy_domains_unref(q->domains);
    q->policy = policy_ref(p);
    q->domains = policy_domains_ref(d);
    q->asked = *now;
    if (now->action != POLICY_ASK) {
        answer(q, &q->asked);
        return;
    }
    for (size_t i = 0; i < q->asked.n_choices; i++)
        if (str_equal(q->asked.choices[i], q->chosen))
            keep(q);
    conclude(q, q->chosen);
}

void request_recheck(struct request *q)
{
    struct freshness *f = &q->server->fresh;
    struct policy_watch *live = &q->server->live;
    struct policy *p = policy_watch_get(live);
    struct policy_verdict now = {0};
    int r;

    hangup_stop(&q->gone);
    if (!p || !f->domains) {
        request_deny(q, p ? LOG_SYSTEM_INFO : LOG_POLICY, p ? f->domains_trouble : live->trouble);
        return;
    }
    r = policy_recheck(p, q->domains, f->domains, &q->question, &q->asked, q->chosen, &now);
    if (r) {
        request_deny(q, "denied", r == RECHECK_E_ANOTHER ? RECHECK_ANOTHER_TEXT : strerror(-r));
        return;
    }
    apply_answer(q, p, f->domains, &now);
}

/* ---- Deciding ---- */

static bool may_know(const struct request *q)
{
    return q->kind != SOCKET_GUI || eval_question_is_gui_of(&q->question, q->domains, q->caller);
}

static void take_verdict(struct request *q)
{
    const char *choice = policy_assumed_choice(&q->asked);

    if (q->asked.action != POLICY_ASK)
        answer(q, &q->asked);
    else if (q->question.assume_yes)
        conclude(q, choice ? choice : "");
    else
        ask(q);
}

void request_decide(struct request *q)
{
    struct policy_server *s = q->server;
    struct policy_request rq = policy_question_request(&q->question);
    struct policy *p = policy_watch_get(&s->live);
    int r;

    q->served = clock_us();
    if (!p) {
        request_deny(q, LOG_POLICY, s->live.trouble);
        return;
    }
    if (!s->fresh.domains) {
        request_deny(q, LOG_SYSTEM_INFO, s->fresh.domains_trouble);
        return;
    }
    q->policy = policy_ref(p);
    q->domains = policy_domains_ref(s->fresh.domains);
    if (!may_know(q)) {
        request_hang_up(q);
        return;
    }
    r = policy_decide(p, q->domains, &rq, &q->asked);
    if (r) {
        request_deny(q, "denied", strerror(-r));
        return;
    }
    policy_settle(&q->question, &q->asked);
    q->decided = clock_us();
    if (s->options->shadow.n_dirs)
        q->shadow =
            shadow_difference(policy_watch_get(&s->shadow), q->domains, &q->question, &q->asked);
    take_verdict(q);
}
