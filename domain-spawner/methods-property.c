/* Properties over the Admin API: List, Get, GetAll, GetDefault, Set, Reset, Help. */
#include "domain-spawner/spawner.h"

#include <errno.h>

static int put_value(struct buf *content, const struct spawner *s, const struct domain *d,
                     const struct property *p, bool escape)
{
    struct property_text text;
    bool is_default;
    int r;

    property_get(&s->domains, d, p, &text, &is_default);
    r = buf_appendf(content, "default=%s type=%s ", is_default ? "True" : "False",
                    property_type_name(p->type));
    for (const char *c = text.s; !r && *c; c++) {
        if (escape && (*c == '\\' || *c == '\n'))
            r = buf_append(content, *c == '\n' ? "\\n" : "\\\\", 2);
        else
            r = buf_append(content, c, 1);
    }
    return r;
}

static int get_all(const struct spawner *s, const struct domain *d, bool names_only,
                   struct buf *content)
{
    const struct property *p;
    int r = 0;

    for (size_t i = 0; !r && (p = property_at(d, i)); i++) {
        r = buf_append_str(content, p->name);
        if (!r && !names_only)
            r = buf_append_str(content, " ");
        if (!r && !names_only)
            r = put_value(content, s, d, p, true);
        if (!r)
            r = buf_append_str(content, "\n");
    }
    return r;
}

static int get_default(const struct spawner *s, const struct domain *d, const struct property *p,
                       struct buf *content)
{
    struct property_text text;

    if (!property_default(&s->domains, d, p, &text))
        return 0;
    return buf_appendf(content, "type=%s %s", property_type_name(p->type), text.s);
}

static int changed(struct spawner *s, struct domain *d, const struct property *p, bool reset,
                   const char *value, const char *old)
{
    char event[128];
    const char *set[] = {"name",     p->name, "newvalue", *value ? value : "None",
                         "oldvalue", old,     NULL};
    const char *unset[] = {"name", p->name, "oldvalue", old, NULL};
    int r = d ? registry_save(s, d) : registry_save_globals(s);

    spawner_changed(s);
    if (!r && format(event, sizeof(event), "property-%s:%s", reset ? "reset" : "set", p->name) == 0)
        spawner_event(s, d ? d->name : "", event, reset ? unset : set);
    return r;
}

/* dom0's own properties are the system's in the registry: they are not written with a domain. */
static int set(struct spawner *s, struct domain *d, const struct property *p, const char *value,
               struct refusal *refusal)
{
    struct property_text text, old;
    int r = property_check(&s->domains, d, p, value, &text, refusal);

    property_get(&s->domains, d, p, &old, NULL);
    if (!r)
        r = property_store(&s->domains, d, p, text.s);
    return r ? r : changed(s, d, p, false, text.s, old.s);
}

static int reset(struct spawner *s, struct domain *d, const struct property *p,
                 struct refusal *refusal)
{
    struct property_text old;
    int r = property_check_reset(&s->domains, d, p, refusal);

    property_get(&s->domains, d, p, &old, NULL);
    if (r)
        return r;
    (void)property_unset(&s->domains, d, p);
    return changed(s, d, p, true, "", old.s);
}

int method_property(struct spawner *s, const char *verb, const char *name, const char *value,
                    struct domain *d, struct buf *content, struct refusal *refusal)
{
    const struct property *p;

    if (str_equal(verb, "List") || str_equal(verb, "GetAll"))
        return get_all(s, d, str_equal(verb, "List"), content);
    p = property_find(d, name);
    if (!p)
        return refuse(refusal, "QubesNoSuchPropertyError", "no such property: '%s'", name);
    if (str_equal(verb, "Get"))
        return put_value(content, s, d, p, false);
    if (str_equal(verb, "GetDefault"))
        return get_default(s, d, p, content);
    if (str_equal(verb, "Help"))
        return buf_append_str(content, p->help);
    if (p->flags & PROPERTY_READONLY)
        return refuse(refusal, "QubesValueError", "the property '%s' cannot be changed", name);
    return str_equal(verb, "Set") ? set(s, d, p, value, refusal) : reset(s, d, p, refusal);
}
