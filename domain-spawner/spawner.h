/*
 * domain-spawner: the process in dom0 that knows domains. What its parts know of each other.
 *
 *   registry.c    domains on disk; journal.c: names that disposables had
 *   records.c     making, storing and removing a domain's record; files changed by hand
 *   disposable.c  making disposables, and removing those that nobody starts
 *   server.c      the sockets: requests in, answers out, leases
 *   events.c      event streams
 *   methods*.c    what each method of the Admin API does
 *   life.c        starting and ending domains; helper-link.c: the helper that does it
 *   adopt.c       domains that outlived the helper, or us
 *
 * One loop, no threads; nothing here waits. A request that must wait is kept with the name of the
 * domain it waits for, so a domain may vanish at any time. Every change raises the generation
 * before it is answered.
 */
#ifndef QREXEC_SPAWNER_SPAWNER_H
#define QREXEC_SPAWNER_SPAWNER_H

#include "domain-spawner/domains.h"
#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/journal.h"
#include "domain-spawner/property.h"
#include "domain-spawner/registry.h"
#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/wire/admin.h"

#define ANSWER_LATER 2 /* of a method: the answer comes when its domain has come that far */

struct request;

struct spawner {
    struct domains domains;
    struct registry registry;
    struct journal journal;
    struct watch by_hand; /* the registry's files are watched */
    struct timer sweep;   /* of disposables that nobody starts */
    uint64_t *generation; /* the page that policy daemons map */
    /* the helper */
    struct watch helper;
    pid_t helper_pid;
    struct watch helper_end;
    struct timer helper_again;
    uint32_t again_ms;
    uint64_t helper_since; /* clock_ms() */
    uint64_t last_id;
    uint64_t helper_first; /* last_id when this helper was started */
    const char *helper_path;
    char backend[32]; /* as the helper says; "" before that */
    bool outlive;     /* its domains live on when the helper ends */
    struct timer adopt;
    bool stopping;
    /* the sockets */
    struct watch api, internal;
    struct watch hangups; /* tells which event stream's reader is gone */
    struct timer stats;   /* while somebody reads them */
    struct request *requests;
    size_t n_requests;
};

enum waiting { WAIT_NOTHING, WAIT_RUNNING, WAIT_GONE, WAIT_PAUSE, WAIT_STATS };
enum stream { STREAM_NONE, STREAM_EVENTS, STREAM_STATS };

struct request {
    struct request *next;
    struct spawner *spawner;
    struct watch watch;
    struct timer deadline; /* of the request's arrival, or of what it waits for */
    struct buf in, out;
    bool internal; /* came by the internal socket */
    bool answered; /* nothing more is read but a lease's end */
    enum stream stream;
    char source[DOMAIN_NAME_MAX + 1];  /* a stream's: who reads it */
    char subject[DOMAIN_NAME_MAX + 1]; /* a stream's: only this domain; "" all */
    bool lease;                        /* our domain lives as long as the connection */
    enum waiting waiting;
    bool shutdown;                    /* what it waits for is a shutdown, which may take its time */
    char domain[DOMAIN_NAME_MAX + 1]; /* waited for, or leased */
};

/* records.c */
/* Registry and journal, then the domains in them. Logs what is wrong; negative errno. */
int records_open(struct spawner *s);
void records_close(struct spawner *s);
/* A change is done: stored (but of disposables, which end with us), and the generation raised. */
int records_store(struct spawner *s, const struct domain *d);
int records_store_global(struct spawner *s);
/* Takes ownership when it succeeds; gives it a number. Tells domain-add. */
int records_add(struct spawner *s, struct domain *d);
/* Record, data, and the name's use; tells. d is freed. */
void records_remove(struct spawner *s, struct domain *d);
/* Whether a name may be given: no domain has it, and no broken file. */
bool records_name_free(const struct spawner *s, const char *name);
/* Tags that follow from guivm, audiovm, relayvm. tell: with events. 0 or -ENOMEM. */
int records_follow(struct spawner *s, struct domain *d, bool tell);

