/*
 * Interned strings: equal texts have equal numbers, so that matching compares numbers.
 *
 * All bytes lie in one block, addressed by 32-bit offsets; a text that was handed out is good until
 * the next addition. The first five numbers are the tokens that matching needs by heart.
 */
#ifndef QREXEC_POLICY_NAMES_H
#define QREXEC_POLICY_NAMES_H

#include "policy-engine/lib/common.h"

enum {
    NAME_ANY,     /* * */
    NAME_ANYVM,   /* @anyvm */
    NAME_ADMINVM, /* @adminvm, for every spelling of dom0 */
    NAME_DEFAULT, /* @default */
    NAME_DISPVM,  /* @dispvm */
};
#define NAME_NONE UINT32_MAX

struct name {
    uint32_t hash;
    uint32_t offset;
    uint32_t len;
};

struct name_slot {
    uint32_t hash;
    uint32_t id; /* NAME_NONE: free */
};

struct names {
    char *bytes;
    size_t used;
    size_t size;
    struct name *list;
    size_t n;
    size_t cap;
    struct name_slot *slots; /* open addressing */
    size_t n_slots;          /* 0 or a power of two, at least twice n */
};

/* Puts the fixed names in. 0 or -ENOMEM; then, too, names_deinit() is due. */
int names_init(struct names *n);
void names_deinit(struct names *n);

/* The same for every table: what one has hashed can be looked up in another. */
uint32_t names_hash(struct span s);
/* Place for that many texts more, so that adding them does not have to move the table. 0, -ENOMEM.
 */
int names_reserve(struct names *n, size_t more);
/* 0, -ENOMEM, -EFBIG (over 4 GiB of text). */
int names_add(struct names *n, struct span s, uint32_t *ret);
int names_add_hashed(struct names *n, struct span s, uint32_t hash, uint32_t *ret);
/* NAME_NONE if no such text was added. */
uint32_t names_find(const struct names *n, struct span s, uint32_t hash);

/* The text with this hash is about to be looked for. */
static inline void names_expect(const struct names *n, uint32_t hash)
{
    if (n->n_slots)
        __builtin_prefetch(&n->slots[hash & (n->n_slots - 1)]);
}

static inline const char *names_text(const struct names *n, uint32_t id)
{
    return n->bytes + n->list[id].offset;
}

static inline struct span names_span(const struct names *n, uint32_t id)
{
    return (struct span){n->bytes + n->list[id].offset, n->list[id].len};
}

#endif
