/*
 * libqrexec-policy: which call between domains is allowed, asked about, denied.
 *
 * A policy is read from its files as a whole or not at all, and is unchangeable from then on; so is
 * a view of the domains once it is filled. Both count references: whoever decides now and hears
 * the user's answer later keeps the two that it began with. A decision is a pure function of
 * (policy, domains, request), and costs the same however many rules there are; an allow or deny of
 * it allocates nothing but the service name of a call through a relay. The library holds no global
 * state, logs nothing, and touches files only where a struct policy_source is handed in.
 *
 * Returns: 0; a POLICY_E_* of this function; or a negative errno. Outputs are untouched on failure.
 * Strings in: UTF-8 or any other bytes, ended by NUL. Two threads may use one policy if each keeps
 * its references to itself and the policy has no regex rules [ext].
 */
#ifndef QREXEC_POLICY_H
#define QREXEC_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POLICY_E_INVALID 1 /* the policy does not load: deny everything until it does */
#define POLICY_E_EXISTS  2 /* a domain of this name or uuid is there already */

/* ---- Where policy is read from ---- */

/* A file that is not on disk, or differs from it. Paths are compared as text, "." and "//" gone. */
struct policy_file {
    const char *path;
    const char *content; /* NULL: there is no such file, whatever the disk says */
    size_t len;
};

struct policy_source {
    const char *const *dirs; /* policy.d directories, NULL-ended; of equal names the first counts */
    const char *legacy_dir;  /* R4.0 directory, for !compat-4.0; NULL: there is none (an error) */
    const struct policy_file *files; /* seen in place of what the disk has; may be NULL */
    size_t n_files;
    bool files_only; /* the disk is never looked at */
};

struct policy_error {
    char *file;    /* as reached from the source's directory; allocated */
    unsigned line; /* 0: the file as a whole */
    char *text;    /* allocated */
};
void policy_error_deinit(struct policy_error *e);

struct policy;

/*
 * 0; POLICY_E_INVALID and *reterr is the first error; negative errno. Limits, so that no file can
 * take all memory: 16 includes in one another, 10000 files, 16 MiB in one and 64 MiB in all of
 * them, 1000000 rules.
 */
int policy_load(const struct policy_source *source, struct policy **ret,
                struct policy_error *reterr);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p); /* takes NULL */
void policy_unrefp(struct policy **p);

/*
 * Every file and directory that loading looked at, also when it failed (a missing one too): what to
 * watch. A change of any of them may change the policy. NULL-ended array, one allocation each and
 * one for the array; free with policy_strv_free().
 */
int policy_list_watched(const struct policy_source *source, char ***ret);
void policy_strv_free(char **v);

/* A number that differs, in all likelihood, between any two policies; over files and their text. */
uint64_t policy_signature(const struct policy *p);

/* The rules as written, in order of evaluation. Strings live as long as the policy. */
struct policy_rule_view {
    const char *service;  /* "*": any */
    const char *argument; /* "+ARG", "*" or "~REGEX" */
    const char *source, *target;
    const char *action;         /* allow, ask, deny */
    const char *redirect;       /* target=, or NULL */
    const char *default_target; /* or NULL */
    const char *user;           /* or NULL */
    bool notify, autostart;
    const char *file;
    unsigned line;    /* 0: an implicit deny of an R4.0 file */
    const char *text; /* the line as it stands in the file; "" for an implicit one */
};
size_t policy_count_rules(const struct policy *p);
void policy_get_rule(const struct policy *p, size_t n, struct policy_rule_view *ret);

/* ---- The domains ---- */

struct policy_domain {
    const char *name;        /* mandatory */
    const char *uuid;        /* without "uuid:"; this and all below may be NULL */
    const char *type;        /* AppVM, DispVM, AdminVM, RemoteVM … */
    const char *const *tags; /* n_tags of them */
    size_t n_tags;
    bool template_for_dispvms;
    const char *default_dispvm;
    const char *power_state; /* Running … */
    bool internal;
    const char *guivm, *relayvm, *transport_rpc;
    const char *icon, *label, *netvm;
};

