/*
 * Lives of other domains, as dom0 sees them in xenstore.
 *
 * xenstored fires @releaseDomain when a domain ends, and does not say which. So each domain that
 * is followed is looked at then: gone is one that xenstored does not know any more, and one whose
 * number belongs to another by now: /local/domain/N/vm holds the uuid. A domain that only shut
 * down, and is not destroyed, lives.
 *
 * Only dom0 may watch @releaseDomain. In a VM, the daemon tells.
 */
#ifndef QREXEC_VCHAN_LIVES_H
#define QREXEC_VCHAN_LIVES_H

#include "libqrexec/vchan/xenstore.h"

#define LIFE_SIZE 64

struct life {
    uint32_t domain;
    char who[LIFE_SIZE]; /* what xenstore says of it, "" nothing */
};

/* Watches for ends, as that number. */
int lives_watch(struct xenstore *x, unsigned number);
/* Who the domain is now. -EHOSTDOWN: there is none of that number. */
int life_begin(struct xenstore *x, uint32_t domain, struct life *ret);
/* 0: it lives, -EHOSTDOWN: it is gone; other negative errno. */
int life_look(struct xenstore *x, const struct life *l);

#endif
