/*
 * qrexec-policy graph, qrexec-policy-graph: who may call whom, as a graph in Graphviz's language.
 *
 * An edge is a verdict on a call as asked: what belongs to carrying it out (a domain that calls
 * itself, a remote domain's relay) is not looked at, as in the older tool of this name. Each line
 * is there once, a node's before its first edge.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "policy-engine/policy-cli.h"
#include "policy-engine/sweep.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "graph [--include-ask] [--source S...] [--target T...] [--service N[+ARG]...] [--output F]\n"  \
    "      [--policy-dir D] [--system-info JSON] [--skip-labels] [--full-output]\n"                \
    "      [--legacy-dir DIR] [--domains FILE]"

#define WORDS_MAX       256
#define SYSTEM_INFO_MAX (16U << 20)

enum { O_ASK = CLI_OWN, O_SOURCE, O_TARGET, O_SERVICE, O_OUTPUT, O_INFO, O_NO_LABELS, O_FULL };

struct words {
    const char *list[WORDS_MAX];
    size_t n;
};

struct graph {
    bool ask, no_labels, full;
    struct words sources, targets, services;
    struct words *open; /* the option whose values may go on */
    const char *output_path, *info_path;
    const struct policy *policy;
    const struct policy_domains *domains;
    FILE *out;
    void *lines; /* tsearch() tree of those printed */
};

static bool add_word(struct words *w, const char *word)
{
    if (w->n == WORDS_MAX)
        return false;
    w->list[w->n++] = word;
    return true;
}

static bool has_word(const struct words *w, const char *word)
{
    for (size_t i = 0; i < w->n; i++)
        if (str_equal(w->list[i], word))
            return true;
    return false;
}

static bool take_option(void *user, int o, const char *value)
{
    struct graph *g = user;

    if (o == 1)
        return g->open && add_word(g->open, value);
    g->open = o == O_SOURCE    ? &g->sources
              : o == O_TARGET  ? &g->targets
              : o == O_SERVICE ? &g->services
                               : NULL;
    if (g->open)
        return add_word(g->open, value);
    if (o == O_OUTPUT)
        g->output_path = value;
    else if (o == O_INFO)
        g->info_path = value;
    else
        *(o == O_ASK ? &g->ask : o == O_FULL ? &g->full : &g->no_labels) = true;
    return true;
}

/* ---- Lines ---- */

static int order_of_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Takes the line. 0 or -ENOMEM. */
static int print_once(struct graph *g, char *line)
{
    char **found = line ? tsearch(line, &g->lines, order_of_lines) : NULL;

    if (!found) {
        free(line);
        return -ENOMEM;
    }
    if (*found != line)
        free(line);
    else
        fprintf(g->out, "  %s\n", line);
    return 0;
}

/* A text for between double quotes; NULL: no memory. The caller frees. */
static char *quoted(const char *text)
{
    char *copy = malloc(2 * strlen(text) + 1), *to = copy;

    for (; copy && *text; text++) {
        if (*text == '"' || *text == '\\')
            *to++ = '\\';
        *to++ = *text;
    }
    if (copy)
        *to = 0;
    return copy;
}

/* "#RRGGBB" of a label, or of the icon that is named after one; NULL: neither says a colour. */
static const char *color_of(const struct policy_domain *dom)
{
    static const char *const colors[][2] = {
        {"red", "#cc0000"},  {"orange", "#f57900"}, {"yellow", "#edd400"}, {"green", "#73d216"},
        {"gray", "#555753"}, {"blue", "#3465a4"},   {"purple", "#75507b"}, {"black", "#000000"},
    };
    const char *icon = dom && dom->icon ? strrchr(dom->icon, '-') : NULL;
    const char *label = dom && dom->label ? dom->label : icon ? icon + 1 : "";

    for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
        if (str_equal(colors[i][0], label))
            return colors[i][1];
    return NULL;
}

static int print_node(struct graph *g, const char *name)
{
    const char *plain = str_starts(name, "@dispvm:") ? name + strlen("@dispvm:") : name;
    const char *color = color_of(policy_domains_find(g->domains, plain));
    _cleanup_(freep) char *node = quoted(name);

    if (!node)
        return -ENOMEM;
    if (!color && name[0] != '@')
        return 0;
    return print_once(g, format_new("\"%s\" [%s%s%s%s%s];", node, color ? "color = \"" : "",
                                    color ? color : "", color ? "\", penwidth = 3" : "",
                                    color && name[0] == '@' ? ", " : "",
                                    name[0] == '@' ? "style = dotted" : ""));
}

static char *label_of(const struct graph *g, const struct sweep_call *call, bool ask)
{
    if (g->no_labels)
        return strdup("");
    if (g->full)
        return format_new("%s %s %s", call->service, call->argument, ask ? "ask" : "allow");
    return strdup(call->service);
}

static int print_edge(struct graph *g, const struct sweep_call *call, const char *source,
                      const char *target, bool ask)
{
    _cleanup_(freep) char *label = label_of(g, call, ask), *from = quoted(source);
    _cleanup_(freep) char *to = quoted(target);
    int r = label && from && to ? print_node(g, source) : -ENOMEM;

    if (!r)
        r = print_node(g, target);
    if (!r)
        r = print_once(g, format_new("\"%s\" -> \"%s\" [label=\"%s\" color=%s];", from, to, label,
                                     ask ? "orange" : "red"));
    return r;
}

