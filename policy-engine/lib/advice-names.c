/* Names that nothing has, and those that are nearly theirs. */
#include "policy-engine/lib/advice-parts.h"

#include <strings.h>

#define NAME_LONG 64

size_t name_distance(const char *a, const char *b)
{
    size_t row[NAME_LONG + 1], n = strlen(a), m = strlen(b);

    if (n > NAME_LONG || m > NAME_LONG || n > m + 2 || m > n + 2)
        return 3;
    for (size_t k = 0; k <= m; k++)
        row[k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t change = corner + (a[i - 1] != b[k - 1]);

            corner = row[k];
            row[k] = row[k] + 1 < change ? row[k] + 1 : change;
            row[k] = row[k - 1] + 1 < row[k] ? row[k - 1] + 1 : row[k];
        }
    }
    return row[m] < 3 ? row[m] : 3;
}

const char *similar_domain(const struct policy_domains *d, const char *name)
{
    size_t best = strlen(name) < 4 ? 2 : 3; /* of short names, one edit only */
    const char *found = NULL;

    for (size_t i = 0; i < d->n; i++) {
        size_t n = name_distance(name, d->list[i].name);

        if (n < best) {
            best = n;
            found = d->list[i].name;
        }
    }
    return found;
}

const char *similar_service(const struct policy *p, const char *service)
{
    size_t best = strlen(service) < 8 ? 2 : 3;
    const char *found = NULL;

    for (size_t i = 0; i < p->n; i++) {
        const char *named = rule_text(p, p->rules[i].service);
        size_t n = strcasecmp(named, service) == 0 ? 1 : name_distance(named, service);

        if (strcmp(named, service) == 0)
            return NULL;
        if (n < best && p->rules[i].service != NAME_ANY) {
            best = n;
            found = named;
        }
    }
    return found;
}

bool tell_unknown(const struct advice *a, const char *name)
{
    const char *similar;

    if (policy_domains_find(a->domains, name))
        return false;
    similar = similar_domain(a->domains, name);
    if (similar)
        text_addf(a->text, "There is no domain \"%s\". Is \"%s\" meant?\n", name, similar);
    else
        text_addf(a->text, "There is no domain \"%s\" (qvm-ls lists those that exist).\n", name);
    return true;
}

const char *domain_name(const struct advice *a, const char *spelled)
{
    const char *name = token_rest(span_of(spelled)).data;
    const struct policy_domain *dom = policy_domains_find(a->domains, name);

    return dom ? dom->name : name;
}
