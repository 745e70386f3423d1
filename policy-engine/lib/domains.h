/*
 * The domains as the engine looks at them.
 *
 * Everything that a policy can say about a domain is a token: its name, its uuid, @tag:T, @type:T,
 * and of its disposables @dispvm:NAME, @dispvm:uuid:U, @dispvm:@tag:T. The tokens of each domain
 * are interned here when it is added, so that a decision only looks their numbers' hashes up in the
 * policy. dom0's spellings are among its own tokens; what they mean to a rule, match.c knows.
 */
#ifndef QREXEC_POLICY_DOMAINS_H
#define QREXEC_POLICY_DOMAINS_H

#include "policy-engine/lib/names.h"
#include "policy-engine/lib/policy.h"

/* A stretch of the view's list of tokens. */
struct token_range {
    uint32_t first, n;
};

/* Numbers are of the view's names. */
struct domain_view {
    struct token_range self;       /* its spellings */
    struct token_range properties; /* its tags and type */
    struct token_range disposable; /* spellings of @dispvm:IT; none: no template for them */
    struct token_range disposable_tags;
    uint32_t disposable_text; /* "@dispvm:NAME", for people to choose */
    uint32_t default_text;    /* "@dispvm:" + its default_dispvm, or NAME_NONE */
    uint32_t default_token;   /* the same if a rule may spell it so, or NAME_NONE */
    uint32_t default_name;    /* for domains_at_name(), or NAME_NONE */
};

struct policy_domains {
    unsigned refs;
    uint64_t generation;
    struct policy_domain *list;
    struct domain_view *views; /* beside list */
    uint32_t *sorted;          /* places in list, by name */
    size_t n, cap, views_cap, sorted_cap;
    struct names names;
    uint32_t *by; /* name's number → place in list; NAME_NONE: no domain's name or uuid */
    size_t by_n, by_cap;
    uint32_t *tokens;
    size_t n_tokens, tokens_cap;
};

#define JOIN_SMALL 128

/* prefix and rest together, in buf if they fit: another pointer is to be freed. NULL: no memory. */
char *span_join(struct span prefix, const char *rest, char buf[static JOIN_SMALL]);
/* The number of prefix and rest together, made if it is new. 0 or a negative errno. */
int domains_intern(struct policy_domains *d, struct span prefix, const char *rest, uint32_t *ret);
/* What a domain that is being added is to the rules. What fails half-way leaves tokens that are
 * nobody's. */
int domains_view(struct policy_domains *d, const struct policy_domain *dom, struct domain_view *v);

const struct policy_domain *domains_find(const struct policy_domains *d, struct span spelled);
/* The domain with that number as its name or uuid; NULL: none. */
const struct policy_domain *domains_at_name(const struct policy_domains *d, uint32_t name);
bool domain_has_tag(const struct policy_domain *dom, const char *tag);

static inline const struct domain_view *domain_view(const struct policy_domains *d,
                                                    const struct policy_domain *dom)
{
    return &d->views[dom - d->list];
}

static inline const char *domains_text(const struct policy_domains *d, uint32_t name)
{
    return name == NAME_NONE ? NULL : names_text(&d->names, name);
}

#endif
