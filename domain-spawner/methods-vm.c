/* Domains over the Admin API: lists, making, removing, starting, ending. */
#include "domain-spawner/methods.h"

#include <errno.h>

#define PAUSE_MS 30000
#define KILL_MS  60000
#define STATS_MS 1000

/* A domain that asks sees what it asked for, or itself; dom0 sees all. */
static bool is_shown(const struct call *c, const struct domain *d)
{
    if (c->dest->class != CLASS_ADMIN)
        return c->dest == d;
    return !c->from_domain || str_equal(c->source, d->name);
}

int method_vm_list(struct call *c)
{
    const struct domains *ds = &c->s->domains;
    int r = 0;

    for (int others = 0; others < 2; others++)
        for (size_t i = 0; !r && i < ds->n; i++) {
            const struct domain *d = ds->list[i];

            if ((d->class != CLASS_ADMIN) == others && is_shown(c, d))
                r = buf_appendf(c->content, "%s class=%s state=%s uuid=%s\n", d->name,
                                class_name(d->class), domain_power_state(d), d->uuid);
        }
    return r;
}

int method_vmclass_list(struct call *c)
{
    static const enum domain_class order[] = {CLASS_APP,   CLASS_TEMPLATE, CLASS_STANDALONE,
                                              CLASS_ADMIN, CLASS_DISP,     CLASS_REMOTE};
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(order); i++)
        r = buf_appendf(c->content, "%s\n", class_name(order[i]));
    return r;
}

static int later(struct call *c, const struct domain *d, enum waiting what, uint64_t ms)
{
    memcpy(c->rq->domain, d->name, sizeof(c->rq->domain));
    c->rq->waiting = what;
    timer_set(&c->rq->deadline, ms);
    return ANSWER_LATER;
}

/* It was refused, so nothing is waited for. */
static int not_later(struct call *c, int r)
{
    if (r) {
        c->rq->waiting = WAIT_NOTHING;
        timer_stop(&c->rq->deadline);
    }
    return r ? r : ANSWER_LATER;
}

int method_vm_state(struct call *c)
{
    if (c->dest->state == STATE_RUNNING && c->dest->create_id && !life_ask_figures(c->s, c->dest))
        return later(c, c->dest, WAIT_STATS, STATS_MS);
    return method_current_state(c->s, c->dest, c->content);
}

/* ---- Making and removing ---- */

/* What Create says of the new domain. */
struct words {
    char name[128], label[64];
    bool elsewhere; /* a pool that is not there is named */
};

static bool take_word(char *word, bool pools, struct words *w)
{
    char *value = strchr(word, '=');

    if (!value || !value[1])
        return false;
    *value++ = 0;
    if (str_equal(word, "name"))
        return !*w->name && !format(w->name, sizeof(w->name), "%s", value);
    if (str_equal(word, "label"))
        return !*w->label && !format(w->label, sizeof(w->label), "%s", value);
    w->elsewhere |= !str_equal(value, "local");
    return pools && (str_equal(word, "pool") || str_starts(word, "pool:"));
}

/* KEY=VALUE joined by single blanks, each key once; cuts the text up. */
static bool take_words(char *text, bool pools, struct words *w)
{
    char *word;

    while ((word = strsep(&text, " ")))
        if (!take_word(word, pools, w))
            return false;
    return *w->name && *w->label;
}

static int set_checked(struct call *c, struct domain *d, const char *name, const char *value)
{
    const struct property *p = property_find(d, name);
    struct property_text text;
    int r = p ? property_check(&c->s->domains, d, p, value, &text, c->refusal) : -EINVAL;

    return r ? r : property_store(&c->s->domains, d, p, text.s);
}

static int set_template(struct call *c, struct domain *d)
{
    const char *global = d->class == CLASS_DISP ? "default_dispvm" : "default_template";
    struct property_text text;

    if (d->class != CLASS_APP && d->class != CLASS_DISP)
        return *c->argument ? refuse(c->refusal, "QubesValueError", "a %s has no template",
                                     class_name(d->class))
                            : 0;
    property_value(&c->s->domains, NULL, global, &text);
    if (!*c->argument && !text.s[0])
        return refuse(c->refusal, "QubesValueError", "no template is given, and %s is not set",
                      global);
    if (*c->argument && !domains_find_any(&c->s->domains, c->argument))
        return refuse(c->refusal, "QubesVMNotFoundError", "no such domain: '%s'", c->argument);
    return set_checked(c, d, "template", *c->argument ? c->argument : text.s);
}

