/*
 * qrexec-client-vm: calls a service from inside a VM.
 *
 * Sends a trigger to the agent and waits for the answer: eight bytes when the call is allowed, the
 * end of the connection when it is refused. Then this process is the server of the data vchan and
 * the agent is only told, by the end of that connection, that the call is over. So an agent that
 * is restarted in the middle costs the call nothing.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/wire/message.h"
#include "qrexec-agent/client-vm-options.h"
#include "qrexec-agent/open-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define EXIT_NOT_REACHED 1
#define EXIT_USAGE       2
#define EXIT_REFUSED     126
#define EXIT_NO_PROGRAM  127
#define CONNECT_MS       5000 /* for an agent whose queue of callers is full */

/* Programs on the caller's machine find the caller's own streams there. */
enum { SAVED_IN = 3, SAVED_OUT, SAVED_ERR, SAVED_COUNT };

static int agent_path(const char *given, char ret[static PATH_SIZE])
{
    return given ? format(ret, PATH_SIZE, "%s", given) : path_get(ret, "/run/qubes/qrexec-agent");
}

static int agent_connect(const char *given, int *ret)
{
    uint64_t deadline = clock_ms() + CONNECT_MS;
    char path[PATH_SIZE];
    int r = agent_path(given, path);

    if (!r)
        r = unix_connect(path, ret);
    while (r == -EAGAIN && deadline_left(deadline) > 0) {
        (void)poll(NULL, 0, 10);
        r = unix_connect(path, ret);
    }
    if (r)
        log_error("%s: %s; the agent is not running, or no daemon has connected to it yet", path,
                  strerror(-r));
    return r;
}

static int send_trigger(int agent, const struct client_vm_options *o)
{
    const size_t size = WIRE_CONTROL_MAX;
    _cleanup_(freep) unsigned char *bytes = malloc(size);
    struct wire_writer w = wire_writer(bytes, bytes ? size : 0);
    struct wire_trigger t;
    struct wire_ident ident;

    if (!bytes || wire_ident_from("SOCKET", &ident))
        return -ENOMEM;
    t = wire_trigger_new(o->source, o->target, o->service, &ident);
    if (wire_write_trigger(&w, WIRE_VERSION, &t))
        return -EINVAL;
    return write_full(agent, w.data, w.len);
}

/* 0; -EPIPE and the like: refused. */
static int read_answer(int agent, struct wire_peer *ret)
{
    unsigned char bytes[8];
    struct wire_reader r = wire_reader(bytes, sizeof(bytes));
    int e = read_full(agent, bytes, sizeof(bytes));

    return e ? e : wire_read_peer(&r, ret);
}

/*
 * environ with the numbers of the saved descriptors, and of the process to send SIGUSR1 to. The
 * list is the caller's, its words are not.
 */
static char **program_environment(bool with_err)
{
    static char words[3][16], agent[32];
    size_t n = 0, keep = 0;
    char **list;

    while (environ[n])
        n++;
    list = calloc(n + ARRAY_SIZE(words) + 2, sizeof(*list));
    if (!list)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!str_starts(environ[i], "SAVED_FD_") && !str_starts(environ[i], "QREXEC_AGENT_PID="))
            list[keep++] = environ[i];
    for (int i = 0; i < (with_err ? 3 : 2); i++) {
        snprintf(words[i], sizeof(words[i]), "SAVED_FD_%d=%d", i, SAVED_IN + i);
        list[keep++] = words[i];
    }
    snprintf(agent, sizeof(agent), "QREXEC_AGENT_PID=%d", (int)getpid());
    list[keep] = agent;
    return list;
}

/* Starts the local program between two socket pairs; p gets our ends. */
static int start_program(char **argv, struct relay_params *p)
{
    bool with_err = getenv("PASS_LOCAL_STDERR") != NULL;
    _cleanup_(freep) char **env = program_environment(with_err);
    int in[2], out[2], r;

    if (!env)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
        return -errno;
    p->out_fd = in[0];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0) {
        r = -errno;
        close(in[1]);
        return r;
    }
    p->in_fd = out[0];
    {
        const int fds[SAVED_COUNT] = {
            in[1], out[1], 2, [SAVED_IN] = 0, [SAVED_OUT] = 1, [SAVED_ERR] = 2};
        const struct spawn s = {.path = argv[0],
                                .argv = argv,
                                .envp = env,
                                .fds = fds,
                                .n_fds = with_err ? SAVED_COUNT : SAVED_ERR};

        r = spawn_process(&s, &p->child, NULL);
    }
    close(in[1]);
    close(out[1]);
    if (!r) /* we own non-blocking ends of them */
        r = fd_set_nonblock(p->in_fd, true) || fd_set_nonblock(p->out_fd, true) ? -EIO : 0;
    return r;
}

