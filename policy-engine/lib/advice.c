/*
 * What to do about a refusal: for the reader who has to make a call work, at midnight.
 *
 * A line is offered only where it helps: it is tried as the only rule of a policy first. Where a
 * property of a domain is in the way, the command that changes it is named instead. The file to
 * put the line into is one that is read before the rule that refused.
 */
#include "policy-engine/lib/advice.h"

#include <strings.h>

#define USER_FILE  "30-user.policy"
#define EARLY_FILE "00-user.policy"

static const char *argument_of(const struct policy_request *q)
{
    return q->argument ? q->argument : "+";
}

static const char *asked_target(const struct policy_request *q)
{
    return q->target && *q->target ? q->target : "@default";
}

void tell_reason(struct text *t, const struct policy_request *q, const struct policy_verdict *v)
{
    const char *source = v->source, *target = asked_target(q);

    switch (v->reason) {
    case POLICY_REASON_NONE: break;
    case POLICY_REASON_POLICY: text_addf(t, "a rule forbids it"); break;
    case POLICY_REASON_NO_MATCH:
        text_addf(t, "no rule is about this call, and what no rule allows is refused");
        break;
    case POLICY_REASON_INVALID_TARGET:
        text_addf(t,
                  "\"%s\" is nothing that a caller can ask for (a name, uuid:UUID, @adminvm, "
                  "@default, @dispvm or @dispvm:TEMPLATE)",
                  target);
        break;
    case POLICY_REASON_INVALID_SOURCE:
        text_addf(t, "%s may not speak for \"%s\" (it must be the relayvm of that RemoteVM)",
                  q->source, q->requested_source ? q->requested_source : q->source);
        break;
    case POLICY_REASON_NOT_DISPVM_TEMPLATE:
        text_addf(t, "%s is no template for disposables",
                  token_rest(span_of(v->target ? v->target : target)).data);
        break;
    case POLICY_REASON_NO_TARGET:
        text_addf(t, "the rule matches, but leaves no domain that could be called");
        break;
    case POLICY_REASON_NO_DISPVM: text_addf(t, "%s has no default_dispvm", source); break;
    case POLICY_REASON_AUTOSTART:
        text_addf(t, "%s is not running, and the rule has autostart=no", v->target);
        break;
    case POLICY_REASON_LOOPBACK:
        text_addf(t, "source and target are the same domain, and none can call itself");
        break;
    case POLICY_REASON_NO_RELAY:
        text_addf(t, "the remote domain %s has no relayvm or no transport_rpc", v->target);
        break;
    case POLICY_REASON_USER: text_addf(t, "the user said no"); break;
    case POLICY_REASON_BAD_ANSWER:
        text_addf(t, "the prompt answered with something that was not offered");
        break;
    case POLICY_REASON_NO_GUIVM:
        text_addf(t, "the user would have to be asked, and %s has no guivm to ask in", source);
        break;
    case POLICY_REASON_REGEX_LIMIT:
        text_addf(t, "the rule's expression took too long for this argument");
        break;
    case POLICY_REASON_NEVER:
        text_addf(t,
                  "%s:%u says that this may never be, whatever a rule allows; if it may, change "
                  "that line first",
                  v->rule_file, v->rule_line);
        break;
    }
}

/* ---- Similar names ---- */

#define NAME_LONG 64

size_t name_distance(const char *a, const char *b)
{
    size_t row[NAME_LONG + 1], n = strlen(a), m = strlen(b);

    if (n > NAME_LONG || m > NAME_LONG || n > m + 2 || m > n + 2)
        return 3;
    for (size_t k = 0; k <= m; k++)
        row[k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t change = corner + (a[i - 1] != b[k - 1]);

            corner = row[k];
            row[k] = row[k] + 1 < change ? row[k] + 1 : change;
            row[k] = row[k - 1] + 1 < row[k] ? row[k - 1] + 1 : row[k];
        }
    }
    return row[m] < 3 ? row[m] : 3;
}

const char *similar_domain(const struct policy_domains *d, const char *name)
{
    size_t best = strlen(name) < 4 ? 2 : 3; /* of short names, one edit only */
    const char *found = NULL;

    for (size_t i = 0; i < d->n; i++) {
        size_t n = name_distance(name, d->list[i].name);

        if (n < best) {
            best = n;
            found = d->list[i].name;
        }
    }
    return found;
}

