/* The domains that live, as libxl lists them, whoever made them. */
#ifndef QREXEC_SPAWNER_XEN_FIND_H
#define QREXEC_SPAWNER_XEN_FIND_H

#include "domain-spawner/backend.h"

#include <libxl.h>

/* True and *ret, which the caller disposes of: a domain with that uuid lives. */
bool xen_find_uuid(libxl_ctx *ctx, const char *uuid, libxl_dominfo *ret);
/* Calls found() with the uuid of each but dom0. */
void xen_find_all(libxl_ctx *ctx, void (*found)(void *user, const char *uuid), void *user);

#endif
