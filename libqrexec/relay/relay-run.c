/*
 * The driver of the data connection: see relay-run.h.
 *
 * One poll loop. What the machine wants decides what is polled; a descriptor that is not wanted
 * is not polled, so that a hang-up cannot spin. The vchan is tried whenever bytes are wanted from
 * it or for it, whether its descriptor fired or not: it only tells of changes.
 */
#include "libqrexec/relay/relay-run.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/relay/relay-driver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CUT_MS 500 /* for a call that is cut: the caller reads why, the service ends */

enum { P_VCHAN = RELAY_STREAMS, P_CHILD, P_SIGNAL, P_WATCH, P_GONE, P_COUNT };

const char *relay_error_text(int error)
{
    switch (error) {
    case 0: return "no error";
    case RELAY_E_CONNECT: return "the other side did not connect";
    case RELAY_E_VERSION: return "the other side's protocol version is below 2";
    case RELAY_E_PROTOCOL: return "the other side broke the protocol";
    case RELAY_E_LOST: return "the connection was lost before the exit code";
    case RELAY_E_GONE: return "the other domain is gone, before the exit code came";
    case RELAY_E_GONE_EARLY: return "the other domain is gone, it did not connect";
    case RELAY_E_STOPPED: return "ended by the administrator";
    case RELAY_E_TIME: return "the service's max-time is over";
    case RELAY_E_BYTES: return "the service's max-bytes are used up";
    default: return "unknown error";
    }
}

int relay_prepare(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    return 0;
}

/* A new connection has room for all of it. A peer that closed by now may have said something. */
void relay_say_hello(struct relay_params *p)
{
    unsigned char bytes[WIRE_HEADER_SIZE + 4];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (vchan_state(p->vchan) == VCHAN_CONNECTED && wire_write_hello(&w, WIRE_VERSION) == 0)
        p->hello_said = vchan_write(p->vchan, bytes, w.len) != 0;
}

int driver_step(struct driver *d, enum relay_event ev)
{
    bool failed = d->relay.error;
    int r = relay_step(&d->relay, ev);

    if (!failed && d->relay.error == RELAY_E_VERSION)
        log_error("the other side speaks protocol %u, this one %d to %d", d->relay.version,
                  WIRE_VERSION_MIN, WIRE_VERSION);
    if (d->relay.wrong_role && !d->wrong_role_said) {
        d->wrong_role_said = true;
        log_warning("the other side sent %s, which is not for its role to send",
                    wire_type_name(d->relay.wrong_role));
    }
    return r;
}

/*
 * SIGUSR1 is ours only where there is a program that may send it; SIGCHLD where the kernel has no
 * pidfd.
 */
static int take_signals(struct driver *d)
{
    bool usr1 = d->p->child && !d->p->no_sigusr1;
    bool child = d->relay.child_running && d->pidfd < 0;
    sigset_t set;

    if (!usr1 && !child && !d->p->sigusr2_stops)
        return 0;
    sigemptyset(&set);
    if (usr1)
        sigaddset(&set, SIGUSR1);
    if (child)
        sigaddset(&set, SIGCHLD);
    if (d->p->sigusr2_stops)
        sigaddset(&set, SIGUSR2);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return d->signals < 0 ? -errno : 0;
}

static int driver_init(struct driver *d, struct relay_params *p)
{
    int r;

    *d = (struct driver){.p = p, .vchan = p->vchan, .pidfd = -1, .signals = -1};
    p->vchan = NULL;
    for (size_t i = 0; i < RELAY_STREAMS; i++)
        d->fds[i] = -1;
    r = relay_init(&d->relay, p);
    if (!r)
        r = driver_take_fds(d);
    if (!r)
        r = p->child && !p->just_exec ? spawn_pidfd(p->child, &d->pidfd) : 0;
    if (r == -ENOSYS)
        r = 0;
    if (!r)
        r = take_signals(d);
    if (!r && p->connect_timeout_ms)
        d->deadline = clock_ms() + p->connect_timeout_ms;
    if (!r && p->max_time_s)
        d->end_at = clock_ms() + p->max_time_s * 1000ULL;
    return r;
}

