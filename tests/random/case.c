/* One case of a policy, domains and a request: see case.h. */
#include "tests/random/case.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_TEXT (CASE_LINES * (CASE_TEXT + 2) + 1)

/* Appends; what does not fit is cut (only texts for a person are that long). */
__attribute__((format(printf, 3, 4))) static void add(char *buf, size_t size, const char *form, ...)
{
    size_t n = strlen(buf);
    va_list ap;

    va_start(ap, form);
    (void)vsnprintf(buf + n, size - n, form, ap);
    va_end(ap);
}

static size_t file_text(const struct case_file *f, char buf[static FILE_TEXT])
{
    *buf = 0;
    for (size_t i = 0; i < f->n; i++)
        add(buf, FILE_TEXT, "%s%s", f->line[i], f->crlf ? "\r\n" : "\n");
    return strlen(buf);
}

/* ---- Loading ---- */

static void *must(int r, const char *what)
{
    if (r) {
        fprintf(stderr, "case: %s: %d\n", what, r);
        abort();
    }
    return NULL;
}

static void load_domains(const struct test_case *c, struct loaded_case *l)
{
    must(policy_domains_new(1, &l->domains), "domains");
    for (size_t i = 0; i < c->n_domains; i++) {
        l->domain[i] = c->domain[i];
        l->domain[i].tags = c->tag[i];
        for (size_t k = 0; k < CASE_TAGS && c->tag[i][k]; k++)
            l->domain[i].n_tags = k + 1;
        must(policy_domains_add(l->domains, &l->domain[i]), c->domain[i].name);
    }
}

int case_load(const struct test_case *c, struct loaded_case *ret)
{
    static const char *const dirs[] = {"run.d", "policy.d", NULL};
    static char text[CASE_FILES][FILE_TEXT];
    struct policy_file files[CASE_FILES + 4] = {
        {"run.d/.keep", NULL, 0}, {"policy.d/.keep", NULL, 0}, {"legacy/.keep", NULL, 0}};
    struct policy_source source = {
        .dirs = dirs, .legacy_dir = "legacy", .files = files, .files_only = true, .n_files = 3};
    int r;

    for (size_t i = 0; i < c->n_files; i++) {
        size_t n = file_text(&c->file[i], text[i]);

        files[source.n_files++] = (struct policy_file){c->file[i].path, text[i], n};
    }
    files[source.n_files++] = (struct policy_file){"policy.d/more/.keep", NULL, 0};
    *ret = (struct loaded_case){0};
    r = policy_load(&source, &ret->policy, NULL);
    if (r == POLICY_E_INVALID)
        return r;
    must(r, "policy");
    load_domains(c, ret);
    ret->world = (struct oracle_world){ret->domain, c->n_domains, ret->policy};
    return 0;
}

void loaded_case_deinit(struct loaded_case *l)
{
    policy_unref(l->policy);
    policy_domains_unref(l->domains);
    *l = (struct loaded_case){0};
}

struct policy_request case_request(const struct test_case *c)
{
    return (struct policy_request){.service = c->service,
                                   .argument = c->argument,
                                   .source = c->source,
                                   .target = c->target,
                                   .requested_source = c->requested_source,
                                   .just_evaluate = c->just_evaluate};
}

/* ---- Comparing ---- */

static const char *yes_no(bool b)
{
    return b ? "yes" : "no";
}

void oracle_line(const struct oracle_verdict *v, char *buf, size_t size)
{
    *buf = 0;
    if (v->action == POLICY_DENY) {
        add(buf, size, "deny\treason=%s\tnotify=%s", policy_reason_text(v->reason),
            yes_no(v->notify));
    } else if (v->action == POLICY_ALLOW) {
        add(buf, size, "allow\ttarget=%s\tuser=%s\tautostart=%s\tnotify=%s\trequested_target=%s",
            v->target, v->user, yes_no(v->autostart), yes_no(v->notify), v->requested_target);
        if (v->service)
            add(buf, size, "\tservice=%s", v->service);
        if (v->policy_source)
            add(buf, size, "\tpolicy_source=%s", v->policy_source);
    } else {
        add(buf, size, "ask\ttargets=");
        for (size_t i = 0; i < v->n_choices; i++)
            add(buf, size, "%s%s", i ? "," : "", v->choice[i]);
        add(buf, size, "\tdefault_target=%s\tuser=%s\tautostart=%s\tnotify=%s\trequested_target=%s",
            v->default_target ? v->default_target : "", v->user, yes_no(v->autostart),
            yes_no(v->notify), v->requested_target);
    }
    if (v->ruled)
        add(buf, size, "\trule=%s:%u", v->rule.file, v->rule.line);
    else
        add(buf, size, "\trule=-");
}

