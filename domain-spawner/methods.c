/*
 * The Admin API: which method takes what, and what it does. One table; what a row does not allow is
 * refused before its function is called.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <stdio.h>

struct call {
    struct request *rq;
    struct spawner *s;
    struct domain *dest;
    char argument[256];
    char source[DOMAIN_NAME_MAX + 1];
    char *payload; /* NUL-terminated */
    const char *method, *verb;
    struct buf *content;
    struct refusal *refusal;
};

static int lines_of_keys(struct buf *content, const struct dict *d)
{
    int r = 0;

    for (size_t i = 0; !r && i < d->n; i++)
        r = buf_appendf(content, "%s\n", d->entries[i].key);
    return r;
}

static int changed(struct call *c, struct domain *d)
{
    int r = registry_save(c->s, d);

    spawner_changed(c->s);
    return r;
}

/* ---- Lists ---- */

static int vm_list(struct call *c)
{
    struct domains *ds = &c->s->domains;
    int r = 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; !r && i < ds->n; i++) {
            const struct domain *d = ds->list[i];

            if ((d->class == CLASS_ADMIN) == (pass == 0) &&
                (c->dest->class == CLASS_ADMIN || c->dest == d))
                r = buf_appendf(c->content, "%s class=%s state=%s uuid=%s\n", d->name,
                                class_name(d->class), domain_power_state(d), d->uuid);
        }
    return r;
}

static int vmclass_list(struct call *c)
{
    static const enum domain_class order[] = {CLASS_APP,   CLASS_TEMPLATE, CLASS_STANDALONE,
                                              CLASS_ADMIN, CLASS_DISP,     CLASS_REMOTE};
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(order); i++)
        r = buf_appendf(c->content, "%s\n", class_name(order[i]));
    return r;
}

static int current_state(struct call *c)
{
    bool up = domain_is_up(c->dest) && c->dest->class != CLASS_ADMIN;
    uint32_t mem = up ? property_int(&c->s->domains, c->dest, "memory") * 1024 : 0;

    return buf_appendf(c->content, "mem=%u mem_static_max=%u cputime=0 power_state=%s", mem, mem,
                       domain_power_state(c->dest));
}

static int label_list(struct call *c)
{
    static const char *const names[] = {"red",  "orange", "yellow", "green",
                                        "gray", "blue",   "purple", "black"};
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(names); i++)
        r = buf_appendf(c->content, "%s\n", names[i]);
    return r ? r : lines_of_keys(c->content, &c->s->domains.labels);
}

static int label_get(struct call *c)
{
    uint32_t number = 0;
    const char *colour = label_colour(&c->s->domains, c->argument, &number);

    if (!colour)
        return refuse(c->refusal, "QubesLabelNotFoundError", "no such label: '%s'", c->argument);
    return str_equal(c->verb, "Index") ? buf_appendf(c->content, "%u", number)
                                       : buf_append_str(c->content, colour);
}

static int pool_list(struct call *c)
{
    return buf_append_str(c->content, "local\n");
}

static int volume_list(struct call *c)
{
    return buf_append_str(c->content, "root\nprivate\nvolatile\nkernel\n");
}

static int nothing(struct call *c)
{
    (void)c;
    return 0;
}

static int events(struct call *c)
{
    c->rq->stream = true;
    c->rq->answered = true;
    spawner_event(c->s, "", "connection-established", NULL);
    return 0;
}

static int system_info(struct call *c)
{
    return method_system_info(c->s, c->content);
}

/* ---- Making and removing ---- */

/* " KEY=VALUE" of a payload with single blanks. */
static bool payload_word(const char *payload, const char *key, char *buf, size_t size)
{
    size_t n = strlen(key);

    for (const char *p = payload; p; p = strchr(p, ' ') ? strchr(p, ' ') + 1 : NULL)
        if (strncmp(p, key, n) == 0 && p[n] == '=')
            return format(buf, size, "%.*s", (int)strcspn(p + n + 1, " "), p + n + 1) == 0;
    return false;
}

static int set_checked(struct call *c, struct domain *d, const char *name, const char *value)
{
    const struct property *p = property_find(d, name);
    struct property_text text;
    int r = p ? property_check(&c->s->domains, d, p, value, &text, c->refusal) : -EINVAL;

    return r ? r : property_store(&c->s->domains, d, p, text.s);
}

