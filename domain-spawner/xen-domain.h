/*
 * One domain of the Xen backend: what its files know of each other.
 *
 *   xen-domain.c  what the domain is doing, from its build until it is to end, and why it ends
 *   xen-daemon.c  the qrexec-daemon beside it
 *   xen-end.c     its end: nothing of it is left when the front hears of it
 *   backend-xen.c the hooks of backend.h, and the turn that lets them all go on
 *
 *   building  a builder process has it; it answers: the domain is there, paused
 *   agent     the domain runs, its daemon starts; the daemon says READY=1
 *   running   until it shuts down, crashes, is destroyed
 *   ending    daemon and builder go, then libxl destroys it, until all three are over
 *
 * Nothing blocks: building is a process, libxl's operations are asynchronous and complete as
 * events. An event carries the serial of the domain it is for, so one for a domain that is no more
 * finds nobody. What is ended while it is built, or whose builder died, is found by its uuid.
 *
 * Only backend-xen.c goes through the list of domains; only xen_domain_finish() frees one there.
 */
#ifndef QREXEC_SPAWNER_XEN_DOMAIN_H
#define QREXEC_SPAWNER_XEN_DOMAIN_H

#include "domain-spawner/backend.h"
#include "domain-spawner/xen-builder.h"
#include "domain-spawner/xen-loop.h"

#define NO_DOMID    UINT32_MAX
#define NOTIFY_DIR  "/run/qubes/domains"
#define CONSOLE_LOG "/var/log/xen/console/guest-%s.log" /* xenconsoled --log=guest writes it */

enum xen_state { XEN_BUILDING, XEN_AGENT, XEN_RUNNING, XEN_ENDING };

/* What an event of libxl is about: serial << 8 | one of these. */
enum xen_about { ABOUT_DEATH, ABOUT_UNPAUSE, ABOUT_DESTROY, ABOUT_OTHER };

struct backend_domain {
    struct backend_domain *next;
    struct backend *backend;
    struct domain_spec spec;
    uint64_t serial;
    enum xen_state state;
    bool patient; /* not ended for its agent's silence: it ran before ours, or is late */
    enum domain_end end;
    char reason[DOMAIN_TEXT_SIZE]; /* why it never ran; "": it ran, or was destroyed */
    uint64_t deadline;
    uint64_t daemon_at; /* when to start its daemon again; 0: it is there, or will not be */
    size_t daemon_wait;
    uint32_t domid;  /* NO_DOMID: none yet */
    bool destroying; /* an operation of libxl runs */
    bool destroyed;
    int destroy_tries;
    uint64_t destroy_at; /* not before that */
    struct xen_build *build;
    libxl_evgen_domain_death *death;
    struct process daemon;
    struct watch notify;
};

struct backend {
    struct xen_loop loop;
    struct watch_set set;
    struct xen_builders builders;
    const struct backend_events *events;
    struct backend_domain *domains;
    uint64_t serial;
};

/* ---- xen-domain.c ---- */

/* In the backend's list, not begun. NULL: no memory. */
struct backend_domain *xen_domain_new(struct backend *b, const struct domain_spec *spec);
/* Not in the list any more; the domain itself is left alone. */
void xen_domain_free(struct backend_domain *d);
/* A builder begins: 0 or negative errno. */
int xen_domain_build(struct backend_domain *d);
/* The domain is there: from now on its end is heard of, and its daemon waits for its agent. */
int xen_domain_attend(struct backend_domain *d);
/* Its agent has answered, or is not waited for any longer. */
void xen_domain_runs(struct backend_domain *d);
/* It ends; once is enough. fail: with a reason for the user, if it never ran. */
void xen_domain_end(struct backend_domain *d, enum domain_end how_it_ends);
_printf_(2, 3) void xen_domain_fail(struct backend_domain *d, const char *fmt, ...);
/* What libxl has to say of it. */
void xen_domain_event(struct backend_domain *d, const libxl_event *ev);
void xen_domain_check_times(struct backend_domain *d);
/* An operation of libxl whose end comes as an event. */
libxl_asyncop_how xen_domain_how(const struct backend_domain *d, enum xen_about about);

/* ---- xen-daemon.c ---- */

/* 0 or negative errno. Its READY=1, and its end, are heard of. */
int xen_daemon_start(struct backend_domain *d);
/* Nothing is heard of it any more but its end. */
void xen_daemon_forget(struct backend_domain *d);

/* ---- xen-end.c ---- */

/* What its end needs next, if it is time; while there is such a step it is due at destroy_at. */
void xen_domain_step(struct backend_domain *d);
bool xen_domain_has_step(const struct backend_domain *d);
/* libxl's answer to that. */
void xen_domain_destroyed(struct backend_domain *d, int rc);
/* Nothing of it is left: the front is told, and d freed. */
bool xen_domain_is_over(const struct backend_domain *d);
void xen_domain_finish(struct backend_domain *d);

#endif
