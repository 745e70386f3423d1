/* Programs that services and commands start: see child.h. */
#include "rpc-services/child.h"

#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>

int find_program(const char *name, char *buf, size_t size)
{
    const char *dirs = getenv("PATH");

    if (strchr(name, '/'))
        return format(buf, size, "%s", name);
    for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; dirs;) {
        const char *end = strchrnul(dirs, ':');

        if (end > dirs && format(buf, size, "%.*s/%s", (int)(end - dirs), dirs, name) == 0 &&
            access(buf, X_OK) == 0)
            return 0;
        dirs = *end ? end + 1 : NULL;
    }
    return -ENOENT;
}

int run_program(char *const *argv, int in, int out, int err)
{
    char path[PATH_SIZE];
    int fds[3] = {in, out, err}, r;
    struct spawn s = {.path = path, .argv = argv, .fds = fds, .n_fds = 3};
    pid_t pid;

    r = find_program(argv[0], path, sizeof(path));
    if (!r)
        r = spawn_process(&s, &pid, NULL);
    return r ? r : spawn_wait(pid);
}

int saved_fd(const char *name)
{
    const char *text = getenv(name);
    uint32_t fd;

    return text && parse_u32(text, 1 << 20, &fd) == 0 ? (int)fd : -1;
}
