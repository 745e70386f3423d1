/* Labels, pools and volumes over the Admin API; devices, of which there are none. */
#include "domain-spawner/methods.h"

#include "libqrexec/base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define FIRST_OWN_LABEL 9

static const char *const base_labels[] = {"red",  "orange", "yellow", "green",
                                          "gray", "blue",   "purple", "black"};
static const char *const volumes[] = {"root", "private", "volatile", "kernel"};

int method_none(struct call *c)
{
    (void)c;
    return 0;
}

int method_label_list(struct call *c)
{
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(base_labels); i++)
        r = buf_appendf(c->content, "%s\n", base_labels[i]);
    return r ? r : content_keys(c->content, &c->s->domains.labels);
}

static uint32_t free_index(const struct domains *ds)
{
    uint32_t best = FIRST_OWN_LABEL, index;

    for (size_t i = 0; i < ds->labels.n; i++)
        if (label_colour(ds, ds->labels.entries[i].key, &index) && index >= best)
            best = index + 1;
    return best;
}

static int label_create(struct call *c)
{
    struct domains *ds = &c->s->domains;
    char value[64];
    int r;

    if (label_colour(ds, c->argument, NULL))
        return refuse(c->refusal, "QubesValueError", "there is a label '%s' already", c->argument);
    if (!only_of(c->argument, NAME_CHARS ".") || strlen(c->argument) > DOMAIN_NAME_MAX)
        return refuse(c->refusal, "QubesInvalidLabelError", "'%.100s' is no name of a label",
                      c->argument);
    if (strlen(c->payload) != 8 || !str_starts(c->payload, "0x") ||
        !only_of(c->payload + 2, "0123456789abcdefABCDEF"))
        return refuse(c->refusal, "QubesValueError", "a colour is 0xRRGGBB");
    r = format(value, sizeof(value), "%u %s", free_index(ds), c->payload);
    r = r ? r : dict_set(&ds->labels, c->argument, value);
    return r ? r : records_store_global(c->s);
}

static int label_remove(struct call *c)
{
    struct domains *ds = &c->s->domains;

    if (!dict_get(&ds->labels, c->argument))
        return refuse(c->refusal, "QubesException", "the label '%s' cannot be removed",
                      c->argument);
    for (size_t i = 0; i < ds->n; i++)
        if (str_equal(ds->list[i]->label, c->argument))
            return refuse(c->refusal, "QubesException", "the label '%s' is that of %s", c->argument,
                          ds->list[i]->name);
    dict_remove(&ds->labels, c->argument);
    return records_store_global(c->s);
}

int method_label(struct call *c)
{
    uint32_t number = 0;
    const char *colour = label_colour(&c->s->domains, c->argument, &number);

    if (str_equal(c->verb, "Create"))
        return label_create(c);
    if (!colour)
        return refuse(c->refusal, "QubesLabelNotFoundError", "no such label: '%.100s'",
                      c->argument);
    if (str_equal(c->verb, "Remove"))
        return label_remove(c);
    return str_equal(c->verb, "Index") ? buf_appendf(c->content, "%u", number)
                                       : buf_append_str(c->content, colour);
}

static const char *pool_driver(const struct call *c)
{
    return *c->s->backend ? c->s->backend : "none";
}

int method_pool_list(struct call *c)
{
    return buf_append_str(c->content, "local\n");
}

int method_pool_info(struct call *c)
{
    char path[PATH_SIZE];
    struct statvfs v;
    int r = path_get(path, "/var/lib/qubes");

    if (!str_equal(c->argument, "local"))
        return refuse(c->refusal, "QubesException", "no such pool: '%.100s'", c->argument);
    if (r || statvfs(path, &v) < 0)
        return r ? r : -errno;
    return buf_appendf(c->content, "driver=%s\nname=local\nsize=%llu\nusage=%llu\n", pool_driver(c),
                       (unsigned long long)v.f_blocks * v.f_frsize,
                       (unsigned long long)(v.f_blocks - v.f_bfree) * v.f_frsize);
}

int method_volume_list(struct call *c)
{
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(volumes); i++)
        r = buf_appendf(c->content, "%s\n", volumes[i]);
    return r;
}

/* Whose state a volume starts from: root the template's, a disposable's private its template's. */
static const struct domain *origin(const struct call *c)
{
    const struct domain *t = domain_template(&c->s->domains, c->dest);

    if (str_equal(c->argument, "private"))
        return c->dest->class == CLASS_DISP ? t : NULL;
    if (!str_equal(c->argument, "root"))
        return NULL;
    while (t && domain_template(&c->s->domains, t))
        t = domain_template(&c->s->domains, t);
    return t;
}

int method_volume_info(struct call *c)
{
    bool known = false, root = str_equal(c->argument, "root"),
         private = str_equal(c->argument, "private");
    const struct domain *from = origin(c);
    bool keeps = (root || private) && !from, kernel = str_equal(c->argument, "kernel");

    for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
        known |= str_equal(c->argument, volumes[i]);
    if (!known)
        return refuse(c->refusal, "QubesException", "%s has no volume '%.100s'", c->dest->name,
                      c->argument);
    return buf_appendf(c->content,
                       "pool=local\nvid=%s/%s\nsize=0\nusage=0\nrw=%s\nsource=%s%s%s\npath=\n"
                       "save_on_stop=%s\nsnap_on_start=%s\nrevisions_to_keep=0\nephemeral=False\n"
                       "is_outdated=False\n",
                       c->dest->name, c->argument, kernel ? "False" : "True",
                       from ? from->name : "", from ? "/" : "", from ? c->argument : "",
                       keeps ? "True" : "False", from ? "True" : "False");
}
