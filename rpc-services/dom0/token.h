/* Tokens of policy files: what a file was when somebody read it, so that no change of another's is
 * overwritten unseen. */
#ifndef QREXEC_RPC_TOKEN_H
#define QREXEC_RPC_TOKEN_H

#include "libqrexec/base/util.h"

#define TOKEN_SIZE (7 + 64 + 1)

/* "sha256:" and the lower-case hex digest of the whole file. */
void token_make(const void *data, size_t n, char ret[static TOKEN_SIZE]);
/* "any", "new", or the form that token_make() gives; copied to ret. */
bool token_parse(const char *text, size_t n, char ret[static TOKEN_SIZE]);

#endif
