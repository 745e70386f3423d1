/*
 * Looking for requests that end somewhere: the candidates of each rule, tried one by one.
 */
#ifndef QREXEC_POLICY_SEARCH_H
#define QREXEC_POLICY_SEARCH_H

#include "policy-engine/lib/argument.h"
#include "policy-engine/lib/seen.h"
#include "policy-engine/lib/world.h"

/* A column of a rule or of a question, read once. */
struct need {
    const char *service; /* NULL: any */
    struct argument_need argument;
};
/* False: no request has both. */
bool need_add(struct need *n, const char *service, const char *argument);

/* What a rule says, in words. */
struct rule_words {
    const char *service, *argument; /* NULL: any; "~REGEX" too */
    struct word source, target;
    struct word
        leads; /* what it adds to the choices of an ask: target=, or the target as spelled */
    struct word redirect; /* TOKEN_BAD: none */
    enum policy_action action;
};

struct search {
    const struct policy *policy;
    struct rule_words *words; /* of each rule */
    const struct policy_domains *today;
    const struct policy_goal *question;
    struct word source, target; /* of the question; any by default */
    struct fresh fresh;
    bool has_regex, regex_here; /* any; in the service at hand */
    policy_example_fn *fn;
    void *data;
    struct policy_closers closers;
    struct arguments arguments; /* those of the rule at hand */
    const char *service;
    struct need need;
    bool *repeats; /* of each rule: an earlier one leads the same sources to the same choices */
    unsigned char *offered;     /* of each rule and enum leading: 0 not known, 1 no, 2 yes */
    bool *same_call;            /* an earlier one is about the same services and arguments */
    const struct candidate *at; /* of search_rule_worlds(): the one that is tried */
};

/* 0; POLICY_E_INVALID: a bad token. */
int search_init(struct search *s, const struct policy *p, const struct policy_domains *today,
                const struct policy_goal *q);
void search_deinit(struct search *s);

/* Which services and arguments to try for these columns: into s->service and s->arguments. */
void search_choose(struct search *s, const struct need *need);

/*
 * The services and arguments at which a rule's requests differ: its own, and for an ask those of
 * each rule that may bring a choice in. *k starts at 0. False: there are no more.
 */
bool search_next_need(const struct search *s, uint32_t rule, const struct need *own, uint32_t *k,
                      struct need *ret);

/* A request that is tried, and what counts as found. */
struct trial {
    uint32_t rule; /* must decide it */
    const struct policy_domains *domains;
    const char *source, *target;
    const char *source_class, *target_class; /* or NULL: as in the request */
    const char *choice; /* of an ask: only this one counts; NULL: any that is looked for */
};
/* Whether the rule decides the request at all, whatever comes of it. 1, 0, -ENOMEM. */
int search_decides(struct search *s, const struct trial *t);
/* 0: no; SEARCH_FOUND: fn was called and goes on; SEARCH_LOOP: only for being a call to oneself;
 * else fn's result or -ENOMEM. */
#define SEARCH_FOUND (-10001)
#define SEARCH_LOOP  (-10002)
int search_try(struct search *s, const struct trial *t);

/* Where an allow ends, before a relay carries it on. */
const char *search_final(const struct policy *p, const struct policy_verdict *v);
int search_closed_by_rule(struct search *s, uint32_t rule);
int search_closed_by(struct search *s, const struct policy_verdict *v);

/* A class of requests that a rule may decide, and where they end. */
struct candidate {
    struct search *search;
    uint32_t rule;
    struct shape shape;
    struct ending ending; /* in this very shape: not to be copied */
    struct need need;
};
/* As search_try(), after search_choose(). */
int candidate_try(struct candidate *c);

/* The ways in which a rule's token leads to a choice. */
enum leading { LEAD_DOMAIN, LEAD_DISPOSABLE, LEAD_STANDARD, LEAD_DOM0, LEAD_ADMINVM };
#define LEADINGS 5
/* Makes that the candidate's ending. False: the token does not lead so. */
bool candidate_lead(struct candidate *c, enum leading how, struct word w);
/* Whether any ask can offer what rule k brings in so: else a denying rule always comes before. 1,
 * 0, -ENOMEM. */
int search_is_offered(struct search *s, uint32_t k, enum leading how);

/*
 * The first rule, of those that the filter takes, that leads the shape's source to its other domain
 * (or to its standard): what comes behind it changes nothing, in this world and in each with more
 * properties. The number of rules where there is none or it cannot be told; POLICY_NO_RULE: memory.
 */
typedef bool search_filter_fn(const struct search *s, const struct rule_words *w);
uint32_t search_first_lead(const struct search *s, const struct shape *base, enum leading how,
                           search_filter_fn *filter);

/* The candidates of one rule: in every world, or in the view at hand. */
int search_rule_worlds(struct search *s, uint32_t rule);
int search_rule_today(struct search *s, uint32_t rule);
/* What decides calls to just what is asked about. */
int search_close(struct search *s);

#endif
