/* Data ports: see ports.h. A set is a bitmap that grows; bit 0 is the first port. */
#include "qrexec-daemon/ports.h"

#include <errno.h>

#define WORD_BITS 64
#define MOST_BITS (PORT_LAST - PORT_FIRST + 1)
#define ODD_BITS  0xaaaaaaaaaaaaaaaaULL /* bits 1, 3, …: ports 514, 516, … */

struct port_set {
    uint32_t domain;
    uint64_t *words;
    size_t n_words;
};

void ports_init(struct ports *p, uint32_t own)
{
    *p = (struct ports){.own = own, .file = -1};
}

void ports_deinit(struct ports *p)
{
    ports_leave(p);
    for (size_t i = 0; i < p->n_sets; i++)
        free(p->sets[i].words);
    free(p->sets);
    *p = (struct ports){.own = p->own, .file = -1};
}

static struct port_set *find_set(struct ports *p, uint32_t domain)
{
    for (size_t i = 0; i < p->n_sets; i++)
        if (p->sets[i].domain == domain)
            return &p->sets[i];
    return NULL;
}

static int add_set(struct ports *p, uint32_t domain, struct port_set **ret)
{
    struct port_set *sets = reallocarray(p->sets, p->n_sets + 1, sizeof(*sets));

    if (!sets)
        return -ENOMEM;
    p->sets = sets;
    *ret = &sets[p->n_sets++];
    **ret = (struct port_set){.domain = domain};
    return 0;
}

static int grow(struct port_set *s)
{
    uint64_t *words = reallocarray(s->words, s->n_words + 1, sizeof(*words));

    if (!words)
        return -ENOMEM;
    words[s->n_words++] = 0;
    s->words = words;
    return 0;
}

/* Bits that the peer's daemon allots, not we. */
static uint64_t bits_of_peer(const struct ports *p, uint32_t domain)
{
    if (domain == 0)
        return 0;
    return p->own < domain ? ~ODD_BITS : ODD_BITS;
}

int ports_allot(struct ports *p, uint32_t domain, uint32_t *ret)
{
    struct port_set *s = find_set(p, domain);
    int r = s ? 0 : add_set(p, domain, &s);

    for (size_t w = 0; !r && w * WORD_BITS < MOST_BITS; w++) {
        uint64_t taken;
        size_t bit;

        if (w == s->n_words)
            r = grow(s);
        if (r)
            break;
        taken = s->words[w] | bits_of_peer(p, domain);
        if (taken == UINT64_MAX)
            continue;
        bit = w * WORD_BITS + (size_t)__builtin_ctzll(~taken);
        if (bit >= MOST_BITS)
            break;
        s->words[w] |= 1ULL << (bit % WORD_BITS);
        *ret = PORT_FIRST + (uint32_t)bit;
        ports_write(p, '+', domain, *ret);
        return 0;
    }
    return r ? r : PORTS_E_NONE;
}

int ports_note(struct ports *p, uint32_t domain, uint32_t port)
{
    struct port_set *s = find_set(p, domain);
    size_t bit = port - PORT_FIRST;
    int r;

    if (port < PORT_FIRST || port > PORT_LAST)
        return -ERANGE;
    r = s ? 0 : add_set(p, domain, &s);
    while (!r && bit / WORD_BITS >= s->n_words)
        r = grow(s);
    if (r)
        return r;
    if (s->words[bit / WORD_BITS] & 1ULL << (bit % WORD_BITS))
        return 0;
    s->words[bit / WORD_BITS] |= 1ULL << (bit % WORD_BITS);
    ports_write(p, '+', domain, port);
    return 0;
}

bool ports_next(const struct ports *p, uint32_t domain, uint32_t *port)
{
    const struct port_set *s = find_set((struct ports *)(uintptr_t)p, domain);
    size_t bit = *port < PORT_FIRST ? 0 : *port - PORT_FIRST + 1;

    for (; s && bit < s->n_words * WORD_BITS; bit++)
        if (s->words[bit / WORD_BITS] & 1ULL << (bit % WORD_BITS)) {
            *port = PORT_FIRST + (uint32_t)bit;
            return true;
        }
    return false;
}

bool ports_release(struct ports *p, uint32_t domain, uint32_t port)
{
    struct port_set *s = find_set(p, domain);
    uint64_t mask;
    size_t bit;

    if (!s || port < PORT_FIRST)
        return false;
    bit = port - PORT_FIRST;
    mask = 1ULL << (bit % WORD_BITS);
    if (bit / WORD_BITS >= s->n_words || !(s->words[bit / WORD_BITS] & mask))
        return false;
    s->words[bit / WORD_BITS] &= ~mask;
    ports_write(p, '-', domain, port);
    return true;
}

bool ports_next_domain(const struct ports *p, size_t *at, uint32_t *ret)
{
    uint32_t port;

    while (*at < p->n_sets) {
        *ret = p->sets[(*at)++].domain;
        port = 0;
        if (ports_next(p, *ret, &port))
            return true;
    }
    return false;
}
