/* The tokens of a domain, worked out when it is added: see domains.h. */
#include "policy-engine/lib/domains.h"

#include "policy-engine/lib/token.h"

/* prefix and rest together, in buf if they fit: another pointer is to be freed. NULL: no memory. */
char *span_join(struct span prefix, const char *rest, char buf[static JOIN_SMALL])
{
    size_t len = strlen(rest);
    char *joined = prefix.len + len < JOIN_SMALL ? buf : malloc(prefix.len + len + 1);

    if (!joined)
        return NULL;
    memcpy(joined, prefix.data, prefix.len);
    memcpy(joined + prefix.len, rest, len + 1);
    return joined;
}

int domains_intern(struct policy_domains *d, struct span prefix, const char *rest, uint32_t *ret)
{
    char buf[JOIN_SMALL], *joined = span_join(prefix, rest, buf);
    int r = joined ? ARRAY_GROW(d->by, d->by_cap, d->by_n) : -ENOMEM;

    if (!r)
        r = names_add(&d->names, span_of(joined), ret);
    if (!r && *ret == d->by_n)
        d->by[d->by_n++] = NAME_NONE;
    if (joined != buf)
        free(joined);
    return r;
}

/* Adds a token to the range that ends the list; a word that no rule can hold is left out. */
static int add_token(struct policy_domains *d, struct token_range *range, struct span prefix,
                     const char *rest, unsigned kinds)
{
    uint32_t id = 0;
    int r = domains_intern(d, prefix, rest, &id);

    if (r || !(kinds & 1u << token_kind(names_span(&d->names, id))))
        return r;
    r = ARRAY_GROW(d->tokens, d->tokens_cap, d->n_tokens);
    if (r)
        return r;
    d->tokens[d->n_tokens++] = id;
    range->n++;
    return 0;
}

static struct token_range range_here(const struct policy_domains *d)
{
    return (struct token_range){(uint32_t)d->n_tokens, 0};
}

/* Prefixes of a domain's spellings, and of those of its disposables. */
struct spelling {
    struct span name, uuid;
    unsigned kinds;
};

/* dom0 has the zero uuid, whatever else it says of itself, and nobody else has. */
static int view_spellings(struct policy_domains *d, const struct policy_domain *dom,
                          const struct spelling *s, struct token_range *range)
{
    const char *zero = &ZERO_UUID[strlen("uuid:")];
    bool dom0 = strcmp(dom->name, "dom0") == 0;
    unsigned kinds = s->kinds | (dom0 ? 1u << TOKEN_ADMINVM : 0);
    int r;

    *range = range_here(d);
    r = add_token(d, range, s->name, dom->name, kinds);
    if (!r && dom->uuid && strcmp(dom->uuid, zero) != 0)
        r = add_token(d, range, s->uuid, dom->uuid, kinds);
    if (!r && dom0)
        r = add_token(d, range, s->uuid, zero, kinds);
    return r;
}

static int view_tags(struct policy_domains *d, const struct policy_domain *dom, struct span prefix,
                     struct token_range *range, enum token_kind kind)
{
    int r = 0;

    *range = range_here(d);
    for (size_t i = 0; !r && i < dom->n_tags; i++)
        r = add_token(d, range, prefix, dom->tags[i], 1u << kind);
    return r;
}

static int view_default(struct policy_domains *d, const struct policy_domain *dom,
                        struct domain_view *v)
{
    const char *name = dom->default_dispvm;
    int r;

    v->default_text = v->default_token = v->default_name = NAME_NONE;
    if (!name || !*name)
        return 0;
    r = domains_intern(d, DISPVM_COLON, name, &v->default_text);
    if (!r)
        r = domains_intern(d, SPAN(""), is_dom0(span_of(name)) ? "dom0" : name, &v->default_name);
    if (!r && token_kind(names_span(&d->names, v->default_text)) == TOKEN_DISPVM_NAME)
        v->default_token = v->default_text;
    return r;
}

int domains_view(struct policy_domains *d, const struct policy_domain *dom, struct domain_view *v)
{
    static const struct spelling self = {
        {"", 0}, {"uuid:", 5}, 1u << TOKEN_NAME | 1u << TOKEN_UUID};
    static const struct spelling disposable = {
        {"@dispvm:", 8}, {"@dispvm:uuid:", 13}, 1u << TOKEN_DISPVM_NAME};
    int r = view_spellings(d, dom, &self, &v->self);

    if (!r)
        r = view_tags(d, dom, SPAN("@tag:"), &v->properties, TOKEN_TAG);
    if (!r && dom->type)
        r = add_token(d, &v->properties, SPAN("@type:"), dom->type, 1u << TOKEN_TYPE);
    if (!r && dom->template_for_dispvms)
        r = view_spellings(d, dom, &disposable, &v->disposable);
    if (!r && dom->template_for_dispvms)
        r = view_tags(d, dom, SPAN("@dispvm:@tag:"), &v->disposable_tags, TOKEN_DISPVM_TAG);
    if (!r)
        r = domains_intern(d, DISPVM_COLON, dom->name, &v->disposable_text);
    return r ? r : view_default(d, dom, v);
}
