/* What the commands of qrexec-policy share: which policy, which domains, and saying what failed. */
#ifndef QREXEC_POLICY_CLI_H
#define QREXEC_POLICY_CLI_H

#include "policy-engine/lib/policy.h"

#define CLI_DIRS_MAX 8

struct cli {
    const char *dirs[CLI_DIRS_MAX + 1];
    const char *legacy_dir, *domains_file;
    bool batch, gcc;
    char default_dirs[3][4096];
};

#define CLI_END (-1) /* what was asked for is done (help): end with 0 */

/* Options that all commands take; words stay at optind. 0, CLI_END, or the exit code to end with.
 */
int cli_options(int argc, char **argv, struct cli *c, const char *usage);
struct policy_source cli_source(const struct cli *c);
/* Domains of the file, or the spawner's. 0 or an exit code; the user was told. */
int cli_domains(const struct cli *c, struct policy_domains **ret);

int cmd_eval(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_list(int argc, char **argv);

#endif
