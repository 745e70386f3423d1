/* Vchans for tests: see vchan.h. */
#include "tests/stage/vchan.h"

#include "tests/stage/loop.h"

#include <errno.h>

#define DOMAINS 64

struct vchan {
    struct vchan *next;
    enum vchan_state state;
    bool gone, server;
    uint32_t peer, port;
    size_t room;
    struct buf in, out;
};

struct vchan_deaths {
    bool follows[DOMAINS];
};

static struct vchan *first;
static bool dead[DOMAINS];
static int next_error;

int vchan_own_domain(uint32_t *ret)
{
    *ret = 0;
    return 0;
}

static int make(uint32_t peer, uint32_t port, bool server, struct vchan **ret)
{
    struct vchan *v;
    int r = -next_error;

    next_error = 0;
    if (!r && peer < DOMAINS && dead[peer])
        r = -EHOSTDOWN;
    v = r ? NULL : calloc(1, sizeof(*v));
    if (!v)
        return r ? r : -ENOMEM;
    *v = (struct vchan){.next = first,
                        .server = server,
                        .peer = peer,
                        .port = port,
                        .room = STAGE_RING,
                        .in = BUF_NULL(1U << 20),
                        .out = BUF_NULL(1U << 20)};
    first = v;
    *ret = v;
    return 0;
}

int vchan_listen(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret)
{
    (void)ring;
    return make(peer, port, true, ret);
}

int vchan_connect(uint32_t peer, uint32_t port, struct vchan **ret)
{
    return make(peer, port, false, ret);
}

int vchan_reset(struct vchan *v)
{
    int r = -next_error;

    next_error = 0;
    v->state = VCHAN_WAITING;
    v->gone = false;
    buf_deinit(&v->in);
    buf_deinit(&v->out);
    return r;
}

void vchan_free(struct vchan *v)
{
    struct vchan **p = &first;

    if (!v)
        return;
    while (*p != v)
        p = &(*p)->next;
    *p = v->next;
    buf_deinit(&v->in);
    buf_deinit(&v->out);
    free(v);
}

enum vchan_state vchan_state(const struct vchan *v)
{
    return v->state;
}

int vchan_fd(const struct vchan *v)
{
    (void)v;
    return STAGE_FD;
}

short vchan_events(struct vchan *v, bool want_read, bool want_write)
{
    (void)v;
    (void)want_read;
    (void)want_write;
    return POLLIN;
}

int vchan_timeout(const struct vchan *v)
{
    (void)v;
    return -1;
}

int vchan_dispatch(struct vchan *v)
{
    if (v->state == VCHAN_WAITING && v->peer < DOMAINS && dead[v->peer])
        return -EHOSTDOWN;
    return 0;
}

void vchan_lose(struct vchan *v)
{
    v->gone = true;
    v->state = VCHAN_CLOSED;
}

bool vchan_is_gone(const struct vchan *v)
{
    return v->gone;
}

ssize_t vchan_read(struct vchan *v, void *data, size_t n)
{
    n = size_min(n, buf_len(&v->in));
    if (n) {
        memcpy(data, buf_data(&v->in), n);
        buf_consume(&v->in, n);
    }
    return n ? (ssize_t)n : v->state == VCHAN_CLOSED ? -EPIPE : 0;
}

ssize_t vchan_write(struct vchan *v, const void *data, size_t n)
{
    if (v->state == VCHAN_CLOSED)
        return -EPIPE;
    if (v->state != VCHAN_CONNECTED || buf_len(&v->out) >= v->room)
        return 0;
    n = size_min(n, v->room - buf_len(&v->out));
    return buf_append(&v->out, data, n) ? 0 : (ssize_t)n;
}

const char *vchan_error_text(int error)
{
    return strerror(-error);
}

int vchan_deaths_new(struct vchan_deaths **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

void vchan_deaths_free(struct vchan_deaths *d)
{
    free(d);
}

int vchan_deaths_fd(const struct vchan_deaths *d)
{
    (void)d;
    return STAGE_FD + 1;
}

int vchan_deaths_follow(struct vchan_deaths *d, uint32_t domain)
{
    if (domain >= DOMAINS)
        return 0;
    if (dead[domain])
        return -EHOSTDOWN;
    d->follows[domain] = true;
    return 0;
}

int vchan_deaths_dispatch(struct vchan_deaths *d, vchan_death_fn fn, void *user)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        if (d->follows[i] && dead[i]) {
            d->follows[i] = false;
            fn(user, i);
        }
    return 0;
}

void vchan_forget(uint32_t domain)
{
    (void)domain;
}

void vchan_forget_port(uint32_t domain, uint32_t port, pid_t pid)
{
    (void)domain;
    (void)port;
    (void)pid;
}

bool vchan_is_built_in(void)
{
    return true;
}

struct vchan *stage_vchan(void)
{
    return first;
}

size_t stage_vchans(void)
{
    size_t n = 0;

    for (const struct vchan *v = first; v; v = v->next)
        n++;
    return n;
}

void stage_vchan_appear(struct vchan *v)
{
    if (v->state == VCHAN_WAITING)
        v->state = VCHAN_CONNECTED;
    stage_poke();
}

void stage_vchan_put(struct vchan *v, const void *data, size_t n)
{
    if (v->state == VCHAN_CONNECTED)
        (void)buf_append(&v->in, data, n);
    stage_poke();
}

struct buf *stage_vchan_written(struct vchan *v)
{
    stage_poke();
    return &v->out;
}

void stage_vchan_room(struct vchan *v, size_t n)
{
    v->room = n;
    stage_poke();
}

void stage_vchan_close(struct vchan *v)
{
    if (v->state == VCHAN_CONNECTED)
        v->state = VCHAN_CLOSED;
    stage_poke();
}

void stage_domain_dies(uint32_t domain)
{
    if (domain < DOMAINS)
        dead[domain] = true;
    for (struct vchan *v = first; v; v = v->next)
        if (v->peer == domain && v->state == VCHAN_CONNECTED)
            vchan_lose(v);
    stage_poke();
}

void stage_vchan_reset(void)
{
    memset(dead, 0, sizeof(dead));
    next_error = 0;
}

void stage_vchan_fail(int error)
{
    next_error = error;
}
