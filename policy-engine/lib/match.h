/*
 * Does a rule match a request? A subject is what a token is held against: the source or the
 * target, looked up once.
 *
 * Two ways that must agree: match_rule() holds one rule against the request, column by column, and
 * says which one failed (for explaining, and where a domain has more tokens than fit);
 * match_first() finds the lowest rule through the index, by the numbers of all tokens that the
 * subjects have.
 */
#ifndef QREXEC_POLICY_MATCH_H
#define QREXEC_POLICY_MATCH_H

#include "policy-engine/lib/domains.h"
#include "policy-engine/lib/index.h"
#include "policy-engine/lib/rules.h"

struct subject {
    const char *spelled;
    enum token_kind kind;
    bool is_adminvm_word;               /* spelled @adminvm: has neither tags nor a type */
    const struct policy_domain *domain; /* of a name or uuid; of @dispvm:X that X. NULL: none */
};

struct match {
    const struct policy *policy;
    const struct policy_domains *domains;
    uint32_t service, argument; /* numbers in the policy, NAME_NONE: no rule names it */
    struct span argument_text;  /* without its + */
    struct subject source, target;
    const char *default_dispvm; /* of the source, or NULL */
    bool regex_limit;           /* a regex gave up: the call is denied */
    struct tokens source_tokens, target_tokens;
};

enum match_column { MATCH_ALL, MATCH_SERVICE, MATCH_ARGUMENT, MATCH_SOURCE, MATCH_TARGET };

struct subject subject_of(const struct policy_domains *d, const char *spelled);
bool match_token(const struct match *m, enum token_kind kind, uint32_t token,
                 const struct subject *x);
/* MATCH_ALL, or the first column that made the rule pass by. */
enum match_column match_rule(struct match *m, const struct rule *r);
/* The same without the target, for a rule of the request's buckets; after the tokens are there. */
bool match_source(struct match *m, const struct rule *r);

/* After source, target and default_dispvm are set: which tokens of the policy are theirs. */
void match_collect_tokens(struct match *m);
/* The first rule that matches, NULL: none. With regex_limit set: the one whose regex gave up. */
const struct rule *match_first(struct match *m);

#endif
