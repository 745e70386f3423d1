/*
 * qrexec-policy explain: why a request gets its verdict, and what would change it. The request is
 * given in words, or is one that the decision log knows by its call's id.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/util.h"
#include "policy-engine/kept-verdict.h"
#include "policy-engine/log-read.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define USAGE                                                                                      \
    "explain [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] SOURCE TARGET "             \
    "SERVICE[+ARGUMENT]\n"                                                                         \
    "       qrexec-policy explain [...] [--log FILE] CALL-ID\n"                                    \
    "exit code 0: allowed; 1: denied, or asked about; 2: it cannot be told"

/* ---- An answer that is kept ---- */

static void print_end(const struct kept_answer *by)
{
    uint64_t now = kept_now(), left = by->until > now ? by->until - now : 0;
    time_t t = time(NULL) + (time_t)left;
    char date[64];
    struct tm tm;

    if (!by->until)
        printf("until this machine restarts");
    else if (gmtime_r(&t, &tm) && strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm))
        printf("until %s (%" PRIu64 " s left)", date, left);
}

/* What it makes of the call, before the ask is explained that it answers. */
static void print_kept(const struct policy_request *q, const struct policy_verdict *v,
                       const struct kept_answer *by)
{
    bool allowed = v->action == POLICY_ALLOW;

    printf("%s: %s%s from %s to %s\n", allowed ? "allowed" : "denied", q->service, q->argument,
           v->source, q->target && *q->target ? q->target : "@default");
    if (allowed)
        printf("  goes to %s as user %s%s\n", v->target, v->user,
               v->autostart ? "" : ", which must be running already");
    else
        printf("  %s, though the user chose that\n", policy_reason_text(v->reason));
    printf("Decided by an answer of the user that is kept: %s\n  it holds ", by->about);
    print_end(by);
    printf("\n  to be asked again: qrexec-policy kept --revoke %" PRIu64 "\nWithout it\n",
           by->number);
}

/* ---- A request ---- */

/* What the files say is not what counts, if a never line keeps them from being taken over. */
static int tell_never(const struct policy *p)
{
    _cleanup_(policy_violation_deinit) struct policy_violation v = {0};
    int r = policy_check_never(p, NULL, &v);

    if (r > 0)
        printf("But this policy is not in force: the daemon keeps the one before, or denies all "
               "if it has none.\n  %s\nMend one of the two lines.\n",
               v.text);
    return r < 0 ? r : 0;
}

/* The exit code. */
static int tell(const struct cli *c, const struct policy *p, const struct policy_domains *d,
                const struct policy_request *q)
{
    _cleanup_(kept_answers_deinit) struct kept_answers kept = KEPT_NULL;
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
    _cleanup_(freep) char *text = NULL;
    const struct kept_answer *by;

    kept_verdict_read(c, &kept);
    if (policy_explain(p, d, q, &text) || kept_verdict_decide(&kept, p, d, q, &v, &by))
        return 2;
    if (by)
        print_kept(q, &v, by);
    fputs(text, stdout);
    if (tell_never(p))
        return 2;
    return fflush(stdout) ? 2 : v.action == POLICY_ALLOW ? 0 : 1;
}

static int explain(const struct cli *c, const struct policy_request *q)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source = cli_source(c);
    int r = policy_load(&source, &p, &error);

    if (r > 0)
        printf("deny: the policy does not load, so every call is denied.\n  %s:%u: %s\nMend that "
               "line.\n",
               error.file, error.line, error.text);
    if (r)
        return r > 0 ? 1 : (perror("qrexec-policy"), 2);
    return cli_domains(c, &d) ? 2 : tell(c, p, d, q);
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
