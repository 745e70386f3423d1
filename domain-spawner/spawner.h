/*
 * domain-spawner: the process in dom0 that knows domains. What its parts know of each other.
 *
 *   registry.c   domains on disk
 *   server.c     the sockets: requests in, answers out, event streams, leases
 *   methods*.c   what each method of the Admin API does
 *   life.c       starting and ending domains, by way of the helper
 */
#ifndef QREXEC_SPAWNER_SPAWNER_H
#define QREXEC_SPAWNER_SPAWNER_H

#include "domain-spawner/domains.h"
#include "domain-spawner/property.h"
#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/wire/admin.h"

#define ANSWER_LATER 2 /* of a method: the answer comes when its domain has come that far */

struct request;

struct spawner {
    struct domains domains;
    uint64_t *generation; /* the page that policy daemons map */
    /* the helper */
    struct watch helper;
    pid_t helper_pid;
    struct watch helper_end;
    struct timer helper_again;
    uint64_t last_id;
    const char *helper_path;
    bool stopping;
    /* the sockets */
    struct watch api, internal;
    struct request *requests;
    size_t n_requests;
};

enum waiting { WAIT_NOTHING, WAIT_RUNNING, WAIT_GONE };

struct request {
    struct request *next;
    struct spawner *spawner;
    struct watch watch;
    struct buf in, out;
    bool internal; /* came by the internal socket */
    bool answered; /* nothing more is read but a lease's end */
    bool stream;   /* gets events */
    bool lease;    /* our domain lives as long as the connection */
    enum waiting waiting;
    char domain[DOMAIN_NAME_MAX + 1]; /* waited for, or leased */
};

/* registry.c */
int registry_load(struct spawner *s);
int registry_save(struct spawner *s, const struct domain *d);
int registry_save_globals(struct spawner *s);
void registry_remove(struct spawner *s, const struct domain *d);
/* A name that no domain has, and none had in the last days. */
int registry_new_disposable_name(struct spawner *s, char ret[static DOMAIN_NAME_MAX + 1]);

/* server.c */
int server_start(struct spawner *s);
void server_stop(struct spawner *s);
/* A change is done: raises the generation. Before its answer. */
void spawner_changed(struct spawner *s);
/* pairs: key, value …, NULL; or NULL. */
void spawner_event(struct spawner *s, const char *subject, const char *event,
                   const char *const *pairs);
/* The domain has come so far, or will not: answers who waits for it. failed NULL: it has. */
void server_domain_reached(struct spawner *s, const char *name, enum waiting what,
                           const char *failed);
/* The domain is gone: its lease ends. */
void server_domain_gone(struct spawner *s, const char *name);

/* methods.c: 0 and content in rq->out; REFUSED; ANSWER_LATER; negative errno. */
int methods_run(struct request *rq, const struct admin_request *a, struct buf *content,
                struct refusal *refusal);
/* methods-property.c; d NULL: the system's */
int method_property(struct spawner *s, const char *verb, const char *name, const char *value,
                    struct domain *d, struct buf *content, struct refusal *refusal);
/* methods-info.c */
int method_system_info(struct spawner *s, struct buf *content);
/* A new disposable of that template, not started. */
int disposable_new(struct spawner *s, struct domain *template, const char *source,
                   struct domain **ret, struct refusal *refusal);

/* life.c */
int life_init(struct spawner *s);
void life_stop(struct spawner *s);
/* Begins: 0, or REFUSED. An up one: 0. */
int life_start(struct spawner *s, struct domain *d, struct refusal *refusal);
int life_request(struct spawner *s, struct domain *d, const char *what, struct refusal *refusal);

#endif