/* A service that rules name, where none names this one but one of nearly that name; or NULL. */
static const char *similar_service(const struct policy *p, const char *service)
{
    size_t best = strlen(service) < 8 ? 2 : 3;
    const char *found = NULL;

    for (size_t i = 0; i < p->n; i++) {
        const char *named = rule_text(p, p->rules[i].service);
        size_t n = strcasecmp(named, service) == 0 ? 1 : name_distance(named, service);

        if (strcmp(named, service) == 0)
            return NULL;
        if (n < best && p->rules[i].service != NAME_ANY) {
            best = n;
            found = named;
        }
    }
    return found;
}

/* ---- A line that helps ---- */

/* The line for exactly this request. DOMAIN stands for what only the user can know. */
static void add_line(struct text *t, const struct policy_request *q, const struct policy_verdict *v)
{
    text_addf(t, "%s %s %s %s allow%s", q->service, argument_of(q), v->source, v->requested_target,
              strcmp(v->requested_target, "@default") == 0 ? " target=DOMAIN" : "");
}

/* What the request gets if this line is the whole policy. POLICY_E_INVALID: it does not load. */
static int try_line(const char *line, const struct policy_domains *d,
                    const struct policy_request *q, struct policy_verdict *ret)
{
    static const char *const dirs[] = {"try", NULL};
    const struct policy_file file = {.path = "try/a.policy", .content = line, .len = strlen(line)};
    struct policy_source source = {.dirs = dirs, .files = &file, .n_files = 1, .files_only = true};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_error e = {0};
    struct policy_verdict v = {0};
    int r = policy_load(&source, &p, &e);

    policy_error_deinit(&e);
    if (!r)
        r = policy_decide(p, d, q, &v);
    if (r)
        return r;
    *ret = (struct policy_verdict){.action = v.action, .reason = v.reason};
    policy_verdict_deinit(&v);
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The path of a file of a policy directory: where it is read from, else where it would be. */
static void tell_path(struct text *t, const struct policy *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        const char *top = rule_text(p, p->rules[i].top);

        if (strcmp(base_name(top), name) == 0) {
            text_addf(t, "%s", top);
            return;
        }
    }
    text_addf(t, "%s/%s", rule_text(p, p->dir), name);
}

/* Where the line must stand to come before the rule that decided. */
static void tell_place(struct text *t, const struct policy *p, const struct policy_verdict *v)
{
    const char *top = NULL, *file = USER_FILE;

    if (v->rule != POLICY_NO_RULE) {
        top = base_name(rule_text(p, p->rules[v->rule].top));
        file = strcmp(USER_FILE, top) <= 0    ? USER_FILE
               : strcmp(EARLY_FILE, top) <= 0 ? EARLY_FILE
                                              : NULL;
    }
    text_addf(t, "To allow just this call, %s",
              !top   ? "add this line to "
              : file ? "put this line at the top of "
                     : "put this line ");
    if (file)
        tell_path(t, p, file);
    if (file && strcmp(file, EARLY_FILE) == 0)
        text_addf(t, " (it must be read before %s):\n", top);
    else if (file)
        text_addf(t, ":\n");
    else
        text_addf(t, "above line %u of %s:\n", v->rule_line, v->rule_file);
}

static bool is_about_policy(enum policy_reason reason)
{
    return reason == POLICY_REASON_POLICY || reason == POLICY_REASON_NO_MATCH ||
           reason == POLICY_REASON_NO_TARGET || reason == POLICY_REASON_REGEX_LIMIT;
}

/* What else is in the way, or would be once a line allows the call. */
static void tell_remedy(struct text *t, const struct policy_request *q,
                        const struct policy_verdict *v, enum policy_reason reason)
{
    const char *target = v->target ? v->target : asked_target(q);

    switch (reason) {
    case POLICY_REASON_NOT_DISPVM_TEMPLATE:
        text_addf(t,
                  "Name a template for disposables (qvm-ls --fields name,template_for_dispvms), or "
                  "make it one:\n  qvm-prefs %s template_for_dispvms True\n",
                  token_rest(span_of(target)).data);
        break;
    case POLICY_REASON_NO_DISPVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s default_dispvm TEMPLATE\n", v->source);
        break;
    case POLICY_REASON_AUTOSTART:
        text_addf(t, "Start it, or remove autostart=no from %s:%u:\n  qvm-start %s\n", v->rule_file,
                  v->rule_line, target);
        break;
    case POLICY_REASON_NO_RELAY:
        text_addf(t,
                  "Give it both:\n  qvm-prefs %s relayvm VM\n  qvm-prefs %s transport_rpc "
                  "SERVICE\n",
                  target, target);
        break;
    case POLICY_REASON_NO_GUIVM:
        text_addf(t, "Give it one:\n  qvm-prefs %s guivm dom0\n", v->source);
        break;
    case POLICY_REASON_INVALID_SOURCE:
        text_addf(t, "If %s is a remote domain that %s speaks for:\n  qvm-prefs %s relayvm %s\n",
                  q->requested_source, q->source, q->requested_source, q->source);
        break;
    case POLICY_REASON_INVALID_TARGET:
        text_addf(t, "No line of policy changes that: the caller has to ask for one of these.\n");
        break;
    case POLICY_REASON_LOOPBACK: text_addf(t, "No line of policy changes that.\n"); break;
    default: break;
    }
}

