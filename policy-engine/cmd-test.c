/*
 * qrexec-policy test: files of expected verdicts against the policy.
 *
 * Whatever keeps a line from being judged (a policy that does not load or that the daemon refuses
 * for a never line, unknown domains, a file that cannot be read or holds no test) ends with 2 and
 * never with "passed".
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/expectations.h"
#include "policy-engine/policy-cli.h"

#include <stdio.h>

#define USAGE                                                                                      \
    "test [--format=text|tap] [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] FILE...\n" \
    "exit code 0: as expected; 1: some verdict differs; 2: not all could be tested"

struct run {
    const struct policy *policy;
    const struct policy_domains *domains;
    bool tap;
    size_t n, failed;
};

static bool take_option(void *user, int o, const char *value)
{
    struct run *run = user;

    (void)o;
    run->tap = str_equal(value, "tap");
    return run->tap || str_equal(value, "text");
}

/* The rule that decided, with its text. */
static void print_rule(const struct run *run, const struct policy_verdict *v)
{
    struct policy_rule_view rule;

    if (v->rule == POLICY_NO_RULE) {
        printf("no rule is about it\n");
        return;
    }
    policy_get_rule(run->policy, v->rule, &rule);
    printf("by %s:%u: %s\n", rule.file, rule.line, *rule.text ? rule.text : "(implicit deny)");
}

static int test_one(struct run *run, const struct expectations *file, const struct expectation *e)
{
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
    _cleanup_(freep) char *instead = NULL;
    int r = expectation_decide(e, run->policy, run->domains, &v);

    if (!r)
        instead = expectation_differs(e, &v, &r);
    if (r)
        return r;
    run->n++;
    run->failed += instead != NULL;
    if (run->tap)
        printf("%sok %zu - %s:%u: %s\n", instead ? "not " : "", run->n, file->file, e->line,
               e->text);
    if (instead) {
        printf("%s%s:%u: %s: %s, ", run->tap ? "# " : "", file->file, e->line, e->text, instead);
        print_rule(run, &v);
    }
    return 0;
}

static int test_file(struct run *run, const char *path)
{
    _cleanup_(expectations_deinit) struct expectations file = {0};
    _cleanup_(freep) char *error = NULL;
    int r = expectations_read(path, &file, &error);

    if (!r)
        r = expectations_check(&file, run->domains, &error);
    for (size_t i = 0; !r && i < file.n; i++)
        r = test_one(run, &file, &file.list[i]);
    if (r > 0)
        log_error("%s", error);
    if (r < 0)
        log_error("cannot test %s: %s", path, strerror(-r));
    return r ? 2 : 0;
}

int cmd_test(int argc, char **argv)
{
    static const struct option longs[] = {{"format", required_argument, NULL, CLI_OWN}, {0}};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct run run = {0};
    struct cli c = {0};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &run});

    if (!r && optind == argc) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (r)
        return r;
    if (cli_load_in_force(&c, &p) || cli_domains(&c, &d))
        return 2;
    run.policy = p;
    run.domains = d;
    for (; !r && optind < argc; optind++)
        r = test_file(&run, argv[optind]);
    if (run.tap && !r)
        printf("1..%zu\n", run.n);
    if (!run.tap && !r)
        printf("%zu tests, %zu failed\n", run.n, run.failed);
    return fflush(stdout) ? 2 : r ? r : run.failed ? 1 : 0;
}
