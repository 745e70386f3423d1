/*
 * The spawner's sockets: /run/qubesd.sock and /run/qubesd.internal.sock.
 *
 * A request is acted upon at the caller's half-close; a lease's at its payload's newline, since
 * there the caller keeps its side open, and its end is the lease's. Each caller has its own
 * buffers; one that reads nothing holds nobody up. A request must be whole after a minute, an
 * answer read in a minute, and what is waited for has its own deadline. At the limit of connections
 * no more are accepted until one ends.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define REQUESTS_MOST 4096
#define ANSWER_MOST   (16U << 20)
#define PATIENCE_MS   60000 /* for a request to be whole, for an answer to be read */

static void accept_again(struct spawner *s, bool on)
{
    if (s->api.fd >= 0)
        watch_set(&s->api, s->api.fd, on ? POLLIN : 0);
    if (s->internal.fd >= 0)
        watch_set(&s->internal, s->internal.fd, on ? POLLIN : 0);
}

static void end_lease(struct spawner *s, const char *name)
{
    struct domain *d = domains_find(&s->domains, name);
    struct refusal refusal;

    if (!d || d->state == STATE_DYING)
        return;
    if (!domain_is_up(d))
        records_remove(s, d);
    else if (life_kill(s, d, &refusal))
        log_error("the lease of %s ended: %s", name, refusal.text);
}

void request_drop(struct request *rq)
{
    struct spawner *s = rq->spawner;
    struct request **p = &s->requests;
    char leased[DOMAIN_NAME_MAX + 1] = "";
    int fd = rq->watch.fd;

    while (*p != rq)
        p = &(*p)->next;
    *p = rq->next;
    if (rq->lease)
        memcpy(leased, rq->domain, sizeof(leased));
    watch_stop(&rq->watch);
    timer_stop(&rq->deadline);
    close_fd(&fd);
    buf_deinit(&rq->in);
    buf_deinit(&rq->out);
    free(rq);
    s->n_requests--;
    accept_again(s, true);
    /* Last, since it may tell events, and so end other requests. */
    if (*leased && !s->stopping)
        end_lease(s, leased);
}

/* What is to be waited for now. An answered request without more to say is over. */
void request_arm(struct request *rq)
{
    bool open = rq->stream || rq->lease || rq->waiting;

    if (rq->answered && !open && !buf_len(&rq->out))
        shutdown(rq->watch.fd, SHUT_RDWR); /* dropped by the loop: callers may still hold it */
    watch_set(&rq->watch, rq->watch.fd,
              (short)((!rq->answered || rq->lease || !(open || buf_len(&rq->out)) ? POLLIN : 0) |
                      (buf_len(&rq->out) ? POLLOUT : 0)));
    if (rq->answered && !rq->waiting && (rq->stream || rq->lease))
        timer_stop(&rq->deadline);
}

static void put_answer(struct request *rq, const void *content, size_t n)
{
    if (buf_append(&rq->out, "0", 2) || buf_append(&rq->out, content, n))
        log_error("an answer is too large");
    timer_set(&rq->deadline, PATIENCE_MS);
}

/* A lease that cannot be had leaves no disposable behind. */
static void put_refusal(struct request *rq, const struct refusal *refusal)
{
    char text[2 * sizeof(refusal->text) + 128];
    struct wire_writer w = wire_writer(text, sizeof(text));

    if (!admin_write_exception(&w, refusal->type, refusal->text))
        (void)buf_append(&rq->out, text, w.len);
    timer_set(&rq->deadline, PATIENCE_MS);
    if (!rq->lease)
        return;
    rq->lease = false;
    end_lease(rq->spawner, rq->domain);
}

