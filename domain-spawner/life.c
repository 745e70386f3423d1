/*
 * Starting and ending domains: the helper does it, and tells what becomes of them.
 *
 * The helper's end is the end of every local domain: they are marked down, leases end, and a new
 * helper is started after a moment.
 */
#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define AGAIN_MS 1000

static int tell_helper(struct spawner *s, struct helper_request *rq)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    if (s->helper.fd < 0)
        return -ENOTCONN;
    rq->id = ++s->last_id;
    r = helper_request_format(rq, &text, &n);
    if (!r && send(s->helper.fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        r = -errno;
    return r;
}

static void set_state(struct spawner *s, struct domain *d, enum domain_state state)
{
    d->state = state;
    spawner_changed(s);
}

/* It is down. A disposable's record goes with it. */
static void is_down(struct spawner *s, struct domain *d, enum domain_state state, const char *why)
{
    char name[DOMAIN_NAME_MAX + 1];
    bool started = d->state == STATE_TRANSIENT;
    const char *const reason[] = {"reason", why ? why : "ended", NULL};
    const char *vm[] = {"vm", name, NULL};

    snprintf(name, sizeof(name), "%s", d->name);
    d->domid = 0;
    d->start_time = 0;
    set_state(s, d, state);
    if (started)
        spawner_event(s, name, "domain-start-failed", reason);
    else {
        spawner_event(s, name, "domain-stopped", NULL);
        spawner_event(s, name, "domain-shutdown", NULL);
    }
    if (d->class == CLASS_DISP && property_bool(&s->domains, d, "auto_cleanup")) {
        spawner_event(s, "", "domain-pre-delete", vm);
        domains_remove(&s->domains, d);
        domain_free(d);
        spawner_changed(s);
        spawner_event(s, "", "domain-delete", vm);
    }
    server_domain_reached(s, name, WAIT_RUNNING, why ? why : "it ended before its agent answered");
    server_domain_reached(s, name, WAIT_GONE, NULL);
    server_domain_gone(s, name);
}

static void on_message(struct spawner *s, const struct helper_message *m)
{
    struct domain *d = *m->uuid ? domains_find_uuid(&s->domains, m->uuid) : NULL;

    if (m->type == HELPER_HELLO)
        log_info("backend: %s", m->text);
    if (m->type == HELPER_ANSWER && *m->text)
        log_warning("the backend refuses: %s", m->text);
    if (!d)
        return;
    if (m->type == HELPER_RUNNING) {
        d->domid = m->domid;
        d->start_time = (int64_t)time(NULL);
        set_state(s, d, STATE_RUNNING);
        spawner_event(s, d->name, "domain-start", NULL);
        server_domain_reached(s, d->name, WAIT_RUNNING, NULL);
    } else if (m->type == HELPER_START_FAILED) {
        log_error("%s: did not start: %s", d->name, m->text);
        is_down(s, d, STATE_HALTED, m->text);
    } else if (m->type == HELPER_GONE) {
        is_down(s, d, m->end == DOMAIN_CRASH ? STATE_CRASHED : STATE_HALTED, NULL);
    }
}

static void on_helper(struct watch *w, short revents)
{
    struct spawner *s = container_of(w, struct spawner, helper);
    static char data[HELPER_DATAGRAM_MAX + 1];
    struct helper_message m;
    ssize_t n;

    (void)revents;
    for (int budget = 64; budget > 0 && s->helper.fd >= 0; budget--) {
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

static int start_helper(struct spawner *s);

static void on_again(struct timer *t)
{
    struct spawner *s = container_of(t, struct spawner, helper_again);

    if (start_helper(s))
        timer_set(t, AGAIN_MS);
}

static void on_helper_end(struct watch *w, short revents)
{
    struct spawner *s = container_of(w, struct spawner, helper_end);
    int end = w->fd, fd = s->helper.fd, code = spawn_wait(s->helper_pid);

    (void)revents;
    watch_stop(w);
    close_fd(&end);
    w->fd = -1;
    if (s->helper.events)
        watch_stop(&s->helper);
    close_fd(&fd);
    s->helper.fd = -1;
    if (s->stopping) {
        loop_quit(0);
        return;
    }
    log_error("the helper ended (exit code %d), so every domain did; it is started again", code);
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;

        if (d && d->class != CLASS_ADMIN && d->class != CLASS_REMOTE && domain_is_up(d))
            is_down(s, d, STATE_CRASHED, "the backend ended");
    }
    s->helper_again.fn = on_again;
    timer_set(&s->helper_again, AGAIN_MS);
}

static int start_helper(struct spawner *s)
{
    char path[PATH_SIZE], *argv[3] = {path, NULL, NULL};
    _cleanup_(freep) char *root = *paths_root() ? format_new("--root=%s", paths_root()) : NULL;
    int pair[2], pidfd = -1,
                 r = s->helper_path ? format(path, sizeof(path), "%s", s->helper_path)
                                    : path_program(path, PATH_LIB, "domain-spawner-helper");

    argv[1] = root;
    if (r || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return r ? r : -errno;
    {
        int fds[4] = {-1, STDOUT_FILENO, STDERR_FILENO, pair[1]};

        r = spawn_process(
            &(struct spawn){
                .path = path, .argv = argv, .fds = fds, .n_fds = 4, .new_session = true},
            &s->helper_pid, &pidfd);
    }
    close(pair[1]);
    if (r) {
        close(pair[0]);
        log_error("cannot start %s: %s", path, strerror(-r));
        return r;
    }
    s->helper.fn = on_helper;
    watch_set(&s->helper, pair[0], POLLIN);
    s->helper_end.fn = on_helper_end;
    watch_set(&s->helper_end, pidfd, POLLIN);
    return 0;
}

int life_init(struct spawner *s)
{
    s->helper.fd = s->helper_end.fd = -1;
    return start_helper(s);
}

/* The helper's end of file ends all domains; the loop is left when it has ended. */
void life_stop(struct spawner *s)
{
    int fd = s->helper.fd;

    s->stopping = true;
    timer_stop(&s->helper_again);
    if (fd < 0) {
        loop_quit(0);
        return;
    }
    watch_stop(&s->helper);
    close_fd(&fd);
    s->helper.fd = -1;
}

static void text_property(struct spawner *s, const struct domain *d, const char *name, char *buf,
                          size_t size)
{
    struct property_text t;

    property_value(&s->domains, d, name, &t);
    if (format(buf, size, "%s", t.s))
        buf[0] = 0;
}

static int make_spec(struct spawner *s, const struct domain *d, struct domain_spec *spec)
{
    struct domain *template = domain_template(&s->domains, d),
                  *netvm = property_domain(&s->domains, d, "netvm");
    char path[PATH_SIZE];
    int r = path_get(path, "/var/lib/qubes/homes/%s", d->name);

    *spec = (struct domain_spec){
        .disposable = d->class == CLASS_DISP,
        .networked = netvm != NULL,
        .netvm = netvm ? netvm->domid : 0,
        .memory_mib = property_int(&s->domains, d, "memory"),
        .maxmem_mib = property_int(&s->domains, d, "maxmem"),
        .vcpus = property_int(&s->domains, d, "vcpus"),
        .start_seconds = property_int(&s->domains, d, "qrexec_timeout"),
    };
    if (!spec->vcpus)
        spec->vcpus = 1;
    if (!spec->start_seconds)
        spec->start_seconds = 60;
    r = r ? r : format(spec->name, sizeof(spec->name), "%s", d->name);
    r = r ? r : format(spec->uuid, sizeof(spec->uuid), "%s", d->uuid);
    r = r ? r : format(spec->type, sizeof(spec->type), "%s", class_name(d->class));
    r = r ? r : format(spec->home, sizeof(spec->home), "%s", path);
    if (!r && spec->disposable && template) {
        r = path_get(path, "/var/lib/qubes/homes/%s", template->name);
        r = r ? r : format(spec->home_from, sizeof(spec->home_from), "%s", path);
    }
    text_property(s, d, "default_user", spec->default_user, sizeof(spec->default_user));
    text_property(s, d, "virt_mode", spec->virt_mode, sizeof(spec->virt_mode));
    return r;
}

int life_start(struct spawner *s, struct domain *d, struct refusal *refusal)
{
    struct helper_request rq = {.type = HELPER_CREATE};
    struct domain *netvm = property_domain(&s->domains, d, "netvm");
    const char *prohibited = dict_get(&d->features, "prohibit-start");
    const char *const guid[] = {"start_guid", "True", NULL};
    int r;

    if (d->class == CLASS_ADMIN || d->class == CLASS_REMOTE)
        return refuse(refusal, "QubesVMNotHaltedError", "%s always runs", d->name);
    if (domain_is_up(d))
        return 0;
    if (prohibited && *prohibited)
        return refuse(refusal, "QubesException", "%s may not be started: %s", d->name, prohibited);
    if (netvm && !domain_is_up(netvm)) {
        r = life_start(s, netvm, refusal);
        if (r)
            return r;
    }
    r = make_spec(s, d, &rq.spec);
    if (!r)
        r = tell_helper(s, &rq);
    if (r)
        return refuse(refusal, "QubesVMError", "%s cannot be started: %s", d->name, strerror(-r));
    d->ever_started = true;
    spawner_event(s, d->name, "domain-pre-start", guid);
    set_state(s, d, STATE_TRANSIENT);
    return 0;
}

int life_request(struct spawner *s, struct domain *d, const char *what, struct refusal *refusal)
{
    static const struct {
        const char *what;
        enum helper_request_type type;
        enum domain_state state;
    } requests[] = {
        {"shutdown", HELPER_SHUTDOWN, STATE_HALTING},
        {"kill", HELPER_DESTROY, STATE_DYING},
        {"pause", HELPER_PAUSE, STATE_PAUSED},
        {"unpause", HELPER_UNPAUSE, STATE_RUNNING},
    };
    struct helper_request rq = {0};
    int r = -EINVAL;

    memcpy(rq.spec.uuid, d->uuid, sizeof(rq.spec.uuid));
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        if (str_equal(requests[i].what, what)) {
            rq.type = requests[i].type;
            r = tell_helper(s, &rq);
            if (!r)
                set_state(s, d, requests[i].state);
        }
    return r ? refuse(refusal, "QubesVMError", "%s: %s failed: %s", d->name, what, strerror(-r))
             : 0;
}
