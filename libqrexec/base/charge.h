/*
 * Charges: what a source makes others hold is counted against that source, and a request over its
 * budget is refused; nobody else notices. A charge is a member of what is held, and ends with it.
 */
#ifndef QREXEC_BASE_CHARGE_H
#define QREXEC_BASE_CHARGE_H

#include "libqrexec/base/util.h"

struct account;

/* Accounts by source name; each may hold at most budget units at a time. */
struct ledger {
    struct account *first;
    size_t budget;
};

struct charge {
    struct ledger *ledger;
    struct account *account;
    size_t amount;
};

#define CHARGE_NULL     ((struct charge){0})
#define CHARGE_E_BUDGET 1

void ledger_deinit(struct ledger *l);
/* 0, CHARGE_E_BUDGET, -ENOMEM. c must be empty. */
int charge_take(struct ledger *l, const char *source, size_t amount, struct charge *c);
/* Gives it back; an empty charge is fine. */
void charge_release(struct charge *c);

#endif
