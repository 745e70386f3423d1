/* Features and tags over the Admin API. */
#include "domain-spawner/methods.h"

#include <errno.h>

#define NAME_MOST 110 /* so that a line of the registry's file holds it */

/* event:NAME about a feature or a tag. */
static void tell(const struct call *c, const char *event, const char *const *pairs)
{
    char name[NAME_MOST + 64];

    if (format(name, sizeof(name), "%s:%s", event, c->argument) == 0)
        spawner_event(c->s, c->dest->name, name, pairs);
}

static bool is_kept_by_spawner(const char *name)
{
    return str_equal(name, "preload-dispvm") || str_equal(name, "preload-dispvm-completed") ||
           str_equal(name, "preload-dispvm-in-progress");
}

static int feature_set(struct call *c)
{
    const char *had = dict_get(&c->dest->features, c->argument);
    _cleanup_(freep) char *old = had ? strdup(had) : NULL;
    const char *const pairs[] = {
        "feature", c->argument, "value", c->payload, old ? "oldvalue" : NULL, old, NULL};
    int r;

    if (had && !old)
        return -ENOMEM;
    for (const char *p = c->payload; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            return refuse(c->refusal, "QubesValueError",
                          "the value of a feature is printable ASCII");
    tell(c, "domain-feature-pre-set", pairs);
    r = dict_set(&c->dest->features, c->argument, c->payload);
    r = r ? r : records_store(c->s, c->dest);
    if (!r)
        tell(c, "domain-feature-set", pairs);
    return r;
}

static int not_set(struct call *c)
{
    return refuse(c->refusal, "QubesFeatureNotFoundError", "%s has no feature '%s'", c->dest->name,
                  c->argument);
}

static int feature_remove(struct call *c)
{
    const char *const pairs[] = {"feature", c->argument, NULL};
    int r;

    if (!dict_get(&c->dest->features, c->argument))
        return not_set(c);
    tell(c, "domain-feature-pre-delete", pairs);
    dict_remove(&c->dest->features, c->argument);
    r = records_store(c->s, c->dest);
    if (!r)
        tell(c, "domain-feature-delete", pairs);
    return r;
}

/* Along one way of domains: the value of the first that has it. */
static const char *check_along(const struct call *c)
{
    bool templates = str_starts(c->verb, "CheckWithTemplate");
    bool netvms = str_equal(c->verb, "CheckWithNetvm");
    bool admin = strstr(c->verb, "AdminVM") != NULL;
    const struct domain *d = c->dest;
    const char *value = dict_get(&d->features, c->argument);

    for (int depth = 0; !value && d && depth < 64; depth++) {
        d = templates ? domain_template(&c->s->domains, d)
            : netvms  ? property_domain(&c->s->domains, d, "netvm")
                      : NULL;
        value = d ? dict_get(&d->features, c->argument) : NULL;
    }
    if (!value && admin)
        value = dict_get(&domains_admin(&c->s->domains)->features, c->argument);
    return value;
}

int method_feature(struct call *c)
{
    bool set = str_equal(c->verb, "Set"), change = set || str_equal(c->verb, "Remove");
    const char *value;

    if (str_equal(c->verb, "List"))
        return content_keys(c->content, &c->dest->features);
    if (!only_of(c->argument, NAME_CHARS ".") || strlen(c->argument) > NAME_MOST)
        return refuse(c->refusal, "QubesValueError", "'%.120s' is no name of a feature",
                      c->argument);
    if (change && is_kept_by_spawner(c->argument))
        return refuse(c->refusal, "PermissionDenied", "the spawner itself keeps '%s'", c->argument);
    if (change)
        return set ? feature_set(c) : feature_remove(c);
    value = check_along(c);
    return value ? buf_append_str(c->content, value) : not_set(c);
}

static int tag_change(struct call *c, bool set)
{
    const char *const pairs[] = {"tag", c->argument, NULL};
    bool has = dict_get(&c->dest->tags, c->argument) != NULL;
    int r;

    if (c->from_domain && str_starts(c->argument, "created-by-"))
        return refuse(c->refusal, "PermissionDenied", "tags created-by-… are the system's");
    if (!set && !has)
        return refuse(c->refusal, "QubesTagNotFoundError", "%s has no tag '%s'", c->dest->name,
                      c->argument);
    if (set && has)
        return 0;
    r = set ? dict_set(&c->dest->tags, c->argument, "") : 0;
    if (!set)
        dict_remove(&c->dest->tags, c->argument);
    r = r ? r : records_store(c->s, c->dest);
    if (!r)
        tell(c, set ? "domain-tag-add" : "domain-tag-delete", pairs);
    return r;
}

int method_tag(struct call *c)
{
    if (str_equal(c->verb, "List"))
        return content_keys(c->content, &c->dest->tags);
    if (!only_of(c->argument, NAME_CHARS) || strlen(c->argument) > NAME_MOST)
        return refuse(c->refusal, "QubesInvalidTagError", "'%.120s' is no tag", c->argument);
    if (str_equal(c->verb, "Get"))
        return buf_append_str(c->content, dict_get(&c->dest->tags, c->argument) ? "1" : "0");
    return tag_change(c, str_equal(c->verb, "Set"));
}
