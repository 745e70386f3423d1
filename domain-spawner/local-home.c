/* Homes of local domains: see local-home.h. */
#include "domain-spawner/local-home.h"

#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/local-stage.h"
#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOTES "/var/lib/qubes/helper"

uid_t home_uid(const char *home)
{
    struct stat st;

    if (lstat(home, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    return st.st_uid > STAGE_UID_BASE && st.st_uid < 2 * STAGE_UID_BASE ? st.st_uid : 0;
}

/* In a child: its own failure, said. */
static int failed(const char *what, const char *path, int r)
{
    dprintf(STDERR_FILENO, "cannot %s %s: %s\n", what, path, strerror(-r));
    return 1;
}

static int copy_tree(const char *from, const char *to)
{
    const char *cp = stage_find_program("cp");
    char *const argv[] = {(char *)"cp", (char *)"-a", (char *)"--reflink=auto",
                          (char *)"--", (char *)from, (char *)to,
                          NULL};
    const int fds[] = {-1, STDERR_FILENO, STDERR_FILENO};
    struct spawn s = {.path = cp, .argv = argv, .fds = fds, .n_fds = ARRAY_SIZE(fds)};
    pid_t pid;
    int r = cp ? spawn_process(&s, &pid, NULL) : -ENOENT;

    if (!r)
        r = spawn_wait(pid);
    return r > 0 ? -EIO : r;
}

static uid_t chown_to;

static int chown_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return lchown(path, chown_to, chown_to);
}

/* Depth first: the top has the new owner only when all has, so half a change is seen and redone. */
static int give(const char *home, uid_t uid)
{
    struct stat st;

    if (geteuid() != 0)
        return 0;
    if (lstat(home, &st) < 0)
        return -errno;
    chown_to = uid;
    if (st.st_uid != uid && nftw(home, chown_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0)
        return -errno;
    return 0;
}

static int make_parent(const char *home)
{
    char parent[PATH_SIZE];
    int r = format(parent, sizeof(parent), "%.*s", (int)(strrchr(home, '/') - home), home);

    return r || !*parent ? r : mkdir_all(parent, 0755);
}

static int prepare(const struct domain_spec *spec, uid_t uid)
{
    struct stat st;
    int r = make_parent(spec->home);

    if (!r && spec->disposable) {
        r = remove_all(spec->home);
        if (!r && *spec->home_from && access(spec->home_from, F_OK) == 0)
            r = copy_tree(spec->home_from, spec->home);
    }
    if (!r && mkdir(spec->home, 0700) < 0 && errno != EEXIST)
        r = -errno;
    if (!r && (lstat(spec->home, &st) < 0 || !S_ISDIR(st.st_mode)))
        r = -ENOTDIR;
    if (!r)
        r = give(spec->home, uid);
    if (!r && chmod(spec->home, 0700) < 0)
        r = -errno;
    return r ? failed("make the home", spec->home, r) : 0;
}

/* Forks with log_fd as both outputs; in the child 0 and *ret 0. */
static int begin(int log_fd, pid_t *ret)
{
    const int fds[] = {-1, log_fd, log_fd};
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0 && spawn_prepare(fds, ARRAY_SIZE(fds)))
        _exit(126);
    *ret = pid;
    return 0;
}

int home_start_prepare(const struct domain_spec *spec, uid_t uid, int log_fd, pid_t *ret)
{
    int r = begin(log_fd, ret);

    if (!r && *ret == 0)
        _exit(prepare(spec, uid));
    return r;
}

static int note_path(const char *uuid, char path[static PATH_SIZE])
{
    return path_get(path, NOTES "/%s", uuid);
}

static int remove_noted(const char *uuid, const char *home)
{
    char path[PATH_SIZE];
    int r = helper_path_ok(home) ? remove_all(home) : -EINVAL;

    if (!r)
        r = note_path(uuid, path);
    if (!r && unlink(path) < 0 && errno != ENOENT)
        r = -errno;
    return r ? failed("remove", home, r) : 0;
}

int home_start_remove(const struct domain_spec *spec, pid_t *ret)
{
    int r = begin(STDERR_FILENO, ret);

    if (!r && *ret == 0)
        _exit(remove_noted(spec->uuid, spec->home));
    return r;
}

int home_note(const struct domain_spec *spec)
{
    char path[PATH_SIZE];
    int r = path_get(path, NOTES);

    if (!r)
        r = mkdir_all(path, 0700);
    if (!r)
        r = note_path(spec->uuid, path);
    return r ? r : file_replace(path, spec->home, strlen(spec->home), 0600);
}

/* Removes what the notes of these uuids, each ended by a NUL, name. */
static int sweep(const struct buf *uuids)
{
    const char *at = (const char *)buf_data(uuids), *end = at + buf_len(uuids);
    int bad = 0;

    for (; at < end; at += strlen(at) + 1) {
        _cleanup_(freep) char *home = NULL;
        char path[PATH_SIZE];
        size_t n;

        if (note_path(at, path) == 0 && file_read(path, PATH_SIZE, &home, &n) == 0)
            bad |= remove_noted(at, home);
    }
    return bad;
}

/* Read before any new domain can write its own. */
static int list_notes(struct buf *uuids)
{
    char path[PATH_SIZE];
    struct dirent *e;
    DIR *d;
    int r = path_get(path, NOTES);

    if (r)
        return r;
    d = opendir(path);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while (!r && (e = readdir(d)))
        if (helper_uuid_ok(e->d_name))
            r = buf_append(uuids, e->d_name, strlen(e->d_name) + 1);
    closedir(d);
    return r;
}

int home_start_sweep(pid_t *ret)
{
    _cleanup_(buf_deinit) struct buf uuids = BUF_NULL((size_t)1 << 20);
    int r = list_notes(&uuids);

    *ret = 0;
    if (r || !buf_len(&uuids))
        return r;
    r = begin(STDERR_FILENO, ret);
    if (!r && *ret == 0)
        _exit(sweep(&uuids));
    return r;
}
