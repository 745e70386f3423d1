/*
 * The line of policy for a request that was refused, and the place where it must stand.
 *
 * It stands at the top level, where every file has five columns, before the rule that refused. No
 * line is offered untried: it is put in its place among the rules, and has to load, to keep to the
 * never lines in every world, and to let this request pass.
 */
#include "policy-engine/lib/advice-parts.h"
#include "policy-engine/lib/never.h"

#define USER_FILE  "30-user.policy"
#define EARLY_FILE "00-user.policy"

/* ---- The place ---- */

struct place {
    const char *name; /* of a file in a policy directory */
    unsigned line;    /* above this one; 0: at the top, or at the end where no rule decided */
    size_t before;    /* so many rules are read before it */
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char *top_of(const struct policy *p, size_t rule)
{
    return base_name(rule_text(p, p->rules[rule].top));
}

static size_t rules_before(const struct policy *p, const char *name, bool with_its_own)
{
    size_t n = 0;

    while (n < p->n && strcmp(top_of(p, n), name) < (with_its_own ? 1 : 0))
        n++;
    return n;
}

static struct place find_place(const struct advice *a)
{
    const struct policy *p = a->policy;
    const struct rule *rule = deciding_rule(a);
    struct place place = {.name = USER_FILE};
    const char *top;

    if (!rule) {
        place.before = rules_before(p, place.name, true);
        return place;
    }
    top = top_of(p, a->verdict->rule);
    if (strcmp(top, USER_FILE) < 0)
        place.name = strcmp(top, EARLY_FILE) < 0 ? top : EARLY_FILE;
    if (place.name == top && rule->file == rule->top)
        place.line = rule->line;
    place.before = place.line ? a->verdict->rule : rules_before(p, place.name, false);
    return place;
}

/* In a folder below the policy's, or with rules, of which none was found under its own name. */
static bool is_included(const struct policy *p, uint32_t path)
{
    struct span dir = names_span(&p->names, p->dir), s = names_span(&p->names, path);

    if (span_starts(s, dir) && s.data[dir.len] == '/' && strchr(s.data + dir.len + 1, '/'))
        return true;
    for (size_t i = 0; i < p->n; i++)
        if (p->rules[i].file == path)
            return true;
    return false;
}

/* Where a file without rules was read from, which is known by the path alone; or NULL. */
static const char *find_bare(const struct policy *p, const char *name)
{
    for (uint32_t i = 0; i < p->names.n; i++) {
        const char *path = names_text(&p->names, i);

        if (strchr(path, '/') && strcmp(base_name(path), name) == 0 && !is_included(p, i))
            return path;
    }
    return NULL;
}

static bool has_rules(const struct policy *p, const char *name)
{
    return rules_before(p, name, false) < rules_before(p, name, true);
}

/* The path of a file of a policy directory: where it is read from, else where it would be. */
static void tell_path(const struct advice *a, const char *name)
{
    const struct policy *p = a->policy;
    const char *path = has_rules(p, name) ? rule_text(p, p->rules[rules_before(p, name, false)].top)
                                          : find_bare(p, name);

    if (path)
        text_addf(a->text, "%s", path);
    else
        text_addf(a->text, "%s/%s", rule_text(p, p->dir), name);
}

static void tell_place(const struct advice *a, const struct place *place)
{
    const struct rule *rule = deciding_rule(a);
    const char *top = rule ? top_of(a->policy, a->verdict->rule) : NULL;

    if (!rule)
        text_addf(a->text, "add this line to %s",
                  has_rules(a->policy, place->name) ? "the end of " : "");
    else if (place->line)
        text_addf(a->text, "put this line above line %u of ", place->line);
    else
        text_addf(a->text, "put this line at the top of ");
    tell_path(a, place->name);
    if (top && strcmp(place->name, EARLY_FILE) == 0 && strcmp(top, EARLY_FILE) != 0)
        text_addf(a->text, " (it must be read before %s)", top);
    text_addf(a->text, ":\n");
}

/* ---- The line, tried ---- */

struct trial {
    enum policy_action action;
    struct text line;
    bool loads;
    const struct never *never;     /* what forbids it, or NULL */
    bool by_others;                /* for what another rule makes of it */
    const struct never *only_asks; /* what forbids an allow, where this is an ask; or NULL */
    enum policy_reason reason;     /* what is in the way even with the line */
};

static void trial_deinit(struct trial *t)
{
    text_deinit(&t->line);
}

static const char *argument_of(const struct policy_request *q)
{
    return q->argument ? q->argument : "+";
}

static bool names_argument(const struct policy_request *q)
{
    return argument_is_valid(span_of(argument_of(q)));
}

static bool is_without_target(const struct advice *a)
{
    return strcmp(a->verdict->requested_target, "@default") == 0;
}

/*
 * The line for exactly this request; an ask offers exactly what was asked for. DOMAIN stands for
 * what only the user can know.
 */
static void add_line(struct text *t, const struct advice *a, enum policy_action action)
{
    const struct policy_request *q = a->request;
    const char *target = a->verdict->requested_target;

    text_addf(t, "%s %s %s %s %s", q->service, names_argument(q) ? argument_of(q) : "*",
              a->verdict->source, target, action == POLICY_ASK ? "ask" : "allow");
    if (is_without_target(a))
        text_addf(t, " target=DOMAIN");
    else if (action == POLICY_ASK)
        text_addf(t, " target=%s", target);
}

static void add_rules(struct text *t, const struct policy *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        text_addf(t, "%s %s %s %s %s", v.service, v.argument, v.source, v.target, v.action);
        if (v.redirect)
            text_addf(t, " target=%s", v.redirect);
        text_addf(t, v.autostart ? "\n" : " autostart=no\n");
    }
}

