/*
 * What a call has of the spawner: see maker.h.
 *
 * One conversation after the other over one stream: `step` is what the answer of the present one
 * is about. A maker that was dropped with something left to do (a disposable whose creation is
 * under way, or that must be killed) lives on until that is said and answered.
 */
#include "qrexec-daemon/maker.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/wire/admin.h"
#include "qrexec-daemon/stream.h"

#include <errno.h>

#define ANSWER_MAX  16384
#define REQUEST_MAX 512
#define PATIENCE_MS 2000  /* for the lease of a spawner of which nothing shows that it has them */
#define KILL_MS     60000 /* then a spawner is not waited for any more */

enum step { LEASING, LEASED, CREATING, STARTING, KILLING, FAILED };

struct maker {
    struct maker *next; /* of those that were dropped and live on */
    struct stream stream;
    struct timer timer;
    enum step step;
    bool created; /* over the Admin API: to be killed */
    bool by_uuid;
    bool dropped;
    maker_fn fn;
    void *user;
    char template[MAKER_NAME_SIZE];
    char name[MAKER_NAME_SIZE]; /* of what is started */
};

static struct maker *leaving;

static void on_answer(struct stream *s, int status);

static void maker_free(struct maker *m)
{
    struct maker **p = &leaving;

    while (*p && *p != m)
        p = &(*p)->next;
    if (*p)
        *p = m->next;
    stream_close(&m->stream);
    timer_stop(&m->timer);
    free(m);
}

/* After a failure nothing is under way, so one that is dropped then waits for nothing. */
static void tell(struct maker *m, enum maker_event ev, const char *text)
{
    if (ev == MAKER_FAILED)
        m->step = FAILED;
    if (m->dropped)
        maker_free(m);
    else
        m->fn(m->user, ev, text);
}

static int ask(struct maker *m, const char *socket_path, const char *method, const char *source,
               const char *dest, const char *payload, bool half_close)
{
    char data[REQUEST_MAX], path[PATH_SIZE];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int r = path_get(path, "%s", socket_path);

    if (!r && admin_write_request(&w, method, "", source, dest, false, payload, strlen(payload)))
        r = -EINVAL;
    return r ? r : stream_open(&m->stream, path, w.data, w.len, half_close, ANSWER_MAX, on_answer);
}

static void go_on(struct maker *m, enum step step, const char *method, const char *dest,
                  const char *payload)
{
    int r;

    m->step = step;
    r = ask(m, "/run/qubesd.sock", method, "dom0", dest, payload, true);
    if (r)
        tell(m, MAKER_FAILED, strerror(-r));
}

static void create(struct maker *m)
{
    timer_stop(&m->timer);
    go_on(m, CREATING, "admin.vm.CreateDisposable", m->template, m->by_uuid ? "uuid" : "");
}

/* A spawner of ours shows a page that counts its changes. */
static bool spawner_has_leases(void)
{
    char path[PATH_SIZE];

    return path_get(path, "/run/qubes/generation") == 0 && access(path, F_OK) == 0;
}

static bool copy_name(struct maker *m, const char *s, size_t n)
{
    return n > 0 && wire_text_allowed(WIRE_CHARS_NAME, (struct wire_text){s, n}) &&
           wire_text_copy((struct wire_text){s, n}, m->name, sizeof(m->name));
}

/* "0 NUL NAME uuid:UUID DOMID newline"; the connection stays open. */
static bool read_lease(struct maker *m)
{
    const char *data = (const char *)buf_data(&m->stream.in);
    size_t n = buf_len(&m->stream.in);
    const char *nl = n > 2 ? memchr(data + 2, '\n', n - 2) : NULL;
    const char *blank = nl ? memchr(data + 2, ' ', (size_t)(nl - data) - 2) : NULL;

    if (!nl || memcmp(data, "0", 2) != 0)
        return false;
    return copy_name(m, data + 2, (size_t)((blank ? blank : nl) - data) - 2);
}

