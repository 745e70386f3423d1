/* Starting builders, and hearing them: the helper's side of xen-builder.h. */
#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/xen-builder.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#define AGAIN_MS  3000  /* after one was taken: the domain that it builds comes first */
#define FAILED_MS 10000 /* after a warm one ended by itself */

struct xen_build {
    struct xen_builders *builders;
    struct process process;
    struct watch socket;
    const struct xen_build_events *events; /* NULL: it is the warm one, or nobody's */
    void *user;
    bool answered;
};

static void hear(struct xen_build *build)
{
    static char data[HELPER_DATAGRAM_MAX + 1];
    struct helper_message m;
    ssize_t n = recv(build->socket.fd, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0)
        return;
    if (n == 0) {
        watch_remove(&build->socket); /* its end is told by its process */
        return;
    }
    if (!build->events || build->answered)
        return;
    build->answered = true;
    if (helper_message_parse(data, (size_t)n, &m) || m.type != HELPER_ANSWER ||
        (!*m.text && !m.domid))
        build->events->answered(build->user, 0, "its builder said what is not understood");
    else
        build->events->answered(build->user, m.domid, m.text);
}

static void on_socket(struct watch *w)
{
    hear(w->user);
}

static void on_end(struct process *p, int status)
{
    struct xen_build *build = p->user;
    struct xen_builders *bs = build->builders;

    if (bs && bs->warm == build) {
        log_error("the waiting builder of domains ended (exit code %d)", spawn_exit_code(status));
        bs->warm = NULL;
        bs->warm_at = clock_ms() + FAILED_MS;
    }
    if (build->events && build->socket.fd >= 0 && !build->answered)
        hear(build); /* its last word may still be there */
    if (build->events)
        build->events->ended(build->user, status);
    watch_remove(&build->socket);
    free(build);
}

static int start(int theirs, pid_t *ret)
{
    _cleanup_(freep) char *root = *paths_root() ? format_new("--root=%s", paths_root()) : NULL;
    char *const argv[] = {(char *)"domain-spawner-helper", (char *)"--builder", root, NULL};
    const int fds[] = {-1, STDERR_FILENO, STDERR_FILENO, theirs};
    struct spawn s = {.path = "/proc/self/exe", .argv = argv, .fds = fds, .n_fds = ARRAY_SIZE(fds)};

    return spawn_process(&s, ret, NULL);
}

static int build_new(struct xen_builders *bs, struct xen_build **ret)
{
    _cleanup_(freep) struct xen_build *build = calloc(1, sizeof(*build));
    int pair[2], r;
    pid_t pid;

    if (!build || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return build ? -errno : -ENOMEM;
    r = start(pair[1], &pid);
    close(pair[1]);
    if (r) {
        close(pair[0]);
        return r;
    }
    build->builders = bs;
    build->process = PROCESS_NULL;
    build->socket = WATCH_NULL;
    r = process_watch(bs->set, &build->process, pid, on_end, build);
    if (r) {
        close(pair[0]);
        return r;
    }
    r = watch_add(bs->set, &build->socket, pair[0], on_socket, build);
    if (r) {
        process_kill(&build->process, SIGKILL);
        (void)take(build); /* freed when it is reaped */
        return r;
    }
    *ret = take(build);
    return 0;
}

void xen_builders_tend(struct xen_builders *bs)
{
    int r;

    if (bs->warm || (bs->warm_at && deadline_left(bs->warm_at) > 0))
        return;
    bs->warm_at = 0;
    r = build_new(bs, &bs->warm);
    if (!r)
        return;
    log_error("no builder of domains can be started: %s", strerror(-r));
    bs->warm_at = clock_ms() + FAILED_MS;
}

int xen_builders_timeout(const struct xen_builders *bs)
{
    if (bs->warm)
        return -1;
    return bs->warm_at ? deadline_left(bs->warm_at) : 0;
}

void xen_builders_deinit(struct xen_builders *bs)
{
    if (bs->warm)
        xen_build_abandon(bs->warm);
    bs->warm = NULL;
}

static int ask(struct xen_build *build, const struct domain_spec *spec)
{
    struct helper_request rq = {.type = HELPER_CREATE, .id = 1, .spec = *spec};
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r = build->socket.fd < 0 ? -EPIPE : helper_request_format(&rq, &text, &n);

    if (!r && send(build->socket.fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        r = -errno;
    return r;
}

/* A warm one that died just now cannot be asked: then a new one is. */
int xen_build_begin(struct xen_builders *bs, const struct domain_spec *spec,
                    const struct xen_build_events *events, void *user, struct xen_build **ret)
{
    int r = -ENOENT;

    for (int i = 0; i < 2 && r; i++) {
        struct xen_build *build = take(bs->warm);

        r = build ? 0 : build_new(bs, &build);
        if (!r)
            r = ask(build, spec);
        if (!r) {
            build->events = events;
            build->user = user;
            *ret = build;
        } else if (build) {
            xen_build_release(build);
        }
    }
    bs->warm_at = clock_ms() + AGAIN_MS;
    return r;
}

void xen_builders_hurry(struct xen_builders *bs)
{
    bs->warm_at = 0;
}

void xen_build_release(struct xen_build *build)
{
    watch_remove(&build->socket);
}

void xen_build_kill(struct xen_build *build)
{
    process_kill(&build->process, SIGKILL);
}

/* Reaped by whoever reaps our children when we are gone. */
void xen_build_abandon(struct xen_build *build)
{
    watch_remove(&build->socket);
    watch_remove(&build->process.watch);
    free(build);
}
