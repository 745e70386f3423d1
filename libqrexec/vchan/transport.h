/*
 * What a transport has to offer. Only vchan.c calls these; see vchan.h for what they mean.
 *
 * None blocks. Those about deaths are NULL where a dead domain is the end of its sockets; all
 * others are mandatory. A transport embeds struct vchan as its first member.
 */
#ifndef QREXEC_VCHAN_TRANSPORT_H
#define QREXEC_VCHAN_TRANSPORT_H

#include "libqrexec/vchan/vchan.h"

struct vchan_transport {
    const char *name; /* as in QREXEC_TRANSPORT */
    int (*own_domain)(uint32_t *ret);
    int (*listen)(uint32_t peer, uint32_t port, size_t ring, struct vchan **ret);
    int (*connect)(uint32_t peer, uint32_t port, struct vchan **ret);
    int (*reset)(struct vchan *v);
    void (*free)(struct vchan *v); /* never NULL */
    int (*fd)(const struct vchan *v);
    short (*events)(struct vchan *v, bool want_read, bool want_write);
    int (*timeout)(const struct vchan *v);
    int (*dispatch)(struct vchan *v);
    void (*lose)(struct vchan *v);
    ssize_t (*read)(struct vchan *v, void *data, size_t n);
    ssize_t (*write)(struct vchan *v, const void *data, size_t n);

    size_t (*ring)(size_t n); /* NULL: as large as one likes */
    int (*deaths_new)(struct vchan_deaths **ret);
    void (*deaths_free)(struct vchan_deaths *d);
    int (*deaths_fd)(const struct vchan_deaths *d);
    int (*deaths_follow)(struct vchan_deaths *d, uint32_t domain);
    int (*deaths_dispatch)(struct vchan_deaths *d, vchan_death_fn fn, void *user);
    void (*forget)(uint32_t domain);
    void (*forget_port)(uint32_t domain, uint32_t port, pid_t pid);
};

struct vchan {
    const struct vchan_transport *transport;
    enum vchan_state state;
    bool gone; /* CLOSED, because the peer's domain is gone */
};

struct vchan_deaths {
    const struct vchan_transport *transport;
};

extern const struct vchan_transport vchan_socket_transport;
#ifdef HAVE_XEN
extern const struct vchan_transport vchan_xen_transport;
#endif

#endif
