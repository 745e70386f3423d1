/* What dom0's tools have in common: see tool.h. */
#include "domain-spawner/commands/tool.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

int tool_quiet;
static const char *tool_name = "qvm";

static void print_usage(const struct tool *t, FILE *f)
{
    fprintf(f, "usage: %s %s\n", t->name, t->usage);
}

int tool_usage(const struct tool *t, const char *fmt, ...)
{
    va_list ap;

    print_usage(t, stderr);
    fprintf(stderr, "%s: error: ", t->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 2;
}

int tool_error(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: error: ", tool_name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int tool_failed(const struct tool *t, const char *domain, const struct admin_reply *r)
{
    if (r->type && str_equal(r->type, "QubesVMNotFoundError"))
        return tool_usage(t, "no such domain: '%s'", domain);
    return tool_error("%s", r->message ? r->message : "out of memory");
}

static int show_help(const struct tool *t)
{
    print_usage(t, stdout);
    printf("\n%s  -h, --help      show this\n  -v, -q          say more, say less\n"
           "  --version       show the version\n",
           t->help);
    return fflush(stdout) ? 1 : 0;
}

/* A short one may stand in the midst of its word, where optind is not behind that word yet. */
static int bad_option(const struct tool *t, const char *word)
{
    static const char text[] = "unknown option, or one without its value";

    if (optopt > 0 && optopt < 256 && !str_starts(word, "--"))
        return tool_usage(t, "%s: -%c", text, optopt);
    return tool_usage(t, "%s: %s", text, word);
}

int tool_options(const struct tool *t, int argc, char **argv, void *user)
{
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, t->shorts, t->longs, NULL)) != -1) {
        if (c == 'h')
            return show_help(t);
        if (c == TOOL_VERSION)
            return printf("%s (qrexec) %s\n", t->name, PACKAGE_VERSION) < 0;
        if (c == '?' || c == ':')
            return bad_option(t, argv[optind - 1]);
        if (c == 'q')
            tool_quiet++;
        else if (c != 'v' && c != TOOL_FORCE_ROOT && !t->option(user, c, optarg))
            return 2;
    }
    return -1;
}

int tool_start(const struct tool *t, int argc, char **argv, void *user)
{
    int r;

    tool_name = t->name;
    signal(SIGPIPE, SIG_IGN);
    r = process_begin();
    if (!r)
        r = paths_init(NULL, PATHS_TOOL);
    if (r)
        return tool_error("cannot start: %s (QREXEC_ROOT must be an absolute path)", strerror(-r));
    if (argc < 1)
        return tool_usage(t, "started without a name");
    return tool_options(t, argc, argv, user);
}

void domain_list_deinit(struct domain_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].name);
        free(l->items[i].klass);
        free(l->items[i].state);
        free(l->items[i].uuid);
    }
    free(l->items);
    *l = DOMAIN_LIST_NULL;
}

