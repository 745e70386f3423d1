/*
 * Event streams: admin.Events and admin.vm.Stats.
 *
 * A stream that is not read is dropped once a megabyte waits for it. Its reader half-closed long
 * ago, so only a full hang-up says that it is gone: an epoll descriptor without events to wait for
 * reports just those. A domain as reader gets what concerns the domain that it asked for (or
 * itself).
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#define UNREAD_MOST (1U << 20)

static void on_hangup(struct watch *w, short revents)
{
    struct epoll_event e;

    (void)revents;
    /* One at a time: dropping a request takes it out of what is reported next. */
    for (int budget = 64; budget > 0 && epoll_wait(w->fd, &e, 1, 0) == 1; budget--)
        request_drop(e.data.ptr);
}

int events_init(struct spawner *s)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0)
        return -errno;
    s->hangups.fn = on_hangup;
    watch_set(&s->hangups, fd, POLLIN);
    return 0;
}

void events_stop(struct spawner *s)
{
    int fd = s->hangups.fd;

    if (!s->hangups.events)
        return;
    watch_stop(&s->hangups);
    close_fd(&fd);
    s->hangups.fd = -1;
}

static void send_to(struct request *rq, const void *data, size_t n)
{
    if (buf_len(&rq->out) + n > UNREAD_MOST || buf_append(&rq->out, data, n)) {
        log_warning("an event stream of %s is not read and ends", rq->source);
        rq->stream = STREAM_NONE;
        buf_consume(&rq->out, buf_len(&rq->out));
    }
    request_arm(rq);
}

/* The event's bytes; the caller frees. NULL: no memory. */
static unsigned char *make_event(const char *subject, const char *event, const char *const *pairs,
                                 size_t *ret_len)
{
    static const char *const none[] = {NULL};
    size_t size = strlen(subject) + strlen(event) + 16;
    struct wire_writer w;
    unsigned char *data;

    pairs = pairs ? pairs : none;
    for (size_t i = 0; pairs[i]; i++)
        size += strlen(pairs[i]) + 1;
    data = malloc(size);
    w = wire_writer(data, size);
    if (!data || admin_write_event(&w, subject, event, pairs)) {
        free(data);
        return NULL;
    }
    *ret_len = w.len;
    return data;
}

void spawner_event(struct spawner *s, const char *subject, const char *event,
                   const char *const *pairs)
{
    _cleanup_(freep) unsigned char *data = NULL;
    struct request *next;
    size_t n = 0;

    for (struct request *rq = s->requests; rq; rq = next) {
        next = rq->next;
        if (rq->stream != STREAM_EVENTS || (*rq->subject && !str_equal(rq->subject, subject)))
            continue;
        if (!data && !(data = make_event(subject, event, pairs, &n)))
            return;
        send_to(rq, data, n);
    }
}

/* What one text pair of figures needs. */
struct figure {
    char s[24];
};

static struct figure figure(uint64_t n)
{
    struct figure f;

    snprintf(f.s, sizeof(f.s), "%llu", (unsigned long long)n);
    return f;
}

void events_tell_figures(struct spawner *s, const struct domain *d)
{
    uint64_t ms = d->before.at ? d->now.at - d->before.at : 0;
    uint64_t vcpus = property_int(&s->domains, d, "vcpus");
    uint64_t used = d->now.cpu_ns > d->before.cpu_ns ? d->now.cpu_ns - d->before.cpu_ns : 0;
    struct figure memory = figure(d->now.memory_kib), online = figure(vcpus),
                  cpu = figure(d->now.cpu_ns / 1000000),
                  usage = figure(ms && vcpus ? used / 10000 / ms / vcpus : 0);
    const char *const pairs[] = {"memory_kb",
                                 memory.s,
                                 "memory_assigned_total",
                                 memory.s,
                                 "memory_assigned_usable",
                                 memory.s,
                                 "memory_with_swap_used",
                                 memory.s,
                                 "cpu_time",
                                 cpu.s,
                                 "cpu_usage",
                                 usage.s,
                                 "online_vcpus",
                                 online.s,
                                 NULL};
    _cleanup_(freep) unsigned char *data = NULL;
    struct request *next;
    size_t n = 0;

    for (struct request *rq = s->requests; rq; rq = next) {
        next = rq->next;
        if (rq->stream != STREAM_STATS || (*rq->subject && !str_equal(rq->subject, d->name)))
            continue;
        if (!data && !(data = make_event(d->name, "vm-stats", pairs, &n)))
            return;
        send_to(rq, data, n);
    }
}

static void on_stats(struct timer *t)
{
    struct spawner *s = container_of(t, struct spawner, stats);
    bool wanted = false;

    for (const struct request *rq = s->requests; rq && !wanted; rq = rq->next)
        wanted = rq->stream == STREAM_STATS;
    if (!wanted)
        return;
    for (size_t i = 0; i < s->domains.n; i++)
        if (s->domains.list[i]->create_id && s->domains.list[i]->state == STATE_RUNNING)
            (void)life_ask_figures(s, s->domains.list[i]);
    timer_set(t, (uint64_t)property_int(&s->domains, NULL, "stats_interval") * 1000);
}

int events_begin(struct request *rq, enum stream stream, const char *subject)
{
    struct spawner *s = rq->spawner;
    struct epoll_event e = {.data.ptr = rq};
    _cleanup_(freep) unsigned char *data = NULL;
    size_t n;
    int r;

    r = format(rq->subject, sizeof(rq->subject), "%s", subject);
    if (!r && epoll_ctl(s->hangups.fd, EPOLL_CTL_ADD, rq->watch.fd, &e) < 0)
        r = -errno;
    if (r)
        return r;
    rq->stream = stream;
    data = make_event("", "connection-established", NULL, &n);
    r = data ? buf_append(&rq->out, data, n) : -ENOMEM;
    if (!r && stream == STREAM_STATS && !s->stats.set) {
        s->stats.fn = on_stats;
        timer_set(&s->stats, 0);
    }
    return r;
}