static void on_deadline(struct timer *t)
{
    struct request *rq = container_of(t, struct request, deadline);
    struct refusal refusal;
    enum waiting was = rq->waiting;

    if (!was) {
        request_drop(rq);
        return;
    }
    rq->waiting = WAIT_NOTHING;
    if (was == WAIT_GONE && rq->shutdown)
        refuse(&refusal, "QubesVMShutdownTimeoutError", "%s did not shut down in time", rq->domain);
    else
        refuse(&refusal, "QubesVMError",
               was == WAIT_RUNNING ? "%s: its agent did not answer in time"
                                   : "%s: the backend did not answer in time",
               rq->domain);
    put_refusal(rq, &refusal);
    request_arm(rq);
}

static void run(struct request *rq, const struct admin_request *a)
{
    _cleanup_(buf_deinit) struct buf content = BUF_NULL(ANSWER_MOST);
    struct refusal refusal = {0};
    int r;

    timer_stop(&rq->deadline);
    r = methods_run(rq, a, &content, &refusal);
    rq->answered = true;
    if (r < 0)
        r = refuse(&refusal, "QubesException", "it failed: %s", strerror(-r));
    if (buf_len(&rq->out) && !rq->stream)
        r = ANSWER_LATER; /* it came on the way: its domain ended at once */
    if (r == REFUSED)
        put_refusal(rq, &refusal);
    else if (r == 0 && !rq->stream)
        put_answer(rq, buf_len(&content) ? (const void *)buf_data(&content) : "",
                   buf_len(&content));
    buf_deinit(&rq->in);
    request_arm(rq);
}

static void malformed(struct request *rq)
{
    struct refusal refusal;

    refuse(&refusal, "ProtocolError", "the request's header is not METHOD+ARG SRC TYPE DEST");
    put_refusal(rq, &refusal);
    rq->answered = true;
    request_arm(rq);
}

static bool is_whole_lease(const struct request *rq, const struct admin_request *a)
{
    return rq->internal && wire_text_is(a->method, "internal.LeaseDisposable") && a->payload.len &&
           memchr(a->payload.s, '\n', a->payload.len);
}

/* More of a request; n 0: all of it. */
static void on_bytes(struct request *rq, ssize_t n)
{
    struct admin_request a;
    int e = buf_len(&rq->in) ? admin_read_request(buf_data(&rq->in), buf_len(&rq->in), &a)
                             : WIRE_E_SHORT;

    if (buf_len(&rq->in) > ADMIN_REQUEST_MAX || (e == WIRE_E_SHORT && n == 0))
        request_drop(rq);
    else if (e && e != WIRE_E_SHORT)
        malformed(rq);
    else if (!e && (n == 0 || is_whole_lease(rq, &a)))
        run(rq, &a);
}

static void on_request(struct watch *w, short revents)
{
    struct request *rq = container_of(w, struct request, watch);
    ssize_t n = 0;

    if (revents & POLLOUT && buf_len(&rq->out)) {
        n = buf_write_fd(&rq->out, w->fd);
        if (n < 0 && n != -EAGAIN) {
            request_drop(rq);
            return;
        }
        request_arm(rq);
    }
    if (!(revents & POLLIN))
        return;
    if (rq->answered) {
        /* a lease's caller is gone, or says more than it may; or all is said */
        request_drop(rq);
        return;
    }
    n = buf_read_fd(&rq->in, w->fd, ADMIN_REQUEST_MAX);
    if (n == -EAGAIN)
        return;
    if (n < 0)
        request_drop(rq);
    else
        on_bytes(rq, n);
}

static void begin_request(struct spawner *s, int fd, bool internal)
{
    struct request *rq = calloc(1, sizeof(*rq));

    if (!rq) {
        close(fd);
        return;
    }
    rq->spawner = s;
    rq->internal = internal;
    rq->next = s->requests;
    s->requests = rq;
    s->n_requests++;
    rq->in = BUF_NULL(ADMIN_REQUEST_MAX + 1);
    rq->out = BUF_NULL(ANSWER_MOST);
    rq->watch.fn = on_request;
    rq->deadline.fn = on_deadline;
    watch_set(&rq->watch, fd, POLLIN);
    timer_set(&rq->deadline, PATIENCE_MS);
}

