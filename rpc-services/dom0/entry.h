/*
 * Directory entries: which name in which directory a path leads to.
 *
 * One file has many spellings ("include/../include/a", a link beside it), and a change of it shows
 * under all of them. Two paths mean the same entry where the directory without links and the name
 * in it are equal. A hard link is another entry: a rename over one name leaves the other.
 */
#ifndef QREXEC_RPC_ENTRY_H
#define QREXEC_RPC_ENTRY_H

#include "libqrexec/base/paths.h"
#include "libqrexec/base/util.h"

struct entry {
    char path[PATH_SIZE]; /* the directory has no links in it, the last name may be one */
    size_t name;          /* where the last name begins */
};

/* The entry itself needs not exist, its directory does. 0 or negative errno. */
int entry_find(const char *path, struct entry *ret);
/* Goes on to where a chain of links ends, be it there or not. 0, -ELOOP, other negative errno. */
int entry_follow(struct entry *e);
/* Is e met on the way from path to what is opened in the end? */
bool entry_is_on_way(const struct entry *e, const char *path);
/* Does it lie directly in that directory (any spelling)? */
bool entry_is_in(const struct entry *e, const char *dir);

#endif
