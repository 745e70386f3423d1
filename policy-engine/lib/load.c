/*
 * Loading: directories and includes become one list of rules, or the first error.
 *
 * A file is read in the place where it is named, so order of evaluation is order of reading. Paths
 * in includes start at the directory that the top-level file came from; in R4.0 files at theirs.
 */
#include "policy-engine/lib/files.h"
#include "policy-engine/lib/findings.h"
#include "policy-engine/lib/index.h"
#include "policy-engine/lib/lines.h"
#include "policy-engine/lib/never.h"
#include "policy-engine/lib/rules.h"

#include <stdio.h>

#define DEPTH_MAX   16           /* includes inside includes */
#define DIRS_MAX    8            /* policy directories of a source */
#define FILES_MAX   10000        /* read in all: each include of a file counts */
#define CONTENT_MAX (64UL << 20) /* bytes of all of them */
#define RULES_MAX   1000000

struct loader {
    const struct policy_source *source;
    struct policy *policy;
    struct policy_error *error;
    struct strings *watched;     /* or NULL */
    struct policy_findings *all; /* NULL: the first error ends it; else each is noted here */
    uint32_t top;                /* the file of a policy directory that is being read */
    size_t n_bytes;              /* of the contents */
    bool over;                   /* a limit was met: nothing more is read */
    bool never;                  /* reading the never files, after all rules */
};

/* Where a file stands: what its lines are read for, and where its relative paths start. */
struct place {
    const char *file;
    uint32_t name; /* of file, in the policy's names */
    uint32_t content;
    unsigned line;
    const char *base;
    struct rule_columns columns;
    const struct place *up; /* the line that includes this file, or NULL */
};

/* Returns 0 where errors are collected: go on. */
static int fail(struct loader *l, const char *file, unsigned line, struct text *why)
{
    struct policy_error e = {.line = line};
    char *text = NULL;
    int r;

    if (l->all) {
        r = text_take(why, &text);
        if (!r)
            r = findings_add(l->all, file, line, text);
        free(text);
        return r;
    }
    e.file = span_dup(span_of(file));
    if (!e.file || text_take(why, &e.text)) {
        policy_error_deinit(&e);
        return -ENOMEM;
    }
    policy_error_deinit(l->error);
    *l->error = e;
    return POLICY_E_INVALID;
}

