/*
 * qrexec-policy coverage: rules that no test used, or no call of the decision log, with the date
 * of their last use.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/coverage.h"
#include "policy-engine/decision-records.h"
#include "policy-engine/expectations.h"
#include "policy-engine/policy-cli.h"

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
    const struct policy_domains *domains;
    size_t strangers; /* records whose rule this policy does not have */
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

static int on_record(void *user, const struct decision_record *record)
{
    struct job *job = user;

    /* a call that no rule decided says "-" or nothing */
    if (record->rule && strchr(record->rule, ':') &&
        !coverage_add_call(&job->coverage, record->rule, record->time))
        job->strangers++;
    return 0;
}

/* 0 or 2. */
static int told(const char *path, int r, const char *error)
{
    if (r > 0)
        log_error("%s", error);
    if (r < 0)
        log_error("cannot read %s: %s", path, strerror(-r));
    return r ? 2 : 0;
}

static int collect(struct job *job)
{
    int r = 0;

    for (size_t i = 0; !r && i < job->n_tests; i++) {
        _cleanup_(freep) char *error = NULL;

        r = run_tests(job, job->tests[i], &error);
        r = told(job->tests[i], r, error);
    }
    for (size_t i = 0; !r && i < job->n_logs; i++) {
        _cleanup_(freep) char *error = NULL;

        r = decision_records_read(job->logs[i], on_record, job, &error);
        r = told(job->logs[i], r, error);
    }
    if (job->strangers)
        log_warning("%zu records name rules that this policy does not have (they were made under "
                    "another one) and are not counted",
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
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct job job = {.since = COVERAGE_NEVER};
    struct cli c = {0};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &job});

    if (!r && (optind != argc || !(job.n_tests + job.n_logs))) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (r)
        return r;
    if (cli_load(&c, &p) || (job.n_tests && cli_domains(&c, &d)) || coverage_init(&job.coverage, p))
        return 2;
    job.domains = d;
    r = collect(&job);
    if (!r)
        report(&job);
    coverage_deinit(&job.coverage);
    return fflush(stdout) ? 2 : r;
}
