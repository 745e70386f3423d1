/* What is to be copied: see copy-walk.h. */
#include "rpc-services/commands/copy-walk.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/filecopy.h"

#include <dirent.h>
#include <errno.h>

#define DEPTH_MAX 512 /* deeper than any path can be named */

static int walk(struct copy_walk *w, const char *path, const char *name, unsigned depth);

static int walk_dir(struct copy_walk *w, const struct copy_entry *e, unsigned depth)
{
    struct dirent **names = NULL;
    int n = depth < DEPTH_MAX ? scandir(e->path, &names, NULL, alphasort) : -1,
        r = n < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        char path[PATH_SIZE], name[FILECOPY_NAME_MAX];
        const char *child = names[i]->d_name;

        if (!r && !str_equal(child, ".") && !str_equal(child, "..")) {
            r = format(path, sizeof(path), "%s/%s", e->path, child);
            if (!r)
                r = format(name, sizeof(name), "%s/%s", e->name, child);
            if (!r)
                r = walk(w, path, name, depth + 1);
        }
        free(names[i]);
    }
    free(names);
    if (n < 0)
        log_error("%s: %s", e->path, strerror(-r));
    return r;
}

static int walk_link(struct copy_walk *w, struct copy_entry *e)
{
    static char target[FILECOPY_NAME_MAX];
    ssize_t n = readlink(e->path, target, sizeof(target) - 1);

    if (n < 0) {
        log_error("%s: %s", e->path, strerror(errno));
        return -errno;
    }
    target[n] = 0;
    e->target = target;
    if (!filecopy_check_link(e->name, target))
        return w->visit(w->user, e);
    if (w->ignore_symlinks) {
        log_warning("%s: a link that could point out of what is copied; passed over", e->path);
        w->skipped = true;
        return 0;
    }
    log_error("%s: a link to %s could point out of what is copied (--ignore-symlinks passes such "
              "links over)",
              e->path, target);
    return COPY_E_LINK;
}

static int walk(struct copy_walk *w, const char *path, const char *name, unsigned depth)
{
    struct copy_entry e = {.path = path, .name = name};
    struct stat st;
    int r;

    if (lstat(path, &st) < 0) {
        r = -errno;
        log_error("%s: %s", path, strerror(-r));
        return r;
    }
    e.st = &st;
    if (S_ISLNK(st.st_mode))
        return walk_link(w, &e);
    if (S_ISREG(st.st_mode))
        return w->visit(w->user, &e);
    if (!S_ISDIR(st.st_mode)) {
        log_warning("%s: neither file, directory nor link; passed over", path);
        w->skipped = true;
        return 0;
    }
    r = w->visit(w->user, &e);
    if (!r)
        r = walk_dir(w, &e, depth);
    e.again = true;
    return r ? r : w->visit(w->user, &e);
}

int copy_walk(struct copy_walk *w, const char *argument)
{
    char path[PATH_SIZE];
    const char *name;
    size_t n;

    if (format(path, sizeof(path), "%s", argument)) {
        log_error("%s: the path is too long", argument);
        return -ENAMETOOLONG;
    }
    for (n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
    name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (!*name || str_equal(name, ".") || str_equal(name, "..")) {
        log_error("\"%s\" has no name that the copy could have", argument);
        return COPY_E_ARGUMENT;
    }
    return walk(w, path, name, 0);
}
