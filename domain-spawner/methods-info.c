/* internal.GetSystemInfo, and making disposables. */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"

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

/* What is set on the template for disposables, fixed now; never what is the caller's. */
static int inherit(struct spawner *s, struct domain *d, const struct domain *template)
{
    const struct property *p;
    int r = 0;

    for (size_t i = 0; !r && (p = property_at(template, i)); i++) {
        const char *value = dict_get(&template->properties, p->name);

        if (value && !(p->flags & PROPERTY_NO_COPY) && !str_equal(p->name, "template") &&
            !str_equal(p->name, "autostart") && !str_equal(p->name, "template_for_dispvms") &&
            property_find(d, p->name))
            r = dict_set(&d->properties, p->name, value);
    }
    (void)s;
    for (size_t i = 0; !r && i < template->features.n; i++)
        if (!str_starts(template->features.entries[i].key, "preload-dispvm"))
            r = dict_set(&d->features, template->features.entries[i].key,
                         template->features.entries[i].value);
    if (!r)
        r = dict_merge(&d->tags, &template->tags);
    if (!r && template->firewall && !(d->firewall = strdup(template->firewall)))
        r = -ENOMEM;
    return r;
}

static int mark(struct domain *d, const struct domain *template, const char *source)
{
    char tag[DOMAIN_NAME_MAX + 32];
    int r = dict_set(&d->properties, "template", template->name);

    r = r ? r : dict_set(&d->properties, "dispid", d->name + strlen("disp"));
    r = r ? r : dict_set(&d->properties, "auto_cleanup", "True");
    r = r ? r : format(d->label, sizeof(d->label), "%s", template->label);
    r = r ? r : format(tag, sizeof(tag), "created-by-%s", source);
    r = r ? r : dict_set(&d->tags, tag, "");
    r = r ? r : format(tag, sizeof(tag), "disp-created-by-%s", source);
    return r ? r : dict_set(&d->tags, tag, "");
}

int disposable_new(struct spawner *s, struct domain *template, const char *source,
                   struct domain **ret, struct refusal *refusal)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    char name[DOMAIN_NAME_MAX + 1];
    const char *pairs[] = {"vm", name, NULL};
    int r;

    if (!property_bool(&s->domains, template, "template_for_dispvms"))
        return refuse(refusal, "QubesException",
                      "%s is no template for disposables (qvm-prefs %s template_for_dispvms "
                      "True)",
                      template->name, template->name);
    r = registry_new_disposable_name(s, name);
    r = r ? r : domain_new(name, CLASS_DISP, &d);
    r = r ? r : inherit(s, d, template);
    r = r ? r : mark(d, template, source);
    if (!r) {
        d->qid = domains_free_qid(&s->domains);
        d->made_at = clock_ms();
        r = domains_add(&s->domains, d);
    }
    if (r)
        return r;
    *ret = d;
    d = NULL;
    spawner_changed(s);
    spawner_event(s, "", "domain-add", pairs);
    return 0;
}