/* All that it still holds. */
static void params_deinit(struct relay_params *p)
{
    if (p->out_fd == p->in_fd)
        p->out_fd = -1;
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    close_fd(&p->err_fd);
    close_fd(&p->own_err_fd);
    close_fd(&p->watch_fd);
    close_fd(&p->gone_fd);
    vchan_free(take(p->vchan));
}

static void driver_deinit(struct driver *d)
{
    for (size_t i = 0; i < RELAY_STREAMS; i++)
        close_fd(&d->fds[i]);
    params_deinit(d->p);
    close_fd(&d->pidfd);
    close_fd(&d->signals);
    vchan_free(take(d->vchan));
    relay_deinit(&d->relay);
}

static int on_vchan(struct driver *d)
{
    bool waiting = vchan_state(d->vchan) == VCHAN_WAITING;
    int r = vchan_dispatch(d->vchan);

    if (r)
        log_warning("data connection: %s", vchan_error_text(r));
    if (r || (waiting && vchan_state(d->vchan) == VCHAN_CLOSED))
        return driver_step(d, RELAY_EV_PEER_GONE);
    if (waiting && vchan_state(d->vchan) == VCHAN_CONNECTED)
        return driver_step(d, RELAY_EV_CONNECTED);
    return 0;
}

static int on_child(struct driver *d)
{
    int status;
    pid_t pid = d->relay.child_running ? waitpid(d->p->child, &status, WNOHANG) : 0;

    if (pid == 0)
        return 0;
    d->relay.child_code = pid < 0 ? 255 : spawn_exit_code(status);
    close_fd(&d->pidfd);
    return driver_step(d, RELAY_EV_CHILD_ENDED);
}

/* Once: what was written into the stdout pair before is still read. */
static int on_sigusr1(struct driver *d)
{
    if (d->switched)
        return 0;
    d->switching = true;
    if (d->fds[RELAY_IN] < 0 || shutdown(d->fds[RELAY_IN], SHUT_RDWR) < 0)
        log_warning("SIGUSR1: output is no socket pair any more, it stays where it is");
    return 0;
}

/* All that the service has started, if it leads a session of its own. */
static void signal_child(const struct driver *d, int signo)
{
    if (d->relay.child_running && kill(-d->p->child, signo) < 0)
        (void)kill(d->p->child, signo);
}

/* Both ends are told; the caller may still read that for a moment, the service end by itself. */
static int cut(struct driver *d, int error, int code, const char *text)
{
    if (d->cut_at)
        return 0;
    d->cut_at = clock_ms() + CUT_MS;
    d->end_at = 0;
    signal_child(d, SIGTERM);
    return relay_cut(&d->relay, error, code, text);
}

static int stop(struct driver *d)
{
    return cut(d, RELAY_E_STOPPED, 255, "qrexec: the call is ended by the administrator\n");
}

static int over_limit(struct driver *d, int error)
{
    const struct relay_params *p = d->p;
    char what[64], text[RELAY_TEXT_MAX];

    if (error == RELAY_E_TIME)
        snprintf(what, sizeof(what), "its max-time of %u s is over", p->max_time_s);
    else
        snprintf(what, sizeof(what), "its max-bytes of %llu are used up",
                 (unsigned long long)p->max_bytes);
    snprintf(text, sizeof(text), "qrexec: service %.150s: %s\n", p->name ? p->name : "?", what);
    return cut(d, error, 125, text);
}

static void note_times(struct driver *d)
{
    const struct relay *r = &d->relay;

    if (!d->connected_at && r->phase == RELAY_RUNNING)
        d->connected_at = clock_us();
    if (!d->first_at && (r->sent || r->received))
        d->first_at = clock_us();
}

static bool is_over_bytes(const struct driver *d)
{
    return d->relay.over_bytes && !d->cut_at;
}

