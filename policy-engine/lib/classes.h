/*
 * Classes of domains and of requests, as far as a policy can tell them apart.
 *
 * A class says what must hold of a domain; nothing else does: it has a name that no policy
 * mentions unless a name is required, no tags but the required ones, and so on. That is enough to
 * analyse *every* world: what a rule asks of a request (name, uuid, type, tag, template) is always
 * that something holds, never that it does not. So of all requests that a rule could decide the
 * one with the fewest properties is met by the fewest earlier rules, and if an earlier rule catches
 * even that one, it catches all. One candidate for each rule and each way to ask for a target is
 * therefore a complete search, and a policy's own verdict on the candidate is the answer.
 *
 * Kept out: a domain whose name could not be one (a rule may hold any word), dom0 as a template
 * for disposables, a type AdminVM of another domain. A requested source needs no class of its own:
 * such a call is decided as one by that remote domain.
 */
#ifndef QREXEC_POLICY_CLASSES_H
#define QREXEC_POLICY_CLASSES_H

#include "policy-engine/lib/domains.h"
#include "policy-engine/lib/rules.h"

struct word {
    enum token_kind kind;
    const char *text; /* canonical */
    const char *rest; /* behind the prefix; of uuid: too */
};

struct word word_of(const char *text);

#define CLASS_TAGS_MAX 16

struct domain_class {
    bool dom0;
    const char *name, *uuid, *type; /* NULL: any that no policy mentions */
    const char *tags[CLASS_TAGS_MAX];
    size_t n_tags;
    bool template; /* for disposables */
};

/* Narrows the class to domains that the token matches. False: there are none. */
bool class_require(struct domain_class *c, struct word w);
/* Narrows a to what is in b too. */
bool class_join(struct domain_class *a, const struct domain_class *b);
/* The same for "@dispvm:" of a domain of the class, a template for disposables. */
bool class_require_disposable(struct domain_class *c, struct word w);
/* The domain that NAME or uuid:UUID means. */
bool class_be(struct domain_class *c, const char *spelled);
/* "work", "@tag:red", "any domain". */
void class_describe(struct text *t, const struct domain_class *c);

/* How a caller asks for its target. */
enum asking {
    ASK_DOMAIN,
    ASK_DISPVM,
    ASK_TEMPLATE, /* @dispvm:X */
    ASK_DEFAULT,
    ASK_DOM0,
    ASK_ADMINVM, /* by the keyword: without tags and type */
};
#define ASKINGS 6

struct shape {
    const char *service, *argument;
    struct domain_class source, target; /* target: the domain or template that is asked for */
    enum asking asking;
    struct domain_class standard; /* the source's default_dispvm */
    bool has_standard;
    struct domain_class other; /* a target= or a choice, where it is another's domain */
    bool has_other;
    bool source_by_uuid, target_by_uuid; /* spelled so in the request */
    bool halted, internal;               /* every domain but dom0 */
};

/* A request by dom0 or by another domain, for a target asked for in that way. */
struct shape shape_start(bool dom0, enum asking asking);
/* Narrows to requests whose target the token matches. */
bool shape_require_target(struct shape *s, struct word w);

/* Where a call ends: at a domain or at a disposable of one. */
struct ending {
    struct domain_class *domain; /* in the shape */
    bool disposable;
};
/* Of an allow without target=. False: nowhere. */
bool shape_ending(struct shape *s, struct ending *ret);
/* Of target=, or of a choice. */
bool shape_redirect(struct shape *s, struct word w, struct ending *ret);
bool ending_require(const struct ending *e, struct word w);
void ending_describe(struct text *t, const struct shape *s, const struct ending *e);

void shape_describe_target(struct text *t, const struct shape *s);

/* A token against a final target as spelled. */
bool word_matches_final(struct word w, const struct policy_domains *d, const char *final);
/* The same against "@dispvm:" and that template. */
bool word_matches_disposable(struct word w, const struct policy_domains *d, const char *template);
/* A token against a domain of a view, as source. */
bool word_matches_domain(struct word w, const struct policy_domain *dom);

#endif
