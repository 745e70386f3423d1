/* The files of a policy source: see files.h. */
#include "policy-engine/lib/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int strings_add(struct strings *s, struct span text)
{
    int r = array_grow(&s->list, &s->cap, s->n + 1, sizeof(*s->list));

    if (r)
        return r;
    s->list[s->n] = span_dup(text);
    if (!s->list[s->n])
        return -ENOMEM;
    s->list[++s->n] = NULL;
    return 0;
}

void strings_deinit(struct strings *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->list[i]);
    free(s->list);
    *s = (struct strings){0};
}

int files_normalise(const char *path, char buf[static FILES_PATH_MAX])
{
    size_t n = 0;

    while (*path) {
        if (path[0] == '/' && path[1] == '/') {
            path++;
        } else if (path[0] == '.' && (n == 0 || buf[n - 1] == '/') &&
                   (path[1] == '/' || !path[1]) && (n || path[1])) {
            path += path[1] ? 2 : 1;
        } else {
            if (n + 1 >= FILES_PATH_MAX)
                return -ENAMETOOLONG;
            buf[n++] = *path++;
        }
    }
    while (n > 1 && buf[n - 1] == '/')
        n--;
    buf[n] = 0;
    return 0;
}

static bool same_path(const char *a, const char *b)
{
    char x[FILES_PATH_MAX], y[FILES_PATH_MAX];

    return files_normalise(a, x) == 0 && files_normalise(b, y) == 0 && strcmp(x, y) == 0;
}

static const struct policy_file *find_file(const struct policy_source *s, const char *path)
{
    for (size_t i = 0; i < s->n_files; i++)
        if (same_path(s->files[i].path, path))
            return &s->files[i];
    return NULL;
}

/* A regular file of a size that is read at all: its size, or a negative errno. */
static off_t check_file(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode)) /* a pipe would read as an empty file */
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    return st.st_size > FILES_CONTENT_MAX ? -EFBIG : st.st_size;
}

static ssize_t read_some(int fd, char *buf, size_t size)
{
    ssize_t got;

    do
        got = read(fd, buf, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* To the end, whatever size it had at first; a NUL follows. */
static int read_fd(int fd, size_t size, char **ret, size_t *ret_len)
{
    size_t len = 0, room = size + 2;
    _cleanup_(freep) char *data = malloc(room);
    ssize_t got;

    while (data && (got = read_some(fd, data + len, room - len - 1))) {
        if (got < 0)
            return (int)got;
        len += (size_t)got;
        if (len > FILES_CONTENT_MAX)
            return -EFBIG;
        if (len + 1 == room) {
            char *more = realloc(data, room *= 2);

            if (!more)
                return -ENOMEM;
            data = more;
        }
    }
    if (!data)
        return -ENOMEM;
    data[len] = '\0';
    *ret_len = len;
    *ret = take(data);
    return 0;
}

static int read_disk(const char *path, char **ret, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    off_t size;
    int r;

    if (fd < 0)
        return -errno;
    size = check_file(fd);
    r = size < 0 ? (int)size : read_fd(fd, (size_t)size, ret, ret_len);
    close(fd);
    return r;
}

int files_read(const struct policy_source *s, const char *path, char **ret, size_t *ret_len)
{
    const struct policy_file *f = find_file(s, path);

    if (f && !f->content)
        return -ENOENT;
    if (f && f->len > FILES_CONTENT_MAX)
        return -EFBIG;
    if (f) {
        *ret = span_dup((struct span){f->content, f->len});
        *ret_len = f->len;
        return *ret ? 0 : -ENOMEM;
    }
    return s->files_only ? -ENOENT : read_disk(path, ret, ret_len);
}

/* The name of a replaced file if it lies directly in dir. */
static const char *name_in(const char *path, const char *dir, char buf[static FILES_PATH_MAX])
{
    char d[FILES_PATH_MAX];
    size_t n;

    if (files_normalise(path, buf) || files_normalise(dir, d))
        return NULL;
    n = strlen(d);
    if (strncmp(buf, d, n) != 0 || buf[n] != '/' || strchr(buf + n + 1, '/'))
        return NULL;
    return buf + n + 1;
}

/* A regular file, or one that cannot be looked at: it must not pass for absent, and reading it says
 * why. A link that leads nowhere is absent. */
static bool may_be_file(int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, 0) == 0)
        return S_ISREG(st.st_mode);
    return errno != ENOENT && errno != ENOTDIR && errno != ELOOP;
}

static int list_disk(const struct policy_source *s, const char *dir, struct strings *ret)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int r = 0;

    if (!d)
        return -errno;
    while (!r && (errno = 0, e = readdir(d))) {
        char path[FILES_PATH_MAX];

        if (!may_be_file(dirfd(d), e->d_name))
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
            r = -ENAMETOOLONG;
        else if (!find_file(s, path))
            r = strings_add(ret, span_of(e->d_name));
    }
    if (!r)
        r = -errno; /* of readdir() */
    closedir(d);
    return r;
}

int files_list(const struct policy_source *s, const char *dir, struct strings *ret)
{
    char buf[FILES_PATH_MAX];
    bool seen = false;
    int r = 0;

    for (size_t i = 0; !r && i < s->n_files; i++) {
        const char *name = name_in(s->files[i].path, dir, buf);

        seen |= name != NULL;
        if (name && s->files[i].content)
            r = strings_add(ret, span_of(name));
    }
    if (!r && !s->files_only)
        r = list_disk(s, dir, ret);
    if (!r && s->files_only && !seen)
        r = -ENOENT;
    if (r == -ENOENT && seen)
        r = 0;
    if (!r && ret->n)
        qsort(ret->list, ret->n, sizeof(ret->list[0]), order_of_strings);
    return r;
}
