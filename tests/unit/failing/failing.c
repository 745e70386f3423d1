/* Calls of the C library that fail: see failing.h. */
#include "tests/unit/failing/failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define LIMIT_S   20 /* for one run; then it hangs */
#define MOST_LIVE 8192

/* Shared with children. */
static struct {
    unsigned long count;   /* calls so far */
    unsigned long fail_at; /* 0: none */
    char failed[32];       /* the one that did */
} * shared;
static int off = 1; /* calls go through and are not counted */
_unused_ static pid_t driver;
static const char *scenario_name = "";
static bool fake_forks, wait_for_children;
static pid_t next_pid;

static void say(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "%s, call %lu (%s) fails: %s\n", scenario_name, shared->fail_at,
            *shared->failed ? shared->failed : "not reached", what);
}

void failing_off(void)
{
    off++;
}

void failing_on(void)
{
    off--;
}

void failing_check(bool ok, const char *what)
{
    if (ok)
        return;
    say(what);
    _exit(1);
}

bool failing_did(void)
{
    return *shared->failed;
}

void failing_wait_for_children(void)
{
    wait_for_children = true;
}

void failing_fake_forks(void)
{
    fake_forks = true;
}

static bool fails(const char *name, int error)
{
#ifdef QREXEC_COVERAGE
    if (getpid() != driver) /* a child also writes down what it ran, with memory of its own */
        return false;
#endif
    if (off || !shared ||
        __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST) != shared->fail_at)
        return false;
    snprintf(shared->failed, sizeof(shared->failed), "%s", name);
    errno = error;
    return true;
}

