/*
 * What others call here: one record for each command, until what carries its data has ended.
 *
 * A command may first wait for its user's session, then goes to the user's fork server if there
 * is one, else to a child of ours. The daemon is told of the end in every case, after a failed
 * start too: nothing else frees the port. Who carries it may be killed before the caller heard of
 * it: then another process takes its place, only to say so, or the caller would wait for long.
 *
 * What fails because something is short, or busy for the moment, is tried again for a while: the
 * caller waits in any case, and could not be told without a process.
 */
#include "qrexec-agent/agent.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/service.h"
#include "qrexec-agent/carry.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define MEMINFO_PID "/run/meminfo-writer.pid"
#define WORD_SIZE   8 /* what a carrier is told: the caller's domain, WIRE_SAYS_* */
#define WORDS_ROOM  (4 * WORD_SIZE)
#define AGAIN_MS    200
#define AGAINS_MOST 250 /* 50 s; twice that is less than a caller waits */

/* How far it is known to be. */
enum progress {
    GIVEN,   /* to a session, which may end before it takes it, and says so with a byte */
    TAKEN,   /* somebody carries it */
    REACHED, /* the caller was, or cannot be; WIRE_TELLS_REACHED */
};

struct call {
    struct call *next, *prev;
    struct agent *agent;
    struct service service;
    char *line; /* the command line as it came */
    uint32_t type, domain, port;
    uint64_t epoch;
    int failed;                /* exit code of a command that cannot be started */
    struct session_wait *wait; /* waits for it */
    pid_t child;               /* carries it; 0 none */
    int link;                  /* to the child, which is told what the daemon says of the call */
    struct watch link_watch;   /* while it is asked something */
    bool asked;                /* it was told to look, and has not answered */
    struct buf answer;
    int server; /* connection to a fork server or a session's carrier, or -1 */
    enum progress progress;
    bool replaced;      /* who carries it now only tells the caller */
    unsigned tries;     /* of sessions */
    struct timer again; /* what failed is tried then */
    unsigned agains;
    struct watch watch;
    struct buf out; /* for the fork server */
};

static void call_free(struct call *c)
{
    struct agent *a = c->agent;

    if (c->prev)
        c->prev->next = c->next;
    else
        a->calls.first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    watch_stop(&c->watch);
    watch_stop(&c->link_watch);
    timer_stop(&c->again);
    close_fd(&c->server);
    close_fd(&c->link);
    buf_deinit(&c->out);
    buf_deinit(&c->answer);
    service_deinit(&c->service);
    free(c->line);
    free(c);
}

static void call_end(struct call *c)
{
    struct agent *a = c->agent;

    control_send_terminated(a, c->epoch, c->domain, c->port);
    call_free(c);
    loop_rest();
    clients_resume(a);
}

static bool passes(int error)
{
    return error == -EAGAIN || errno_is_shortage(-error);
}

/* error: a negative errno of what. False: it is of no use to try again, or not any more. */
static bool put_off(struct call *c, const char *what, int error)
{
    if (!passes(error))
        return false;
    if (c->agains == AGAINS_MOST) {
        c->agains = 0;
        return false;
    }
    if (c->agains++ == 0)
        log_warning("call on port %u of domain %u: %s: %s; it is tried again for up to %d s",
                    c->port, c->domain, what, strerror(-error), AGAINS_MOST * AGAIN_MS / 1000);
    timer_set(&c->again, AGAIN_MS);
    return true;
}

static void not_forked(struct call *c, int error)
{
    if (put_off(c, "fork", error))
        return;
    log_error("call on port %u of domain %u: fork: %s; given up, and the caller cannot be told",
              c->port, c->domain, strerror(-error));
    call_end(c);
}

static void call_fork(struct call *c)
{
    struct carry carry = {
        .service = &c->service,
        .failed = c->failed,
        .type = c->type,
        .domain = c->domain,
        .port = c->port,
        .keep_fd = -1, /* below */
        .late = c->replaced,
        .tells = true,
        .who = log_who(),
        .files = c->agent->calls.files,
        .users = &service_users_own,
    };
    int pair[2] = {-1, -1}, r;
    pid_t pid;

    r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    pid = r < 0 ? -1 : fork();
    carry.keep_fd = pair[1];
    if (pid == 0)
        carry_run(&carry);
    close_fd(&pair[1]);
    if (pid < 0) {
        close_fd(&pair[0]);
        not_forked(c, -errno);
        return;
    }
    c->link = pair[0];
    c->child = pid;
    c->progress = TAKEN;
}

