/* Matching: the contract's table "Does a token match". */
#include "policy-engine/lib/match.h"

struct subject subject_of(const struct policy_domains *d, const char *spelled)
{
    struct span word = span_of(spelled);
    struct subject s = {.spelled = spelled, .kind = token_kind(word)};

    s.is_adminvm_word = span_equal(word, SPAN("@adminvm"));
    if (s.kind == TOKEN_DISPVM_NAME)
        s.domain = domains_find(d, token_rest(word));
    else if (s.kind == TOKEN_NAME || s.kind == TOKEN_UUID || s.kind == TOKEN_ADMINVM)
        s.domain = domains_find(d, word);
    return s;
}

/* The template that a request for a disposable means; NULL: none. */
static const struct policy_domain *template_of(const struct match *m, const struct subject *x)
{
    if (x->kind == TOKEN_DISPVM_NAME)
        return x->domain;
    if (x->kind == TOKEN_DISPVM && m->default_dispvm)
        return domains_find(m->domains, span_of(m->default_dispvm));
    return NULL;
}

static bool match_domain(const struct match *m, struct span token, const struct subject *x)
{
    if (x->kind != TOKEN_NAME && x->kind != TOKEN_UUID)
        return false;
    if (span_equal(token, span_of(x->spelled)))
        return true;
    return x->domain && domains_find(m->domains, token) == x->domain;
}

static bool match_dispvm(const struct match *m, struct span rest, const struct subject *x)
{
    if (x->kind == TOKEN_DISPVM)
        return m->default_dispvm && span_equal(rest, span_of(m->default_dispvm));
    if (x->kind != TOKEN_DISPVM_NAME)
        return false;
    if (span_equal(rest, token_rest(span_of(x->spelled))))
        return true;
    return x->domain && domains_find(m->domains, rest) == x->domain;
}

bool match_token(const struct match *m, enum token_kind kind, uint32_t token,
                 const struct subject *x)
{
    struct span text = names_span(&m->policy->names, token), rest = token_rest(text);
    const struct policy_domain *dom = x->domain;
    bool is_domain = x->kind == TOKEN_NAME || x->kind == TOKEN_UUID ||
                     (x->kind == TOKEN_ADMINVM && !x->is_adminvm_word);

    switch (kind) {
    case TOKEN_ANY: return true;
    case TOKEN_ANYVM: return x->kind != TOKEN_ADMINVM;
    case TOKEN_ADMINVM: return x->kind == TOKEN_ADMINVM;
    case TOKEN_DEFAULT: return x->kind == TOKEN_DEFAULT;
    case TOKEN_DISPVM: return x->kind == TOKEN_DISPVM;
    case TOKEN_NAME:
    case TOKEN_UUID: return match_domain(m, text, x);
    case TOKEN_DISPVM_NAME: return match_dispvm(m, rest, x);
    case TOKEN_DISPVM_TAG:
        dom = template_of(m, x);
        return dom && dom->template_for_dispvms && domain_has_tag(dom, rest.data);
    case TOKEN_TAG: return is_domain && dom && domain_has_tag(dom, rest.data);
    case TOKEN_TYPE: return is_domain && dom && dom->type && strcmp(dom->type, rest.data) == 0;
    case TOKEN_BAD: return false;
    }
    return false;
}

static bool match_regex(struct match *m, const struct rule *r)
{
    enum regex_result found = regex_match(r->regex, m->argument_text);

    m->regex_limit |= found == REGEX_LIMIT;
    return found == REGEX_YES;
}

/* A regex is tried last, so that nobody's argument costs time by a rule for somebody else. */
enum match_column match_rule(struct match *m, const struct rule *r)
{
    if (r->service != NAME_ANY && r->service != m->service)
        return MATCH_SERVICE;
    if (!r->regex && r->argument != NAME_ANY && r->argument != m->argument)
        return MATCH_ARGUMENT;
    if (!match_token(m, r->source_kind, r->source, &m->source))
        return MATCH_SOURCE;
    if (!match_token(m, r->target_kind, r->target, &m->target))
        return MATCH_TARGET;
    return !r->regex || match_regex(m, r) ? MATCH_ALL : MATCH_ARGUMENT;
}

bool match_source(struct match *m, const struct rule *r)
{
    bool source = m->source_tokens.too_many ? match_token(m, r->source_kind, r->source, &m->source)
                                            : tokens_have(&m->source_tokens, r->source);

    return source && (!r->regex || match_regex(m, r));
}

/* ---- All tokens of a subject ---- */

