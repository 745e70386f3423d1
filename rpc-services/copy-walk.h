/*
 * What is to be copied: a walk over the arguments, depth first, each entry named relative to the
 * base name of its argument.
 *
 * The name in the stream is the tail of the path on disk, so one buffer holds both. What cannot be
 * sent is told: a link that could point out, a path that is too long, what is neither file,
 * directory nor link.
 */
#ifndef QREXEC_RPC_COPY_WALK_H
#define QREXEC_RPC_COPY_WALK_H

#include "libqrexec/base/paths.h"

#include <sys/stat.h>

struct copy_entry {
    const char *path; /* on disk */
    const char *name; /* in the stream */
    const struct stat *st;
    const char *target; /* of a link */
    bool again;         /* a directory, behind its content */
};

struct copy_walk {
    bool ignore_symlinks; /* a link that could point out is passed over, not an error */
    /* 0: go on; else the walk ends with it. */
    int (*visit)(void *user, const struct copy_entry *e);
    void *user;
    bool skipped; /* something was passed over, and the user was told */
    char path[PATH_SIZE];
};

#define COPY_E_ARGUMENT 1 /* ".", "..", "/" or empty: no name to give it */
#define COPY_E_LINK     2 /* a link that could point out */

/* 0, COPY_E_*, what visit returned, or a negative errno. But for visit's own, all were told. */
int copy_walk(struct copy_walk *w, const char *argument);
/* The same for each of them, up to NULL. */
int copy_walk_all(struct copy_walk *w, char *const *arguments);

#endif
