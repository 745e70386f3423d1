/*
 * Carrying one call: see carry.h.
 *
 * The service is started once the caller is there, so that a caller that never comes leaves
 * nothing behind; the hello comes before that, since the caller's time limit runs until then.
 * Nothing of the forking process stays open.
 */
#include "qrexec-agent/carry.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/vchan/vchan.h"
#include "libqrexec/wire/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#define KEPT_FD 3
#define LATE_MS 10000

static int leave_parent(const struct carry *c)
{
    int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, c->keep_fd};
    int r = spawn_prepare(fds, c->keep_fd >= 0 ? 4 : 3);

    if (r)
        return r;
    log_open(c->who, LOG_TARGET_SYSTEM);
    if (c->keep_fd >= 0)
        r = fd_set_cloexec(KEPT_FD, true);
    if (!r && c->files.rlim_max && setrlimit(RLIMIT_NOFILE, &c->files) < 0)
        r = -errno;
    return r ? r : relay_prepare();
}

/* Milliseconds to the next thing that a clock brings. */
static int wait_time(const struct vchan *v, uint64_t deadline)
{
    int own = vchan_timeout(v), left = deadline_left(deadline);

    return own >= 0 && own < left ? own : left;
}

static void tell_agent(int fd, uint32_t what)
{
    unsigned char bytes[WIRE_COUNTS_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (wire_write_bare_counts(&w, &(struct wire_counts){.port = what}) == 0)
        (void)send(fd, bytes, w.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * What the agent says: the caller's domain is gone, -EHOSTDOWN; the call is ended, -ECANCELED. Its
 * end says nothing.
 */
static int heed_agent(struct pollfd *p)
{
    unsigned char bytes[8];
    struct wire_reader r = wire_reader(bytes, sizeof(bytes));
    struct wire_peer said = {0, 0};

    if (!p->revents)
        return 0;
    if (recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT) != sizeof(bytes) ||
        wire_read_peer(&r, &said)) {
        p->fd = -1;
        return 0;
    }
    if (said.port == WIRE_SAYS_LOOK)
        tell_agent(p->fd, WIRE_TELLS_COUNTS);
    return said.port == WIRE_SAYS_GONE ? -EHOSTDOWN : said.port == WIRE_SAYS_STOP ? -ECANCELED : 0;
}

static int connect_caller(const struct carry *c, struct vchan **ret)
{
    _cleanup_(vchan_freep) struct vchan *v = NULL;
    uint64_t deadline = clock_ms() + (c->late ? LATE_MS : RELAY_CONNECT_TIMEOUT_MS);
    int r = vchan_connect(c->domain, c->port, &v);
    struct pollfd p[2] = {{.fd = -1}, {.fd = c->keep_fd < 0 ? -1 : KEPT_FD, .events = POLLIN}};

    while (!r && vchan_state(v) == VCHAN_WAITING) {
        p[0].fd = vchan_fd(v);
        p[0].events = vchan_events(v, true, false);
        if (deadline_left(deadline) == 0)
            return -ETIMEDOUT;
        if (poll(p, 2, wait_time(v, deadline)) < 0 && errno != EINTR)
            return -errno;
        r = heed_agent(&p[1]);
        if (!r)
            r = vchan_dispatch(v);
    }
    if (!r)
        *ret = take(v);
    return r;
}

static const enum relay_flow flows[] = {[SERVICE_FLOW_BOTH] = RELAY_FLOW_BOTH,
                                        [SERVICE_FLOW_IN] = RELAY_FLOW_IN,
                                        [SERVICE_FLOW_OUT] = RELAY_FLOW_OUT};

/* What the relay does for a service that runs, or could not. */
static void take_run(struct relay_params *p, const struct service *s, struct service_run *run)
{
    p->in_fd = run->in_fd;
    p->out_fd = run->out_fd;
    p->err_fd = run->err_fd;
    p->own_err_fd = run->log_fd;
    p->child = run->pid;
    p->socket_service = run->socket;
    p->exit_on_client_eof = s->settings.exit_on_client_eof;
    p->exit_on_service_eof = s->settings.exit_on_service_eof;
    p->max_time_s = s->settings.max_time;
    p->max_bytes = s->settings.max_bytes;
    p->flow = flows[s->settings.flow];
    p->name = s->words.full_name;
}

static void start(const struct carry *c, struct relay_params *p)
{
    const struct service_start how = {
        .just_exec = c->type == MSG_JUST_EXEC, .new_session = true, .users = c->users};
    struct service_run run = SERVICE_RUN_NULL;
    char why[SERVICE_TEXT_MAX] = "";
    int r = 0;

    p->start_failed = c->failed;
    p->just_exec = how.just_exec;
    if (!c->failed)
        r = service_start(c->service, &how, &run, why);
    if (r) {
        log_error("call on port %u of domain %u: %s", c->port, c->domain, why);
        p->start_failed = r > 0 ? r : SERVICE_E_TROUBLE;
    }
    if (how.just_exec) { /* nobody waits for it */
        service_run_deinit(&run);
        run = SERVICE_RUN_NULL;
    }
    take_run(p, c->service, &run);
}

_Noreturn void carry_run(const struct carry *c)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    int r = leave_parent(c), code;

    if (!r) {
        r = connect_caller(c, &p.vchan);
        if (c->tells)
            tell_agent(KEPT_FD, WIRE_TELLS_REACHED);
    }
    if (r) {
        log_error("call on port %u of domain %u: cannot connect: %s", c->port, c->domain,
                  vchan_error_text(r));
        _exit(1);
    }
    p.role = RELAY_SERVICE;
    if (c->keep_fd >= 0)
        p.gone_fd = fcntl(KEPT_FD, F_DUPFD_CLOEXEC, KEPT_FD);
    relay_say_hello(&p);
    start(c, &p);
    r = relay_run(&p, &code);
    if (r)
        log_warning("call on port %u of domain %u: %s", c->port, c->domain,
                    r > 0 ? relay_error_text(r) : strerror(-r));
    _exit(r ? 1 : 0);
}
