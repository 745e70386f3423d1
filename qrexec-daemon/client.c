/*
 * qrexec-client: dom0's end of a call.
 *
 *   dom0 to VM      asks the VM's daemon for a port, is the server of the data vchan
 *   -c, to dom0     connects a VM's pending request, runs the service, is the vchan's client
 *   -c, to a VM     gives the target's port to the caller's daemon; the data is not ours
 *   dom0 to dom0    runs the service between our own streams
 *
 * Where a small form of it is built (client-small.c), this is qrexec-client-full, which it becomes
 * for all but the first.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/service.h"
#include "qrexec-daemon/client-call.h"
#include "qrexec-daemon/client-daemon.h"
#include "qrexec-daemon/client-pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define DOM0_CONNECT_MS 5000 /* for a caller that waits already */

/* ---- dom0 to VM ---- */

/* -l: the local command stands where our stdin and stdout would. */
static int start_local(const struct client_options *o, void *user, struct relay_params *p)
{
    struct service *local = user;
    _cleanup_(freep) char *remote = format_new("QREXEC_REMOTE_DOMAIN=%s", o->target);
    const char *env[] = {remote, NULL};
    const struct service_start how = {.env = env, .users = &service_users_dom0};
    struct service_run run = SERVICE_RUN_NULL;
    char why[SERVICE_TEXT_MAX] = "";
    int r = remote ? service_start(local, &how, &run, why) : -ENOMEM;

    if (r) {
        log_error("%s: %s", o->local, *why ? why : strerror(-r));
        return r > 0 ? r : SERVICE_E_TROUBLE;
    }
    p->in_fd = run.in_fd;
    p->out_fd = run.out_fd;
    p->child = run.pid;
    return 0;
}

static int plan_local(const struct client_options *o, struct service *ret)
{
    char why[SERVICE_TEXT_MAX] = "";
    int r = service_plan(SERVICE_PLACE_DOM0, o->local, ret, why);

    if (r)
        log_error("%s: %s", o->local, *why ? why : strerror(-r));
    return r > 0 ? r : r < 0 ? SERVICE_E_TROUBLE : 0;
}

static int call_vm(const struct client_options *o)
{
    _cleanup_(service_deinit) struct service local = SERVICE_NULL;
    int r;

    if (!o->local)
        return client_call(o, client_own_streams, NULL);
    r = plan_local(o, &local);
    return r ? r : client_call(o, start_local, &local);
}

/* ---- services of dom0 ---- */

static const char *dom0_command(const struct client_options *o)
{
    return str_starts(o->command, "DEFAULT:") ? o->command + strlen("DEFAULT:") : o->command;
}

/* 0, or the exit code that says why not, after a message. */
static int plan_dom0(const struct client_options *o, struct service *ret)
{
    char why[SERVICE_TEXT_MAX] = "";
    int r = service_plan(SERVICE_PLACE_DOM0, dom0_command(o), ret, why);

    if (r)
        log_error("%s: %s", dom0_command(o), *why ? why : strerror(-r));
    return r > 0 ? r : r < 0 ? SERVICE_E_TROUBLE : 0;
}