static int check_limits(struct driver *d)
{
    if (is_over_bytes(d))
        return over_limit(d, RELAY_E_BYTES);
    if (d->end_at && deadline_left(d->end_at) == 0)
        return over_limit(d, RELAY_E_TIME);
    return 0;
}

/* One that is cut also ends what it runs, and waits no longer than it must. */
static bool is_over(const struct driver *d)
{
    if (!d->cut_at)
        return relay_is_over(&d->relay);
    if (deadline_left(d->cut_at) != 0)
        return relay_is_over(&d->relay) && (!d->relay.child_running || d->relay.just_exec);
    signal_child(d, SIGKILL);
    return true;
}

int driver_on_signal(struct driver *d)
{
    struct signalfd_siginfo info;

    if (read(d->signals, &info, sizeof(info)) != sizeof(info))
        return 0;
    if (info.ssi_signo == SIGUSR2)
        return stop(d);
    return info.ssi_signo == SIGCHLD ? on_child(d) : on_sigusr1(d);
}

static bool still_connecting(const struct driver *d)
{
    return d->relay.phase != RELAY_RUNNING && !d->relay.lost;
}

/* Whoever asked for the call has gone away, or time is up, before the peer said hello. */
static int give_up(struct driver *d)
{
    close_fd(&d->p->watch_fd);
    d->deadline = 0;
    return still_connecting(d) ? driver_step(d, RELAY_EV_PEER_GONE) : 0;
}

