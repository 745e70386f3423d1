/*
 * The helper: started, heard, and started again when it ends.
 *
 * Its end is the end of every local domain: they are marked down, their leases end, and a new
 * helper is started after a moment, longer each time it does not last. Xen's live on (adopt.c).
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define AGAIN_FIRST_MS   250
#define AGAIN_MOST_MS    30000
#define LASTED_MS        60000 /* a helper that lived so long was well */
#define MESSAGES_AT_ONCE 64

int helper_link_tell(struct spawner *s, struct helper_request *rq)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    if (s->helper.fd < 0)
        return -ENOTCONN;
    rq->id = ++s->last_id;
    r = helper_request_format(rq, &text, &n);
    if (!r && send(s->helper.fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        r = errno == EPIPE || errno == ECONNRESET ? -ENOTCONN : -errno;
    return r;
}

static void on_message(struct spawner *s, const struct helper_message *m)
{
    struct domain *d = *m->uuid ? domains_find_uuid(&s->domains, m->uuid) : NULL;

    if (m->type == HELPER_HELLO) {
        log_info("backend: %s", m->text);
        snprintf(s->backend, sizeof(s->backend), "%.31s", m->text);
        s->outlive = m->outlive;
        adopt_begin(s);
    } else if (m->type == HELPER_FOUND) {
        adopt_found(s, m->uuid);
    } else if (m->type == HELPER_ANSWER) {
        life_answer(s, m);
    } else if (!d || !domain_is_up(d)) {
        log_debug("the helper speaks of %s, which does not run here", m->uuid);
    } else if (m->type == HELPER_RUNNING) {
        life_running(s, d, m->domid);
    } else if (m->type == HELPER_LATE) {
        life_late(s, d, m->text);
    } else if (m->type == HELPER_START_FAILED) {
        life_down(s, d, STATE_HALTED, m->text);
    } else if (m->type == HELPER_GONE) {
        life_down(s, d, STATE_HALTED,
                  d->state == STATE_TRANSIENT ? "it ended before its agent answered" : NULL);
    }
}

static void on_helper(struct watch *w, short revents)
{
    struct spawner *s = container_of(w, struct spawner, helper);
    static char data[HELPER_DATAGRAM_MAX + 1];
    struct helper_message m;
    ssize_t n;

    (void)revents;
    for (int budget = MESSAGES_AT_ONCE; budget > 0 && s->helper.fd >= 0; budget--) {
        n = recv(w->fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0)
            return;
        if (n == 0) {
            watch_stop(w); /* its exit is told by its pidfd */
            return;
        }
        if (helper_message_parse(data, (size_t)n, &m))
            log_error("the helper said what is not understood");
        else
            on_message(s, &m);
    }
}

static void on_again(struct timer *t)
{
    struct spawner *s = container_of(t, struct spawner, helper_again);

    if (helper_link_start(s)) {
        s->again_ms = s->again_ms < AGAIN_MOST_MS / 2 ? s->again_ms * 2 : AGAIN_MOST_MS;
        timer_set(t, s->again_ms);
    }
}

static void hang_up(struct spawner *s)
{
    int fd = s->helper.fd;

    if (s->helper.events)
        watch_stop(&s->helper);
    close_fd(&fd);
    s->helper.fd = -1;
}

static void on_helper_end(struct watch *w, short revents)
{
    struct spawner *s = container_of(w, struct spawner, helper_end);
    int end = w->fd, code = spawn_wait(s->helper_pid);

    (void)revents;
    watch_stop(w);
    close_fd(&end);
    w->fd = -1;
    hang_up(s);
    if (s->stopping) {
        loop_quit(0);
        return;
    }
    if (clock_ms() - s->helper_since > LASTED_MS || !s->again_ms)
        s->again_ms = AGAIN_FIRST_MS;
    log_error("the helper ended (exit code %d)%s; it is started again in %u ms", code,
              s->outlive ? "" : ", so every domain did", s->again_ms);
    adopt_wait(s);
    s->helper_again.fn = on_again;
    timer_set(&s->helper_again, s->again_ms);
    s->again_ms = s->again_ms < AGAIN_MOST_MS / 2 ? s->again_ms * 2 : AGAIN_MOST_MS;
}

static int spawn_helper(struct spawner *s, const char *path, int theirs, int *ret_pidfd)
{
    _cleanup_(freep) char *root = *paths_root() ? format_new("--root=%s", paths_root()) : NULL;
    char program[PATH_SIZE], *argv[3] = {program, root, NULL};
    int fds[4] = {-1, STDOUT_FILENO, STDERR_FILENO, theirs};
    int r = format(program, sizeof(program), "%s", path);

    if (r || (*paths_root() && !root))
        return r ? r : -ENOMEM;
    return spawn_process(
        &(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 4, .new_session = true},
        &s->helper_pid, ret_pidfd);
}

int helper_link_start(struct spawner *s)
{
    char path[PATH_SIZE];
    int pair[2], pidfd = -1;
    int r = s->helper_path ? format(path, sizeof(path), "%s", s->helper_path)
                           : path_program(path, PATH_LIB, "domain-spawner-helper");

    if (r || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return r ? r : -errno;
    r = spawn_helper(s, path, pair[1], &pidfd);
    close(pair[1]);
    if (r) {
        close(pair[0]);
        log_error("cannot start %s: %s", path, strerror(-r));
        return r;
    }
    s->helper_since = clock_ms();
    s->helper_first = s->last_id;
    s->helper.fn = on_helper;
    watch_set(&s->helper, pair[0], POLLIN);
    s->helper_end.fn = on_helper_end;
    watch_set(&s->helper_end, pidfd, POLLIN);
    return 0;
}

void helper_link_stop(struct spawner *s)
{
    s->stopping = true;
    timer_stop(&s->helper_again);
    hang_up(s);
    if (!s->helper_end.events)
        loop_quit(0);
}
