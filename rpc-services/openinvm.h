/*
 * qubes.OpenInVM, both ends: a name field of 256 bytes, then the content, then the end of the
 * stream; back comes the whole new content, or nothing if it was not changed.
 */
#ifndef QREXEC_RPC_OPENINVM_H
#define QREXEC_RPC_OPENINVM_H

#include "libqrexec/base/util.h"

#define OPENINVM_FIELD     256
#define OPENINVM_VIEW_ONLY "view-only-"

/* The name field for a path: its last component; the end of a long one is kept. */
void openinvm_put_name(unsigned char field[static OPENINVM_FIELD], const char *path,
                       bool view_only);

/*
 * The file name from an untrusted field: the prefix is taken off and told, every byte but
 * A-Z a-z 0-9 . _ - + @ becomes '_'. False: a slash, nothing left, ".", "..", or no NUL at the end.
 */
bool openinvm_get_name(const unsigned char field[static OPENINVM_FIELD],
                       char ret[static OPENINVM_FIELD], bool *ret_view_only);

/* All bytes from one descriptor to another until the end. 0 or negative errno. */
int copy_all(int from, int to);

#endif
