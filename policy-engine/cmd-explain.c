/*
 * qrexec-policy explain: why a request gets its verdict, and what would change it. The request is
 * given in words, or is one that the decision log knows by its call's id.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/util.h"
#include "policy-engine/logged-decisions.h"
#include "policy-engine/policy-cli.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define USAGE                                                                                      \
    "explain [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] SOURCE TARGET "             \
    "SERVICE[+ARGUMENT]\n"                                                                         \
    "       qrexec-policy explain [...] [--log FILE] CALL-ID\n"                                    \
    "exit code 0: allowed; 1: denied, or asked about; 2: it cannot be told"

/* A call of the log. */
struct logged {
    const char *id;
    char *service, *argument, *source, *target, *requested_source, *verdict, *reason, *rule;
    int64_t time;
    bool found;
};

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

static void logged_deinit(struct logged *l)
{
    char *const strings[] = {l->service,          l->argument, l->source, l->target,
                             l->requested_source, l->verdict,  l->reason, l->rule};

    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        free(strings[i]);
    *l = (struct logged){.id = l->id};
}

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

/* Ids are not used twice; if one were, its last record is meant. */
static int on_record(void *user, const struct logged_decision *r)
{
    struct logged *l = user;

    if (!r->call_id || !str_equal(r->call_id, l->id))
        return 0;
    logged_deinit(l);
    l->found = true;
    l->time = r->time;
    return copy(&l->service, r->service) && copy(&l->argument, r->argument) &&
                   copy(&l->source, r->source) && copy(&l->target, r->target) &&
                   copy(&l->requested_source, r->requested_source) &&
                   copy(&l->verdict, r->verdict) && copy(&l->reason, r->reason) &&
                   copy(&l->rule, r->rule)
               ? 0
               : -ENOMEM;
}

static void print_logged(const struct logged *l)
{
    char date[64] = "at a time that the log does not tell";
    time_t t = (time_t)l->time;
    struct tm tm;

    if (l->time != LOGGED_TIME_NONE && gmtime_r(&t, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("Call %s, %s: %s", l->id, date, l->verdict ? l->verdict : "no verdict");
    if (l->reason)
        printf(" (%s)", l->reason);
    printf("%s%s.\nWith the policy and the domains of now:\n", l->rule ? ", by " : "",
           l->rule ? l->rule : "");
}

static int explain_call(const struct cli *c, const char *path, const char *id)
{
    _cleanup_(logged_deinit) struct logged l = {.id = id};
    _cleanup_(freep) char *error = NULL;
    int r = logged_decisions_read(path, on_record, &l, &error);

    if (r) {
        log_error("%s%s%s", error ? error : path, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
        return 2;
    }
    if (!l.found || !l.service || !l.source) {
        log_error("%s knows no call %s (qrexec-policy log lists them)", path, id);
        return 2;
    }
    print_logged(&l);
    return explain(c, &(struct policy_request){.service = l.service,
                                               .argument = l.argument,
                                               .source = l.source,
                                               .target = l.target,
                                               .requested_source = l.requested_source});
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
    if (!r && !log && path_get(path, "%s", LOGGED_DECISIONS_PATH))
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
