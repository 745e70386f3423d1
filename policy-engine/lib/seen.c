/* A set of hashes: see seen.h. */
#include "policy-engine/lib/seen.h"

/* FNV-1a, with an end after each part. */
uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *b = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * 0x100000001b3;
    return (h ^ 0x100) * 0x100000001b3;
}

uint64_t mix_text(uint64_t h, const char *s)
{
    return mix(h, s ? s : "", s ? strlen(s) : 0);
}

/* Where the hash is, or would go. */
static size_t place_of(const struct seen *s, uint64_t hash)
{
    size_t k = hash & (s->size - 1);

    while (s->list[k] && s->list[k] != hash)
        k = (k + 1) & (s->size - 1);
    return k;
}

static int grow(struct seen *s)
{
    struct seen bigger = {.size = s->size ? s->size * 2 : 64, .n = s->n};

    bigger.list = calloc(bigger.size, sizeof(*bigger.list));
    if (!bigger.list)
        return -ENOMEM;
    for (size_t i = 0; i < s->size; i++)
        if (s->list[i])
            bigger.list[place_of(&bigger, s->list[i])] = s->list[i];
    free(s->list);
    *s = bigger;
    return 0;
}

bool seen_has(const struct seen *s, uint64_t hash)
{
    return s->size && s->list[place_of(s, hash | 1)];
}

int seen_add(struct seen *s, uint64_t hash, bool *ret_new)
{
    size_t k;
    int r = 2 * s->n >= s->size ? grow(s) : 0;

    if (r)
        return r;
    k = place_of(s, hash | 1);
    *ret_new = !s->list[k];
    s->n += *ret_new;
    s->list[k] = hash | 1;
    return 0;
}

void seen_deinit(struct seen *s)
{
    free(s->list);
    *s = (struct seen){0};
}