static int fill_new(struct call *c, struct domain *d, const char *label)
{
    const struct property *p =
        property_find(NULL, d->class == CLASS_DISP ? "default_dispvm" : "default_template");
    struct property_text text;
    char tag[DOMAIN_NAME_MAX + 16];
    int r = set_checked(c, d, "label", label);

    property_get(&c->s->domains, NULL, p, &text, NULL);
    if (!r && (d->class == CLASS_APP || d->class == CLASS_DISP))
        r = set_checked(c, d, "template", *c->argument ? c->argument : text.s);
    if (!r)
        r = format(tag, sizeof(tag), "created-by-%s", c->source);
    return r ? r : dict_set(&d->tags, tag, "");
}

static int vm_create(struct call *c)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    char name[64], label[64];
    const char *pairs[] = {"vm", name, NULL};
    enum domain_class class;
    int r;

    if (class_parse(c->verb, &class) || class == CLASS_ADMIN)
        return refuse(c->refusal, "QubesValueError", "no such class: '%s'", c->verb);
    if (!payload_word(c->payload, "name", name, sizeof(name)) ||
        !payload_word(c->payload, "label", label, sizeof(label)))
        return refuse(c->refusal, "ProtocolError", "the payload is not name=NAME label=LABEL");
    if (!domain_name_valid(name))
        return refuse(c->refusal, "QubesValueError",
                      "'%s' is no name for a domain (a letter, then letters, digits, "
                      "_ . -, up to 31)",
                      name);
    if (domains_find(&c->s->domains, name))
        return refuse(c->refusal, "QubesVMAlreadyExistsError", "there is a domain '%s' already",
                      name);
    r = domain_new(name, class, &d);
    if (!r) {
        d->qid = domains_free_qid(&c->s->domains);
        r = fill_new(c, d, label);
    }
    if (!r)
        r = registry_save(c->s, d);
    if (!r)
        r = domains_add(&c->s->domains, d);
    if (r)
        return r;
    d = NULL;
    spawner_changed(c->s);
    spawner_event(c->s, "", "domain-add", pairs);
    return 0;
}

static int create_disposable(struct call *c)
{
    struct domain *template = c->dest, *d, *source = domains_find(&c->s->domains, c->source);
    int r;

    if (template->class == CLASS_ADMIN && source)
        template = property_domain(&c->s->domains, source, "default_dispvm");
    if (!template)
        return refuse(c->refusal, "QubesException", "%s has no default_dispvm", c->source);
    r = disposable_new(c->s, template, c->source, &d, c->refusal);
    if (r)
        return r;
    if (c->rq->internal) {
        (void)format(c->rq->domain, sizeof(c->rq->domain), "%s", d->name);
        c->rq->lease = true;
        c->rq->waiting = WAIT_RUNNING;
        r = life_start(c->s, d, c->refusal);
        if (r)
            c->rq->waiting = WAIT_NOTHING;
        return r ? r : ANSWER_LATER;
    }
    return str_starts(c->payload, "uuid") ? buf_appendf(c->content, "uuid:%s", d->uuid)
                                          : buf_append_str(c->content, d->name);
}

static int vm_remove(struct call *c)
{
    struct property_text use;
    char name[DOMAIN_NAME_MAX + 1];
    const char *pairs[] = {"vm", name, NULL};

    if (c->dest->class == CLASS_ADMIN)
        return refuse(c->refusal, "QubesVMInUseError", "dom0 cannot be removed");
    if (domain_is_up(c->dest) && c->dest->class != CLASS_REMOTE)
        return refuse(c->refusal, "QubesVMNotHaltedError", "%s is running: qvm-shutdown --wait %s",
                      c->dest->name, c->dest->name);
    if (property_uses(&c->s->domains, c->dest, &use))
        return refuse(c->refusal, "QubesVMInUseError", "%s is in use: %s", c->dest->name, use.s);
    (void)format(name, sizeof(name), "%s", c->dest->name);
    spawner_event(c->s, "", "domain-pre-delete", pairs);
    registry_remove(c->s, c->dest);
    domains_remove(&c->s->domains, c->dest);
    domain_free(c->dest);
    spawner_changed(c->s);
    spawner_event(c->s, "", "domain-delete", pairs);
    return 0;
}

/* ---- Running ---- */

static int later(struct call *c, enum waiting what)
{
    (void)format(c->rq->domain, sizeof(c->rq->domain), "%s", c->dest->name);
    c->rq->waiting = what;
    return ANSWER_LATER;
}

