/*
 * Data ports that this daemon allots, one set for each peer domain.
 *
 * A port is taken from its allotment until the own agent reports that (domain, port) terminated,
 * whatever becomes of the client that asked for it, and also over a restart of the agent: the
 * processes that carry data outlive it.
 */
#ifndef QREXEC_DAEMON_PORTS_H
#define QREXEC_DAEMON_PORTS_H

#include "libqrexec/base/util.h"

#define PORT_FIRST 513
#define PORT_LAST  65535

#define PORTS_E_NONE 1 /* all taken */

/*
 * A port that an earlier daemon allotted is not allotted again for that long, from this daemon's
 * start: the agent may know its end from an older use, while who was told of the last one waits.
 * That takes 120 s at most (doc/wire.md, "Time limits").
 */
#define PORT_REST_MS 130000

struct port_set;

struct ports {
    uint32_t own; /* number of the domain that this daemon serves */
    struct port_set *sets;
    size_t n_sets;
    uint64_t rest_until; /* 0: none rests */
    int file;            /* of taken ports (ports-file.c); -1: none */
    char *path, *uuid;
    size_t lines;
};

void ports_init(struct ports *p, uint32_t own);
void ports_deinit(struct ports *p);

/*
 * The lowest free port towards that domain. For dom0 from 513; between two VMs the daemon of the
 * lower number uses even ones and the other odd ones, so that both can allot at once (wire.md,
 * "Who does what in a call"). 0, PORTS_E_NONE, -ENOMEM.
 */
int ports_allot(struct ports *p, uint32_t domain, uint32_t *ret);
/*
 * A port towards that domain that its own daemon allotted. It is kept beside ours, the two never
 * use the same, and released likewise. 0, -ERANGE, -ENOMEM.
 */
int ports_note(struct ports *p, uint32_t domain, uint32_t port);
/* The first one above *port that is taken towards that domain; start with 0. False: no more. */
bool ports_next(const struct ports *p, uint32_t domain, uint32_t *port);
/* False: it was not taken. */
bool ports_release(struct ports *p, uint32_t domain, uint32_t port);
/* A free port that rests; what is taken does so once it is released. 0, -ERANGE, -ENOMEM. */
int ports_rest(struct ports *p, uint32_t domain, uint32_t port);
/* Each that is taken by now. 0, -ENOMEM. */
int ports_rest_taken(struct ports *p);
/* As ports_next(), of set number 0 and up: who rests and is not taken. */
bool ports_next_resting(const struct ports *p, size_t set, uint32_t *ret_domain, uint32_t *port);
/* The domains towards which ports are taken; start with *at 0. False: no more. */
bool ports_next_domain(const struct ports *p, size_t *at, uint32_t *ret);

/*
 * From now on what is taken stands in that file, too. What an earlier daemon of the same domain
 * (uuid) left there is taken already. Negative errno: there is no file.
 */
int ports_keep(struct ports *p, const char *path, const char *uuid);
void ports_write(struct ports *p, char sign, uint32_t domain, uint32_t port);
/* The domain is gone, and the file with it. */
void ports_forget(struct ports *p);
/* The file goes if nothing is taken; else it is for the next daemon. */
void ports_leave(struct ports *p);

#endif
