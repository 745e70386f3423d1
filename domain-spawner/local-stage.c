/* Between fork and exec: see local-stage.h. */
#include "domain-spawner/local-stage.h"

#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

const struct sandbox_paths stage_paths = {
    .vm = STAGE_DIR "/vm",
    .home = STAGE_DIR "/home",
    .vchan = STAGE_DIR "/vchan",
    .own = STAGE_DIR "/own",
};

int stage_drop(uid_t uid)
{
    if (geteuid() == 0 &&
        (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        return -errno;
    /* a new, empty session keyring: what ours holds is not the domain's */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
        errno != EPERM)
        return -errno;
    return 0;
}

/* The descriptor pins the directory before /tmp is covered; no link is followed at its end. */
static int open_dir(const char *path, int *ret)
{
    *ret = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

static int bind_fd(int fd, const char *to)
{
    char from[32];
    int r = format(from, sizeof(from), "/proc/self/fd/%d", fd);

    if (r)
        return r;
    if (mkdir(to, 0755) < 0 || mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -errno;
    return 0;
}

static int leave_host_mounts(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -errno;
    return 0;
}

static int cover(void)
{
    if (mount("tmpfs", STAGE_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
        return -errno;
    return 0;
}

int stage_mount(const struct sandbox_paths *paths)
{
    const char *const from[] = {paths->vm, paths->home, paths->vchan, paths->own};
    const char *const to[] = {stage_paths.vm, stage_paths.home, stage_paths.vchan, stage_paths.own};
    int fds[ARRAY_SIZE(from)], r = leave_host_mounts();

    for (size_t i = 0; i < ARRAY_SIZE(from) && !r; i++)
        r = open_dir(from[i], &fds[i]);
    if (!r)
        r = cover();
    for (size_t i = 0; i < ARRAY_SIZE(from) && !r; i++)
        r = bind_fd(fds[i], to[i]);
    return r; /* the descriptors close with the exec, or the exit, of this child */
}

const char *stage_find_program(const char *name)
{
    static const char *const dirs[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"};
    static char path[256];

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (format(path, sizeof(path), "%s/%s", dirs[i], name) == 0 && access(path, X_OK) == 0)
            return path;
    return NULL;
}
