/* What libxl is to build, from what the front asked for. */
#ifndef QREXEC_SPAWNER_XEN_CONFIG_H
#define QREXEC_SPAWNER_XEN_CONFIG_H

#include "domain-spawner/xen-disk.h"

#include <libxl.h>

/* c is an initialised one, which the caller disposes of. 0, -EINVAL, -ENOMEM. */
int xen_config_fill(libxl_ctx *ctx, const struct domain_spec *spec, const struct xen_disks *disks,
                    libxl_domain_config *c);

#endif
