/* What who-can, reach and diff share: their own options, and showing what was found. */
#ifndef QREXEC_POLICY_ANALYSIS_CLI_H
#define QREXEC_POLICY_ANALYSIS_CLI_H

#include "policy-engine/policy-cli.h"

/* An option of one command: with a value, or a switch. */
struct own_option {
    const char *name;   /* with its -- */
    const char **value; /* or NULL */
    bool *flag;
};

/*
 * Takes the command's own options out of argv, which ends shorter; those of all commands stay for
 * cli_options(). 0, or 2: a value is missing (told).
 */
int own_options(int *argc, char **argv, const struct own_option *list, size_t n);

/* Loads the policy of these options, or says why not. 0 or an exit code. */
int cli_policy(const struct policy_source *source, struct policy **ret);
/* SERVICE[+ARG] in two, argument NULL: any. 0 or -ENOMEM. */
int split_service(const char *word, char **ret_service, char **ret_argument);

/* "FILE:LINE: the line". */
void print_rule(const struct policy *p, uint32_t rule);
/* The view in the format of --domains. */
void print_domains(const struct policy_domains *d);
/* "impossible", and the rules that make it so. */
void print_closers(const struct policy *p, const struct policy_closers *c);

#endif
