/*
 * qrexec-policy explain: why a request gets its verdict, and what would change it. The request is
 * given in words, or is one that the decision log knows by its call's id.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/util.h"
#include "policy-engine/log-read.h"
#include "policy-engine/policy-cli.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define USAGE                                                                                      \
    "explain [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] SOURCE TARGET "             \
    "SERVICE[+ARGUMENT]\n"                                                                         \
    "       qrexec-policy explain [...] [--log FILE] CALL-ID\n"                                    \
    "exit code 0: allowed; 1: denied, or asked about; 2: it cannot be told"

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

/* ---- By the call's id ---- */

#define EXPLAINED 1 /* with the exit code added, what ends the reading of the log */

static void print_logged(const struct log_record *r)
{
    char date[64] = "at a time that the log does not tell";
    time_t t = (time_t)r->seconds;
    struct tm tm;

    if (r->seconds != LOG_TIME_NONE && gmtime_r(&t, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("Call %s, %s: %s", r->call_id, date, *r->verdict ? r->verdict : "no verdict");
    if (*r->reason)
        printf(" (%s)", r->reason);
    if (*r->asked)
        printf(", answered by %s", r->asked);
    printf("%s%s.\nWith the policy and the domains of now:\n", *r->rule ? ", by " : "", r->rule);
}

static int on_record(void *user, const struct log_record *r)
{
    const struct cli *c = user;

    if (!*r->service || !*r->source)
        return 0;
    print_logged(r);
    return EXPLAINED + explain(c, &(struct policy_request){
                                      .service = r->service,
                                      .argument = *r->argument ? r->argument : "+",
                                      .source = r->source,
                                      .target = r->target,
                                      .requested_source = r->requested_source,
                                      .just_evaluate = *r->evaluated_by,
                                  });
}

static int explain_call(struct cli *c, const char *path, const char *id)
{
    struct log_check check;
    int r = log_read(path,
                     &(struct log_reader){.filter = &(struct log_filter){.call_id = id},
                                          .fn = on_record,
                                          .user = c,
                                          .complain = stderr},
                     &check);

    if (r >= EXPLAINED)
        return r - EXPLAINED;
    if (r)
        log_error("%s: %s", path, strerror(-r));
    else
        log_error("%s knows no call %s (qrexec-policy log lists them)", path, id);
    return 2;
}

static bool take_option(void *user, int o, const char *value)
{
    (void)o;
    *(const char **)user = value;
    return true;
}

int cmd_explain(int argc, char **argv)
{
    static const struct option longs[] = {{"log", required_argument, NULL, CLI_OWN}, {0}};
    _cleanup_(freep) char *argument = NULL;
    const char *log = NULL;
    char path[PATH_SIZE], *service;
    struct cli c = {0};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &log});

    if (!r && argc - optind != 3 && argc - optind != 1) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (!r && !log && log_default_path(path))
        return 2;
    if (r)
        return r;
    if (argc - optind == 1)
        return explain_call(&c, log ? log : path, argv[optind]);
    service = argv[optind + 2];
    if (!cli_split_service(service, &argument))
        return 2;
    return explain(&c, &(struct policy_request){.service = service,
                                                .argument = argument,
                                                .source = argv[optind],
                                                .target = argv[optind + 1]});
}