/* Puts a pipe in our stderr's place for what is started next. *ret: to read; *ret_own: ours. */
static int swap_stderr(int *ret, int *ret_own)
{
    _cleanup_(closep) int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int p[2];

    if (own < 0 || pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    (void)dup2(p[1], STDERR_FILENO);
    close(p[1]);
    *ret = p[0];
    *ret_own = take_fd(&own);
    return 0;
}

/* ret_err: where its stderr is to be read with -T; it has ours otherwise, or where that is NULL. */
static int start_dom0(const struct client_options *o, const struct service *s,
                      struct service_run *ret, int *ret_err)
{
    _cleanup_(closep) int own = -1;
    char why[SERVICE_TEXT_MAX] = "";
    const struct service_start how = {
        .just_exec = o->just_exec, .new_session = true, .users = &service_users_dom0};
    int r = ret_err && o->filter_err && !o->just_exec ? swap_stderr(ret_err, &own) : 0;

    if (!r)
        r = service_start(s, &how, ret, why);
    if (own >= 0)
        (void)dup2(own, STDERR_FILENO);
    if (r)
        log_error("%s: %s", dom0_command(o), *why ? why : strerror(-r));
    return r > 0 ? r : r < 0 ? SERVICE_E_TROUBLE : 0;
}

/* What the service ended with, or why it did not start. */
static int run_dom0_for_dom0(const struct client_options *o)
{
    _cleanup_(closep) int err = -1;
    _cleanup_(service_deinit) struct service s = SERVICE_NULL;
    struct service_run run = SERVICE_RUN_NULL;
    int code, r = plan_dom0(o, &s);

    if (!r && s.kind != SERVICE_PROGRAM) {
        log_error("%s: in dom0, for dom0, only executables can be run", dom0_command(o));
        r = SERVICE_E_TROUBLE;
    }
    if (!r)
        r = start_dom0(o, &s, &run, &err);
    if (r || o->just_exec) {
        service_run_deinit(&run);
        return r;
    }
    r = client_pump(&(struct client_pump){.in = STDIN_FILENO,
                                          .out = o->stdin_socket ? STDIN_FILENO : STDOUT_FILENO,
                                          .err = STDERR_FILENO,
                                          .service_in = take_fd(&run.out_fd),
                                          .service_out = take_fd(&run.in_fd),
                                          .service_err = take_fd(&err),
                                          .out_is_socket = o->stdin_socket,
                                          .filter = o->filter_out,
                                          .prefix = o->prefix,
                                          .child = run.pid});
    if (r == -EPIPE) /* a reader that left has had what it wanted */
        r = 0;
    if (r)
        log_error("%s: %s", dom0_command(o), strerror(-r));
    service_run_deinit(&run);
    code = spawn_wait(run.pid);
    return code < 0 || (r && !code) ? CLIENT_EXIT_TROUBLE : code;
}

static int call_dom0(const struct client_options *o)
{
    int code = run_dom0_for_dom0(o);

    return o->no_exit_code ? 0 : code;
}

static const enum relay_flow flows[] = {[SERVICE_FLOW_BOTH] = RELAY_FLOW_BOTH,
                                        [SERVICE_FLOW_IN] = RELAY_FLOW_IN,
                                        [SERVICE_FLOW_OUT] = RELAY_FLOW_OUT};

/* Data of a VM's call to dom0: the caller is the vchan's server. */
static int carry_dom0(const struct client_options *o, const struct wire_peer *peer)
{
    _cleanup_(service_deinit) struct service s = SERVICE_NULL;
    struct service_run run = SERVICE_RUN_NULL;
    struct relay_params p = RELAY_PARAMS_NULL;
    int code = CLIENT_EXIT_TROUBLE, r = relay_prepare();

    if (r)
        return CLIENT_EXIT_NO_LINK;
    p.start_failed = plan_dom0(o, &s);
    if (!p.start_failed)
        p.start_failed = start_dom0(o, &s, &run, NULL);
    r = vchan_connect(peer->domain, peer->port, &p.vchan);
    if (r) {
        log_error("%s: data connection, port %u: %s", o->request.source, peer->port,
                  vchan_error_text(r));
        service_run_deinit(&run);
        return CLIENT_EXIT_NO_LINK;
    }
    p.role = RELAY_SERVICE;
    p.read_first = true;
    p.no_sigusr1 = true;
    p.sigusr2_stops = true;
    p.in_fd = run.in_fd;
    p.out_fd = run.out_fd;
    p.child = run.pid;
    p.socket_service = run.socket;
    p.exit_on_client_eof = run.socket && s.settings.exit_on_client_eof;
    p.exit_on_service_eof = run.socket && s.settings.exit_on_service_eof;
    p.max_time_s = s.settings.max_time;
    p.max_bytes = s.settings.max_bytes;
    p.flow = flows[s.settings.flow];
    p.name = s.words.full_name;
    p.connect_timeout_ms = DOM0_CONNECT_MS;
    r = relay_run(&p, &code);
    if (r)
        log_error("call of %s to dom0: %s", o->request.source,
                  r > 0 ? relay_error_text(r) : strerror(-r));
    if (r == RELAY_E_CONNECT || r == RELAY_E_GONE_EARLY)
        return CLIENT_EXIT_NO_LINK;
    return o->no_exit_code && !r ? 0 : code;
}

/* ---- -c ---- */

static int connect_source(const struct client_options *o, uint64_t deadline, int *ret)
{
    char number[16];
    int r = format(number, sizeof(number), "%u", o->request.source_domain);

    return r ? r : client_daemon_connect(o->socket_dir, number, deadline, ret);
}

static int connect_to_dom0(const struct client_options *o)
{
    _cleanup_(closep) int daemon = -1;
    uint64_t deadline = client_deadline(o);
    struct wire_peer peer = {0, 0};
    int code;

    if (connect_source(o, deadline, &daemon) ||
        client_daemon_connect_request(daemon, &o->request.ident, deadline, &peer))
        return CLIENT_EXIT_NO_LINK;
    code = carry_dom0(o, &peer);
    if (o->wait_for_end)
        client_daemon_wait_end(daemon);
    return code;
}

static int connect_to_vm(const struct client_options *o)
{
    _cleanup_(closep) int source = -1;
    _cleanup_(closep) int target = -1;
    uint64_t deadline = client_deadline(o);
    struct wire_peer peer;

    if (client_daemon_connect(o->socket_dir, o->target, deadline, &target) ||
        client_daemon_exec(target, MSG_EXEC_CMDLINE, o->request.source_domain, o->command, deadline,
                           &peer) ||
        connect_source(o, deadline, &source) ||
        client_daemon_connect_request(source, &o->request.ident, deadline, &peer))
        return CLIENT_EXIT_NO_LINK;
    if (o->wait_for_end)
        client_daemon_wait_end(target);
    return 0;
}

static int run(const struct client_options *o, char **argv)
{
    bool dom0 = client_target_is_dom0(o);

    (void)argv;
    if (o->connects)
        return dom0 ? connect_to_dom0(o) : connect_to_vm(o);
    return dom0 ? call_dom0(o) : call_vm(o);
}

int main(int argc, char **argv)
{
    return client_main(argc, argv, run);
}
