/* qvm-tags: tags of a domain. */
#include "domain-spawner/commands/tool.h"

#include <stdio.h>

static const struct option longs[] = {TOOL_LONGS, {0}};

static bool on_option(void *user, int c, const char *value)
{
    (void)user;
    (void)c;
    (void)value;
    return true;
}

static const struct tool tool = {
    .name = "qvm-tags",
    .usage = "VM [list [TAG] | add TAG... | del TAG...]",
    .help = "",
    .shorts = TOOL_SHORTS,
    .longs = longs,
    .option = on_option,
};

static int list(const char *domain, const char *tag)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    int e = admin_call(tag ? "admin.vm.tag.Get" : "admin.vm.tag.List", tag, domain, NULL, &r);

    if (e)
        return tool_failed(&tool, domain, &r);
    if (tag && !str_equal(r.content, "1"))
        return 1;
    if (tag)
        printf("%s\n", tag);
    else
        fputs(r.content, stdout);
    return fflush(stdout) ? 1 : 0;
}

static int change(const char *method, const char *domain, char **tags, int n)
{
    if (n < 1)
        return tool_usage(&tool, "which tag?");
    for (int i = 0; i < n; i++) {
        _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;

        if (admin_call(method, tags[i], domain, NULL, &r))
            return tool_failed(&tool, domain, &r);
    }
    return 0;
}

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (str_equal(word, *names))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static const char *const lists[] = {"list", "ls", "l", NULL};
    static const char *const adds[] = {"add", "a", "set", NULL};
    static const char *const dels[] = {"del", "d", "unset", "u", NULL};
    int r = tool_start(&tool, argc, argv, NULL), n = argc - optind;
    char **word = argv + optind;

    if (r >= 0)
        return r;
    if (n < 1)
        return tool_usage(&tool, "which domain?");
    if (n == 1)
        return list(word[0], NULL);
    if (is_one_of(word[1], lists) && n <= 3)
        return list(word[0], n == 3 ? word[2] : NULL);
    if (is_one_of(word[1], adds))
        return change("admin.vm.tag.Set", word[0], word + 2, n - 2);
    if (is_one_of(word[1], dels))
        return change("admin.vm.tag.Remove", word[0], word + 2, n - 2);
    return tool_usage(&tool, "unknown command: '%s'", word[1]);
}
