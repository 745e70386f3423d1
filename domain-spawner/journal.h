/*
 * The journal of disposables' names: which numbers are taken, and when each was given or released.
 *
 * A name is on disk before it is used, so that even after a crash no other disposable gets it
 * within the next days: rules and calls may still name it. Lines "NUMBER TIME UUID" when it is
 * taken, "NUMBER TIME" when it is released; the last one of a number counts; a line that was cut is
 * passed over. By the uuid a domain of Xen that outlived us is known as ours.
 */
#ifndef QREXEC_SPAWNER_JOURNAL_H
#define QREXEC_SPAWNER_JOURNAL_H

#include "libqrexec/base/util.h"

#define JOURNAL_NAMES     10000
#define JOURNAL_KEPT_SEC  (7 * 24 * 3600)
#define JOURNAL_UUID_SIZE 37

struct journal {
    char *path;
    int fd;                                      /* appends */
    int64_t used[JOURNAL_NAMES];                 /* seconds since 1970; 0: never, or long ago */
    char uuid[JOURNAL_NAMES][JOURNAL_UUID_SIZE]; /* whose it is; "": it is free */
};

/* Reads it, and writes it anew without what is too old to matter. Negative errno. */
int journal_open(struct journal *j, const char *path, int64_t now);
void journal_close(struct journal *j);

/*
 * A number that taken() does not know and that was not used in the last days: random. When none is
 * left, the one used longest ago. -ENOSPC: all are taken. On disk when it returns.
 */
int journal_take(struct journal *j, int64_t now, const char *uuid,
                 bool (*taken)(void *user, uint32_t number), void *user, uint32_t *ret);
/* Whose uuid that is and was not released. */
bool journal_find(const struct journal *j, const char *uuid, uint32_t *ret);
/* It is free from now on: its days begin. */
int journal_release(struct journal *j, uint32_t number, int64_t now);

#endif
