/*
 * Editing one policy file: what happens to the user's text between the editor and the policy.
 *
 * The text lies in a private directory until it is installed or was not changed. On every other way
 * out it stays there, and the user is told where.
 */
#ifndef QREXEC_RPC_POLICY_EDIT_H
#define QREXEC_RPC_POLICY_EDIT_H

#include "rpc-services/dom0/policy-client.h"
#include "rpc-services/dom0/token.h"

struct policy_edit {
    struct policy_name name;
    char dir[64];         /* private */
    char file[PATH_SIZE]; /* in it */
    char token[TOKEN_SIZE];
    char *before; /* what the service gave */
    size_t before_len;
    char *text; /* what the editor left, at the last look */
    size_t text_len;
};

/* Gets the file, or an empty one where there is none, and lays it down. 0, or an exit code; the
 * user was told. */
int policy_edit_init(struct policy_edit *e, const struct policy_name *name);
/* Forgets the text; keep: leaves the file and says where. */
void policy_edit_deinit(struct policy_edit *e, bool keep);

/* $VISUAL, $EDITOR or vi, with their words split as a shell would, but by no shell. 0 or -1; the
 * user was told. */
int policy_edit_run_editor(struct policy_edit *e);
/* Reads what the editor left. 0 or -1. */
int policy_edit_read(struct policy_edit *e);
bool policy_edit_is_changed(const struct policy_edit *e);
/* qubes-policy-lint over the text, in its file's format: false where it found something. Where
 * there is no such program, the check of policy.Replace is what is left. */
bool policy_edit_lint(const struct policy_edit *e);
/* policy.Replace with the token. 0, ADMIN_E_* or negative errno; the user was told. */
int policy_edit_install(const struct policy_edit *e);

#endif
