/* qrexec-policy-agent: see agent.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/prompt/agent.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-agent --terminal [-s|--socket-path=PATH]\n");
    return code;
}

static int run(const char *path)
{
    struct agent *agent = NULL;
    int r;

    if (loop_init() || agent_new(path, STDIN_FILENO, STDOUT_FILENO, &agent))
        return 1;
    (void)notify_send("READY=1");
    r = loop_run();
    agent_free(agent);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"terminal", no_argument, NULL, 't'},
                                          {"socket-path", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *socket = NULL;
    bool terminal = false;
    char path[PATH_SIZE];
    int c, r;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("qrexec-policy-agent", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "hs:", longs, NULL)) != -1) {
        if (c == 't')
            terminal = true;
        else if (c == 's')
            socket = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    if (!terminal) {
        log_error("there is no graphical prompt here: give --terminal");
        return 1;
    }
    r = paths_init(NULL, PATHS_TOOL);
    if (!r)
        r = socket ? format(path, sizeof(path), "%s", socket)
                   : path_get(path, "/run/qubes/policy-agent.sock");
    if (r) {
        log_error("cannot start: %s (QREXEC_ROOT must be an absolute path)", strerror(-r));
        return 1;
    }
    return run(path);
}