struct policy_domains;

/* generation: the caller's number for this view, handed back unchanged. */
int policy_domains_new(uint64_t generation, struct policy_domains **ret);
/* Copies everything. 0, POLICY_E_EXISTS, -EINVAL (no name), -ENOMEM. Not after the first lookup of
 * another holder: a view is filled, then shared. */
int policy_domains_add(struct policy_domains *d, const struct policy_domain *domain);
struct policy_domains *policy_domains_ref(struct policy_domains *d);
void policy_domains_unref(struct policy_domains *d); /* takes NULL */
void policy_domains_unrefp(struct policy_domains **d);

uint64_t policy_domains_generation(const struct policy_domains *d);
size_t policy_domains_count(const struct policy_domains *d);
const struct policy_domain *policy_domains_at(const struct policy_domains *d, size_t n);
/* By NAME, "uuid:UUID", or "@adminvm"; NULL: no such domain. */
const struct policy_domain *policy_domains_find(const struct policy_domains *d,
                                                const char *spelled);

/* ---- Deciding ---- */

enum policy_action { POLICY_DENY, POLICY_ALLOW, POLICY_ASK };

enum policy_reason {
    POLICY_REASON_NONE, /* not a denial */
    POLICY_REASON_POLICY,
    POLICY_REASON_NO_MATCH,
    POLICY_REASON_INVALID_TARGET,
    POLICY_REASON_INVALID_SOURCE,
    POLICY_REASON_NOT_DISPVM_TEMPLATE,
    POLICY_REASON_NO_TARGET,
    POLICY_REASON_NO_DISPVM,
    POLICY_REASON_AUTOSTART,
    POLICY_REASON_LOOPBACK,
    POLICY_REASON_NO_RELAY,
    POLICY_REASON_USER,        /* the user said no */
    POLICY_REASON_BAD_ANSWER,  /* what came back from the prompt was not one of the choices */
    POLICY_REASON_NO_GUIVM,    /* an ask, and the source has no guivm to ask in */
    POLICY_REASON_REGEX_LIMIT, /* [ext] a ~REGEX ran into its limits */
    POLICY_REASON_NEVER,       /* [ext] a never line has the last word; rule_file is its place */
};
/* "no-match" and so on: the word in logs and batch answers. */
const char *policy_reason_text(enum policy_reason reason);

/* Strings stay the caller's, and must live as long as the verdict. */
struct policy_request {
    const char *service;          /* without argument */
    const char *argument;         /* with its "+"; "+" is the empty one; NULL means "+" */
    const char *source;           /* the calling domain */
    const char *target;           /* as asked; "" or NULL means @default */
    const char *requested_source; /* "" or NULL: none */
    /* Only the verdict is wanted (just_evaluate): loopback and relay of an allow rule, which belong
     * to carrying it out, are not looked at. */
    bool just_evaluate;
};

/*
 * Strings belong to the policy, the domains, the request or the verdict itself: keep the first
 * three for as long as it is used. Zeroed is an empty verdict.
 */
struct policy_verdict {
    enum policy_action action;
    enum policy_reason reason; /* of a denial */
    bool notify;

    const char *source;           /* the effective one: requested source, or the caller */
    const char *requested_target; /* NULL: denied before there was one */
    const char *user;             /* allow, ask; "DEFAULT" if the rule names none */
    bool autostart;

    const char *target;        /* allow: the final one: NAME, uuid:UUID, dom0, @dispvm:… */
    const char *service;       /* allow through a relay: what to call there; else NULL */
    const char *policy_source; /* allow with a requested source; else NULL */

    char **choices; /* ask: byte-sorted; the array is the verdict's, the texts are not */
    size_t n_choices;
    const char *default_target; /* ask: one of the choices, or NULL */
    const char *guivm;          /* ask: where to ask; NULL: nowhere, so deny */

    const char *rule_file; /* NULL: no rule decided */
    unsigned rule_line;
    uint32_t rule; /* place for policy_get_rule(); POLICY_NO_RULE */

