/*
 * qvm-prefs and qubes-prefs: properties of a domain, or of the system. Built twice; GLOBAL_PREFS
 * makes the second.
 */
#include "domain-spawner/commands/tool.h"

#include <stdio.h>
#include <strings.h>

#ifdef GLOBAL_PREFS
#define NAME   "qubes-prefs"
#define PREFIX "admin.property."
#define USAGE  "[-D] [--hide-default] [--help-properties] [PROPERTY [VALUE]]"
#define FIRST  0
#else
#define NAME   "qvm-prefs"
#define PREFIX "admin.vm.property."
#define USAGE  "[-D] [--hide-default] [--help-properties] VM [PROPERTY [VALUE]]"
#define FIRST  1
#endif

struct options {
    bool reset, hide_default, help_properties;
};

enum { OPT_HIDE = TOOL_OWN, OPT_HELP_PROPERTIES };

static const struct option longs[] = {
    TOOL_LONGS,
    {"default", no_argument, NULL, 'D'},
    {"hide-default", no_argument, NULL, OPT_HIDE},
    {"help-properties", no_argument, NULL, OPT_HELP_PROPERTIES},
    {"get", no_argument, NULL, 'g'},
    {"set", no_argument, NULL, 's'},
    {0},
};

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    (void)value;
    o->reset |= c == 'D';
    o->hide_default |= c == OPT_HIDE;
    o->help_properties |= c == OPT_HELP_PROPERTIES;
    return true;
}

static const struct tool tool = {
    .name = NAME,
    .usage = USAGE,
    .help = "  -D, --default   reset the property to its default\n"
            "  --hide-default  list only what is set\n"
            "  --help-properties  what each property means\n",
    .shorts = TOOL_SHORTS "Dgs",
    .longs = longs,
    .option = on_option,
};

static int refused(const char *domain, const char *property, const struct admin_reply *r)
{
    if (r->type && str_equal(r->type, "QubesNoSuchPropertyError"))
        return tool_usage(&tool, "no such property: '%s'", property);
    return tool_failed(&tool, domain, r);
}

static int add_row(struct table *t, char *line, bool hide_default)
{
    char *blank = strchr(line, ' ');
    struct property_value v;
    const char *value;

    if (!blank)
        return 0;
    *blank = 0;
    property_unescape(blank + 1);
    if (property_parse(blank + 1, &v) || (v.is_default && hide_default))
        return 0;
    value = *v.value || str_equal(v.type, "str") ? v.value : "None";
    if (table_add(t, line) ||
        table_add(t, v.is_default ? "D"
                     : *v.value   ? "-"
                                  : "U") ||
        table_add(t, value))
        return -1;
    return 0;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_all(const char *domain, bool hide_default)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    _cleanup_(table_deinit) struct table t = TABLE_NULL(3);
    char *text, *line, *lines[256];
    size_t n = 0;

    if (admin_call(PREFIX "GetAll", NULL, domain, NULL, &r))
        return tool_failed(&tool, domain, &r);
    for (text = r.content; n < ARRAY_SIZE(lines) && (line = next_line(&text));)
        lines[n++] = line;
    qsort(lines, n, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < n; i++)
        if (add_row(&t, lines[i], hide_default))
            return tool_error("out of memory");
    return table_print(&t, NULL);
}

static int help_properties(const char *domain)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    char *text, *line;

    if (admin_call(PREFIX "List", NULL, domain, NULL, &r))
        return tool_failed(&tool, domain, &r);
    for (text = r.content; (line = next_line(&text));) {
        _cleanup_(admin_reply_deinit) struct admin_reply help = ADMIN_REPLY_NULL;

        if (admin_call(PREFIX "Help", line, domain, NULL, &help) == 0)
            printf("%s\n    %s\n", line, help.content);
    }
    return fflush(stdout) ? 1 : 0;
}

static int show(const char *domain, const char *property)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    struct property_value v;

    if (admin_call(PREFIX "Get", property, domain, NULL, &r))
        return refused(domain, property, &r);
    if (property_parse(r.content, &v))
        return tool_error("cannot read the answer about '%s'", property);
    if (*v.value)
        printf("%s\n", v.value);
    return fflush(stdout) ? 1 : 0;
}

/* "none" means empty for properties that hold a domain, and for no other. */
static const char *plain_value(const char *property, const char *value)
{
    static const char *const vm[] = {"default_dispvm", "netvm",         "template",        "guivm",
                                     "audiovm",        "default_netvm", "default_template"};

    for (size_t i = 0; i < ARRAY_SIZE(vm); i++)
        if (str_equal(property, vm[i]) && strcasecmp(value, "none") == 0)
            return "";
    return value;
}

static int change(const char *domain, const char *property, const char *value)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    int e = value ? admin_call(PREFIX "Set", property, domain, plain_value(property, value), &r)
                  : admin_call(PREFIX "Reset", property, domain, NULL, &r);

    return e ? refused(domain, property, &r) : 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const char *domain = "dom0";
    char *property;
    int r = tool_start(&tool, argc, argv, &o), n = argc - optind - FIRST;

    if (r >= 0)
        return r;
    if (n < 0)
        return tool_usage(&tool, "which domain?");
    if (n > 2)
        return tool_usage(&tool, "too many words: '%s'", argv[optind + FIRST + 2]);
    if (FIRST)
        domain = argv[optind];
    property = n > 0 ? argv[optind + FIRST] : NULL;
    for (char *p = property; p && *p; p++)
        if (*p == '-')
            *p = '_';
    if (o.help_properties)
        return help_properties(domain);
    if (o.reset && n != 1)
        return tool_usage(&tool, "--default takes a property and no value");
    if (!property)
        return list_all(domain, o.hide_default);
    if (n == 2 || o.reset)
        return change(domain, property, o.reset ? NULL : argv[optind + FIRST + 1]);
    return show(domain, property);
}