static int fill_new(struct call *c, struct domain *d, const char *label)
{
    char tag[DOMAIN_NAME_MAX + 16];
    int r = set_checked(c, d, "label", label);

    r = r ? r : set_template(c, d);
    r = r ? r : format(tag, sizeof(tag), "created-by-%s", c->source);
    return r ? r : dict_set(&d->tags, tag, "");
}

static int check_name(const struct call *c, const char *name)
{
    if (!domain_name_valid(name))
        return refuse(c->refusal, "QubesValueError",
                      "'%s' is no name for a domain (a letter, then letters, digits, _ . -, at "
                      "most 31)",
                      name);
    if (!records_name_free(c->s, name))
        return refuse(c->refusal, "QubesVMAlreadyExistsError", "there is a domain '%s' already",
                      name);
    return 0;
}

static int create(struct call *c, bool pools)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    struct words w = {.elsewhere = false};
    enum domain_class class;
    int r;

    if (class_parse(c->verb, &class) || class == CLASS_ADMIN)
        return refuse(c->refusal, "QubesValueError", "no such class: '%s'", c->verb);
    if (!take_words(c->payload, pools, &w))
        return refuse(c->refusal, "ProtocolError", "the payload is not name=NAME label=LABEL");
    if (w.elsewhere)
        return refuse(c->refusal, "QubesException", "the only pool is 'local'");
    r = check_name(c, w.name);
    r = r ? r : domain_new(w.name, class, &d);
    r = r ? r : fill_new(c, d, w.label);
    r = r ? r : records_add(c->s, d);
    if (r)
        return r;
    d = NULL;
    spawner_event(c->s, w.name, "domain-create-on-disk", NULL);
    return 0;
}

int method_vm_create(struct call *c)
{
    return create(c, false);
}

int method_vm_create_in_pool(struct call *c)
{
    return create(c, true);
}

/* dom0 as DEST: what the caller's default is. */
static struct domain *wanted_template(const struct call *c)
{
    const struct domain *source = domains_find(&c->s->domains, c->source);

    if (c->dest->class != CLASS_ADMIN)
        return c->dest;
    return source ? property_domain(&c->s->domains, source, "default_dispvm") : NULL;
}

static int new_disposable(struct call *c, struct domain **ret)
{
    struct domain *template = wanted_template(c);

    if (!template)
        return refuse(c->refusal, "QubesException",
                      "%s has no default_dispvm, so it gets no disposable", c->source);
    return disposable_new(c->s, template, c->source, ret, c->refusal);
}

int method_create_disposable(struct call *c)
{
    bool uuid = str_equal(c->payload, "uuid");
    struct domain *d;
    int r;

    if (*c->argument || (*c->payload && !uuid))
        return refuse(c->refusal, "ProtocolError",
                      "no such argument or payload (disposables are not preloaded here)");
    r = new_disposable(c, &d);
    if (r)
        return r;
    return uuid ? buf_appendf(c->content, "uuid:%s", d->uuid) : buf_append_str(c->content, d->name);
}

int method_lease_disposable(struct call *c)
{
    struct domain *d;
    int r = new_disposable(c, &d);

    if (r)
        return r;
    c->rq->lease = true;
    later(c, d, WAIT_RUNNING, (property_int(&c->s->domains, d, "qrexec_timeout") + 5ULL) * 1000);
    return not_later(c, life_start(c->s, d, c->refusal));
}

int method_vm_remove(struct call *c)
{
    struct property_text use;

    if (c->dest->class == CLASS_ADMIN)
        return refuse(c->refusal, "QubesVMInUseError", "dom0 cannot be removed");
    if (domain_is_up(c->dest) && c->dest->class != CLASS_REMOTE)
        return refuse(c->refusal, "QubesVMNotHaltedError", "%s is running: qvm-shutdown --wait %s",
                      c->dest->name, c->dest->name);
    if (property_uses(&c->s->domains, c->dest, &use))
        return refuse(c->refusal, "QubesVMInUseError", "%s is in use: %.200s", c->dest->name,
                      use.s);
    records_remove(c->s, c->dest);
    return 0;
}

