/* The policy as a whole: see policy-check.h. */
#include "rpc-services/dom0/policy-check.h"

#include "policy-engine/lib/policy.h"

#include <errno.h>

#define SPELLINGS_MAX 64 /* of one file in one policy */

/* A source with one file replaced, under each of its spellings. */
struct changed {
    struct policy_source source;
    const char *dirs[3];
    struct policy_file files[SPELLINGS_MAX];
    char *owned[SPELLINGS_MAX];
    size_t n;
};

static void changed_deinit(struct changed *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->owned[i]);
}

static void source_of(const struct policy_store *s, bool with_run, const char *dirs[static 3],
                      struct policy_source *ret)
{
    size_t n = 0;

    if (with_run && *s->run_dir)
        dirs[n++] = s->run_dir;
    dirs[n++] = s->dir;
    dirs[n] = NULL;
    *ret = (struct policy_source){.dirs = dirs, .legacy_dir = s->legacy_dir};
}

static int add_spelling(struct changed *c, const char *path, const char *content, size_t len)
{
    if (c->n == SPELLINGS_MAX)
        return -E2BIG;
    c->owned[c->n] = strdup(path);
    if (!c->owned[c->n])
        return -ENOMEM;
    c->files[c->n] = (struct policy_file){c->owned[c->n], content, len};
    c->source.n_files = ++c->n;
    return 0;
}

static bool has_spelling(const struct changed *c, const char *path)
{
    for (size_t i = 0; i < c->n; i++)
        if (str_equal(c->owned[i], path))
            return true;
    return false;
}

/* What loading looks at and is the changed file by another name. The new content may include more,
 * so: until nothing is found any more. */
static int find_spellings(struct changed *c, const struct entry *e)
{
    size_t before;
    int r = 0;

    do {
        char **watched = NULL;

        before = c->n;
        r = policy_list_watched(&c->source, &watched);
        for (size_t i = 0; !r && watched[i]; i++)
            if (!has_spelling(c, watched[i]) && entry_is_on_way(e, watched[i]))
                r = add_spelling(c, watched[i], c->files[0].content, c->files[0].len);
        policy_strv_free(watched);
    } while (!r && c->n > before);
    return r;
}

static int changed_init(struct changed *c, const struct policy_store *s, const char *path,
                        const struct entry *e, const char *content, size_t len)
{
    int r;

    source_of(s, false, c->dirs, &c->source);
    c->source.files = c->files;
    r = add_spelling(c, path, content, len);
    return r ? r : find_spellings(c, e);
}

static int load(const struct policy_source *source, struct policy **ret,
                char reterr[static ADMIN_TEXT_MAX])
{
    struct policy_error error = {0};
    int r = policy_load(source, ret, &error);

    if (r < 0)
        return admin_fail(reterr, r, "cannot load the policy: %s", strerror(-r));
    if (r == POLICY_E_INVALID) {
        r = error.line ? admin_fail(reterr, ADMIN_E_SYNTAX, "%s:%u: %s", error.file, error.line,
                                    error.text)
                       : admin_fail(reterr, ADMIN_E_SYNTAX, "%s: %s", error.file, error.text);
        policy_error_deinit(&error);
    }
    return r;
}

/* The daemon would not take it over. */
static int check_never(const struct policy *p, char reterr[static ADMIN_TEXT_MAX])
{
    struct policy_violation v = {0};
    int r = policy_check_never(p, NULL, &v);

    if (r > 0)
        r = admin_fail(reterr, ADMIN_E_SYNTAX, "%s", v.text);
    else if (r)
        r = admin_fail(reterr, r, "cannot check the never lines: %s", strerror(-r));
    policy_violation_deinit(&v);
    return r;
}

