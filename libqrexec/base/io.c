/* Descriptors, sockets, files: see io.h. */
#include "libqrexec/base/io.h"

#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

uint64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_real_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int deadline_left(uint64_t deadline)
{
    uint64_t now;

    if (!deadline)
        return -1;
    now = clock_ms();
    if (now >= deadline)
        return 0;
    return deadline - now > 0x7fffffff ? 0x7fffffff : (int)(deadline - now);
}

bool errno_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static int fd_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);

    if (flags < 0)
        return -errno;
    flags = on ? flags | flag : flags & ~flag;
    return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
    return fd_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
    return fd_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

bool fd_is_stream_socket(int fd)
{
    int type = 0;
    socklen_t n = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

int process_begin(void)
{
    sigset_t none;
    int fd;

    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return -errno;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -errno;
    } while (fd <= STDERR_FILENO);
    close(fd);
    return 0;
}

int read_full(int fd, void *data, size_t n)
{
    return read_full_until(fd, data, n, 0);
}

int read_full_until(int fd, void *data, size_t n, uint64_t deadline)
{
    unsigned char *p = data;

    while (n > 0) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        ssize_t got;
        int r = poll(&pfd, 1, deadline_left(deadline));

        if (r == 0)
            return -ETIMEDOUT;
        got = r < 0 ? -1 : read(fd, p, n);
        if (got == 0)
            return -EPIPE;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
    return 0;
}

int write_full(int fd, const void *data, size_t n)
{
    const unsigned char *p = data;

    while (n > 0) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

        if (put < 0 && errno == ENOTSOCK)
            put = write(fd, p, n);
        if (put < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};

            (void)poll(&pfd, 1, -1);
        } else if (put < 0 && errno != EINTR) {
            return -errno;
        } else if (put > 0) {
            p += put;
            n -= (size_t)put;
        }
    }
    return 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
    size_t n = strlen(path);

    if (n >= sizeof(ret->sun_path))
        return -ENAMETOOLONG;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, n);
    return 0;
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int unix_listen(const char *path, mode_t mode, int *ret)
{
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a;
    mode_t old;
    int r, probe = -1;

    r = unix_address(path, &a);
    if (r)
        return r;
    r = unix_connect(path, &probe);
    close_fd(&probe);
    if (r == 0 || r == -EAGAIN)
        return -EADDRINUSE;
    if (r == -ECONNREFUSED && !is_socket(path))
        return -EEXIST;
    if (r == -ECONNREFUSED)
        unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    old = umask(0777 & ~mode);
    r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
    umask(old);
    if (r)
        return r;
    if (listen(fd, SOMAXCONN) < 0)
        return -errno;
    *ret = take_fd(&fd);
    return 0;
}

/* Only a label: a name that is taken, or too long, is done without. */
static void bind_name(int fd, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(name);

    if (n >= sizeof(a.sun_path))
        return;
    memcpy(a.sun_path + 1, name, n);
    (void)bind(fd, (struct sockaddr *)&a,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n));
}

static int new_client(const char *path, int flags, struct sockaddr_un *ret_to, int *ret)
{
    int r = unix_address(path, ret_to);

    if (r)
        return r;
    *ret = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    return *ret < 0 ? -errno : 0;
}

int unix_connect_from(const char *path, const char *name, int *ret)
{
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a;
    int r = new_client(path, SOCK_NONBLOCK, &a, &fd);

    if (r)
        return r;
    if (name)
        bind_name(fd, name);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return -errno;
    *ret = take_fd(&fd);
    return 0;
}

int unix_connect(const char *path, int *ret)
{
    return unix_connect_from(path, NULL, ret);
}

int unix_connect_wait(const char *path, unsigned seconds, int *ret)
{
    const struct timeval most = {.tv_sec = seconds};
    _cleanup_(closep) int fd = -1;
    struct sockaddr_un a;
    int r = new_client(path, 0, &a, &fd);

    if (r)
        return r;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0)
        return -errno;
    do
        r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
    while (r == -EINTR);
    if (r)
        return r == -EAGAIN ? -ETIMEDOUT : r;
    r = fd_set_nonblock(fd, true);
    if (!r)
        *ret = take_fd(&fd);
    return r;
}

int unix_peer(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
    struct ucred c;
    socklen_t n = sizeof(c);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
        return -errno;
    *ret_pid = c.pid;
    *ret_uid = c.uid;
    return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
    _cleanup_(freep) char *data = NULL;
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0, size = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    for (;;) {
        ssize_t got;

        if (len + 1 >= size) {
            char *p;

            size = size ? size * 2 : 4096;
            p = realloc(data, size);
            if (!p)
                return -ENOMEM;
            data = p;
        }
        got = read(fd, data + len, size - len - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        len += (size_t)got;
        if (len > max)
            return -EFBIG;
        if (got == 0)
            break;
    }
    data[len] = 0;
    *ret_len = len;
    *ret = take(data);
    return 0;
}

int file_replace(const char *path, const void *data, size_t n, mode_t mode)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    _cleanup_(closep) int fd = -1, dir = -1;
    char tmp[PATH_SIZE], dirname[PATH_SIZE];
    int r;

    r = format(dirname, sizeof(dirname), "%.*s", (int)(base - path), base == path ? "." : path);
    if (!r)
        r = format(tmp, sizeof(tmp), "%s.%s.XXXXXX", base == path ? "" : dirname, base);
    if (r)
        return r;
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_full(fd, data, n);
    if (!r && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
        r = -errno;
    if (r) {
        unlink(tmp);
        return r;
    }
    dir = open(base == path ? "." : dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        (void)fsync(dir); /* the rename is done; a crash now shows the old or the new */
    return 0;
}

int mkdir_all(const char *path, mode_t mode)
{
    char buf[PATH_SIZE];
    int r;

    r = format(buf, sizeof(buf), "%s", path);
    if (r)
        return r;
    for (char *p = buf + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        if (mkdir(buf, mode) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(buf, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void link_remove(const char *path, const char *to)
{
    char now[256]; /* longer is not that */
    ssize_t n = readlink(path, now, sizeof(now));

    if (n > 0 && (size_t)n == strlen(to) && memcmp(now, to, (size_t)n) == 0)
        (void)unlink(path);
}

int remove_all(const char *path)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}
