/*
 * The receiver of qubes.Filecopy: entries of a stream become files below one directory.
 *
 * Every component of a name is opened below the one before it, never through a link. A file is
 * written nameless and linked when it is complete; where the file system cannot do that, under its
 * name, exclusively and with mode 0 until then. So nothing is overwritten, and nothing half-written
 * is seen. Data is synced before the answer, which is sent once.
 */
#ifndef QREXEC_RPC_RECEIVE_H
#define QREXEC_RPC_RECEIVE_H

#include "rpc-services/filecopy.h"

struct receiver {
    int in, out, dir; /* the stream, the answer, the directory; the caller's */
    bool all_names;   /* names may have any byte */

    uint32_t crc;
    char name[FILECOPY_NAME_MAX];  /* last worked on */
    char shown[FILECOPY_NAME_MAX]; /* what the answer names instead; "": nothing */
};

/*
 * Reads until the end mark or the first error and answers. 0, or the error of the answer: an errno,
 * or FILECOPY_E_CUT; it was told.
 */
int receive(struct receiver *r);

#endif
