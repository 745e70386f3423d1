/*
 * A domain_spec as a libxl_domain_config: see xen-config.h.
 *
 * What ends a domain is ours to decide, so libxl is told to leave it until we destroy it. Guests
 * are PV or PVH with a kernel given by path.
 */
#include "domain-spawner/xen-config.h"

#include <errno.h>
#include <libxl_utils.h>

static int add_disks(libxl_domain_config *c, const struct xen_disks *disks)
{
    if (!disks->n)
        return 0;
    c->disks = calloc(disks->n, sizeof(*c->disks));
    if (!c->disks)
        return -ENOMEM;
    for (size_t i = 0; i < disks->n; i++) {
        libxl_device_disk *d = &c->disks[i];

        libxl_device_disk_init(d);
        c->num_disks++;
        d->backend = LIBXL_DISK_BACKEND_PHY;
        d->format = LIBXL_DISK_FORMAT_RAW;
        d->readwrite = disks->disk[i].writable;
        d->pdev_path = strdup(disks->disk[i].device);
        d->vdev = strdup(disks->disk[i].name);
        if (!d->pdev_path || !d->vdev)
            return -ENOMEM;
    }
    return 0;
}

static int add_nic(libxl_domain_config *c, const struct domain_spec *spec)
{
    if (!spec->networked)
        return 0;
    c->nics = calloc(1, sizeof(*c->nics));
    if (!c->nics)
        return -ENOMEM;
    c->num_nics = 1;
    libxl_device_nic_init(&c->nics[0]);
    c->nics[0].backend_domid = spec->netvm;
    return 0;
}

static int set_build_info(libxl_ctx *ctx, const struct domain_spec *spec,
                          libxl_domain_build_info *info)
{
    uint32_t most = spec->maxmem_mib > spec->memory_mib ? spec->maxmem_mib : spec->memory_mib;

    info->max_vcpus = (int)spec->vcpus;
    if (libxl_cpu_bitmap_alloc(ctx, &info->avail_vcpus, info->max_vcpus))
        return -ENOMEM;
    for (int i = 0; i < info->max_vcpus; i++)
        libxl_bitmap_set(&info->avail_vcpus, i);
    info->target_memkb = (uint64_t)spec->memory_mib * 1024;
    info->max_memkb = (uint64_t)most * 1024;
    info->kernel = strdup(spec->kernel);
    info->ramdisk = *spec->ramdisk ? strdup(spec->ramdisk) : NULL;
    info->cmdline = strdup(spec->kernelopts);
    return info->kernel && info->cmdline && (info->ramdisk || !*spec->ramdisk) ? 0 : -ENOMEM;
}

int xen_config_fill(libxl_ctx *ctx, const struct domain_spec *spec, const struct xen_disks *disks,
                    libxl_domain_config *c)
{
    libxl_domain_type type =
        str_equal(spec->virt_mode, "pvh") ? LIBXL_DOMAIN_TYPE_PVH : LIBXL_DOMAIN_TYPE_PV;
    int r;

    c->c_info.type = type;
    c->c_info.name = strdup(spec->name);
    if (!c->c_info.name)
        return -ENOMEM;
    if (libxl_uuid_from_string(&c->c_info.uuid, spec->uuid))
        return -EINVAL;
    libxl_domain_build_info_init_type(&c->b_info, type);
    c->on_poweroff = c->on_reboot = c->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    c->on_crash = c->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
    r = set_build_info(ctx, spec, &c->b_info);
    r = r ? r : add_disks(c, disks);
    return r ? r : add_nic(c, spec);
}
