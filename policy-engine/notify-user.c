/* policy.Notify: see notify-user.h. */
#include "policy-engine/notify-user.h"

#include "policy-engine/ask-user.h"
#include "policy-engine/guivm-call.h"

#define NOTICE_MS 10000

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

void notify_user(struct notices *ns, const struct policy_domains *d,
                 const struct policy_question *q, const struct policy_verdict *v)
{
    const struct policy_domain *caller = policy_domains_find(d, q->source);
    bool allowed = v->action == POLICY_ALLOW;
    const char *guivm = allowed ? v->guivm : caller ? caller->guivm : NULL;
    _cleanup_(freep) char *json = NULL;

    if (!v->notify || q->just_evaluate || !guivm || v->reason == POLICY_REASON_INVALID_TARGET)
        return;
    if (allowed)
        json = notify_user_json("allow", v->source, q, v->target);
    else
        json = notify_user_json("deny", q->source, q, *q->target ? q->target : "@default");
    tell(ns, guivm, q->source, json);
}

void notices_deinit(struct notices *ns)
{
    while (ns->first)
        drop(ns->first);
    ledger_deinit(&ns->ledger);
}