static int vm_start(struct call *c)
{
    int r = life_start(c->s, c->dest, c->refusal);

    return r || c->dest->state != STATE_TRANSIENT ? r : later(c, WAIT_RUNNING);
}

static int vm_shutdown(struct call *c)
{
    bool force = strstr(c->argument, "force") != NULL;
    int r;

    if (!domain_is_up(c->dest) || c->dest->class == CLASS_ADMIN)
        return refuse(c->refusal, "QubesVMNotStartedError", "%s is not running", c->dest->name);
    if (c->dest->state == STATE_PAUSED && !force)
        return refuse(c->refusal, "QubesVMNotRunningError", "%s is paused", c->dest->name);
    for (size_t i = 0; !force && i < c->s->domains.n; i++) {
        const struct domain *d = c->s->domains.list[i];

        if (domain_is_up(d) && d != c->dest &&
            property_domain(&c->s->domains, d, "netvm") == c->dest)
            return refuse(c->refusal, "QubesVMInUseError", "%s is the netvm of %s, which runs",
                          c->dest->name, d->name);
    }
    r = life_request(c->s, c->dest, "shutdown", c->refusal);
    return r ? r : strstr(c->argument, "wait") ? later(c, WAIT_GONE) : 0;
}

static int vm_kill(struct call *c)
{
    int r;

    if (c->dest->class == CLASS_DISP && !domain_is_up(c->dest) && !c->dest->ever_started) {
        domains_remove(&c->s->domains, c->dest);
        domain_free(c->dest);
        spawner_changed(c->s);
        return 0;
    }
    if (!domain_is_up(c->dest) || c->dest->class == CLASS_ADMIN || c->dest->class == CLASS_REMOTE)
        return refuse(c->refusal, "QubesVMNotStartedError", "%s is not running", c->dest->name);
    r = life_request(c->s, c->dest, "kill", c->refusal);
    return r ? r : later(c, WAIT_GONE);
}

static int vm_pause(struct call *c)
{
    bool unpause = str_equal(c->verb, "Unpause") || str_equal(c->verb, "Resume");

    if (unpause && c->dest->state != STATE_PAUSED)
        return refuse(c->refusal, "QubesVMNotPausedError", "%s is not paused", c->dest->name);
    if (!unpause && c->dest->state != STATE_RUNNING)
        return refuse(c->refusal, "QubesVMNotRunningError", "%s is not running", c->dest->name);
    return life_request(c->s, c->dest, unpause ? "unpause" : "pause", c->refusal);
}

/* ---- Features and tags ---- */

static bool name_ok(const char *name, const char *more)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    while (name[n] && strchr(more, name[n]))
        n += 1 + strspn(name + n + 1,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return *name && !name[n];
}

static int feature(struct call *c)
{
    struct dict *d = &c->dest->features;
    const char *value = dict_get(d, c->argument);
    char event[300];
    const char *pairs[] = {"feature", c->argument, "value", c->payload, NULL};
    int r;

    if (str_equal(c->verb, "List"))
        return lines_of_keys(c->content, d);
    if (!name_ok(c->argument, "."))
        return refuse(c->refusal, "QubesValueError", "bad name of a feature: '%s'", c->argument);
    if (str_equal(c->verb, "CheckWithTemplate"))
        for (struct domain *t = c->dest; !value && t; t = domain_template(&c->s->domains, t))
            value = dict_get(&t->features, c->argument);
    if (str_equal(c->verb, "Set")) {
        for (const char *p = c->payload; *p; p++)
            if (*p < 0x20 || *p > 0x7e)
                return refuse(c->refusal, "QubesValueError",
                              "a feature's value is printable ASCII");
        r = dict_set(d, c->argument, c->payload);
        if (!r)
            r = changed(c, c->dest);
        if (!r && format(event, sizeof(event), "domain-feature-set:%s", c->argument) == 0)
            spawner_event(c->s, c->dest->name, event, pairs);
        return r;
    }
    if (!value)
        return refuse(c->refusal, "QubesFeatureNotFoundError", "%s has no feature '%s'",
                      c->dest->name, c->argument);
    if (!str_equal(c->verb, "Remove"))
        return buf_append_str(c->content, value);
    pairs[2] = NULL;
    dict_remove(d, c->argument);
    r = changed(c, c->dest);
    if (!r && format(event, sizeof(event), "domain-feature-delete:%s", c->argument) == 0)
        spawner_event(c->s, c->dest->name, event, pairs);
    return r;
}

