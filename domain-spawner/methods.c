/*
 * The Admin API: which method takes what. One table; what a row does not allow is refused before
 * its function is called.
 */
#include "domain-spawner/methods.h"

#include <errno.h>

#define CLASSES_MADE "AppVM TemplateVM StandaloneVM DispVM RemoteVM"
#define PROPERTY_ONE "Get GetDefault Reset Help"
#define FEATURE_ONE                                                                                \
    "Get Remove CheckWithTemplate CheckWithNetvm CheckWithAdminVM CheckWithTemplateAndAdminVM"

// clang-format off
static const struct method methods[] = {
    {"admin.vmclass.List", "", DEST_DOM0, ARG_NONE, ARG_NONE, method_vmclass_list},
    {"admin.vm.List", "", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_list},
    {"admin.vm.CurrentState", "", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_state},
    {"admin.vm.Create.", CLASSES_MADE, DEST_DOM0, ARG_MAY, ARG_MUST, method_vm_create},
    {"admin.vm.CreateInPool.", CLASSES_MADE, DEST_DOM0, ARG_MAY, ARG_MUST, method_vm_create_in_pool},
    {"admin.vm.CreateDisposable", "", DEST_ANY, ARG_MAY, ARG_MAY, method_create_disposable},
    {"admin.vm.Remove", "", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_remove},
    {"admin.vm.Start", "", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_start},
    {"admin.vm.Shutdown", "", DEST_ANY, ARG_MAY, ARG_NONE, method_vm_shutdown},
    {"admin.vm.Kill", "", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_kill},
    {"admin.vm.", "Pause Unpause Suspend Resume", DEST_ANY, ARG_NONE, ARG_NONE, method_vm_pause},
    {"admin.vm.property.", "List GetAll", DEST_ANY, ARG_NONE, ARG_NONE, method_property},
    {"admin.vm.property.", PROPERTY_ONE, DEST_ANY, ARG_MUST, ARG_NONE, method_property},
    {"admin.vm.property.", "Set", DEST_ANY, ARG_MUST, ARG_MAY, method_property},
    {"admin.property.", "List GetAll", DEST_DOM0, ARG_NONE, ARG_NONE, method_global_property},
    {"admin.property.", PROPERTY_ONE, DEST_DOM0, ARG_MUST, ARG_NONE, method_global_property},
    {"admin.property.", "Set", DEST_DOM0, ARG_MUST, ARG_MAY, method_global_property},
    {"admin.vm.feature.", "List", DEST_ANY, ARG_NONE, ARG_NONE, method_feature},
    {"admin.vm.feature.", FEATURE_ONE, DEST_ANY, ARG_MUST, ARG_NONE, method_feature},
    {"admin.vm.feature.", "Set", DEST_ANY, ARG_MUST, ARG_MAY, method_feature},
    {"admin.vm.tag.", "List", DEST_ANY, ARG_NONE, ARG_NONE, method_tag},
    {"admin.vm.tag.", "Get Set Remove", DEST_ANY, ARG_MUST, ARG_NONE, method_tag},
    {"admin.vm.notes.", "Get", DEST_VM, ARG_NONE, ARG_NONE, method_notes},
    {"admin.vm.notes.", "Set", DEST_VM, ARG_NONE, ARG_MAY, method_notes},
    {"admin.vm.firewall.", "Get Reload", DEST_VM, ARG_NONE, ARG_NONE, method_firewall},
    {"admin.vm.firewall.", "Set", DEST_VM, ARG_NONE, ARG_MAY, method_firewall},
    {"admin.label.List", "", DEST_DOM0, ARG_NONE, ARG_NONE, method_label_list},
    {"admin.label.", "Get Index Remove", DEST_DOM0, ARG_MUST, ARG_NONE, method_label},
    {"admin.label.", "Create", DEST_DOM0, ARG_MUST, ARG_MUST, method_label},
    {"admin.pool.List", "", DEST_DOM0, ARG_NONE, ARG_NONE, method_pool_list},
    {"admin.pool.Info", "", DEST_DOM0, ARG_MUST, ARG_NONE, method_pool_info},
    {"admin.vm.volume.List", "", DEST_VM, ARG_NONE, ARG_NONE, method_volume_list},
    {"admin.vm.volume.Info", "", DEST_VM, ARG_MUST, ARG_NONE, method_volume_info},
    {"admin.deviceclass.List", "", DEST_DOM0, ARG_NONE, ARG_NONE, method_none},
    {"admin.Events", "", DEST_ANY, ARG_NONE, ARG_NONE, method_events},
    {"admin.vm.Stats", "", DEST_ANY, ARG_NONE, ARG_NONE, method_stats},
};

