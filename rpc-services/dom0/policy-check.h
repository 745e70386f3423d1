/*
 * Questions about the policy as a whole that editing it raises: would it load with this change,
 * which files speak of a service, in which format an included file is read.
 */
#ifndef QREXEC_RPC_POLICY_CHECK_H
#define QREXEC_RPC_POLICY_CHECK_H

#include "rpc-services/dom0/entry.h"
#include "rpc-services/dom0/policy-store.h"

/*
 * Loads the store's directory with other content (NULL: none) for the file: path as the store
 * names it, entry what changes; other spellings of it that an include uses are found. 0;
 * ADMIN_E_SYNTAX; negative errno; with a reason. Only the store's directory counts, not what a
 * file in /run may hide for now.
 */
int policy_check(const struct policy_store *s, const char *path, const struct entry *e,
                 const char *content, size_t len, char reterr[static ADMIN_TEXT_MAX]);

/*
 * A line for each file with a rule for service or any, in order of first use: names without
 * directory and suffix, full paths of files elsewhere. 0; ADMIN_E_SYNTAX; negative errno.
 */
int policy_list_files(const struct policy_store *s, const char *service, struct buf *ret,
                      char reterr[static ADMIN_TEXT_MAX]);

/* Does any rule name exactly that service and argument ("+ARG")? Files in /run count here. */
int policy_names_argument(const struct policy_store *s, const char *service, const char *argument,
                          bool *ret, char reterr[static ADMIN_TEXT_MAX]);

/* How a file in include/ is read. A policy with errors elsewhere is no hindrance. */
enum columns { COLUMNS_UNKNOWN, COLUMNS_FIVE, COLUMNS_THREE, COLUMNS_BOTH };
enum columns policy_include_columns(const struct policy_store *s, const char *name);

#endif
