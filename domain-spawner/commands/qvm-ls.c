/*
 * qvm-ls: domains and their properties, as a table.
 *
 * STATE and CLASS come from the list itself; any other column is the property of that name, asked
 * of each domain.
 */
#include "domain-spawner/commands/tool.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define MOST_COLUMNS 32

struct options {
    struct selection select;
    const char *columns; /* names, comma between */
    const char *klass, *state;
    bool raw_data, raw_list;
};

enum {
    OPT_ALL = TOOL_OWN,
    OPT_EXCLUDE,
    OPT_RAW_DATA,
    OPT_RAW_LIST,
    OPT_CLASS,
    OPT_RUNNING,
    OPT_PAUSED,
    OPT_HALTED,
    OPT_IGNORED,
};

static const struct option longs[] = {
    TOOL_LONGS,
    {"all", no_argument, NULL, OPT_ALL},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"format", required_argument, NULL, 'o'},
    {"fields", required_argument, NULL, 'O'},
    {"raw-data", no_argument, NULL, OPT_RAW_DATA},
    {"raw-list", no_argument, NULL, OPT_RAW_LIST},
    {"class", required_argument, NULL, OPT_CLASS},
    {"running", no_argument, NULL, OPT_RUNNING},
    {"paused", no_argument, NULL, OPT_PAUSED},
    {"halted", no_argument, NULL, OPT_HALTED},
    {"spinner", no_argument, NULL, OPT_IGNORED},
    {"no-spinner", no_argument, NULL, OPT_IGNORED},
    {0},
};

static bool on_option(void *user, int c, const char *value);

static const struct tool tool = {
    .name = "qvm-ls",
    .usage =
        "[-o FORMAT | -O COLUMN,...] [--raw-data | --raw-list] [--class C] [--running] [VM...]",
    .help = "  -o, --format F   simple, network, kernel or full\n"
            "  -O, --fields L   columns: NAME, STATE, CLASS, UUID or any property\n"
            "  --raw-data       no header, | between columns; --raw-list: names alone\n"
            "  --class, --running, --paused, --halted  only those\n",
    .shorts = TOOL_SHORTS "nko:O:",
    .longs = longs,
    .option = on_option,
};

static const struct {
    const char *name, *columns;
} formats[] = {
    {"simple", "NAME,STATE,CLASS,LABEL,TEMPLATE,NETVM"},
    {"network", "NAME,STATE,NETVM,IP,VISIBLE_IP,VISIBLE_GATEWAY"},
    {"kernel", "NAME,STATE,CLASS,TEMPLATE,KERNEL,KERNELOPTS"},
    {"full", "NAME,STATE,CLASS,LABEL,QID,XID,UUID"},
};

static bool set_format(struct options *o, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (str_equal(formats[i].name, name)) {
            o->columns = formats[i].columns;
            return true;
        }
    tool_usage(&tool, "unknown format: '%s' (simple, network, kernel, full)", name);
    return false;
}

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    switch (c) {
    case 'o': return set_format(o, value);
    case 'n': return set_format(o, "network");
    case 'k': return set_format(o, "kernel");
    case 'O': o->columns = value; break;
    case OPT_ALL: o->select.all = true; break;
    case OPT_EXCLUDE: return tool_exclude(&o->select, value);
    case OPT_RAW_DATA: o->raw_data = true; break;
    case OPT_RAW_LIST: o->raw_list = true; break;
    case OPT_CLASS: o->klass = value; break;
    case OPT_RUNNING: o->state = "Running"; break;
    case OPT_PAUSED: o->state = "Paused"; break;
    case OPT_HALTED: o->state = "Halted"; break;
    }
    return true;
}

/* What the list says itself; NULL: ask for the property. */
static const char *known(const struct domain_line *d, const char *column)
{
    if (strcasecmp(column, "NAME") == 0)
        return d->name;
    if (strcasecmp(column, "STATE") == 0)
        return d->state;
    if (strcasecmp(column, "CLASS") == 0)
        return d->klass;
    return strcasecmp(column, "UUID") == 0 ? d->uuid : NULL;
}

static int add_cell(struct table *t, const struct domain_line *d, const char *column)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    const char *text = known(d, column);
    struct property_value v = {.value = ""};
    char name[64];

    if (!text) {
        if (format(name, sizeof(name), "%s", column))
            return table_add(t, "-");
        for (char *p = name; *p; p++)
            *p = *p == '-' ? '_' : (char)tolower((unsigned char)*p);
        if (admin_call("admin.vm.property.Get", name, d->name, NULL, &r) == 0)
            (void)property_parse(r.content, &v);
        text = v.value;
    }
    return table_add(t, *text ? text : "-");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct domain_line *)a)->name, ((const struct domain_line *)b)->name);
}

static bool wanted(const struct options *o, const struct domain_line *d)
{
    return (!o->klass || str_equal(o->klass, d->klass)) &&
           (!o->state || str_equal(o->state, d->state));
}

static int show(const struct options *o, const struct domain_list *l)
{
    _cleanup_(freep) char *names = strdup(o->raw_list ? "NAME" : o->columns);
    struct table t = TABLE_NULL(0);
    char *column[MOST_COLUMNS], *rest = names, *word;
    int r = names ? 0 : -1;

    while ((word = strsep(&rest, ",")) && t.columns < MOST_COLUMNS)
        column[t.columns++] = word;
    for (size_t c = 0; !r && c < t.columns && !o->raw_data && !o->raw_list; c++) {
        for (char *p = column[c]; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        r = table_add(&t, column[c]);
    }
    for (size_t i = 0; i < l->n; i++)
        for (size_t c = 0; !r && wanted(o, &l->items[i]) && c < t.columns; c++)
            r = add_cell(&t, &l->items[i], column[c]);
    r = r ? tool_error("out of memory") : table_print(&t, o->raw_data ? "|" : NULL);
    table_deinit(&t);
    return r;
}

int main(int argc, char **argv)
{
    _cleanup_(domain_list_deinit) struct domain_list l = DOMAIN_LIST_NULL;
    struct options o = {.columns = formats[0].columns, .select = {.with_dom0 = true}};
    int r = tool_start(&tool, argc, argv, &o);

    if (r >= 0)
        return r;
    o.select.all |= argc == optind;
    r = tool_select(&tool, &o.select, argv + optind, argc - optind, &l);
    if (r >= 0)
        return r;
    qsort(l.items, l.n, sizeof(l.items[0]), compare_names);
    return show(&o, &l);
}
