/* Words for a shell at the other end. */
#ifndef QREXEC_RPC_QUOTE_H
#define QREXEC_RPC_QUOTE_H

#include "libqrexec/base/util.h"

/*
 * The line that qubes.VMShell reads first: exec bash -c 'WORDS joined by blanks' || exit 127, and
 * a newline. NULL without memory; the caller frees.
 */
char *quote_shell_line(char *const *words, size_t n);

#endif
