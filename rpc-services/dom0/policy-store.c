/* The policy directory: see policy-store.h. */
#include "rpc-services/dom0/policy-store.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/io.h"
#include "rpc-services/dom0/entry.h"
#include "rpc-services/dom0/policy-check.h"
#include "rpc-services/dom0/token.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_MS 10000
#define SUFFIX  ".policy"

/* A file of the store: as it is named, and the entry that a change of it touches. */
struct target {
    char path[PATH_SIZE];
    struct entry entry;
    bool is_link, exists;
    struct stat st; /* of what is at the end of links, if it exists */
    char *content;  /* likewise */
    size_t len;
};

static void target_deinit(struct target *t)
{
    free(t->content);
}

int admin_fail(char reterr[static ADMIN_TEXT_MAX], int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reterr, ADMIN_TEXT_MAX, fmt, ap);
    va_end(ap);
    return code;
}

int store_init(struct policy_store *s)
{
    const char *dir = secure_getenv("QREXEC_POLICY_DIR");
    int r = path_get(s->legacy_dir, "/etc/qubes-rpc/policy");

    s->run_dir[0] = 0;
    s->lock_ms = LOCK_MS;
    if (r)
        return r;
    if (dir && *dir)
        return format(s->dir, sizeof(s->dir), "%s", dir);
    r = path_get(s->run_dir, "/run/qubes/policy.d");
    if (!r && access(s->run_dir, F_OK) < 0)
        s->run_dir[0] = 0;
    return r ? r : path_get(s->dir, "/etc/qubes/policy.d");
}

