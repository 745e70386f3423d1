/*
 * What went over the connections: asked of the agent for each call that has one.
 *
 * Whether an agent knows the question shows only by its answer, so it is asked about one call
 * first, and about the rest when it has answered; one that does not answer in time is asked nothing
 * more, since it writes a line about each into its log. A VM's answer is its word, no more.
 */
#include "qrexec-daemon/see.h"

#define LOOK_MS 400

/* False: enough for now. */
static bool ask(struct daemon *d, struct call_counts *counts, uint32_t domain, uint32_t port)
{
    struct wire_ident ident = wire_look_ident(domain, port);

    if (counts->asked)
        return true;
    counts->asked = true;
    d->see.n_asked++;
    control_send_refused(d, &ident);
    return d->see.agent == SEE_AGENT_ANSWERS;
}

static bool has_connection(const struct running_call *c)
{
    return c->machine.answered && c->port && c->machine.state >= CALL_RUNNING;
}

/* but: has just answered, or NULL. */
static void ask_all(struct daemon *d, const struct call_counts *but)
{
    for (struct running_call *c = d->calls; c; c = c->next)
        if (has_connection(c) && &c->counts != but && !ask(d, &c->counts, c->domain, c->port))
            return;
    for (struct carried *c = d->carried; c; c = c->next)
        if (&c->counts != but && !ask(d, &c->counts, c->domain, c->port))
            return;
}

static void forget_all(struct daemon *d)
{
    for (struct running_call *c = d->calls; c; c = c->next)
        c->counts.asked = false;
    for (struct carried *c = d->carried; c; c = c->next)
        c->counts.asked = false;
    d->see.n_asked = 0;
}

static void on_look_timer(struct timer *t)
{
    struct daemon *d = container_of(container_of(t, struct see, look), struct daemon, see);

    if (d->see.agent == SEE_AGENT_UNKNOWN)
        d->see.agent = SEE_AGENT_MUTE;
    forget_all(d);
    see_counted(d);
}

bool see_look(struct daemon *d)
{
    if (d->see.look.set)
        return true;
    if (d->see.agent == SEE_AGENT_MUTE || !d->control.version)
        return false;
    forget_all(d);
    ask_all(d, NULL);
    if (!d->see.n_asked)
        return false;
    d->see.look.fn = on_look_timer;
    timer_set(&d->see.look, LOOK_MS);
    return true;
}

/* Nothing more is waited for: all have answered, or ended. */
static void settle(struct daemon *d)
{
    if (d->see.n_asked || !d->see.look.set)
        return;
    timer_stop(&d->see.look);
    see_counted(d);
}

void see_forget_counts(struct daemon *d, struct call_counts *counts)
{
    if (!counts->asked)
        return;
    counts->asked = false;
    d->see.n_asked--;
    settle(d);
}

static struct call_counts *find(struct daemon *d, uint32_t domain, uint32_t port)
{
    for (struct running_call *c = d->calls; c; c = c->next)
        if (c->counts.asked && c->domain == domain && c->port == port)
            return &c->counts;
    for (struct carried *c = d->carried; c; c = c->next)
        if (c->counts.asked && c->domain == domain && c->port == port)
            return &c->counts;
    return NULL;
}

/*
 * One that is late, or was not asked for, says nothing, but that the agent knows the question: it
 * was only slow.
 */
void see_take_counts(struct daemon *d, const struct wire_counts *said)
{
    struct call_counts *counts = d->see.look.set ? find(d, said->domain, said->port) : NULL;
    bool first = d->see.agent != SEE_AGENT_ANSWERS;

    d->see.agent = SEE_AGENT_ANSWERS;
    if (!counts)
        return;
    *counts = (struct call_counts){
        .known = true, .sent = said->sent, .received = said->received, .first_us = said->first_us};
    d->see.n_asked--;
    if (first)
        ask_all(d, counts);
    settle(d);
}

void see_new_agent(struct daemon *d)
{
    d->see.agent = SEE_AGENT_UNKNOWN;
}
