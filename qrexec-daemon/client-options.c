/* The options of qrexec-client: see client-options.h. */
#include "qrexec-daemon/client-options.h"

#include "libqrexec/base/log.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: qrexec-client [options] -d TARGET COMMAND\n"
    "  -d TARGET                 the domain: its name, uuid:UUID or number; dom0\n"
    "  -e                        only start COMMAND, and wait for whether that worked\n"
    "  -E, --no-exit-code        exit 0 whatever COMMAND's exit code is\n"
    "  -t, -T                    replace unsafe bytes in stdout, in stderr\n"
    "  -k                        kill the domain at the end\n"
    "  -w SECONDS                time for the connection to come up (10; 0: no limit)\n"
    "  -p, --prefix-data=DATA    goes out before stdin\n"
    "  -l COMMAND                connect to a local command instead of stdin and stdout\n"
    "  -c IDENT,NAME,DOMID       connect the pending request of that domain\n"
    "  -W                        with -c: stay until that call has ended\n"
    "      --use-stdin-socket    stdin is a stream socket, for both directions\n"
    "      --socket-dir=DIR      where the daemons' sockets are\n";

static int bad(const char *why)
{
    log_error("%s", why);
    fputs(help, stderr);
    return CLIENT_EXIT_USAGE;
}

/* IDENT,NAME,DOMID: an ident has no comma. */
static bool parse_request(const char *text, struct client_request *ret)
{
    struct wire_text rest = wire_text(text), ident, name;
    char number[16], ident_text[WIRE_IDENT_SIZE];

    return wire_text_split(&rest, ',', &ident) && wire_text_split(&rest, ',', &name) &&
           wire_text_copy(ident, ident_text, sizeof(ident_text)) &&
           wire_ident_from(ident_text, &ret->ident) == 0 && name.len > 0 &&
           wire_text_copy(name, ret->source, sizeof(ret->source)) &&
           wire_text_copy(rest, number, sizeof(number)) &&
           parse_u32(number, INT32_MAX, &ret->source_domain) == 0 && ret->source_domain != 0;
}

static bool parse_seconds(const char *text, unsigned *ret_ms)
{
    uint32_t seconds;

    if (parse_u32(text, INT32_MAX / 1000, &seconds))
        return false;
    *ret_ms = seconds * 1000;
    return true;
}

bool client_target_is_dom0(const struct client_options *o)
{
    return wire_text_is_dom0(wire_text(o->target)) || str_equal(o->target, "0");
}

/* What does not go together. NULL: fine. */
static const char *check(const struct client_options *o)
{
    bool dom0;

    if (!o->target)
        return "-d is missing";
    if (!*o->target || strchr(o->target, '/'))
        return "-d takes the name of a domain";
    dom0 = client_target_is_dom0(o);
    if (o->just_exec + (o->local != NULL) + o->connects > 1)
        return "only one of -e, -l and -c can be used";
    if (o->connects && o->kill_at_end)
        return "-k does not go with -c";
    if (o->wait_for_end && !o->connects)
        return "-W goes with -c only";
    if (o->stdin_socket && o->local)
        return "--use-stdin-socket does not go with -l";
    if (dom0 && o->local)
        return "-l needs a VM as target";
    if (dom0 && !o->connects && !str_starts(o->command, "DEFAULT:QUBESRPC "))
        return "in dom0, COMMAND is \"DEFAULT:QUBESRPC SERVICE+ARG SOURCE\"";
    return NULL;
}

static int read_one(int c, struct client_options *o)
{
    switch (c) {
    case 'd': o->target = optarg; return -1;
    case 'e': o->just_exec = true; return -1;
    case 'E': o->no_exit_code = true; return -1;
    case 't': o->filter_out = true; return -1;
    case 'T': o->filter_err = true; return -1;
    case 'k': o->kill_at_end = true; return -1;
    case 'W': o->wait_for_end = true; return -1;
    case 'p': o->prefix = optarg; return -1;
    case 'l': o->local = optarg; return -1;
    case 's': o->socket_dir = optarg; return -1;
    case 'u': o->stdin_socket = true; return -1;
    case 'w': return parse_seconds(optarg, &o->connect_ms) ? -1 : bad("-w takes whole seconds");
    case 'c':
        o->connects = true;
        return parse_request(optarg, &o->request)
                   ? -1
                   : bad("-c takes IDENT,NAME,DOMID of a request that is not dom0's");
    case 'h': fputs(help, stdout); return 0;
    default: fputs(help, stderr); return CLIENT_EXIT_USAGE;
    }
}

int client_options_read(int argc, char **argv, struct client_options *ret)
{
    static const struct option longs[] = {{"no-exit-code", no_argument, NULL, 'E'},
                                          {"prefix-data", required_argument, NULL, 'p'},
                                          {"socket-dir", required_argument, NULL, 's'},
                                          {"use-stdin-socket", no_argument, NULL, 'u'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct client_options o = {.connect_ms = CLIENT_CONNECT_MS};
    const char *why;
    int c, r = -1;

    while (r < 0 && (c = getopt_long(argc, argv, "d:eEtTkWp:l:w:c:h", longs, NULL)) != -1)
        r = read_one(c, &o);
    if (r >= 0)
        return r;
    if (argc - optind != 1)
        return bad("one COMMAND is needed");
    o.command = argv[optind];
    why = check(&o);
    if (why)
        return bad(why);
    *ret = o;
    return -1;
}
