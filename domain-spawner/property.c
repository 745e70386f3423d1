/* Properties: see property.h. The table is in property-table.c. */
#include "domain-spawner/property-table.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define TEMPLATE_DEPTH 4 /* a disposable, its template, that one's template */

const char *property_type_name(enum property_type type)
{
    static const char *const names[] = {
        [TYPE_STR] = "str", [TYPE_INT] = "int",     [TYPE_BOOL] = "bool",
        [TYPE_VM] = "vm",   [TYPE_LABEL] = "label",
    };

    return names[type];
}

static bool applies(const struct property *p, const struct domain *d)
{
    return d ? (p->classes & (1U << d->class)) != 0 : p->classes == 0;
}

const struct property *property_find(const struct domain *d, const char *name)
{
    for (size_t i = 0; i < property_table_len; i++)
        if (applies(&property_table[i], d) && str_equal(property_table[i].name, name))
            return &property_table[i];
    return NULL;
}

const struct property *property_at(const struct domain *d, size_t i)
{
    for (size_t k = 0; k < property_table_len; k++)
        if (applies(&property_table[k], d) && i-- == 0)
            return &property_table[k];
    return NULL;
}

static void set_text(struct property_text *ret, const char *s)
{
    snprintf(ret->s, sizeof(ret->s), "%s", s);
}

static void get(const struct domains *ds, const struct domain *d, const struct property *p,
                struct property_text *ret, bool *ret_default, int depth);

static bool default_of(const struct domains *ds, const struct domain *d, const struct property *p,
                       struct property_text *ret, int depth)
{
    ret->s[0] = 0;
    if (p->flags & (PROPERTY_NO_DEFAULT | PROPERTY_READONLY))
        return false;
    if ((p->flags & PROPERTY_TEMPLATE) && depth > 0) {
        const struct domain *template = domain_template(ds, d);
        const struct property *theirs = template ? property_find(template, p->name) : NULL;

        if (theirs) {
            get(ds, template, theirs, ret, NULL, depth - 1);
            return true;
        }
    }
    if (p->derive)
        p->derive(ds, d, ret);
    else if (p->global)
        property_value(ds, NULL, p->global, ret);
    else if (p->fixed)
        set_text(ret, p->fixed);
    return true;
}

static void get(const struct domains *ds, const struct domain *d, const struct property *p,
                struct property_text *ret, bool *ret_default, int depth)
{
    const char *own = dict_get(d ? &d->properties : &ds->globals, p->name);
    bool is_default = false;

    if (p->derive && (p->flags & (PROPERTY_READONLY | PROPERTY_NO_DEFAULT))) {
        ret->s[0] = 0;
        p->derive(ds, d, ret);
    } else if (own) {
        set_text(ret, own);
    } else {
        is_default = default_of(ds, d, p, ret, depth);
        if (!is_default && p->fixed)
            set_text(ret, p->fixed);
    }
    if (p->type == TYPE_VM && ret->s[0] && !domains_find(ds, ret->s))
        ret->s[0] = 0;
    if (ret_default)
        *ret_default = is_default;
}

void property_get(const struct domains *ds, const struct domain *d, const struct property *p,
                  struct property_text *ret, bool *ret_default)
{
    get(ds, d, p, ret, ret_default, TEMPLATE_DEPTH);
}

bool property_default(const struct domains *ds, const struct domain *d, const struct property *p,
                      struct property_text *ret)
{
    return default_of(ds, d, p, ret, TEMPLATE_DEPTH);
}

void property_value(const struct domains *ds, const struct domain *d, const char *name,
                    struct property_text *ret)
{
    const struct property *p = property_find(d, name);

    ret->s[0] = 0;
    if (p)
        property_get(ds, d, p, ret, NULL);
}

bool property_bool(const struct domains *ds, const struct domain *d, const char *name)
{
    struct property_text t;

    property_value(ds, d, name, &t);
    return str_equal(t.s, "True");
}

uint32_t property_int(const struct domains *ds, const struct domain *d, const char *name)
{
    struct property_text t;
    uint32_t v = 0;

    property_value(ds, d, name, &t);
    return parse_u32(t.s, UINT32_MAX, &v) ? 0 : v;
}

struct domain *property_domain(const struct domains *ds, const struct domain *d, const char *name)
{
    struct property_text t;

    property_value(ds, d, name, &t);
    return t.s[0] ? domains_find(ds, t.s) : NULL;
}

static int normalise_bool(const struct property *p, const char *text, struct property_text *ret,
                          struct refusal *refusal)
{
    static const char *const no[] = {"0", "no", "false", "off"};
    static const char *const yes[] = {"1", "yes", "true", "on"};

    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        if (!strcasecmp(text, no[i]) || !strcasecmp(text, yes[i])) {
            set_text(ret, !strcasecmp(text, yes[i]) ? "True" : "False");
            return 0;
        }
    }
    return refuse(refusal, "QubesValueError", "Invalid value for property '%s': True or False",
                  p->name);
}

