/*
 * The words after qrexec-client-vm: see client-vm-options.h and wire.md, "Options that scripts
 * rely on".
 *
 * Options end at the first word that is none, or at "--", so the local program's own options are
 * its own.
 */
#include "qrexec-agent/client-vm-options.h"

#include "libqrexec/base/log.h"
#include "libqrexec/wire/message.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define RING_MOST (1u << 28)
#define USAGE     2

enum { OPT_BUFFER_SIZE = 256, OPT_NO_FILTER_OUT, OPT_NO_FILTER_ERR, OPT_STDIN_SOCKET, OPT_HELP };

static const struct option longs[] = {
    {"buffer-size", required_argument, NULL, OPT_BUFFER_SIZE},
    {"filter-escape-chars-stdout", no_argument, NULL, 't'},
    {"filter-escape-chars-stderr", no_argument, NULL, 'T'},
    {"no-filter-escape-chars-stdout", no_argument, NULL, OPT_NO_FILTER_OUT},
    {"no-filter-escape-chars-stderr", no_argument, NULL, OPT_NO_FILTER_ERR},
    {"agent-socket", required_argument, NULL, 'a'},
    {"prefix-data", required_argument, NULL, 'p'},
    {"source-qube", required_argument, NULL, 's'},
    {"use-stdin-socket", no_argument, NULL, OPT_STDIN_SOCKET},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static void usage(FILE *f)
{
    fputs("usage: qrexec-client-vm [OPTION...] TARGET SERVICE[+ARG] [PROGRAM [ARG...]]\n"
          "  -t, --filter-escape-chars-stdout    replace unsafe bytes in what is printed\n"
          "  -T, --filter-escape-chars-stderr    the same for the service's stderr\n"
          "      --no-filter-escape-chars-stdout, --no-filter-escape-chars-stderr\n"
          "                                      do not, though it is a terminal\n"
          "      --buffer-size=N                 least bytes of the connection's buffers\n"
          "  -a, --agent-socket=PATH             the agent's socket\n"
          "  -p, --prefix-data=DATA              sent before stdin\n"
          "      --use-stdin-socket              stdin is a socket, for both directions\n"
          "  -s, --source-qube=NAME              call in the name of another qube\n",
          f);
}

static int wrong(const char *why)
{
    log_error("%s", why);
    usage(stderr);
    return USAGE;
}

/* Old spelling of keywords; cut as the field of the message is. */
static char *copy_target(const char *word)
{
    char *copy = strndup(word, WIRE_NAME_SIZE - 1);

    for (char *p = copy; p && *p; p++)
        if (*p == '$')
            *p = '@';
    return copy;
}

static int read_words(int n, char **words, struct client_vm_options *o)
{
    if (n < 2)
        return wrong("TARGET and SERVICE are needed");
    o->service = words[1];
    if (!*o->service || strlen(o->service) >= WIRE_SERVICE_SIZE)
        return wrong("SERVICE is empty or too long");
    if (n > 2)
        o->program = words + 2;
    if (o->program && o->stdin_socket)
        return wrong("--use-stdin-socket does not go with PROGRAM");
    o->target = copy_target(words[0]);
    return o->target ? -1 : 1;
}

int client_vm_options_read(int argc, char **argv, struct client_vm_options *ret)
{
    struct client_vm_options o = {.source = ""};
    int c, filter_out = -1, filter_err = -1, r;

    while ((c = getopt_long(argc, argv, "+tTa:p:s:", longs, NULL)) >= 0) {
        switch (c) {
        case OPT_BUFFER_SIZE:
            if (parse_u32(optarg, RING_MOST, &o.ring) || o.ring == 0)
                return wrong("--buffer-size: not a number of bytes");
            break;
        case 't': filter_out = 1; break;
        case 'T': filter_err = 1; break;
        case OPT_NO_FILTER_OUT: filter_out = 0; break;
        case OPT_NO_FILTER_ERR: filter_err = 0; break;
        case 'a': o.agent_socket = optarg; break;
        case 'p': o.prefix = optarg; break;
        case 's': o.source = optarg; break;
        case OPT_STDIN_SOCKET: o.stdin_socket = true; break;
        case OPT_HELP: usage(stdout); return 0;
        default: usage(stderr); return USAGE;
        }
    }
    r = read_words(argc - optind, argv + optind, &o);
    if (r >= 0)
        return r;
    o.filter_out = filter_out >= 0 ? filter_out : !o.program && isatty(STDOUT_FILENO);
    o.filter_err = filter_err >= 0 ? filter_err : isatty(STDERR_FILENO);
    *ret = o;
    return -1;
}
