/*
 * qrexec-policy eval: verdicts for requests on stdin, a line each (the batch interface of the
 * contract), as the daemon would give them: answers of the user that are kept count.
 */
#include "libqrexec/base/util.h"
#include "policy-engine/kept-verdict.h"

#include <stdio.h>

#define USAGE "eval --batch [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE] < REQUESTS"

static void print_rule(const struct policy_verdict *v)
{
    if (v->rule_file)
        printf("\trule=%s:%u\n", v->rule_file, v->rule_line);
    else
        printf("\trule=-\n");
}

static const char *yes_no(bool b)
{
    return b ? "yes" : "no";
}

static void print_verdict(const struct policy_verdict *v)
{
    switch (v->action) {
    case POLICY_DENY:
        printf("deny\treason=%s\tnotify=%s", policy_reason_text(v->reason), yes_no(v->notify));
        break;
    case POLICY_ALLOW:
        printf("allow\ttarget=%s\tuser=%s\tautostart=%s\tnotify=%s\trequested_target=%s", v->target,
               v->user, yes_no(v->autostart), yes_no(v->notify), v->requested_target);
        if (v->service)
            printf("\tservice=%s", v->service);
        if (v->policy_source)
            printf("\tpolicy_source=%s", v->policy_source);
        break;
    case POLICY_ASK:
        printf("ask\ttargets=");
        for (size_t i = 0; i < v->n_choices; i++)
            printf("%s%s", i ? "," : "", v->choices[i]);
        printf("\tdefault_target=%s\tuser=%s\tautostart=%s\tnotify=%s\trequested_target=%s",
               v->default_target ? v->default_target : "", v->user, yes_no(v->autostart),
               yes_no(v->notify), v->requested_target);
        break;
    }
    print_rule(v);
}

/* SERVICE[+ARG] TAB SOURCE TAB TARGET TAB REQUESTED_SOURCE, cut in place. */
static bool split(char *line, char *field[static 4])
{
    for (int i = 0; i < 4; i++) {
        field[i] = strsep(&line, "\t");
        if (!field[i])
            return false;
    }
    return !line;
}

static int answer_line(const struct policy *p, const struct policy_domains *d,
                       const struct kept_answers *k, char *line)
{
    _cleanup_(freep) char *argument = NULL;
    const struct kept_answer *by;
    struct policy_verdict v;
    char *field[4], *plus;
    int r;

    if (!split(line, field))
        return 1;
    plus = strchr(field[0], '+');
    argument = strdup(plus ? plus : "+");
    if (!argument)
        return 1;
    if (plus)
        *plus = 0;
    r = kept_verdict_decide(k, p, d,
                            &(struct policy_request){.service = field[0],
                                                     .argument = argument,
                                                     .source = field[1],
                                                     .target = field[2],
                                                     .requested_source = field[3]},
                            &v, &by);
    if (r)
        return 1;
    print_verdict(&v);
    policy_verdict_deinit(&v);
    return 0;
}

int cmd_eval(int argc, char **argv)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(kept_answers_deinit) struct kept_answers kept = KEPT_NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    _cleanup_(freep) char *line = NULL;
    struct policy_source source;
    struct cli c = {0};
    size_t size = 0, n = 0;
    ssize_t len;
    int r = cli_options(argc, argv, &c, USAGE);

    if (!r)
        r = cli_domains(&c, &d);
    if (r)
        return r;
    source = cli_source(&c);
    r = policy_load(&source, &p, &error);
    if (r < 0) {
        fprintf(stderr, "qrexec-policy: cannot load the policy: %s\n", strerror(-r));
        return 1;
    }
    if (r)
        fprintf(stderr, "qrexec-policy: %s:%u: %s\n", error.file, error.line, error.text);
    else
        cli_warn_never(p);
    kept_verdict_read(&c, &kept);
    while ((len = getline(&line, &size, stdin)) >= 0) {
        n++;
        if (len && line[len - 1] == '\n')
            line[len - 1] = 0;
        if (r)
            printf("error\trule=%s:%u\n", error.file, error.line);
        else if (answer_line(p, d, &kept, line)) {
            fprintf(
                stderr,
                "qrexec-policy: request %zu: not SERVICE[+ARG], SOURCE, TARGET, REQUESTED_SOURCE\n",
                n);
            return 2;
        }
    }
    return fflush(stdout) ? 1 : 0;
}
