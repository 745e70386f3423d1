/*
 * A backend makes domains: what the helper asks of Xen, or of the kernel's namespaces.
 *
 * A domain that create() or adopt() accepted ends in exactly one of events->start_failed or
 * events->gone, and then nothing of it is left: no process, no socket, no directory of a
 * disposable; its struct is freed when that event returns. Nothing here blocks: what takes time is
 * done by processes that the backend watches, and the owner of the loop calls dispatch() when the
 * backend's descriptor is readable or its timeout has passed. Events come out of dispatch() alone.
 */
#ifndef QREXEC_SPAWNER_BACKEND_H
#define QREXEC_SPAWNER_BACKEND_H

#include "libqrexec/base/util.h"

#define DOMAIN_NAME_SIZE  32 /* with the NUL: 31 characters */
#define DOMAIN_UUID_SIZE  37
#define DOMAIN_TEXT_SIZE  512
#define DOMAIN_PATH_SIZE  1024
#define DOMAIN_NUMBER_MAX 32751 /* the last domid that Xen gives to a guest */

#define BACKEND_E_UNSUPPORTED 1 /* this backend cannot do that */
#define BACKEND_E_UNKNOWN     2 /* no such domain, or not in a state for it */
#define BACKEND_E_EXISTS      3 /* a domain of that name or uuid lives */

/* All that a backend knows of a domain. Texts are "" where nothing is meant. */
struct domain_spec {
    char name[DOMAIN_NAME_SIZE];
    char uuid[DOMAIN_UUID_SIZE];
    char type[DOMAIN_NAME_SIZE]; /* the class: AppVM, DispVM … */
    char default_user[DOMAIN_NAME_SIZE];
    bool starting;          /* adopt: its agent never answered, and must in time, as after create */
    bool disposable;        /* its private volume is new, and vanishes with it */
    bool networked;         /* netvm is set */
    uint32_t netvm;         /* Xen: domid of the netvm, if networked */
    uint32_t memory_mib;    /* at start */
    uint32_t maxmem_mib;    /* 0: no balancing */
    uint32_t vcpus;         /* at least 1 */
    uint32_t start_seconds; /* qrexec_timeout: from create to the agent's answer */
    char home[DOMAIN_PATH_SIZE];      /* local: /home/user; made if missing, 0700 */
    char home_from[DOMAIN_PATH_SIZE]; /* local: whose copy a disposable's home is; may be missing */
    char kernel[DOMAIN_PATH_SIZE], ramdisk[DOMAIN_PATH_SIZE]; /* Xen */
    char root_image[DOMAIN_PATH_SIZE];                        /* Xen: never written */
    char private_image[DOMAIN_PATH_SIZE]; /* Xen: a disposable's is a copy of it */
    char kernelopts[DOMAIN_TEXT_SIZE];    /* Xen */
    char virt_mode[DOMAIN_NAME_SIZE];     /* Xen: pv pvh hvm */
};

struct domain_stats {
    uint64_t memory_kib;
    uint64_t maxmem_kib; /* 0: no limit of its own */
    uint64_t cpu_ns;     /* since its start, all processors together */
};

enum domain_end { DOMAIN_SHUTDOWN, DOMAIN_CRASH, DOMAIN_DESTROY };

struct backend_events {
    /* The agent has answered and the daemon serves. */
    void (*running)(void *user, const struct domain_spec *spec, uint32_t domid);
    /*
     * It is no disposable, its agent has not answered in start_seconds, and it is not ended for
     * that. Later comes running, or gone. reason: one line for the user.
     */
    void (*late)(void *user, const struct domain_spec *spec, const char *reason);
    /* It never ran. reason: one line for the user. */
    void (*start_failed)(void *user, const struct domain_spec *spec, const char *reason);
    /* It ran, or was late, or was destroyed before it did. */
    void (*gone)(void *user, const struct domain_spec *spec, enum domain_end end);
    void *user;
};

struct backend;
struct backend_domain;

struct backend_ops {
    const char *name;
    /*
     * Mandatory, both. events outlives the backend. -errno: not usable here; *ret_why is then
     * one line that says what to do, static or "".
     */
    int (*open)(const struct backend_events *events, struct backend **ret, const char **ret_why);
    /*
     * Without events. Domains that are not gone are killed; where there is adopt(), they live on.
     */
    void (*close)(struct backend *b);

    /* Mandatory: what to wait for. The descriptor never changes; timeout in ms, -1 none. */
    int (*fd)(const struct backend *b);
    int (*timeout)(const struct backend *b);
    void (*dispatch)(struct backend *b);

    /*
     * Mandatory. Never blocks. Copies spec. Ends in events->running, then ->gone, or in
     * ->start_failed; ->late may come before running. *ret_domid: its number, which no other domain
     * of this backend's life had, or 0 where it is known only later: events->running tells it.
     */
    int (*create)(struct backend *b, const struct domain_spec *spec, struct backend_domain **ret,
                  uint32_t *ret_domid);
    /*
     * NULL: domains end with this process. Else they outlive it, and this makes one that runs from
     * before ours again, as if created: events->running, then ->gone; one that is starting may
     * fail to, too: ->start_failed. A disposable, and one that never ran a moment, is ended
     * instead: ->gone. BACKEND_E_UNKNOWN: no domain has that uuid.
     */
    int (*adopt)(struct backend *b, const struct domain_spec *spec, struct backend_domain **ret,
                 uint32_t *ret_domid, bool *ret_paused);
    /* Where there is adopt(): the uuid of each domain that lives, whoever made it. */
    void (*list)(struct backend *b, void (*found)(void *user, const char *uuid), void *user);
    /* Mandatory. Asks the domain to end; it may take its time or not do it. */
    int (*shutdown)(struct backend_domain *d);
    /* Mandatory, for half-built ones too, may be called twice. Ends in ->gone. */
    void (*destroy)(struct backend_domain *d);
    /* Optional; NULL: the caller gets BACKEND_E_UNSUPPORTED. */
    int (*pause)(struct backend_domain *d);
    int (*unpause)(struct backend_domain *d);
    int (*stats)(struct backend_domain *d, struct domain_stats *ret);
};

extern const struct backend_ops backend_local;
#ifdef HAVE_XEN
extern const struct backend_ops backend_xen;
#endif

#endif
