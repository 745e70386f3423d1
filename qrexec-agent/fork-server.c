/*
 * qrexec-fork-server: runs commands inside one user's session.
 *
 * The agent connects once for each call, says what to run, and waits for the end of the
 * connection. The server forks at once and its child does all the rest, so a silent connection
 * holds up nobody. Only root and the user itself are listened to.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/service/service.h"
#include "libqrexec/wire/message.h"
#include "qrexec-agent/carry.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define READ_LIMIT_MS 30000 /* for a message that was begun */
#define REST_MS       200
#define RESTS_MOST    250 /* 50 s: its caller waits longer */

static const char *const who = "qrexec-fork-server";

/* The command line, NUL-terminated. 0 or negative errno. */
static int read_call(int fd, struct wire_fork *ret, char **ret_line)
{
    uint64_t deadline = clock_ms() + READ_LIMIT_MS;
    unsigned char head[WIRE_FORK_SIZE];
    struct wire_reader r = wire_reader(head, sizeof(head));
    _cleanup_(freep) char *line = NULL;
    int e = read_full_until(fd, head, sizeof(head), deadline);

    if (!e && wire_read_fork(&r, ret))
        e = -EBADMSG;
    if (e)
        return e;
    line = malloc(ret->cmdline_len);
    if (!line)
        return -ENOMEM;
    e = read_full_until(fd, line, ret->cmdline_len, deadline);
    if (!e && memchr(line, 0, ret->cmdline_len) != line + ret->cmdline_len - 1)
        e = -EBADMSG;
    if (!e)
        *ret_line = take(line);
    return e;
}

static _Noreturn void serve(int fd)
{
    static struct service service;
    struct carry carry = {
        .service = &service, .keep_fd = fd, .who = who, .users = &service_users_own};
    char why[SERVICE_TEXT_MAX], *line = NULL;
    struct wire_fork call;
    int r;

    signal(SIGCHLD, SIG_DFL);
    r = read_call(fd, &call, &line);
    if (r) {
        log_error("the agent's message: %s", strerror(-r));
        _exit(1);
    }
    carry.type = call.type;
    carry.domain = call.domain;
    carry.port = call.port;
    r = service_plan(SERVICE_PLACE_SESSION, line, &service, why);
    if (r)
        log_error("call on port %u of domain %u: %s", call.port, call.domain, why);
    free(line);
    carry.failed = r < 0 ? SERVICE_E_TROUBLE : r;
    carry_run(&carry);
}

static bool may_command(int fd)
{
    pid_t pid;
    uid_t uid;

    if (unix_peer(fd, &pid, &uid) == 0 && (uid == 0 || uid == geteuid()))
        return true;
    log_warning("a connection that is neither root's nor this user's is closed");
    return false;
}

/* Until somebody has given back what is short: the listener would fire all the time. */
static void rest(void)
{
    (void)poll(NULL, 0, REST_MS);
}

/* The others wait meanwhile, but there is nothing for them either. */
static pid_t fork_patiently(void)
{
    pid_t pid = fork();

    for (int i = 0; pid < 0 && i < RESTS_MOST; i++) {
        if (i == 0)
            log_warning("fork: %s; it is tried again", strerror(errno));
        rest();
        pid = fork();
    }
    return pid;
}

static void accept_one(int listener)
{
    _cleanup_(closep) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0 && errno_is_shortage(errno))
        rest();
    if (fd < 0 || !may_command(fd))
        return;
    switch (fork_patiently()) {
    case 0: serve(fd);
    case -1: log_error("fork: %s; a call is dropped", strerror(errno)); break;
    default: break;
    }
}

static int loop(int listener)
{
    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN};

        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
        accept_one(listener);
    }
}

static int socket_path(const char *given, char ret[static PATH_SIZE])
{
    const char *user = getenv("USER");

    if (given)
        return format(ret, PATH_SIZE, "%s", given);
    if (!user || !*user || strchr(user, '/'))
        return -EINVAL;
    return path_get(ret, "/run/qubes/qrexec-server.%s.sock", user);
}

/* The parent returns when the socket listens. */
static void to_background(void)
{
    pid_t pid = fork();

    if (pid > 0)
        _exit(0);
    if (pid < 0)
        log_warning("fork: %s; staying in the foreground", strerror(errno));
    else
        (void)setsid();
}

static const char usage[] = "usage: qrexec-fork-server [--foreground] [SOCKET]\n";

int main(int argc, char **argv)
{
    char path[PATH_SIZE];
    bool foreground = false;
    int listener, r = process_begin();

    if (r || argc < 1)
        return 1;
    log_open(who, LOG_TARGET_STDERR);
    if (argc == 2 && str_equal(argv[1], "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1 && str_equal(argv[1], "--foreground")) {
        foreground = true;
        argc--;
        argv++;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fputs(usage, stderr);
        return 2;
    }
    r = paths_init(NULL, PATHS_DAEMON);
    if (!r)
        r = socket_path(argc == 2 ? argv[1] : NULL, path);
    if (r) {
        log_error("no path for the socket: set USER, or name the SOCKET");
        return 1;
    }
    r = unix_listen(path, 0600, &listener);
    if (r) {
        log_error("%s: cannot listen: %s", path, strerror(-r));
        return 1;
    }
    if (!foreground) {
        to_background();
        log_open(who, LOG_TARGET_SYSTEM);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* no zombies; children set their own */
    r = loop(listener);
    log_error("%s: %s", path, strerror(-r));
    return 1;
}