int policy_check(const struct policy_store *s, const char *path, const struct entry *e,
                 const char *content, size_t len, char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(changed_deinit) struct changed c = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    int r = changed_init(&c, s, path, e, content, len);

    if (r)
        return admin_fail(reterr, r, "cannot check the policy with %s changed: %s", path,
                          strerror(-r));
    r = load(&c.source, &p, reterr);
    return r ? r : check_never(p, reterr);
}

static int append_name(const struct policy_store *s, const char *file, struct buf *ret)
{
    char include[PATH_SIZE];
    struct entry e;
    const char *name = file;
    size_t n = strlen(file);

    if (entry_find(file, &e) == 0 && format(include, sizeof(include), "%s/include", s->dir) == 0 &&
        (entry_is_in(&e, s->dir) || entry_is_in(&e, include))) {
        name = e.path + e.name;
        n = strlen(name);
        if (n > strlen(".policy") && str_equal(name + n - strlen(".policy"), ".policy"))
            n -= strlen(".policy");
    }
    return buf_appendf(ret, "%.*s\n", (int)n, name);
}

int policy_list_files(const struct policy_store *s, const char *service, struct buf *ret,
                      char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    _cleanup_(freep) const char **seen = NULL;
    struct policy_source source;
    const char *dirs[3];
    size_t n = 0, n_rules;
    int r;

    source_of(s, false, dirs, &source);
    r = load(&source, &p, reterr);
    if (r)
        return r;
    n_rules = policy_count_rules(p);
    seen = calloc(n_rules + 1, sizeof(*seen));
    for (size_t i = 0; !r && seen && i < n_rules; i++) {
        struct policy_rule_view rule;
        size_t k = 0;

        policy_get_rule(p, i, &rule);
        if (!str_equal(rule.service, service) && !str_equal(rule.service, "*"))
            continue;
        while (k < n && !str_equal(seen[k], rule.file))
            k++;
        if (k < n)
            continue;
        seen[n++] = rule.file;
        r = append_name(s, rule.file, ret);
    }
    if (!seen)
        r = -ENOMEM;
    return r ? admin_fail(reterr, r, "cannot list files: %s", strerror(-r)) : 0;
}

int policy_names_argument(const struct policy_store *s, const char *service, const char *argument,
                          bool *ret, char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source;
    const char *dirs[3];
    bool found = false;
    int r;

    source_of(s, true, dirs, &source);
    r = load(&source, &p, reterr);
    if (r)
        return r;
    for (size_t i = 0; !found && i < policy_count_rules(p); i++) {
        struct policy_rule_view rule;

        policy_get_rule(p, i, &rule);
        found = str_equal(rule.service, service) && str_equal(rule.argument, argument);
    }
    *ret = found;
    return 0;
}

/* Does the file, with that one line in it, have an error anywhere that it is read? */
static bool probe_fails(const struct policy_store *s, const char *path, const struct entry *e,
                        const char *line)
{
    _cleanup_(changed_deinit) struct changed c = {0};
    struct policy_findings f = {0};
    bool fails = false;

    if (changed_init(&c, s, path, e, line, strlen(line)) || policy_lint_errors(&c.source, &f))
        return false;
    for (size_t i = 0; i < f.n; i++)
        fails |= has_spelling(&c, f.list[i].file) || str_equal(f.list[i].file, path);
    policy_findings_deinit(&f);
    return fails;
}

enum columns policy_include_columns(const struct policy_store *s, const char *name)
{
    char path[PATH_SIZE];
    struct entry e;
    bool three, five;

    if (format(path, sizeof(path), "%s/include/%s", s->dir, name) || entry_find(path, &e) ||
        entry_follow(&e))
        return COLUMNS_UNKNOWN;
    five = probe_fails(s, path, &e, "@anyvm @anyvm deny\n");
    three = probe_fails(s, path, &e, "a.Service * @anyvm @anyvm deny\n");
    return five && three ? COLUMNS_BOTH
           : five        ? COLUMNS_FIVE
           : three       ? COLUMNS_THREE
                         : COLUMNS_UNKNOWN;
}
