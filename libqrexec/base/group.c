/* Group qubes: see group.h. */
#include "libqrexec/base/group.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

int group_find(const char *file, const char *name, gid_t *ret)
{
    FILE *f = fopen(file, "re");
    const struct group *g;
    int r;

    if (!f)
        return -errno;
    do {
        errno = 0;
        g = fgetgrent(f);
    } while (g && !str_equal(g->gr_name, name));
    r = g ? 0 : errno ? -errno : -ENOENT;
    if (g)
        *ret = g->gr_gid;
    fclose(f);
    return r;
}

int group_qubes(gid_t *ret)
{
    return group_find("/etc/group", "qubes", ret);
}

void group_give(const char *path)
{
    gid_t gid;
    int r;

    if (geteuid() != 0)
        return;
    r = group_qubes(&gid);
    if (!r && lchown(path, (uid_t)-1, gid) < 0)
        r = -errno;
    if (r && r != -ENOENT)
        log_warning("%s cannot be given to the group qubes: %s", path, strerror(-r));
}
