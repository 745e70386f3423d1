/*
 * The argument of qubes.VMExec: argv as one service argument.
 *
 * Words joined by '+'. In a word letters, digits, '.' and '_' stand for themselves, "--" for a
 * dash, "-HH" (two upper-case hex digits) for any other byte. An empty word is an empty argument.
 */
#ifndef QREXEC_WIRE_VMEXEC_H
#define QREXEC_WIRE_VMEXEC_H

#include "libqrexec/wire/message.h"

/* At least one word. 0, WIRE_E_MISSING (no word), WIRE_E_SPACE. Without a NUL. */
int vmexec_encode(struct wire_writer *w, const char *const *argv, size_t n);

/*
 * Each word goes to w with a NUL behind it. 0; WIRE_E_VALUE: a lone dash, lower-case hex, another
 * character, a NUL inside a word; WIRE_E_SPACE (the text's length + 1 is always enough).
 */
int vmexec_decode(struct wire_writer *w, struct wire_text text, size_t *ret_words);

#endif
