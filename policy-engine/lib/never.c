/* Never lines [ext]: reading one, and the last word on a decision. */
#include "policy-engine/lib/never.h"
#include "policy-engine/lib/lines.h"

static int invalid(const struct text *why)
{
    return why->failed ? -ENOMEM : POLICY_E_INVALID;
}

static bool service_is_good(struct span service, struct span argument, struct text *why)
{
    bool any = span_equal(service, SPAN("*")), any_argument = span_equal(argument, SPAN("*"));

    if (!any && !service_is_valid(service))
        text_addf(why, "bad service \"%.*s\" (letters, digits and -._, or *)", SPAN_FMT(service));
    else if (any && !any_argument)
        text_addf(why, "service * goes with argument * only");
    else if (!any_argument && !argument_is_valid(argument))
        text_addf(why, "bad argument \"%.*s\" (*, or + and letters, digits and -._+)",
                  SPAN_FMT(argument));
    else
        return true;
    return false;
}

static bool token_is_good(struct span word, enum token_place place, enum token_kind *ret,
                          struct text *why)
{
    *ret = token_kind(word);
    if (!token_allowed(*ret, place))
        token_complain(why, word, place);
    return token_allowed(*ret, place);
}

static bool end_is_good(struct span line, struct never *ret, struct text *why)
{
    struct span word = {0}, more;
    bool any = !word_next(&line, &word);

    ret->allow = any || span_equal(word, SPAN("allow"));
    ret->ask = any || span_equal(word, SPAN("ask"));
    if (!ret->allow && !ret->ask)
        text_addf(why, "unknown word \"%.*s\" (allow, ask, or nothing for both)", SPAN_FMT(word));
    else if (word_next(&line, &more))
        text_addf(why, "nothing may follow \"%.*s\"", SPAN_FMT(word));
    else
        return true;
    return false;
}

int never_parse(struct names *names, struct span line, struct never *ret, struct text *why)
{
    struct never n = {.text = NAME_NONE, .file = NAME_NONE};
    struct span word[4];
    int r;

    for (size_t i = 0; i < 4; i++)
        if (!word_next(&line, &word[i])) {
            text_addf(why, "too few fields (SERVICE|* +ARGUMENT|* SOURCE TARGET [allow|ask])");
            return invalid(why);
        }
    if (!service_is_good(word[0], word[1], why) ||
        !token_is_good(word[2], TOKEN_SOURCE, &n.source_kind, why) ||
        !token_is_good(word[3], TOKEN_TARGET, &n.target_kind, why) || !end_is_good(line, &n, why))
        return invalid(why);
    r = names_add(names, word[0], &n.service);
    if (!r)
        r = names_add(names, word[1], &n.argument);
    if (!r)
        r = names_add(names, token_canonical(word[2]), &n.source);
    if (!r)
        r = names_add(names, token_canonical(word[3]), &n.target);
    if (r)
        return r;
    *ret = n;
    return 0;
}

static bool is_about(const struct match *m, const struct never *n, enum policy_action how)
{
    return (how == POLICY_ASK ? n->ask : n->allow) &&
           (n->service == NAME_ANY || n->service == m->service) &&
           (n->argument == NAME_ANY || n->argument == m->argument) &&
           match_token(m, n->source_kind, n->source, &m->source);
}

static const struct never *find(const struct match *m, const char *target, enum policy_action how)
{
    struct subject s = subject_of(m->domains, is_dom0(span_of(target)) ? "dom0" : target);

    for (size_t i = 0; i < m->policy->n_nevers; i++) {
        const struct never *n = &m->policy->nevers[i];

        if (is_about(m, n, how) && match_token(m, n->target_kind, n->target, &s))
            return n;
    }
    return NULL;
}

static void deny(const struct match *m, const struct never *n, struct policy_verdict *v)
{
    policy_verdict_deny(v, POLICY_REASON_NEVER);
    v->rule_file = rule_text(m->policy, n->file);
    v->rule_line = n->line;
}

bool never_forbids(const struct match *m, const char *target, enum policy_action how,
                   struct policy_verdict *v)
{
    const struct never *n = m->policy->n_nevers ? find(m, target, how) : NULL;

    if (n)
        deny(m, n, v);
    return n != NULL;
}

/* What names no domain leads nowhere; should it lead somewhere by the time of the answer, that is
 * checked too. */
static bool leads_nowhere(const struct match *m, const char *choice)
{
    struct subject s = subject_of(m->domains, choice);

    return !s.domain && s.kind != TOKEN_ADMINVM;
}

/* A choice @dispvm (of target=@dispvm) ends at the source's default disposable, or nowhere. */
static int find_choice(const struct match *m, const char *choice, const struct never **ret)
{
    _cleanup_(text_deinit) struct text t = {0};

    *ret = NULL;
    if (strcmp(choice, "@dispvm") == 0) {
        if (!m->default_dispvm)
            return 0;
        text_addf(&t, "@dispvm:%s", m->default_dispvm);
        if (t.failed)
            return -ENOMEM;
        choice = t.data;
    } else if (leads_nowhere(m, choice)) {
        return 0;
    }
    *ret = find(m, choice, POLICY_ASK);
    return 0;
}

int never_filter(const struct match *m, struct policy_verdict *v)
{
    const struct never *first = NULL, *found;
    size_t n = 0, total = m->policy->n_nevers ? v->n_choices : 0;
    int r = 0;

    for (size_t i = 0; i < total; i++) {
        char *choice = v->choices[i];

        found = NULL;
        if (!r)
            r = find_choice(m, choice, &found);
        if (!found) {
            v->choices[n++] = choice;
            continue;
        }
        first = first ? first : found;
    }
    if (total)
        v->n_choices = n;
    if (first && !n)
        deny(m, first, v);
    return r;
}