/* ---- Running ---- */

int method_vm_start(struct call *c)
{
    uint64_t seconds = property_int(&c->s->domains, c->dest, "qrexec_timeout") + 5ULL;
    int r;

    if (c->dest->state == STATE_TRANSIENT)
        return later(c, c->dest, WAIT_RUNNING, seconds * 1000);
    if (domain_is_up(c->dest))
        return life_start(c->s, c->dest, c->refusal);
    later(c, c->dest, WAIT_RUNNING, seconds * 1000);
    r = life_start(c->s, c->dest, c->refusal);
    return not_later(c, r);
}

static int check_clients(const struct call *c)
{
    for (size_t i = 0; i < c->s->domains.n; i++) {
        const struct domain *d = c->s->domains.list[i];

        if (d != c->dest && domain_is_up(d) &&
            property_domain(&c->s->domains, d, "netvm") == c->dest)
            return refuse(c->refusal, "QubesVMInUseError", "%s is the netvm of %s, which runs",
                          c->dest->name, d->name);
    }
    return 0;
}

static int check_up(const struct call *c)
{
    if (!domain_is_up(c->dest) || c->dest->class == CLASS_ADMIN || c->dest->class == CLASS_REMOTE)
        return refuse(c->refusal, "QubesVMNotStartedError", "%s is not running", c->dest->name);
    return 0;
}

int method_vm_shutdown(struct call *c)
{
    static const char *const forms[] = {"", "force", "wait", "force+wait", "wait+force"};
    bool force = strstr(c->argument, "force"), wait = strstr(c->argument, "wait"), known = false;
    uint64_t seconds = property_int(&c->s->domains, c->dest, "shutdown_timeout");
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        known |= str_equal(c->argument, forms[i]);
    if (!known)
        return refuse(c->refusal, "ProtocolError", "the argument is force, wait or force+wait");
    r = check_up(c);
    if (!r && c->dest->state == STATE_PAUSED && !force)
        r = refuse(c->refusal, "QubesVMNotRunningError", "%s is paused", c->dest->name);
    if (!r && !force)
        r = check_clients(c);
    if (r)
        return r;
    if (wait) {
        later(c, c->dest, WAIT_GONE, seconds * 1000);
        c->rq->shutdown = true;
    }
    r = life_shutdown(c->s, c->dest, force, c->refusal);
    return wait ? not_later(c, r) : r;
}

int method_vm_kill(struct call *c)
{
    int r;

    if (disposable_is_ephemeral(c->s, c->dest) && !domain_is_up(c->dest)) {
        records_remove(c->s, c->dest);
        return 0;
    }
    r = check_up(c);
    if (r)
        return r;
    later(c, c->dest, WAIT_GONE, KILL_MS);
    return not_later(c, life_kill(c->s, c->dest, c->refusal));
}

int method_vm_pause(struct call *c)
{
    bool pause = str_equal(c->verb, "Pause") || str_equal(c->verb, "Suspend");

    if (c->dest->class == CLASS_ADMIN || c->dest->class == CLASS_REMOTE ||
        (pause && c->dest->state != STATE_RUNNING))
        return refuse(c->refusal, "QubesVMNotRunningError", "%s is not running", c->dest->name);
    if (!pause && c->dest->state != STATE_PAUSED)
        return refuse(c->refusal, "QubesVMNotPausedError", "%s is not paused", c->dest->name);
    later(c, c->dest, WAIT_PAUSE, PAUSE_MS);
    return not_later(c, life_pause(c->s, c->dest, pause, c->refusal));
}

/* ---- Streams ---- */

static int stream(struct call *c, enum stream kind)
{
    const char *subject = c->dest->class != CLASS_ADMIN ? c->dest->name
                          : c->from_domain              ? c->source
                                                        : "";

    return events_begin(c->rq, kind, subject);
}

int method_events(struct call *c)
{
    return stream(c, STREAM_EVENTS);
}

int method_stats(struct call *c)
{
    return stream(c, STREAM_STATS);
}
