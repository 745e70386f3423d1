/*
 * libxl in an event loop of ours: its descriptors and timeouts, handed to a watch set through its
 * hooks, and its children left to it.
 */
#ifndef QREXEC_SPAWNER_XEN_LOOP_H
#define QREXEC_SPAWNER_XEN_LOOP_H

#include "domain-spawner/watch.h"
#include "domain-spawner/xen-log.h"

#include <libxl.h>

struct xen_timeout;

struct xen_loop {
    struct xen_log log;
    libxl_ctx *ctx;
    struct watch_set *set;
    struct xen_timeout *timeouts;
};

/* 0; -ENODEV: no Xen that libxl can reach. l must not move from then on. */
int xen_loop_init(struct xen_loop *l, struct watch_set *set);
void xen_loop_deinit(struct xen_loop *l);

/* Milliseconds until xen_loop_fire() has something to do; -1: not before a descriptor has. */
int xen_loop_timeout(const struct xen_loop *l);
void xen_loop_fire(struct xen_loop *l);

#endif