/* ---- Calls ---- */

static int draw_call(struct graph *g, const struct sweep_call *call, const char *source,
                     const char *target)
{
    struct policy_request q = sweep_request(call, source, target);
    struct policy_verdict v = {0};
    struct policy_rule_view rule;
    int r;

    q.just_evaluate = true;
    r = policy_decide(g->policy, g->domains, &q, &v);
    if (r)
        return r;
    if (v.action == POLICY_ALLOW || (v.action == POLICY_ASK && (g->ask || g->full))) {
        policy_get_rule(g->policy, v.rule, &rule);
        target = rule.redirect ? rule.redirect : target;
        if (!g->targets.n || has_word(&g->targets, target))
            r = print_edge(g, call, source, target, v.action == POLICY_ASK);
    }
    policy_verdict_deinit(&v);
    return r;
}

static int draw(struct graph *g, const struct sweep *s)
{
    size_t n = g->sources.n ? g->sources.n : policy_domains_count(g->domains);
    int r = 0;

    fprintf(g->out, "digraph g {\n");
    for (size_t c = 0; c < s->n_calls; c++)
        for (size_t i = 0; i < n; i++) {
            const char *source =
                g->sources.n ? g->sources.list[i] : policy_domains_at(g->domains, i)->name;

            for (size_t t = 0; !r && t < s->n_targets; t++)
                r = draw_call(g, &s->calls[c], source, s->targets[t]);
        }
    fprintf(g->out, "}\n");
    return r;
}

/* The words are cut in two; *owned keeps the arguments. */
static int add_services(struct graph *g, struct sweep *s, char *owned[static WORDS_MAX])
{
    int r = 0;

    for (size_t i = 0; !r && i < g->services.n; i++) {
        r = cli_split_service((char *)g->services.list[i], &owned[i]) ? 0 : -ENOMEM;
        if (!r)
            r = sweep_add_call(s, g->services.list[i], owned[i]);
    }
    return r;
}

static int draw_all(struct graph *g)
{
    _cleanup_(sweep_deinit) struct sweep s = {0};
    char *owned[WORDS_MAX] = {NULL};
    int r = g->services.n ? add_services(g, &s, owned) : sweep_add_rules(&s, g->policy);

    if (!r)
        r = sweep_set_targets(&s, g->domains);
    sweep_sort(&s);
    if (s.n_regex)
        log_warning("%zu rules have a regular expression as argument; they are drawn for the "
                    "empty argument alone",
                    s.n_regex);
    if (!r)
        r = draw(g, &s);
    tdestroy(g->lines, free);
    for (size_t i = 0; i < WORDS_MAX; i++)
        free(owned[i]);
    return r;
}

static int read_domains(const struct graph *g, const struct cli *c, struct policy_domains **ret)
{
    _cleanup_(freep) char *json = NULL;
    size_t n;
    int r;

    if (!g->info_path)
        return cli_domains(c, ret);
    r = file_read(g->info_path, SYSTEM_INFO_MAX, &json, &n);
    if (!r)
        r = system_info_parse(json, n, ret);
    if (r)
        log_error("cannot read the domains from %s: %s", g->info_path,
                  r == -EBADMSG ? "not the JSON of internal.GetSystemInfo" : strerror(-r));
    return r ? 2 : 0;
}

static int check_sources(const struct graph *g)
{
    for (size_t i = 0; i < g->sources.n; i++)
        if (!policy_domains_find(g->domains, g->sources.list[i])) {
            log_error("there is no domain \"%s\"", g->sources.list[i]);
            return 2;
        }
    return 0;
}

static int write_graph(struct graph *g)
{
    int r;

    g->out = g->output_path ? fopen(g->output_path, "we") : stdout;
    if (!g->out) {
        log_error("cannot write %s: %s", g->output_path, strerror(errno));
        return 2;
    }
    r = draw_all(g);
    if (ferror(g->out) || (g->output_path ? fclose(g->out) : fflush(g->out)))
        r = r ? r : -EIO;
    if (r)
        log_error("cannot write the graph: %s", strerror(-r));
    return r ? 2 : 0;
}

int cmd_graph(int argc, char **argv)
{
    static const struct option longs[] = {{"include-ask", no_argument, NULL, O_ASK},
                                          {"source", required_argument, NULL, O_SOURCE},
                                          {"target", required_argument, NULL, O_TARGET},
                                          {"service", required_argument, NULL, O_SERVICE},
                                          {"output", required_argument, NULL, O_OUTPUT},
                                          {"system-info", required_argument, NULL, O_INFO},
                                          {"skip-labels", no_argument, NULL, O_NO_LABELS},
                                          {"full-output", no_argument, NULL, O_FULL},
                                          {0}};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct graph g = {0};
    struct cli c = {0};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &g, .words = true});

    if (!r && optind != argc) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (r)
        return r;
    if (cli_load(&c, &p) || read_domains(&g, &c, &d))
        return 2;
    g.policy = p;
    g.domains = d;
    r = check_sources(&g);
    return r ? r : write_graph(&g);
}