static int fail_here(struct loader *l, const struct place *at, const char *what, const char *detail)
{
    _cleanup_(text_deinit) struct text why = {0};

    text_addf(&why, "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
    return fail(l, at->file, at->line, &why);
}

static const char *why_unreadable(int error)
{
    if (error == -EINVAL)
        return "neither file nor directory";
    return error == -EFBIG ? "it is larger than 16 MiB" : strerror(-error);
}

static int fail_unreadable(struct loader *l, const struct place *at, const char *path, int error)
{
    _cleanup_(text_deinit) struct text why = {0};

    if (error == -ENOMEM)
        return error;
    text_addf(&why, "cannot read %s: %s", path, why_unreadable(error));
    return fail(l, at->file, at->line, &why);
}

static int fail_limit(struct loader *l, const struct place *at, const char *what)
{
    l->over = true;
    return fail_here(l, at, "the policy is too large", what);
}

static int fail_form(struct loader *l, const struct place *at, const char *form)
{
    return fail_here(l, at, "wrong number of words; the form is", form);
}

static int fail_directive(struct loader *l, const struct place *at, struct span word)
{
    _cleanup_(text_deinit) struct text why = {0};

    text_addf(&why, "unknown directive \"%.*s\" (%s)", SPAN_FMT(word),
              at->columns.three ? "in a file of 3 columns only !include"
                                : "!include, !include-dir, !include-service, !compat-4.0");
    return fail(l, at->file, at->line, &why);
}

static int fail_service(struct loader *l, const struct place *at, struct span service,
                        struct span argument)
{
    _cleanup_(text_deinit) struct text why = {0};

    text_addf(&why, "bad service \"%.*s\" or argument \"%.*s\" (as in a rule)", SPAN_FMT(service),
              SPAN_FMT(argument));
    return fail(l, at->file, at->line, &why);
}

static int watch(struct loader *l, const char *path)
{
    return l->watched ? strings_add(l->watched, span_of(path)) : 0;
}

static int add_rule(struct loader *l, const struct place *at, struct rule *rule, struct span line)
{
    struct policy *p = l->policy;
    int r = p->n == RULES_MAX ? fail_limit(l, at, "more than 1000000 rules") : 0;

    if (!r && !l->over)
        r = ARRAY_GROW(p->rules, p->cap, p->n);
    if (r || l->over) {
        regex_free(rule->regex);
        return r;
    }
    rule->file = at->name;
    rule->line = at->line;
    rule->top = l->top;
    rule->content = at->content;
    if (at->content != CONTENT_NONE)
        rule->text = (uint32_t)(line.data - p->contents[at->content].data);
    p->rules[p->n++] = *rule;
    return 0;
}

/* Is this file being read already, or the chain too long? Tells so at the line that names it. */
static int check_chain(struct loader *l, const struct place *at, bool *ret_bad)
{
    size_t depth = 0;

    *ret_bad = true;

    for (const struct place *up = at->up; up; up = up->up, depth++) {
        if (strcmp(up->file, at->file) == 0)
            return fail_here(l, at->up, "a loop of includes: this file is being read already",
                             at->file);
        if (depth == DEPTH_MAX)
            return fail_here(l, at->up, "includes are nested too deep", NULL);
    }
    *ret_bad = false;
    return 0;
}

static int load_text(struct loader *l, struct place *at, struct content content);

static void sign_word(struct policy *p, uint64_t word)
{
    p->signature = (p->signature ^ word) * 0x9e3779b97f4a7c15;
    p->signature ^= p->signature >> 32;
}

/* Eight bytes a step, and the length, so that no text runs into the next. */
static void sign(struct policy *p, struct span s)
{
    uint64_t word = 0;

    sign_word(p, s.len);
    for (; s.len >= sizeof(word); s = span_skip(s, sizeof(word))) {
        memcpy(&word, s.data, sizeof(word));
        sign_word(p, word);
    }
    word = 0;
    if (s.len)
        memcpy(&word, s.data, s.len);
    sign_word(p, word);
}

/* Takes the content into the policy, where the rules' text stays. */
static int keep_content(struct loader *l, struct place *at, struct content *content)
{
    struct policy *p = l->policy;
    /* as many new words as a policy without many repetitions has */
    int r = names_reserve(&p->names, content->len / 64);

    if (!r)
        r = names_add(&p->names, span_of(at->file), &at->name);
    if (!r)
        r = ARRAY_GROW(p->contents, p->contents_cap, p->n_contents);
    if (r)
        return r;
    at->content = (uint32_t)p->n_contents;
    sign(p, span_of(at->file));
    sign(p, (struct span){content->data, content->len});
    l->n_bytes += content->len;
    p->contents[p->n_contents++] = (struct content){take(content->data), content->len};
    if (!at->up)
        l->top = at->name;
    return 0;
}

/* at is the file that is to be read; from where a failure to read it is told. */
static int load_content(struct loader *l, struct place *at, const struct place *from)
{
    struct content content = {0};
    int r = 0;

    if (l->policy->n_contents == FILES_MAX)
        return fail_limit(l, from, "more than 10000 files are read");
    r = files_read(l->source, at->file, &content.data, &content.len);
    if (r)
        return r == -ENOMEM ? r : fail_unreadable(l, from, at->file, r);
    if (content.len > CONTENT_MAX - l->n_bytes)
        r = fail_limit(l, from, "more than 64 MiB in all files");
    else
        r = keep_content(l, at, &content);
    free(content.data);
    return r || l->over ? r : load_text(l, at, l->policy->contents[at->content]);
}

static int load_file(struct loader *l, const char *path, const char *base,
                     const struct rule_columns *columns, const struct place *from, bool named)
{
    struct place at = {.file = path, .base = base, .columns = *columns, .up = from};
    bool bad;
    int r = check_chain(l, &at, &bad);

    if (!r && !bad)
        r = watch(l, path);
    return r || bad || l->over ? r : load_content(l, &at, named ? from : &at);
}

/* ---- Directories ---- */

static bool policy_name_counts(const struct loader *l, const char *name)
{
    return name[0] != '.' && span_ends(span_of(name), l->never ? SPAN(".never") : SPAN(".policy"));
}

static bool policy_name_is_good(const char *name)
{
    return !name[strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz_.-")];
}

struct found {
    const char *name;
    const char *dir;
};

static int order_of_found(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static int load_found(struct loader *l, const struct found *f, const char *base,
                      const struct place *from)
{
    static const struct rule_columns five = {0};
    char path[FILES_PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", f->dir, f->name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return load_file(l, path, base ? base : f->dir, &five, from, false);
}

static int check_found(struct loader *l, const struct found *f)
{
    _cleanup_(text_deinit) struct text why = {0};
    char path[FILES_PATH_MAX];

    if (policy_name_is_good(f->name))
        return 0;
    text_addf(&why, "bad file name (only 0-9 a-z _ . - may stand in it)");
    if (snprintf(path, sizeof(path), "%s/%s", f->dir, f->name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return fail(l, path, 0, &why);
}

/* Each list is in order. */
static bool is_in_one_of(const char *name, const struct strings *lists, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lists[i].n &&
            bsearch(&name, lists[i].list, lists[i].n, sizeof(lists[i].list[0]), order_of_strings))
            return true;
    return false;
}

/* Files of several directories as one list by name; of equal names the first directory's counts. */
static int load_dirs(struct loader *l, const char *const *dirs, const char *base,
                     const struct place *from)
{
    struct strings names[DIRS_MAX] = {0};
    struct found *all = NULL;
    size_t n = 0, cap = 0, n_dirs = 0;
    int r = 0;

    for (; !r && dirs[n_dirs]; n_dirs++) {
        struct place here = {.file = dirs[n_dirs]};

        if (n_dirs == DIRS_MAX) {
            r = -E2BIG;
            break;
        }
        r = l->never ? 0 : watch(l, dirs[n_dirs]);
        if (!r)
            r = files_list(l->source, dirs[n_dirs], &names[n_dirs]);
        if (r)
            r = fail_unreadable(l, from ? from : &here, dirs[n_dirs], r);
        for (size_t i = 0; !r && i < names[n_dirs].n; i++) {
            const char *name = names[n_dirs].list[i];

            if (!policy_name_counts(l, name) || is_in_one_of(name, names, n_dirs))
                continue;
            r = ARRAY_GROW(all, cap, n);
            if (!r)
                all[n++] = (struct found){name, dirs[n_dirs]};
        }
    }
    if (n)
        qsort(all, n, sizeof(all[0]), order_of_found);
    for (size_t i = 0; !r && i < n; i++)
        r = check_found(l, &all[i]);
    for (size_t i = 0; !r && i < n; i++)
        r = load_found(l, &all[i], base, from);
    free(all);
    for (size_t i = 0; i < DIRS_MAX; i++)
        strings_deinit(&names[i]);
    return r;
}

/* ---- R4.0 ---- */

static bool legacy_name_counts(const char *name)
{
    static const struct span out[] = {{".rpmsave", 8}, {".rpmnew", 7}, {".swp", 4}};

    for (size_t i = 0; i < 3; i++)
        if (span_ends(span_of(name), out[i]))
            return false;
    return name[0] != '.' &&
           !name[strspn(name,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-._")];
}

/* By service, then by argument, the file without "+" last. */
static int order_of_legacy(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t n = strcspn(x, "+"), m = strcspn(y, "+");
    int c = memcmp(x, y, n < m ? n : m);

    if (c || n != m)
        return c ? c : n < m ? -1 : 1;
    if (!x[n] || !y[m])
        return x[n] ? -1 : y[m] ? 1 : 0;
    return strcmp(x + n, y + m);
}

static int add_implicit(struct loader *l, const char *path, const struct rule_columns *columns)
{
    static const char *const lines[] = {"@anyvm @anyvm deny", "@anyvm @adminvm deny"};
    struct place at = {.file = path, .content = CONTENT_NONE};
    int r = names_add(&l->policy->names, span_of(path), &at.name);

    for (size_t i = 0; !r && !l->over && i < 2; i++) {
        _cleanup_(text_deinit) struct text why = {0};
        struct rule rule;

        r = rule_parse(&l->policy->names, span_of(lines[i]), columns, &rule, &why);
        if (!r)
            r = add_rule(l, &at, &rule, SPAN(""));
    }
    return r;
}

static int load_legacy_file(struct loader *l, const char *dir, const char *name,
                            const struct place *from)
{
    const char *plus = strchr(name, '+');
    struct rule_columns columns = {.three = true,
                                   .service = {name, plus ? (size_t)(plus - name) : strlen(name)},
                                   .argument = plus ? span_of(plus) : SPAN("*")};
    char path[FILES_PATH_MAX];
    int r;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    if (!columns.service.len) {
        struct place at = {.file = path};

        return fail_here(l, &at, "the file's name has no service before its +", NULL);
    }
    r = load_file(l, path, dir, &columns, from, false);
    return r || !plus ? r : add_implicit(l, path, &columns);
}

static int load_legacy(struct loader *l, const struct place *from)
{
    const char *dir = l->source->legacy_dir;
    struct strings names = {0};
    size_t n = 0;
    int r = dir ? watch(l, dir) : 0;

    if (!r)
        r = dir ? files_list(l->source, dir, &names) : -ENOENT;
    if (r)
        r = fail_unreadable(l, from, dir ? dir : "the R4.0 directory (none is set)", r);
    for (size_t i = 0; !r && i < names.n; i++) {
        char *name = names.list[i];

        if (legacy_name_counts(name)) {
            names.list[i] = names.list[n];
            names.list[n++] = name;
        }
    }
    if (!r && n)
        qsort(names.list, n, sizeof(names.list[0]), order_of_legacy);
    for (size_t i = 0; !r && i < n; i++)
        r = load_legacy_file(l, dir, names.list[i], from);
    strings_deinit(&names);
    return r;
}

/* ---- Lines ---- */

static int include_path(const struct place *at, struct span word, char buf[static FILES_PATH_MAX])
{
    int n = word.data[0] == '/'
                ? snprintf(buf, FILES_PATH_MAX, "%.*s", SPAN_FMT(word))
                : snprintf(buf, FILES_PATH_MAX, "%s/%.*s", at->base, SPAN_FMT(word));

    return n < 0 || n >= FILES_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int include_service(struct loader *l, const struct place *at, const struct span *word)
{
    struct rule_columns columns = {.three = true, .service = word[1], .argument = word[2]};
    bool any = span_equal(word[1], SPAN("*")), any_argument = span_equal(word[2], SPAN("*"));
    char path[FILES_PATH_MAX];

    if ((!any && !service_is_valid(word[1])) || (any && !any_argument) ||
        (!any_argument && !argument_is_valid(word[2])))
        return fail_service(l, at, word[1], word[2]);
    if (include_path(at, word[3], path))
        return fail_here(l, at, "the path is too long", NULL);
    return load_file(l, path, at->base, &columns, at, true);
}

static int load_directive(struct loader *l, const struct place *at, struct span line)
{
    struct span word[5];
    char path[FILES_PATH_MAX];
    size_t n = 0;

    while (n < 5 && word_next(&line, &word[n]))
        n++;
    if (!at->columns.three && span_equal(word[0], SPAN("!compat-4.0")))
        return n == 1 ? load_legacy(l, at) : fail_form(l, at, "!compat-4.0");
    if (!at->columns.three && span_equal(word[0], SPAN("!include-service")))
        return n == 4 ? include_service(l, at, word)
                      : fail_form(l, at, "!include-service SERVICE|* +ARGUMENT|* PATH");
    if (!span_equal(word[0], SPAN("!include")) &&
        (at->columns.three || !span_equal(word[0], SPAN("!include-dir"))))
        return fail_directive(l, at, word[0]);
    if (n != 2)
        return fail_form(l, at,
                         word[0].len == strlen("!include") ? "!include PATH" : "!include-dir PATH");
    if (include_path(at, word[1], path))
        return fail_here(l, at, "the path is too long", NULL);
    if (span_equal(word[0], SPAN("!include")))
        return load_file(l, path, at->base, &at->columns, at, true);
    return load_dirs(l, (const char *const[]){path, NULL}, at->base, at);
}

/* An R4.0 line in today's words: $include: is !include, $ is @, a comma is a blank; wherever they
 * stand, as the field has it. */
static int translate(struct span line, struct text *ret)
{
    const struct span old = SPAN("$include:");

    text_clear(ret);
    for (const char *at; (at = memmem(line.data, line.len, old.data, old.len));) {
        size_t n = (size_t)(at - line.data);

        text_add(ret, (struct span){line.data, n});
        text_add(ret, SPAN("!include "));
        line = span_skip(line, n + old.len);
    }
    text_add(ret, line);
    for (size_t i = 0; !ret->failed && i < ret->len; i++)
        ret->data[i] = ret->data[i] == '$' ? '@' : ret->data[i] == ',' ? ' ' : ret->data[i];
    return ret->failed ? -ENOMEM : 0;
}

static int load_rule(struct loader *l, const struct place *at, struct span words, struct span line)
{
    _cleanup_(text_deinit) struct text why = {0};
    struct rule rule;
    int r = rule_parse(&l->policy->names, words, &at->columns, &rule, &why);

    if (r == POLICY_E_INVALID)
        return fail(l, at->file, at->line, &why);
    return r ? r : add_rule(l, at, &rule, line);
}

/* A never file holds lines of its own form, and no directives. */
static int load_never_line(struct loader *l, const struct place *at, struct span line)
{
    _cleanup_(text_deinit) struct text why = {0};
    struct policy *p = l->policy;
    struct never never;
    int r = never_parse(&p->names, line, &never, &why);

    if (r == POLICY_E_INVALID)
        return fail(l, at->file, at->line, &why);
    if (!r)
        r = names_add(&p->names, span_of(at->file), &never.file);
    if (!r)
        r = names_add(&p->names, line, &never.text);
    if (!r)
        r = ARRAY_GROW(p->nevers, p->nevers_cap, p->n_nevers);
    if (r)
        return r;
    never.line = at->line;
    p->nevers[p->n_nevers++] = never;
    return 0;
}

static int load_line(struct loader *l, const struct place *at, struct span line)
{
    _cleanup_(text_deinit) struct text translated = {0};
    const char *bad = line_bad_bytes(line);
    struct span words = line;
    int r;

    if (bad)
        return fail_here(l, at, bad, NULL);
    if (!line_first(line))
        return 0;
    if (l->never)
        return load_never_line(l, at, line);
    if (at->columns.three) {
        r = translate(line, &translated);
        if (r)
            return r;
        words = (struct span){translated.data, translated.len};
    }
    return line_first(words) == '!' ? load_directive(l, at, words) : load_rule(l, at, words, line);
}

static int load_text(struct loader *l, struct place *at, struct content content)
{
    struct span rest = {content.data, content.len}, line;
    int r = 0;

    while (!r && !l->over && line_next(&rest, &line)) {
        content.data[line.data + line.len - content.data] = '\0';
        at->line++;
        r = load_line(l, at, line);
    }
    return r;
}

static const char *last_dir(const struct policy_source *source)
{
    const char *dir = "";

    for (size_t i = 0; source->dirs[i]; i++)
        dir = source->dirs[i];
    return dir;
}

static int load(const struct policy_source *source, struct policy **ret,
                struct policy_error *reterr, struct strings *watched, struct policy_findings *all)
{
    struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = calloc(1, sizeof(*p));
    struct loader l = {
        .source = source, .policy = p, .error = &error, .watched = watched, .all = all};
    int r;

    if (!p)
        return -ENOMEM;
    p->refs = 1;
    p->signature = 0xcbf29ce484222325;
    r = names_init(&p->names);
    if (!r)
        r = names_add(&p->names, span_of(last_dir(source)), &p->dir);
    if (!r)
        r = load_dirs(&l, source->dirs, NULL, NULL);
    l.never = true;
    if (!r)
        r = load_dirs(&l, source->dirs, NULL, NULL);
    if (!r)
        r = index_make(p);
    if (r == POLICY_E_INVALID && reterr)
        *reterr = error;
    else
        policy_error_deinit(&error);
    if (r)
        return r;
    *ret = take(p);
    return 0;
}

int policy_load(const struct policy_source *source, struct policy **ret,
                struct policy_error *reterr)
{
    return load(source, ret, reterr, NULL, NULL);
}

int policy_lint_errors(const struct policy_source *source, struct policy_findings *ret)
{
    struct policy_findings f = {0};
    struct policy *p = NULL;
    int r = load(source, &p, NULL, NULL, &f);

    policy_unref(p);
    if (r) {
        policy_findings_deinit(&f);
        return r;
    }
    findings_sort(&f);
    *ret = f;
    return 0;
}

int policy_list_watched(const struct policy_source *source, char ***ret)
{
    struct policy *p = NULL;
    struct strings s = {0};
    int r = load(source, &p, NULL, &s, NULL);

    policy_unref(p);
    if (r < 0) {
        strings_deinit(&s);
        return r;
    }
    *ret = s.list ? s.list : calloc(1, sizeof(char *));
    return *ret ? 0 : -ENOMEM;
}
