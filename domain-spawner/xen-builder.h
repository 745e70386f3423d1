/*
 * Domains are built by processes of their own, since libxl builds a PV domain inside the call that
 * asks for it, and that takes as long as its kernel is large. One process builds one domain:
 *
 *   helper:  struct helper_request, create           (as the front sends it)
 *   builder: struct helper_message, answer           domid, or the error: the domain is paused
 *   helper hangs up: the builder ends
 *
 * Between its answer and its end the builder keeps what the domain's start needs: its loop
 * devices, until Xen's block backend has them open, and the promise that a domain which nobody
 * lets run does not stay: a helper that is gone before the domain ran a moment leaves nothing.
 * One builder is kept warm: it runs, libxl is open, and it waits for its request.
 */
#ifndef QREXEC_SPAWNER_XEN_BUILDER_H
#define QREXEC_SPAWNER_XEN_BUILDER_H

#include "domain-spawner/backend.h"
#include "domain-spawner/watch.h"

/* The builder itself, with its socket: its exit code. */
int xen_builder_run(int socket);

struct xen_build;

/* Who starts them. */
struct xen_builders {
    struct watch_set *set;
    struct xen_build *warm;
    uint64_t warm_at; /* clock_ms(): when one is to be started; 0: now */
};

#define XEN_BUILDERS_NULL ((struct xen_builders){.set = NULL})

/* Starts a warm one where there is none and it is time; when that is: timeout in ms, -1 never. */
void xen_builders_tend(struct xen_builders *bs);
int xen_builders_timeout(const struct xen_builders *bs);
/* The next one would disturb nobody now. */
void xen_builders_hurry(struct xen_builders *bs);
void xen_builders_deinit(struct xen_builders *bs);

struct xen_build_events {
    /* At most once. error "": domid is there, paused. */
    void (*answered)(void *user, uint32_t domid, const char *error);
    /* The last call: the process is gone, and the build freed. status is waitpid()'s. */
    void (*ended)(void *user, int status);
};

/* Begins: 0, negative errno. */
int xen_build_begin(struct xen_builders *bs, const struct domain_spec *spec,
                    const struct xen_build_events *events, void *user, struct xen_build **ret);
/* The domain runs, or is somebody else's: the builder may end. */
void xen_build_release(struct xen_build *build);
/* It ends at once, and what it has built so far stays. */
void xen_build_kill(struct xen_build *build);
/* Hangs up and forgets: no event comes any more. */
void xen_build_abandon(struct xen_build *build);

#endif
