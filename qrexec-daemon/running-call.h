/*
 * The driver of call.c: one running_call per request, with what it holds. What its parts know of
 * each other.
 *
 *   calls.c         life: from the trigger to the line in the log
 *   calls-decide.c  the policy service, the policy program, what their answer means
 *   calls-carry.c   the spawner, the target's daemon, dom0's end
 *
 * Events go to the machine last in a handler, since the call may be freed there.
 */
#ifndef QREXEC_DAEMON_RUNNING_CALL_H
#define QREXEC_DAEMON_RUNNING_CALL_H

#include "qrexec-daemon/call.h"
#include "qrexec-daemon/carried.h"
#include "qrexec-daemon/maker.h"
#include "qrexec-daemon/stream.h"

struct running_call {
    struct call machine;
    struct running_call *next;
    struct daemon *daemon;
    char id[CALL_ID_SIZE];
    /* what was asked */
    struct pending pending;
    struct wire_request request;
    char *service;    /* request.service; allocated */
    bool says_source; /* the trigger could name a source: protocol 4 */
    /* what was decided */
    char *command;                /* for the target; allocated */
    char target[MAKER_NAME_SIZE]; /* name, uuid:…, template; then the disposable's name */
    bool by_uuid;
    char target_name[MAKER_NAME_SIZE]; /* for people */
    /* what is held */
    struct stream policy;
    struct program_request program;
    bool program_asked;
    struct maker *maker;
    struct stream peer; /* the target's daemon */
    bool peer_said_hello;
    uint32_t peer_version;
    uint32_t domain, port; /* where the caller is sent */
    pid_t child;           /* dom0's end; 0: none */
    struct watch child_watch;
    bool claimed;
    bool stopped; /* by the administrator: so is dom0's end */
    /* time */
    struct timer deadline;
    uint64_t since;      /* ms since 1970 */
    uint64_t entered_at; /* us */
    struct call_counts counts;
    enum call_state last_state;
    uint64_t spent[CALL_STATES]; /* us in each state */
};

static inline struct running_call *running_call_of(struct call *m)
{
    return container_of(m, struct running_call, machine);
}

/* calls-decide.c */
int decide_ask_policy(struct call *m);
int decide_ask_program(struct call *m);
void decide_drop(struct call *m);

/* calls-carry.c */
int carry_make_disposable(struct call *m);
int carry_start_target(struct call *m);
void carry_drop_lease(struct call *m);
int carry_ask_port(struct call *m);
void carry_drop_target(struct call *m);
int carry_run_in_dom0(struct call *m);
void carry_drop_child(struct call *m);
/* Children that outlive their calls. */
void carry_forget_orphans(struct daemon *d);

#endif
