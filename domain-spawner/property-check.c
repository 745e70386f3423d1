/*
 * What may be set: the rules of the Admin API that look at other domains or at a value's form.
 *
 * Each is called with a value that has its type's form; d is the domain that is to have it, NULL
 * for the system. Who refers to whom is read from what is set and from defaults alike.
 */
#include "domain-spawner/property-table.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NETVM_DEPTH 64

#define PROPERTY_VALUE "QubesPropertyValueError"
#define VALUE          "QubesValueError"

static bool has_running_disposable(const struct domains *ds, const struct domain *d)
{
    for (size_t i = 0; i < ds->n; i++)
        if (ds->list[i]->class == CLASS_DISP && domain_template(ds, ds->list[i]) == d &&
            domain_is_up(ds->list[i]))
            return true;
    return false;
}

CHECK(check_template)
{
    const struct domain *t = domains_find(ds, value);

    if (domain_is_up(d))
        return refuse(refusal, "QubesVMNotHaltedError",
                      "Cannot change template of '%s' while it runs", d->name);
    if (d->class == CLASS_DISP && !property_bool(ds, t, "template_for_dispvms"))
        return refuse(refusal, PROPERTY_VALUE, "'%s' is not a template for disposables", value);
    if (d->class == CLASS_APP && t->class != CLASS_TEMPLATE)
        return refuse(refusal, PROPERTY_VALUE, "'%s' is not a TemplateVM", value);
    if (has_running_disposable(ds, d))
        return refuse(refusal, "QubesVMInUseError",
                      "Cannot change template of '%s': disposables of it are running", d->name);
    return 0;
}

/* Who would be left with a disposable's template that is none. */
static bool names_dispvm(const struct domain *holder, const struct dict *set, const char *name,
                         struct refusal *refusal)
{
    static const char *const which[] = {"default_dispvm", "management_dispvm", "template"};

    for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
        const char *v = dict_get(set, which[i]);

        if (!v || !str_equal(v, name))
            continue;
        refuse(refusal, "QubesVMInUseError", "'%s' is in use: %s%s of %s", name, which[i],
               holder ? "" : " (global)", holder ? holder->name : "the system");
        return true;
    }
    return false;
}

CHECK(check_template_for_dispvms)
{
    if (str_equal(value, "True"))
        return 0;
    for (size_t i = 0; i < ds->n; i++)
        if (names_dispvm(ds->list[i], &ds->list[i]->properties, d->name, refusal))
            return REFUSED;
    return names_dispvm(NULL, &ds->globals, d->name, refusal) ? REFUSED : 0;
}

CHECK(check_dispvm)
{
    (void)d;
    if (!*value || property_bool(ds, domains_find(ds, value), "template_for_dispvms"))
        return 0;
    return refuse(refusal, PROPERTY_VALUE,
                  "'%s' is not a template for disposables (set its template_for_dispvms first)",
                  value);
}

CHECK(check_netvm)
{
    const struct domain *n = *value ? domains_find(ds, value) : NULL;

    if (!n)
        return 0;
    if (!property_bool(ds, n, "provides_network"))
        return refuse(refusal, VALUE, "'%s' does not provide network", value);
    for (int depth = 0; n && depth < NETVM_DEPTH; depth++) {
        if (n == d)
            return refuse(refusal, VALUE, "Loops in network are unsupported: '%s' through '%s'",
                          d->name, value);
        n = property_domain(ds, n, "netvm");
    }
    n = domains_find(ds, value);
    if (domain_is_up(d) && !domain_is_up(n))
        return refuse(refusal, "QubesVMNotStartedError",
                      "Cannot use '%s' as netvm of the running '%s': it is not running", value,
                      d->name);
    return 0;
}

CHECK(check_provides_network)
{
    if (str_equal(value, "True"))
        return 0;
    for (size_t i = 0; i < ds->n; i++)
        if (ds->list[i] != d && property_domain(ds, ds->list[i], "netvm") == d)
            return refuse(refusal, "QubesVMInUseError", "'%s' is the netvm of '%s'", d->name,
                          ds->list[i]->name);
    return 0;
}

CHECK(check_label)
{
    (void)d;
    if (label_colour(ds, value, NULL))
        return 0;
    return refuse(refusal, "QubesLabelNotFoundError", "No such label: '%s'", value);
}

CHECK(check_positive)
{
    (void)ds;
    (void)d;
    if (!str_equal(value, "0"))
        return 0;
    return refuse(refusal, VALUE, "0 is not allowed here");
}

CHECK(check_virt_mode)
{
    (void)ds;
    (void)d;
    if (str_equal(value, "pvh") || str_equal(value, "hvm") || str_equal(value, "pv"))
        return 0;
    return refuse(refusal, VALUE, "Invalid virt_mode '%s' (pvh, hvm or pv)", value);
}

CHECK(check_ip)
{
    struct in_addr a;

    (void)ds;
    (void)d;
    if (!*value || inet_pton(AF_INET, value, &a) == 1)
        return 0;
    return refuse(refusal, VALUE, "'%s' is not an IPv4 address", value);
}

CHECK(check_ip6)
{
    struct in6_addr a;

    (void)ds;
    (void)d;
    if (!*value || inet_pton(AF_INET6, value, &a) == 1)
        return 0;
    return refuse(refusal, VALUE, "'%s' is not an IPv6 address", value);
}

CHECK(check_mac)
{
    size_t n = strlen(value);

    (void)ds;
    (void)d;
    for (size_t i = 0; i < n; i++)
        if (i % 3 == 2 ? value[i] != ':' : !strchr("0123456789abcdefABCDEF", value[i]))
            n = 0;
    if (n == 17)
        return 0;
    return refuse(refusal, VALUE, "'%s' is not a network card's address", value);
}

CHECK(check_default_template)
{
    (void)d;
    if (!*value || domains_find(ds, value)->class == CLASS_TEMPLATE)
        return 0;
    return refuse(refusal, PROPERTY_VALUE, "'%s' is not a TemplateVM", value);
}

CHECK(check_default_netvm)
{
    (void)d;
    if (!*value)
        return 0;
    if (!property_bool(ds, domains_find(ds, value), "provides_network"))
        return refuse(refusal, VALUE, "'%s' does not provide network", value);
    return 0;
}

CHECK(check_user)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    (void)ds;
    (void)d;
    if (value[0] != '-' && strspn(value, allowed) == strlen(value))
        return 0;
    return refuse(refusal, VALUE, "'%s' is not a user's name", value);
}
