/* The domains: filled once, then only looked at. */
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

static void domain_deinit(struct policy_domain *dom)
{
    const char *const strings[] = {dom->name,        dom->uuid,  dom->type,    dom->default_dispvm,
                                   dom->power_state, dom->guivm, dom->relayvm, dom->transport_rpc,
                                   dom->icon,        dom->label, dom->netvm};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        free((char *)strings[i]);
    for (size_t i = 0; i < dom->n_tags; i++)
        free((char *)dom->tags[i]);
    free((char **)dom->tags);
}

static bool copy_string(const char *from, const char **to)
{
    if (from)
        *to = span_dup(span_of(from));
    return !from || *to;
}

static int domain_copy(struct policy_domain *to, const struct policy_domain *from)
{
    char **tags = calloc(from->n_tags + 1, sizeof(*tags));
    bool ok = tags != NULL;

    *to = (struct policy_domain){.template_for_dispvms = from->template_for_dispvms,
                                 .internal = from->internal,
                                 .tags = (const char *const *)tags};
    for (size_t i = 0; ok && i < from->n_tags; i++) {
        tags[i] = span_dup(span_of(from->tags[i]));
        ok = tags[i] != NULL;
        to->n_tags += ok;
    }
    ok = ok && copy_string(from->name, &to->name) && copy_string(from->uuid, &to->uuid) &&
         copy_string(from->type, &to->type) &&
         copy_string(from->default_dispvm, &to->default_dispvm) &&
         copy_string(from->power_state, &to->power_state) && copy_string(from->guivm, &to->guivm) &&
         copy_string(from->relayvm, &to->relayvm) &&
         copy_string(from->transport_rpc, &to->transport_rpc) &&
         copy_string(from->icon, &to->icon) && copy_string(from->label, &to->label) &&
         copy_string(from->netvm, &to->netvm);
    if (ok)
        return 0;
    domain_deinit(to);
    return -ENOMEM;
}

static int add_key(struct policy_domains *d, struct span key, uint32_t place)
{
    uint32_t id;
    int r;

    if (names_find(&d->names, key, names_hash(key)) != NAME_NONE)
        return POLICY_E_EXISTS;
    r = names_add(&d->names, key, &id);
    while (!r && id >= d->by_cap)
        r = array_grow(&d->by, &d->by_cap, d->by_cap ? d->by_cap : 1, sizeof(*d->by));
    if (!r)
        d->by[id] = place;
    return r;
}

int policy_domains_add(struct policy_domains *d, const struct policy_domain *domain)
{
    _cleanup_(text_deinit) struct text uuid = {0};
    struct policy_domain copy;
    int r;

    if (!domain->name || !*domain->name)
        return -EINVAL;
    text_addf(&uuid, "uuid:%s", domain->uuid ? domain->uuid : "");
    if (uuid.failed)
        return -ENOMEM;
    if (domains_find(d, span_of(domain->name)) ||
        (domain->uuid && domains_find(d, (struct span){uuid.data, uuid.len})))
        return POLICY_E_EXISTS;
    r = ARRAY_GROW(d->list, d->cap, d->n);
    if (!r)
        r = domain_copy(&copy, domain);
    if (r)
        return r;
    d->list[d->n++] = copy;
    r = add_key(d, span_of(copy.name), (uint32_t)(d->n - 1));
    if (!r && copy.uuid)
        r = add_key(d, (struct span){uuid.data, uuid.len}, (uint32_t)(d->n - 1));
    return r;
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

const struct policy_domain *domains_find(const struct policy_domains *d, struct span spelled)
{
    uint32_t id;

    if (is_dom0(spelled))
        spelled = SPAN("dom0");
    id = d->names.n ? names_find(&d->names, spelled, names_hash(spelled)) : NAME_NONE;
    return id == NAME_NONE ? NULL : &d->list[d->by[id]];
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
