/*
 * The sender of qubes.Filecopy: first a walk that measures, then, once the call is there, a walk
 * that sends, and the answer.
 *
 * The receiver may answer at any time; that ends the sending. Everything that goes wrong is told
 * here, on a line of its own.
 */
#ifndef QREXEC_RPC_COPY_SEND_H
#define QREXEC_RPC_COPY_SEND_H

#include "rpc-services/copy-record.h"

enum copy_progress { COPY_PROGRESS_NONE, COPY_PROGRESS_TEXT, COPY_PROGRESS_GUI };

struct copy_sender {
    int to, from; /* the stream and the answer; the sender closes "to" at its end */
    enum copy_progress progress;
    int gui;              /* where the numbers of COPY_PROGRESS_GUI go */
    bool ignore_symlinks; /* see copy-walk.h */
    bool record;          /* keep in "sent" what was sent */

    /* results */
    bool odd_names;          /* a name that needs allow-all-names */
    bool skipped;            /* something was passed over */
    struct copy_record sent; /* copy_record_deinit() */

    /* its own */
    uint64_t total, done, looked, shown_at;
    size_t used;
    uint32_t crc;
    bool line; /* the cursor is behind a progress text */
    unsigned char out[65536];
};

#define COPY_SENDER_NULL ((struct copy_sender){.to = -1, .from = -1, .gui = -1})

#define COPY_E_FAILED 10 /* told */
#define COPY_E_NO_ANSWER                                                                           \
    11                    /* the call ended before an answer; not told: its exit code says why     \
                           */
#define COPY_E_DISPLAY 12 /* who displays the progress has gone */

/* Total size and names. 0 or COPY_E_FAILED. */
int copy_measure(struct copy_sender *s, char *const *files);

/* 0: all of it is on the other's disk. Else COPY_E_*. */
int copy_send(struct copy_sender *s, char *const *files);

#endif