    char *owned[2]; /* what the verdict itself allocated */
};
#define POLICY_NO_RULE UINT32_MAX

/* 0 and a verdict; -ENOMEM. Call policy_verdict_deinit() on what came out. */
int policy_decide(const struct policy *p, const struct policy_domains *d,
                  const struct policy_request *request, struct policy_verdict *ret);

/*
 * The user's answer to an ask: chosen is what came back, NULL for "no". `asked` is what
 * policy_decide() gave for the same policy, domains and request. Gives an allow or a denial.
 */
int policy_answer_ask(const struct policy *p, const struct policy_domains *d,
                      const struct policy_request *request, const struct policy_verdict *asked,
                      const char *chosen, struct policy_verdict *ret);

/* Turns any verdict into a denial with this reason and notify yes; the rule stays. */
void policy_verdict_deny(struct policy_verdict *v, enum policy_reason reason);
void policy_verdict_deinit(struct policy_verdict *v);

/*
 * "uuid:UUID" or "@dispvm:uuid:UUID" of an allow's target, for the answer's target_uuid. 0; 1 where
 * there is none (dom0, unknown domain); -ENAMETOOLONG.
 */
int policy_target_uuid(const struct policy_domains *d, const char *target, char *buf, size_t size);

/*
 * Why the request gets its verdict, for a person: the rule with its text, every earlier rule of
 * that service and the column that made it pass by, what the tokens resolved to, and for a refusal
 * the line that would allow just this and the file to put it into. The caller frees *ret.
 */
int policy_explain(const struct policy *p, const struct policy_domains *d,
                   const struct policy_request *request, char **ret);

/* ---- Lint: what loads but is surely wrong ---- */

struct policy_finding {
    char *file; /* allocated, as the text */
    unsigned line;
    char *text;
};
struct policy_findings {
    struct policy_finding *list; /* in order of file and line, each once */
    size_t n, cap;
};
/* d may be NULL: names and types are not checked then. */
int policy_lint(const struct policy *p, const struct policy_domains *d,
                struct policy_findings *ret);
/*
 * Adds to what was found: rules for services that are not known, where one that is known has nearly
 * that name. known: services that are installed; those of the field, and those that the shipped
 * files 9?-… name, are known without.
 */
int policy_lint_services(const struct policy *p, const char *const *known, size_t n,
                         struct policy_findings *f);
/* Every error of every file, where policy_load() stops at the first. */
int policy_lint_errors(const struct policy_source *source, struct policy_findings *ret);
void policy_findings_deinit(struct policy_findings *f);

/*
 * ---- Analysis over classes of requests [ext] ----
 *
 * Exact for every world, with domains, tags, services and arguments that do not exist yet: the
 * answers hold for all requests, not for samples of them. With ~REGEX arguments it is approximate,
 * and says so. `today` limits the worlds to that view; NULL: every world. What is found is shown by
 * a request and the domains in which policy_decide() gives the verdict: it has been asked.
 */

#define POLICY_E_NEVER 3 /* a never line can be violated */

/* NULL: any. Tokens as in the source and target columns; target is about the final one. */
struct policy_goal {
    const char *service, *argument; /* argument with its "+", or "*" */
    const char *source, *target;
    bool allow, ask; /* which verdicts count; an ask counts if it offers such a target */
    bool relays;     /* of domains at hand: a call to a remote one ends at its relay, too */
};

/* Strings live as long as the call of the function that gets it. */
struct policy_example {
    enum policy_action action;               /* allow or ask */
    uint32_t rule;                           /* for policy_get_rule() */
    const char *source_class, *target_class; /* for people: which requests the rule decides so */
    const char *service, *argument, *source, *target; /* one of them */
    const char *final;                    /* where it ends, or the choice that is offered */
    const struct policy_domains *domains; /* the smallest view in which it does */
    bool approximate;                     /* a regex is among the rules of that service */
};
/* 0: go on; else the search ends and returns it. */
typedef int(policy_example_fn)(void *data, const struct policy_example *e);

