/*
 * The stream of qubes.Filecopy, both ends: entries, then an empty one; back comes what became of
 * it.
 *
 * An entry is a header of 32 bytes (little-endian), a name with its NUL, and content. CRC-32 runs
 * over all of it. Names and links are checked by the same rules at both ends.
 */
#ifndef QREXEC_RPC_FILECOPY_H
#define QREXEC_RPC_FILECOPY_H

#include "libqrexec/base/util.h"

#define FILECOPY_HEADER   32
#define FILECOPY_NAME_MAX 16384 /* with the NUL; a link's target without */
#define FILECOPY_ANSWER   16
#define FILECOPY_E_CUT    31415926 /* the stream ended in a name or content; not an errno */

struct filecopy_header {
    uint32_t namelen, mode; /* namelen 0: the end */
    uint64_t filelen;
    uint32_t atime, atime_nsec, mtime, mtime_nsec;
};

void filecopy_put_header(unsigned char to[static FILECOPY_HEADER], const struct filecopy_header *h);
void filecopy_get_header(const unsigned char from[static FILECOPY_HEADER],
                         struct filecopy_header *ret);

/* 0, EILSEQ (84): not a relative path of safe components, or (unless all_names) unsafe characters.
 */
int filecopy_check_name(const char *name, bool all_names);

/* 0, ENOLINK (67): the target could point out of the top-level directory of name, ENOENT: empty. */
int filecopy_check_link(const char *name, const char *target);

/* Valid UTF-8 whose characters all are safe to show: the character rule of names and targets. */
bool filecopy_is_safe_text(const char *text);

/* The error of an answer, for people. */
const char *filecopy_error_text(uint32_t error);

/* For a terminal: bytes outside 0x20-0x7e and '"' become '_'. In place. */
void filecopy_clean(char *text, size_t n);

uint32_t filecopy_crc(uint32_t crc, const void *data, size_t n);

#endif
