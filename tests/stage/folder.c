/* A folder for tests: see folder.h. */
#include "tests/stage/folder.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static char root[64];
static pid_t owner;

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "folder: %s: %s\n", what, strerror(errno));
    abort();
}

static void remove_folder(void)
{
    if (getpid() == owner)
        (void)remove_all(root);
}

const char *folder_new(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    if (*root)
        return root;
    snprintf(root, sizeof(root), "%s/qrexec-XXXXXX", base);
    check(mkdtemp(root), root);
    owner = getpid();
    atexit(remove_folder);
    return root;
}

const char *folder_path(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    check(format(path, PATH_SIZE, "%s/%s", folder_new(), name) == 0, name);
    return path;
}

static const char *place(const char *name)
{
    const char *path = folder_path(name);
    char above[PATH_SIZE];
    int n = (int)(strrchr(path, '/') - path);

    check(format(above, sizeof(above), "%.*s", n, path) == 0 && mkdir_all(above, 0755) == 0, name);
    return path;
}

void folder_file(const char *name, const char *text, mode_t mode)
{
    check(file_replace(place(name), text, strlen(text), mode) == 0, name);
}

void folder_link(const char *name, const char *to)
{
    check(symlink(to, place(name)) == 0, name);
}

int folder_socket(const char *name)
{
    int fd = -1;

    check(unix_listen(place(name), 0777, &fd) == 0, name);
    return fd;
}
