/*
 * INI files through inih, with a reader that never cuts.
 *
 * A packaged inih turns a line over its limit into two. Here such a line is an error. A value that
 * continues on the next line (leading blank) reaches the handler again with the same key.
 */
#ifndef QREXEC_BASE_INI_H
#define QREXEC_BASE_INI_H

#include "libqrexec/base/util.h"

#include <stdio.h>

#define INI_LINE_MAX 190 /* bytes; the least limit of a packaged inih */

#define INI_E_SYNTAX   1 /* *ret_line is the line */
#define INI_E_TOO_LONG 2
#define INI_E_HANDLER  3 /* the handler refused the line */

/* section is "" before the first one. Return true to go on. */
typedef bool (*ini_pair_fn)(void *user, const char *section, const char *key, const char *value,
                            int line);

/* 0; INI_E_* and *ret_line; or a negative errno. */
int ini_read(const char *path, ini_pair_fn handler, void *user, int *ret_line);
int ini_read_text(const char *text, size_t n, ini_pair_fn handler, void *user, int *ret_line);

/* Writes "key = value" in lines that every inih takes: a long value continues at its blanks. 0,
 * -EINVAL. */
int ini_write(FILE *f, const char *key, const char *value);

#endif
