/*
 * Lines and words of a policy file, as the field splits them.
 *
 * A line ends at LF, CR LF or CR; words are parted by white space, ASCII's (with VT, FF and 0x1c to
 * 0x1f) and Unicode's. Text that is not UTF-8, or holds a NUL, is an error of its line.
 */
#ifndef QREXEC_POLICY_LINES_H
#define QREXEC_POLICY_LINES_H

#include "policy-engine/lib/common.h"

/* Takes the next line, without its end, off *text. False: there is none. */
bool line_next(struct span *text, struct span *ret);
/* Takes the next word off *line. False: there is none. */
bool word_next(struct span *line, struct span *ret);
/* What is wrong with the line's bytes, or NULL. */
const char *line_bad_bytes(struct span line);
/* The first byte that is no blank; NUL: the line is empty, blank or a comment. */
char line_first(struct span line);

#endif
