/*
 * A call from its trigger to its end.
 *
 * The machine knows no loop, no descriptor and no clock: what happened comes in as an event, what
 * must be done goes out through call_ops, and a table of states × events says which. An op starts
 * something and returns; its outcome comes as a later event, never from inside the op. Each state
 * has one deadline. Every call ends in call_end(), once: there the caller is refused if nothing
 * answered it, the target's connection is dropped, then the lease, so that a disposable never
 * outlives its call and the caller's exit code goes before the disposable is destroyed.
 *
 *   deciding     the policy service, or the fallback program, is asked
 *   making       the spawner makes the disposable, or starts the target
 *   asking_port  the target's daemon is asked for a port
 *   connecting   dom0's end was started and must come for the pending request
 *   running      the caller was told where to connect; data flows without us
 *   ending       the service's end is done; the caller may still be reading its exit code
 */
#ifndef QREXEC_DAEMON_CALL_H
#define QREXEC_DAEMON_CALL_H

#include "libqrexec/base/util.h"

#define CALL_WHY_SIZE 256

enum call_state {
    CALL_DECIDING,
    CALL_MAKING,
    CALL_ASKING_PORT,
    CALL_CONNECTING,
    CALL_RUNNING,
    CALL_ENDING,
    CALL_STATES,
};

enum call_event {
    CALL_EV_ALLOWED,     /* call->plan is filled in */
    CALL_EV_DENIED,      /* by the policy */
    CALL_EV_NO_VERDICT,  /* not reached, or what came is no answer */
    CALL_EV_MADE,        /* the disposable, or the target, runs */
    CALL_EV_MAKE_FAILED, /* it does not */
    CALL_EV_LEASE_GONE,  /* the disposable, or its spawner, ended */
    CALL_EV_NO_DAEMON,   /* nobody serves the target's socket */
    CALL_EV_PORT,        /* the target's daemon allotted one */
    CALL_EV_TARGET_GONE, /* the target's daemon closed the connection */
    CALL_EV_CLAIMED,     /* a client connected the pending request */
    CALL_EV_CLIENT_GONE, /* that client closed its connection */
    CALL_EV_CHILD_ENDED, /* dom0's end, which we started, ended */
    CALL_EV_CALLER_DONE, /* our agent: the caller's end is over */
    CALL_EV_DEADLINE,
    CALL_EV_STOPPED,    /* by the administrator */
    CALL_EV_AGENT_GONE, /* or we end: nobody can be answered any more */
    CALL_EVENTS,
};

enum call_target { CALL_TO_DOM0, CALL_TO_VM, CALL_TO_DISPOSABLE };

struct call;

/* Each starts its effect; 0 or negative errno (not started: the call ends with it). */
struct call_ops {
    int (*ask_policy)(struct call *c);
    int (*ask_program)(struct call *c);
    int (*make_disposable)(struct call *c);
    int (*start_target)(struct call *c);
    int (*ask_port)(struct call *c);
    int (*run_in_dom0)(struct call *c);
    int (*connect_caller)(struct call *c); /* answers the request: domain and port */
    void (*refuse_caller)(struct call *c); /* answers the request */
    void (*hang_up)(struct call *c);       /* the caller is told that nobody is there any more */
    /* What is under way; each may be called when nothing is. */
    void (*drop_policy)(struct call *c);
    void (*drop_target)(struct call *c);
    void (*drop_lease)(struct call *c); /* the disposable is destroyed */
    void (*drop_child)(struct call *c);
    void (*entered)(struct call *c, uint64_t deadline_ms); /* 0: no deadline */
    void (*ended)(struct call *c, bool failed);            /* the last op; frees c */
};

struct call {
    const struct call_ops *ops;
    enum call_state state;
    /* the plan after an allow */
    enum call_target target;
    bool autostart;
    bool program_may_decide; /* false: has a requested source, for which the program has no place */
    /* how far it came */
    bool asked_program;
    bool started_target;
    bool answered;           /* connected, claimed or refused */
    char why[CALL_WHY_SIZE]; /* the last thing that was said about it */
};

/* Starts deciding. The call may have ended when this returns. */
void call_begin(struct call *c, const struct call_ops *ops, bool program_may_decide);
/* detail: what the driver knows about it, or NULL. The call may have ended. */
void call_handle(struct call *c, enum call_event ev, const char *detail);
/* Whether a client may connect the pending request now. */
bool call_is_claimable(const struct call *c);

const char *call_state_name(enum call_state s);
const char *call_event_name(enum call_event ev);

#endif