static int tag(struct call *c)
{
    struct dict *d = &c->dest->tags;
    const char *pairs[] = {"tag", c->argument, NULL};
    bool set = str_equal(c->verb, "Set");
    char event[300];
    int r;

    if (str_equal(c->verb, "List"))
        return lines_of_keys(c->content, d);
    if (!name_ok(c->argument, ""))
        return refuse(c->refusal, "QubesInvalidTagError", "bad tag: '%s'", c->argument);
    if (str_equal(c->verb, "Get"))
        return buf_append_str(c->content, dict_get(d, c->argument) ? "1" : "0");
    if (str_starts(c->argument, "created-by-") && !str_equal(c->source, "dom0"))
        return refuse(c->refusal, "PermissionDenied", "tags created-by-… are the system's");
    if (!set && !dict_remove(d, c->argument))
        return refuse(c->refusal, "QubesTagNotFoundError", "%s has no tag '%s'", c->dest->name,
                      c->argument);
    r = set ? dict_set(d, c->argument, "") : 0;
    if (!r)
        r = changed(c, c->dest);
    if (!r &&
        format(event, sizeof(event), "domain-tag-%s:%s", set ? "add" : "delete", c->argument) == 0)
        spawner_event(c->s, c->dest->name, event, pairs);
    return r;
}

/* ---- Firewall and notes: text that is kept ---- */

static int firewall(struct call *c)
{
    if (str_equal(c->verb, "Get"))
        return buf_append_str(c->content,
                              c->dest->firewall ? c->dest->firewall : "action=accept\n");
    if (str_equal(c->verb, "Set")) {
        free(c->dest->firewall);
        c->dest->firewall = strdup(c->payload);
        return c->dest->firewall ? changed(c, c->dest) : -ENOMEM;
    }
    return 0;
}

/* ---- The table ---- */

enum { DEST_DOM0 = 1, DEST_VM = 2, DEST_ANY = 3 };
enum { ARG_NONE, ARG_MAY, ARG_MUST };

static int property_method(struct call *c);

static const struct method {
    const char *name;  /* before the verb; the verb is what follows */
    const char *verbs; /* joined by blanks; "" the name is whole */
    unsigned dest, arg;
    bool payload;
    int (*run)(struct call *c);
} methods[] = {
    {"admin.vmclass.List", "", DEST_DOM0, ARG_NONE, false, vmclass_list},
    {"admin.vm.List", "", DEST_ANY, ARG_NONE, false, vm_list},
    {"admin.vm.CurrentState", "", DEST_ANY, ARG_NONE, false, current_state},
    {"admin.vm.Create.", "AppVM TemplateVM StandaloneVM DispVM RemoteVM", DEST_DOM0, ARG_MAY, true,
     vm_create},
    {"admin.vm.CreateDisposable", "", DEST_ANY, ARG_MAY, true, create_disposable},
    {"admin.vm.Remove", "", DEST_ANY, ARG_NONE, false, vm_remove},
    {"admin.vm.Start", "", DEST_ANY, ARG_NONE, false, vm_start},
    {"admin.vm.Shutdown", "", DEST_ANY, ARG_MAY, false, vm_shutdown},
    {"admin.vm.Kill", "", DEST_ANY, ARG_NONE, false, vm_kill},
    {"admin.vm.", "Pause Unpause Suspend Resume", DEST_VM, ARG_NONE, false, vm_pause},
    {"admin.vm.property.", "List GetAll", DEST_ANY, ARG_NONE, false, property_method},
    {"admin.vm.property.", "Get GetDefault Reset Help", DEST_ANY, ARG_MUST, false, property_method},
    {"admin.vm.property.", "Set", DEST_ANY, ARG_MUST, true, property_method},
    {"admin.property.", "List GetAll", DEST_DOM0, ARG_NONE, false, property_method},
    {"admin.property.", "Get GetDefault Reset Help", DEST_DOM0, ARG_MUST, false, property_method},
    {"admin.property.", "Set", DEST_DOM0, ARG_MUST, true, property_method},
    {"admin.vm.feature.", "List", DEST_ANY, ARG_NONE, false, feature},
    {"admin.vm.feature.", "Get Remove CheckWithTemplate", DEST_ANY, ARG_MUST, false, feature},
    {"admin.vm.feature.", "Set", DEST_ANY, ARG_MUST, true, feature},
    {"admin.vm.tag.", "List", DEST_ANY, ARG_NONE, false, tag},
    {"admin.vm.tag.", "Get Set Remove", DEST_ANY, ARG_MUST, false, tag},
    {"admin.vm.firewall.", "Get Reload", DEST_VM, ARG_NONE, false, firewall},
    {"admin.vm.firewall.", "Set", DEST_VM, ARG_NONE, true, firewall},
    {"admin.label.List", "", DEST_DOM0, ARG_NONE, false, label_list},
    {"admin.label.", "Get Index", DEST_DOM0, ARG_MUST, false, label_get},
    {"admin.pool.List", "", DEST_DOM0, ARG_NONE, false, pool_list},
    {"admin.vm.volume.List", "", DEST_ANY, ARG_NONE, false, volume_list},
    {"admin.deviceclass.List", "", DEST_DOM0, ARG_NONE, false, nothing},
    {"admin.Events", "", DEST_ANY, ARG_NONE, false, events},
};