static int list_add(struct domain_list *l, const char *name, const char *klass, const char *state,
                    const char *uuid)
{
    struct domain_line *p = reallocarray(l->items, l->n + 1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    l->items = p;
    p[l->n] = (struct domain_line){strdup(name), strdup(klass), strdup(state), strdup(uuid)};
    l->n++;
    p = &p[l->n - 1];
    return p->name && p->klass && p->state && p->uuid ? 0 : -ENOMEM;
}

char *next_line(char **text)
{
    char *line = *text, *nl;

    if (!line || !*line)
        return NULL;
    nl = strchr(line, '\n');
    if (nl)
        *nl = 0;
    *text = nl ? nl + 1 : NULL;
    return line;
}

/* The value of " KEY=" in a line of admin.vm.List, as a copy of at most 63 bytes. */
static const char *field(const char *line, const char *key, char buf[static 64])
{
    const char *p = strstr(line, key);
    size_t n;

    buf[0] = 0;
    if (!p)
        return buf;
    p += strlen(key);
    n = strcspn(p, " ");
    if (n < 64) {
        memcpy(buf, p, n);
        buf[n] = 0;
    }
    return buf;
}

int domain_list_get(struct domain_list *ret, struct admin_reply *r)
{
    char klass[64], state[64], uuid[64], *text, *line;
    int e = admin_call("admin.vm.List", NULL, "dom0", NULL, r);

    for (text = e ? NULL : r->content; !e && (line = next_line(&text));) {
        char *blank = strchr(line, ' ');

        if (!blank)
            continue;
        field(line, " class=", klass);
        field(line, " state=", state);
        field(line, " uuid=", uuid);
        *blank = 0;
        e = list_add(ret, line, klass, state, uuid);
    }
    return e;
}

static bool matches(const char *name, char **words, int n, bool *used)
{
    bool any = false;

    for (int i = 0; i < n; i++)
        if (fnmatch(words[i], name, 0) == 0)
            any = used[i] = true;
    return any;
}

bool tool_exclude(struct selection *s, const char *name)
{
    if (s->n_exclude == ARRAY_SIZE(s->exclude)) {
        tool_error("--exclude may be given %zu times", s->n_exclude);
        return false;
    }
    s->exclude[s->n_exclude++] = name;
    return true;
}

static bool excluded(const struct selection *s, const char *name)
{
    for (size_t i = 0; i < s->n_exclude; i++)
        if (fnmatch(s->exclude[i], name, 0) == 0)
            return true;
    return false;
}

static bool chosen(const struct selection *s, const char *name, char **words, int n, bool *used)
{
    if (!s->all)
        return matches(name, words, n, used);
    return (s->with_dom0 || !str_equal(name, "dom0")) && !excluded(s, name);
}

int tool_select(const struct tool *t, const struct selection *s, char **words, int n,
                struct domain_list *ret)
{
    _cleanup_(domain_list_deinit) struct domain_list all = DOMAIN_LIST_NULL;
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    _cleanup_(freep) bool *used = calloc((size_t)n + 1, sizeof(*used));

    if (s->all && n > 0)
        return tool_usage(t, "name domains, or --all, not both");
    if (!s->all && s->n_exclude)
        return tool_usage(t, "--exclude goes with --all");
    if (!s->all && n == 0)
        return tool_usage(t, "name a domain, or --all");
    if (!used || domain_list_get(&all, &r))
        return tool_failed(t, "dom0", &r);
    for (size_t i = 0; i < all.n; i++) {
        struct domain_line *d = &all.items[i];

        if (chosen(s, d->name, words, n, used) &&
            list_add(ret, d->name, d->klass, d->state, d->uuid))
            return tool_error("out of memory");
    }
    for (int i = 0; i < n; i++)
        if (!used[i])
            return tool_usage(t, "no such domain: '%s'", words[i]);
    return -1;
}

void table_deinit(struct table *t)
{
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i]);
    free(t->cell);
    *t = TABLE_NULL(t->columns);
}

int table_add(struct table *t, const char *text)
{
    if (t->cells == t->size) {
        size_t size = t->size ? t->size * 2 : 64;
        char **p = reallocarray(t->cell, size, sizeof(*p));

        if (!p)
            return -ENOMEM;
        t->cell = p;
        t->size = size;
    }
    t->cell[t->cells] = strdup(text);
    return t->cell[t->cells] ? (t->cells++, 0) : -ENOMEM;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t w = 0;

    for (size_t i = column; i < t->cells; i += t->columns)
        if (strlen(t->cell[i]) > w)
            w = strlen(t->cell[i]);
    return w;
}

int table_print(const struct table *t, const char *separator)
{
    for (size_t i = 0; i < t->cells; i++) {
        size_t column = i % t->columns;
        bool last = column == t->columns - 1;

        if (separator)
            printf("%s%s", t->cell[i], last ? "\n" : separator);
        else if (last)
            printf("%s\n", t->cell[i]);
        else
            printf("%-*s  ", (int)column_width(t, column), t->cell[i]);
    }
    return fflush(stdout) ? tool_error("cannot write the list: %s", strerror(errno)) : 0;
}

int property_parse(char *text, struct property_value *ret)
{
    char *type = strchr(text, ' '), *value;

    if (!str_starts(text, "default=") || !type || !str_starts(type, " type="))
        return -EBADMSG;
    *type = 0;
    type += strlen(" type=");
    value = strchr(type, ' ');
    if (!value)
        return -EBADMSG;
    *value++ = 0;
    *ret = (struct property_value){
        .is_default = str_equal(text, "default=True"), .type = type, .value = value};
    return 0;
}

void property_unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (text[0] == '\\' && text[1]) {
            text++;
            *out++ = *text == 'n' ? '\n' : *text;
        } else {
            *out++ = *text;
        }
    }
    *out = 0;
}