static void accept_all(struct spawner *s, int listener, bool internal)
{
    for (int budget = 64; budget > 0; budget--) {
        int fd = s->n_requests < REQUESTS_MOST
                     ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)
                     : -1;

        if (fd >= 0) {
            begin_request(s, fd, internal);
            continue;
        }
        if (s->n_requests && (s->n_requests >= REQUESTS_MOST || errno == EMFILE)) {
            log_warning("%zu connections are open: no more until one ends", s->n_requests);
            accept_again(s, false);
        }
        return;
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

/* The disposable runs: the lease's answer, and the connection stays. */
static void answer_lease(struct request *rq, const struct domain *d)
{
    char text[256];

    if (format(text, sizeof(text), "%s uuid:%s %u\n", d->name, d->uuid, d->domid) == 0)
        put_answer(rq, text, strlen(text));
}

static void answer_waiting(struct request *rq, const struct domain *d, enum waiting what)
{
    _cleanup_(buf_deinit) struct buf content = BUF_NULL(4096);

    if (rq->lease && d) {
        answer_lease(rq, d);
        return;
    }
    if (what == WAIT_STATS && d)
        (void)method_current_state(rq->spawner, d, &content);
    put_answer(rq, buf_len(&content) ? (const void *)buf_data(&content) : "", buf_len(&content));
}

static const char *what_failed(const struct domain *d, enum waiting what)
{
    if (what != WAIT_RUNNING)
        return "could not do that";
    return d && d->state == STATE_TRANSIENT ? "cannot be called yet" : "did not start";
}

void server_domain_reached(struct spawner *s, const char *name, enum waiting what,
                           const char *failed)
{
    const struct domain *d = domains_find(&s->domains, name);
    struct refusal refusal;

    for (struct request *rq = s->requests; rq; rq = rq->next) {
        if (rq->waiting != what || !str_equal(rq->domain, name))
            continue;
        rq->waiting = WAIT_NOTHING;
        if (failed) {
            refuse(&refusal, "QubesVMError", "%s %s: %s", name, what_failed(d, what), failed);
            put_refusal(rq, &refusal);
            d = domains_find(&s->domains, name); /* a lease's disposable goes with it */
        } else {
            answer_waiting(rq, d, what);
        }
        request_arm(rq);
    }
}

void server_domain_gone(struct spawner *s, const char *name)
{
    for (struct request *rq = s->requests; rq; rq = rq->next)
        if (rq->lease && str_equal(rq->domain, name)) {
            rq->lease = false;
            request_arm(rq);
        }
}

static int listen_at(struct watch *w, const char *name, void (*fn)(struct watch *, short))
{
    char path[PATH_SIZE];
    int fd = -1, r = path_get(path, "/run");

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = path_get(path, "/run/%s", name);
    if (!r)
        r = unix_listen(path, geteuid() == 0 ? 0660 : 0600, &fd);
    if (r) {
        log_error("cannot serve %s: %s", path,
                  r == -EADDRINUSE ? "another domain spawner serves it already" : strerror(-r));
        return r;
    }
    group_give(path);
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
    int r = events_init(s);

    r = r ? r : listen_at(&s->api, "qubesd.sock", on_api);
    r = r ? r : make_page(s);
    return r ? r : listen_at(&s->internal, "qubesd.internal.sock", on_internal);
}

static void unlisten(struct watch *w, const char *name)
{
    char path[PATH_SIZE];
    int fd = w->fd;

    if (fd < 0)
        return;
    watch_stop(w);
    close_fd(&fd);
    w->fd = -1;
    if (path_get(path, "/run/%s", name) == 0)
        unlink(path);
}

void server_stop(struct spawner *s)
{
    unlisten(&s->api, "qubesd.sock");
    unlisten(&s->internal, "qubesd.internal.sock");
    while (s->requests)
        request_drop(s->requests);
    events_stop(s);
}
