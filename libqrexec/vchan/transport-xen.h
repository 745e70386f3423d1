/* What the files of the Xen transport know of each other: vchan-xen.c and deaths-xen.c. */
#ifndef QREXEC_VCHAN_TRANSPORT_XEN_H
#define QREXEC_VCHAN_TRANSPORT_XEN_H

#include "libqrexec/vchan/transport.h"

int xen_deaths_new(struct vchan_deaths **ret);
void xen_deaths_free(struct vchan_deaths *d);
int xen_deaths_fd(const struct vchan_deaths *d);
int xen_deaths_follow(struct vchan_deaths *d, uint32_t domain);
int xen_deaths_dispatch(struct vchan_deaths *d, vchan_death_fn fn, void *user);
void xen_forget(uint32_t domain);
void xen_forget_port(uint32_t domain, uint32_t port, pid_t pid);

#endif
