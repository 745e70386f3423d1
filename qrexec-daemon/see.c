/*
 * The socket of qrexec-calls, and who is connected there.
 *
 * A viewer says one line and gets its answer: "list" and "watch" the calls and an empty line, "end
 * ID" one line. To one that watches, what changes is said from then on. Each has its own buffer;
 * one that does not read is dropped.
 */
#include "qrexec-daemon/see.h"

#include "libqrexec/base/group.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <sys/socket.h>

#define VIEWERS_MOST 32
#define REQUEST_MAX  128
#define ANSWER_MAX   (16U << 20)  /* of a list */
#define WATCH_MAX    (256U << 10) /* that may wait for one who watches */
#define SILENT_MS    10000        /* for the request */
#define AGAIN_MS     200
#define END_DOM0_MS  150 /* for the VM's end alone */
#define END_MS       550 /* more, then a call has not ended by itself */

struct viewer {
    struct viewer *next;
    struct daemon *daemon;
    struct watch watch;
    struct timer timer;
    struct buf in, out;
    bool asked, listing, watching;
    bool slow; /* nothing more is said */
    bool dom0_told;
    char ending[CALL_ID_SIZE];
};

static void drop(struct viewer *v)
{
    struct see *s = &v->daemon->see;
    struct viewer **p = &s->viewers;
    int fd = v->watch.fd;

    while (*p != v)
        p = &(*p)->next;
    *p = v->next;
    s->n_viewers--;
    watch_stop(&v->watch);
    timer_stop(&v->timer);
    close_fd(&fd);
    buf_deinit(&v->in);
    buf_deinit(&v->out);
    free(v);
}

/* With the next turn: never from inside what tells it. */
static void say(struct viewer *v)
{
    watch_set(&v->watch, v->watch.fd, POLLIN | POLLOUT);
}

/* It does not read. Dropped with the next turn: never from inside what tells it. */
static void give_up(struct viewer *v)
{
    v->slow = true;
    v->ending[0] = 0;
    timer_set(&v->timer, 0);
}

static void append(struct viewer *v, const struct buf *line)
{
    if (v->slow)
        return;
    if (buf_append(&v->out, buf_data(line), buf_len(line)) || buf_append(&v->out, "\n", 1)) {
        give_up(v);
        return;
    }
    say(v);
}

static void append_event(struct viewer *v, const struct buf *line)
{
    if (buf_len(&v->out) > WATCH_MAX)
        give_up(v);
    append(v, line);
}

static void answer(struct viewer *v, const char *text)
{
    if (buf_appendf(&v->out, "%s\n", text) == 0)
        say(v);
}

static void list(struct viewer *v)
{
    struct daemon *d = v->daemon;
    struct buf line = BUF_NULL(SEE_LINE_MAX);

    v->listing = false;
    for (struct running_call *c = d->calls; c; c = c->next) {
        buf_consume(&line, buf_len(&line));
        if (see_line_running(&line, "call", c, NULL) == 0)
            append(v, &line);
    }
    for (struct carried *c = d->carried; c; c = c->next) {
        buf_consume(&line, buf_len(&line));
        if (see_line_carried(&line, "call", c, NULL) == 0)
            append(v, &line);
    }
    buf_deinit(&line);
    answer(v, "");
}

void see_counted(struct daemon *d)
{
    for (struct viewer *v = d->see.viewers; v; v = v->next)
        if (v->listing)
            list(v);
}

static void on_end_timer(struct viewer *v)
{
    bool done;

    if (!v->dom0_told) {
        v->dom0_told = true;
        see_end_dom0(v->daemon, v->ending);
        timer_set(&v->timer, END_MS);
        return;
    }
    done = see_end_by_force(v->daemon, v->ending);
    if (!*v->ending) /* it was told meanwhile */
        return;
    v->ending[0] = 0;
    answer(v, done ? "ended" : "error\tthe agent of this domain did not end it");
}

static void on_timer(struct timer *t)
{
    struct viewer *v = container_of(t, struct viewer, timer);

    if (*v->ending)
        on_end_timer(v);
    else
        drop(v);
}

static void begin_end(struct viewer *v, const char *id)
{
    if (!call_id_is_valid(id)) {
        answer(v, "error\tthat is no id of a call");
        return;
    }
    (void)format(v->ending, sizeof(v->ending), "%s", id);
    switch (see_end(v->daemon, id)) {
    case SEE_END_UNKNOWN:
        v->ending[0] = 0;
        answer(v, "unknown");
        break;
    case SEE_END_DONE:
        if (*v->ending)
            answer(v, "ended");
        v->ending[0] = 0;
        break;
    case SEE_END_WAIT: timer_set(&v->timer, END_DOM0_MS); break;
    }
}

static void take_request(struct viewer *v, const char *line)
{
    struct daemon *d = v->daemon;

    v->asked = true;
    timer_stop(&v->timer);
    (void)buf_appendf(&v->out, "daemon\tname=%s\tdomain=%u\n", d->name, d->domid);
    if (str_starts(line, "end ")) {
        begin_end(v, line + strlen("end "));
        return;
    }
    v->watching = str_equal(line, "watch");
    if (!v->watching && !str_equal(line, "list")) {
        answer(v, "error\tlist, watch and end ID are known here");
        return;
    }
    v->listing = true;
    if (!see_look(d))
        list(v);
}

