/*
 * Properties of domains and of the system: one table, as the Admin API names them.
 *
 * A value is text. What is not set has a default: fixed, from the template, from a global property,
 * or worked out. Only what is set is stored; reading never fails on what is stored, since
 * property_check() came first.
 */
#ifndef QREXEC_SPAWNER_PROPERTY_H
#define QREXEC_SPAWNER_PROPERTY_H

#include "domain-spawner/domains.h"

enum property_type { TYPE_STR, TYPE_INT, TYPE_BOOL, TYPE_VM, TYPE_LABEL };

#define PROPERTY_READONLY   (1U << 0)
#define PROPERTY_NO_COPY    (1U << 1) /* not for clones and disposables */
#define PROPERTY_TEMPLATE   (1U << 2) /* default: the template's value, if it has one */
#define PROPERTY_NO_DEFAULT (1U << 3)
#define PROPERTY_REQUIRED   (1U << 4) /* none is refused */

#define PROPERTY_TEXT_MAX 1024

struct property_text {
    char s[PROPERTY_TEXT_MAX];
};

struct property {
    const char *name;
    enum property_type type;
    unsigned classes; /* 1U << CLASS_…; 0: a global property */
    unsigned flags;
    const char *fixed;  /* default, or NULL */
    const char *global; /* the global property that is the default, or NULL */
    /* A default that is worked out, or the value of a read-only one. NULL: none of that. */
    void (*derive)(const struct domains *, const struct domain *, struct property_text *ret);
    /* What the type does not tell: 0 or REFUSED. value is normal already. d NULL: global. */
    int (*check)(const struct domains *, const struct domain *, const char *value,
                 struct refusal *);
    const char *help;
};

const char *property_type_name(enum property_type type);

/* The property of that name that d has; d NULL: the global one. NULL: no such. */
const struct property *property_find(const struct domain *d, const char *name);
/* The i-th property that d (or the system) has, in the table's order; NULL at the end. */
const struct property *property_at(const struct domain *d, size_t i);

/* Its value; "" is none. *ret_default may be NULL. */
void property_get(const struct domains *ds, const struct domain *d, const struct property *p,
                  struct property_text *ret, bool *ret_default);
/* What it would be if it were not set. False: it has no default. */
bool property_default(const struct domains *ds, const struct domain *d, const struct property *p,
                      struct property_text *ret);

/* Shortcuts; a property that d does not have is none, 0, false. */
void property_value(const struct domains *ds, const struct domain *d, const char *name,
                    struct property_text *ret);
bool property_bool(const struct domains *ds, const struct domain *d, const char *name);
uint32_t property_int(const struct domains *ds, const struct domain *d, const char *name);
/* NULL: none, or it leads nowhere. */
struct domain *property_domain(const struct domains *ds, const struct domain *d, const char *name);

/*
 * Whether text may be set, and the form in which it is stored: "True", "400", "sys-net".
 * property_normalise() looks at the value alone (for files), property_check() at the system too.
 */
int property_normalise(const struct property *p, const char *text, struct property_text *ret,
                       struct refusal *refusal);
int property_check(const struct domains *ds, const struct domain *d, const struct property *p,
                   const char *text, struct property_text *ret, struct refusal *refusal);

/* Whether reset would break a rule (the default is checked like a value). 0 or REFUSED. */
int property_check_reset(const struct domains *ds, const struct domain *d, const struct property *p,
                         struct refusal *refusal);

/* The first use of d by another domain or the system: "PROPERTY for NAME". False: unused. */
bool property_uses(const struct domains *ds, const struct domain *d, struct property_text *ret);

/* Stores: dict of the domain, or of the system, or its label. text is normal. 0 or -ENOMEM. */
int property_store(struct domains *ds, struct domain *d, const struct property *p,
                   const char *text);
/* False: it was not set. */
bool property_unset(struct domains *ds, struct domain *d, const struct property *p);

#endif
