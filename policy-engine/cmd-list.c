/* qrexec-policy list: the rules in order of evaluation, each with its place. */
#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

#include <stdio.h>

static void print_text(const char *key, const char *value)
{
    if (value)
        printf(" %s=%s", key, value);
}

static void print_rule(const struct policy_rule_view *v)
{
    bool deny = strcmp(v->action, "deny") == 0;

    printf("%s %s %s %s %s", v->service, v->argument, v->source, v->target, v->action);
    print_text("target", v->redirect);
    print_text("default_target", v->default_target);
    print_text("user", v->user);
    if (v->notify != deny) /* else it says what goes without saying */
        print_text("notify", v->notify ? "yes" : "no");
    if (!deny && !v->autostart)
        print_text("autostart", "no");
    printf("  # %s:%u\n", v->file, v->line);
}

int cmd_list(int argc, char **argv)
{
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source;
    struct cli c = {0};
    int r = cli_options(argc, argv, &c, "list [--policy-dir DIR]... [--legacy-dir DIR]");

    if (r)
        return r;
    source = cli_source(&c);
    r = policy_load(&source, &p, &error);
    if (r) {
        fprintf(stderr,
                "qrexec-policy: the policy does not load, so every call is denied: %s:%u: %s\n",
                r > 0 ? error.file : "-", error.line, r > 0 ? error.text : strerror(-r));
        return 1;
    }
    cli_warn_never(p);
    for (size_t i = 0; i < policy_count_rules(p); i++) {
        struct policy_rule_view v;

        policy_get_rule(p, i, &v);
        print_rule(&v);
    }
    return fflush(stdout) ? 1 : 0;
}
