/*
 * Group qubes, whose members may call from dom0 (tests/unit/base/group-test.c).
 *
 * It is looked up in /etc/group alone, where packages and administrators make it: the other
 * sources of the name service would be loaded into a process that is there for long, with a
 * megabyte of memory, on each machine that has no such group.
 */
#ifndef QREXEC_BASE_GROUP_H
#define QREXEC_BASE_GROUP_H

#include <sys/types.h>

/* 0, -ENOENT where there is none, negative errno. */
int group_qubes(gid_t *ret);
/* The same of another file. */
int group_find(const char *file, const char *name, gid_t *ret);

/*
 * A socket is given to the group, if we are root. Where that cannot be done it stays as it is, with
 * a word in the log; where there is no such group, without one.
 */
void group_give(const char *path);

#endif
