/*
 * The argument of qubes.VMExec as words. Words are joined by '+'; in a word letters, digits, '.'
 * and '_' stand for themselves, "--" for a dash, "-HH" (upper-case hex) for any other byte.
 */
#ifndef QREXEC_RPC_VMEXEC_WORDS_H
#define QREXEC_RPC_VMEXEC_WORDS_H

#include "libqrexec/base/util.h"

/*
 * *ret_words ends with NULL and points into *ret_bytes; the caller frees both. 0, -EINVAL
 * (anything that is not such a text, a NUL byte in a word), -ENOMEM.
 */
int vmexec_words(const char *text, char **ret_bytes, char ***ret_words);

#endif
