/*
 * Making, storing and removing a domain's record, and files that are changed by hand.
 *
 * What is in memory is the truth while the spawner runs. A change is stored before it is answered;
 * one that cannot be stored is refused and logged. A file that somebody else wrote replaces what is
 * set of its domain, but never its class, uuid or what it is doing.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int records_store(struct spawner *s, const struct domain *d)
{
    bool unwritten = disposable_is_ephemeral(s, d) && d->made_at;
    int r = unwritten ? 0 : registry_save(&s->registry, d);

    if (r)
        log_error("%s: cannot be stored: %s", d->name, strerror(-r));
    spawner_changed(s);
    return r;
}

int records_store_global(struct spawner *s)
{
    int r = registry_save_global(&s->registry, &s->domains);

    if (r)
        log_error("global properties cannot be stored: %s", strerror(-r));
    spawner_changed(s);
    return r;
}

bool records_name_free(const struct spawner *s, const char *name)
{
    return !domains_find(&s->domains, name) && !dict_get(&s->registry.broken, name);
}

static void tell_vm(struct spawner *s, const char *event, const char *name)
{
    const char *const pairs[] = {"vm", name, NULL};

    spawner_event(s, "", event, pairs);
}

int records_add(struct spawner *s, struct domain *d)
{
    int r = records_follow(s, d, false);

    d->qid = domains_free_qid(&s->domains);
    if (!r)
        r = domains_add(&s->domains, d);
    if (r)
        return r;
    r = records_store(s, d);
    if (r) {
        domains_remove(&s->domains, d);
        return r;
    }
    tell_vm(s, "domain-add", d->name);
    return 0;
}

static void remove_data(const struct domain *d)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/var/lib/qubes/homes/%s", d->name);

    if (!r)
        r = remove_all(path);
    if (r)
        log_warning("%s: its data cannot be removed: %s", d->name, strerror(-r));
}

void records_remove(struct spawner *s, struct domain *d)
{
    const char *number = dict_get(&d->properties, "dispid");
    bool ephemeral = disposable_is_ephemeral(s, d);
    uint32_t n;
    int r;

    tell_vm(s, "domain-pre-delete", d->name);
    r = registry_delete(&s->registry, d->name);
    if (!ephemeral)
        remove_data(d); /* an ephemeral one's went with its end */
    if (r)
        log_error("%s: its file cannot be removed: %s", d->name, strerror(-r));
    if (number && !parse_u32(number, JOURNAL_NAMES - 1, &n))
        (void)journal_release(&s->journal, n, (int64_t)time(NULL));
    domains_remove(&s->domains, d);
    spawner_changed(s);
    tell_vm(s, "domain-delete", d->name);
    domain_free(d);
}

static int retag(struct spawner *s, struct domain *d, const char *prefix, const char *name,
                 bool tell)
{
    char tag[DOMAIN_NAME_MAX + 16], event[DOMAIN_NAME_MAX + 48];
    const char *pairs[] = {"tag", NULL, NULL};
    int r = *name ? format(tag, sizeof(tag), "%s%s", prefix, name) : 0;

    for (size_t i = d->tags.n; i-- > 0;) {
        const char *t = d->tags.entries[i].key;

        if (!str_starts(t, prefix) || (*name && str_equal(t, tag)))
            continue;
        pairs[1] = t;
        if (tell && !format(event, sizeof(event), "domain-tag-delete:%s", t))
            spawner_event(s, d->name, event, pairs);
        dict_remove(&d->tags, t);
    }
    if (r || !*name || dict_get(&d->tags, tag))
        return r;
    pairs[1] = tag;
    r = dict_set(&d->tags, tag, "");
    if (!r && tell && !format(event, sizeof(event), "domain-tag-add:%s", tag))
        spawner_event(s, d->name, event, pairs);
    return r;
}

int records_follow(struct spawner *s, struct domain *d, bool tell)
{
    static const struct {
        const char *property, *prefix;
    } follow[] = {{"guivm", "guivm-"}, {"audiovm", "audiovm-"}, {"relayvm", "relayvm-"}};
    struct property_text t;
    int r = 0;

    if (d->class == CLASS_ADMIN)
        return 0;
    for (size_t i = 0; !r && i < ARRAY_SIZE(follow); i++) {
        property_value(&s->domains, d, follow[i].property, &t);
        r = retag(s, d, follow[i].prefix, t.s, tell);
    }
    return r;
}

/* What is set comes from new; what it is and does stays. */
static void adopt(struct domain *d, struct domain *new)
{
    struct domain old = *d;

    d->properties = new->properties;
    d->features = new->features;
    d->tags = new->tags;
    d->firewall = new->firewall;
    d->notes = new->notes;
    memcpy(d->label, new->label, sizeof(d->label));
    new->properties = old.properties;
    new->features = old.features;
    new->tags = old.tags;
    new->firewall = old.firewall;
    new->notes = old.notes;
}

