/* Data ports: see ports.h. A set is a bitmap that grows; bit 0 is the first port. */
#include "qrexec-daemon/ports.h"

#include "libqrexec/base/io.h"

#include <errno.h>

#define WORD_BITS 64
#define MOST_BITS (PORT_LAST - PORT_FIRST + 1)
#define ODD_BITS  0xaaaaaaaaaaaaaaaaULL /* bits 1, 3, …: ports 514, 516, … */

struct port_set {
    uint32_t domain;
    uint64_t *words;
    uint64_t *resting; /* as many */
    size_t n_words;
};

void ports_init(struct ports *p, uint32_t own)
{
    *p = (struct ports){.own = own, .file = -1};
}

void ports_deinit(struct ports *p)
{
    ports_leave(p);
    for (size_t i = 0; i < p->n_sets; i++) {
        free(p->sets[i].words);
        free(p->sets[i].resting);
    }
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
    uint64_t *words = reallocarray(s->words, s->n_words + 1, sizeof(*words)), *resting;

    if (!words)
        return -ENOMEM;
    s->words = words;
    resting = reallocarray(s->resting, s->n_words + 1, sizeof(*resting));
    if (!resting)
        return -ENOMEM;
    s->resting = resting;
    words[s->n_words] = resting[s->n_words] = 0;
    s->n_words++;
    return 0;
}

static bool some_rest(const struct ports *p)
{
    return clock_ms() < p->rest_until;
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
    bool rest = some_rest(p);

    for (size_t w = 0; !r && w * WORD_BITS < MOST_BITS; w++) {
        uint64_t taken;
        size_t bit;

        if (w == s->n_words)
            r = grow(s);
        if (r)
            break;
        taken = s->words[w] | bits_of_peer(p, domain) | (rest ? s->resting[w] : 0);
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

/* A set that has that port's bit. 0, -ERANGE, -ENOMEM. */
static int make_room(struct ports *p, uint32_t domain, uint32_t port, struct port_set **ret)
{
    struct port_set *s = find_set(p, domain);
    int r;

    if (port < PORT_FIRST || port > PORT_LAST)
        return -ERANGE;
    r = s ? 0 : add_set(p, domain, &s);
    while (!r && (port - PORT_FIRST) / WORD_BITS >= s->n_words)
        r = grow(s);
    *ret = s;
    return r;
}

int ports_note(struct ports *p, uint32_t domain, uint32_t port)
{
    struct port_set *s = NULL;
    size_t bit = port - PORT_FIRST;
    int r = make_room(p, domain, port, &s);

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
    ports_write(p, some_rest(p) && s->resting[bit / WORD_BITS] & mask ? '~' : '-', domain, port);
    return true;
}

int ports_rest(struct ports *p, uint32_t domain, uint32_t port)
{
    struct port_set *s = NULL;
    size_t bit = port - PORT_FIRST;
    int r = make_room(p, domain, port, &s);

    if (r)
        return r;
    s->resting[bit / WORD_BITS] |= 1ULL << (bit % WORD_BITS);
    p->rest_until = clock_ms() + PORT_REST_MS;
    return 0;
}

int ports_rest_taken(struct ports *p)
{
    int r = 0;

    for (size_t i = 0; !r && i < p->n_sets; i++)
        for (uint32_t port = 0; !r && ports_next(p, p->sets[i].domain, &port);)
            r = ports_rest(p, p->sets[i].domain, port);
    return r;
}

bool ports_next_resting(const struct ports *p, size_t set, uint32_t *ret_domain, uint32_t *port)
{
    const struct port_set *s = set < p->n_sets ? &p->sets[set] : NULL;
    size_t bit = *port < PORT_FIRST ? 0 : *port - PORT_FIRST + 1;

    for (; s && some_rest(p) && bit < s->n_words * WORD_BITS; bit++)
        if (s->resting[bit / WORD_BITS] & ~s->words[bit / WORD_BITS] & 1ULL << (bit % WORD_BITS)) {
            *ret_domain = s->domain;
            *port = PORT_FIRST + (uint32_t)bit;
            return true;
        }
    return false;
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
