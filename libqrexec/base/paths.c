/* Where things lie: see paths.h. */
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static char root_dir[PATH_SIZE];

int paths_init(const char *root, enum paths_user user)
{
    size_t n;

    if (!root && (user == PATHS_TOOL || geteuid() != 0))
        root = secure_getenv("QREXEC_ROOT");
    if (!root || !*root)
        return 0;
    n = strlen(root);
    while (n > 0 && root[n - 1] == '/')
        n--;
    if (root[0] != '/' || n >= sizeof(root_dir))
        return -EINVAL;
    memcpy(root_dir, root, n);
    root_dir[n] = 0;
    return 0;
}

const char *paths_root(void)
{
    return root_dir;
}

int path_get(char buf[static PATH_SIZE], const char *fmt, ...)
{
    size_t n = strlen(root_dir);
    va_list ap;
    int m;

    memcpy(buf, root_dir, n);
    va_start(ap, fmt);
    m = vsnprintf(buf + n, PATH_SIZE - n, fmt, ap);
    va_end(ap);
    return m < 0 || (size_t)m >= PATH_SIZE - n ? -ENAMETOOLONG : 0;
}

int path_program(char buf[static PATH_SIZE], enum path_dir dir, const char *name)
{
    static const struct {
        const char *configured, *private;
    } dirs[] = {
        [PATH_BIN] = {QREXEC_BINDIR, "/usr/bin"},
        [PATH_SBIN] = {QREXEC_SBINDIR, "/usr/sbin"},
        [PATH_LIB] = {QREXEC_LIBDIR, "/usr/lib/qubes"},
    };

    if (*root_dir)
        return path_get(buf, "%s/%s", dirs[dir].private, name);
    return format(buf, PATH_SIZE, "%s/%s", dirs[dir].configured, name);
}

int path_neighbour(char buf[static PATH_SIZE], const char *name)
{
    ssize_t n = readlink("/proc/self/exe", buf, PATH_SIZE - 1);
    char *slash;

    buf[n > 0 ? n : 0] = 0;
    slash = strrchr(buf, '/');
    if (slash && !format(slash + 1, PATH_SIZE - (size_t)(slash + 1 - buf), "%s", name) &&
        access(buf, X_OK) == 0)
        return 0;
    return path_program(buf, PATH_LIB, name);
}
