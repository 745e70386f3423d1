/*
 * One request of the policy daemon, between the files that carry it: policy-server.c reads it and
 * writes its answer, policy-decide.c finds the verdict, policy-account.c tells the logs and users.
 *
 * States go forward only: reading, then waiting for domains as fresh as the request, then perhaps
 * asking and waiting for domains as fresh as the user's answer, then writing.
 */
#ifndef QREXEC_POLICY_REQUEST_H
#define QREXEC_POLICY_REQUEST_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/call-id.h"
#include "libqrexec/base/charge.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/decision-log.h"
#include "policy-engine/decision-spool.h"
#include "policy-engine/guivm-call.h"
#include "policy-engine/kept-answers.h"
#include "policy-engine/notify-user.h"
#include "policy-engine/policy-freshness.h"
#include "policy-engine/policy-server.h"
#include "policy-engine/policy-watch.h"
#include "policy-engine/refusals.h"

#define KEPT_CHOICE_SIZE 256

enum request_state { READING, WAITING_FOR_DOMAINS, ASKING, ANSWERED, WRITING };
enum socket_kind { SOCKET_POLICY, SOCKET_EVAL, SOCKET_GUI, SOCKETS };

struct request {
    struct request *next;
    struct policy_server *server;
    enum socket_kind kind;
    char call_id[CALL_ID_SIZE]; /* that its daemon gave it; "": one of ours */
    struct watch client;
    struct timer late; /* while we wait for it to say its request, or to take its answer */
    struct buf in, out;
    enum request_state state;
    struct policy_question question;
    char *caller; /* of policy.Eval*: who wants to know */
    struct charge charge;
    uint64_t need;         /* the domains must be no older than that */
    struct policy *policy; /* that the verdict is of; NULL: there was none */
    struct policy_domains *domains;
    struct policy_verdict asked;
    struct guivm_call prompt;
    struct hangup gone;
    /* what the user said */
    char chosen[KEPT_CHOICE_SIZE];
    bool keep;
    uint64_t keep_seconds;
    /* for the record; microseconds of the monotonic clock, 0: did not come to that */
    const char *answered_by;
    char answered_in[KEPT_CHOICE_SIZE]; /* the domains whose name it is may be gone by then */
    uint64_t begun, read, served, asked_at, answered_at, decided;
    char *shadow;
};

struct policy_server {
    const struct server_options *options;
    struct freshness fresh;
    struct policy_watch live, shadow;
    struct listener {
        struct policy_server *server;
        enum socket_kind kind;
        struct watch watch;
        char path[PATH_SIZE];
        bool handed; /* by the supervisor: not ours to remove */
    } listeners[SOCKETS];
    struct request *first;
    struct request *spare; /* an ended one, with its small buffers, for the next */
    size_t n;
    struct ledger ledger;
    struct notices notices;
    struct refusals refusals, differences;
    struct timer flush;
    struct decision_spool spool; /* what is on its way to the logs */
    struct timer spooled;
    struct decision_log log;
    char kept_path[PATH_SIZE]; /* "": nothing is kept */
    struct kept_answers kept;
    struct timer kept_ends;
    bool untold;       /* users were not told yet that the policy does not load */
    char id_start[20]; /* "HEX-" */
    uint64_t calls;
};

/* policy-server.c: sends what is in v, closing the stream behind it. */
void request_send(struct request *q, const struct policy_verdict *v);
/* Frees the request, unless its answer is not sent as a whole yet. */
void request_finish(struct request *q);
/* Frees it, without an answer if there was none. */
void request_hang_up(struct request *q);

/* policy-decide.c: the question is known, and the domains are as it needs them. */
void request_decide(struct request *q);
/* The domains are as the user's answer needs them. */
void request_recheck(struct request *q);
/* Denies for a trouble of ours, sends that, and says it. The request may be gone then. */
void request_deny(struct request *q, const char *what, const char *why);

/*
 * policy-account.c. Before the answer: the record is put where it outlives us. True: it is told,
 * not only counted.
 */
bool account_decision(struct request *q, const struct policy_verdict *v);
void account_trouble(struct request *q, const char *what, const char *why);
/* Behind the answer: notices for v, if it is not NULL, and the logs where much waits for them. */
void account_after(struct request *q, const struct policy_verdict *v);
void account_flush(struct policy_server *s, bool all);
/* What is spooled goes to the logs now. */
void account_log(struct policy_server *s);
/* Users are told that the policy does not load, once the domains are known. */
void account_tell_broken(struct policy_server *s);

#endif
