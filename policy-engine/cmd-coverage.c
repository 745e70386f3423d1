/*
 * qrexec-policy coverage: rules that no test used, or no call of the decision log, with the date
 * of their last use.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/coverage.h"
#include "policy-engine/expectations.h"
#include "policy-engine/log-read.h"
#include "policy-engine/policy-cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define USAGE                                                                                      \
    "coverage [--tests FILE]... [--log FILE]... [--since YYYY-MM-DD] [--all]\n"                    \
    "         [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE]\n"                         \
    "exit code 0: the report is made, whatever it says; 2: it could not be made"

#define FILES_MAX 64

enum { O_TESTS = CLI_OWN, O_LOG, O_SINCE, O_ALL };

struct job {
    const char *tests[FILES_MAX], *logs[FILES_MAX];
    size_t n_tests, n_logs;
    int64_t since;
    bool all;
    struct coverage coverage;
    const struct cli *cli;
    struct policy_domains *domains; /* NULL: not asked for yet, or not to be had */
    bool no_domains;
    char signature[17]; /* of the policy, as records have it */
    size_t strangers;   /* records whose rule this policy does not have */
};

static bool parse_date(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);

    if (!end || *end)
        return false;
    *ret = timegm(&tm);
    return true;
}

static bool take_option(void *user, int o, const char *value)
{
    struct job *job = user;

    if (o == O_ALL)
        return job->all = true;
    if (o == O_SINCE)
        return parse_date(value, &job->since);
    if (o == O_TESTS && job->n_tests < FILES_MAX)
        return job->tests[job->n_tests++] = value, true;
    if (o == O_LOG && job->n_logs < FILES_MAX)
        return job->logs[job->n_logs++] = value, true;
    return false;
}

static int run_tests(struct job *job, const char *path, char **reterr)
{
    _cleanup_(expectations_deinit) struct expectations file = {0};
    int r = expectations_read(path, &file, reterr);

    if (!r)
        r = expectations_check(&file, job->domains, reterr);
    for (size_t i = 0; !r && i < file.n; i++) {
        struct policy_verdict v = {0};

        r = expectation_decide(&file.list[i], job->coverage.policy, job->domains, &v);
        if (r)
            continue;
        coverage_add_test(&job->coverage, v.rule);
        policy_verdict_deinit(&v);
    }
    return r;
}

/* Was it made under a policy of which it is known that it is not this one? */
static bool is_of_another(const struct job *job, const struct log_record *record)
{
    return *record->policy && !str_equal(record->policy, job->signature) && *record->service &&
           *record->source;
}

static bool has_domains(struct job *job)
{
    if (!job->domains && !job->no_domains) {
        job->no_domains = cli_domains(job->cli, &job->domains) != 0;
        if (job->no_domains)
            log_warning("records of earlier policies are counted by the place of their rule");
    }
    return !job->no_domains;
}

/* Lines have moved since: the call is decided again, by this policy. 0 or -ENOMEM. */
static int replay(struct job *job, const struct log_record *record)
{
    struct policy_request q = {.service = record->service,
                               .argument = *record->argument ? record->argument : "+",
                               .source = record->source,
                               .target = record->target,
                               .requested_source = record->requested_source,
                               .just_evaluate = *record->evaluated_by};
    struct policy_verdict v = {0};
    int r = policy_decide(job->coverage.policy, job->domains, &q, &v);

    if (r)
        return r;
    coverage_add_call_of(&job->coverage, v.rule, record->seconds);
    policy_verdict_deinit(&v);
    return 0;
}

static int on_record(void *user, const struct log_record *record)
{
    struct job *job = user;

    if (is_of_another(job, record) && has_domains(job))
        return replay(job, record);
    /* a call that no rule decided says "-" or nothing */
    if (strchr(record->rule, ':') &&
        !coverage_add_call(&job->coverage, record->rule, record->seconds))
        job->strangers++;
    return 0;
}

/* 0 or 2. */
static int told(const char *path, int r, const char *error)
{
    if (r > 0 && error)
        log_error("%s", error);
    if (r < 0)
        log_error("cannot read %s: %s", path, strerror(-r));
    return r ? 2 : 0;
}

static int read_log(struct job *job, const char *path)
{
    struct log_check check;
    int r = log_read(path, &(struct log_reader){.fn = on_record, .user = job, .complain = stderr},
                     &check);

    /* a line that is no record may be the one use of a rule */
    return r ? told(path, r, NULL) : check.lines_bad ? 2 : 0;
}

static int collect(struct job *job)
{
    int r = 0;

    for (size_t i = 0; !r && i < job->n_tests; i++) {
        _cleanup_(freep) char *error = NULL;

        r = run_tests(job, job->tests[i], &error);
        r = told(job->tests[i], r, error);
    }
    for (size_t i = 0; !r && i < job->n_logs; i++)
        r = read_log(job, job->logs[i]);
    if (job->strangers)
        log_warning("records that are not counted, as this policy has no such rule: %zu",
                    job->strangers);
    return r;
}

static void print_use(const struct coverage_use *use)
{
    char date[64] = "at a time that the log does not tell";
    time_t t = (time_t)use->last;
    struct tm tm;

    if (use->last != COVERAGE_NEVER && gmtime_r(&t, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    if (use->called)
        printf("last used %s%s", date, use->tested ? ", tested" : "");
    else
        printf("%s", use->tested ? "tested" : "never used");
}

static void report(const struct job *job)
{
    const struct coverage *c = &job->coverage;
    size_t n = 0, unused = 0;

    for (size_t i = 0; i < c->n; i++) {
        bool used = coverage_is_used(c, i, job->since);
        struct policy_rule_view v;

        policy_get_rule(c->policy, i, &v);
        if (!v.line)
            continue;
        n++;
        unused += !used;
        if (used && !job->all)
            continue;
        printf("%s:%u: ", v.file, v.line);
        print_use(&c->use[i]);
        printf(": %s\n", v.text);
    }
    printf("%zu of %zu rules not used\n", unused, n);
}

int cmd_coverage(int argc, char **argv)
{
    static const struct option longs[] = {{"tests", required_argument, NULL, O_TESTS},
                                          {"log", required_argument, NULL, O_LOG},
                                          {"since", required_argument, NULL, O_SINCE},
                                          {"all", no_argument, NULL, O_ALL},
                                          {0}};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct cli c = {0};
    struct job job = {.since = COVERAGE_NEVER, .cli = &c};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &job});

    if (!r && (optind != argc || !(job.n_tests + job.n_logs))) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (r)
        return r;
    if (cli_load(&c, &p) || (job.n_tests && cli_domains(&c, &job.domains)) ||
        coverage_init(&job.coverage, p) ||
        format(job.signature, sizeof(job.signature), "%016" PRIx64, policy_signature(p)))
        r = 2;
    if (!r)
        r = collect(&job);
    if (!r)
        report(&job);
    coverage_deinit(&job.coverage);
    policy_domains_unref(job.domains);
    return fflush(stdout) ? 2 : r;
}
