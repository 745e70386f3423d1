/* Properties that are worked out: see property-table.h. */
#include "domain-spawner/property-table.h"

#include <stdio.h>

#define NUMBERS_BELOW 255 /* of an address's last part; then the next one counts up */

#define SET(...) ((void)snprintf(ret->s, sizeof(ret->s), __VA_ARGS__))

DERIVE(derive_name)
{
    (void)ds;
    SET("%s", d->name);
}

DERIVE(derive_uuid)
{
    (void)ds;
    SET("%s", d->uuid);
}

DERIVE(derive_qid)
{
    (void)ds;
    SET("%u", d->qid);
}

DERIVE(derive_label)
{
    (void)ds;
    SET("%s", d->label);
}

DERIVE(derive_klass)
{
    (void)ds;
    SET("%s", class_name(d->class));
}

static const char *icon_kind(const struct domains *ds, const struct domain *d)
{
    const char *service = dict_get(&d->features, "servicevm");

    if (d->class == CLASS_TEMPLATE || property_bool(ds, d, "template_for_dispvms"))
        return "templatevm";
    if (d->class == CLASS_DISP)
        return "dispvm";
    if (d->class == CLASS_REMOTE)
        return "remotevm";
    if (property_bool(ds, d, "provides_network") || (service && *service))
        return "servicevm";
    return d->class == CLASS_STANDALONE ? "standalonevm" : "appvm";
}

DERIVE(derive_icon)
{
    if (d->class == CLASS_ADMIN)
        SET("adminvm-black");
    else
        SET("%s-%s", icon_kind(ds, d), d->label);
}

DERIVE(derive_xid)
{
    (void)ds;
    if (d->domid)
        SET("%u", d->domid);
    else
        SET("-1");
}

DERIVE(derive_start_time)
{
    (void)ds;
    if (d->start_time)
        SET("%lld", (long long)d->start_time);
}

DERIVE(derive_updateable)
{
    (void)ds;
    SET("%s", d->class == CLASS_APP || d->class == CLASS_DISP ? "False" : "True");
}

/* A disposable opened from a disposable has the same settings. */
DERIVE(derive_default_dispvm)
{
    const struct domain *template = d->class == CLASS_DISP ? domain_template(ds, d) : NULL;

    if (template)
        SET("%s", template->name);
    else
        property_value(ds, NULL, "default_dispvm", ret);
}

DERIVE(derive_netvm)
{
    if (d->class == CLASS_TEMPLATE)
        return;
    property_value(ds, NULL, "default_netvm", ret);
    /* The default must not make a domain its own netvm, nor one that provides network. */
    if (str_equal(ret->s, d->name) ||
        (ret->s[0] && str_equal(dict_get(&d->properties, "provides_network") ?: "", "True")))
        ret->s[0] = 0;
}

static void address(uint32_t net, uint32_t n, struct property_text *ret)
{
    if (n < NUMBERS_BELOW)
        SET("10.%u.0.%u", net, n);
    else
        SET("10.%u.%u.%u", net, (n - 1) / 254, (n - 1) % 254 + 1);
}

DERIVE(derive_ip)
{
    if (d->class == CLASS_DISP && dict_get(&d->properties, "dispid"))
        address(138, property_int(ds, d, "dispid"), ret);
    else
        address(137, d->qid, ret);
}

DERIVE(derive_mac)
{
    (void)ds;
    SET("00:16:3e:5e:%02x:%02x", (d->qid >> 8) & 0xff, d->qid & 0xff);
}

DERIVE(derive_visible_ip)
{
    property_value(ds, d, "ip", ret);
}

DERIVE(derive_gateway)
{
    const struct domain *netvm = property_domain(ds, d, "netvm");

    if (netvm)
        property_value(ds, netvm, "ip", ret);
}

DERIVE(derive_dns)
{
    if (property_domain(ds, d, "netvm"))
        SET("10.139.1.1 10.139.1.2");
}

static uint32_t host_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    return pages > 0 && size > 0 ? (uint32_t)((uint64_t)pages * (uint64_t)size >> 20) : 0;
}

/* What a template has set goes before 10 times the memory, at most half the host. */
DERIVE(derive_maxmem)
{
    const struct domain *t = d;
    uint32_t most = host_memory() / 2, ten;

    for (int depth = 0; depth < 3 && (t = domain_template(ds, t)); depth++) {
        const char *own = dict_get(&t->properties, "maxmem");

        if (own) {
            SET("%s", own);
            return;
        }
    }
    ten = property_int(ds, d, "memory");
    ten = ten > UINT32_MAX / 10 ? UINT32_MAX : ten * 10;
    SET("%u", ten < most ? ten : most);
}

/* A preloaded one carries one of the spawner's marks until somebody gets it. */
DERIVE(derive_is_preload)
{
    (void)ds;
    SET("%s", dict_get(&d->features, "preload-dispvm-completed") ||
                      dict_get(&d->features, "preload-dispvm-in-progress")
                  ? "True"
                  : "False");
}

DERIVE(derive_host_memory)
{
    (void)ds;
    (void)d;
    SET("%u", host_memory());
}

DERIVE(derive_host_cpus)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    (void)ds;
    (void)d;
    SET("%ld", n > 0 ? n : 1);
}
