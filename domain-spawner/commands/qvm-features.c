/* qvm-features: features of a domain, strings that are set or not. */
#include "domain-spawner/commands/tool.h"

#include <stdio.h>

static const struct option longs[] = {
    TOOL_LONGS,
    {"unset", no_argument, NULL, 'D'},
    {"default", no_argument, NULL, 'D'},
    {"delete", no_argument, NULL, 'D'},
    {0},
};

static bool on_option(void *user, int c, const char *value)
{
    (void)value;
    *(bool *)user |= c == 'D';
    return true;
}

static const struct tool tool = {
    .name = "qvm-features",
    .usage = "[-D] VM [FEATURE [VALUE]]",
    .help = "  -D, --unset     remove the feature\n",
    .shorts = TOOL_SHORTS "D",
    .longs = longs,
    .option = on_option,
};

static bool is_missing(const struct admin_reply *r)
{
    return r->type && str_equal(r->type, "QubesFeatureNotFoundError");
}

static int list_all(const char *domain)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    _cleanup_(table_deinit) struct table t = TABLE_NULL(2);
    char *text, *line;

    if (admin_call("admin.vm.feature.List", NULL, domain, NULL, &r))
        return tool_failed(&tool, domain, &r);
    for (text = r.content; (line = next_line(&text));) {
        _cleanup_(admin_reply_deinit) struct admin_reply v = ADMIN_REPLY_NULL;

        if (admin_call("admin.vm.feature.Get", line, domain, NULL, &v) == 0 &&
            (table_add(&t, line) || table_add(&t, v.content)))
            return tool_error("out of memory");
    }
    return table_print(&t, NULL);
}

int main(int argc, char **argv)
{
    _cleanup_(admin_reply_deinit) struct admin_reply reply = ADMIN_REPLY_NULL;
    bool unset = false;
    int r = tool_start(&tool, argc, argv, &unset), n = argc - optind;
    char **word = argv + optind;

    if (r >= 0)
        return r;
    if (n < 1 || n > 3)
        return tool_usage(&tool, n < 1 ? "which domain?" : "too many words");
    if (unset && n != 2)
        return tool_usage(&tool, "--unset takes a feature and no value");
    if (n == 1)
        return list_all(word[0]);
    if (unset) {
        r = admin_call("admin.vm.feature.Remove", word[1], word[0], NULL, &reply);
        return r && !is_missing(&reply) ? tool_failed(&tool, word[0], &reply) : 0;
    }
    if (n == 3) {
        r = admin_call("admin.vm.feature.Set", word[1], word[0], word[2], &reply);
        return r ? tool_failed(&tool, word[0], &reply) : 0;
    }
    r = admin_call("admin.vm.feature.Get", word[1], word[0], NULL, &reply);
    if (r)
        return is_missing(&reply) ? 1 : tool_failed(&tool, word[0], &reply);
    printf("%s\n", reply.content);
    return fflush(stdout) ? 1 : 0;
}