/* A short call may be over, and reported as such, before we saw its peer: that one still counts. */
static int on_watch(struct driver *d)
{
    char byte;
    ssize_t got = recv(d->p->watch_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    int r = 0;

    d->watch_done = got > 0;
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return 0;
    d->watch_done = true;
    if (vchan_state(d->vchan) == VCHAN_WAITING)
        r = on_vchan(d);
    if (!r && vchan_state(d->vchan) == VCHAN_WAITING)
        r = give_up(d);
    return r;
}

/* What it sent is read to its end, as when it had closed. */
static int on_gone(struct driver *d)
{
    bool waiting = vchan_state(d->vchan) == VCHAN_WAITING;

    close_fd(&d->p->gone_fd);
    vchan_lose(d->vchan);
    return waiting ? driver_step(d, RELAY_EV_PEER_GONE) : 0;
}

static void tell_counts(const struct driver *d)
{
    unsigned char bytes[WIRE_COUNTS_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    const struct wire_counts c = {.sent = d->relay.sent,
                                  .received = d->relay.received,
                                  .first_us = d->first_at ? d->first_at - d->connected_at + 1 : 0};

    (void)wire_write_bare_counts(&w, &c);
    (void)send(d->p->gone_fd, bytes, w.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Eight bytes: a domain, and in place of a port what is said. */
static int on_agent(struct driver *d)
{
    unsigned char bytes[8];
    struct wire_reader r = wire_reader(bytes, sizeof(bytes));
    struct wire_peer said = {0, 0};
    bool no_socket = false;
    ssize_t got = relay_read_some(d->p->gone_fd, &no_socket, bytes, sizeof(bytes));

    if (got == -EAGAIN)
        return 0;
    if (got != sizeof(bytes) || wire_read_peer(&r, &said)) {
        close_fd(&d->p->gone_fd);
        return 0;
    }
    if (said.port == WIRE_SAYS_LOOK)
        tell_counts(d);
    if (said.port == WIRE_SAYS_STOP)
        return stop(d);
    return said.port == WIRE_SAYS_GONE ? on_gone(d) : 0;
}

static void poll_for(struct pollfd *p, int fd, short events)
{
    *p = (struct pollfd){.fd = fd, .events = events};
}

static void fill(struct driver *d, struct pollfd p[static P_COUNT])
{
    struct relay_wants w = relay_wants(&d->relay);
    bool closed = vchan_state(d->vchan) == VCHAN_CLOSED;

    for (size_t i = 0; i < P_COUNT; i++)
        poll_for(&p[i], -1, 0);
    for (size_t i = 0; i < RELAY_STREAMS; i++) {
        if (w.read[i])
            poll_for(&p[i], d->fds[i], POLLIN);
        else if (w.write[i])
            poll_for(&p[i], d->fds[i], POLLOUT);
    }
    /* a service that closed its socket altogether says so by a hang-up */
    if (d->p->socket_service && d->relay.streams[RELAY_OUT] == RELAY_OPEN &&
        d->relay.phase == RELAY_RUNNING)
        poll_for(&p[RELAY_OUT], d->fds[RELAY_OUT], w.write[RELAY_OUT] ? POLLOUT : 0);
    if (!closed)
        poll_for(&p[P_VCHAN], vchan_fd(d->vchan),
                 vchan_events(d->vchan, w.read_peer, w.write_peer));
    poll_for(&p[P_CHILD], d->pidfd, POLLIN);
    poll_for(&p[P_SIGNAL], d->signals, POLLIN);
    if (still_connecting(d) && !d->watch_done)
        poll_for(&p[P_WATCH], d->p->watch_fd, POLLIN);
    poll_for(&p[P_GONE], d->p->gone_fd, POLLIN);
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Milliseconds to wait; -1 without end. */
static int wait_time(const struct driver *d, bool more)
{
    int limit = vchan_timeout(d->vchan);

    if (more)
        return 0;
    if (still_connecting(d))
        limit = sooner(limit, deadline_left(d->deadline));
    limit = sooner(limit, deadline_left(d->end_at));
    return sooner(limit, deadline_left(d->cut_at));
}

static int handle(struct driver *d, const struct pollfd p[static P_COUNT], bool timed_out)
{
    int r = 0;

    if (p[P_VCHAN].revents || (timed_out && vchan_state(d->vchan) != VCHAN_CLOSED))
        r = on_vchan(d);
    for (size_t i = 0; i < RELAY_STREAMS && !r; i++)
        if (p[i].revents)
            r = driver_on_stream(d, (enum relay_stream)i, p[i].revents);
    /* after the streams, so that what the child wrote before is on its way */
    if (!r && p[P_SIGNAL].revents)
        r = driver_on_signal(d);
    if (!r && p[P_CHILD].revents)
        r = on_child(d);
    if (!r && p[P_WATCH].revents)
        r = on_watch(d);
    if (!r && p[P_GONE].revents)
        r = on_agent(d);
    if (!r && still_connecting(d) && deadline_left(d->deadline) == 0)
        r = give_up(d);
    return r;
}

static int loop(struct driver *d)
{
    struct pollfd p[P_COUNT];
    bool more = false;
    int r = 0, n;

    if (vchan_state(d->vchan) == VCHAN_CONNECTED || d->p->hello_said)
        r = driver_step(d, RELAY_EV_CONNECTED);
    if (!r && d->relay.child_running && d->pidfd < 0 && !d->p->just_exec)
        r = on_child(d); /* it may have ended before its signal was ours */
    while (!r) {
        r = check_limits(d);
        if (!r)
            r = driver_pump(d, &more);
        note_times(d);
        driver_close_streams(d);
        if (r || is_over(d))
            break;
        fill(d, p);
        n = poll(p, P_COUNT, wait_time(d, more || is_over_bytes(d)));
        if (n < 0 && errno != EINTR)
            r = -errno;
        else if (n >= 0)
            r = handle(d, p, n == 0);
    }
    return r;
}

/* The same outcomes, with their reason. */
static int name_outcome(const struct driver *d, int r)
{
    if (!vchan_is_gone(d->vchan))
        return r;
    return r == RELAY_E_CONNECT ? RELAY_E_GONE_EARLY : r == RELAY_E_LOST ? RELAY_E_GONE : r;
}

int relay_run(struct relay_params *p, int *ret_code)
{
    struct driver *d = malloc(sizeof(*d));
    int r;

    *ret_code = 255;
    if (!d) {
        params_deinit(p);
        return -ENOMEM;
    }
    r = driver_init(d, p);
    if (!r)
        r = loop(d);
    if (!r)
        r = name_outcome(d, relay_result(&d->relay, ret_code));
    driver_deinit(d);
    free(d);
    return r;
}
