/*
 * A loaded policy: its rules in order of evaluation, over interned words.
 */
#ifndef QREXEC_POLICY_RULES_H
#define QREXEC_POLICY_RULES_H

#include "policy-engine/lib/index.h"
#include "policy-engine/lib/names.h"
#include "policy-engine/lib/policy.h"
#include "policy-engine/lib/regex.h"
#include "policy-engine/lib/token.h"

/* Numbers are of the policy's names; NAME_NONE: not given. */
struct rule {
    uint32_t service;  /* NAME_ANY: any */
    uint32_t argument; /* "+ARG"; NAME_ANY: any; with a regex: its text */
    struct regex *regex;
    uint32_t source, target; /* canonical spelling */
    uint32_t target_spelled;
    enum token_kind source_kind : 8, target_kind : 8;
    enum policy_action action : 8;
    bool notify : 1, autostart : 1;
    uint32_t redirect, default_target, user; /* as spelled */
    uint32_t file;
    uint32_t content, text; /* where the line stands: in which content, from which byte on */
    uint32_t top; /* the file of a policy directory whose include brought it, or file itself */
    unsigned line;
};

/* A file's bytes, kept for the text of its rules; each line of it is ended by a NUL. */
struct content {
    char *data;
    size_t len;
};
#define CONTENT_NONE UINT32_MAX /* an implicit rule: its text is empty */

struct never;

struct policy {
    unsigned refs;
    struct names names;
    struct rule *rules;
    size_t n, cap;
    struct content *contents;
    size_t n_contents, contents_cap;
    uint64_t signature;
    uint32_t dir;           /* the last policy directory: where an administrator's own lines go */
    struct bucket *buckets; /* index.h */
    size_t n_buckets;
    struct index index;
    struct never *nevers; /* never.h */
    size_t n_nevers, nevers_cap;
};

/* What a line is read for: the columns that an R4.0 file has from its name. */
struct rule_columns {
    bool three; /* SOURCE TARGET ACTION; service and argument are given */
    struct span service, argument;
};

/*
 * The words of one rule line (no directive). 0 and *ret; POLICY_E_INVALID and the reason in *why;
 * -ENOMEM. file and line are left for the caller.
 */
int rule_parse(struct names *names, struct span line, const struct rule_columns *columns,
               struct rule *ret, struct text *why);

/* "*" or characters of a service; "*" or "+…". Empty why: fine. */
bool service_is_valid(struct span service);
bool argument_is_valid(struct span argument);

/* The line as it was written, ended by NUL. */
static inline const char *rule_line(const struct policy *p, const struct rule *r)
{
    return r->content == CONTENT_NONE ? "" : p->contents[r->content].data + r->text;
}

static inline const char *rule_text(const struct policy *p, uint32_t name)
{
    return name == NAME_NONE ? NULL : names_text(&p->names, name);
}

#endif
