/*
 * Calls that the domain makes: see running-call.h. Here their life, from the trigger to the line
 * in the log.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "qrexec-daemon/running-call.h"

#include <inttypes.h>

static int connect_caller(struct call *m)
{
    struct running_call *c = running_call_of(m);
    int r = control_send_connect(c->daemon, c->domain, c->port, &c->request.ident);

    if (!r) {
        (void)pending_close(&c->daemon->pending, &c->pending);
        deaths_follow(c->daemon, c->domain, c->port);
    }
    return r;
}

static void hang_up(struct call *m)
{
    struct running_call *c = running_call_of(m);

    control_send_gone(c->daemon, c->domain, c->port);
}

static void refuse_caller(struct call *m)
{
    struct running_call *c = running_call_of(m);

    if (pending_close(&c->daemon->pending, &c->pending))
        control_send_refused(c->daemon, &c->request.ident);
}

static void on_deadline(struct timer *t)
{
    struct running_call *c = container_of(t, struct running_call, deadline);

    call_handle(&c->machine, CALL_EV_DEADLINE, call_state_name(c->machine.state));
}

/* Also for a state that goes on: its deadline begins anew. */
static void entered(struct call *m, uint64_t ms)
{
    struct running_call *c = running_call_of(m);
    uint64_t now = clock_us();

    c->spent[c->last_state] += now - c->entered_at;
    c->last_state = m->state;
    c->entered_at = now;
    timer_stop(&c->deadline);
    c->deadline.fn = on_deadline;
    if (ms)
        timer_set(&c->deadline, ms);
    see_running_changed(c, NULL);
}

static void log_call(struct running_call *c, bool failed)
{
    const struct call *m = &c->machine;
    bool told = failed || (*m->why && m->state == CALL_DECIDING);

    c->spent[c->last_state] += clock_us() - c->entered_at;
    if (!log_limit_take(&c->daemon->calls_log, c->daemon->name, "calls"))
        return;
    log_msg(failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
            "call %s: %s -> %s%s%s: %.200s: %s%s%s; us: deciding %" PRIu64 ", making %" PRIu64
            ", port %" PRIu64 ", connecting %" PRIu64 ", running %" PRIu64 ", ending %" PRIu64,
            c->id, c->daemon->name, *c->request.target ? c->request.target : "@default",
            *c->target ? " = " : "", c->target, c->service,
            failed ? call_state_name(m->state) : "over", told ? ": " : "", told ? m->why : "",
            c->spent[CALL_DECIDING], c->spent[CALL_MAKING], c->spent[CALL_ASKING_PORT],
            c->spent[CALL_CONNECTING], c->spent[CALL_RUNNING], c->spent[CALL_ENDING]);
}

static void tell_end(struct running_call *c, bool failed)
{
    log_call(c, failed);
    see_running_changed(c, *c->machine.why ? c->machine.why : "over");
}

/* Between two domains the data flows from now on, and nothing is held for it. */
static bool is_carried(const struct running_call *c)
{
    return c->machine.target == CALL_TO_VM && c->machine.answered && c->port && !c->claimed;
}

static void carry_on(const struct running_call *c)
{
    const char *asked = c->request.target;
    struct carried call = {.domain = c->domain, .port = c->port, .since = c->since};

    memcpy(call.id, c->id, sizeof(call.id));
    memcpy(call.spent, c->spent, sizeof(call.spent));
    call.entered_at = clock_us();
    call.spent[c->last_state] += call.entered_at - c->entered_at;
    carried_text(call.source, sizeof(call.source), wire_text(c->daemon->name));
    carried_text(call.asked, sizeof(call.asked), wire_text(*asked ? asked : "@default"));
    carried_text(call.target, sizeof(call.target),
                 wire_text(*c->target_name ? c->target_name : c->target));
    carried_text(call.service, sizeof(call.service), wire_text(c->service));
    carried_add(c->daemon, &call);
}

