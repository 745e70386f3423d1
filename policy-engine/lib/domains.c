/* The domains: filled once, their tokens worked out as each is added, then only looked at. */
#include "policy-engine/lib/domains.h"

#include "policy-engine/lib/token.h"

int policy_domains_new(uint64_t generation, struct policy_domains **ret)
{
    struct policy_domains *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->refs = 1;
    d->generation = generation;
    *ret = d;
    return 0;
}

/* ---- A copy of a domain: one block, which begins with the list of tags ---- */

static const size_t strings[] = {
    offsetof(struct policy_domain, name),        offsetof(struct policy_domain, uuid),
    offsetof(struct policy_domain, type),        offsetof(struct policy_domain, default_dispvm),
    offsetof(struct policy_domain, power_state), offsetof(struct policy_domain, guivm),
    offsetof(struct policy_domain, relayvm),     offsetof(struct policy_domain, transport_rpc),
    offsetof(struct policy_domain, icon),        offsetof(struct policy_domain, label),
    offsetof(struct policy_domain, netvm),
};
#define N_STRINGS (sizeof(strings) / sizeof(strings[0]))

static const char **string_of(const struct policy_domain *dom, size_t i)
{
    return (const char **)((char *)dom + strings[i]);
}

static size_t size_of(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static size_t size_of_copy(const struct policy_domain *dom)
{
    size_t size = (dom->n_tags + 1) * sizeof(char *);

    for (size_t i = 0; i < dom->n_tags; i++)
        size += size_of(dom->tags[i]);
    for (size_t i = 0; i < N_STRINGS; i++)
        size += size_of(*string_of(dom, i));
    return size;
}

static const char *put_string(char **at, const char *s)
{
    size_t size = size_of(s);
    char *copy = *at;

    if (!s)
        return NULL;
    memcpy(copy, s, size);
    *at += size;
    return copy;
}

static void domain_deinit(struct policy_domain *dom)
{
    free((char **)dom->tags);
}

static int domain_copy(struct policy_domain *to, const struct policy_domain *from)
{
    const char **tags = malloc(size_of_copy(from));
    char *at;

    if (!tags)
        return -ENOMEM;
    at = (char *)(tags + from->n_tags + 1);
    *to = *from;
    for (size_t i = 0; i < from->n_tags; i++)
        tags[i] = put_string(&at, from->tags[i]);
    tags[from->n_tags] = NULL;
    to->tags = (const char *const *)tags;
    for (size_t i = 0; i < N_STRINGS; i++)
        *string_of(to, i) = put_string(&at, *string_of(from, i));
    return 0;
}

/* ---- Adding ---- */

static bool is_there(const struct policy_domains *d, const char *name, const char *uuid)
{
    return domains_find(d, span_of(name)) || (uuid && domains_find(d, span_of(uuid)));
}

static int check_new(const struct policy_domains *d, const struct policy_domain *domain)
{
    char buf[JOIN_SMALL], *uuid = buf;
    int r;

    if (!domain->name || !*domain->name)
        return -EINVAL;
    if (domain->uuid)
        uuid = span_join(SPAN("uuid:"), domain->uuid, buf);
    if (!uuid)
        return -ENOMEM;
    r = is_there(d, domain->name, domain->uuid ? uuid : NULL) ? POLICY_E_EXISTS : 0;
    if (uuid != buf)
        free(uuid);
    return r;
}

static void sort_in(struct policy_domains *d, uint32_t place)
{
    size_t low = 0, high = place;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(d->list[d->sorted[middle]].name, d->list[place].name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(d->sorted + low + 1, d->sorted + low, (place - low) * sizeof(d->sorted[0]));
    d->sorted[low] = place;
}

/* Tokens and places; what fails half-way leaves tokens that belong to nobody. */
static int prepare(struct policy_domains *d, const struct policy_domain *dom,
                   struct domain_view *view, uint32_t *ret_name, uint32_t *ret_uuid)
{
    int r = ARRAY_GROW(d->list, d->cap, d->n);

    if (!r)
        r = ARRAY_GROW(d->views, d->views_cap, d->n);
    if (!r)
        r = ARRAY_GROW(d->sorted, d->sorted_cap, d->n);
    if (!r)
        r = domains_view(d, dom, view);
    if (!r)
        r = domains_intern(d, SPAN(""), dom->name, ret_name);
    if (!r && dom->uuid)
        r = domains_intern(d, SPAN("uuid:"), dom->uuid, ret_uuid);
    return r;
}

int policy_domains_add(struct policy_domains *d, const struct policy_domain *domain)
{
    struct domain_view view = {0};
    struct policy_domain copy;
    uint32_t name = NAME_NONE, uuid = NAME_NONE;
    int r = check_new(d, domain);

    if (!r)
        r = domain_copy(&copy, domain);
    if (r)
        return r;
    r = prepare(d, &copy, &view, &name, &uuid);
    if (r) {
        domain_deinit(&copy);
        return r;
    }
    d->by[name] = (uint32_t)d->n;
    if (uuid != NAME_NONE)
        d->by[uuid] = (uint32_t)d->n;
    d->list[d->n] = copy;
    d->views[d->n] = view;
    sort_in(d, (uint32_t)d->n++);
    return 0;
}

struct policy_domains *policy_domains_ref(struct policy_domains *d)
{
    if (d)
        d->refs++;
    return d;
}

void policy_domains_unref(struct policy_domains *d)
{
    if (!d || --d->refs)
        return;
    for (size_t i = 0; i < d->n; i++)
        domain_deinit(&d->list[i]);
    free(d->list);
    free(d->views);
    free(d->sorted);
    free(d->tokens);
    free(d->by);
    names_deinit(&d->names);
    free(d);
}

void policy_domains_unrefp(struct policy_domains **d)
{
    policy_domains_unref(*d);
}

uint64_t policy_domains_generation(const struct policy_domains *d)
{
    return d->generation;
}

size_t policy_domains_count(const struct policy_domains *d)
{
    return d->n;
}

const struct policy_domain *policy_domains_at(const struct policy_domains *d, size_t n)
{
    return &d->list[n];
}

const struct policy_domain *domains_at_name(const struct policy_domains *d, uint32_t name)
{
    uint32_t place = name == NAME_NONE ? NAME_NONE : d->by[name];

    return place == NAME_NONE ? NULL : &d->list[place];
}

const struct policy_domain *domains_find(const struct policy_domains *d, struct span spelled)
{
    if (is_dom0(spelled))
        spelled = SPAN("dom0");
    return domains_at_name(d, names_find(&d->names, spelled, names_hash(spelled)));
}

const struct policy_domain *policy_domains_find(const struct policy_domains *d, const char *spelled)
{
    return domains_find(d, span_of(spelled));
}

bool domain_has_tag(const struct policy_domain *dom, const char *tag)
{
    for (size_t i = 0; i < dom->n_tags; i++)
        if (strcmp(dom->tags[i], tag) == 0)
            return true;
    return false;
}