static const struct method internal_methods[] = {
    {"internal.GetSystemInfo", "", DEST_DOM0, ARG_NONE, false, system_info},
    {"internal.LeaseDisposable", "", DEST_ANY, ARG_NONE, true, create_disposable},
};

static int property_method(struct call *c)
{
    bool global = str_starts(c->method, "admin.property.");

    return method_property(c->s, c->verb, c->argument, c->payload, global ? NULL : c->dest,
                           c->content, c->refusal);
}

static bool is_one_of(const char *word, const char *list)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return n > 0;
    return false;
}

static const struct method *find_method(const struct method *table, size_t n, const char *name,
                                        const char **ret_verb)
{
    for (size_t i = 0; i < n; i++) {
        const struct method *m = &table[i];

        if (*m->verbs ? str_starts(name, m->name) && is_one_of(name + strlen(m->name), m->verbs)
                      : str_equal(name, m->name)) {
            *ret_verb = name + strlen(m->name);
            return m;
        }
    }
    return NULL;
}

static int check(const struct method *m, const struct call *c, const char *dest)
{
    if (!c->dest)
        return refuse(c->refusal, "QubesVMNotFoundError", "no such domain: '%s'", dest);
    if (!(m->dest & (c->dest->class == CLASS_ADMIN ? DEST_DOM0 : DEST_VM)))
        return refuse(c->refusal, "ProtocolError", "%s cannot be called for %s", m->name, dest);
    if ((m->arg == ARG_NONE && *c->argument) || (m->arg == ARG_MUST && !*c->argument))
        return refuse(c->refusal, "ProtocolError", "%s takes %s argument", m->name,
                      *c->argument ? "no" : "an");
    if (!m->payload && *c->payload)
        return refuse(c->refusal, "ProtocolError", "%s takes no payload", m->name);
    return 0;
}

int methods_run(struct request *rq, const struct admin_request *a, struct buf *content,
                struct refusal *refusal)
{
    _cleanup_(freep) char *payload = strndup(a->payload.s ? a->payload.s : "", a->payload.len);
    struct call c = {
        .rq = rq, .s = rq->spawner, .payload = payload, .content = content, .refusal = refusal};
    char name[128], dest[128];
    const struct method *m = NULL;
    int r;

    if (!payload)
        return -ENOMEM;
    if (!wire_text_copy(a->method, name, sizeof(name)) ||
        !wire_text_copy(a->argument, c.argument, sizeof(c.argument)) ||
        !wire_text_copy(a->dest, dest, sizeof(dest)) ||
        !wire_text_copy(a->source, c.source, sizeof(c.source)))
        return refuse(refusal, "ProtocolError", "a word of the header is too long");
    if (rq->internal)
        m = find_method(internal_methods, ARRAY_SIZE(internal_methods), name, &c.verb);
    else
        m = find_method(methods, ARRAY_SIZE(methods), name, &c.verb);
    if (!m)
        return refuse(refusal, "ProtocolError", "no such method: '%s'", name);
    c.method = m->name;
    c.dest = a->keyword ? domains_admin(&rq->spawner->domains)
                        : domains_find_any(&rq->spawner->domains, dest);
    r = check(m, &c, dest);
    return r ? r : m->run(&c);
}
