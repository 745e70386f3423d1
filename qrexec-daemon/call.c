/*
 * A call from its trigger to its end: see call.h.
 *
 * step[state][event] is what happens; an event without a step there is of no meaning in that
 * state, and is dropped.
 */
#include "qrexec-daemon/call.h"

#include <stdio.h>

#define MAKING_MS     180000 /* a domain's start; the spawner's own limit is shorter */
#define ASKING_MS     10000
#define CONNECTING_MS 10000
#define ENDING_MS     2000 /* for the caller to read its exit code */

static const uint64_t deadlines[CALL_STATES] = {
    [CALL_DECIDING] = 0, /* a user may be asked */
    [CALL_MAKING] = MAKING_MS, [CALL_ASKING_PORT] = ASKING_MS, [CALL_CONNECTING] = CONNECTING_MS,
    [CALL_RUNNING] = 0,        [CALL_ENDING] = ENDING_MS,
};

const char *call_state_name(enum call_state s)
{
    static const char *const names[CALL_STATES] = {"deciding",   "making",  "asking for a port",
                                                   "connecting", "running", "ending"};

    return names[s];
}

const char *call_event_name(enum call_event ev)
{
    static const char *const names[CALL_EVENTS] = {
        [CALL_EV_ALLOWED] = "allowed",
        [CALL_EV_DENIED] = "denied by the policy",
        [CALL_EV_NO_VERDICT] = "no verdict from the policy service",
        [CALL_EV_MADE] = "the target runs",
        [CALL_EV_MAKE_FAILED] = "the target could not be started",
        [CALL_EV_LEASE_GONE] = "the disposable ended",
        [CALL_EV_NO_DAEMON] = "the target does not run",
        [CALL_EV_PORT] = "a port was allotted",
        [CALL_EV_TARGET_GONE] = "the target's daemon closed the connection",
        [CALL_EV_CLAIMED] = "the caller was connected",
        [CALL_EV_CLIENT_GONE] = "the service in dom0 ended",
        [CALL_EV_CHILD_ENDED] = "dom0's end could not serve",
        [CALL_EV_CALLER_DONE] = "the caller's end is over",
        [CALL_EV_DEADLINE] = "the time was up",
        [CALL_EV_STOPPED] = "ended by the administrator",
        [CALL_EV_AGENT_GONE] = "the caller's agent is gone",
    };

    return names[ev];
}

/* The one end. Order matters: the caller first, the disposable last. */
static void call_end(struct call *c, bool failed)
{
    if (!c->answered) {
        c->answered = true;
        c->ops->refuse_caller(c);
    }
    c->ops->drop_policy(c);
    c->ops->drop_target(c);
    c->ops->drop_child(c);
    c->ops->drop_lease(c);
    c->ops->ended(c, failed);
}

static void enter(struct call *c, enum call_state state)
{
    c->state = state;
    c->ops->entered(c, deadlines[state]);
}

/* Starts an effect and goes on to the state that waits for it. */
static void go(struct call *c, enum call_state state, int (*op)(struct call *c))
{
    int r = op(c);

    if (r) {
        snprintf(c->why, sizeof(c->why), "%s", strerror(-r));
        call_end(c, true);
        return;
    }
    enter(c, state);
}

static void ask_port(struct call *c)
{
    go(c, CALL_ASKING_PORT, c->ops->ask_port);
}

static void on_allowed(struct call *c)
{
    c->ops->drop_policy(c);
    if (c->target == CALL_TO_DOM0) {
        go(c, CALL_CONNECTING, c->ops->run_in_dom0);
    } else if (c->target == CALL_TO_VM) {
        ask_port(c);
    } else if (c->autostart) {
        go(c, CALL_MAKING, c->ops->make_disposable);
    } else {
        snprintf(c->why, sizeof(c->why),
                 "a disposable would have to be started, and autostart is no");
        call_end(c, true);
    }
}

static void on_no_verdict(struct call *c)
{
    c->ops->drop_policy(c);
    if (c->asked_program || !c->program_may_decide) {
        call_end(c, true);
        return;
    }
    c->asked_program = true;
    go(c, CALL_DECIDING, c->ops->ask_program);
}

static void on_no_daemon(struct call *c)
{
    c->ops->drop_target(c);
    if (c->target != CALL_TO_VM || !c->autostart || c->started_target) {
        call_end(c, true);
        return;
    }
    c->started_target = true;
    go(c, CALL_MAKING, c->ops->start_target);
}