static int place_dir(const struct policy_store *s, enum store_place place,
                     char buf[static PATH_SIZE])
{
    return format(buf, PATH_SIZE, "%s%s", s->dir, place == STORE_INCLUDE ? "/include" : "");
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name as callers know it, allocated; NULL: not to be listed (or no memory, then errno). */
static char *listed_name(int dir, const char *name, enum store_place place)
{
    size_t n = strlen(name), cut = place == STORE_POLICY ? strlen(SUFFIX) : 0;
    struct stat st;

    errno = 0;
    if (name[0] == '.' || n <= cut || (cut && !str_equal(name + n - cut, SUFFIX)) ||
        name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")] ||
        fstatat(dir, name, &st, 0) < 0 || !S_ISREG(st.st_mode)) {
        errno = 0;
        return NULL;
    }
    return strndup(name, n - cut);
}

static int collect(DIR *d, enum store_place place, char ***ret, size_t *ret_n)
{
    struct dirent *e;
    size_t cap = 0;

    while ((errno = 0, e = readdir(d))) {
        char *name = listed_name(dirfd(d), e->d_name, place);
        char **list = *ret;

        if (!name && errno)
            return -errno;
        if (!name)
            continue;
        if (*ret_n == cap) {
            cap = cap ? cap * 2 : 32;
            list = realloc(list, cap * sizeof(*list));
            if (!list) {
                free(name);
                return -ENOMEM;
            }
            *ret = list;
        }
        list[(*ret_n)++] = name;
    }
    return -errno;
}

int store_list(const struct policy_store *s, enum store_place place, struct buf *ret,
               char reterr[static ADMIN_TEXT_MAX])
{
    char path[PATH_SIZE], **names = NULL;
    int r = place_dir(s, place, path);
    DIR *d = r ? NULL : opendir(path);
    size_t n = 0;

    if (!r)
        r = d ? collect(d, place, &names, &n) : -errno;
    if (d)
        closedir(d);
    if (n)
        qsort(names, n, sizeof(*names), name_order);
    for (size_t i = 0; i < n; i++) {
        if (!r)
            r = buf_appendf(ret, "%s\n", names[i]);
        free(names[i]);
    }
    free(names);
    return r ? admin_fail(reterr, r, "cannot list %s: %s", path, strerror(-r)) : 0;
}

static int check_name(const char *name, char reterr[static ADMIN_TEXT_MAX])
{
    if (!*name ||
        name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")])
        return admin_fail(reterr, ADMIN_E_FILE_NAME,
                          "\"%s\" is no name of a policy file (A-Z a-z 0-9 _ -, no suffix)", name);
    if (strlen(name) > ADMIN_NAME_MAX)
        return admin_fail(reterr, ADMIN_E_FILE_NAME, "a file's name has %d bytes at most",
                          ADMIN_NAME_MAX);
    return 0;
}

/* What is at the end of links, if anything: it must be a file. */
static int target_read(struct target *t, char reterr[static ADMIN_TEXT_MAX])
{
    int r;

    if (stat(t->path, &t->st) < 0) {
        if (errno == ENOENT)
            return 0;
        if (errno == ELOOP)
            return admin_fail(reterr, ADMIN_E_FILE_PATH, "%s is a link that leads nowhere",
                              t->path);
        return admin_fail(reterr, -errno, "cannot look at %s: %s", t->path, strerror(errno));
    }
    if (!S_ISREG(t->st.st_mode))
        return admin_fail(reterr, ADMIN_E_FILE_PATH, "%s is no file", t->path);
    r = file_read(t->path, ADMIN_CONTENT_MAX, &t->content, &t->len);
    if (r)
        return admin_fail(reterr, r, "cannot read %s: %s", t->path, strerror(-r));
    t->exists = true;
    return 0;
}

static int target_find(const struct policy_store *s, enum store_place place, const char *name,
                       struct target *t, char reterr[static ADMIN_TEXT_MAX])
{
    char dir[PATH_SIZE];
    struct stat st;
    int r = check_name(name, reterr);

    if (r)
        return r;
    r = place_dir(s, place, dir);
    if (!r)
        r = format(t->path, sizeof(t->path), "%s/%s%s", dir, name,
                   place == STORE_POLICY ? SUFFIX : "");
    if (!r)
        r = entry_find(t->path, &t->entry);
    if (r)
        return admin_fail(reterr, r, "cannot find %s: %s", dir, strerror(-r));
    t->is_link = lstat(t->path, &st) == 0 && S_ISLNK(st.st_mode);
    return target_read(t, reterr);
}

int store_read(const struct policy_store *s, enum store_place place, const char *name, char **ret,
               size_t *ret_len, char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(target_deinit) struct target t = {0};
    int r = target_find(s, place, name, &t, reterr);

    if (r)
        return r;
    if (!t.exists)
        return admin_fail(reterr, ADMIN_E_NOT_FOUND, "there is no file %s", t.path);
    *ret = take(t.content);
    *ret_len = t.len;
    return 0;
}

int store_lock(const struct policy_store *s, int *ret, char reterr[static ADMIN_TEXT_MAX])
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    uint64_t deadline = clock_ms() + s->lock_ms;
    _cleanup_(closep) int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return admin_fail(reterr, -errno, "cannot open %s: %s", s->dir, strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return admin_fail(reterr, -errno, "cannot lock %s: %s", s->dir, strerror(errno));
        if (deadline_left(deadline) == 0)
            return admin_fail(reterr, -ETIMEDOUT,
                              "another change of %s has been under way for %u ms; try again",
                              s->dir, s->lock_ms);
        (void)nanosleep(&pause, NULL);
    }
    *ret = take_fd(&fd);
    return 0;
}

static int check_token(const struct store_change *c, const struct target *t,
                       char reterr[static ADMIN_TEXT_MAX])
{
    char now[TOKEN_SIZE];

    if (str_equal(c->token, "any"))
        return 0;
    if (str_equal(c->token, "new"))
        return t->exists || t->is_link
                   ? admin_fail(reterr, ADMIN_E_TOKEN, "%s exists already", t->path)
                   : 0;
    if (!t->exists)
        return admin_fail(reterr, ADMIN_E_TOKEN, "%s was removed since it was read", t->path);
    token_make(t->content, t->len, now);
    return str_equal(now, c->token)
               ? 0
               : admin_fail(reterr, ADMIN_E_TOKEN, "%s was changed since it was read", t->path);
}

/* Files of the directories: root:qubes 0664, as far as we may. Others, behind a link: as before. */
static int set_owner(const struct policy_store *s, const struct target *t, int fd)
{
    char include[PATH_SIZE];
    struct stat dir;
    bool ours = entry_is_in(&t->entry, s->dir) ||
                (place_dir(s, STORE_INCLUDE, include) == 0 && entry_is_in(&t->entry, include));
    uid_t uid = geteuid() == 0 ? 0 : (uid_t)-1;
    gid_t gid = (gid_t)-1;

    if (!ours && t->exists) {
        uid = t->st.st_uid;
        gid = t->st.st_gid;
    } else if (group_qubes(&gid) < 0 && stat(s->dir, &dir) == 0) {
        gid = dir.st_gid;
    }
    if (fchown(fd, uid, gid) < 0 && errno != EPERM)
        return -errno;
    return fchmod(fd, !ours && t->exists ? t->st.st_mode & 07777 : 0664) < 0 ? -errno : 0;
}

/* The entry's directory, step by step: it was found without links, and one that is there now is an
 * error. */
static int open_dir(const struct entry *e)
{
    _cleanup_(closep) int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *end = e->path + e->name;
    char step[NAME_MAX + 1];
    int r = 0;

    for (const char *p = e->path + 1; !r && fd >= 0 && p < end; p += strlen(step) + 1) {
        r = format(step, sizeof(step), "%.*s", (int)strcspn(p, "/"), p);
        if (!r) {
            int next = openat(fd, step, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            close_fd(&fd);
            fd = next;
        }
    }
    if (r || fd < 0)
        return r ? r : -errno;
    r = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* to read is to sync */
    return r < 0 ? -errno : r;
}

/* A file of that name with the content, complete and on disk. */
static int write_new(const struct policy_store *s, const struct target *t, int dir,
                     const char *name, const char *content, size_t len)
{
    _cleanup_(closep) int fd = -1;
    int r;

    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_full(fd, content, len);
    if (!r)
        r = set_owner(s, t, fd);
    return r ? r : fsync(fd) < 0 ? -errno : 0;
}

/* The dotfile's name is fixed, so that what a kill left is replaced and does not pile up; the lock
 * is held. */
static int write_over(const struct policy_store *s, const struct target *t, const char *content,
                      size_t len)
{
    const char *name = t->entry.path + t->entry.name;
    _cleanup_(closep) int dir = open_dir(&t->entry);
    char tmp[NAME_MAX + 1];
    int r = dir < 0 ? dir : format(tmp, sizeof(tmp), ".%s.policy-admin", name);

    if (!r && unlinkat(dir, tmp, 0) < 0 && errno != ENOENT)
        r = -errno;
    if (r)
        return r;
    r = write_new(s, t, dir, tmp, content, len);
    if (!r && renameat(dir, tmp, dir, name) < 0)
        r = -errno;
    if (r)
        (void)unlinkat(dir, tmp, 0);
    else
        (void)fsync(dir); /* it is renamed: a crash from now on shows the old or the new */
    return r;
}

static int remove_entry(const struct entry *e)
{
    _cleanup_(closep) int dir = open_dir(e);

    if (dir < 0)
        return dir;
    if (unlinkat(dir, e->path + e->name, 0) < 0)
        return -errno;
    (void)fsync(dir);
    return 0;
}

static int apply_replace(const struct policy_store *s, struct target *t,
                         const struct store_change *c, char reterr[static ADMIN_TEXT_MAX])
{
    int r = entry_follow(&t->entry);

    if (r == -ELOOP || (t->is_link && !t->exists))
        return admin_fail(reterr, ADMIN_E_FILE_PATH, "%s is a link that leads nowhere", t->path);
    if (r)
        return admin_fail(reterr, r, "cannot follow the link %s: %s", t->path, strerror(-r));
    r = policy_check(s, t->path, &t->entry, c->content, c->len, reterr);
    if (r)
        return r;
    r = write_over(s, t, c->content, c->len);
    return r ? admin_fail(reterr, r, "cannot write %s: %s%s; it is as it was", t->path,
                          strerror(-r), r == -EACCES ? " (only root and the group qubes may)" : "")
             : 0;
}

static int apply_remove(const struct policy_store *s, struct target *t,
                        char reterr[static ADMIN_TEXT_MAX])
{
    int r = policy_check(s, t->path, &t->entry, NULL, 0, reterr);

    if (r)
        return r;
    r = remove_entry(&t->entry);
    return r ? admin_fail(reterr, r, "cannot remove %s: %s%s", t->path, strerror(-r),
                          r == -EACCES ? " (only root and the group qubes may)" : "")
             : 0;
}

int store_apply(const struct policy_store *s, const struct store_change *c,
                char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(target_deinit) struct target t = {0};
    int r = target_find(s, c->place, c->name, &t, reterr);

    if (!r && !c->content && !t.exists && !t.is_link)
        return admin_fail(reterr, ADMIN_E_NOT_FOUND, "there is no file %s", t.path);
    if (!r)
        r = check_token(c, &t, reterr);
    if (r)
        return r;
    return c->content ? apply_replace(s, &t, c, reterr) : apply_remove(s, &t, reterr);
}
