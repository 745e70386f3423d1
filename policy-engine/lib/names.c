/* Interned strings: one block of bytes, one list, one hash table. */
#include "policy-engine/lib/names.h"

int names_init(struct names *n)
{
    static const char *const fixed[] = {"*", "@anyvm", "@adminvm", "@default", "@dispvm"};
    uint32_t id;
    int r;

    *n = (struct names){0};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        r = names_add(n, span_of(fixed[i]), &id);
        if (r)
            return r;
    }
    return 0;
}

void names_deinit(struct names *n)
{
    free(n->bytes);
    free(n->list);
    free(n->slots);
    *n = (struct names){0};
}

static uint64_t eight_bytes(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t four_bytes(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Eight bytes a step; the last ones may be taken twice. */
uint32_t names_hash(struct span s)
{
    const uint64_t k = 0x9e3779b97f4a7c15;
    uint64_t h = s.len * k;

    if (s.len >= 8) {
        for (size_t i = 0; i + 8 < s.len; i += 8) {
            h = (h ^ eight_bytes(s.data + i)) * k;
            h ^= h >> 32;
        }
        h ^= eight_bytes(s.data + s.len - 8);
    } else if (s.len >= 4) {
        h ^= four_bytes(s.data) | four_bytes(s.data + s.len - 4) << 32;
    } else if (s.len) {
        h ^= (uint64_t)(unsigned char)s.data[0] | (uint64_t)(unsigned char)s.data[s.len / 2] << 8 |
             (uint64_t)(unsigned char)s.data[s.len - 1] << 16;
    }
    h *= k;
    h ^= h >> 29;
    h *= k;
    return (uint32_t)(h >> 32);
}

/* The slot of this text, or the free one where it belongs. */
static struct name_slot *names_slot(const struct names *n, struct span s, uint32_t hash)
{
    size_t at = hash & (n->n_slots - 1);

    for (;; at = (at + 1) & (n->n_slots - 1)) {
        struct name_slot *slot = &n->slots[at];

        if (slot->id == NAME_NONE || (slot->hash == hash && span_equal(names_span(n, slot->id), s)))
            return slot;
    }
}

int names_reserve(struct names *n, size_t more)
{
    size_t n_slots = n->n_slots ? n->n_slots : 64;
    struct name_slot *slots;

    while (n_slots < (n->n + more) * 2)
        n_slots *= 2;
    if (n_slots == n->n_slots)
        return 0;
    slots = malloc(n_slots * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    memset(slots, 0xff, n_slots * sizeof(*slots));
    for (size_t i = 0; i < n->n_slots; i++) {
        size_t at = n->slots[i].hash & (n_slots - 1);

        if (n->slots[i].id == NAME_NONE)
            continue;
        while (slots[at].id != NAME_NONE)
            at = (at + 1) & (n_slots - 1);
        slots[at] = n->slots[i];
    }
    free(n->slots);
    n->slots = slots;
    n->n_slots = n_slots;
    return 0;
}

static int names_reserve_bytes(struct names *n, size_t more)
{
    size_t size = n->size ? n->size : 1024;
    char *bytes;

    if (more > UINT32_MAX - n->used)
        return -EFBIG;
    while (size < n->used + more)
        size *= 2;
    if (size == n->size)
        return 0;
    bytes = realloc(n->bytes, size);
    if (!bytes)
        return -ENOMEM;
    n->bytes = bytes;
    n->size = size;
    return 0;
}

/* Place for one more text of that length. */
static int make_place(struct names *n, size_t len)
{
    int r;

    if (len >= UINT32_MAX || n->n >= UINT32_MAX - 1)
        return -EFBIG;
    r = names_reserve_bytes(n, len + 1);
    if (!r)
        r = ARRAY_GROW(n->list, n->cap, n->n);
    return r ? r : names_reserve(n, 1);
}

int names_add(struct names *n, struct span s, uint32_t *ret)
{
    return names_add_hashed(n, s, names_hash(s), ret);
}

int names_add_hashed(struct names *n, struct span s, uint32_t hash, uint32_t *ret)
{
    uint32_t id = (uint32_t)n->n;
    struct name_slot *slot = n->n_slots ? names_slot(n, s, hash) : NULL;
    size_t n_slots = n->n_slots;
    int r;

    if (slot && slot->id != NAME_NONE) {
        *ret = slot->id;
        return 0;
    }
    r = make_place(n, s.len);
    if (r)
        return r;
    if (s.len)
        memcpy(n->bytes + n->used, s.data, s.len);
    n->bytes[n->used + s.len] = '\0';
    n->list[id] = (struct name){hash, (uint32_t)n->used, (uint32_t)s.len};
    if (n->n_slots != n_slots)
        slot = names_slot(n, s, hash);
    *slot = (struct name_slot){hash, id};
    n->used += s.len + 1;
    n->n++;
    *ret = id;
    return 0;
}

uint32_t names_find(const struct names *n, struct span s, uint32_t hash)
{
    return n->n_slots ? names_slot(n, s, hash)->id : NAME_NONE;
}
