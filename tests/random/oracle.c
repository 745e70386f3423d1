/* The second evaluator: see oracle.h. Comments are the contract's sentences, shortened. */
#include "tests/random/oracle.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct oracle_world world;

static bool eq(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A text that did not fit would be a wrong verdict. */
__attribute__((format(printf, 3, 4))) static void put(char *buf, size_t size, const char *form, ...)
{
    va_list ap;
    int n;

    va_start(ap, form);
    n = vsnprintf(buf, size, form, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= size) {
        fprintf(stderr, "oracle: a text is too long\n");
        abort();
    }
}

/* ---- Domains ---- */

bool oracle_is_dom0(const char *x)
{
    return eq(x, "dom0") || eq(x, "@adminvm") || eq(x, "uuid:00000000-0000-0000-0000-000000000000");
}

static const struct policy_domain *domain_of(const world *w, const char *x)
{
    if (oracle_is_dom0(x))
        x = "dom0";
    for (size_t i = 0; i < w->n_domains; i++) {
        const struct policy_domain *d = &w->domains[i];

        if (starts(x, "uuid:") ? eq(d->uuid, x + strlen("uuid:")) : eq(d->name, x))
            return d;
    }
    return NULL;
}

static bool has_tag(const struct policy_domain *d, const char *tag)
{
    for (size_t i = 0; d && i < d->n_tags; i++)
        if (eq(d->tags[i], tag))
            return true;
    return false;
}

static bool runs(const world *w, const char *x)
{
    const struct policy_domain *d = domain_of(w, x);

    return d && eq(d->power_state, "Running");
}

static bool is_template(const world *w, const char *x)
{
    const struct policy_domain *d = domain_of(w, x);

    return d && d->template_for_dispvms;
}

/* "name or uuid: the same domain, by either spelling; dom0 only dom0". */
static bool same(const world *w, const char *a, const char *b)
{
    const struct policy_domain *x = domain_of(w, a), *y = domain_of(w, b);

    if (oracle_is_dom0(a) || oracle_is_dom0(b))
        return oracle_is_dom0(a) && oracle_is_dom0(b);
    return x || y ? x == y : eq(a, b);
}

/* The source's default_dispvm; NULL: none. */
static const char *default_dispvm(const world *w, const char *source)
{
    const struct policy_domain *d = domain_of(w, source);

    return d && d->default_dispvm && *d->default_dispvm ? d->default_dispvm : NULL;
}

/* ---- Tokens ---- */

/* A name or uuid:UUID, of a domain that may be missing. */
static bool is_name(const char *x)
{
    if (starts(x, "uuid:"))
        return x[5] && x[5] != '@';
    return *x && *x != '@' && !eq(x, "*");
}

/* @dispvm:NAME, where "*" is a name like any other. */
static bool is_disposable(const char *x)
{
    const char *name = x + strlen("@dispvm:");

    return starts(x, "@dispvm:") && *name && *name != '@' && !eq(name, "uuid:");
}

/* What a caller may ask for. */
static bool may_be_asked_for(const char *x)
{
    return is_name(x) || eq(x, "@adminvm") || eq(x, "@default") || eq(x, "@dispvm") ||
           is_disposable(x);
}

/* "@tag:T, @type:T: a domain (by name or uuid) that has it; dom0 not as @adminvm". */
static const struct policy_domain *plain_domain(const world *w, const char *x)
{
    return *x == '@' ? NULL : domain_of(w, x);
}

static bool matches_disposable(const world *w, const char *of, const char *x, const char *source)
{
    const char *by_default = default_dispvm(w, source);
    const char *template = starts(x, "@dispvm:") ? x + strlen("@dispvm:")
                           : eq(x, "@dispvm")    ? by_default
                                                 : NULL;

    if (!template)
        return false;
    if (starts(of, "@tag:"))
        return is_template(w, template) && has_tag(domain_of(w, template), of + strlen("@tag:"));
    return eq(x, "@dispvm") ? eq(of, template) : same(w, of, template);
}

/* The table "Does a token match a domain or request token x". */
static bool matches(const world *w, const char *token, const char *x, const char *source)
{
    const struct policy_domain *d = plain_domain(w, x);

    if (eq(token, "*"))
        return true;
    if (eq(token, "@anyvm"))
        return !oracle_is_dom0(x);
    if (eq(token, "@default") || eq(token, "@dispvm"))
        return eq(token, x);
    if (starts(token, "@tag:"))
        return has_tag(d, token + strlen("@tag:"));
    if (starts(token, "@type:"))
        return d && eq(d->type, token + strlen("@type:"));
    if (starts(token, "@dispvm:"))
        return matches_disposable(w, token + strlen("@dispvm:"), x, source);
    return (*x != '@' || eq(x, "@adminvm")) && same(w, token, x);
}

/* ~REGEX, by another library than the engine's. */
static bool regex_matches(const char *pattern, const char *text)
{
    static char last[ORACLE_TEXT];
    static regex_t compiled;
    char anchored[ORACLE_TEXT];

    put(anchored, sizeof(anchored), "^(%s)$", pattern);
    if (!eq(anchored, last)) {
        if (*last)
            regfree(&compiled);
        put(last, sizeof(last), "%s", anchored);
        if (regcomp(&compiled, anchored, REG_EXTENDED | REG_NOSUB)) {
            fprintf(stderr, "oracle: %s is no extended regular expression\n", pattern);
            abort();
        }
    }
    return regexec(&compiled, text, 0, NULL, 0) == 0;
}

static bool called_by(const struct policy_rule_view *r, const struct policy_request *q)
{
    const char *argument = q->argument ? q->argument : "+";

    if (!eq(r->service, "*") && !eq(r->service, q->service))
        return false;
    if (*r->argument == '~')
        return regex_matches(r->argument + 1, argument + 1);
    return eq(r->argument, "*") || eq(r->argument, argument);
}

/* ---- Verdicts ---- */

static void deny(struct oracle_verdict *v, enum policy_reason reason)
{
    v->action = POLICY_DENY;
    v->reason = reason;
    v->notify = true;
    if (v->ruled && (reason == POLICY_REASON_POLICY || reason == POLICY_REASON_AUTOSTART ||
                     reason == POLICY_REASON_USER))
        v->notify = v->rule.notify;
}

/* Step 1, for what a caller asks for and for target=. */
static enum policy_reason check_target(const world *w, const char **target)
{
    if (!may_be_asked_for(*target))
        return POLICY_REASON_INVALID_TARGET;
    if (starts(*target, "@dispvm:") && !is_template(w, *target + strlen("@dispvm:")))
        return POLICY_REASON_NOT_DISPVM_TEMPLATE;
    if (is_name(*target) && !oracle_is_dom0(*target) && !domain_of(w, *target))
        *target = "@default";
    return POLICY_REASON_NONE;
}

/* Step 2: a known RemoteVM whose relayvm is the calling domain. */
static bool may_speak_for(const world *w, const char *caller, const char *remote)
{
    const struct policy_domain *d = plain_domain(w, remote);

    return d && eq(d->type, "RemoteVM") && d->relayvm && same(w, d->relayvm, caller);
}

static bool prepare(const world *w, const struct policy_request *q, struct oracle_verdict *v)
{
    const char *target = q->target && *q->target ? q->target : "@default";
    enum policy_reason reason = check_target(w, &target);
    bool relayed = q->requested_source && *q->requested_source;

    v->n_choices = 0;
    v->ruled = v->autostart = false;
    v->reason = POLICY_REASON_NONE;
    v->user = v->policy_source = v->target = v->service = v->default_target = v->guivm = NULL;
    v->requested_target = NULL;
    v->source = q->source;
    if (reason) {
        deny(v, reason);
        return false;
    }
    v->requested_target = target;
    /* "A source is always a domain": no keyword but @adminvm, nothing empty */
    if (!(is_name(q->source) || eq(q->source, "@adminvm")) ||
        (relayed && !may_speak_for(w, q->source, q->requested_source))) {
        deny(v, POLICY_REASON_INVALID_SOURCE);
        return false;
    }
    if (relayed)
        v->source = v->policy_source = q->requested_source;
    v->guivm = domain_of(w, v->source) ? domain_of(w, v->source)->guivm : NULL;
    return true;
}

static bool use_default_dispvm(const world *w, struct oracle_verdict *v)
{
    const char *name = default_dispvm(w, v->source);

    if (!name) {
        deny(v, POLICY_REASON_NO_DISPVM);
        return false;
    }
    put(v->target_text, sizeof(v->target_text), "@dispvm:%s", name);
    v->target = v->target_text;
    return true;
}

/* "A target of type RemoteVM: the call goes to its relayvm". */
static void use_relay(const struct policy_domain *d, const struct policy_request *q,
                      struct oracle_verdict *v)
{
    if (!d->relayvm || !*d->relayvm || !d->transport_rpc || !*d->transport_rpc) {
        deny(v, POLICY_REASON_NO_RELAY);
        return;
    }
    put(v->service_text, sizeof(v->service_text), "%s+%s+%s%s", d->transport_rpc,
        v->requested_target, q->service, q->argument ? q->argument : "+");
    v->service = v->service_text;
    v->target = d->relayvm;
    v->user = "DEFAULT";
}

/* "Source equal to target as spelled"; dom0 has no other self to call by whatever spelling. */
static bool same_spelling(const char *a, const char *b)
{
    return eq(a, b) || (oracle_is_dom0(a) && oracle_is_dom0(b));
}

/* From the loopback check on. */
static void carry_out(const world *w, const struct policy_request *q, struct oracle_verdict *v)
{
    const struct policy_domain *d = plain_domain(w, v->target);

    if (!q->just_evaluate && same_spelling(v->source, v->target)) {
        deny(v, POLICY_REASON_LOOPBACK);
        return;
    }
    v->action = POLICY_ALLOW;
    v->reason = POLICY_REASON_NONE;
    if (oracle_is_dom0(v->target)) {
        v->target = "dom0";
        v->policy_source = NULL;
    } else if (!q->just_evaluate && d && eq(d->type, "RemoteVM")) {
        use_relay(d, q, v);
    }
}

static void decide_allow(const world *w, const struct policy_request *q, struct oracle_verdict *v)
{
    enum policy_reason reason;

    v->target = v->rule.redirect ? v->rule.redirect : v->requested_target;
    reason = check_target(w, &v->target);
    if (!reason && eq(v->target, "@default"))
        reason = POLICY_REASON_NO_TARGET;
    if (reason) {
        deny(v, reason);
        return;
    }
    if (eq(v->target, "@dispvm") && !use_default_dispvm(w, v))
        return;
    if (!v->rule.autostart && !oracle_is_dom0(v->target) && !runs(w, v->target)) {
        deny(v, POLICY_REASON_AUTOSTART);
        return;
    }
    carry_out(w, q, v);
}

/* ---- ask ---- */

static void set_remove(struct oracle_verdict *v, const char *x)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (eq(v->choice[i], x)) {
            memmove(v->choice[i], v->choice[i + 1], sizeof(v->choice[0]) * (v->n_choices - i - 1));
            v->n_choices--;
            return;
        }
}

