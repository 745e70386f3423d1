/*
 * A policy and never lines for it: rules, a line "=", and a file of never lines.
 *
 * Whatever is in them, no allow and no choice of an ask is one that a never line forbids: asked of
 * a policy in which each of these lines is a rule that denies. Where the rules are said to keep to
 * the lines by themselves, the lines never have to speak.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 600 /* the check looks at all pairs of rules and more */

static const char *const dirs[] = {"p", NULL};

static struct policy *load(const struct policy_file *files, size_t n)
{
    struct policy_error e = {0};
    struct policy *p = NULL;

    (void)policy_load(&(struct policy_source){dirs, NULL, files, n, true}, &p, &e);
    policy_error_deinit(&e);
    return p;
}

static void add_line(char *to, size_t size, char *words[static 5], size_t n, const char *how)
{
    size_t at = strlen(to);

    if (n == 4 || (n == 5 && strcmp(words[4], how) == 0))
        snprintf(to + at, size - at, "%s %s %s %s deny\n", words[0], words[1], words[2], words[3]);
}

/* The lines that are about that end, as rules. */
static struct policy *as_rules(const char *never, const char *how)
{
    size_t size = 8 * strlen(never) + 8;
    char *text = strdup(never), *rules = calloc(1, size), *rest = text, *line;
    struct policy_file f = {"p/1.policy", rules, 0};
    struct policy *p;

    while (text && rules && (line = strsep(&rest, "\r\n"))) {
        char *words[6] = {NULL}, *word;
        size_t n = 0;

        while (n < 6 && (word = strsep(&line, " \t\v\f\034\035\036\037")))
            if (*word)
                words[n++] = word;
        if (n && words[0][0] != '#')
            add_line(rules, size, words, n, how);
    }
    f.len = rules ? strlen(rules) : 0;
    p = load(&f, 1);
    free(rules);
    free(text);
    return p;
}

static struct policy_domains *world(void)
{
    static const char *const tags[] = {"T"};
    const struct policy_domain domains[] = {
        {.name = "dom0", .type = "AdminVM"},
        {.name = "a", .uuid = "u-a", .type = "AppVM", .default_dispvm = "b", .guivm = "dom0"},
        {.name = "b", .type = "AppVM", .tags = tags, .n_tags = 1, .template_for_dispvms = true},
        {.name = "c", .type = "StandaloneVM", .tags = tags, .n_tags = 1, .guivm = "dom0"}};
    struct policy_domains *d = NULL;

    if (policy_domains_new(0, &d))
        fuzz_fail("no domains");
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        if (policy_domains_add(d, &domains[i]))
            fuzz_fail("no domain");
    return d;
}

/* final: where it ends; a choice @dispvm is one of the source's default disposable. */
static void must_not_match(const struct policy *lines, const struct policy_domains *d,
                           const struct policy_request *q, const char *final)
{
    struct policy_request ends = *q;
    struct policy_verdict v = {0};

    ends.target = final;
    if (!lines || policy_decide(lines, d, &ends, &v))
        return;
    if (v.reason == POLICY_REASON_POLICY && strcmp(v.requested_target, final) == 0)
        fuzz_fail("what may never be is allowed, or offered");
    policy_verdict_deinit(&v);
}

static void decide(const struct policy *p, struct policy *const lines[static 2],
                   const struct policy_domains *d, const struct policy_request *q, bool kept)
{
    struct policy_verdict v = {0};

    if (policy_decide(p, d, q, &v))
        fuzz_fail("no verdict");
    if (kept && v.reason == POLICY_REASON_NEVER)
        fuzz_fail("the rules were said to keep to the never lines by themselves");
    if (v.action == POLICY_ALLOW)
        must_not_match(lines[0], d, q, v.target);
    for (size_t i = 0; i < v.n_choices; i++)
        if (strcmp(v.choices[i], "@dispvm") != 0)
            must_not_match(lines[1], d, q, v.choices[i]);
    policy_verdict_deinit(&v);
}

static void decide_all(const struct policy *p, const char *never, bool kept)
{
    static const char *const sources[] = {"a", "b", "c", "dom0"};
    static const char *const targets[] = {"",     "a",       "b",         "c",
                                          "dom0", "@dispvm", "@dispvm:b", "uuid:u-a"};
    static const char *const arguments[] = {"+", "+x"};
    struct policy *lines[2] = {as_rules(never, "allow"), as_rules(never, "ask")};
    struct policy_domains *d = world();

    for (size_t i = 0; i < 4 * 8 * 2; i++)
        decide(p, lines, d,
               &(struct policy_request){.service = "q.A",
                                        .argument = arguments[i / 32],
                                        .source = sources[i % 4],
                                        .target = targets[i / 4 % 8]},
               kept);
    policy_domains_unref(d);
    policy_unref(lines[0]);
    policy_unref(lines[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *rules = size <= TEXT_MOST ? calloc(1, size + 1) : NULL, *never;
    struct policy_violation v = {0};
    struct policy *p;
    int r;

    if (!rules)
        return 0;
    memcpy(rules, data, size);
    never = strstr(rules, "\n=\n");
    if (never && strlen(rules) == size) {
        struct policy_file files[] = {{"p/1.policy", rules, (size_t)(never + 1 - rules)},
                                      {"p/1.never", never + 3, size - (size_t)(never + 3 - rules)}};

        p = load(files, 2);
        r = p ? policy_check_never(p, NULL, &v) : -1;
        if (r == POLICY_E_NEVER && (!v.text || !v.never_line))
            fuzz_fail("a violation without words or place");
        if (p)
            decide_all(p, never + 3, r == 0);
        policy_violation_deinit(&v);
        policy_unref(p);
    }
    free(rules);
    return 0;
}
