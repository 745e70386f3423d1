/*
 * qvm-run and qvm-run-vm in a domain: a command, or a service, in another one.
 *
 * The command travels as the first line of qubes.VMShell's input, quoted for the shell there; our
 * own stdin follows it.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/call.h"
#include "rpc-services/quote.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

struct options {
    const char *target;
    bool no_gui, dispvm, service, quiet;
};

static const char *name = "qvm-run";

static int usage(FILE *f, int code)
{
    fprintf(f,
            "usage: %s [--no-gui] [--service] TARGET COMMAND...\n       %s [--no-gui] "
            "--dispvm[=TEMPLATE] COMMAND...\n",
            name, name);
    return code;
}

static int run_service(const struct options *o, const char *service)
{
    pid_t pid;
    int r = call_start(o->target, service, STDIN_FILENO, STDOUT_FILENO, &pid);

    r = r ? r : spawn_wait(pid);
    return r < 0 ? 1 : r;
}

static int run_command(const struct options *o, char **words, int n)
{
    bool session =
        !o->no_gui && (str_starts(o->target, "@dispvm") || str_starts(o->target, "$dispvm"));
    _cleanup_(freep) char *line = quote_shell_line(words, (size_t)n);
    int r;

    if (!line) {
        log_error("out of memory");
        return 1;
    }
    r = call_run(o->target, session ? "qubes.VMShell+WaitForSession" : "qubes.VMShell", line,
                 strlen(line), STDIN_FILENO, STDOUT_FILENO);
    return r < 0 ? 1 : r;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"no-gui", no_argument, NULL, 't'},    {"nogui", no_argument, NULL, 't'},
        {"gui", no_argument, NULL, 'g'},       {"dispvm", optional_argument, NULL, 'd'},
        {"pass-io", no_argument, NULL, 'p'},   {"quiet", no_argument, NULL, 'q'},
        {"autostart", no_argument, NULL, 'a'}, {"no-autostart", no_argument, NULL, 'n'},
        {"service", no_argument, NULL, 's'},   {"no-shell", no_argument, NULL, 'N'},
        {"help", no_argument, NULL, 'h'},      {0}};
    static char target[64];
    int c;

    while ((c = getopt_long(argc, argv, "+tdpqanh", longs, NULL)) != -1) {
        if (c == 'h')
            return usage(stdout, 0);
        if (c == '?')
            return usage(stderr, 1);
        if (c == 'd' && format(target, sizeof(target), optarg ? "@dispvm:%s" : "@dispvm", optarg))
            return usage(stderr, 1);
        o->no_gui |= c == 't';
        o->dispvm |= c == 'd';
        o->service |= c == 's';
    }
    if (o->dispvm)
        o->target = target;
    else if (optind < argc)
        o->target = argv[optind++];
    return -1;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    int r;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 1 || process_begin())
        return 1;
    name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    log_open(name, LOG_TARGET_STDERR);
    r = parse(argc, argv, &o);
    /* options may also stand behind TARGET */
    if (r < 0 && o.target && !o.dispvm && optind < argc && argv[optind][0] == '-') {
        struct options more = {0};

        r = parse(argc, argv, &more);
        o.no_gui |= more.no_gui;
        o.service |= more.service;
        if (more.target)
            optind--;
    }
    if (r >= 0)
        return r;
    if (!o.target || optind >= argc)
        return usage(stderr, 1);
    if (o.service)
        return argc - optind == 1 ? run_service(&o, argv[optind]) : usage(stderr, 1);
    return run_command(&o, argv + optind, argc - optind);
}
