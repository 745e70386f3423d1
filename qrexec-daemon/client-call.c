/*
 * A call from dom0 to a VM: see client-call.h.
 */
#include "qrexec-daemon/client-call.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "qrexec-daemon/client-daemon.h"

#include <fcntl.h>
#include <signal.h>

uint64_t client_deadline(const struct client_options *o)
{
    return o->connect_ms ? clock_ms() + o->connect_ms : 0;
}

static int finish(const struct client_options *o, int r, int code)
{
    if (r) {
        log_error("%s: %s", o->target, r > 0 ? relay_error_text(r) : strerror(-r));
        return r == RELAY_E_CONNECT || r == RELAY_E_GONE_EARLY ? CLIENT_EXIT_TROUBLE : code;
    }
    return o->no_exit_code ? 0 : code;
}

int client_own_streams(const struct client_options *o, void *user, struct relay_params *p)
{
    (void)user;
    if (o->just_exec)
        return 0;
    p->in_fd = STDIN_FILENO;
    p->out_fd = o->stdin_socket ? STDIN_FILENO : STDOUT_FILENO;
    return 0;
}

static int carry_to_vm(const struct client_options *o, const struct wire_peer *peer, int daemon,
                       client_start_fn *start, void *user)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    int code = CLIENT_EXIT_TROUBLE, r = relay_prepare();

    if (!r)
        r = vchan_listen(peer->domain, peer->port, 65536, &p.vchan);
    if (r) {
        log_error("%s: data connection, port %u: %s", o->target, peer->port, vchan_error_text(r));
        return CLIENT_EXIT_TROUBLE;
    }
    p.role = RELAY_CALLER;
    p.no_sigusr1 = true;
    p.sigusr2_stops = true;
    r = start(o, user, &p);
    if (r) {
        vchan_free(p.vchan);
        return r;
    }
    p.err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    p.just_exec = o->just_exec;
    p.filter_out = o->filter_out;
    p.filter_err = o->filter_err;
    p.prefix = o->prefix;
    p.prefix_len = o->prefix ? strlen(o->prefix) : 0;
    p.connect_timeout_ms = o->connect_ms;
    p.watch_fd = fcntl(daemon, F_DUPFD_CLOEXEC, 3);
    r = relay_run(&p, &code);
    return finish(o, r, code);
}

int client_call(const struct client_options *o, client_start_fn *start, void *user)
{
    _cleanup_(closep) int daemon = -1;
    uint64_t deadline = client_deadline(o);
    struct wire_peer peer;

    if (client_daemon_connect(o->socket_dir, o->target, deadline, &daemon) ||
        client_daemon_exec(daemon, o->just_exec ? MSG_JUST_EXEC : MSG_EXEC_CMDLINE, 0, o->command,
                           deadline, &peer))
        return CLIENT_EXIT_TROUBLE;
    return carry_to_vm(o, &peer, daemon, start, user);
}

int client_main(int argc, char **argv, int (*run)(const struct client_options *o, char **argv))
{
    struct client_options o;
    int r = process_begin();

    if (r || argc < 1)
        return CLIENT_EXIT_TROUBLE;
    log_open("qrexec-client", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    r = paths_init(NULL, PATHS_TOOL);
    if (r) {
        log_error("QREXEC_ROOT: %s", strerror(-r));
        return CLIENT_EXIT_TROUBLE;
    }
    r = client_options_read(argc, argv, &o);
    if (r >= 0)
        return r;
    if (o.stdin_socket && !fd_is_stream_socket(STDIN_FILENO)) {
        log_error("--use-stdin-socket: stdin is no stream socket");
        return CLIENT_EXIT_USAGE;
    }
    r = run(&o, argv);
    if (o.kill_at_end && client_kill(o.target) && !r)
        r = CLIENT_EXIT_TROUBLE;
    return r;
}
