/*
 * Lint: what loads but is surely wrong, or surely not what was meant.
 *
 * Each check looks at one rule, what stands before it, and the domains there are. "Covered" is
 * judged token by token against single earlier rules: what only several of them cover together is
 * not found here.
 */
#include "policy-engine/lib/lint.h"

#include "policy-engine/lib/advice.h"
#include "policy-engine/lib/index.h"
#include "policy-engine/lib/never.h"

int lint_add(struct lint *l, const struct rule *r)
{
    int e;

    if (l->text.failed)
        return -ENOMEM;
    e = findings_add(&l->findings, rule_text(l->policy, r->file), r->line, l->text.data);
    text_clear(&l->text);
    return e;
}

/* ---- Rules that never decide ---- */

/* Does everything that matches b match a, whatever domains there are? */
static bool token_covers(const struct lint *l, enum token_kind a_kind, uint32_t a,
                         enum token_kind b_kind, uint32_t b)
{
    struct span rest = token_rest(names_span(&l->policy->names, b));
    const struct policy_domain *dom0;

    if (a == b || a_kind == TOKEN_ANY)
        return true;
    if (a_kind != TOKEN_ANYVM)
        return false;
    switch (b_kind) {
    case TOKEN_ANY:
    case TOKEN_ADMINVM: return false;
    case TOKEN_TYPE: return !span_equal(rest, SPAN("AdminVM"));
    case TOKEN_TAG: /* dom0 may have tags */
        dom0 = l->domains ? domains_find(l->domains, SPAN("dom0")) : NULL;
        return dom0 && !domain_has_tag(dom0, rest.data);
    default: return true;
    }
}

static int lint_covered(struct lint *l, const struct rule *r)
{
    const struct policy *p = l->policy;
    struct walk w = walk_start(p, r->service, r->regex ? NAME_ANY : r->argument, false);
    const struct rule *before;

    while ((before = walk_next(&w)) && before < r) {
        if (before->argument != r->argument && (before->argument != NAME_ANY || before->regex))
            continue;
        if (!token_covers(l, before->source_kind, before->source, r->source_kind, r->source) ||
            !token_covers(l, before->target_kind, before->target, r->target_kind, r->target))
            continue;
        text_addf(&l->text, "never decides: %s:%u stands before it and covers it",
                  rule_text(p, before->file), before->line);
        return lint_add(l, r);
    }
    return 0;
}

static int lint_source(struct lint *l, const struct rule *r)
{
    if (r->source_kind != TOKEN_DISPVM_NAME && r->source_kind != TOKEN_DISPVM_TAG)
        return 0;
    text_addf(&l->text,
              "never matches: a source is always a domain, never %s (a disposable has "
              "its own name and type: @type:DispVM, or a tag)",
              rule_text(l->policy, r->source));
    return lint_add(l, r);
}

/* ---- Names that nothing has ---- */

static bool any_domain(const struct policy_domains *d, enum token_kind kind, const char *word)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct policy_domain *dom = &d->list[i];

        if (kind == TOKEN_TYPE ? dom->type && strcmp(dom->type, word) == 0
                               : domain_has_tag(dom, word))
            return true;
    }
    return false;
}

static void complain_name(struct lint *l, const char *column, const char *name)
{
    const char *similar = similar_domain(l->domains, name);

    text_addf(&l->text, "%s: there is no domain \"%s\"", column, name);
    if (similar)
        text_addf(&l->text, " (\"%s\" is there)", similar);
}

static int lint_token(struct lint *l, const struct rule *r, const char *column, uint32_t token)
{
    const char *word = rule_text(l->policy, token), *rest;
    const struct policy_domain *dom;
    enum token_kind kind;

    if (!word)
        return 0;
    kind = token_kind(span_of(word));
    rest = token_rest(span_of(word)).data;
    dom = domains_find(l->domains, span_of(rest));
    switch (kind) {
    case TOKEN_NAME:
    case TOKEN_UUID:
        if (dom)
            return 0;
        complain_name(l, column, rest);
        return lint_add(l, r);
    case TOKEN_DISPVM_NAME:
        if (!dom)
            complain_name(l, column, rest);
        else if (dom->template_for_dispvms)
            return 0;
        else
            text_addf(&l->text, "%s: \"%s\" is no template for disposables", column, rest);
        return lint_add(l, r);
    case TOKEN_TAG:
    case TOKEN_TYPE:
    case TOKEN_DISPVM_TAG:
        if (any_domain(l->domains, kind, rest))
            return 0;
        text_addf(&l->text, "%s: no domain has the %s \"%s\"", column,
                  kind == TOKEN_TYPE ? "type" : "tag", rest);
        return lint_add(l, r);
    default: return 0;
    }
}

