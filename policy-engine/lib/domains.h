/* The domains as the engine looks at them. */
#ifndef QREXEC_POLICY_DOMAINS_H
#define QREXEC_POLICY_DOMAINS_H

#include "policy-engine/lib/names.h"
#include "policy-engine/lib/policy.h"

struct policy_domains {
    unsigned refs;
    uint64_t generation;
    struct policy_domain *list;
    size_t n, cap;
    struct names names; /* names and "uuid:UUID", each known to by[] */
    uint32_t *by;       /* name's number → place in list */
    size_t by_cap;
};

const struct policy_domain *domains_find(const struct policy_domains *d, struct span spelled);
bool domain_has_tag(const struct policy_domain *dom, const char *tag);

#endif
