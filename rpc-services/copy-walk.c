/* What is to be copied: see copy-walk.h. */
#include "rpc-services/copy-walk.h"

#include "libqrexec/base/log.h"
#include "rpc-services/filecopy.h"

#include <dirent.h>
#include <errno.h>

/* The entry whose path lies in w->path; name is its tail. */
static int walk(struct copy_walk *w, const char *name);

static int tell(const struct copy_walk *w, int error)
{
    log_error("%s: %s", w->path, strerror(-error));
    return error;
}

static int walk_child(struct copy_walk *w, const char *name, const char *child)
{
    size_t n = strlen(w->path);
    int r;

    if (format(w->path + n, sizeof(w->path) - n, "/%s", child)) {
        w->path[n] = 0;
        return tell(w, -ENAMETOOLONG);
    }
    r = walk(w, name);
    w->path[n] = 0;
    return r;
}

static int walk_dir(struct copy_walk *w, const char *name)
{
    struct dirent **children = NULL;
    int n = scandir(w->path, &children, NULL, alphasort), r = n < 0 ? tell(w, -errno) : 0;

    for (int i = 0; i < n; i++) {
        const char *child = children[i]->d_name;

        if (!r && !str_equal(child, ".") && !str_equal(child, ".."))
            r = walk_child(w, name, child);
        free(children[i]);
    }
    free(children);
    return r;
}

static int walk_link(struct copy_walk *w, struct copy_entry *e)
{
    static char target[FILECOPY_NAME_MAX];
    ssize_t n = readlink(e->path, target, sizeof(target) - 1);

    if (n < 0)
        return tell(w, -errno);
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

static int walk(struct copy_walk *w, const char *name)
{
    struct stat st;
    struct copy_entry e = {.path = w->path, .name = name, .st = &st};
    int r;

    if (lstat(w->path, &st) < 0)
        return tell(w, -errno);
    if (S_ISLNK(st.st_mode))
        return walk_link(w, &e);
    if (S_ISREG(st.st_mode))
        return w->visit(w->user, &e);
    if (!S_ISDIR(st.st_mode)) {
        log_warning("%s: neither file, directory nor link; passed over", w->path);
        w->skipped = true;
        return 0;
    }
    r = w->visit(w->user, &e);
    if (!r)
        r = walk_dir(w, name);
    e.again = true;
    return r ? r : w->visit(w->user, &e);
}

int copy_walk(struct copy_walk *w, const char *argument)
{
    const char *name;

    if (format(w->path, sizeof(w->path), "%s", argument))
        return tell(w, -ENAMETOOLONG);
    for (size_t n = strlen(w->path); n > 1 && w->path[n - 1] == '/'; n--)
        w->path[n - 1] = 0;
    name = strrchr(w->path, '/') ? strrchr(w->path, '/') + 1 : w->path;
    if (!*name || str_equal(name, ".") || str_equal(name, "..")) {
        log_error("\"%s\" has no name that the copy could have", argument);
        return COPY_E_ARGUMENT;
    }
    return walk(w, name);
}

int copy_walk_all(struct copy_walk *w, char *const *arguments)
{
    int r = 0;

    for (; !r && *arguments; arguments++)
        r = copy_walk(w, *arguments);
    return r;
}
