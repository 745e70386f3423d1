/*
 * qrexec-policy lint: every error of the files, or, where they load, what is surely wrong in them.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

#include <stdio.h>

#define USAGE                                                                                      \
    "lint [--format=gcc] [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE]\n"              \
    "exit code 0: nothing found; 1: findings; 2: lint itself failed"

static void print_findings(const struct cli *c, const struct policy_findings *f, const char *kind)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->list[i].line)
            printf("%s:%u: ", f->list[i].file, f->list[i].line);
        else
            printf("%s:%s ", f->list[i].file, c->gcc ? "1:" : "");
        printf("%s%s%s\n", c->gcc ? kind : "", c->gcc ? ": " : "", f->list[i].text);
    }
}

static int lint_loaded(const struct cli *c, const struct policy *p)
{
    _cleanup_(policy_findings_deinit) struct policy_findings f = {0};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    int r = cli_domains(c, &d);

    if (r && c->domains_file)
        return 2;
    if (r)
        log_warning("names, tags and networks of domains are not checked");
    r = policy_lint(p, d, &f);
    if (r) {
        log_error("cannot check the policy: %s", strerror(-r));
        return 2;
    }
    print_findings(c, &f, "warning");
    return f.n ? 1 : 0;
}

int cmd_lint(int argc, char **argv)
{
    _cleanup_(policy_findings_deinit) struct policy_findings errors = {0};
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source;
    struct cli c = {0};
    int r = cli_options(argc, argv, &c, USAGE);

    if (r)
        return r;
    source = cli_source(&c);
    r = policy_load(&source, &p, &error);
    if (r > 0)
        r = policy_lint_errors(&source, &errors);
    if (r < 0) {
        log_error("cannot read the policy: %s", strerror(-r));
        return 2;
    }
    if (!p) {
        print_findings(&c, &errors, "error");
        fflush(stdout);
        log_error("the policy does not load, so every call is denied until this is mended");
    }
    r = p ? lint_loaded(&c, p) : 1;
    return fflush(stdout) ? 2 : r;
}
