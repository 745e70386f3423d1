/*
 * Deaths of domains on Xen: see vchan.h. A connection to xenstore of its own, with one watch; each
 * domain that is followed is looked at when the watch fires.
 */
#include "libqrexec/vchan/lives.h"
#include "libqrexec/vchan/transport-xen.h"

#include "libqrexec/base/io.h"

#include <errno.h>

struct xen_deaths {
    struct vchan_deaths base;
    struct xenstore *xs;
    struct life *lives;
    size_t n, room;
};

static struct xen_deaths *xen_deaths(const struct vchan_deaths *d)
{
    return (struct xen_deaths *)(uintptr_t)d;
}

void xen_deaths_free(struct vchan_deaths *d)
{
    struct xen_deaths *x = xen_deaths(d);

    xenstore_free(x->xs);
    free(x->lives);
    free(x);
}

int xen_deaths_new(struct vchan_deaths **ret)
{
    struct xen_deaths *x = calloc(1, sizeof(*x));
    int r;

    if (!x)
        return -ENOMEM;
    x->base.transport = &vchan_xen_transport;
    r = xenstore_open(&x->xs);
    if (!r)
        r = lives_watch(x->xs, 0);
    if (r)
        xen_deaths_free(&x->base);
    else
        *ret = &x->base;
    return r;
}

int xen_deaths_fd(const struct vchan_deaths *d)
{
    return xenstore_fd(xen_deaths(d)->xs);
}

int xen_deaths_follow(struct vchan_deaths *d, uint32_t domain)
{
    struct xen_deaths *x = xen_deaths(d);
    struct life *lives;
    int r;

    for (size_t i = 0; i < x->n; i++)
        if (x->lives[i].domain == domain)
            return 0;
    if (x->n == x->room) {
        lives = reallocarray(x->lives, x->room + 16, sizeof(*lives));
        if (!lives)
            return -ENOMEM;
        x->lives = lives;
        x->room += 16;
    }
    r = life_begin(x->xs, domain, &x->lives[x->n]);
    x->n += r == 0;
    return r;
}

/* From the end: what is taken out is replaced by the last. */
static int look_at_all(struct xen_deaths *x, vchan_death_fn fn, void *user)
{
    int r = 0;

    for (size_t i = x->n; !r && i > 0; i--) {
        uint32_t domain = x->lives[i - 1].domain;

        r = life_look(x->xs, &x->lives[i - 1]);
        if (r != -EHOSTDOWN)
            continue;
        r = 0;
        x->lives[i - 1] = x->lives[--x->n];
        fn(user, domain);
    }
    return r;
}

/* Again while more happened meanwhile. */
int xen_deaths_dispatch(struct vchan_deaths *d, vchan_death_fn fn, void *user)
{
    struct xen_deaths *x = xen_deaths(d);
    unsigned fired;
    int r;

    do {
        r = xenstore_dispatch(x->xs, &fired);
        if (!r && fired)
            r = look_at_all(x, fn, user);
    } while (!r && xenstore_has_news(x->xs));
    return r;
}

/* A relative path begins at the own domain's nodes. */
static void remove_own(const char *path)
{
    _cleanup_(xenstore_freep) struct xenstore *xs = NULL;

    if (!xenstore_open(&xs))
        (void)xenstore_remove(xs, path);
}

void xen_forget(uint32_t domain)
{
    char path[64];

    if (!format(path, sizeof(path), "data/vchan/%u", domain))
        remove_own(path);
}

/*
 * What a killed server left names a grant and an event channel that the kernel gives to others
 * next: the client of the next call there may look before that call's server has written.
 */
void xen_forget_port(uint32_t domain, uint32_t port, pid_t pid)
{
    char path[64];

    (void)pid;
    if (!format(path, sizeof(path), "data/vchan/%u/%u", domain, port))
        remove_own(path);
}
