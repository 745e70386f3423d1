/* policy.Notify: see notify-user.h. */
#include "policy-engine/notify-user.h"

#include "libqrexec/base/io.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/guivm-call.h"

#define NOTICE_MS       10000
#define NOTICE_EVERY_MS 60000
#define TOLD_MOST       256

struct notice {
    struct notice *next;
    struct notices *owner;
    struct guivm_call call;
    struct timer late;
    struct charge charge;
};

static void drop(struct notice *n)
{
    struct notice **p = &n->owner->first;

    while (*p != n)
        p = &(*p)->next;
    *p = n->next;
    timer_stop(&n->late);
    guivm_call_stop(&n->call);
    charge_release(&n->charge);
    free(n);
}

static void on_told(struct guivm_call *c, bool ok)
{
    (void)ok;
    drop(container_of(c, struct notice, call));
}

static void on_late(struct timer *t)
{
    drop(container_of(t, struct notice, late));
}

static void tell(struct notices *ns, const char *guivm, const char *source, const char *json)
{
    struct notice *n = json ? calloc(1, sizeof(*n)) : NULL;

    if (!n)
        return;
    n->owner = ns;
    n->next = ns->first;
    ns->first = n;
    n->call.fn = on_told;
    n->late.fn = on_late;
    timer_set(&n->late, NOTICE_MS);
    if (charge_take(&ns->ledger, source, 1, &n->charge) ||
        guivm_call_start(&n->call, guivm, "policy.Notify", json))
        drop(n);
}

/* ---- Denials, one a minute ---- */

struct told {
    struct told *next;
    uint64_t at_ms;
    uint64_t more; /* of them since then */
    char *guivm, *source, *service;
    char *argument, *target; /* of the last one */
};

static void forget(struct notices *ns, struct told **p)
{
    struct told *t = *p;

    *p = t->next;
    ns->n_told--;
    free(t->guivm);
    free(t->source);
    free(t->service);
    free(t->argument);
    free(t->target);
    free(t);
}

static void tell_denial(struct notices *ns, const char *guivm, const struct policy_question *q,
                        const char *target, uint64_t count)
{
    _cleanup_(freep) char *json = notify_user_json("deny", q->source, q, target, count);

    tell(ns, guivm, q->source, json);
}

/* What was counted is told when its minute is over. */
static void on_minute(struct timer *timer)
{
    struct notices *ns = container_of(timer, struct notices, minute);
    uint64_t now = clock_ms(), next = 0;
    struct told **p = &ns->told;

    while (*p) {
        struct told *t = *p;

        if (now - t->at_ms >= NOTICE_EVERY_MS && !t->more) {
            forget(ns, p);
            continue;
        }
        if (now - t->at_ms >= NOTICE_EVERY_MS) {
            tell_denial(ns, t->guivm,
                        &(struct policy_question){
                            .source = t->source, .service = t->service, .argument = t->argument},
                        t->target, t->more);
            t->at_ms = now;
            t->more = 0;
        }
        if (!next || t->at_ms + NOTICE_EVERY_MS < next)
            next = t->at_ms + NOTICE_EVERY_MS;
        p = &t->next;
    }
    if (next)
        timer_set(timer, next - now + 1);
}

static struct told *find_told(struct notices *ns, const struct policy_question *q)
{
    for (struct told *t = ns->told; t; t = t->next)
        if (str_equal(t->source, q->source) && str_equal(t->service, q->service))
            return t;
    return NULL;
}

/* Without memory, or with too many at a time, each is told. */
static void add_told(struct notices *ns, const char *guivm, const struct policy_question *q,
                     const char *target)
{
    struct told *t = ns->n_told < TOLD_MOST ? calloc(1, sizeof(*t)) : NULL;

    if (!t)
        return;
    t->next = ns->told;
    ns->told = t;
    ns->n_told++;
    t->at_ms = clock_ms();
    t->guivm = strdup(guivm);
    t->target = strdup(target);
    t->source = strdup(q->source);
    t->service = strdup(q->service);
    t->argument = strdup(q->argument);
    if (!t->guivm || !t->target || !t->source || !t->service || !t->argument)
        forget(ns, &ns->told);
    ns->minute.fn = on_minute;
    if (!ns->minute.set)
        timer_set(&ns->minute, NOTICE_EVERY_MS);
}

static void count_or_tell(struct notices *ns, const char *guivm, const struct policy_question *q,
                          const char *target)
{
    struct told *t = find_told(ns, q);
    char *argument, *last;

    if (!t) {
        tell_denial(ns, guivm, q, target, 0);
        add_told(ns, guivm, q, target);
        return;
    }
    t->more++;
    argument = strdup(q->argument);
    last = strdup(target);
    if (argument && last) {
        free(t->argument);
        free(t->target);
        t->argument = argument;
        t->target = last;
    } else {
        free(argument);
        free(last);
    }
}

void notify_user(struct notices *ns, const struct policy_domains *d,
                 const struct policy_question *q, const struct policy_verdict *v)
{
    const struct policy_domain *caller = policy_domains_find(d, q->source);
    bool allowed = v->action == POLICY_ALLOW;
    const char *guivm = allowed ? v->guivm : caller ? caller->guivm : NULL;
    _cleanup_(freep) char *json = NULL;

    if (!v->notify || q->just_evaluate || !guivm || v->reason == POLICY_REASON_INVALID_TARGET)
        return;
    if (!allowed) {
        count_or_tell(ns, guivm, q, *q->target ? q->target : "@default");
        return;
    }
    json = notify_user_json("allow", v->source, q, v->target, 0);
    tell(ns, guivm, q->source, json);
}

void notify_trouble(struct notices *ns, const char *guivm, const char *what, const char *why)
{
    struct policy_question q = {.service = (char *)what, .argument = (char *)"+"};
    _cleanup_(freep) char *json = notify_user_json("fail", "dom0", &q, why, 0);

    tell(ns, guivm, "dom0", json);
}

void notices_deinit(struct notices *ns)
{
    timer_stop(&ns->minute);
    while (ns->first)
        drop(ns->first);
    while (ns->told)
        forget(ns, &ns->told);
    ledger_deinit(&ns->ledger);
}