/* What was asked for, or as much as there is for one call of many. */
static size_t ring_size(const struct client_vm_options *o)
{
    char path[PATH_SIZE];
    size_t n = 0;

    if (o->ring)
        return o->ring;
    if (vchan_rings_are_limited() && !agent_path(o->agent_socket, path))
        n = open_calls("/proc/net/unix", path);
    return vchan_ring(n ? n - 1 : 0);
}

/* agent: told what the other end's domain does; its own end, by a restart, tells nothing. */
static int carry(const struct client_vm_options *o, const struct wire_peer *peer, int agent)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    int code, r = relay_prepare();

    if (!r)
        r = vchan_listen(peer->domain, peer->port, ring_size(o), &p.vchan);
    if (r) {
        log_error("data connection to domain %u, port %u: %s", peer->domain, peer->port,
                  vchan_error_text(r));
        return EXIT_NOT_REACHED;
    }
    p.role = RELAY_CALLER;
    p.gone_fd = fcntl(agent, F_DUPFD_CLOEXEC, 3);
    p.err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    p.in_fd = STDIN_FILENO;
    p.out_fd = o->stdin_socket ? STDIN_FILENO : STDOUT_FILENO;
    p.filter_out = o->filter_out;
    p.filter_err = o->filter_err;
    p.prefix = o->prefix;
    p.prefix_len = o->prefix ? strlen(o->prefix) : 0;
    r = o->program ? start_program(o->program, &p) : 0;
    if (r) {
        log_error("%s: %s", o->program[0], strerror(-r));
        close_fd(&p.gone_fd);
        vchan_free(p.vchan);
        return EXIT_NO_PROGRAM;
    }
    r = relay_run(&p, &code);
    if (r)
        log_error("call to %s: %s", o->target, r > 0 ? relay_error_text(r) : strerror(-r));
    return r == RELAY_E_CONNECT || r == RELAY_E_GONE_EARLY ? EXIT_NOT_REACHED : code;
}

static int call(const struct client_vm_options *o)
{
    _cleanup_(closep) int agent = -1;
    struct wire_peer peer;
    int r;

    if (o->stdin_socket && !fd_is_stream_socket(STDIN_FILENO)) {
        log_error("--use-stdin-socket: stdin is no stream socket");
        return EXIT_USAGE;
    }
    if (o->program && access(o->program[0], X_OK) < 0) {
        log_error("%s: %s", o->program[0], strerror(errno));
        return EXIT_NO_PROGRAM;
    }
    if (agent_connect(o->agent_socket, &agent))
        return EXIT_NOT_REACHED;
    r = send_trigger(agent, o);
    if (!r)
        r = read_answer(agent, &peer);
    if (r) {
        log_debug("no answer: %s", r < 0 ? strerror(-r) : wire_error_text(r));
        fputs("Request refused\n", stderr);
        return EXIT_REFUSED;
    }
    return carry(o, &peer, agent);
}

int main(int argc, char **argv)
{
    struct client_vm_options o;
    int r = process_begin();

    if (r || argc < 1)
        return EXIT_NOT_REACHED;
    log_open("qrexec-client-vm", LOG_TARGET_STDERR);
    r = paths_init(NULL, PATHS_TOOL);
    if (r) {
        log_error("QREXEC_ROOT: %s", strerror(-r));
        return EXIT_NOT_REACHED;
    }
    if (!vchan_is_built_in())
        (void)spawn_become("qrexec-client-vm-full", argv); /* else the call says what is missing */
    r = client_vm_options_read(argc, argv, &o);
    if (r >= 0)
        return r;
    r = call(&o);
    free(o.target);
    return r;
}
