/* The policy and the domains of a long-running process, as fresh as the moment of their use. */
#ifndef QREXEC_POLICY_FRESHNESS_H
#define QREXEC_POLICY_FRESHNESS_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/policy-service.h"

struct freshness {
    struct policy_files *files;
    int inotify;
    struct policy *policy; /* NULL: it does not load */
    bool stale;
    char error[1024];               /* "error loading policy: …" */
    struct policy_domains *domains; /* NULL: never learnt */
    const uint64_t *page;           /* the spawner's generation, mapped; NULL: there is none */
    struct watch asking;            /* the spawner; fd -1: not asked now */
    struct buf answer, question;
    bool said; /* that the spawner cannot be reached */
    void (*on_domains)(struct freshness *f, bool ok);
};

int freshness_init(struct freshness *f, struct policy_files *files,
                   void (*on_domains)(struct freshness *, bool));
void freshness_deinit(struct freshness *f);
/* The policy as of now; NULL: it does not load. */
struct policy *freshness_policy(struct freshness *f);
/* True: the domains are as of now. False: they are being asked for; on_domains() comes. */
bool freshness_domains(struct freshness *f);

#endif