/* What stands in the way of all that was looked for. */
struct policy_closers {
    uint32_t *rules; /* ascending, each once */
    size_t n, cap;
    bool no_rule;     /* some of the requests are decided by no rule at all */
    bool approximate; /* regexes were tried with sample arguments only */
};
void policy_closers_deinit(struct policy_closers *c);

/*
 * All that may call so: fn is called for each rule and class of requests that it decides so. ret
 * (may be NULL) is what closes the rest. 0, fn's result, POLICY_E_INVALID (a bad token in the
 * question), -ENOMEM.
 */
int policy_who_can(const struct policy *p, const struct policy_domains *today,
                   const struct policy_goal *q, policy_example_fn *fn, void *data,
                   struct policy_closers *ret);

struct policy_violation {
    char *never_file, *rule_file;
    unsigned never_line, rule_line;
    enum policy_action action;
    char *service, *argument, *source, *target, *final; /* the request that shows it */
    struct policy_domains *domains;                     /* and where */
    char *text;                                         /* all of that in a sentence */
};
void policy_violation_deinit(struct policy_violation *v);

/*
 * Whether the rules keep to the never lines by themselves: a policy for which they do not must not
 * be put into force. 0; POLICY_E_NEVER and the first violation; -ENOMEM.
 */
int policy_check_never(const struct policy *p, const struct policy_domains *today,
                       struct policy_violation *ret);

#define POLICY_E_IMPOSSIBLE 5 /* no request, no chain */
#define POLICY_E_TOO_MUCH   6 /* given up: not told either way */

/* from and to: as a source and as a target, but not @default and @dispvm, where no call ends;
 * service and argument as in policy_goal, or NULL. */
struct policy_reach_goal {
    const char *from, *to;
    const char *service, *argument;
    bool ask; /* calls that the user is asked about count too */
};

/* One call. All strings are allocated. */
struct policy_hop {
    uint32_t rule;
    enum policy_action action;
    char *service, *argument, *source, *target, *final;
};

struct policy_chain {
    struct policy_hop *hops;
    size_t n;
    struct policy_domains *domains; /* in which each of the calls has its verdict */
    struct policy_closers closers;  /* where it is impossible */
};
void policy_chain_deinit(struct policy_chain *c);

/*
 * Whether data that callers send can get from one domain to another: by a call, or by several, of
 * which each starts at the domain where the one before ended (after target=, the user's choice, the
 * relay of a remote domain at hand), or at the disposable that it made. A disposable has its
 * template's tags, those that mark its creator (dom0), and the type DispVM. What a service sends
 * back to its caller is not counted. 0 and the shortest chain; POLICY_E_IMPOSSIBLE and the closers;
 * POLICY_E_INVALID, POLICY_E_TOO_MUCH, -ENOMEM.
 */
int policy_reach(const struct policy *p, const struct policy_domains *today,
                 const struct policy_reach_goal *goal, struct policy_chain *ret);

/* Requests that two policies decide differently. Strings live as long as the call of fn. */
struct policy_difference {
    uint32_t rule_a, rule_b;                 /* which decide; POLICY_NO_RULE: none */
    const char *source_class, *target_class; /* the class; the target as asked for */
    const char *service, *argument, *source, *target;
    const char *verdict_a, *verdict_b; /* "allow vault", "ask mail,vault", "deny policy" */
    bool wider;                        /* b allows or asks what a does not */
    const struct policy_domains *domains;
    bool approximate;
};
typedef int(policy_difference_fn)(void *data, const struct policy_difference *d);

/*
 * The classes of requests whose verdict differs: by action, final target, choices, user or
 * autostart; one for each pair of deciding rules, a wider one if there is. With `wider` only those.
 * 0, fn's result, -ENOMEM.
 */
int policy_diff(const struct policy *a, const struct policy *b, const struct policy_domains *today,
                bool wider, policy_difference_fn *fn, void *data);

#ifdef __cplusplus
}
#endif

#endif