/* 0, or negative: it goes. */
static int read_request(struct viewer *v)
{
    char line[REQUEST_MAX];
    const unsigned char *end;
    ssize_t n = buf_read_fd(&v->in, v->watch.fd, REQUEST_MAX);
    size_t len;

    if (n == -EAGAIN)
        return 0;
    if (n <= 0 || v->asked)
        return -EPIPE;
    end = memchr(buf_data(&v->in), '\n', buf_len(&v->in));
    if (!end)
        return buf_room(&v->in) ? 0 : -EMSGSIZE;
    len = (size_t)(end - buf_data(&v->in));
    memcpy(line, buf_data(&v->in), len);
    line[len] = 0;
    take_request(v, line);
    return 0;
}

static void on_viewer(struct watch *w, short revents)
{
    struct viewer *v = container_of(w, struct viewer, watch);
    int r = 0;
    ssize_t n;

    if (revents & POLLIN)
        r = read_request(v);
    while (!r && buf_len(&v->out)) {
        n = buf_write_fd(&v->out, w->fd);
        if (n == -EAGAIN)
            break;
        r = n < 0 ? (int)n : 0;
    }
    if (r)
        drop(v);
    else
        watch_set(w, w->fd, (short)(POLLIN | (buf_len(&v->out) ? POLLOUT : 0)));
}

static void on_accept_again(struct timer *t)
{
    struct see *s = container_of(t, struct see, accept_again);

    watch_set(&s->listening, s->listening.fd, POLLIN);
}

static void on_listener(struct watch *w, short revents)
{
    struct see *s = container_of(w, struct see, listening);
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct viewer *v = fd >= 0 && s->n_viewers < VIEWERS_MOST ? calloc(1, sizeof(*v)) : NULL;

    (void)revents;
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) { /* it would fire for ever */
        watch_stop(w);
        timer_set(&s->accept_again, AGAIN_MS);
    }
    if (fd < 0)
        return;
    if (!v) {
        close(fd);
        return;
    }
    *v = (struct viewer){.next = s->viewers,
                         .daemon = container_of(s, struct daemon, see),
                         .watch = {.fn = on_viewer, .fd = -1},
                         .timer = {.fn = on_timer},
                         .in = BUF_NULL(REQUEST_MAX - 1),
                         .out = BUF_NULL(ANSWER_MAX)};
    s->viewers = v;
    s->n_viewers++;
    watch_set(&v->watch, fd, POLLIN);
    timer_set(&v->timer, SILENT_MS);
}

/* ---- What happens to calls ---- */

/* A call's end is an answer to who ended it, too. */
static void tell_end(struct viewer *v, const char *id)
{
    if (!str_equal(v->ending, id))
        return;
    v->ending[0] = 0;
    timer_stop(&v->timer);
    answer(v, "ended");
}

void see_running_changed(const struct running_call *c, const char *how)
{
    struct buf line = BUF_NULL(SEE_LINE_MAX);

    for (struct viewer *v = c->daemon->see.viewers; v; v = v->next) {
        if (v->watching && !v->listing && !buf_len(&line))
            (void)see_line_running(&line, how ? "end" : "call", c, how);
        if (v->watching && !v->listing)
            append_event(v, &line);
        if (how)
            tell_end(v, c->id);
    }
    buf_deinit(&line);
}

void see_carried_changed(const struct daemon *d, const struct carried *c, const char *how)
{
    struct buf line = BUF_NULL(SEE_LINE_MAX);

    for (struct viewer *v = d->see.viewers; v; v = v->next) {
        if (v->watching && !v->listing && !buf_len(&line))
            (void)see_line_carried(&line, how ? "end" : "call", c, how);
        if (v->watching && !v->listing)
            append_event(v, &line);
        if (how)
            tell_end(v, c->id);
    }
    buf_deinit(&line);
}

/* ---- The socket ---- */

void see_start(struct daemon *d)
{
    struct see *s = &d->see;
    int fd = -1,
        r = format(s->path, sizeof(s->path), "%s/qrexec-calls.%u", d->socket_dir, d->domid);

    s->listening = (struct watch){.fn = on_listener, .fd = -1};
    s->accept_again.fn = on_accept_again;
    if (!r)
        r = mkdir_all(d->socket_dir, 0755);
    if (!r)
        r = unix_listen(s->path, 0660, &fd);
    if (r) { /* calls go on without */
        log_warning("%s: calls cannot be seen: %s: %s", d->name, s->path, strerror(-r));
        return;
    }
    group_give(s->path);
    watch_set(&s->listening, fd, POLLIN);
}

void see_stop(struct daemon *d)
{
    struct see *s = &d->see;
    int fd = *s->path ? s->listening.fd : -1;

    timer_stop(&s->look);
    timer_stop(&s->accept_again);
    while (s->viewers)
        drop(s->viewers);
    if (fd < 0)
        return;
    watch_stop(&s->listening);
    s->listening.fd = -1;
    close_fd(&fd);
    unlink(s->path);
}