static void set_add(struct oracle_verdict *v, const char *x)
{
    set_remove(v, x);
    if (v->n_choices == ORACLE_CHOICES)
        abort();
    put(v->choice[v->n_choices++], sizeof(v->choice[0]), "%s", x);
}

static bool set_has(const struct oracle_verdict *v, const char *x)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (eq(v->choice[i], x))
            return true;
    return false;
}

static void set_change(struct oracle_verdict *v, bool on, const char *form, const char *x)
{
    char text[sizeof(v->choice[0])];

    put(text, sizeof(text), "%s%s", form, x);
    if (on)
        set_add(v, text);
    else
        set_remove(v, text);
}

/* Tokens that stand for many: each domain, and each template's disposable, is asked. */
static void expand_many(const world *w, struct oracle_verdict *v, const char *token, bool on)
{
    bool any = eq(token, "*") || eq(token, "@anyvm");

    for (size_t i = 0; i < w->n_domains; i++) {
        const struct policy_domain *d = &w->domains[i];
        bool tagged = starts(token, "@dispvm:@tag:") && has_tag(d, token + strlen("@dispvm:@tag:"));

        if (eq(token, "*") || (eq(token, "@anyvm") && !eq(d->name, "dom0")) ||
            (starts(token, "@tag:") && has_tag(d, token + strlen("@tag:"))) ||
            (starts(token, "@type:") && eq(d->type, token + strlen("@type:"))))
            set_change(v, on, "", d->name);
        if ((any || tagged) && d->template_for_dispvms)
            set_change(v, on, "@dispvm:", d->name);
    }
    if (any)
        set_change(v, on, "", "@dispvm");
}

