/*
 * The spawner's sockets: /run/qubesd.sock and /run/qubesd.internal.sock.
 *
 * A request is acted upon at the caller's half-close; a lease's at its payload's newline, since
 * there the caller keeps its side open, and its end is the lease's. Each caller has its own
 * buffers; one that reads nothing holds nobody up, and an event stream that is not read is dropped.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define REQUESTS_MOST 4096
#define ANSWER_MOST   (16U << 20)

static void end_lease(struct request *rq)
{
    struct domain *d = domains_find(&rq->spawner->domains, rq->domain);
    struct refusal refusal;

    if (d && domain_is_up(d) && d->state != STATE_DYING)
        (void)life_request(rq->spawner, d, "kill", &refusal);
}

static void drop(struct request *rq)
{
    struct spawner *s = rq->spawner;
    struct request **p = &s->requests;
    int fd = rq->watch.fd;

    while (*p != rq)
        p = &(*p)->next;
    *p = rq->next;
    s->n_requests--;
    if (rq->watch.events)
        watch_stop(&rq->watch);
    close_fd(&fd);
    if (rq->lease)
        end_lease(rq);
    buf_deinit(&rq->in);
    buf_deinit(&rq->out);
    free(rq);
}

/* What is to be waited for now. An answered request without more to say is over. */
static void arm(struct request *rq)
{
    bool open = rq->stream || rq->lease || rq->waiting;

    if (rq->answered && !open && !buf_len(&rq->out))
        drop(rq);
    else
        watch_set(
            &rq->watch, rq->watch.fd,
            (short)((!rq->answered || rq->lease ? POLLIN : 0) | (buf_len(&rq->out) ? POLLOUT : 0)));
}

static void put_answer(struct request *rq, const void *content, size_t n)
{
    if (buf_append(&rq->out, "0", 2) || buf_append(&rq->out, content, n))
        log_error("an answer is too large");
}

static void put_refusal(struct request *rq, const struct refusal *refusal)
{
    static char text[4096];
    struct wire_writer w = wire_writer(text, sizeof(text));

    if (!admin_write_exception(&w, refusal->type, refusal->text))
        (void)buf_append(&rq->out, text, w.len);
    rq->lease = false;
}

static void run(struct request *rq, const struct admin_request *a)
{
    _cleanup_(buf_deinit) struct buf content = BUF_NULL(ANSWER_MOST);
    struct refusal refusal = {0};
    int r = methods_run(rq, a, &content, &refusal);

    rq->answered = true;
    if (r < 0)
        r = refuse(&refusal, "QubesException", "failed: %s", strerror(-r));
    if (r == REFUSED)
        put_refusal(rq, &refusal);
    else if (r == 0 && !rq->stream)
        put_answer(rq, buf_len(&content) ? (const void *)buf_data(&content) : "",
                   buf_len(&content));
    buf_consume(&rq->in, buf_len(&rq->in));
    arm(rq);
}

static void malformed(struct request *rq)
{
    struct refusal refusal;

    (void)refuse(&refusal, "ProtocolError", "the request's header is not METHOD+ARG SRC TYPE DEST");
    put_refusal(rq, &refusal);
    rq->answered = true;
    arm(rq);
}

static void on_request(struct watch *w, short revents)
{
    struct request *rq = container_of(w, struct request, watch);
    struct admin_request a;
    ssize_t n;
    int e;

    if (revents & POLLOUT && buf_len(&rq->out)) {
        n = buf_write_fd(&rq->out, w->fd);
        if (n < 0 && n != -EAGAIN) {
            drop(rq);
            return;
        }
    }
    if (!(revents & POLLIN)) {
        arm(rq);
        return;
    }
    n = buf_read_fd(&rq->in, w->fd, ADMIN_REQUEST_MAX);
    if (n == -EAGAIN)
        return;
    if (n < 0 || rq->answered) {
        /* a lease's caller is gone, or says more than it may */
        drop(rq);
        return;
    }
    e = admin_read_request(buf_data(&rq->in), buf_len(&rq->in), &a);
    if (e && e != WIRE_E_SHORT)
        malformed(rq);
    else if (!e && rq->internal && wire_text_is(a.method, "internal.LeaseDisposable") &&
             a.payload.len && memchr(a.payload.s, '\n', a.payload.len))
        run(rq, &a);
    else if (n == 0 && e)
        drop(rq);
    else if (n == 0)
        run(rq, &a);
}