struct collector {
    const struct match *m;
    struct tokens *into;
    unsigned char use; /* USED_… */
};

static void collect(const struct collector *c, uint32_t token)
{
    if (token == NAME_NONE || !(c->m->policy->index.uses[token] & c->use))
        return;
    if (c->into->n == TOKENS_MAX)
        c->into->too_many = true;
    else
        c->into->id[c->into->n++] = token;
}

/* A number of the view's names. */
static void collect_name(const struct collector *c, uint32_t name)
{
    const struct names *names = &c->m->domains->names;

    if (name != NAME_NONE)
        collect(c,
                names_find(&c->m->policy->names, names_span(names, name), names->list[name].hash));
}

static void collect_range(const struct collector *c, struct token_range range)
{
    for (uint32_t i = 0; i < range.n; i++)
        collect_name(c, c->m->domains->tokens[range.first + i]);
}

static void collect_spelled(const struct collector *c, const char *spelled)
{
    struct span word = span_of(spelled);

    collect(c, names_find(&c->m->policy->names, word, names_hash(word)));
}

/* @dispvm: the source's default disposable, by that property's spelling and its template's tags. */
static void collect_default_dispvm(const struct collector *c)
{
    const struct policy_domains *d = c->m->domains;
    const struct domain_view *source;
    const struct policy_domain *template;

    if (!c->m->default_dispvm || !c->m->source.domain)
        return;
    source = domain_view(d, c->m->source.domain);
    collect_name(c, source->default_token);
    template = domains_at_name(d, source->default_name);
    if (template)
        collect_range(c, domain_view(d, template)->disposable_tags);
}

static void collect_subject(const struct collector *c, const struct subject *x)
{
    const struct domain_view *v = x->domain ? domain_view(c->m->domains, x->domain) : NULL;

    collect(c, NAME_ANY);
    if (x->kind != TOKEN_ADMINVM)
        collect(c, NAME_ANYVM);
    switch (x->kind) {
    case TOKEN_ADMINVM: collect(c, NAME_ADMINVM); break;
    case TOKEN_DEFAULT: collect(c, NAME_DEFAULT); break;
    case TOKEN_NAME:
    case TOKEN_UUID:
        if (v)
            collect_range(c, v->self);
        else
            collect_spelled(c, x->spelled);
        break;
    case TOKEN_DISPVM:
        collect(c, NAME_DISPVM);
        collect_default_dispvm(c);
        return;
    case TOKEN_DISPVM_NAME:
        if (v)
            collect_range(c, v->disposable);
        if (v)
            collect_range(c, v->disposable_tags);
        return;
    default: return;
    }
    if (v && !x->is_adminvm_word)
        collect_range(c, v->properties);
}

void match_collect_tokens(struct match *m)
{
    m->source_tokens.n = m->target_tokens.n = 0;
    m->source_tokens.too_many = m->target_tokens.too_many = false;
    collect_subject(&(struct collector){m, &m->source_tokens, USED_SOURCE}, &m->source);
    collect_subject(&(struct collector){m, &m->target_tokens, USED_TARGET}, &m->target);
}

/* ---- The first rule ---- */

static const struct rule *first_by_walk(struct match *m)
{
    struct walk w = walk_start(m->policy, m->service, m->argument, false);
    const struct rule *r;

    while ((r = walk_next(&w)))
        if (match_rule(m, r) == MATCH_ALL || m->regex_limit)
            return r;
    return NULL;
}

/* A regex rule below best that matches, or gives up. */
static uint32_t first_regex(struct match *m, uint32_t best)
{
    struct places list = index_regex(m->policy, m->service);

    for (size_t i = 0; i < list.n && list.rules[i] < best; i++) {
        const struct rule *r = &m->policy->rules[list.rules[i]];

        if (tokens_have(&m->source_tokens, r->source) &&
            tokens_have(&m->target_tokens, r->target) && (match_regex(m, r) || m->regex_limit))
            return list.rules[i];
    }
    return best;
}

const struct rule *match_first(struct match *m)
{
    const struct policy *p = m->policy;
    uint32_t buckets[INDEX_BUCKETS];
    uint32_t best;
    size_t n;

    if (m->source_tokens.too_many || m->target_tokens.too_many)
        return first_by_walk(m);
    n = index_buckets(p, m->service, m->argument, buckets);
    best = first_regex(m, index_lowest(p, buckets, n, &m->source_tokens, &m->target_tokens));
    return best == NAME_NONE ? NULL : &m->policy->rules[best];
}
