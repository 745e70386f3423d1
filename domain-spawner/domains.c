/* The domains in memory: see domains.h. */
#include "domain-spawner/domains.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static const char *const class_names[CLASSES] = {
    [CLASS_APP] = "AppVM",     [CLASS_TEMPLATE] = "TemplateVM", [CLASS_STANDALONE] = "StandaloneVM",
    [CLASS_ADMIN] = "AdminVM", [CLASS_DISP] = "DispVM",         [CLASS_REMOTE] = "RemoteVM",
};

static const char *const state_names[] = {
    [STATE_HALTED] = "Halted",   [STATE_TRANSIENT] = "Transient", [STATE_RUNNING] = "Running",
    [STATE_PAUSED] = "Paused",   [STATE_HALTING] = "Halting",     [STATE_DYING] = "Dying",
    [STATE_CRASHED] = "Crashed",
};

static const struct {
    const char *name, *colour;
} base_labels[] = {
    {"red", "0xcc0000"},  {"orange", "0xf57900"}, {"yellow", "0xedd400"}, {"green", "0x73d216"},
    {"gray", "0x555555"}, {"blue", "0x3465a4"},   {"purple", "0x75507b"}, {"black", "0x000000"},
};

const char *class_name(enum domain_class class)
{
    return class_names[class];
}

int class_parse(const char *name, enum domain_class *ret)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (str_equal(name, class_names[i])) {
            *ret = (enum domain_class)i;
            return 0;
        }
    return -EINVAL;
}

const char *state_name(enum domain_state state)
{
    return state_names[state];
}

const char *label_colour(const struct domains *ds, const char *label, uint32_t *ret_index)
{
    const char *own = dict_get(&ds->labels, label), *colour;
    uint32_t index = 0;

    for (size_t i = 0; i < ARRAY_SIZE(base_labels); i++)
        if (str_equal(label, base_labels[i].name)) {
            if (ret_index)
                *ret_index = (uint32_t)i + 1;
            return base_labels[i].colour;
        }
    colour = own ? strchr(own, ' ') : NULL;
    if (!colour)
        return NULL;
    for (const char *p = own; p < colour; p++)
        index = index * 10 + (uint32_t)(*p - '0');
    if (ret_index)
        *ret_index = index;
    return colour + 1;
}

/* Rules of the Admin API: letter first, then these, no reserved name or end. */
bool domain_name_valid(const char *name)
{
    static const char *const reserved[] = {"none", "default", "Domain-0"};
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789_.-";
    size_t n = strlen(name);

    if (n == 0 || n > DOMAIN_NAME_MAX || !strchr(alphabet, name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(alphabet, name[i]) && !strchr(others, name[i]))
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (str_equal(name, reserved[i]))
            return false;
    return !(n >= 3 && str_equal(name + n - 3, "-dm"));
}

bool uuid_valid(const char *uuid)
{
    if (strlen(uuid) != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? uuid[i] != '-' : !strchr("0123456789abcdef", uuid[i]))
            return false;
    }
    return true;
}

int uuid_new(char ret[static UUID_LEN + 1])
{
    unsigned char b[16];
    size_t at = 0;

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return -EIO;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret[at++] = '-';
        snprintf(ret + at, 3, "%02x", b[i]);
        at += 2;
    }
    return 0;
}

int domain_new(const char *name, enum domain_class class, struct domain **ret)
{
    _cleanup_(domain_freep) struct domain *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return -ENOMEM;
    r = format(d->name, sizeof(d->name), "%s", name);
    if (!r)
        r = uuid_new(d->uuid);
    if (r)
        return r;
    d->class = class;
    memcpy(d->label, "red", sizeof("red"));
    *ret = take(d);
    return 0;
}

void domain_free(struct domain *d)
{
    if (!d)
        return;
    dict_deinit(&d->properties);
    dict_deinit(&d->features);
    dict_deinit(&d->tags);
    free(d->firewall);
    free(d->notes);
    free(d);
}

int domains_init(struct domains *ds)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    int r;

    *ds = (struct domains){0};
    r = domain_new("dom0", CLASS_ADMIN, &d);
    if (r)
        return r;
    memcpy(d->uuid, UUID_ADMIN, sizeof(UUID_ADMIN));
    memcpy(d->label, "black", sizeof("black"));
    r = domains_add(ds, d);
    if (!r)
        d = NULL;
    return r;
}

void domains_deinit(struct domains *ds)
{
    for (size_t i = 0; i < ds->n; i++)
        domain_free(ds->list[i]);
    free(ds->list);
    dict_deinit(&ds->globals);
    dict_deinit(&ds->labels);
    *ds = (struct domains){0};
}

static size_t place_of(const struct domains *ds, const char *name)
{
    size_t low = 0, high = ds->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(ds->list[mid]->name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct domain *domains_find(const struct domains *ds, const char *name)
{
    size_t i = place_of(ds, name);

    return i < ds->n && str_equal(ds->list[i]->name, name) ? ds->list[i] : NULL;
}

struct domain *domains_find_uuid(const struct domains *ds, const char *uuid)
{
    for (size_t i = 0; i < ds->n; i++)
        if (str_equal(ds->list[i]->uuid, uuid))
            return ds->list[i];
    return NULL;
}

struct domain *domains_find_any(const struct domains *ds, const char *text)
{
    return str_starts(text, "uuid:") ? domains_find_uuid(ds, text + 5) : domains_find(ds, text);
}

struct domain *domains_admin(const struct domains *ds)
{
    return domains_find(ds, "dom0");
}

static bool qid_used(const struct domains *ds, uint32_t qid)
{
    for (size_t i = 0; i < ds->n; i++)
        if (ds->list[i]->qid == qid)
            return true;
    return false;
}

uint32_t domains_free_qid(const struct domains *ds)
{
    uint32_t qid = 1;

    while (qid_used(ds, qid))
        qid++;
    return qid;
}

int domains_add(struct domains *ds, struct domain *d)
{
    size_t i = place_of(ds, d->name);

    if (i < ds->n && str_equal(ds->list[i]->name, d->name))
        return -EEXIST;
    if (ds->n == ds->size) {
        size_t size = ds->size ? ds->size * 2 : 16;
        struct domain **p = reallocarray(ds->list, size, sizeof(struct domain *));

        if (!p)
            return -ENOMEM;
        ds->list = p;
        ds->size = size;
    }
    memmove(&ds->list[i + 1], &ds->list[i], (ds->n - i) * sizeof(struct domain *));
    ds->list[i] = d;
    ds->n++;
    return 0;
}

void domains_remove(struct domains *ds, struct domain *d)
{
    size_t i = place_of(ds, d->name);

    if (i == ds->n || ds->list[i] != d)
        return;
    ds->n--;
    memmove(&ds->list[i], &ds->list[i + 1], (ds->n - i) * sizeof(struct domain *));
}

bool domain_is_up(const struct domain *d)
{
    return d->class == CLASS_ADMIN || d->class == CLASS_REMOTE ||
           (d->state != STATE_HALTED && d->state != STATE_CRASHED);
}

const char *domain_power_state(const struct domain *d)
{
    if (d->class == CLASS_ADMIN || d->class == CLASS_REMOTE)
        return "Running";
    return state_names[d->state];
}

struct domain *domain_template(const struct domains *ds, const struct domain *d)
{
    const char *name = d->class == CLASS_APP || d->class == CLASS_DISP
                           ? dict_get(&d->properties, "template")
                           : NULL;

    return name ? domains_find(ds, name) : NULL;
}
