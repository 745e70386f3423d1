/* qvm-create: a new domain. */
#include "domain-spawner/commands/tool.h"

#include <stdio.h>

#define MOST_PROPERTIES 64

struct options {
    const char *klass, *template, *label;
    const char *property[MOST_PROPERTIES];
    size_t n;
    bool help_classes;
};

enum { OPT_STANDALONE = TOOL_OWN, OPT_DISP, OPT_PROPERTY, OPT_HELP_CLASSES };

static const struct option longs[] = {
    TOOL_LONGS,
    {"class", required_argument, NULL, 'C'},
    {"standalone", no_argument, NULL, OPT_STANDALONE},
    {"disp", no_argument, NULL, OPT_DISP},
    {"template", required_argument, NULL, 't'},
    {"label", required_argument, NULL, 'l'},
    {"property", required_argument, NULL, OPT_PROPERTY},
    {"prop", required_argument, NULL, OPT_PROPERTY},
    {"help-classes", no_argument, NULL, OPT_HELP_CLASSES},
    {0},
};

static bool on_option(void *user, int c, const char *value);

static const struct tool tool = {
    .name = "qvm-create",
    .usage = "[-C CLASS] [-t TEMPLATE] -l LABEL [--property P=V]... NAME",
    .help = "  -C, --class CLASS      AppVM unless given; --standalone, --disp for short\n"
            "  -t, --template T       the default template unless given\n"
            "  -l, --label L          red orange yellow green gray blue purple black\n"
            "  --property P=V         set after creation (may repeat)\n"
            "  --help-classes         list the classes\n",
    .shorts = TOOL_SHORTS "C:t:l:",
    .longs = longs,
    .option = on_option,
};

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    if (c == OPT_PROPERTY && (!strchr(value, '=') || o->n == MOST_PROPERTIES)) {
        tool_usage(&tool, "--property takes NAME=VALUE, at most %d times", MOST_PROPERTIES);
        return false;
    }
    if (c == OPT_PROPERTY)
        o->property[o->n++] = value;
    else if (c == 'C')
        o->klass = value;
    else if (c == 't')
        o->template = value;
    else if (c == 'l')
        o->label = value;
    else if (c == OPT_STANDALONE)
        o->klass = "StandaloneVM";
    else if (c == OPT_DISP)
        o->klass = "DispVM";
    o->help_classes |= c == OPT_HELP_CLASSES;
    return true;
}

static int show_classes(void)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;

    if (admin_call("admin.vmclass.List", NULL, "dom0", NULL, &r))
        return tool_failed(&tool, "dom0", &r);
    fputs(r.content, stdout);
    return fflush(stdout) ? 1 : 0;
}

static int set_properties(const struct options *o, const char *name)
{
    int result = 0;

    for (size_t i = 0; i < o->n; i++) {
        _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
        _cleanup_(freep) char *key = strdup(o->property[i]);
        char *value = key ? strchr(key, '=') : NULL;

        if (!value)
            return tool_error("out of memory");
        *value++ = 0;
        if (admin_call("admin.vm.property.Set", key, name, value, &r)) {
            tool_error("%s is made, but its property %s: %s", name, key, r.message);
            result = 2;
        }
    }
    return result;
}

int main(int argc, char **argv)
{
    _cleanup_(admin_reply_deinit) struct admin_reply reply = ADMIN_REPLY_NULL;
    _cleanup_(freep) char *method = NULL, *payload = NULL;
    struct options o = {.klass = "AppVM"};
    int r = tool_start(&tool, argc, argv, &o);

    if (r >= 0)
        return r;
    if (o.help_classes)
        return show_classes();
    if (argc - optind != 1)
        return tool_usage(&tool, argc - optind ? "too many words" : "which name?");
    if (!o.label && str_equal(o.klass, "DispVM"))
        o.label = "red";
    if (!o.label)
        return tool_usage(&tool, "--label is needed");
    method = format_new("admin.vm.Create.%s", o.klass);
    payload = format_new("name=%s label=%s", argv[optind], o.label);
    if (!method || !payload)
        return tool_error("out of memory");
    if (admin_call(method, o.template, "dom0", payload, &reply))
        return tool_error("%s", reply.message ? reply.message : "out of memory");
    return set_properties(&o, argv[optind]);
}