/* clang-format off */
#define CALLS(X) \
    X(int, -1, EMFILE, socket, (int a, int b, int c), (a, b, c)) \
    X(int, -1, EMFILE, socketpair, (int a, int b, int c, int d[2]), (a, b, c, d)) \
    X(int, -1, ENFILE, pipe2, (int p[2], int flags), (p, flags)) \
    X(int, -1, EMFILE, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f)) \
    X(int, -1, ECONNREFUSED, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n)) \
    X(int, -1, EADDRINUSE, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n)) \
    X(int, -1, EADDRINUSE, listen, (int fd, int n), (fd, n)) \
    X(int, -1, ENOTCONN, shutdown, (int fd, int how), (fd, how)) \
    X(int, -1, ENOBUFS, getsockopt, (int fd, int a, int b, void *p, socklen_t *n), (fd, a, b, p, n)) \
    X(int, -1, ENOBUFS, setsockopt, (int fd, int a, int b, const void *p, socklen_t n), (fd, a, b, p, n)) \
    X(ssize_t, -1, EIO, read, (int fd, void *p, size_t n), (fd, p, n)) \
    X(ssize_t, -1, ENOSPC, write, (int fd, const void *p, size_t n), (fd, p, n)) \
    X(ssize_t, -1, ENOSPC, writev, (int fd, const struct iovec *v, int n), (fd, v, n)) \
    X(ssize_t, -1, ECONNRESET, recv, (int fd, void *p, size_t n, int f), (fd, p, n, f)) \
    X(ssize_t, -1, EPIPE, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f)) \
    X(ssize_t, -1, EPIPE, sendto, (int fd, const void *p, size_t n, int f, const struct sockaddr *a, socklen_t l), \
      (fd, p, n, f, a, l)) \
    X(int, -1, ENOMEM, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms)) \
    X(int, -1, EMFILE, epoll_create1, (int f), (f)) \
    X(int, -1, ENOSPC, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev)) \
    X(int, -1, EMFILE, eventfd, (unsigned n, int f), (n, f)) \
    X(int, -1, EMFILE, inotify_init1, (int f), (f)) \
    X(int, -1, ENOSPC, inotify_add_watch, (int fd, const char *path, uint32_t m), (fd, path, m)) \
    X(int, -1, EMFILE, signalfd, (int fd, const sigset_t *s, int f), (fd, s, f)) \
    X(int, -1, EMFILE, memfd_create, (const char *name, unsigned f), (name, f)) \
    X(int, -1, EMFILE, mkostemp, (char *t, int f), (t, f)) \
    X(int, -1, EBUSY, dup2, (int a, int b), (a, b)) \
    X(int, -1, EIO, fstat, (int fd, struct stat *st), (fd, st)) \
    X(int, -1, EACCES, stat, (const char *path, struct stat *st), (path, st)) \
    X(int, -1, EACCES, lstat, (const char *path, struct stat *st), (path, st)) \
    X(ssize_t, -1, EACCES, readlink, (const char *path, char *p, size_t n), (path, p, n)) \
    X(int, -1, EACCES, access, (const char *path, int m), (path, m)) \
    X(int, -1, EACCES, eaccess, (const char *path, int m), (path, m)) \
    X(int, -1, EROFS, unlink, (const char *path), (path)) \
    X(int, -1, EROFS, rename, (const char *a, const char *b), (a, b)) \
    X(int, -1, EROFS, renameat2, (int x, const char *a, int y, const char *b, unsigned f), (x, a, y, b, f)) \
    X(int, -1, ENOSPC, symlink, (const char *a, const char *b), (a, b)) \
    X(int, -1, ENOSPC, mkdir, (const char *path, mode_t m), (path, m)) \
    X(int, -1, EPERM, fchmod, (int fd, mode_t m), (fd, m)) \
    X(int, -1, EIO, fsync, (int fd), (fd)) \
    X(off_t, -1, EINVAL, lseek, (int fd, off_t o, int w), (fd, o, w)) \
    X(int, -1, EACCES, chdir, (const char *path), (path)) \
    X(pid_t, -1, EPERM, setsid, (void), ()) \
    X(int, -1, EINVAL, sigprocmask, (int how, const sigset_t *a, sigset_t *b), (how, a, b)) \
    X(pid_t, -1, ECHILD, waitpid, (pid_t pid, int *s, int f), (pid, s, f)) \
    X(int, -1, ENOENT, execve, (const char *path, char *const *argv, char *const *envp), (path, argv, envp)) \
    X(struct passwd *, NULL, EIO, getpwnam, (const char *name), (name)) \
    X(struct passwd *, NULL, EIO, getpwuid, (uid_t uid), (uid)) \
    X(FILE *, NULL, ENOMEM, fdopen, (int fd, const char *m), (fd, m)) \
    X(FILE *, NULL, ENOMEM, open_memstream, (char **p, size_t *n), (p, n)) \
    X(int, EAI_MEMORY, ENOMEM, getaddrinfo, (const char *h, const char *p, const struct addrinfo *i, struct addrinfo **r), \
      (h, p, i, r))
/* clang-format on */

#define WRAP(type, value, error, name, params, args)                                               \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return fails(#name, error) ? value : __real_##name args;                                   \
    }
CALLS(WRAP)

/* closes all the same */
int __real_fclose(FILE *f);
int __wrap_fclose(FILE *f);
int __wrap_fclose(FILE *f)
{
    int r = __real_fclose(f);

    return fails("fclose", ENOSPC) ? EOF : r;
}

int failing_real_poll(struct pollfd *p, nfds_t n, int ms)
{
    return __real_poll(p, n, ms);
}