static void on_port(struct call *c)
{
    int r = c->ops->connect_caller(c);

    if (r) {
        snprintf(c->why, sizeof(c->why), "%s", strerror(-r));
        call_end(c, true);
        return;
    }
    c->answered = true;
    if (c->target == CALL_TO_VM)
        call_end(c, false); /* the rest is between the two domains */
    else
        enter(c, CALL_RUNNING);
}

/* Also before a decision: who may use our socket decides for itself. */
static void on_claimed(struct call *c)
{
    c->ops->drop_policy(c);
    c->answered = true;
    enter(c, CALL_RUNNING);
}

/* The service is done; what it sent last may still be on its way to the caller. */
static void on_service_done(struct call *c)
{
    c->ops->drop_target(c);
    enter(c, CALL_ENDING);
}

/* Its caller has what it sent, or finds out that it is gone. */
static void on_client_gone(struct call *c)
{
    c->ops->drop_child(c);
    enter(c, CALL_ENDING);
}

/* A service's caller that still reads may take its time; without a client it waits for nobody. */
static void on_ending_late(struct call *c)
{
    if (c->target == CALL_TO_DOM0)
        c->ops->hang_up(c);
    call_end(c, false);
}

static void on_failed(struct call *c)
{
    call_end(c, true);
}

static void on_over(struct call *c)
{
    call_end(c, false);
}

static void (*const step[CALL_STATES][CALL_EVENTS])(struct call *c) = {
    [CALL_DECIDING] = {[CALL_EV_ALLOWED] = on_allowed,
                       [CALL_EV_DENIED] = on_over,
                       [CALL_EV_NO_VERDICT] = on_no_verdict,
                       [CALL_EV_CLAIMED] = on_claimed,
                       [CALL_EV_DEADLINE] = on_failed,
                       [CALL_EV_STOPPED] = on_failed,
                       [CALL_EV_AGENT_GONE] = on_over},
    [CALL_MAKING] = {[CALL_EV_MADE] = ask_port,
                     [CALL_EV_MAKE_FAILED] = on_failed,
                     [CALL_EV_LEASE_GONE] = on_failed,
                     [CALL_EV_DEADLINE] = on_failed,
                     [CALL_EV_STOPPED] = on_failed,
                     [CALL_EV_AGENT_GONE] = on_over},
    [CALL_ASKING_PORT] = {[CALL_EV_NO_DAEMON] = on_no_daemon,
                          [CALL_EV_PORT] = on_port,
                          [CALL_EV_TARGET_GONE] = on_failed,
                          [CALL_EV_LEASE_GONE] = on_failed,
                          [CALL_EV_DEADLINE] = on_failed,
                          [CALL_EV_STOPPED] = on_failed,
                          [CALL_EV_AGENT_GONE] = on_over},
    [CALL_CONNECTING] = {[CALL_EV_CLAIMED] = on_claimed,
                         [CALL_EV_CHILD_ENDED] = on_failed,
                         [CALL_EV_DEADLINE] = on_failed,
                         [CALL_EV_STOPPED] = on_failed,
                         [CALL_EV_AGENT_GONE] = on_over},
    [CALL_RUNNING] = {[CALL_EV_TARGET_GONE] = on_service_done,
                      [CALL_EV_LEASE_GONE] = on_over,
                      [CALL_EV_CLIENT_GONE] = on_client_gone,
                      [CALL_EV_CHILD_ENDED] = on_client_gone,
                      [CALL_EV_CALLER_DONE] = on_over,
                      [CALL_EV_STOPPED] = on_failed,
                      [CALL_EV_AGENT_GONE] = on_over},
    [CALL_ENDING] = {[CALL_EV_LEASE_GONE] = on_over,
                     [CALL_EV_CALLER_DONE] = on_over,
                     [CALL_EV_DEADLINE] = on_ending_late,
                     [CALL_EV_STOPPED] = on_failed,
                     [CALL_EV_AGENT_GONE] = on_over},
};

void call_begin(struct call *c, const struct call_ops *ops, bool program_may_decide)
{
    *c = (struct call){.ops = ops, .program_may_decide = program_may_decide};
    go(c, CALL_DECIDING, ops->ask_policy);
}

void call_handle(struct call *c, enum call_event ev, const char *detail)
{
    if (!step[c->state][ev])
        return;
    if (ev != CALL_EV_ALLOWED && ev != CALL_EV_MADE && ev != CALL_EV_PORT && ev != CALL_EV_CLAIMED)
        snprintf(c->why, sizeof(c->why), "%s%s%s", call_event_name(ev), detail ? ": " : "",
                 detail ? detail : "");
    step[c->state][ev](c);
}

bool call_is_claimable(const struct call *c)
{
    return (c->state == CALL_DECIDING || c->state == CALL_CONNECTING) && !c->answered;
}