static int lint_names(struct lint *l, const struct rule *r)
{
    int e = l->domains ? lint_token(l, r, "source", r->source) : 0;

    if (!l->domains)
        return 0;
    if (!e)
        e = lint_token(l, r, "target", r->target);
    if (!e)
        e = lint_token(l, r, "target=", r->redirect);
    if (!e)
        e = lint_token(l, r, "default_target=", r->default_target);
    return e;
}

/* ---- Rules that allow more than anyone means ---- */

static bool is_everyone(enum token_kind kind)
{
    return kind == TOKEN_ANY || kind == TOKEN_ANYVM;
}

static int lint_wide(struct lint *l, const struct rule *r)
{
    const char *user = rule_text(l->policy, r->user);
    int e = 0;

    if (user && strcmp(user, "root") == 0) {
        text_addf(&l->text, "user=root: the service runs as root in the target");
        e = lint_add(l, r);
    }
    if (e || r->action != POLICY_ALLOW || r->service != NAME_ANY || !is_everyone(r->source_kind) ||
        !is_everyone(r->target_kind))
        return e;
    text_addf(&l->text, "allows every service from every domain to every other");
    return lint_add(l, r);
}

/* A copy that an editor or a patch left in the R4.0 directory is policy all the same. */
static int lint_leftover(struct lint *l, const struct rule *r)
{
    static const struct span ends[] = {
        {".bak", 4}, {".orig", 5}, {".old", 4}, {".rej", 4}, {".save", 5}};
    struct span file = names_span(&l->policy->names, r->file);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!span_ends(file, ends[i]))
            continue;
        text_addf(&l->text, "a left-over copy is live policy, for service %s: remove the file",
                  rule_text(l->policy, r->service));
        return findings_add(&l->findings, file.data, 0, l->text.failed ? "" : l->text.data);
    }
    return 0;
}

static int lint_rule(struct lint *l, const struct rule *r)
{
    int e = lint_leftover(l, r);

    text_clear(&l->text);
    if (e || !r->line) /* implicit rules are nobody's to mend */
        return e;
    e = lint_source(l, r);
    if (!e)
        e = lint_covered(l, r);
    if (!e)
        e = lint_names(l, r);
    return e ? e : lint_wide(l, r);
}

/* The rule by which a never line can be violated. */
static int lint_never(struct lint *l)
{
    _cleanup_(policy_violation_deinit) struct policy_violation v = {0};
    int e = policy_check_never(l->policy, NULL, &v);

    return e > 0 ? findings_add(&l->findings, v.rule_file, v.rule_line, v.text) : e;
}

/* A line that forbids what cannot be protects nothing. */
static int lint_never_line(struct lint *l, const struct never *n)
{
    const struct rule place = {
        .file = n->file, .line = n->line, .source = n->source, .source_kind = n->source_kind};
    int e = lint_source(l, &place);

    if (!e && (n->target_kind == TOKEN_DEFAULT || n->target_kind == TOKEN_DISPVM)) {
        text_addf(&l->text,
                  "forbids nothing: no call ends at %s, which becomes something else first (name "
                  "the domains, or @dispvm:NAME)",
                  rule_text(l->policy, n->target));
        e = lint_add(l, &place);
    }
    if (!e && l->domains)
        e = lint_token(l, &place, "source", n->source);
    return e || !l->domains ? e : lint_token(l, &place, "target", n->target);
}

static int lint_never_lines(struct lint *l)
{
    int e = 0;

    for (size_t i = 0; !e && i < l->policy->n_nevers; i++)
        e = lint_never_line(l, &l->policy->nevers[i]);
    return e;
}

int policy_lint(const struct policy *p, const struct policy_domains *d, struct policy_findings *ret)
{
    struct lint l = {.policy = p, .domains = d};
    int e = 0;

    for (size_t i = 0; !e && i < p->n; i++)
        e = lint_rule(&l, &p->rules[i]);
    if (!e)
        e = lint_ask(&l);
    if (!e)
        e = lint_never_lines(&l);
    if (!e)
        e = lint_never(&l);
    if (!e && d)
        e = lint_network(&l);
    text_deinit(&l.text);
    if (e) {
        policy_findings_deinit(&l.findings);
        return e;
    }
    findings_sort(&l.findings);
    *ret = l.findings;
    return 0;
}
