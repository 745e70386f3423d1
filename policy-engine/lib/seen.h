/*
 * A set of hashes: what was met before. Two things of one hash are taken for one; at 64 bits that
 * does not happen by chance.
 */
#ifndef QREXEC_POLICY_SEEN_H
#define QREXEC_POLICY_SEEN_H

#include "policy-engine/lib/common.h"

struct seen {
    uint64_t *list; /* open addressing; 0 is free */
    size_t n, size;
};

#define MIX_START 0xcbf29ce484222325
uint64_t mix(uint64_t h, const void *data, size_t len);
uint64_t mix_text(uint64_t h, const char *s); /* NULL: "" */

bool seen_has(const struct seen *s, uint64_t hash);
/* 0 and whether it is new; -ENOMEM. */
int seen_add(struct seen *s, uint64_t hash, bool *ret_new);
void seen_deinit(struct seen *s);

#endif