static void reread(struct spawner *s, const char *name)
{
    struct domain *d = domains_find(&s->domains, name);
    _cleanup_(domain_freep) struct domain *new = NULL;
    struct refusal refusal;
    int r = registry_read(&s->registry, name, &new, &refusal);

    if (r) {
        log_error("%s; what was set before stays", r == REFUSED ? refusal.text : strerror(-r));
        return;
    }
    if (!new &&d && d->class != CLASS_ADMIN && !domain_is_up(d)) {
        log_info("%s: its file is gone, so the domain is removed", name);
        records_remove(s, d);
    } else if (new &&d &&new->class == d->class) {
        adopt(d, new);
        log_info("%s: read again, its file was changed", name);
    } else if (new && !d && !records_add(s, new)) {
        log_info("%s: a new file, so a new domain", new->name);
        new = NULL;
    } else {
        log_warning("%s: the change of its file is not taken", name);
    }
    spawner_changed(s);
}

static void on_by_hand(struct watch *w, short revents)
{
    struct spawner *s = container_of(w, struct spawner, by_hand);
    char name[DOMAIN_NAME_MAX + 1];
    struct refusal refusal;
    int r;

    (void)revents;
    while (registry_changed(&s->registry, name)) {
        if (*name) {
            reread(s, name);
            continue;
        }
        r = registry_read_global(&s->registry, &s->domains, &refusal);
        if (r)
            log_error("%s; what was set before stays", r > 0 ? refusal.text : strerror(-r));
        spawner_changed(s);
    }
}

static int open_registry(struct spawner *s)
{
    char dir[PATH_SIZE], global[PATH_SIZE];
    int r = path_get(dir, "/var/lib/qubes/domains");

    r = r ? r : path_get(global, "/etc/qubes/domains.conf");
    r = r ? r : registry_open(&s->registry, dir, global);
    return r ? r : registry_load(&s->registry, &s->domains);
}

/* A registry without a template gets one: the local backend's, which is the host's own system. */
static int first_template(struct spawner *s)
{
    static const struct {
        const char *feature, *value;
    } features[] = {{"qrexec", "1"},
                    {"os", "Linux"},
                    {"vmexec", "1"},
                    {"supported-rpc.qubes.Filecopy", "1"},
                    {"supported-rpc.qubes.OpenInVM", "1"},
                    {"supported-rpc.qubes.OpenURL", "1"},
                    {"supported-rpc.qubes.StartApp", "1"},
                    {"supported-rpc.qubes.VMExec", "1"},
                    {"supported-rpc.qubes.VMExecGUI", "1"},
                    {"supported-rpc.qubes.VMShell", "1"},
                    {"supported-rpc.qubes.WaitForSession", "1"}};
    _cleanup_(domain_freep) struct domain *d = NULL;
    int r;

    for (size_t i = 0; i < s->domains.n; i++)
        if (s->domains.list[i]->class == CLASS_TEMPLATE)
            return 0;
    if (!records_name_free(s, "local"))
        return 0;
    r = domain_new("local", CLASS_TEMPLATE, &d);
    if (!r)
        r = format(d->label, sizeof(d->label), "black");
    for (size_t i = 0; !r && i < ARRAY_SIZE(features); i++)
        r = dict_set(&d->features, features[i].feature, features[i].value);
    r = r ? r : records_add(s, d);
    if (r)
        return r;
    d = NULL;
    if (dict_get(&s->domains.globals, "default_template"))
        return 0;
    r = dict_set(&s->domains.globals, "default_template", "local");
    return r ? r : records_store_global(s);
}

int records_open(struct spawner *s)
{
    char path[PATH_SIZE];
    int r = open_registry(s);

    r = r ? r : path_get(path, "/var/lib/qubes/disposables");
    r = r ? r : journal_open(&s->journal, path, (int64_t)time(NULL));
    r = r ? r : first_template(s);
    for (size_t i = s->domains.n; !r && i-- > 0;) {
        struct domain *d = s->domains.list[i];

        if (disposable_is_ephemeral(s, d))
            records_remove(s, d);
        else
            r = records_follow(s, d, false);
    }
    if (!r && s->registry.watch >= 0) {
        s->by_hand.fn = on_by_hand;
        watch_set(&s->by_hand, s->registry.watch, POLLIN);
    }
    return r;
}

void records_close(struct spawner *s)
{
    watch_stop(&s->by_hand);
    registry_close(&s->registry);
    journal_close(&s->journal);
}
