/* qrexec-policy diff [ext]: which requests two policies decide differently. */
#include "policy-engine/analysis-cli.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "diff A B [--wider] [--today] [--witness] [--legacy-dir DIR] [--domains FILE]\n"               \
    "the classes of requests that the policies of two directories decide differently, in every\n"  \
    "world of domains (--today: with the domains at hand), each with a request that shows it;\n"   \
    "--wider: only what B allows or asks and A does not\n"                                         \
    "exit code 0: compared (--wider: nothing is wider); 1: something is wider; 2: not to be told"

struct listing {
    const struct policy *a, *b;
    bool witness, approximate;
    size_t n;
};

static void print_place(const struct policy *p, uint32_t rule)
{
    struct policy_rule_view v;

    if (rule == POLICY_NO_RULE) {
        printf("no rule");
        return;
    }
    policy_get_rule(p, rule, &v);
    printf("%s:%u", v.file, v.line);
}

static int print_difference(void *data, const struct policy_difference *d)
{
    struct listing *l = data;

    printf("%s  %s%s  %s -> %s  [%s] by ", d->wider ? "wider " : "differs", d->service, d->argument,
           d->source_class, d->target_class, d->verdict_a);
    print_place(l->a, d->rule_a);
    printf(", now [%s] by ", d->verdict_b);
    print_place(l->b, d->rule_b);
    printf("  (%s%s from %s to %s)\n", d->service, d->argument, d->source, d->target);
    if (l->witness)
        print_domains(d->domains);
    l->approximate |= d->approximate;
    l->n++;
    return 0;
}

static int load(const struct cli *c, const char *dir, struct policy **ret)
{
    const char *const dirs[] = {dir, NULL};

    return cli_policy(&(struct policy_source){.dirs = dirs, .legacy_dir = c->legacy_dir}, ret);
}

static int compare(const struct cli *c, char **dirs, bool wider, bool today, bool witness)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *a = NULL, *b = NULL;
    struct listing l = {.witness = witness};
    int r = load(c, dirs[0], &a);

    if (!r)
        r = load(c, dirs[1], &b);
    if (!r && today)
        r = cli_domains(c, &d) ? 2 : 0;
    if (r)
        return r;
    l.a = a;
    l.b = b;
    r = policy_diff(a, b, d, wider, print_difference, &l);
    if (r) {
        log_error("cannot compare %s and %s: %s", dirs[0], dirs[1], strerror(-r));
        return 2;
    }
    if (l.approximate)
        log_warning("approximate: regular expressions were tried with some arguments only");
    if (fflush(stdout))
        return 2;
    return wider && l.n ? 1 : 0;
}

int cmd_diff(int argc, char **argv)
{
    bool wider = false, today = false, witness = false;
    const struct own_option own[] = {
        {"--wider", NULL, &wider}, {"--today", NULL, &today}, {"--witness", NULL, &witness}};
    struct cli c = {0};
    int r = own_options(&argc, argv, own, ARRAY_SIZE(own));

    if (!r)
        r = cli_options(argc, argv, &c, USAGE);
    if (r)
        return r;
    if (argc - optind != 2) {
        log_error("two policy directories are wanted");
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    return compare(&c, argv + optind, wider, today, witness);
}
