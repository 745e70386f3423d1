/* qrexec-policy explain: why a request gets its verdict, and what would change it. */
#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

#include <getopt.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "explain [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] SOURCE TARGET "             \
    "SERVICE[+ARGUMENT]"

static int explain(const struct cli *c, const struct policy_request *q)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    _cleanup_(freep) char *text = NULL;
    struct policy_source source = cli_source(c);
    struct policy_verdict v = {0};
    int r = policy_load(&source, &p, &error);

    if (r > 0)
        printf("deny: the policy does not load, so every call is denied.\n  %s:%u: %s\nMend that "
               "line.\n",
               error.file, error.line, error.text);
    if (r)
        return r > 0 ? 1 : (perror("qrexec-policy"), 2);
    r = cli_domains(c, &d);
    if (r)
        return 2;
    if (policy_explain(p, d, q, &text) || policy_decide(p, d, q, &v))
        return 2;
    fputs(text, stdout);
    r = v.action == POLICY_ALLOW ? 0 : 1;
    policy_verdict_deinit(&v);
    return fflush(stdout) ? 2 : r;
}

int cmd_explain(int argc, char **argv)
{
    _cleanup_(freep) char *argument = NULL;
    struct cli c = {0};
    char *service, *plus;
    int r = cli_options(argc, argv, &c, USAGE);

    if (r)
        return r;
    if (argc - optind != 3) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    service = argv[optind + 2];
    plus = strchr(service, '+');
    argument = strdup(plus ? plus : "+");
    if (!argument)
        return 2;
    if (plus)
        *plus = 0;
    return explain(&c, &(struct policy_request){.service = service,
                                                .argument = argument,
                                                .source = argv[optind],
                                                .target = argv[optind + 1]});
}
