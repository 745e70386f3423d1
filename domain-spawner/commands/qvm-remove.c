/* qvm-remove: domains and their data, after a question. */
#include "domain-spawner/commands/tool.h"

#include <stdio.h>

struct options {
    struct selection select;
    bool force;
};

enum { OPT_ALL = TOOL_OWN, OPT_EXCLUDE };

static const struct option longs[] = {
    TOOL_LONGS,
    {"force", no_argument, NULL, 'f'},
    {"all", no_argument, NULL, OPT_ALL},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {0},
};

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    o->force |= c == 'f';
    o->select.all |= c == OPT_ALL;
    return c != OPT_EXCLUDE || tool_exclude(&o->select, value);
}

static const struct tool tool = {
    .name = "qvm-remove",
    .usage = "[-f] [--all [--exclude VM]] [VM...]",
    .help = "  -f, --force     without the question\n",
    .shorts = TOOL_SHORTS "f",
    .longs = longs,
    .option = on_option,
};

static bool confirmed(const struct domain_list *l)
{
    char answer[16];

    puts("This will completely remove the selected VM(s)...");
    for (size_t i = 0; i < l->n; i++)
        printf(" %s\n", l->items[i].name);
    printf("Are you sure? [y/N] ");
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    puts("Remove cancelled.");
    return false;
}

int main(int argc, char **argv)
{
    _cleanup_(domain_list_deinit) struct domain_list l = DOMAIN_LIST_NULL;
    struct options o = {0};
    int r = tool_start(&tool, argc, argv, &o), failed = 0;

    if (r >= 0)
        return r;
    r = tool_select(&tool, &o.select, argv + optind, argc - optind, &l);
    if (r >= 0)
        return r;
    if (!o.force && !confirmed(&l))
        return 1;
    for (size_t i = 0; i < l.n; i++) {
        _cleanup_(admin_reply_deinit) struct admin_reply reply = ADMIN_REPLY_NULL;

        if (admin_call("admin.vm.Remove", NULL, l.items[i].name, NULL, &reply)) {
            fprintf(stderr, "Error: Failed to remove: %s: %s\n", l.items[i].name,
                    reply.message ? reply.message : "out of memory");
            failed++;
        }
    }
    return failed ? 1 : 0;
}