static void call_go(struct call *c);

static void take_counts(struct call *c)
{
    struct wire_reader r = wire_reader(buf_data(&c->answer), WIRE_COUNTS_SIZE);
    struct wire_counts counts;

    (void)wire_read_counts(&r, &counts);
    buf_consume(&c->answer, WIRE_COUNTS_SIZE);
    if (c->progress == TAKEN && counts.port == WIRE_TELLS_REACHED) {
        c->progress = REACHED;
    } else if (c->asked) {
        c->asked = false;
        counts.domain = c->domain;
        counts.port = c->port;
        control_send_counts(c->agent, c->epoch, &counts);
    }
}

/* Of who carries it. What is neither awaited nor asked for is not listened to. */
static void take_answer(struct call *c, const unsigned char *data, size_t n)
{
    if (n && c->progress == GIVEN) {
        c->progress = TAKEN;
        data++;
        n--;
    }
    while (n && (c->progress == TAKEN || c->asked)) {
        size_t part = size_min(n, buf_room(&c->answer));

        if (buf_append(&c->answer, data, part))
            return;
        if (!buf_room(&c->answer))
            take_counts(c);
        data += part;
        n -= part;
    }
}

/* Its end is the child's, which is told otherwise. */
static void on_link(struct watch *w, short revents)
{
    struct call *c = container_of(w, struct call, link_watch);
    unsigned char bytes[2 * WIRE_COUNTS_SIZE];
    ssize_t n = recv(c->link, bytes, sizeof(bytes), MSG_DONTWAIT);

    (void)revents;
    if (n > 0)
        take_answer(c, bytes, (size_t)n);
    if (n == 0 || (n > 0 && !c->asked))
        watch_stop(w);
}

/* Its end, in the other process's place if that could not tell the caller. */
static void carrier_gone(struct call *c)
{
    const struct wire_counts none = {.domain = c->domain, .port = c->port};

    if (c->progress == REACHED || c->replaced) {
        call_end(c);
        return;
    }
    log_error("call on port %u of domain %u: the process that carries it was killed before it "
              "began; the caller is told",
              c->port, c->domain);
    watch_stop(&c->watch);
    watch_stop(&c->link_watch);
    close_fd(&c->server);
    close_fd(&c->link);
    buf_consume(&c->answer, buf_len(&c->answer));
    if (c->asked)
        control_send_counts(c->agent, c->epoch, &none);
    c->asked = false;
    c->child = 0;
    c->replaced = true;
    if (!c->failed)
        c->failed = SERVICE_E_TROUBLE;
    call_fork(c);
}

/* A session that ended before it took the call has not run it: another one is asked, once. */
static void server_gone(struct call *c)
{
    if (c->progress != GIVEN) {
        carrier_gone(c);
        return;
    }
    watch_stop(&c->watch);
    close_fd(&c->server);
    call_go(c);
}

/* What it said before it went counts, also when it takes no more words. */
static void on_server(struct watch *w, short revents)
{
    struct call *c = container_of(w, struct call, watch);
    unsigned char said[256];
    ssize_t n = buf_write_fd(&c->out, c->server);
    bool listens = n >= 0 || n == -EAGAIN;

    (void)revents;
    n = read(c->server, said, sizeof(said));
    if (n > 0)
        take_answer(c, said, (size_t)n);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        watch_set(w, c->server, listens && buf_len(&c->out) ? POLLIN | POLLOUT : POLLIN);
    else
        server_gone(c);
}

/* Whoever listens there must be the user, or root, or us: anyone may make a socket in a folder. */
static int check_server(const struct call *c, int fd)
{
    const struct passwd *pw = getpwnam(c->service.user);
    pid_t pid;
    uid_t uid;
    int r = unix_peer(fd, &pid, &uid);

    if (r)
        return r;
    if (uid == 0 || uid == geteuid() || (pw && uid == pw->pw_uid))
        return 0;
    log_warning("the fork server of user %s belongs to uid %u and is not used", c->service.user,
                uid);
    return -EPERM;
}

/* PATTERN with %s for the user; no other user's name fits into a path of its own. */
static int server_path(const char *pattern, const char *user, char ret[static PATH_SIZE])
{
    const char *at = strstr(pattern, "%s");

    if (strchr(user, '/'))
        return -EINVAL;
    if (!at)
        return format(ret, PATH_SIZE, "%s", pattern);
    return format(ret, PATH_SIZE, "%.*s%s%s", (int)(at - pattern), pattern, user, at + 2);
}

