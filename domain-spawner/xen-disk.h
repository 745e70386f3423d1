/*
 * A Xen domain's disks, as block devices of dom0.
 *
 *   xvda  root_image, read-only
 *   xvdb  private_image; a disposable's is a copy that vanishes with it
 *   xvdc  "volatile", where there is a root: empty, sparse, vanishes with the domain
 *
 * The copy-on-write layer is made inside: the domain's initramfs lays a snapshot or an overlay of
 * xvda over xvdc, so that the domain writes where it likes and the root image never changes.
 *
 * An image that is a regular file gets a loop device of its own, with autoclear: the kernel
 * takes it down when the last one that has it open goes. That is us until Xen's block backend
 * opens it too, and from then on the domain. What vanishes with the domain has no name, so
 * whoever is killed, nothing stays. A loop device keeps its file's lock: a private image belongs
 * to one domain at a time.
 */
#ifndef QREXEC_SPAWNER_XEN_DISK_H
#define QREXEC_SPAWNER_XEN_DISK_H

#include "domain-spawner/backend.h"

#define XEN_DISKS_MOST 3

struct xen_disk {
    char device[DOMAIN_PATH_SIZE]; /* in dom0 */
    const char *name;              /* in the domain */
    bool writable;
    int loop; /* holds its loop device; -1: there is none */
};

struct xen_disks {
    struct xen_disk disk[XEN_DISKS_MOST];
    size_t n;
};

#define XEN_DISKS_NULL ((struct xen_disks){.n = 0})

/* 0, or negative errno and *why says of which image and what to do; what was made is gone. */
int xen_disks_open(struct xen_disks *disks, const struct domain_spec *spec,
                   char why[static DOMAIN_TEXT_SIZE]);
/* Lets go of the loop devices. */
void xen_disks_close(struct xen_disks *disks);

#endif
