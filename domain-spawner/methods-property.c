/*
 * Properties over the Admin API: List, Get, GetAll, GetDefault, Set, Reset, Help.
 *
 * A change is told before and after. Where it changes the default of others, each of them is told
 * that its property was reset.
 */
#include "domain-spawner/methods.h"

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

static const char *shown(const char *value)
{
    return *value ? value : "None";
}

/* event:PROPERTY of d, or of the system. new NULL: it is a reset. */
static void tell(struct spawner *s, const struct domain *d, const char *event,
                 const struct property *p, const char *new, const char *old)
{
    char name[128];
    const char *pairs[] = {"name", p->name, "oldvalue", shown(old), NULL, NULL, NULL};

    if (new) {
        pairs[2] = "newvalue";
        pairs[3] = shown(new);
        pairs[4] = "oldvalue";
        pairs[5] = shown(old);
    }
    if (format(name, sizeof(name), "%s:%s", event, p->name) == 0)
        spawner_event(s, d ? d->name : "", name, pairs);
}

static bool is_below(const struct domains *ds, const struct domain *d, const struct domain *top)
{
    for (int depth = 0; d && depth < 4; depth++) {
        d = domain_template(ds, d);
        if (d == top)
            return true;
    }
    return false;
}

/* Whether q, unset in one, has its default from p of d (or of the system). */
static bool depends(const struct domains *ds, const struct domain *one, const struct property *q,
                    const struct domain *d, const struct property *p)
{
    if (dict_get(&one->properties, q->name) || (q->flags & PROPERTY_READONLY))
        return false;
    if (d)
        return (q->flags & PROPERTY_TEMPLATE) && str_equal(q->name, p->name) &&
               is_below(ds, one, d);
    if (q->global)
        return str_equal(q->global, p->name);
    return (str_equal(q->name, "netvm") && str_equal(p->name, "default_netvm")) ||
           (str_equal(q->name, "default_dispvm") && str_equal(p->name, "default_dispvm"));
}

static void tell_dependents(struct spawner *s, const struct domain *d, const struct property *p,
                            const char *old)
{
    for (size_t i = 0; i < s->domains.n; i++) {
        struct domain *one = s->domains.list[i];
        const struct property *q;

        for (size_t k = 0; one != d && (q = property_at(one, k)); k++)
            if (depends(&s->domains, one, q, d, p)) {
                (void)records_follow(s, one, true);
                tell(s, one, "property-reset", q, NULL, old);
            }
    }
}

static int store(struct spawner *s, struct domain *d)
{
    int r = d ? records_follow(s, d, true) : 0;

    if (r)
        return r;
    return d ? records_store(s, d) : records_store_global(s);
}

static int set(struct spawner *s, struct domain *d, const struct property *p, const char *value,
               struct refusal *refusal)
{
    struct property_text text, old;
    int r = property_check(&s->domains, d, p, value, &text, refusal);

    if (r)
        return r;
    property_get(&s->domains, d, p, &old, NULL);
    tell(s, d, "property-pre-set", p, text.s, old.s);
    r = property_store(&s->domains, d, p, text.s);
    r = r ? r : store(s, d);
    if (r)
        return r;
    tell(s, d, "property-set", p, text.s, old.s);
    tell_dependents(s, d, p, old.s);
    return 0;
}

static int reset(struct spawner *s, struct domain *d, const struct property *p,
                 struct refusal *refusal)
{
    struct property_text old;
    int r = property_check_reset(&s->domains, d, p, refusal);

    if (r)
        return r;
    property_get(&s->domains, d, p, &old, NULL);
    tell(s, d, "property-pre-reset", p, NULL, old.s);
    if (property_unset(&s->domains, d, p))
        r = store(s, d);
    if (r)
        return r;
    tell(s, d, "property-reset", p, NULL, old.s);
    tell_dependents(s, d, p, old.s);
    return 0;
}

static int one_property(struct call *c, struct domain *d)
{
    const struct property *p = property_find(d, c->argument);

    if (!p)
        return refuse(c->refusal, "QubesNoSuchPropertyError", "no such property: '%.100s'",
                      c->argument);
    if (str_equal(c->verb, "Get"))
        return put_value(c->content, c->s, d, p, false);
    if (str_equal(c->verb, "GetDefault"))
        return get_default(c->s, d, p, c->content);
    if (str_equal(c->verb, "Help"))
        return buf_append_str(c->content, p->help);
    return str_equal(c->verb, "Set") ? set(c->s, d, p, c->payload, c->refusal)
                                     : reset(c->s, d, p, c->refusal);
}

static int property_of(struct call *c, struct domain *d)
{
    if (str_equal(c->verb, "List") || str_equal(c->verb, "GetAll"))
        return get_all(c->s, d, str_equal(c->verb, "List"), c->content);
    return one_property(c, d);
}

int method_property(struct call *c)
{
    return property_of(c, c->dest);
}

int method_global_property(struct call *c)
{
    return property_of(c, NULL);
}