/* disposable.c */
/* A new disposable of that template, not started. */
int disposable_new(struct spawner *s, struct domain *template, const char *source,
                   struct domain **ret, struct refusal *refusal);
bool disposable_is_ephemeral(const struct spawner *s, const struct domain *d);
/* A record for one whose spawner is no more, so that it can be ended. -ENOENT: it is not ours. */
int disposable_found(struct spawner *s, const char *uuid, struct domain **ret);
/* Removes those that nobody started in time; looks again when the next one is due. */
void disposable_sweep(struct spawner *s);

/* server.c */
int server_start(struct spawner *s);
void server_stop(struct spawner *s);
/* A change is done: raises the generation. Before its answer. */
void spawner_changed(struct spawner *s);
/* The domain has come so far, or will not: answers who waits for it. failed NULL: it has. */
void server_domain_reached(struct spawner *s, const char *name, enum waiting what,
                           const char *failed);
/* The domain is gone: its lease ends. */
void server_domain_gone(struct spawner *s, const char *name);
/* After more output, or a new state: waits for what is to come, or ends the connection. */
void request_arm(struct request *rq);
void request_drop(struct request *rq);

/* events.c */
/* pairs: key, value …, NULL; or NULL. Text that does not fit is cut. */
void spawner_event(struct spawner *s, const char *subject, const char *event,
                   const char *const *pairs);
/* Makes it a stream: its first event goes out. */
int events_begin(struct request *rq, enum stream stream, const char *subject);
/* New figures of a domain are there: to those who read them. */
void events_tell_figures(struct spawner *s, const struct domain *d);
int events_init(struct spawner *s);
void events_stop(struct spawner *s);

/* methods.c: 0 and content; REFUSED; ANSWER_LATER; negative errno. */
int methods_run(struct request *rq, const struct admin_request *a, struct buf *content,
                struct refusal *refusal);
/* methods-info.c */
int method_system_info(struct spawner *s, struct buf *content);
int method_current_state(const struct spawner *s, const struct domain *d, struct buf *content);

/* life.c */
/* Begins: 0, or REFUSED. An up one: 0. */
int life_start(struct spawner *s, struct domain *d, struct refusal *refusal);
/* These begin, too; d may be gone when kill returns. */
int life_shutdown(struct spawner *s, struct domain *d, bool force, struct refusal *refusal);
int life_kill(struct spawner *s, struct domain *d, struct refusal *refusal);
int life_pause(struct spawner *s, struct domain *d, bool pause, struct refusal *refusal);
int life_ask_figures(struct spawner *s, struct domain *d);
/* From the helper. An ephemeral one is freed by life_down(). why NULL: it had run. */
void life_running(struct spawner *s, struct domain *d, uint32_t domid);
void life_late(struct spawner *s, struct domain *d, const char *why);
void life_down(struct spawner *s, struct domain *d, enum domain_state state, const char *why);
void life_answer(struct spawner *s, const struct helper_message *m);
/* What the helper must know of the domain. */
int life_spec(struct spawner *s, const struct domain *d, struct domain_spec *spec);
void life_set_state(struct spawner *s, struct domain *d, enum domain_state state);
/* A request about an up domain; *ret_id (may be NULL): the answer's. */
int life_ask(struct spawner *s, const struct domain *d, enum helper_request_type type,
             uint64_t *ret_id);

/* adopt.c */
/* The helper ended; those that live on wait for the next one, the others are down. */
void adopt_wait(struct spawner *s);
/* A new helper sees that domain. */
void adopt_found(struct spawner *s, const char *uuid);
/* It has told of all: those that are ours are taken over. */
void adopt_begin(struct spawner *s);

/* helper-link.c */
int helper_link_start(struct spawner *s);
/* The helper's end of file ends all domains; the loop is left when it has ended. */
void helper_link_stop(struct spawner *s);
/*
 * Sends, never waits; the answer comes to life_answer() with rq->id. -ENOTCONN: there is no helper;
 * -EAGAIN: it reads too slowly.
 */
int helper_link_tell(struct spawner *s, struct helper_request *rq);

#endif