static void tell_unknown(struct text *t, const struct policy_domains *d, const char *name)
{
    const char *similar = similar_domain(d, name);

    if (similar)
        text_addf(t, "There is no domain \"%s\". Is \"%s\" meant?\n", name, similar);
    else
        text_addf(t, "There is no domain \"%s\" (qvm-ls lists those that exist).\n", name);
}

/* True: the source, or the target that was asked for, does not exist: that is to mend first. */
static bool tell_misspelt(struct text *t, const struct policy_domains *d,
                          const struct policy_request *q)
{
    struct span asked = span_of(asked_target(q));
    enum token_kind kind = token_kind(asked);
    const char *name = token_rest(asked).data;

    if (!policy_domains_find(d, q->source)) {
        tell_unknown(t, d, q->source);
        return true;
    }
    if ((kind != TOKEN_NAME && kind != TOKEN_DISPVM_NAME) || policy_domains_find(d, name))
        return false;
    tell_unknown(t, d, name);
    return true;
}

/* True: the rule sends the call to a domain that does not exist. */
static bool tell_lost(struct text *t, const struct policy *p, const struct policy_domains *d,
                      const struct policy_verdict *v)
{
    const char *redirect =
        v->rule == POLICY_NO_RULE ? NULL : rule_text(p, p->rules[v->rule].redirect);
    const char *name = redirect ? token_rest(span_of(redirect)).data : NULL;

    if (v->reason != POLICY_REASON_NO_TARGET || !name || name[0] == '@' ||
        policy_domains_find(d, name))
        return false;
    text_addf(t, "Mend target=%s in %s:%u. ", redirect, v->rule_file, v->rule_line);
    tell_unknown(t, d, name);
    return true;
}

static void tell_service(struct text *t, const struct policy *p, const struct policy_request *q)
{
    const char *similar = similar_service(p, q->service);

    if (similar)
        text_addf(t, "No rule names the service %s. Is %s meant?\n", q->service, similar);
}

int tell_advice(struct text *t, const struct policy *p, const struct policy_domains *d,
                const struct policy_request *q, const struct policy_verdict *v)
{
    _cleanup_(text_deinit) struct text line = {0};
    struct policy_verdict tried = {.action = POLICY_ALLOW};
    int r;

    if (v->action == POLICY_ASK && !v->guivm)
        tell_remedy(t, q, v, POLICY_REASON_NO_GUIVM);
    if (v->action != POLICY_DENY)
        return 0;
    if (tell_misspelt(t, d, q) || tell_lost(t, p, d, v))
        return 0;
    if (!is_about_policy(v->reason) || !v->requested_target) {
        tell_remedy(t, q, v, v->reason);
        return 0;
    }
    add_line(&line, q, v);
    if (line.failed)
        return -ENOMEM;
    r = strstr(line.data, "target=DOMAIN") ? 0 : try_line(line.data, d, q, &tried);
    if (r < 0)
        return r;
    if (r || tried.reason == POLICY_REASON_LOOPBACK) {
        text_addf(t, r ? "No line can name this service.\n"
                       : "No line of policy helps: a domain cannot call itself.\n");
        return 0;
    }
    tell_service(t, p, q);
    tell_place(t, p, v);
    text_addf(t, "  %s\n", line.data);
    if (strstr(line.data, "target=DOMAIN"))
        text_addf(t, "with the domain that is to answer in the place of DOMAIN.\n");
    if (tried.action == POLICY_DENY) {
        struct policy_verdict then = *v;

        then.reason = tried.reason;
        text_addf(t, "Then this is still in the way: ");
        tell_reason(t, q, &then);
        text_addf(t, ".\n");
        tell_remedy(t, q, &then, tried.reason);
    }
    return 0;
}
