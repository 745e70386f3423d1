/* What the commands of qrexec-policy share: which policy, which domains, and saying what failed. */
#ifndef QREXEC_POLICY_CLI_H
#define QREXEC_POLICY_CLI_H

#include "policy-engine/lib/policy.h"

#include <getopt.h>

#define CLI_DIRS_MAX 8

struct cli {
    const char *dirs[CLI_DIRS_MAX + 1];
    const char *legacy_dir, *domains_file;
    bool batch;
    char default_dirs[3][4096];
    /* Of the default directories, which the policy is loaded without; path NULL: others are given.
     * See kept-answers.h. */
    struct policy_file kept;
    char kept_path[4096];
};

#define CLI_END (-1) /* what was asked for is done (help): end with 0 */

/* Options that all commands take; words stay at optind. 0, CLI_END, or the exit code to end with.
 */
int cli_options(int argc, char **argv, struct cli *c, const char *usage);

/* Options of one command besides. */
struct cli_more {
    const struct option *longs; /* ended by {0}; val is over CLI_OWN */
    /* o: val, or 1 for a word where words are options' further values. False: not such a value. */
    bool (*on_option)(void *user, int o, const char *value);
    void *user;
    bool words; /* words are handed to on_option() in their places */
};
#define CLI_OWN       256
#define CLI_LONGS_MAX 24
int cli_options_more(int argc, char **argv, struct cli *c, const char *usage,
                     const struct cli_more *more);
/* Uses *c. */
struct policy_source cli_source(const struct cli *c);
/* Domains of the file, or the spawner's. 0 or an exit code; the user was told. */
int cli_domains(const struct cli *c, struct policy_domains **ret);
/* The policy. 0 or exit code 2; the user was told where it is broken. */
int cli_load(const struct cli *c, struct policy **ret);
/* The same, where one that violates a never line, and so never is in force, is an error too. */
int cli_load_in_force(const struct cli *c, struct policy **ret);
/* Warns that the daemon refuses this policy as a whole: what a command says of it is not so then.
 * cli_load() does it. */
void cli_warn_never(const struct policy *p);
/* "SERVICE[+ARG]" in two: *ret_argument is allocated, "+" where there is none. False: no memory. */
bool cli_split_service(char *service, char **ret_argument);

int cmd_convert(int argc, char **argv);
int cmd_coverage(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_lint_syntax(int argc, char **argv); /* qubes-policy-lint */
int cmd_test(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_kept(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_reach(int argc, char **argv);
int cmd_who_can(int argc, char **argv);

#endif
