/* Directory entries: see entry.h. */
#include "rpc-services/dom0/entry.h"

#include <errno.h>

#define LINKS_MAX 40 /* as the kernel */

int entry_find(const char *path, struct entry *ret)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char dir[PATH_SIZE], real[PATH_SIZE];
    struct entry e = {0};
    int r;

    r = format(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(name - path),
               slash ? path : ".");
    if (!slash)
        r = format(dir, sizeof(dir), ".");
    if (r)
        return r;
    if (!realpath(dir, real))
        return -errno;
    r = format(e.path, sizeof(e.path), "%s/%s", real[1] ? real : "", name);
    if (r)
        return r;
    e.name = strlen(e.path) - strlen(name);
    *ret = e;
    return 0;
}

/* 0 and the next entry; 1: it is no link; negative errno. */
static int step(struct entry *e)
{
    char link[PATH_SIZE], next[PATH_SIZE];
    ssize_t n = readlink(e->path, link, sizeof(link) - 1);
    int r;

    if (n < 0)
        return errno == EINVAL || errno == ENOENT ? 1 : -errno;
    link[n] = 0;
    r = link[0] == '/' ? format(next, sizeof(next), "%s", link)
                       : format(next, sizeof(next), "%.*s%s", (int)e->name, e->path, link);
    return r ? r : entry_find(next, e);
}

int entry_follow(struct entry *e)
{
    struct entry at = *e;
    int r = 0;

    for (int i = 0; !r && i < LINKS_MAX; i++)
        r = step(&at);
    if (r <= 0)
        return r ? r : -ELOOP;
    *e = at;
    return 0;
}

bool entry_is_on_way(const struct entry *e, const char *path)
{
    struct entry at;
    int r = entry_find(path, &at);

    for (int i = 0; !r && i < LINKS_MAX; i++) {
        if (str_equal(at.path, e->path))
            return true;
        r = step(&at);
    }
    return false;
}

bool entry_is_in(const struct entry *e, const char *dir)
{
    char real[PATH_SIZE];

    return realpath(dir, real) && strlen(real) == e->name - 1 &&
           strncmp(real, e->path, e->name - 1) == 0;
}
