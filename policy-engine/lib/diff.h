/*
 * Comparing two policies over all requests.
 *
 * A request is decided by a rule of each, or by none. For each pair of them the candidates are
 * tried that both could decide; only pairs with a changed rule can differ: where both rules stand
 * in both policies, in the same order, they decide together. The same holds for the rules that
 * bring a choice into an ask, or keep it out.
 */
#ifndef QREXEC_POLICY_DIFF_H
#define QREXEC_POLICY_DIFF_H

#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/search.h"

struct diff {
    struct search search[2]; /* of a and b; the first one's arguments are those of both */
    bool *changed[2];        /* of each rule: it has no counterpart in the other policy */
    uint32_t *counterpart;   /* of each rule of a that is not changed, that of b */
    /* rules that may keep a choice out, the changed ones first; made by diff_worlds() */
    uint32_t *denies[2];
    size_t n_denies[2], n_changed_denies[2];
    bool wider;
    bool both_offer_dom0; /* in the last trial */
    policy_difference_fn *fn;
    void *data;
    struct seen seen; /* pairs that were shown */
};

/* Marks what has a counterpart, in order. 0 or -ENOMEM. */
int diff_align(struct diff *d);

/* One request in one view. */
struct diff_trial {
    const struct policy_domains *domains;
    const char *source, *target;
    const struct shape *shape; /* the class that they stand for; NULL: themselves */
};
/* Decides and shows a difference once for each pair of rules. 0, fn's result, -ENOMEM. */
int diff_try(struct diff *d, const struct diff_trial *t);

/* Whether just these rules decide it, or none where POLICY_NO_RULE. */
bool diff_decides(struct diff *d, const struct diff_trial *t, const uint32_t rules[static 2]);

/* Arguments of both policies' rules for the service; any: each that a rule names. */
void diff_choose(struct diff *d, const struct need *need, bool any);

int diff_worlds(struct diff *d);
int diff_today(struct diff *d);

#endif