static struct wire_fork fork_message(const struct call *c, struct wire_text line)
{
    return (struct wire_fork){.type = c->type,
                              .domain = c->domain,
                              .port = c->port,
                              .cmdline_len = (uint32_t)line.len + 1};
}

static int server_message(struct call *c)
{
    struct wire_text line = wire_text(c->service.words.command);
    struct wire_fork f = fork_message(c, line);
    struct wire_writer w;
    unsigned char *p;
    size_t size = WIRE_FORK_SIZE + line.len + 1;
    int r;

    buf_deinit(&c->out);
    c->out = BUF_NULL(size + WORDS_ROOM);
    r = buf_reserve(&c->out, size, &p);
    if (r)
        return r;
    w = wire_writer(p, size);
    if (wire_write_fork(&w, &f, line))
        return -EINVAL;
    buf_commit(&c->out, w.len);
    return 0;
}

/* 0: the fork server has it; -ENOENT, -ECONNREFUSED: there is none. */
static int give_to_server(struct call *c)
{
    const char *pattern = c->agent->calls.fork_server;
    _cleanup_(closep) int fd = -1;
    char path[PATH_SIZE];
    int r;

    if (!pattern || c->failed || !service_fits_fork_server(&c->service))
        return -ENOENT;
    r = server_path(pattern, c->service.user, path);
    if (!r)
        r = unix_connect(path, &fd);
    if (!r)
        r = check_server(c, fd);
    if (!r)
        r = server_message(c);
    if (r)
        return r;
    c->server = take_fd(&fd);
    c->progress = REACHED; /* it says nothing */
    c->watch.fn = on_server;
    watch_set(&c->watch, c->server, POLLIN | POLLOUT);
    return 0;
}

/* A program that needs a login; sockets do not, and a process without root's rights has none. */
static bool needs_login(const struct call *c)
{
    return !c->failed && geteuid() == 0 &&
           (c->service.kind == SERVICE_PROGRAM || c->service.kind == SERVICE_SHELL);
}

/* False: it has an exit code instead. Put off, it is not a try: no session has seen it. */
static bool call_to_session(struct call *c)
{
    struct wire_text line = wire_text(c->line);
    struct wire_fork f = fork_message(c, line);
    int r = c->tries++ < 2 ? sessions_call(c->agent, c->service.user, &f, line, &c->server)
                           : -ECONNABORTED;

    if (r && put_off(c, "the session of its user", r)) {
        c->tries--;
        return true;
    }
    if (r) {
        log_error("call on port %u of domain %u: the session of user %s: %s", c->port, c->domain,
                  c->service.user, strerror(-r));
        c->failed = SERVICE_E_TROUBLE;
        return false;
    }
    /* words that the session before did not take are told to this one, as wholes */
    buf_consume(&c->out, buf_len(&c->out) % WORD_SIZE);
    c->progress = GIVEN;
    c->watch.fn = on_server;
    watch_set(&c->watch, c->server, (short)(buf_len(&c->out) ? POLLIN | POLLOUT : POLLIN));
    return true;
}

/* False: there is none; or one that takes nobody, and outside of its session nothing is run. */
static bool call_to_server(struct call *c)
{
    int r = give_to_server(c);

    if (!r || put_off(c, "the fork server of its user", r))
        return true;
    if (passes(r)) {
        log_error("call on port %u of domain %u: the fork server of user %s: %s", c->port,
                  c->domain, c->service.user, strerror(-r));
        c->failed = SERVICE_E_TROUBLE;
    }
    return false;
}

static void call_go(struct call *c)
{
    c->wait = NULL;
    if (call_to_server(c) || (needs_login(c) && call_to_session(c)))
        return;
    call_fork(c);
}

static void on_again(struct timer *t)
{
    call_go(container_of(t, struct call, again));
}

static void wait_end(struct agent *a, struct session_wait *w)
{
    for (struct call *c = a->calls.first, *next; c; c = next) {
        next = c->next;
        if (c->wait == w)
            call_go(c);
    }
    session_wait_free(a, w);
}

/* The memory balloon's reporter waits until the VM is in use. */
static void tell_meminfo(struct agent *a)
{
    _cleanup_(freep) char *text = NULL;
    uint32_t pid;
    size_t n;

    if (a->calls.told_meminfo)
        return;
    a->calls.told_meminfo = true;
    if (file_read(MEMINFO_PID, 64, &text, &n))
        return;
    text[strcspn(text, "\n")] = 0;
    if (!parse_u32(text, INT32_MAX, &pid) && pid > 1)
        (void)kill((pid_t)pid, SIGUSR1);
}

