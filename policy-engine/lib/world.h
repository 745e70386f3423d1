/*
 * From a shape to a request that can be tried: the smallest view of domains in which it holds.
 *
 * Names that no policy mentions are made up. Classes of a shape that mean the same domain (by name
 * or uuid) become one; where that is a contradiction there is no such world.
 */
#ifndef QREXEC_POLICY_WORLD_H
#define QREXEC_POLICY_WORLD_H

#include "policy-engine/lib/classes.h"

/* Words that no policy at hand mentions. */
struct fresh {
    char service[40], argument[40], type[40], relay[40];
    char name[4][40]; /* source, target, standard, other */
    char uuid[4][40];
};
/* The policies, NULL-ended; and words that a question adds, NULL-ended. */
void fresh_init(struct fresh *f, const struct policy *const *policies, const char *const *words);

/* Another name that no policy mentions. */
void fresh_name(char buf[static 40], const struct policy *p, const char *const *words,
                const char *stem, unsigned number);

struct world {
    struct policy_domains *domains;
    char source[64], target[80];
    const char *target_name, *standard_name, *other_name; /* borrowed; NULL: not in the shape */
    const char *service, *argument;
};

#define WORLD_E_NONE 1 /* no such world */

/* 0 and a world; WORLD_E_NONE; -ENOMEM. The texts of the shape are borrowed. */
int world_make(const struct shape *s, const struct fresh *f, struct world *ret);
void world_deinit(struct world *w);

#endif
