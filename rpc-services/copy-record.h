/*
 * What a move has sent, so that it deletes that and nothing else: a file that was changed since it
 * was read stays, and so does a directory that got new content meanwhile.
 */
#ifndef QREXEC_RPC_COPY_RECORD_H
#define QREXEC_RPC_COPY_RECORD_H

#include "rpc-services/copy-walk.h"

struct copy_record {
    struct copy_item *items;
    size_t n, size;
};

void copy_record_deinit(struct copy_record *r);

/* st is what was there before its first byte was read. 0, -ENOMEM. */
int copy_record_add(struct copy_record *r, const char *path, const struct stat *st);

/* Last things first. 0, or 1 where something stays; told. */
int copy_record_delete(const struct copy_record *r);

#endif