#define LINE_FILE "try/b.policy"

static int load_texts(const struct text *before, const struct text *line, const struct text *after,
                      const struct text *nevers, struct policy **ret)
{
    static const char *const dirs[] = {"try", NULL};
    const struct policy_file files[] = {
        {.path = "try/a.policy", .content = before->data, .len = before->len}, /* NULL: no file */
        {.path = LINE_FILE, .content = line->data, .len = line->len},
        {.path = "try/c.policy", .content = after->data, .len = after->len},
        {.path = "try/a.never", .content = nevers->data, .len = nevers->len},
    };
    const struct policy_source source = {
        .dirs = dirs, .files = files, .n_files = 4, .files_only = true};

    return policy_load(&source, ret, NULL);
}

/* The other rules count only for what never lines are about: none of them decides this request
 * before the line does. */
static int load_trial(const struct advice *a, const struct place *place, const struct trial *t,
                      struct policy **ret)
{
    _cleanup_(text_deinit) struct text before = {0}, after = {0}, nevers = {0};
    const struct policy *p = a->policy;

    for (size_t i = 0; i < p->n_nevers; i++)
        text_addf(&nevers, "%s\n", rule_text(p, p->nevers[i].text));
    if (p->n_nevers) {
        add_rules(&before, p, 0, place->before);
        add_rules(&after, p, place->before, p->n);
    }
    if (before.failed || after.failed || nevers.failed)
        return -ENOMEM;
    return load_texts(&before, &t->line, &after, &nevers, ret);
}

/* What forbids the line; not what the rules break without it, for that is told apart from this. */
static int find_never(const struct advice *a, const struct policy *trial, struct trial *t)
{
    _cleanup_(policy_violation_deinit) struct policy_violation v = {0}, before = {0};
    int r = policy_check_never(trial, NULL, &v);

    if (r <= 0)
        return r;
    t->by_others = strcmp(v.rule_file, LINE_FILE) != 0;
    r = t->by_others ? policy_check_never(a->policy, NULL, &before) : 0;
    if (!r)
        t->never = &a->policy->nevers[v.never_line - 1];
    return r < 0 ? r : 0;
}

/* What the request gets, and if the user is asked: what a yes gets. */
static int decide_trial(const struct advice *a, const struct policy *p, struct trial *t)
{
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0}, answered = {0};
    int r = policy_decide(p, a->domains, a->request, &v);

    t->reason = v.reason;
    if (!r && v.reason == POLICY_REASON_NEVER)
        t->never = &a->policy->nevers[v.rule_line - 1];
    if (!r && v.action == POLICY_ASK) {
        r = policy_answer_ask(p, a->domains, a->request, &v, v.choices[0], &answered);
        t->reason = answered.reason;
    }
    if (is_without_target(a) && t->reason == POLICY_REASON_NO_TARGET)
        t->reason = POLICY_REASON_NONE; /* DOMAIN is to be replaced */
    return r;
}

