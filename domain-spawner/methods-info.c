/* What others ask about the system: internal.GetSystemInfo, admin.vm.CurrentState. */
#include "domain-spawner/methods.h"

#include <errno.h>
#include <jansson.h>

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static void put_property(json_t *o, const struct spawner *s, const struct domain *d,
                         const char *name)
{
    struct property_text t;

    property_value(&s->domains, d, name, &t);
    json_object_set_new(o, name, text_or_null(t.s));
}

static json_t *one_domain(const struct spawner *s, const struct domain *d)
{
    static const char *const names[] = {"default_dispvm", "guivm", "relayvm", "transport_rpc",
                                        "netvm"};
    json_t *o = json_object(), *tags = json_array();
    const char *colour = label_colour(&s->domains, d->label, NULL);
    char icon[DOMAIN_NAME_MAX + 16];

    for (size_t i = 0; i < d->tags.n; i++)
        json_array_append_new(tags, json_string(d->tags.entries[i].key));
    json_object_set_new(o, "tags", tags);
    json_object_set_new(o, "type", json_string(class_name(d->class)));
    json_object_set_new(o, "template_for_dispvms",
                        json_boolean(property_bool(&s->domains, d, "template_for_dispvms")));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        put_property(o, s, d, names[i]);
    json_object_set_new(o, "internal", text_or_null(dict_get(&d->features, "internal")));
    json_object_set_new(o, "power_state", json_string(domain_power_state(d)));
    json_object_set_new(o, "icon",
                        format(icon, sizeof(icon), "appvm-%s", d->label) ? json_null()
                                                                         : json_string(icon));
    json_object_set_new(o, "label", text_or_null(colour));
    json_object_set_new(o, "uuid", json_string(d->uuid));
    return o;
}

int method_system_info(struct spawner *s, struct buf *content)
{
    json_t *root = json_object(), *domains = json_object();
    char *text;
    int r;

    for (size_t i = 0; i < s->domains.n; i++)
        json_object_set_new(domains, s->domains.list[i]->name, one_domain(s, s->domains.list[i]));
    json_object_set_new(root, "domains", domains);
    json_object_set_new(root, "generation", json_integer((json_int_t)*s->generation));
    text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(root);
    r = text ? buf_append_str(content, text) : -ENOMEM;
    free(text);
    return r;
}

int method_internal_info(struct call *c)
{
    return method_system_info(c->s, c->content);
}

int method_current_state(const struct spawner *s, const struct domain *d, struct buf *content)
{
    uint64_t most = d->now.maxmem_kib;

    if (d->now.at && !most)
        most = (uint64_t)property_int(&s->domains, d, "memory") * 1024;
    return buf_appendf(content, "mem=%llu mem_static_max=%llu cputime=%llu power_state=%s",
                       (unsigned long long)d->now.memory_kib, (unsigned long long)most,
                       (unsigned long long)d->now.cpu_ns, domain_power_state(d));
}