int __real_prctl(int what, ...);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    pid_t pid;

    if (fails("fork", EAGAIN))
        return -1;
    pid = fake_forks && !off ? next_pid++ : __real_fork();
    if (pid == 0) /* also when the run ends because this one does not */
        (void)__real_prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if (flags & O_CREAT)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...)
{
    long arg;
    va_list ap;

    va_start(ap, cmd);
    arg = va_arg(ap, long);
    va_end(ap);
    return fails("fcntl", EMFILE) ? -1 : __real_fcntl(fd, cmd, arg);
}

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
long __wrap_syscall(long nr, ...)
{
    long a[6];
    va_list ap;

    va_start(ap, nr);
    for (size_t i = 0; i < ARRAY_SIZE(a); i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return fails("syscall", EMFILE) ? -1 : __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_prctl(int what, ...);
int __wrap_prctl(int what, ...)
{
    long a[4];
    va_list ap;

    va_start(ap, what);
    for (size_t i = 0; i < ARRAY_SIZE(a); i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return fails("prctl", EINVAL) ? -1 : __real_prctl(what, a[0], a[1], a[2], a[3]);
}

/* Memory: what our code took and did not give back. */
static void *live[MOST_LIVE];
static size_t n_live;

static void *note(void *p)
{
    if (p && !off) {
        if (n_live == MOST_LIVE)
            abort();
        live[n_live++] = p;
    }
    return p;
}

static void forget(const void *p)
{
    for (size_t i = n_live; i-- > 0;)
        if (live[i] == p) {
            live[i] = live[--n_live];
            return;
        }
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
    return fails("malloc", ENOMEM) ? NULL : note(__real_malloc(n));
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails("calloc", ENOMEM) ? NULL : note(__real_calloc(n, size));
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    if (fails("reallocarray", ENOMEM))
        return NULL;
    forget(old);
    return note(__real_reallocarray(old, n, size));
}

void *__real_realloc(void *old, size_t n);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_realloc(void *old, size_t n)
{
    if (fails("realloc", ENOMEM))
        return NULL;
    forget(old);
    return note(__real_realloc(old, n));
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
    return fails("strdup", ENOMEM) ? NULL : note(__real_strdup(s));
}

int __real_vasprintf(char **ret, const char *fmt, va_list ap);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap);
__attribute__((format(printf, 2, 0))) int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
    int n = fails("vasprintf", ENOMEM) ? -1 : __real_vasprintf(ret, fmt, ap);

    if (n >= 0)
        (void)note(*ret);
    return n;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    forget(p);
    __real_free(p);
}

/* ---- The driver ---- */

static size_t count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static void on_alarm(int signo)
{
    (void)signo;
    say("it does not end");
    _exit(1);
}

static void on_crash(int signo)
{
    say(strsignal(signo));
    _exit(1);
}

/* Those that end by themselves now that nobody talks to them. */
static bool reap(void)
{
    const struct timespec ms = {0, 1000000};
    pid_t pid;

    for (int i = 0; i < 5000; i++) {
        while ((pid = __real_waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0)
            return true;
        nanosleep(&ms, NULL);
    }
    return false;
}

static int run_once(const struct scenario *s, unsigned long fail_at)
{
    size_t fds = count_fds();
    int r;

    shared->count = 0;
    shared->fail_at = fail_at;
    shared->failed[0] = 0;
    n_live = 0;
    next_pid = FAILING_PID_FIRST;
    (void)alarm(LIMIT_S);
    off = 0;
    r = s->run();
    off = 1;
    (void)alarm(0);
    if (wait_for_children && !str_equal(shared->failed, "waitpid"))
        failing_check(__real_waitpid(-1, NULL, WNOHANG) < 0, "a child is not waited for");
    failing_check(reap(), "a child is left");
    failing_check(n_live == 0, "memory is left");
    failing_check(count_fds() == fds, "a descriptor is left");
    return r;
}

/* The number of calls; it may differ from run to run where children take part. */
static unsigned long run_all(const struct scenario *s)
{
    unsigned long n = 1, i;
    int r;

    scenario_name = s->name;
    (void)run_once(s, 0); /* what is made once is made now */
    r = run_once(s, 0);
    failing_check(r == 0, "nothing failed, and it does not work");
    for (i = 1; n; i++) {
        (void)run_once(s, i);
        n = *shared->failed;
    }
    return i - 2;
}

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (str_equal(argv[i], name))
            return true;
    return argc < 2;
}

int failing_main(int argc, char **argv, const struct scenario *list, size_t n)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    driver = getpid();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_alarm);
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        signal(crashes[i], on_crash);
    for (size_t i = 0; i < n; i++)
        if (wanted(argc, argv, list[i].name))
            printf("ok - %s: each of %lu calls failed once\n", list[i].name, run_all(&list[i]));
    return 0;
}