static void accept_all(struct spawner *s, int listener, bool internal)
{
    for (int budget = 64; budget > 0; budget--) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct request *rq =
            fd >= 0 && s->n_requests < REQUESTS_MOST ? calloc(1, sizeof(*rq)) : NULL;

        if (fd < 0)
            return;
        if (!rq) {
            close(fd);
            continue;
        }
        rq->spawner = s;
        rq->internal = internal;
        rq->next = s->requests;
        s->requests = rq;
        s->n_requests++;
        rq->in = BUF_NULL(ADMIN_REQUEST_MAX + 1);
        rq->out = BUF_NULL(ANSWER_MOST);
        rq->watch.fn = on_request;
        watch_set(&rq->watch, fd, POLLIN);
    }
}

static void on_api(struct watch *w, short revents)
{
    (void)revents;
    accept_all(container_of(w, struct spawner, api), w->fd, false);
}

static void on_internal(struct watch *w, short revents)
{
    (void)revents;
    accept_all(container_of(w, struct spawner, internal), w->fd, true);
}

void spawner_changed(struct spawner *s)
{
    if (s->generation)
        __atomic_add_fetch(s->generation, 1, __ATOMIC_RELEASE);
}

void spawner_event(struct spawner *s, const char *subject, const char *event,
                   const char *const *pairs)
{
    static const char *const none[] = {NULL};
    static char text[8192];
    struct wire_writer w = wire_writer(text, sizeof(text));
    struct request *next;

    if (admin_write_event(&w, subject, event, pairs ? pairs : none))
        return;
    for (struct request *rq = s->requests; rq; rq = next) {
        next = rq->next;
        if (!rq->stream)
            continue;
        if (buf_append(&rq->out, text, w.len))
            drop(rq);
        else
            arm(rq);
    }
}

/* The disposable runs: the lease's answer, and the connection stays. */
static void answer_lease(struct request *rq, const struct domain *d)
{
    char text[256];

    if (format(text, sizeof(text), "%s uuid:%s %u\n", d->name, d->uuid, d->domid) == 0)
        put_answer(rq, text, strlen(text));
}

void server_domain_reached(struct spawner *s, const char *name, enum waiting what,
                           const char *failed)
{
    struct domain *d = domains_find(&s->domains, name);
    struct refusal refusal;
    struct request *next;

    for (struct request *rq = s->requests; rq; rq = next) {
        next = rq->next;
        if (rq->waiting != what || !str_equal(rq->domain, name))
            continue;
        rq->waiting = WAIT_NOTHING;
        if (failed) {
            (void)refuse(&refusal, "QubesVMError", "%s did not start: %s", name, failed);
            put_refusal(rq, &refusal);
        } else if (rq->lease && d) {
            answer_lease(rq, d);
        } else {
            put_answer(rq, "", 0);
        }
        arm(rq);
    }
}

void server_domain_gone(struct spawner *s, const char *name)
{
    struct request *next;

    for (struct request *rq = s->requests; rq; rq = next) {
        next = rq->next;
        if (rq->lease && str_equal(rq->domain, name)) {
            rq->lease = false;
            arm(rq);
        }
    }
}

static int listen_at(struct watch *w, const char *name, void (*fn)(struct watch *, short))
{
    struct group *g = geteuid() == 0 ? getgrnam("qubes") : NULL;
    char path[PATH_SIZE];
    int fd = -1, r = path_get(path, "/run");

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = path_get(path, "/run/%s", name);
    if (!r)
        r = unix_listen(path, 0660, &fd);
    if (r) {
        log_error("cannot serve %s: %s", path,
                  r == -EADDRINUSE ? "another domain spawner serves it already" : strerror(-r));
        return r;
    }
    if (g && chown(path, 0, g->gr_gid) < 0)
        log_warning("%s: cannot be given to the group qubes", path);
    w->fn = fn;
    watch_set(w, fd, POLLIN);
    return 0;
}

static int make_page(struct spawner *s)
{
    _cleanup_(closep) int fd = -1;
    char path[PATH_SIZE];
    void *p;
    int r = path_get(path, "/run/qubes");

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = path_get(path, "/run/qubes/generation");
    if (r)
        return r;
    unlink(path); /* who maps the old one sees its number no more: it never comes back */
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, 4096) < 0)
        return -errno;
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    s->generation = p;
    *s->generation = clock_ms() << 20; /* greater than any number before it */
    return 0;
}

int server_start(struct spawner *s)
{
    int r = listen_at(&s->api, "qubesd.sock", on_api);

    if (!r)
        r = make_page(s);
    return r ? r : listen_at(&s->internal, "qubesd.internal.sock", on_internal);
}

static void unlisten(struct watch *w, const char *name)
{
    char path[PATH_SIZE];
    int fd = w->fd;

    if (!w->events)
        return;
    watch_stop(w);
    close_fd(&fd);
    if (path_get(path, "/run/%s", name) == 0)
        unlink(path);
}

void server_stop(struct spawner *s)
{
    unlisten(&s->api, "qubesd.sock");
    unlisten(&s->internal, "qubesd.internal.sock");
    while (s->requests)
        drop(s->requests);
}
