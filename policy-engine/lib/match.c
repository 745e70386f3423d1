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

static bool match_argument(struct match *m, const struct rule *r)
{
    enum regex_result found;

    if (!r->regex)
        return r->argument == NAME_ANY || r->argument == m->argument;
    found = regex_match(r->regex, m->argument_text);
    m->regex_limit |= found == REGEX_LIMIT;
    return found == REGEX_YES;
}

enum match_column match_rule(struct match *m, const struct rule *r)
{
    if (r->service != NAME_ANY && r->service != m->service)
        return MATCH_SERVICE;
    if (!match_argument(m, r))
        return MATCH_ARGUMENT;
    if (!match_token(m, r->source_kind, r->source, &m->source))
        return MATCH_SOURCE;
    return match_token(m, r->target_kind, r->target, &m->target) ? MATCH_ALL : MATCH_TARGET;
}