static struct call *call_new(struct agent *a, uint32_t type, const struct wire_exec *exec)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c)
        c->line = strdup(exec->cmdline.s);
    if (!c || !c->line) {
        free(c);
        return NULL;
    }
    c->agent = a;
    c->type = type;
    c->domain = exec->domain;
    c->port = exec->port;
    c->epoch = a->control.epoch;
    c->server = c->link = -1;
    c->again.fn = on_again;
    c->link_watch = (struct watch){.fn = on_link, .fd = -1};
    c->out = BUF_NULL(WORDS_ROOM);
    c->answer = BUF_NULL(WIRE_COUNTS_SIZE);
    c->next = a->calls.first;
    if (c->next)
        c->next->prev = c;
    a->calls.first = c;
    return c;
}

void calls_start(struct agent *a, uint32_t type, const struct wire_exec *exec)
{
    struct call *c = call_new(a, type, exec);
    char why[SERVICE_TEXT_MAX];
    int r;

    if (!c) {
        log_error("call on port %u of domain %u: no memory", exec->port, exec->domain);
        control_send_terminated(a, a->control.epoch, exec->domain, exec->port);
        return;
    }
    tell_meminfo(a);
    r = service_plan(SERVICE_PLACE_VM, exec->cmdline.s, &c->service, why);
    if (r) {
        log_error("call on port %u of domain %u: %s", c->port, c->domain, why);
        c->failed = r > 0 ? r : SERVICE_E_TROUBLE;
    } else if (c->service.settings.wait_for_session && !c->service.words.nogui) {
        c->wait = session_wait_for(a, c->service.user, c->service.words.source);
    }
    if (!c->wait)
        call_go(c);
}

/* One that waits has carried nothing, and would find nobody. */
static void tell_waiting(struct call *c, uint32_t word)
{
    const struct wire_counts none = {.domain = c->domain, .port = c->port};

    if (word == WIRE_SAYS_LOOK)
        control_send_counts(c->agent, c->epoch, &none);
    else
        call_end(c);
}

/* One that has not answered yet is not asked again. */
static void tell(struct call *c, uint32_t word)
{
    unsigned char bytes[WORD_SIZE];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (c->link < 0 && c->server < 0) {
        tell_waiting(c, word);
        return;
    }
    if (word == WIRE_SAYS_LOOK && c->asked)
        return;
    c->asked |= word == WIRE_SAYS_LOOK;
    (void)wire_write_bare_peer(&w, c->domain, word);
    if (c->link >= 0) {
        (void)send(c->link, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (c->asked)
            watch_set(&c->link_watch, c->link, POLLIN);
    } else {
        (void)buf_append(&c->out, bytes, sizeof(bytes)); /* no room: it was told before */
        watch_set(&c->watch, c->server, POLLIN | POLLOUT);
    }
}

bool calls_tell(struct agent *a, const struct wire_peer *peer, uint32_t word)
{
    bool found = false;

    for (struct call *c = a->calls.first, *next; c; c = next) {
        next = c->next;
        if (c->domain != peer->domain || c->port != peer->port)
            continue;
        found = true;
        tell(c, word);
    }
    return found;
}

/* The newest: an older one's port was given anew. */
bool calls_keep(struct agent *a, const struct wire_peer *peer)
{
    struct call *c = a->calls.first;

    while (c && (c->domain != peer->domain || c->port != peer->port))
        c = c->next;
    if (c)
        c->epoch = a->control.epoch;
    return c;
}

static void child_gone(struct call *c)
{
    unsigned char bytes[2 * WIRE_COUNTS_SIZE];
    ssize_t n = recv(c->link, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0)
        take_answer(c, bytes, (size_t)n);
    carrier_gone(c);
}

void calls_reap(struct agent *a, pid_t pid)
{
    struct session_wait *w = session_wait_of(a, pid);

    if (w) {
        wait_end(a, w);
        return;
    }
    for (struct call *c = a->calls.first; c; c = c->next) {
        if (c->child == pid) {
            child_gone(c);
            return;
        }
    }
}

void calls_deinit(struct agent *a)
{
    while (a->calls.first)
        call_free(a->calls.first);
    while (a->calls.waits)
        session_wait_free(a, a->calls.waits);
    sessions_deinit(a);
}
