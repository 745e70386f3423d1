/*
 * Bytes as a line of a talk writes them. Words, with blanks between them:
 *
 *   5  0x300             u32, little-endian
 *   'text'               its bytes; ~ is a newline
 *   b0  b0..255          one byte; all bytes of a range, in order
 *   WORDz                with a NUL behind it
 *   WORD/64  WORD*100    padded with NUL to that size; repeated that often
 *   [ ... ]              a group, as a WORD
 *   EXEC( ... )          a message: type, length of what is inside, and that
 *   EXEC:12( ... )       the same with that length said instead; T5( ... ) is a type by number
 */
#ifndef QREXEC_TESTS_TALK_DAEMON_BYTES_H
#define QREXEC_TESTS_TALK_DAEMON_BYTES_H

#include "tests/talk/daemon-stage.h"

/* Reads up to the end of the line. False: *reterr says what is wrong with the text. */
bool bytes_read(const char *text, struct bytes *ret, const char **reterr);

/* The number of a message's type; false: no such name. */
bool bytes_type(const char *name, size_t n, uint32_t *ret);

#endif
