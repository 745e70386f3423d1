/* What a move has sent: see copy-record.h. */
#include "rpc-services/copy-record.h"

#include "libqrexec/base/log.h"

#include <errno.h>

struct copy_item {
    char *path;
    dev_t dev;
    ino_t ino;
    mode_t type;
    off_t size;
    struct timespec mtime; /* ctime would change with each other name of the file */
};

void copy_record_deinit(struct copy_record *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->items[i].path);
    free(r->items);
    *r = (struct copy_record){0};
}

static struct copy_item item_of(char *path, const struct stat *st)
{
    return (struct copy_item){.path = path,
                              .dev = st->st_dev,
                              .ino = st->st_ino,
                              .type = st->st_mode & S_IFMT,
                              .size = st->st_size,
                              .mtime = st->st_mtim};
}

int copy_record_add(struct copy_record *r, const char *path, const struct stat *st)
{
    char *copy;

    if (r->n == r->size) {
        size_t size = r->size ? r->size * 2 : 64;
        struct copy_item *p = reallocarray(r->items, size, sizeof(*p));

        if (!p)
            return -ENOMEM;
        r->items = p;
        r->size = size;
    }
    copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    r->items[r->n++] = item_of(copy, st);
    return 0;
}

static bool is_as_sent(const struct copy_item *a, const struct stat *now)
{
    struct copy_item b = item_of(NULL, now);

    return a->dev == b.dev && a->ino == b.ino && a->type == b.type &&
           (a->type == S_IFDIR || (a->size == b.size && a->mtime.tv_sec == b.mtime.tv_sec &&
                                   a->mtime.tv_nsec == b.mtime.tv_nsec));
}

static int delete_one(const struct copy_item *item)
{
    struct stat now;
    int r;

    if (lstat(item->path, &now) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!is_as_sent(item, &now)) {
        log_warning("%s was changed after it had been sent; it stays", item->path);
        return 1;
    }
    r = item->type == S_IFDIR ? rmdir(item->path) : unlink(item->path);
    if (r < 0 && (errno == ENOTEMPTY || errno == EEXIST)) {
        log_warning("%s: something in it was not copied; it stays", item->path);
        return 1;
    }
    return r < 0 ? -errno : 0;
}

int copy_record_delete(const struct copy_record *r)
{
    int worst = 0;

    for (size_t i = r->n; i-- > 0;) {
        int e = delete_one(&r->items[i]);

        if (e < 0)
            log_error("%s was copied, but cannot be deleted: %s", r->items[i].path, strerror(-e));
        if (e)
            worst = 1;
    }
    return worst;
}
