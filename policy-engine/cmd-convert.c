/*
 * qrexec-policy convert, qrexec-legacy-convert: the R4.0 files into lines of today.
 *
 * The plan is compared with the policy on all of today's calls before anything is written, and
 * what is on disk afterwards must be what was compared; else everything is put back.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/convert-files.h"
#include "policy-engine/policy-cli.h"
#include "policy-engine/verdict-compare.h"

#include <errno.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "convert [--dry-run] [--policy-dir DIR]... [--legacy-dir DIR] [--domains FILE]\n"              \
    "exit code 0: done, or nothing to do; 1: nothing was changed; 2: it could not be tried"

static bool take_option(void *user, int o, const char *value)
{
    (void)o;
    (void)value;
    return *(bool *)user = true;
}

static void on_difference(void *user, const struct policy_request *q,
                          const struct policy_verdict *was, const struct policy_verdict *is)
{
    ++*(size_t *)user;
    difference_print(stdout, q, was, is);
}

/* What the policy is with the plan carried out; 1: it would not be the same. */
static int preview(const struct convert_plan *plan, const struct policy_source *source,
                   const struct policy *old, const struct policy_domains *d, struct policy **ret)
{
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(freep) struct policy_file *files = NULL;
    struct policy_source then;
    size_t differences = 0;
    int r = convert_plan_preview(plan, source, &files, &then);

    if (!r)
        r = policy_load(&then, ret, &error);
    if (r > 0)
        log_error("nothing is changed, for the policy would not load: %s:%u: %s", error.file,
                  error.line, error.text);
    if (!r)
        r = policies_compare(old, *ret, d, on_difference, &differences);
    if (differences)
        log_error("nothing is changed, for these verdicts would not stay the same");
    return r ? r : differences > 0;
}

static void print_plan(const struct convert_plan *plan)
{
    for (size_t i = 0; i < plan->n_edits; i++)
        printf("--- %s, with %zu lines more:\n%s", plan->edits[i].path, plan->edits[i].added,
               plan->edits[i].after);
    for (size_t i = 0; plan->old && plan->old[i]; i++)
        printf("--- %s becomes %s.rpmsave\n", plan->old[i], plan->old[i]);
}

static void print_done(const struct convert_plan *plan, const struct convert_done *done)
{
    for (size_t i = 0; i < plan->n_edits; i++)
        printf("%s: %zu lines added%s%s\n", plan->edits[i].path, plan->edits[i].added,
               done->kept[i] ? "; as it was: " : "", done->kept[i] ? done->kept[i] : "");
    for (size_t i = 0; plan->old[i]; i++)
        printf("%s is now %s\n", plan->old[i], done->saved[i]);
    printf("%zu rules of R4.0 files, %zu of them not needed as lines; every verdict is the same\n",
           plan->n_rules, plan->n_left_out);
}

/* Is what is on disk now what was compared? */
static int check(const struct policy_source *source, const struct policy *expected)
{
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    int r = policy_load(source, &p, &error);

    if (!r && policy_signature(p) == policy_signature(expected))
        return 0;
    log_error("the policy is not what it should be now (was a file changed meanwhile?)%s%s",
              r > 0 ? ": " : "", r > 0 ? error.text : "");
    return 1;
}

static int carry_out(const struct convert_plan *plan, const struct policy_source *source,
                     const struct policy *expected)
{
    struct convert_done done = {0};

    if (convert_carry_out(plan, &done))
        return 1;
    if (check(source, expected)) {
        if (convert_take_back(plan, &done) == 0)
            log_info("everything is as it was before");
        convert_done_deinit(plan, &done);
        return 1;
    }
    print_done(plan, &done);
    convert_done_deinit(plan, &done);
    return 0;
}

static int convert(const struct cli *c, const struct policy *old, const struct policy_domains *d,
                   bool dry)
{
    _cleanup_(convert_plan_deinit) struct convert_plan plan = {0};
    _cleanup_(policy_unrefp) struct policy *then = NULL;
    struct policy_source source = cli_source(c);
    int r = convert_plan_make(&source, &plan);

    if (!r && (!plan.live || !plan.old[0])) {
        printf("nothing to convert: %s\n",
               plan.live ? "there is no R4.0 file" : "no policy file has a line !compat-4.0");
        return 0;
    }
    if (!r)
        r = preview(&plan, &source, old, d, &then);
    if (r < 0)
        log_error("cannot convert: %s", strerror(-r));
    if (r)
        return r > 0 ? 1 : 2;
    if (!dry)
        return carry_out(&plan, &source, then);
    print_plan(&plan);
    return 0;
}

int cmd_convert(int argc, char **argv)
{
    static const struct option longs[] = {{"dry-run", no_argument, NULL, CLI_OWN}, {0}};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    bool dry = false;
    struct cli c = {0};
    int r = cli_options_more(
        argc, argv, &c, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &dry});

    if (!r && optind != argc) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (r)
        return r;
    if (cli_load(&c, &p) || cli_domains(&c, &d))
        return 2;
    r = convert(&c, p, d, dry);
    return fflush(stdout) ? 2 : r;
}
