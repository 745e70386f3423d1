/* qrexec-policy list: the rules in order of evaluation, each with its place. */
#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

#include <stdio.h>

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
        printf("%s %s %s %s %s%s%s%s%s%s%s  # %s:%u\n", v.service, v.argument, v.source, v.target,
               v.action, v.redirect ? " target=" : "", v.redirect ? v.redirect : "",
               v.default_target ? " default_target=" : "", v.default_target ? v.default_target : "",
               v.user ? " user=" : "", v.user ? v.user : "", v.file, v.line);
    }
    return fflush(stdout) ? 1 : 0;
}
