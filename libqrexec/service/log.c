/*
 * The log of a service's stderr.
 *
 * The journal takes a stream: a few lines of introduction, then text. Syslog takes datagrams, so
 * a small process cuts the text into lines for it; it ends when the last writer has closed.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>

#define JOURNAL "/run/systemd/journal/stdout"
#define SYSLOG  "/dev/log"

static int journal_open(const char *tag, int *ret)
{
    _cleanup_(freep) char *intro = format_new("%s\n\n%d\n0\n0\n0\n0\n", tag, LOG_INFO);
    _cleanup_(closep) int fd = -1;
    int r;

    if (!intro)
        return -ENOMEM;
    r = unix_connect(JOURNAL, &fd);
    if (r)
        return r;
    if (shutdown(fd, SHUT_RD) < 0)
        return -errno;
    r = write_full(fd, intro, strlen(intro));
    if (!r)
        *ret = take_fd(&fd);
    return r;
}

static _Noreturn void cut_lines(int from)
{
    FILE *f = fdopen(from, "r");
    char line[1024];

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        log_info("%s", line);
    }
    _exit(0);
}

/* Forked twice, so that nobody needs to wait for it. */
static int cutter_start(const char *tag, int from)
{
    int fds[] = {from, -1, STDERR_FILENO};
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid > 0)
        return spawn_wait(pid) < 0 ? -ECHILD : 0;
    pid = fork();
    if (pid == 0) {
        if (spawn_prepare(fds, ARRAY_SIZE(fds)))
            _exit(1);
        log_open(tag, LOG_TARGET_SYSTEM);
        cut_lines(STDIN_FILENO);
    }
    _exit(pid < 0);
}

int service_log_open(const char *tag, int *ret)
{
    int fds[2], r;

    *ret = -1;
    if (journal_open(tag, ret) == 0 || access(SYSLOG, W_OK) < 0)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    r = cutter_start(tag, fds[0]);
    close(fds[0]);
    if (r)
        close(fds[1]);
    else
        *ret = fds[1];
    return r;
}
