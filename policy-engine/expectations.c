/* Files of expected verdicts: see expectations.h. */
#include "policy-engine/expectations.h"

#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

#include <errno.h>
#include <stdio.h>

#define FORM  "allow|ask|deny SERVICE[+ARG] SOURCE TARGET [-> FINAL]"
#define WORDS 6

static const char *const actions[] = {
    [POLICY_DENY] = "deny", [POLICY_ALLOW] = "allow", [POLICY_ASK] = "ask"};

static void expectation_deinit(struct expectation *e)
{
    free(e->text);
    free(e->argument);
    free(e->owned);
    *e = (struct expectation){0};
}

void expectations_deinit(struct expectations *e)
{
    for (size_t i = 0; i < e->n; i++)
        expectation_deinit(&e->list[i]);
    free(e->list);
    *e = (struct expectations){0};
}

/* The line's words; more than there may be count as one too many. */
static size_t split(char *line, char *word[static WORDS + 1])
{
    size_t n = 0;
    char *w;

    while (n <= WORDS && (w = strsep(&line, " \t\r\n\f\v")))
        if (*w)
            word[n++] = w;
    return n;
}

static char *join(char *const *word, size_t n)
{
    char *text = strdup(word[0]);

    for (size_t i = 1; text && i < n; i++) {
        char *longer = format_new("%s %s", text, word[i]);

        free(text);
        text = longer;
    }
    return text;
}

static bool action_of(const char *word, enum policy_action *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (str_equal(actions[i], word)) {
            *ret = (enum policy_action)i;
            return true;
        }
    return false;
}

/* NULL: fine. */
static const char *fault(char *const *word, size_t n, enum policy_action *ret)
{
    if (!action_of(word[0], ret))
        return "an expectation begins with allow, ask or deny";
    if (n != 4 && n != 6)
        return "wrong number of words; the form is " FORM;
    if (n == 6 && !str_equal(word[4], "->"))
        return "-> and the final target, or nothing, may stand behind the target";
    if (n == 6 && *ret == POLICY_DENY)
        return "a call that is denied has no final target";
    return word[1][0] == '+' ? "no service before the +" : NULL;
}

/* 0 or -ENOMEM; *ret_fault says what is wrong with the line. */
static int parse(const char *line, struct expectation *ret, const char **ret_fault)
{
    struct expectation e = {.owned = strdup(line)};
    char *word[WORDS + 1] = {NULL};
    size_t n;

    if (!e.owned)
        return -ENOMEM;
    n = split(e.owned, word);
    *ret_fault = fault(word, n, &e.action);
    if (*ret_fault) {
        expectation_deinit(&e);
        return 0;
    }
    e.text = join(word, n);
    if (!e.text || !cli_split_service(word[1], &e.argument)) {
        expectation_deinit(&e);
        return -ENOMEM;
    }
    e.service = word[1];
    e.source = word[2];
    e.target = word[3];
    e.final = n == 6 ? word[5] : NULL;
    *ret = e;
    return 0;
}

static bool is_empty(const char *line)
{
    line += strspn(line, " \t\r\n\f\v");
    return !*line || *line == '#';
}

static int add(struct expectations *e, const char *line, unsigned number, const char **ret_fault)
{
    struct expectation one;
    int r;

    if (is_empty(line))
        return 0;
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 32;
        struct expectation *list = reallocarray(e->list, cap, sizeof(*list));

        if (!list)
            return -ENOMEM;
        e->list = list;
        e->cap = cap;
    }
    r = parse(line, &one, ret_fault);
    if (r || *ret_fault)
        return r;
    one.line = number;
    e->list[e->n++] = one;
    return 0;
}

static int read_lines(FILE *f, struct expectations *e, unsigned *ret_line, const char **ret_fault)
{
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int r = 0;

    while (!r && !*ret_fault && (n = getline(&line, &size, f)) >= 0) {
        ++*ret_line;
        if (strlen(line) != (size_t)n)
            *ret_fault = "a NUL byte in the text";
        else
            r = add(e, line, *ret_line, ret_fault);
    }
    if (!r && ferror(f))
        r = -EIO;
    if (!r && !*ret_fault && !e->n)
        *ret_fault = "there is no test in this file";
    return r;
}

int expectations_read(const char *path, struct expectations *ret, char **reterr)
{
    bool is_stdin = str_equal(path, "-");
    struct expectations e = {.file = path};
    const char *wrong = NULL;
    unsigned line = 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    int r = f ? read_lines(f, &e, &line, &wrong) : -errno;

    if (f && !is_stdin)
        fclose(f);
    if (wrong) {
        *reterr = format_new("%s:%u: %s", path, line ? line : 1, wrong);
        r = *reterr ? 1 : -ENOMEM;
    }
    if (r) {
        expectations_deinit(&e);
        return r;
    }
    *ret = e;
    return 0;
}

/* The domain that a word of a call means must exist; words like @default mean none. */
static bool is_known(const struct policy_domains *d, const char *word)
{
    if (str_starts(word, "@dispvm:"))
        word += strlen("@dispvm:");
    return word[0] == '@' || policy_domains_find(d, word);
}

int expectations_check(const struct expectations *e, const struct policy_domains *d, char **reterr)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct expectation *x = &e->list[i];
        const char *unknown = !policy_domains_find(d, x->source)   ? x->source
                              : !is_known(d, x->target)            ? x->target
                              : x->final && !is_known(d, x->final) ? x->final
                                                                   : NULL;

        if (!unknown)
            continue;
        *reterr = format_new("%s:%u: there is no domain \"%s\", so this line tests nothing",
                             e->file, x->line, unknown);
        return *reterr ? 1 : -ENOMEM;
    }
    return 0;
}

int expectation_decide(const struct expectation *e, const struct policy *p,
                       const struct policy_domains *d, struct policy_verdict *ret)
{
    struct policy_request q = {
        .service = e->service, .argument = e->argument, .source = e->source, .target = e->target};

    return policy_decide(p, d, &q, ret);
}

/* "denied (policy)", "allowed to work", "asks among a, b". NULL: no memory. */
static char *verdict_words(const struct policy_verdict *v)
{
    char *text;

    if (v->action == POLICY_DENY)
        return format_new("denied (%s)", policy_reason_text(v->reason));
    if (v->action == POLICY_ALLOW)
        return format_new("allowed to %s", v->target);
    text = strdup("asks among");
    for (size_t i = 0; text && i < v->n_choices; i++) {
        char *longer = format_new("%s %s", text, v->choices[i]);

        free(text);
        text = longer;
    }
    return text;
}

static bool is_offered(const struct policy_verdict *v, const char *final)
{
    for (size_t i = 0; i < v->n_choices; i++)
        if (str_equal(v->choices[i], final))
            return true;
    return false;
}

char *expectation_differs(const struct expectation *e, const struct policy_verdict *v,
                          int *ret_error)
{
    bool same = e->action == v->action;
    char *text;

    if (same && e->final)
        same = v->action == POLICY_ALLOW ? str_equal(v->target, e->final) : is_offered(v, e->final);
    *ret_error = 0;
    if (same)
        return NULL;
    text = verdict_words(v);
    *ret_error = text ? 0 : -ENOMEM;
    return text;
}