static void expand(const world *w, struct oracle_verdict *v, const char *token, bool on)
{
    if (eq(token, "@default"))
        return;
    if (eq(token, "@dispvm") || eq(token, "@adminvm")) {
        set_change(v, on, "", token);
    } else if (starts(token, "@dispvm:") && !starts(token, "@dispvm:@tag:")) {
        if (is_template(w, token + strlen("@dispvm:")))
            set_change(v, on, "@dispvm:", domain_of(w, token + strlen("@dispvm:"))->name);
    } else if (is_name(token)) {
        if (domain_of(w, token))
            set_change(v, on, "", domain_of(w, token)->name);
    } else {
        expand_many(w, v, token, on);
    }
}

/* "At the end …", in the order of that sentence. */
static void finish_choices(const world *w, struct oracle_verdict *v)
{
    const struct policy_domain *self = domain_of(w, v->source);
    const char *name = default_dispvm(w, v->source);

    /* a default that no domain has expands to nothing */
    if (set_has(v, "@dispvm") && name && domain_of(w, name))
        set_change(v, true, "@dispvm:", name);
    set_remove(v, "@dispvm");
    if (set_has(v, "@adminvm"))
        set_add(v, "dom0");
    set_remove(v, "@adminvm");
    if (self)
        set_remove(v, self->name);
    if (oracle_is_dom0(v->source))
        set_remove(v, "dom0");
    for (size_t i = 0; i < w->n_domains; i++)
        if (w->domains[i].internal) {
            set_change(v, false, "", w->domains[i].name);
            set_change(v, false, "@dispvm:", w->domains[i].name);
        }
}

