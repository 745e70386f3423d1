/*
 * Disposables: their names, what they have from their template for disposables, and their end.
 *
 * One with auto_cleanup is ephemeral: its record goes when it is down. Those made here have no
 * file, so nothing of them outlives the spawner; one with a file that says so is removed at the
 * start. What it inherits is fixed when it is made, comes from the template for disposables alone,
 * and nothing from the caller.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <time.h>

#define PREFIX "disp"

bool disposable_is_ephemeral(const struct spawner *s, const struct domain *d)
{
    return d->class == CLASS_DISP && property_bool(&s->domains, d, "auto_cleanup");
}

static bool is_inherited(const struct property *p)
{
    static const char *const not_these[] = {"template", "autostart", "template_for_dispvms"};

    for (size_t i = 0; i < ARRAY_SIZE(not_these); i++)
        if (str_equal(p->name, not_these[i]))
            return false;
    return !(p->flags & (PROPERTY_NO_COPY | PROPERTY_READONLY));
}

static int inherit(struct domain *d, const struct domain *template)
{
    int r = 0;

    for (size_t i = 0; !r && i < template->properties.n; i++) {
        const struct dict_entry *e = &template->properties.entries[i];
        const struct property *p = property_find(d, e->key);

        if (p && is_inherited(p))
            r = dict_set(&d->properties, e->key, e->value);
    }
    for (size_t i = 0; !r && i < template->features.n; i++) {
        const struct dict_entry *e = &template->features.entries[i];

        if (!str_starts(e->key, "preload-dispvm"))
            r = dict_set(&d->features, e->key, e->value);
    }
    if (!r)
        r = dict_merge(&d->tags, &template->tags);
    if (!r && template->firewall && !(d->firewall = strdup(template->firewall)))
        r = -ENOMEM;
    return r;
}

static int set_tag(struct domain *d, const char *prefix, const char *name)
{
    char tag[DOMAIN_NAME_MAX + 32];
    int r = format(tag, sizeof(tag), "%s%s", prefix, name);

    return r ? r : dict_set(&d->tags, tag, "");
}

static int mark(struct domain *d, const struct domain *template, const char *source)
{
    int r = dict_set(&d->properties, "template", template->name);

    r = r ? r : dict_set(&d->properties, "dispid", d->name + strlen(PREFIX));
    r = r ? r : dict_set(&d->properties, "auto_cleanup", "True");
    r = r ? r : format(d->label, sizeof(d->label), "%s", template->label);
    r = r ? r : set_tag(d, "created-by-", source);
    return r ? r : set_tag(d, "disp-created-by-", source);
}

static bool is_taken(void *user, uint32_t number)
{
    const struct spawner *s = user;
    char name[DOMAIN_NAME_MAX + 1];

    return format(name, sizeof(name), PREFIX "%u", number) != 0 || !records_name_free(s, name);
}

static int make(struct spawner *s, const struct domain *template, const char *source,
                struct domain **ret)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    char name[DOMAIN_NAME_MAX + 1], uuid[UUID_LEN + 1];
    uint32_t number;
    int r = uuid_new(uuid);

    r = r ? r : journal_take(&s->journal, (int64_t)time(NULL), uuid, is_taken, s, &number);
    r = r ? r : format(name, sizeof(name), PREFIX "%u", number);
    r = r ? r : domain_new(name, CLASS_DISP, &d);
    if (!r)
        memcpy(d->uuid, uuid, sizeof(d->uuid));
    r = r ? r : inherit(d, template);
    r = r ? r : mark(d, template, source);
    if (r)
        return r;
    d->made_at = clock_ms();
    r = records_add(s, d);
    if (r)
        return r;
    *ret = take(d);
    return 0;
}

int disposable_new(struct spawner *s, struct domain *template, const char *source,
                   struct domain **ret, struct refusal *refusal)
{
    int r;

    if (!property_bool(&s->domains, template, "template_for_dispvms"))
        return refuse(refusal, "QubesException",
                      "%s is no template for disposables (qvm-prefs %s template_for_dispvms True)",
                      template->name, template->name);
    r = make(s, template, source, ret);
    if (r == -ENOSPC)
        return refuse(refusal, "QubesException", "all %u names of disposables are in use",
                      JOURNAL_NAMES);
    if (!r && !s->sweep.set)
        disposable_sweep(s);
    return r;
}

int disposable_found(struct spawner *s, const char *uuid, struct domain **ret)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    char name[DOMAIN_NAME_MAX + 1];
    uint32_t number;
    int r;

    if (!journal_find(&s->journal, uuid, &number))
        return -ENOENT;
    r = format(name, sizeof(name), PREFIX "%u", number);
    r = r ? r : domain_new(name, CLASS_DISP, &d);
    r = r ? r : dict_set(&d->properties, "dispid", name + strlen(PREFIX));
    r = r ? r : dict_set(&d->properties, "auto_cleanup", "True");
    if (r)
        return r;
    memcpy(d->uuid, uuid, sizeof(d->uuid));
    d->made_at = clock_ms();
    r = records_add(s, d);
    if (r)
        return r;
    *ret = take(d);
    return 0;
}

static void on_sweep(struct timer *t)
{
    disposable_sweep(container_of(t, struct spawner, sweep));
}

/* Milliseconds until it is swept; 0: now; -1: never. */
static int64_t due(const struct spawner *s, const struct domain *d, uint64_t now)
{
    uint64_t limit = (uint64_t)property_int(&s->domains, d, "qrexec_timeout") * 2000;

    if (!disposable_is_ephemeral(s, d) || !d->made_at || d->ever_started || domain_is_up(d))
        return -1;
    return now - d->made_at >= limit ? 0 : (int64_t)(limit - (now - d->made_at));
}

void disposable_sweep(struct spawner *s)
{
    uint64_t now = clock_ms();
    int64_t next = -1;

    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = s->domains.list[i];
        int64_t left = due(s, d, now);

        if (left == 0) {
            log_info("%s: nobody started it in time, so it is removed", d->name);
            records_remove(s, d);
        } else if (left > 0 && (next < 0 || left < next)) {
            next = left;
        }
    }
    s->sweep.fn = on_sweep;
    if (next >= 0)
        timer_set(&s->sweep, (uint64_t)next);
}
