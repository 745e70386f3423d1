/*
 * Chains of calls through every world.
 *
 * An edge is what one rule can bring about with the fewest properties: from a class of domains to
 * another. A chain joins edges: the domain between two must be what the first ends at and the
 * second starts from, so it has the properties of both, and with those each call is decided again.
 * Shortest chains come first. Whether a whole chain holds in one world is decided at the end. Of
 * chains that lead to the same call only the first goes on, since what can follow is the same, but
 * for what they demand of one domain in two places. So where a chain to the goal was in no world,
 * and no other was found, all is searched again, thoroughly: chains that demand other things all go
 * on, as long as they are in one world. There one that comes back to a domain can be cut short.
 */
#ifndef QREXEC_POLICY_REACH_H
#define QREXEC_POLICY_REACH_H

#include "policy-engine/lib/search.h"

enum end_part { END_TARGET, END_STANDARD, END_OTHER };

struct edge {
    uint32_t rule;
    struct shape shape;
    enum end_part part;
    bool disposable;
    struct need need;
    uint64_t hash; /* of what it does: others that do the same are no further edges */
};

struct step {
    size_t parent; /* or NO_STEP */
    size_t edge;
    uint64_t demands;   /* thorough: of all known domains, by this call and those before */
    struct shape shape; /* the source joined with where the step before ended */
};
#define NO_STEP SIZE_MAX

struct reach {
    struct search search;
    const struct policy_reach_goal *goal;
    struct word from, to;
    const char *words[3]; /* those two, and NULL */
    struct edge *edges;
    size_t n_edges, edges_cap;
    struct step *steps;
    size_t n_steps, steps_cap;
    struct seen seen; /* steps */
    bool doubtful;    /* a chain to the goal was in no world */
    bool thorough;
    struct policy_chain *chain; /* filled when a call is shown */
    struct policy_chain result;
};

int chain_add(struct policy_chain *c, const struct policy_example *e);

/* The class of the domain that a call ends at; of a disposable, that of the new domain. */
struct domain_class reach_end(const struct shape *s, const struct edge *e);
/* Narrows a call to those that end at such a domain. */
bool reach_narrow(struct shape *s, const struct edge *e, const struct domain_class *node);
/* Gives names to what has none: of the depth-th domain of the chain and the next. */
struct reach_names {
    char source[40], end[40], other[3][40];
};
void reach_name(const struct reach *r, struct shape *s, const struct edge *e, unsigned depth,
                struct reach_names *names);
/* Whether the call is decided so: 0, SEARCH_FOUND, -ENOMEM. With chain set, it is added there. */
int reach_holds(struct reach *r, const struct edge *e, const struct shape *s, unsigned depth,
                const struct policy_domains *in);

int reach_worlds(struct reach *r);
int reach_today(struct reach *r);
/*
 * From the last step back to the first: in one world. SEARCH_FOUND, and the chain, unless ret is
 * NULL; 0: not in one; -ENOMEM.
 */
int reach_confirm(struct reach *r, size_t step, const struct shape *last, struct policy_chain *ret);

#endif
