/*
 * The domains of a long-running process, as fresh as the moment of their use.
 *
 * A decision needs domains that were told after its request arrived, or that carry the number which
 * the spawner's page has now. So a question to the spawner that was already on its way when the
 * request arrived does not serve it, unless the page says so.
 */
#ifndef QREXEC_POLICY_FRESHNESS_H
#define QREXEC_POLICY_FRESHNESS_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/policy-service.h"

struct freshness {
    struct policy_domains *domains; /* NULL: not known now */
    const char *domains_trouble;
    const uint64_t *page; /* the spawner's generation, mapped; NULL: there is none */
    struct watch page_gone;
    bool asking;              /* the spawner */
    uint64_t asked, answered; /* numbers of questions to it */
    struct watch spawner;
    struct timer late;
    struct buf answer, question;
    bool said; /* that the spawner does not answer */
    void (*on_domains)(struct freshness *f);
};

void freshness_init(struct freshness *f, void (*on_domains)(struct freshness *f));
void freshness_deinit(struct freshness *f);

/* The number of the answer that a request of this moment needs. */
uint64_t freshness_need(const struct freshness *f);
/* The domains, or the trouble with them, are as that request needs them. */
bool freshness_serves(const struct freshness *f, uint64_t need);
/* Asks the spawner, if it is not being asked; on_domains() comes, and never from in here. */
void freshness_ask(struct freshness *f);

#endif
