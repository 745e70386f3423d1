/* qrexec-policy replay: what another policy would have said to the calls in the decision log. */
#include "libqrexec/base/log.h"
#include "policy-engine/log-read.h"
#include "policy-engine/policy-cli.h"
#include "policy-engine/shadow.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#define USAGE "replay LOG|- --policy DIR [--policy DIR]... [--legacy-dir DIR] [--domains FILE]"

struct replay {
    struct policy *policy;
    struct policy_domains *domains;
    uint64_t calls, flips;
};

/* Did a rule ask, whatever came of it? */
static bool was_asked(const struct log_record *r)
{
    return *r->asked || str_equal(r->reason, "user") || str_equal(r->reason, "not-asked") ||
           str_equal(r->reason, "bad-answer") || str_equal(r->reason, "no-guivm");
}

static bool is_choice(const struct policy_domains *d, const struct policy_verdict *v,
                      const char *final)
{
    const struct policy_domain *dom = policy_domains_find(d, final);
    bool found = false;

    for (size_t i = 0; !found && i < v->n_choices; i++)
        found = str_equal(v->choices[i], final) ||
                (dom && dom == policy_domains_find(d, v->choices[i]));
    return found;
}

/* Of a mere question nobody is asked: a yes is assumed where the target may be chosen. So what the
 * rule was cannot be told from it, and an ask answers it alike. */
static bool answers_alike(const struct replay *rp, const struct log_record *r,
                          const struct policy_verdict *v)
{
    const char *final = *r->final ? r->final : r->target;

    return str_equal(r->verdict, "allow") == is_choice(rp->domains, v, final);
}

static bool is_same(const struct replay *rp, const struct log_record *r,
                    const struct policy_verdict *v)
{
    bool allowed = str_equal(r->verdict, "allow");

    if (v->action == POLICY_ASK && *r->evaluated_by && !was_asked(r))
        return answers_alike(rp, r, v);
    if (v->action == POLICY_ASK || was_asked(r))
        return v->action == POLICY_ASK && was_asked(r);
    if (v->action == POLICY_ALLOW)
        return allowed && str_equal(r->final, v->target);
    return !allowed;
}

/* Denied because no yes came, not because of a rule. */
static bool is_lack(const struct log_record *r)
{
    return *r->reason && was_asked(r);
}

static void print_flip(const struct log_record *r, const struct policy_verdict *v)
{
    _cleanup_(freep) char *now = shadow_verdict_text(v);

    printf("%s %s %s%s %s -> %s: %s%s%s%s%s (%s) becomes %s\n", r->time, r->call_id, r->service,
           r->argument, *r->requested_source ? r->requested_source : r->source,
           *r->target ? r->target : "@default", was_asked(r) ? "ask, " : "", r->verdict,
           *r->final ? " to " : "", r->final, is_lack(r) ? " for lack of it" : "",
           *r->rule     ? r->rule
           : *r->reason ? r->reason
                        : "no rule",
           now ? now : "?");
}

static int replay_one(void *user, const struct log_record *r)
{
    struct replay *rp = user;
    struct policy_verdict v = {0};

    if (r->repeats || !*r->service)
        return 0;
    rp->calls++;
    if (policy_decide(rp->policy, rp->domains,
                      &(struct policy_request){.service = r->service,
                                               .argument = *r->argument ? r->argument : "+",
                                               .source = r->source,
                                               .target = r->target,
                                               .requested_source = r->requested_source,
                                               .just_evaluate = *r->evaluated_by},
                      &v))
        return -ENOMEM;
    if (!is_same(rp, r, &v)) {
        rp->flips++;
        print_flip(r, &v);
    }
    policy_verdict_deinit(&v);
    return 0;
}

int cmd_replay(int argc, char **argv)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct log_check check;
    struct replay rp = {0};
    struct cli c = {0};
    int r = cli_options(argc, argv, &c, USAGE);

    if (r)
        return r == CLI_END ? 0 : r;
    if (argc - optind != 1) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (cli_load(&c, &p) || cli_domains(&c, &d))
        return 2;
    rp.policy = p;
    rp.domains = d;
    r = log_read(
        argv[optind],
        &(struct log_reader){.fn = replay_one, .user = &rp, .complain = stderr, .verify = true},
        &check);
    if (r) {
        log_error("cannot read the decision log %s: %s", argv[optind], strerror(-r));
        return 2;
    }
    printf("%" PRIu64 " calls, %" PRIu64 " would be decided otherwise\n", rp.calls, rp.flips);
    /* what a line that is no record would have become, nobody knows */
    return fflush(stdout) || check.no_records ? 2 : rp.flips ? 1 : 0;
}