static int normalise_int(const struct property *p, const char *text, struct property_text *ret,
                         struct refusal *refusal)
{
    uint32_t v;

    if (!*text && !(p->flags & PROPERTY_REQUIRED)) {
        set_text(ret, "");
        return 0;
    }
    if (parse_u32(text, INT32_MAX, &v))
        return refuse(refusal, "QubesValueError",
                      "Invalid value for property '%s': a whole number is needed", p->name);
    set_text(ret, text);
    return 0;
}

static int normalise_str(const struct property *p, const char *text, struct property_text *ret,
                         struct refusal *refusal)
{
    if (strlen(text) >= sizeof(ret->s))
        return refuse(refusal, "QubesValueError", "Value for property '%s' is too long", p->name);
    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return refuse(refusal, "QubesValueError",
                          "Value for property '%s' has a character that is not printable ASCII",
                          p->name);
    set_text(ret, text);
    return 0;
}

int property_normalise(const struct property *p, const char *text, struct property_text *ret,
                       struct refusal *refusal)
{
    switch (p->type) {
    case TYPE_BOOL: return normalise_bool(p, text, ret, refusal);
    case TYPE_INT: return normalise_int(p, text, ret, refusal);
    case TYPE_VM:
        if (*text && !domain_name_valid(text))
            return refuse(refusal, "QubesValueError", "Value for property '%s' is no domain's name",
                          p->name);
        break;
    case TYPE_STR:
    case TYPE_LABEL: break;
    }
    return normalise_str(p, text, ret, refusal);
}

static const char *owner(const struct domain *d)
{
    return d ? d->name : "the system";
}

static int check_value(const struct domains *ds, const struct domain *d, const struct property *p,
                       const char *value, struct refusal *refusal)
{
    if ((p->flags & PROPERTY_REQUIRED) && !*value)
        return refuse(refusal, "QubesValueError", "Property '%s' of %s must have a value", p->name,
                      owner(d));
    if (p->type == TYPE_VM && *value && !domains_find(ds, value))
        return refuse(refusal, "QubesPropertyValueError",
                      "Invalid value for property '%s' of %s: no such domain: '%s'", p->name,
                      owner(d), value);
    return p->check ? p->check(ds, d, value, refusal) : 0;
}

int property_check(const struct domains *ds, const struct domain *d, const struct property *p,
                   const char *text, struct property_text *ret, struct refusal *refusal)
{
    struct property_text t;
    int r;

    if (p->flags & PROPERTY_READONLY)
        return refuse(refusal, "QubesPropertyValueError", "Property '%s' of %s cannot be changed",
                      p->name, owner(d));
    /* A domain may be named by uuid where one is asked for. */
    if (p->type == TYPE_VM && str_starts(text, "uuid:")) {
        const struct domain *named = domains_find_any(ds, text);

        text = named ? named->name : text;
    }
    r = property_normalise(p, text, &t, refusal);
    if (!r)
        r = check_value(ds, d, p, t.s, refusal);
    if (!r)
        *ret = t;
    return r;
}

int property_check_reset(const struct domains *ds, const struct domain *d, const struct property *p,
                         struct refusal *refusal)
{
    struct property_text t;

    if (p->flags & PROPERTY_READONLY)
        return refuse(refusal, "QubesPropertyValueError", "Property '%s' of %s cannot be changed",
                      p->name, owner(d));
    if (!property_default(ds, d, p, &t))
        return refuse(refusal, "QubesValueError", "Property '%s' of %s has no default", p->name,
                      owner(d));
    return check_value(ds, d, p, t.s, refusal);
}

static bool uses(const struct domains *ds, const struct domain *holder, const struct domain *d,
                 struct property_text *ret)
{
    const struct dict *set = holder ? &holder->properties : &ds->globals;

    for (size_t i = 0; i < set->n; i++) {
        const struct property *p = property_find(holder, set->entries[i].key);

        if (!p || p->type != TYPE_VM || !str_equal(set->entries[i].value, d->name))
            continue;
        if (holder)
            snprintf(ret->s, sizeof(ret->s), "%s for %s", p->name, holder->name);
        else
            snprintf(ret->s, sizeof(ret->s), "global property %s", p->name);
        return true;
    }
    return false;
}

bool property_uses(const struct domains *ds, const struct domain *d, struct property_text *ret)
{
    for (size_t i = 0; i < ds->n; i++)
        if (ds->list[i] != d && uses(ds, ds->list[i], d, ret))
            return true;
    return uses(ds, NULL, d, ret);
}

int property_store(struct domains *ds, struct domain *d, const struct property *p, const char *text)
{
    if (p->type == TYPE_LABEL)
        return format(d->label, sizeof(d->label), "%s", text);
    return dict_set(d ? &d->properties : &ds->globals, p->name, text);
}

bool property_unset(struct domains *ds, struct domain *d, const struct property *p)
{
    return dict_remove(d ? &d->properties : &ds->globals, p->name);
}
