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

uint32_t names_hash(struct span s)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.data[i]) * 16777619u;
    return h;
}

/* The slot of this text, or the free one where it belongs. */
static uint32_t *names_slot(const struct names *n, struct span s, uint32_t hash)
{
    size_t at = hash & (n->n_slots - 1);

    for (;; at = (at + 1) & (n->n_slots - 1)) {
        uint32_t id = n->slots[at];

        if (id == NAME_NONE || (n->list[id].hash == hash && span_equal(names_span(n, id), s)))
            return &n->slots[at];
    }
}

static int names_rehash(struct names *n)
{
    size_t n_slots = n->n_slots ? n->n_slots * 2 : 64;
    uint32_t *slots = malloc(n_slots * sizeof(*slots));

    if (!slots)
        return -ENOMEM;
    memset(slots, 0xff, n_slots * sizeof(*slots));
    free(n->slots);
    n->slots = slots;
    n->n_slots = n_slots;
    for (uint32_t id = 0; id < n->n; id++)
        *names_slot(n, names_span(n, id), n->list[id].hash) = id;
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

int names_add(struct names *n, struct span s, uint32_t *ret)
{
    uint32_t hash = names_hash(s);
    uint32_t id = names_find(n, s, hash);
    int r;

    if (id != NAME_NONE) {
        *ret = id;
        return 0;
    }
    if (s.len >= UINT32_MAX || n->n >= UINT32_MAX - 1)
        return -EFBIG;
    r = names_reserve_bytes(n, s.len + 1);
    if (!r)
        r = ARRAY_GROW(n->list, n->cap, n->n);
    if (!r && (n->n + 1) * 2 > n->n_slots)
        r = names_rehash(n);
    if (r)
        return r;

    if (s.len)
        memcpy(n->bytes + n->used, s.data, s.len);
    n->bytes[n->used + s.len] = '\0';
    id = (uint32_t)n->n;
    n->list[id] = (struct name){hash, (uint32_t)n->used, (uint32_t)s.len};
    *names_slot(n, s, hash) = id;
    n->used += s.len + 1;
    n->n++;
    *ret = id;
    return 0;
}

uint32_t names_find(const struct names *n, struct span s, uint32_t hash)
{
    return n->n_slots ? *names_slot(n, s, hash) : NAME_NONE;
}
