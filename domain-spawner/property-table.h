/* Between property.c and its table; nobody else's. */
#ifndef QREXEC_SPAWNER_PROPERTY_TABLE_H
#define QREXEC_SPAWNER_PROPERTY_TABLE_H

#include "domain-spawner/property.h"

extern const struct property property_table[];
extern const size_t property_table_len;

/* property-check.c: the rules that look at other domains or at the form of a value. */
#define CHECK(name)                                                                                \
    int name(const struct domains *ds, const struct domain *d, const char *value,                  \
             struct refusal *refusal)
CHECK(check_template);
CHECK(check_template_for_dispvms);
CHECK(check_dispvm);
CHECK(check_netvm);
CHECK(check_provides_network);
CHECK(check_label);
CHECK(check_positive);
CHECK(check_virt_mode);
CHECK(check_ip);
CHECK(check_ip6);
CHECK(check_mac);
CHECK(check_default_template);
CHECK(check_default_netvm);
CHECK(check_user);

/* property-derive.c: values that are worked out. */
#define DERIVE(name)                                                                               \
    void name(const struct domains *ds, const struct domain *d, struct property_text *ret)
DERIVE(derive_name);
DERIVE(derive_uuid);
DERIVE(derive_qid);
DERIVE(derive_label);
DERIVE(derive_klass);
DERIVE(derive_icon);
DERIVE(derive_xid);
DERIVE(derive_start_time);
DERIVE(derive_updateable);
DERIVE(derive_default_dispvm);
DERIVE(derive_netvm);
DERIVE(derive_ip);
DERIVE(derive_mac);
DERIVE(derive_visible_ip);
DERIVE(derive_gateway);
DERIVE(derive_dns);
DERIVE(derive_maxmem);
DERIVE(derive_is_preload);
DERIVE(derive_host_memory);
DERIVE(derive_host_cpus);

#endif