static int try_line(const struct advice *a, const struct place *place, struct trial *t)
{
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    int r;

    t->never = NULL;
    t->by_others = false;
    text_clear(&t->line);
    add_line(&t->line, a, t->action);
    r = t->line.failed ? -ENOMEM : load_trial(a, place, t, &p);
    t->loads = !r;
    if (r)
        return r < 0 ? r : 0;
    r = decide_trial(a, p, t);
    return r || t->never ? r : find_never(a, p, t);
}

/* An ask stays one; and where no line may allow, one may perhaps ask. */
static int try_lines(const struct advice *a, const struct place *place, struct trial *t)
{
    const struct rule *rule = deciding_rule(a);
    int r;

    t->action = rule && rule->action == POLICY_ASK ? POLICY_ASK : POLICY_ALLOW;
    r = try_line(a, place, t);
    if (r || t->action == POLICY_ASK || !t->never || t->never->ask || t->by_others)
        return r;
    t->only_asks = t->never;
    t->action = POLICY_ASK;
    return try_line(a, place, t);
}

/* ---- Told ---- */

static void tell_never(const struct advice *a, const struct never *n, const char *what)
{
    const struct policy *p = a->policy;

    text_addf(a->text, "%s:%u says that %s: %s\n", rule_text(p, n->file), n->line, what,
              rule_text(p, n->text));
}

static void tell_forbidden(const struct advice *a, const struct trial *t)
{
    if (t->by_others)
        text_addf(a->text, "With a line for this call, another rule would ask for too much: ");
    tell_never(a, t->never, "this may never be, whatever a rule allows");
    text_addf(a->text, "No rule can allow this call while that line is there; if it may be, change "
                       "that line first.\n");
}

/* True: there is no line to offer, and it is told why. */
static bool tell_hopeless(const struct advice *a, const struct trial *t)
{
    const char *service = a->request->service;

    if (!service_is_valid(span_of(service)))
        text_addf(a->text,
                  "No line can name the service %s (only letters, digits and -._ may stand in "
                  "one).\n",
                  service);
    else if (!t->loads)
        text_addf(a->text, "No line can name this call.\n");
    else if (t->never)
        tell_forbidden(a, t);
    else if (t->reason == POLICY_REASON_LOOPBACK)
        text_addf(a->text, "No line of policy helps: a domain cannot call itself.\n");
    else
        return false;
    return true;
}

static void tell_intent(const struct advice *a, const struct trial *t)
{
    const struct policy_request *q = a->request;
    const char *similar = similar_service(a->policy, q->service);
    bool ask = t->action == POLICY_ASK;

    if (similar)
        text_addf(a->text, "No rule names the service %s. Is %s meant?\n", q->service, similar);
    if (t->only_asks)
        tell_never(a, t->only_asks, "no rule may allow this without a question");
    if (names_argument(q)) {
        text_addf(a->text, ask ? "To have the user asked about just this call, "
                               : "To allow just this call, ");
        return;
    }
    text_addf(a->text,
              "No line can name the argument %s (only letters, digits and -._+ may stand in one), "
              "but * stands for any.\nTo %s this service with any argument, ",
              argument_of(q), ask ? "have the user asked about" : "allow");
}

static void tell_rest(const struct advice *a, enum policy_reason reason)
{
    struct policy_verdict then = *a->verdict;

    then.reason = reason;
    then.target = asked_target(a->request);
    text_addf(a->text, "Then this is still in the way: ");
    tell_reason(a->text, a->request, &then);
    text_addf(a->text, ".\n");
    tell_remedy(a, &then);
}

int tell_line(const struct advice *a)
{
    _cleanup_(trial_deinit) struct trial t = {0};
    struct place place = find_place(a);
    int r = try_lines(a, &place, &t);

    if (r || tell_hopeless(a, &t))
        return r;
    tell_intent(a, &t);
    tell_place(a, &place);
    text_addf(a->text, "  %s\n", t.line.data);
    if (is_without_target(a))
        text_addf(a->text, "with the domain that is to answer in the place of DOMAIN%s.\n",
                  a->policy->n_nevers ? " (one that no never line forbids)" : "");
    if (t.reason)
        tell_rest(a, t.reason);
    return 0;
}