static void free_call(struct running_call *c)
{
    struct running_call **p = &c->daemon->calls;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    c->daemon->n_calls--;
    see_forget_counts(c->daemon, &c->counts);
    c->daemon->call_bytes -= strlen(c->service);
    timer_stop(&c->deadline);
    clients_forget(c->daemon, c);
    free(c->service);
    free(c->command);
    free(c);
    loop_rest();
}

static void ended(struct call *m, bool failed)
{
    struct running_call *c = running_call_of(m);

    if (is_carried(c) && !failed)
        carry_on(c);
    else
        tell_end(c, failed);
    free_call(c);
}

static const struct call_ops ops = {
    .ask_policy = decide_ask_policy,
    .ask_program = decide_ask_program,
    .make_disposable = carry_make_disposable,
    .start_target = carry_start_target,
    .ask_port = carry_ask_port,
    .run_in_dom0 = carry_run_in_dom0,
    .connect_caller = connect_caller,
    .refuse_caller = refuse_caller,
    .hang_up = hang_up,
    .drop_policy = decide_drop,
    .drop_target = carry_drop_target,
    .drop_lease = carry_drop_lease,
    .drop_child = carry_drop_child,
    .entered = entered,
    .ended = ended,
};

static struct running_call *new_call(struct daemon *d, const struct wire_request *rq)
{
    struct running_call *c;
    size_t n = strlen(rq->service);

    if (d->n_calls >= DAEMON_CALLS_MOST || d->call_bytes + n > DAEMON_CALL_BYTES_MOST)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (c)
        c->service = strdup(rq->service);
    if (!c || !c->service ||
        pending_open(&d->pending, &c->pending, (const void *)rq->ident.bytes)) {
        if (c)
            free(c->service);
        free(c);
        return NULL;
    }
    c->daemon = d;
    c->request = *rq;
    c->request.service = c->service;
    call_id_make(c->id, d->name, d->start, ++d->next_call);
    c->policy = c->peer = STREAM_NULL;
    c->policy.call_id = c->peer.call_id = c->id;
    c->policy.to = CALL_ID_POLICY;
    c->peer.to = CALL_ID_TARGET;
    c->child_watch.fd = -1;
    c->since = call_id_clock();
    c->entered_at = clock_us();
    c->next = d->calls;
    d->calls = c;
    d->n_calls++;
    d->call_bytes += n;
    return c;
}

void calls_trigger(struct daemon *d, const struct wire_trigger *t)
{
    static char service[WIRE_SERVICE_SIZE];
    struct wire_request rq;
    struct running_call *c;
    int e = wire_clean_trigger(t, service, &rq);

    c = e ? NULL : new_call(d, &rq);
    if (!c) {
        if (log_limit_take(&d->calls_log, d->name, "calls"))
            log_warning("%s: a request is refused: %s", d->name,
                        e ? wire_error_text(e) : "too many calls of this domain at a time");
        control_send_refused(d, &t->ident);
        return;
    }
    c->says_source = t->type == MSG_TRIGGER_SERVICE4;
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

/* The oldest; one whose own end was started before one that is only waiting. */
struct running_call *calls_find(struct daemon *d, const struct wire_ident *ident)
{
    struct running_call *waiting = NULL, *started = NULL;

    for (struct running_call *c = d->calls; c; c = c->next) {
        if (!c->pending.open || !call_is_claimable(&c->machine) ||
            !wire_ident_equal(&c->request.ident, ident))
            continue;
        if (c->machine.state == CALL_CONNECTING)
            started = c;
        else
            waiting = c;
    }
    return started ? started : waiting;
}

void calls_claim(struct running_call *c, uint32_t domain, uint32_t port)
{
    (void)pending_close(&c->daemon->pending, &c->pending);
    c->claimed = true;
    c->domain = domain;
    c->port = port;
    call_handle(&c->machine, CALL_EV_CLAIMED, NULL);
}

void calls_client_gone(struct running_call *c)
{
    call_handle(&c->machine, CALL_EV_CLIENT_GONE, NULL);
}

void calls_deinit(struct daemon *d)
{
    calls_stop(d);
    carried_forget(d);
    carry_forget_orphans(d);
    makers_end();
}