static void on_lease(struct maker *m, int status)
{
    struct admin_answer a;
    char text[256];

    if (read_lease(m)) {
        m->step = LEASED;
        timer_stop(&m->timer);
        if (!status)
            buf_consume(&m->stream.in, buf_len(&m->stream.in));
        tell(m, MAKER_MADE, m->name);
    } else if (status &&
               admin_read_answer(buf_data(&m->stream.in), buf_len(&m->stream.in), &a) == 0 &&
               !a.success && !wire_text_is(a.type, "ProtocolError")) {
        admin_exception_text(&a, text, sizeof(text));
        tell(m, MAKER_FAILED, text);
    } else if (status) {
        log_debug("no leases here: the Admin API makes the disposable");
        create(m);
    }
}

static void on_created(struct maker *m, const struct admin_answer *a)
{
    if (!copy_name(m, a->content.s, a->content.len)) {
        tell(m, MAKER_FAILED, "the spawner gave no name");
        return;
    }
    m->created = true;
    if (m->dropped)
        maker_drop(m);
    else
        go_on(m, STARTING, "admin.vm.Start", m->name, "");
}

static void on_admin_answer(struct maker *m, int status)
{
    struct admin_answer a;
    char text[256];
    int e = admin_read_answer(buf_data(&m->stream.in), buf_len(&m->stream.in), &a);

    (void)format(text, sizeof(text), "the spawner gave no answer%s%s", status < 0 ? ": " : "",
                 status < 0 ? strerror(-status) : "");
    if (!e && !a.success)
        admin_exception_text(&a, text, sizeof(text));
    if (m->step == KILLING) {
        if (e || !a.success)
            log_warning("%s: not killed: %s", m->name, text);
        maker_free(m);
    } else if (!e && a.success && m->step == CREATING) {
        on_created(m, &a);
    } else if (!e && (a.success || wire_text_is(a.type, "QubesVMNotHaltedError"))) {
        tell(m, MAKER_MADE, m->created ? m->name : "");
    } else {
        tell(m, MAKER_FAILED, text);
    }
}

static void on_answer(struct stream *s, int status)
{
    struct maker *m = container_of(s, struct maker, stream);

    if (m->step == LEASING)
        on_lease(m, status);
    else if (m->step == LEASED && status)
        tell(m, MAKER_GONE, "the spawner ended the lease");
    else if (m->step != LEASED && status)
        on_admin_answer(m, status);
}

static void on_timer(struct timer *t)
{
    struct maker *m = container_of(t, struct maker, timer);

    if (m->dropped)
        maker_free(m);
    else if (m->step == LEASING)
        create(m);
}

static struct maker *maker_new(const char *template, const char *name, maker_fn fn, void *user)
{
    struct maker *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->stream = STREAM_NULL;
    m->timer.fn = on_timer;
    m->fn = fn;
    m->user = user;
    if (format(m->template, sizeof(m->template), "%s", template) ||
        format(m->name, sizeof(m->name), "%s", name)) {
        free(m);
        return NULL;
    }
    return m;
}

int maker_lease(const char *source, const char *template, bool by_uuid, maker_fn fn, void *user,
                struct maker **ret)
{
    struct maker *m = maker_new(template, "", fn, user);
    int r;

    if (!m)
        return -ENOMEM;
    m->by_uuid = by_uuid;
    m->step = LEASING;
    r = ask(m, "/run/qubesd.internal.sock", "internal.LeaseDisposable", source, template,
            by_uuid ? "uuid\n" : "\n", false);
    if (r) {
        maker_free(m);
        return r;
    }
    if (!spawner_has_leases())
        timer_set(&m->timer, PATIENCE_MS);
    *ret = m;
    return 0;
}

int maker_start(const char *target, maker_fn fn, void *user, struct maker **ret)
{
    struct maker *m = maker_new("", target, fn, user);
    int r;

    if (!m)
        return -ENOMEM;
    m->step = STARTING;
    r = ask(m, "/run/qubesd.sock", "admin.vm.Start", "dom0", target, "", true);
    if (r) {
        maker_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

void maker_drop(struct maker *m)
{
    if (!m)
        return;
    if (!m->created && m->step != CREATING) {
        maker_free(m);
        return;
    }
    if (!m->dropped) {
        m->next = leaving;
        leaving = m;
    }
    m->dropped = true;
    timer_set(&m->timer, KILL_MS);
    if (m->created)
        go_on(m, KILLING, "admin.vm.Kill", m->name, "");
}

void makers_end(void)
{
    while (leaving)
        maker_free(leaving);
}
