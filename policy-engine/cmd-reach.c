/* qrexec-policy reach [ext]: whether data can get from one domain to another, by any calls. */
#include "policy-engine/analysis-cli.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "reach FROM TO [--service SERVICE[+ARG]] [--no-ask] [--today] [--witness]\n"                   \
    "  [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE]\n"                                \
    "whether what callers send can get from FROM to TO, through any chain of calls, redirects\n"   \
    "and disposables, in any world of domains (--today: with the domains at hand)\n"               \
    "exit code 0: yes, the shortest chain is shown; 1: impossible; 2: not to be told"

/* Any domain could be the relay of a remote one, so the worlds leave relays out. */
enum relays {
    RELAYS_COUNTED,  /* with all else */
    RELAYS_LEFT_OUT, /* the domains are not known */
    RELAYS_ONLY,     /* all worlds without relays were in vain, so the domains at hand were tried */
};

static void print_chain(const struct policy *p, const struct policy_chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct policy_hop *h = &c->hops[i];
        struct policy_rule_view v;

        policy_get_rule(p, h->rule, &v);
        printf("%s -> %s  %s %s%s, asked for %s  %s:%u\n", h->source, h->final, v.action,
               h->service, h->argument, h->target, v.file, v.line);
    }
}

static int tell(const struct policy *p, const struct policy_reach_goal *goal, int r,
                const struct policy_chain *chain, bool witness, enum relays relays)
{
    if (r == 0) {
        if (relays == RELAYS_ONLY)
            printf("by the relay of a remote domain at hand:\n");
        print_chain(p, chain);
        if (witness)
            print_domains(chain->domains);
    } else if (r == POLICY_E_IMPOSSIBLE) {
        print_closers(p, &chain->closers);
        printf("(what services send back to their callers is not counted)\n");
        if (relays == RELAYS_LEFT_OUT)
            printf("(what a call to a remote domain shows to its relay is not counted; --today "
                   "counts the relays at hand)\n");
        if (relays == RELAYS_ONLY)
            printf("(of what a call to a remote domain shows to its relay, only the relays at hand "
                   "are counted)\n");
    } else {
        log_error("cannot tell whether data gets from %s to %s: %s", goal->from, goal->to,
                  r == POLICY_E_INVALID    ? "no such tokens (FROM as in a rule's source, TO as in "
                                             "its target; no call ends at @default or @dispvm, but "
                                             "at @dispvm:NAME)"
                  : r == POLICY_E_TOO_MUCH ? "too many chains (--service limits them)"
                                           : strerror(-r));
        return 2;
    }
    return fflush(stdout) ? 2 : r ? 1 : 0;
}

/* The domains, if they can be had without asking for them by name. 0, 2: told. */
static int domains_at_hand(const struct cli *c, struct policy_domains **ret)
{
    if (c->domains_file)
        return cli_domains(c, ret) ? 2 : 0;
    (void)system_info_fetch(ret);
    return 0;
}

static int reach_worlds(const struct cli *c, const struct policy *p,
                        const struct policy_reach_goal *goal, bool witness)
{
    _cleanup_(policy_chain_deinit) struct policy_chain chain = {0}, today = {0};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    int r = policy_reach(p, NULL, goal, &chain), at_hand;

    if (r != POLICY_E_IMPOSSIBLE)
        return tell(p, goal, r, &chain, witness, RELAYS_COUNTED);
    if (domains_at_hand(c, &d))
        return 2;
    if (!d)
        return tell(p, goal, r, &chain, witness, RELAYS_LEFT_OUT);
    at_hand = policy_reach(p, d, goal, &today);
    if (at_hand == POLICY_E_IMPOSSIBLE)
        return tell(p, goal, r, &chain, witness, RELAYS_ONLY);
    return tell(p, goal, at_hand, &today, witness, RELAYS_ONLY);
}

static int reach_today(const struct cli *c, const struct policy *p,
                       const struct policy_reach_goal *goal, bool witness)
{
    _cleanup_(policy_chain_deinit) struct policy_chain chain = {0};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    int r;

    if (cli_domains(c, &d))
        return 2;
    r = policy_reach(p, d, goal, &chain);
    return tell(p, goal, r, &chain, witness, RELAYS_COUNTED);
}

static int reach(const struct cli *c, const struct policy_reach_goal *goal, bool today,
                 bool witness)
{
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source = cli_source(c);
    int r = cli_policy(&source, &p);

    if (r)
        return r;
    return today ? reach_today(c, p, goal, witness) : reach_worlds(c, p, goal, witness);
}

int cmd_reach(int argc, char **argv)
{
    _cleanup_(freep) char *service = NULL, *argument = NULL;
    bool today = false, witness = false, no_ask = false;
    const char *word = NULL;
    const struct own_option own[] = {{"--service", &word, NULL},
                                     {"--no-ask", NULL, &no_ask},
                                     {"--today", NULL, &today},
                                     {"--witness", NULL, &witness}};
    struct policy_reach_goal goal = {0};
    struct cli c = {0};
    int r = own_options(&argc, argv, own, ARRAY_SIZE(own));

    if (!r)
        r = cli_options(argc, argv, &c, USAGE);
    if (r)
        return r;
    if (argc - optind != 2) {
        log_error("two domains are wanted");
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (split_service(word, &service, &argument)) {
        log_error("out of memory");
        return 2;
    }
    goal = (struct policy_reach_goal){.from = argv[optind],
                                      .to = argv[optind + 1],
                                      .service = service,
                                      .argument = argument,
                                      .ask = !no_ask};
    return reach(&c, &goal, today, witness);
}
