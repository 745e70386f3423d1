/* What is told about decisions, to the log, the record and users: see policy-request.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "policy-engine/policy-request.h"

#include <inttypes.h>

#define SPOOL_MS 10 /* until records go to the log */

/* Unique over restarts: the start's millisecond, and a count. */
static const char *make_id(struct policy_server *s, char buf[static 40])
{
    uint64_t n = ++s->calls;
    char *at = buf + 39;

    *at = 0;
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    at -= strlen(s->id_start);
    memcpy(at, s->id_start, strlen(s->id_start));
    return at;
}

static uint64_t span(uint64_t from, uint64_t to)
{
    return from && to > from ? to - from : 0;
}

/* ---- From the spool to the logs ---- */

/* One line for people, and one record. A long argument does not push the verdict off the line. */
static void log_one(void *user, struct decision_record *d)
{
    struct policy_server *s = user;

    if (d->repeats)
        log_info("qrexec: %" PRIu64 " more calls of %s were refused within %" PRIu64
                 " ms, the last one: %s",
                 d->repeats, d->source, d->micros.total / 1000, d->detail ? d->detail : "");
    else
        policy_log_record(d);
    decision_log_add(&s->log, d);
}

void account_log(struct policy_server *s)
{
    timer_stop(&s->spooled);
    decision_spool_drain(&s->spool, log_one, s);
    decision_log_flush(&s->log);
    decision_spool_forget(&s->spool);
}

/* Soon, with what comes until then. */
static void spool(struct policy_server *s, struct decision_record *d)
{
    if (!decision_spool_put(&s->spool, d)) {
        account_log(s);
        if (!decision_spool_put(&s->spool, d)) {
            log_one(s, d);
            decision_log_flush(&s->log);
            return;
        }
    }
    if (!s->spooled.set)
        timer_set(&s->spooled, SPOOL_MS);
}

/* v NULL: a trouble of ours, and what it was. */
static void record(struct request *q, const struct policy_verdict *v, const char *reason,
                   const char *detail)
{
    struct policy_server *s = q->server;
    uint64_t now = clock_us();
    char id[40];
    struct decision_record d = {
        .call_id = *q->call_id ? q->call_id : make_id(s, id),
        .time_us = clock_real_us() - span(q->begun, now),
        .policy = q->policy ? policy_signature(q->policy) : 0,
        .generation = q->domains ? policy_domains_generation(q->domains) : 0,
        .source = q->question.source,
        .requested_source = *q->question.requested_source ? q->question.requested_source : NULL,
        .target = q->question.target,
        .service = q->question.service,
        .argument = q->question.argument,
        .verdict = v && v->action == POLICY_ALLOW ? "allow" : "deny",
        .reason = reason,
        .detail = detail,
        .final = v && v->action == POLICY_ALLOW ? v->target : NULL,
        .rule_file = v ? v->rule_file : NULL,
        .rule_line = v ? v->rule_line : 0,
        .asked = q->answered_by,
        .shadow = q->shadow,
        .evaluated_by = !q->question.just_evaluate ? NULL
                        : q->caller                ? q->caller
                                                   : "dom0",
    };

    d.micros.read = span(q->begun, q->read);
    d.micros.wait = span(q->read, q->served);
    d.micros.decide = span(q->served, q->decided);
    d.micros.ask = span(q->asked_at, q->answered_at);
    d.micros.total = span(q->begun, now);
    spool(s, &d);
}

static void flush_later(struct policy_server *s)
{
    if (!s->flush.set)
        timer_set(&s->flush, REFUSALS_QUIET_MS);
}

/* False: this source was refused too often of late, so this one is only counted. */
static bool refusal_is_told(struct request *q, const char *reason)
{
    const struct policy_question *c = &q->question;
    const char *by = q->caller ? q->caller : c->source;
    char last[256];

    (void)format(last, sizeof(last), "%s%s: %s -> %s: denied: %s", c->service, c->argument,
                 c->source, *c->target ? c->target : "@default", reason);
    flush_later(q->server);
    return refusals_take(&q->server->refusals, by, clock_ms(), last);
}

static void tell_difference(struct request *q, const struct policy_verdict *v)
{
    const struct policy_question *c = &q->question;
    char last[256];

    (void)format(last, sizeof(last), "%s%s: %s -> %s", c->service, c->argument, c->source,
                 *c->target ? c->target : "@default");
    flush_later(q->server);
    if (refusals_take(&q->server->differences, c->source, clock_ms(), last))
        log_info("shadow: %s: %s, but the policy in %s says: %s", last,
                 v->action == POLICY_ALLOW ? "allowed" : "denied",
                 q->server->options->shadow.dirs[0], q->shadow);
}

bool account_decision(struct request *q, const struct policy_verdict *v)
{
    bool allowed = v->action == POLICY_ALLOW;
    const char *reason = policy_denial_text(&q->question, v);

    if (q->shadow)
        tell_difference(q, v);
    if (!allowed && !refusal_is_told(q, reason))
        return false;
    record(q, v, reason, NULL);
    return true;
}

void account_after(struct request *q, const struct policy_verdict *v)
{
    if (v)
        notify_user(&q->server->notices, q->domains, &q->question, v);
    if (decision_spool_is_half_full(&q->server->spool))
        account_log(q->server);
}

void account_trouble(struct request *q, const char *what, const char *why)
{
    if (!refusal_is_told(q, what))
        return;
    record(q, NULL, what, why ? why : "no memory");
}

/* ---- What was only counted ---- */

static void tell_refusals(void *user, const struct refusals_repeat *repeat)
{
    struct policy_server *s = user;
    char id[40];
    struct decision_record d = {.call_id = make_id(s, id),
                                .time_us = clock_real_us(),
                                .source = repeat->source,
                                .verdict = "deny",
                                .reason = "repeated",
                                .detail = repeat->last,
                                .repeats = repeat->count};

    d.micros.total = repeat->ms * 1000;
    spool(s, &d);
}

static void tell_differences(void *user, const struct refusals_repeat *repeat)
{
    (void)user;
    log_info("shadow: %" PRIu64 " more calls of %s would be decided otherwise, the last one: %s",
             repeat->count, repeat->source, repeat->last);
}

void account_flush(struct policy_server *s, bool all)
{
    uint64_t now = clock_ms();
    uint64_t a = refusals_flush(&s->refusals, now, all, tell_refusals, s);
    uint64_t b = refusals_flush(&s->differences, now, all, tell_differences, s);

    if (a || b)
        timer_set(&s->flush, a ? a : b);
}

/* ---- A policy that does not load ---- */

static bool is_told_already(const struct policy_domains *d, size_t i)
{
    const char *guivm = policy_domains_at(d, i)->guivm;

    for (size_t k = 0; k < i; k++) {
        const char *other = policy_domains_at(d, k)->guivm;

        if (other && str_equal(other, guivm))
            return true;
    }
    return false;
}

void account_tell_broken(struct policy_server *s)
{
    const struct policy_domains *d = s->fresh.domains;

    if (!s->untold || s->live.policy)
        return;
    if (!d) {
        if (!s->fresh.said)
            freshness_ask(&s->fresh);
        return;
    }
    s->untold = false;
    for (size_t i = 0; i < policy_domains_count(d); i++)
        if (policy_domains_at(d, i)->guivm && !is_told_already(d, i))
            notify_trouble(&s->notices, policy_domains_at(d, i)->guivm, "qrexec-policy",
                           s->live.trouble ? s->live.trouble : "no memory");
}
