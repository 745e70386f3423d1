/*
 * qrexec-policy-agent: the prompt of the logged-in user, on a terminal. Serves the socket that
 * policy.Ask and policy.Notify of /etc/qubes-rpc link to.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/prompt/terminal.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-agent --terminal [-s PATH|--socket-path=PATH]\n"
            "Shows what policy asks the user, and notices, on this terminal.\n");
    return code;
}

/* 0 and a listening socket at path, for the group "qubes" where that is there. */
static int serve(const char *path, int *ret)
{
    struct group *g = geteuid() == 0 ? getgrnam("qubes") : NULL;
    int r = unix_listen(path, 0660, ret);

    if (r)
        log_error("cannot serve %s: %s", path,
                  r == -EADDRINUSE ? "another agent serves it already" : strerror(-r));
    else if (g && chown(path, (uid_t)-1, g->gr_gid) < 0)
        log_warning("cannot give %s to the group qubes: %s", path, strerror(errno));
    return r;
}

static int run(const char *path)
{
    struct terminal *t = NULL;
    int fd = -1, r = loop_init();

    if (!r)
        r = serve(path, &fd);
    if (!r)
        r = terminal_new(fd, STDIN_FILENO, STDOUT_FILENO, &t);
    if (r)
        return 1;
    (void)notify_send("READY=1");
    r = loop_run();
    terminal_free(t);
    unlink(path);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"terminal", no_argument, NULL, 't'},
                                          {"socket-path", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *given = NULL;
    char path[PATH_SIZE];
    bool terminal = false;
    int c;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("qrexec-policy-agent", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "s:h", longs, NULL)) != -1) {
        if (c == 't')
            terminal = true;
        else if (c == 's')
            given = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    if (!terminal) {
        log_error("only the prompt on a terminal is built: add --terminal");
        return usage(2);
    }
    if (paths_init(NULL, PATHS_TOOL) || (given ? format(path, sizeof(path), "%s", given)
                                               : path_get(path, "/run/qubes/policy-agent.sock"))) {
        log_error("the socket's path is too long");
        return 1;
    }
    return run(path);
}