static const struct method internal_methods[] = {
    {"internal.GetSystemInfo", "", DEST_DOM0, ARG_NONE, ARG_NONE, method_internal_info},
    {"internal.LeaseDisposable", "", DEST_ANY, ARG_NONE, ARG_MUST, method_lease_disposable},
};
// clang-format on

int content_keys(struct buf *content, const struct dict *d)
{
    int r = 0;

    for (size_t i = 0; !r && i < d->n; i++)
        r = buf_appendf(content, "%s\n", d->entries[i].key);
    return r;
}

bool only_of(const char *text, const char *allowed)
{
    return *text && strspn(text, allowed) == strlen(text);
}

static bool is_one_of(const char *word, const char *list)
{
    size_t n = strlen(word);

    for (const char *p = list; n && (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return strchr(word, ' ') == NULL;
    return false;
}

static bool row_is(const struct method *m, const char *name)
{
    if (!*m->verbs)
        return str_equal(name, m->name);
    return str_starts(name, m->name) && is_one_of(name + strlen(m->name), m->verbs);
}

const struct method *method_find(bool internal, const char *name, const char **ret_verb)
{
    const struct method *table = internal ? internal_methods : methods;
    size_t n = internal ? ARRAY_SIZE(internal_methods) : ARRAY_SIZE(methods);

    for (size_t i = 0; i < n; i++)
        if (row_is(&table[i], name)) {
            *ret_verb = name + strlen(table[i].name);
            return &table[i];
        }
    return NULL;
}

static int check_text(enum method_arg rule, const char *text, const char *name, const char *what,
                      struct refusal *refusal)
{
    if (rule == ARG_NONE && *text)
        return refuse(refusal, "ProtocolError", "%s takes no %s", name, what);
    if (rule == ARG_MUST && !*text)
        return refuse(refusal, "ProtocolError", "%s needs a %s", name, what);
    return 0;
}

int method_check(const struct method *m, const struct call *c, const char *name, const char *dest)
{
    int r;

    if (!c->dest && str_starts(dest, "uuid:") && !uuid_valid(dest + strlen("uuid:")))
        return refuse(c->refusal, "QubesVMInvalidUUIDError", "not a uuid: '%s'", dest);
    if (!c->dest)
        return refuse(c->refusal, "QubesVMNotFoundError", "no such domain: '%s'", dest);
    if (!(m->dest & (c->dest->class == CLASS_ADMIN ? DEST_DOM0 : DEST_VM)))
        return refuse(c->refusal, "ProtocolError", "%s cannot be called for %s", name,
                      c->dest->name);
    r = check_text(m->arg, c->argument, name, "argument", c->refusal);
    return r ? r : check_text(m->payload, c->payload, name, "payload", c->refusal);
}

/* admin.vm.device.CLASS.Available, .Assigned, .Attached: this version has no devices. */
static bool is_device_list(const char *name)
{
    const char *kind = str_starts(name, "admin.vm.device.") ? strrchr(name, '.') : "";

    return str_equal(kind, ".Available") || str_equal(kind, ".Assigned") ||
           str_equal(kind, ".Attached");
}

int methods_run(struct request *rq, const struct admin_request *a, struct buf *content,
                struct refusal *refusal)
{
    static const struct method devices = {"", "", DEST_ANY, ARG_MAY, ARG_NONE, method_none};
    _cleanup_(freep) char *payload = strndup(a->payload.s ? a->payload.s : "", a->payload.len);
    struct call c = {
        .rq = rq, .s = rq->spawner, .payload = payload, .content = content, .refusal = refusal};
    char name[128], dest[128];
    const struct method *m;
    int r;

    if (!payload)
        return -ENOMEM;
    if (!wire_text_copy(a->method, name, sizeof(name)) ||
        !wire_text_copy(a->argument, c.argument, sizeof(c.argument)) ||
        !wire_text_copy(a->dest, dest, sizeof(dest)) ||
        !wire_text_copy(a->source, c.source, sizeof(c.source)))
        return refuse(refusal, "ProtocolError", "a word of the header is too long");
    if (!domain_name_valid(c.source))
        return refuse(refusal, "ProtocolError", "'%s' is no domain's name", c.source);
    if (strlen(payload) != a->payload.len)
        return refuse(refusal, "ProtocolError", "the payload holds a NUL");
    c.verb = "";
    c.from_domain = !str_equal(c.source, "dom0");
    m = !rq->internal && is_device_list(name) ? &devices : method_find(rq->internal, name, &c.verb);
    if (!m)
        return refuse(refusal, "ProtocolError", "no such method: '%s'", name);
    c.dest = a->keyword ? domains_admin(&rq->spawner->domains)
                        : domains_find_any(&rq->spawner->domains, dest);
    (void)format(rq->source, sizeof(rq->source), "%s", c.source);
    r = method_check(m, &c, name, dest);
    return r ? r : m->run(&c);
}
