/*
 * Ways out of a domain, tried.
 *
 *   escape host DIR       on the host: lays out what a domain must not reach (sockets, an abstract
 *                         socket, a TCP port, shared memory, a key, a file), writes DIR/bait, and
 *                         waits until it is killed
 *   escape try BAIT       with the words of that file: tries each way, prints those that are open,
 *                         and "tried N ways, M closed". Exit code 1 if one is open
 *
 * Run on the host itself, "try" must find ways open: that shows that the tries are real.
 */
#include "tests/integration/escape.h"

#include "libqrexec/base/io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

struct bait bait;

/* Each in a process of its own, so that what it did does not change the next. */
static bool try_one(bool (*is_open)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(is_open() ? 1 : 0);
    return pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
           WEXITSTATUS(status) != 0;
}

static int try_all(void)
{
    const struct way *const tables[] = {ways_by_files, ways_by_processes, ways_by_channels};
    size_t n = 0, open_ways = 0;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        for (const struct way *w = tables[i]; w->name; w++, n++) {
            bool is_open = try_one(w->is_open);

            printf("%s: %s\n", is_open ? "OPEN" : "closed", w->name);
            open_ways += is_open;
        }
    printf("tried %zu ways, %zu closed\n", n, n - open_ways);
    return open_ways ? 1 : 0;
}

static int listen_below(const char *name)
{
    char path[600];
    int fd;

    return format(path, sizeof(path), "%s/%s", bait.dir, name) || unix_listen(path, 0666, &fd);
}

static int listen_abstract(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(bait.abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(a.sun_path + 1, bait.abstract, n);
    return bind(fd, (struct sockaddr *)&a,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0 ||
           listen(fd, 1) < 0;
}

static int listen_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return 1;
    bait.port = ntohs(a.sin_port);
    return 0;
}

static int shm_id = -1, msg_id = -1;

static int lay_memory(void)
{
    char path[128];
    int fd;

    shm_id = shmget(bait.key, 4096, IPC_CREAT | 0666);
    msg_id = msgget(bait.key, IPC_CREAT | 0666);
    if (shm_id < 0 || msg_id < 0 || format(path, sizeof(path), "/dev/shm/escape-%d", bait.pid))
        return 1;
    fd = open(path, O_WRONLY | O_CREAT, 0666);
    close_fd(&fd);
    (void)syscall(SYS_add_key, "user", "escape-bait", "x", 1, KEY_SPEC_SESSION_KEYRING);
    return 0;
}

static int lay_files(void)
{
    char path[600], *text;
    int r;

    if (format(path, sizeof(path), "%s/secret", bait.dir) ||
        file_replace(path, SECRET "\n", strlen(SECRET) + 1, 0644) ||
        format(path, sizeof(path), "%s/bait", bait.dir))
        return 1;
    text = format_new("%s %d %u %d %s\n", bait.dir, bait.pid, bait.port, bait.key, bait.abstract);
    r = !text || file_replace(path, text, strlen(text), 0644);
    free(text);
    return r;
}

static int host(const char *dir)
{
    char path[128];
    sigset_t set;
    int sig;

    bait.pid = getpid();
    bait.key = 0x71720000 + (bait.pid & 0xffff);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (format(bait.dir, sizeof(bait.dir), "%s", dir) ||
        format(bait.abstract, sizeof(bait.abstract), "escape-%d", bait.pid) ||
        listen_below("run/qubesd.sock") || listen_below("run/qubesd.internal.sock") ||
        listen_below("run/qubes/policy.sock") || listen_abstract() || listen_tcp() ||
        lay_memory() || lay_files()) {
        perror("escape: cannot lay the bait");
        return 2;
    }
    sigwait(&set, &sig);
    shmctl(shm_id, IPC_RMID, NULL);
    msgctl(msg_id, IPC_RMID, NULL);
    if (format(path, sizeof(path), "/dev/shm/escape-%d", bait.pid) == 0)
        unlink(path);
    return 0;
}

static int read_bait(char **words)
{
    uint32_t pid, port, key;

    if (format(bait.dir, sizeof(bait.dir), "%s", words[0]) ||
        parse_u32(words[1], INT32_MAX, &pid) || parse_u32(words[2], 65535, &port) ||
        parse_u32(words[3], INT32_MAX, &key) ||
        format(bait.abstract, sizeof(bait.abstract), "%s", words[4]))
        return 1;
    bait.pid = (pid_t)pid;
    bait.port = port;
    bait.key = (key_t)key;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && str_equal(argv[1], "host"))
        return host(argv[2]);
    if (argc == 7 && str_equal(argv[1], "try") && geteuid() == 0) {
        fputs("escape: root has its ways, and some would hurt: try as another user\n", stderr);
        return 2;
    }
    if (argc == 7 && str_equal(argv[1], "try") && read_bait(argv + 2) == 0)
        return try_all();
    fputs("usage: escape host DIR | escape try DIR PID PORT KEY NAME\n", stderr);
    return 2;
}