/* Through the same words: the engine's verdict in the second evaluator's type. */
static bool take_verdict(const struct policy_verdict *v, struct oracle_verdict *ret)
{
    ret->action = v->action;
    ret->reason = v->reason;
    ret->notify = v->notify;
    ret->autostart = v->autostart;
    ret->source = v->source;
    ret->requested_target = v->requested_target;
    ret->user = v->user;
    ret->policy_source = v->policy_source;
    ret->target = v->target;
    ret->service = v->service;
    ret->default_target = v->default_target;
    ret->guivm = v->guivm;
    ret->ruled = v->rule_file != NULL;
    ret->rule.file = v->rule_file;
    ret->rule.line = v->rule_line;
    ret->rule_place = v->rule;
    ret->n_choices = v->n_choices;
    for (size_t i = 0; i < v->n_choices; i++) {
        if (i == ORACLE_CHOICES || strlen(v->choices[i]) >= sizeof(ret->choice[0]))
            return false;
        memcpy(ret->choice[i], v->choices[i], strlen(v->choices[i]) + 1);
    }
    return true;
}

void engine_line(const struct policy_verdict *v, char *buf, size_t size)
{
    static struct oracle_verdict o;

    *buf = 0;
    if (take_verdict(v, &o))
        oracle_line(&o, buf, size);
    else
        add(buf, size, "choices past all bounds");
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? a == b || strcmp(a, b) == 0 : a == b;
}

static bool same_rule(const struct oracle_verdict *o, const struct policy_verdict *v)
{
    if (!o->ruled)
        return !v->rule_file && v->rule == POLICY_NO_RULE;
    return v->rule == o->rule_place && same_text(v->rule_file, o->rule.file) &&
           v->rule_line == o->rule.line;
}

/* Every field that a verdict of that action has. */
static bool same_verdict(const struct oracle_verdict *o, const struct policy_verdict *v)
{
    if (o->action != v->action || o->notify != v->notify || !same_rule(o, v))
        return false;
    if (o->action == POLICY_DENY)
        return o->reason == v->reason;
    if (!same_text(o->source, v->source) || o->autostart != v->autostart ||
        !same_text(o->requested_target, v->requested_target) || !same_text(o->user, v->user) ||
        !same_text(o->guivm, v->guivm))
        return false;
    if (o->action == POLICY_ALLOW)
        return same_text(o->target, v->target) && same_text(o->service, v->service) &&
               same_text(o->policy_source, v->policy_source);
    if (o->n_choices != v->n_choices || !same_text(o->default_target, v->default_target))
        return false;
    for (size_t i = 0; i < o->n_choices; i++)
        if (!same_text(o->choice[i], v->choices[i]))
            return false;
    return true;
}

static bool compare_one(const struct oracle_verdict *o, const struct policy_verdict *v,
                        const char *about, const char *more, char *what, size_t size)
{
    char line[4096];

    if (same_verdict(o, v))
        return true;
    *what = 0;
    add(what, size, "%s%s\n", about, more);
    oracle_line(o, line, sizeof(line));
    add(what, size, "  contract: %s (source %s, guivm %s)\n", line, o->source,
        o->guivm ? o->guivm : "none");
    engine_line(v, line, sizeof(line));
    add(what, size, "  engine:   %s (source %s, guivm %s)\n", line, v->source ? v->source : "none",
        v->guivm ? v->guivm : "none");
    return false;
}

static bool compare_answer(const struct loaded_case *l, const struct policy_request *q,
                           const struct oracle_verdict *asked, const struct policy_verdict *asked_v,
                           const char *chosen, char *what, size_t size)
{
    static struct oracle_verdict o;
    struct policy_verdict v = {0};
    bool same;

    oracle_answer(&l->world, q, asked, chosen, &o);
    must(policy_answer_ask(l->policy, l->domains, q, asked_v, chosen, &v), "answer");
    same = compare_one(&o, &v, "the answer to the ask: ", chosen ? chosen : "(no)", what, size);
    policy_verdict_deinit(&v);
    return same;
}

enum case_result case_compare(const struct loaded_case *l, const struct policy_request *q,
                              char *what, size_t size)
{
    static struct oracle_verdict o;
    struct policy_verdict v = {0};
    bool same;

    oracle_decide(&l->world, q, &o);
    must(policy_decide(l->policy, l->domains, q, &v), "decide");
    same = compare_one(&o, &v, "the verdict", "", what, size);
    if (same && o.action == POLICY_ASK) {
        same = compare_answer(l, q, &o, &v, NULL, what, size) &&
               compare_answer(l, q, &o, &v, "@anyvm", what, size);
        for (size_t i = 0; same && i < o.n_choices; i++)
            same = compare_answer(l, q, &o, &v, o.choice[i], what, size);
    }
    policy_verdict_deinit(&v);
    return same ? CASE_SAME : CASE_DIFFERS;
}

enum case_result case_check(const struct test_case *c, char *what, size_t size)
{
    struct policy_request q = case_request(c);
    struct loaded_case l;
    enum case_result result;

    if (case_load(c, &l))
        return CASE_NOT_LOADED;
    result = case_compare(&l, &q, what, size);
    loaded_case_deinit(&l);
    return result;
}