static void walk(const world *w, const struct policy_request *q, struct oracle_verdict *v)
{
    struct policy_rule_view r;

    for (size_t i = policy_count_rules(w->policy); i-- > 0;) {
        policy_get_rule(w->policy, i, &r);
        if (called_by(&r, q) && matches(w, r.source, v->source, v->source))
            expand(w, v, r.redirect ? r.redirect : r.target, !eq(r.action, "deny"));
    }
    finish_choices(w, v);
}

static void use_default_target(const world *w, struct oracle_verdict *v)
{
    const char *x = v->rule.default_target;

    if (!x)
        return;
    if (oracle_is_dom0(x))
        x = "dom0";
    if (eq(x, "@dispvm") && default_dispvm(w, v->source)) {
        put(v->default_text, sizeof(v->default_text), "@dispvm:%s", default_dispvm(w, v->source));
        x = v->default_text;
    } else if (eq(x, "@dispvm")) {
        return;
    }
    v->default_target = set_has(v, x) ? x : NULL;
}

static int order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void decide_ask(const world *w, const struct policy_request *q, struct oracle_verdict *v)
{
    v->action = POLICY_ASK;
    if (v->rule.redirect)
        set_add(v, oracle_is_dom0(v->rule.redirect) ? "dom0" : v->rule.redirect);
    else
        walk(w, q, v);
    for (size_t i = v->n_choices; !v->rule.autostart && i-- > 0;)
        if (!oracle_is_dom0(v->choice[i]) && !runs(w, v->choice[i]))
            set_remove(v, v->choice[i]);
    qsort(v->choice, v->n_choices, sizeof(v->choice[0]), order);
    if (!v->n_choices)
        deny(v, POLICY_REASON_NO_TARGET);
    else
        use_default_target(w, v);
}

/* ---- The whole ---- */

void oracle_decide(const struct oracle_world *w, const struct policy_request *q,
                   struct oracle_verdict *v)
{
    if (!prepare(w, q, v))
        return;
    for (size_t i = 0; i < policy_count_rules(w->policy); i++) {
        policy_get_rule(w->policy, i, &v->rule);
        if (!called_by(&v->rule, q) || !matches(w, v->rule.source, v->source, v->source) ||
            !matches(w, v->rule.target, v->requested_target, v->source))
            continue;
        v->ruled = true;
        v->rule_place = (uint32_t)i;
        v->notify = v->rule.notify;
        v->autostart = v->rule.autostart;
        v->user = v->rule.user && *v->rule.user ? v->rule.user : "DEFAULT";
        if (eq(v->rule.action, "allow"))
            decide_allow(w, q, v);
        else if (eq(v->rule.action, "ask"))
            decide_ask(w, q, v);
        else
            deny(v, POLICY_REASON_POLICY);
        return;
    }
    deny(v, POLICY_REASON_NO_MATCH);
}

void oracle_answer(const struct oracle_world *w, const struct policy_request *q,
                   const struct oracle_verdict *asked, const char *chosen, struct oracle_verdict *v)
{
    if (!prepare(w, q, v))
        return;
    v->ruled = true;
    v->rule = asked->rule;
    v->rule_place = asked->rule_place;
    v->notify = v->rule.notify;
    v->autostart = v->rule.autostart;
    v->user = asked->user;
    v->target = chosen;
    if (!chosen)
        deny(v, POLICY_REASON_USER);
    else if (!set_has(asked, chosen))
        deny(v, POLICY_REASON_BAD_ANSWER);
    else if (!v->guivm)
        deny(v, POLICY_REASON_NO_GUIVM);
    else if (is_name(chosen) && !oracle_is_dom0(chosen) && !domain_of(w, chosen))
        deny(v, POLICY_REASON_NO_TARGET);
    else if (!eq(chosen, "@dispvm") || use_default_dispvm(w, v))
        carry_out(w, q, v);
}

bool oracle_target_uuid(const struct oracle_world *w, const char *target, char *buf, size_t size)
{
    bool disposable = starts(target, "@dispvm:");
    const char *name = disposable ? target + strlen("@dispvm:") : target;
    const struct policy_domain *d = domain_of(w, name);

    if (!d || !d->uuid || (!disposable && oracle_is_dom0(target)))
        return false;
    put(buf, size, "%suuid:%s", disposable ? "@dispvm:" : "", d->uuid);
    return true;
}
