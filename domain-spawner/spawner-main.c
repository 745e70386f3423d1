/* domain-spawner: options, start, the loop. See spawner.h. */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define DESCRIPTORS 65536

static int usage(int code)
{
    fprintf(code ? stderr : stdout, "usage: domain-spawner [--root=DIR] [--helper=PROGRAM]\n");
    return code;
}

/* Each caller and each lease is a descriptor. */
static void raise_descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

/* The helper is started, and started again, so this is a launcher. */
static int serve(struct spawner *s)
{
    int r;

    if (loop_init())
        return 1;
    r = records_open(s);
    if (r) {
        log_error("cannot read the registry: %s", strerror(-r));
        return 1;
    }
    if (server_start(s))
        return 1;
    if (helper_link_start(s)) {
        server_stop(s);
        return 1;
    }
    r = sandbox_enter(SANDBOX_LAUNCHER);
    if (r)
        log_warning("runs without its sandbox: %s", strerror(-r));
    (void)notify_send("READY=1");
    r = loop_run();
    helper_link_stop(s);
    server_stop(s);
    if (s->helper_end.events)
        (void)loop_run();
    return r;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"helper", required_argument, NULL, 'H'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    static struct spawner s;
    const char *root = NULL;
    int c, r;

    if (argc < 1 || process_begin())
        return 1;
    log_open("domain-spawner", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'r')
            root = optarg;
        else if (c == 'H')
            s.helper_path = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    s.helper.fd = s.helper_end.fd = s.api.fd = s.internal.fd = s.hangups.fd = -1;
    s.registry = REGISTRY_NULL;
    s.journal.fd = -1;
    r = paths_init(root, PATHS_DAEMON);
    r = r ? r : domains_init(&s.domains);
    if (r) {
        log_error("cannot start: %s", strerror(-r));
        return 1;
    }
    raise_descriptors();
    r = serve(&s);
    records_close(&s);
    domains_deinit(&s.domains);
    return r;
}
