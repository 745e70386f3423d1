/* qrexec-policy who-can [ext]: all that may call, by class, with the rule that allows it. */
#include "policy-engine/analysis-cli.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"

#include <stdio.h>

#define USAGE                                                                                      \
    "who-can [SERVICE[+ARG]] [--from SOURCE] [--to TARGET] [--ask] [--today] [--witness]\n"        \
    "  [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE]\n"                                \
    "all that may call, in every world of domains (--today: the domains at hand), a line each\n"   \
    "exit code 0: some may; 1: impossible; 2: not to be told"

struct listing {
    const struct policy *policy;
    bool witness, approximate;
    size_t n;
};

static int print_example(void *data, const struct policy_example *e)
{
    struct listing *l = data;
    struct policy_rule_view v;

    policy_get_rule(l->policy, e->rule, &v);
    printf("%-5s %s %s  %s -> %s  %s:%u  (%s%s from %s to %s%s%s)\n", v.action, v.service,
           v.argument, e->source_class, e->target_class, v.file, v.line, e->service, e->argument,
           e->source, e->target, e->action == POLICY_ASK ? " offers " : "",
           e->action == POLICY_ASK ? e->final : "");
    if (l->witness)
        print_domains(e->domains);
    l->approximate |= e->approximate;
    l->n++;
    return 0;
}

/* No call ends at these two: "impossible" would be true of every policy. */
static int check_end(const char *to)
{
    if (!to || (strcmp(to, "@default") != 0 && strcmp(to, "@dispvm") != 0))
        return 0;
    log_error("no call ends at %s, which the policy turns into something else first: ask with --to "
              "about a domain, or about @dispvm:NAME",
              to);
    return 2;
}

static int list(const struct cli *c, const struct policy_goal *goal, bool today, bool witness)
{
    _cleanup_(policy_closers_deinit) struct policy_closers closers = {0};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source = cli_source(c);
    struct listing l = {.witness = witness};
    int r = check_end(goal->target);

    if (!r)
        r = cli_policy(&source, &p);
    if (!r && today)
        r = cli_domains(c, &d) ? 2 : 0;
    if (r)
        return r;
    l.policy = p;
    r = policy_who_can(p, d, goal, print_example, &l, &closers);
    if (r) {
        log_error("cannot tell who may call: %s", r > 0 ? "--from or --to is no such token (as in "
                                                          "a rule's source or target)"
                                                        : strerror(-r));
        return 2;
    }
    if (!l.n)
        print_closers(p, &closers);
    if (!l.n && !goal->ask)
        printf("(calls that the user is asked about are not counted; --ask counts them)\n");
    if (!l.n && goal->target && !today)
        printf("(what a call to a remote domain shows to its relay is not counted; --today counts "
               "the relays at hand)\n");
    if (l.n && l.approximate)
        log_warning("approximate: regular expressions were tried with some arguments only");
    if (fflush(stdout))
        return 2;
    return l.n ? 0 : 1;
}

int cmd_who_can(int argc, char **argv)
{
    _cleanup_(freep) char *service = NULL, *argument = NULL;
    struct policy_goal goal = {.allow = true};
    bool today = false, witness = false;
    const struct own_option own[] = {{"--from", &goal.source, NULL},
                                     {"--to", &goal.target, NULL},
                                     {"--ask", NULL, &goal.ask},
                                     {"--today", NULL, &today},
                                     {"--witness", NULL, &witness}};
    struct cli c = {0};
    int r = own_options(&argc, argv, own, ARRAY_SIZE(own));

    if (!r)
        r = cli_options(argc, argv, &c, USAGE);
    if (r)
        return r;
    if (argc - optind > 1) {
        log_error("one SERVICE[+ARG] at most");
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    r = split_service(argv[optind], &service, &argument);
    if (r) {
        log_error("out of memory");
        return 2;
    }
    goal.service = service;
    goal.argument = argument;
    goal.relays = true;
    return list(&c, &goal, today, witness);
}
