/*
 * Starting and ending domains: what a domain's state is, and who is told.
 *
 *   Halted -start-> Transient -running-> Running <-pause-> Paused
 *   any of these -shutdown-> Halting, -kill-> Dying; -gone-> Halted
 *
 * One whose agent is late stays Transient: who waits for it is refused, and it lives on.
 *
 * A domain that is up has a create at the helper (create_id), or waits for its netvm, which starts
 * first. The helper ends each create in "start-failed" or "gone"; then an ephemeral disposable's
 * record is removed. Names, not pointers, are kept by those who wait.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define NETVM_DEPTH 64

void life_set_state(struct spawner *s, struct domain *d, enum domain_state state)
{
    log_debug("%s: %s, was %s", d->name, state_name(state), state_name(d->state));
    d->state = state;
    spawner_changed(s);
}

static void text_property(struct spawner *s, const struct domain *d, const char *name, char *buf,
                          size_t size)
{
    struct property_text t;

    property_value(&s->domains, d, name, &t);
    if (format(buf, size, "%s", t.s))
        buf[0] = 0;
}

int life_spec(struct spawner *s, const struct domain *d, struct domain_spec *spec)
{
    struct domain *template = domain_template(&s->domains, d),
                  *netvm = property_domain(&s->domains, d, "netvm");
    char path[PATH_SIZE];
    int r = path_get(path, "/var/lib/qubes/homes/%s", d->name);

    *spec = (struct domain_spec){
        .disposable = d->class == CLASS_DISP,
        .networked = netvm != NULL,
        .netvm = netvm ? netvm->domid : 0,
        .memory_mib = property_int(&s->domains, d, "memory"),
        .maxmem_mib = property_int(&s->domains, d, "maxmem"),
        .vcpus = property_int(&s->domains, d, "vcpus"),
        .start_seconds = property_int(&s->domains, d, "qrexec_timeout"),
    };
    if (!spec->vcpus)
        spec->vcpus = 1;
    if (!spec->start_seconds)
        spec->start_seconds = 60;
    r = r ? r : format(spec->name, sizeof(spec->name), "%s", d->name);
    r = r ? r : format(spec->uuid, sizeof(spec->uuid), "%s", d->uuid);
    r = r ? r : format(spec->type, sizeof(spec->type), "%s", class_name(d->class));
    r = r ? r : format(spec->home, sizeof(spec->home), "%s", path);
    if (!r && spec->disposable && template) {
        r = path_get(path, "/var/lib/qubes/homes/%s", template->name);
        r = r ? r : format(spec->home_from, sizeof(spec->home_from), "%s", path);
    }
    text_property(s, d, "default_user", spec->default_user, sizeof(spec->default_user));
    text_property(s, d, "virt_mode", spec->virt_mode, sizeof(spec->virt_mode));
    text_property(s, d, "kernel", spec->kernel, sizeof(spec->kernel));
    text_property(s, d, "kernelopts", spec->kernelopts, sizeof(spec->kernelopts));
    text_property(s, d, "ramdisk", spec->ramdisk, sizeof(spec->ramdisk));
    text_property(s, d, "root_image", spec->root_image, sizeof(spec->root_image));
    /* a disposable's is a copy of its template's, which the helper makes */
    text_property(s, spec->disposable && template ? template : d, "private_image",
                  spec->private_image, sizeof(spec->private_image));
    return r;
}

static int begin(struct spawner *s, struct domain *d)
{
    static const char *const guid[] = {"start_guid", "True", NULL};
    struct helper_request rq = {.type = HELPER_CREATE};
    int r = life_spec(s, d, &rq.spec);

    if (!r)
        r = helper_link_tell(s, &rq);
    if (r)
        return r;
    d->create_id = rq.id;
    spawner_event(s, d->name, "domain-pre-spawn", guid);
    spawner_event(s, d->name, "domain-spawn", guid);
    return 0;
}

/* 0, or REFUSED: a chain without end (a file edited by hand). */
static int check_chain(const struct spawner *s, const struct domain *d, struct refusal *refusal)
{
    const struct domain *n = d;

    for (int depth = 0; n && depth < NETVM_DEPTH; depth++)
        n = property_domain(&s->domains, n, "netvm");
    return n ? refuse(refusal, "QubesVMError", "%s: its netvms form a loop", d->name) : 0;
}

static int start_after(struct spawner *s, struct domain *d, struct refusal *refusal)
{
    static const char *const guid[] = {"start_guid", "True", NULL};
    struct domain *netvm = property_domain(&s->domains, d, "netvm");
    int r = netvm ? life_start(s, netvm, refusal) : 0;

    if (r)
        return r;
    d->create_id = 0;
    d->starting = d->ever_started = true;
    spawner_event(s, d->name, "domain-pre-start", guid);
    life_set_state(s, d, STATE_TRANSIENT);
    if (netvm && netvm->state == STATE_TRANSIENT)
        return 0; /* life_running() of the netvm goes on */
    r = begin(s, d);
    if (!r)
        return 0;
    refuse(refusal, "QubesVMError", "%s cannot be started: %s", d->name,
           r == -ENOTCONN ? "the backend is not there" : strerror(-r));
    life_down(s, d, STATE_HALTED, refusal->text);
    return REFUSED;
}

int life_start(struct spawner *s, struct domain *d, struct refusal *refusal)
{
    const char *prohibited = dict_get(&d->features, "prohibit-start");
    int r;

    if (d->class == CLASS_ADMIN || d->class == CLASS_REMOTE)
        return refuse(refusal, "QubesVMNotHaltedError", "%s is always running", d->name);
    if (domain_is_up(d))
        return 0;
    if (prohibited && *prohibited)
        return refuse(refusal, "QubesException", "%s may not be started: %s", d->name, prohibited);
    r = check_chain(s, d, refusal);
    return r ? r : start_after(s, d, refusal);
}

/* Those that waited for it go on, or cannot. */
static void netvm_reached(struct spawner *s, const char *netvm, bool runs)
{
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;
        const struct domain *n;

        if (!d || d->state != STATE_TRANSIENT || d->create_id)
            continue;
        n = property_domain(&s->domains, d, "netvm");
        if (n && !str_equal(n->name, netvm))
            continue;
        if (!runs || begin(s, d))
            life_down(s, d, STATE_HALTED,
                      runs ? "the backend is not there" : "its netvm did not start");
    }
}

void life_running(struct spawner *s, struct domain *d, uint32_t domid)
{
    static const char *const guid[] = {"start_guid", "True", NULL};

    d->domid = domid;
    d->starting = false;
    if (!d->start_time) /* else it was adopted */
        d->start_time = (int64_t)time(NULL);
    if (d->state != STATE_TRANSIENT) {
        spawner_changed(s); /* on its way down already */
        return;
    }
    life_set_state(s, d, STATE_RUNNING);
    spawner_event(s, d->name, "domain-start", guid);
    server_domain_reached(s, d->name, WAIT_RUNNING, NULL);
    netvm_reached(s, d->name, true);
}

void life_late(struct spawner *s, struct domain *d, const char *why)
{
    char text[2 * DOMAIN_TEXT_SIZE];

    if (d->state != STATE_TRANSIENT)
        return; /* it is to end anyway */
    log_warning("%s: %s; it is left running", d->name, why);
    snprintf(text, sizeof(text), "%s; it is left running until then (or until qvm-kill %s)", why,
             d->name);
    server_domain_reached(s, d->name, WAIT_RUNNING, text);
    netvm_reached(s, d->name, false);
}

static void tell_down(struct spawner *s, const struct domain *d, const char *why)
{
    const char *const reason[] = {"reason", why, NULL};

    if (why) {
        log_error("%s: did not start: %s", d->name, why);
        spawner_event(s, d->name, "domain-start-failed", reason);
    }
    spawner_event(s, d->name, "domain-stopped", NULL);
    spawner_event(s, d->name, "domain-shutdown", NULL);
}

void life_down(struct spawner *s, struct domain *d, enum domain_state state, const char *why)
{
    char name[DOMAIN_NAME_MAX + 1];

    snprintf(name, sizeof(name), "%s", d->name);
    d->domid = 0;
    d->start_time = 0;
    d->starting = false;
    d->create_id = d->asked_id = d->stats_id = 0;
    d->now = d->before = (struct domain_figures){0};
    life_set_state(s, d, state);
    tell_down(s, d, why);
    server_domain_reached(s, name, WAIT_STATS, NULL);
    if (disposable_is_ephemeral(s, d))
        records_remove(s, d);
    server_domain_reached(s, name, WAIT_RUNNING, why ? why : "it ended before its agent answered");
    server_domain_reached(s, name, WAIT_PAUSE, "it has ended");
    server_domain_reached(s, name, WAIT_GONE, NULL);
    server_domain_gone(s, name);
    netvm_reached(s, name, false);
}

int life_ask(struct spawner *s, const struct domain *d, enum helper_request_type type,
             uint64_t *ret_id)
{
    struct helper_request rq = {.type = type};
    int r;

    memcpy(rq.spec.uuid, d->uuid, sizeof(rq.spec.uuid));
    r = helper_link_tell(s, &rq);
    if (!r && ret_id)
        *ret_id = rq.id;
    return r;
}

static int failed(const struct domain *d, const char *what, int r, struct refusal *refusal)
{
    return refuse(refusal, "QubesVMError", "%s cannot be %s: %s", d->name, what,
                  r == -ENOTCONN ? "the backend is not there" : strerror(-r));
}

/* Where it outlives the helper, the next one is told how it is to end (adopt.c). */
static int ask_end(struct spawner *s, const struct domain *d, enum helper_request_type type)
{
    int r = life_ask(s, d, type, NULL);

    return r == -ENOTCONN && s->outlive ? 0 : r;
}

int life_shutdown(struct spawner *s, struct domain *d, bool force, struct refusal *refusal)
{
    const char *const pairs[] = {"force", force ? "True" : "False", NULL};
    int r;

    if (d->state == STATE_TRANSIENT && !d->create_id)
        return life_kill(s, d, refusal);
    spawner_event(s, d->name, "domain-pre-shutdown", pairs);
    if (d->state == STATE_PAUSED)
        (void)life_ask(s, d, HELPER_UNPAUSE, NULL); /* it could not obey */
    r = ask_end(s, d, HELPER_SHUTDOWN);
    if (r)
        return failed(d, "shut down", r, refusal);
    if (d->state != STATE_DYING)
        life_set_state(s, d, STATE_HALTING);
    return 0;
}

int life_kill(struct spawner *s, struct domain *d, struct refusal *refusal)
{
    int r;

    if (d->state == STATE_TRANSIENT && !d->create_id) {
        life_down(s, d, STATE_HALTED, "it was killed");
        return 0;
    }
    r = ask_end(s, d, HELPER_DESTROY);
    if (r)
        return failed(d, "killed", r, refusal);
    life_set_state(s, d, STATE_DYING);
    return 0;
}

int life_pause(struct spawner *s, struct domain *d, bool pause, struct refusal *refusal)
{
    int r;

    spawner_event(s, d->name, pause ? "domain-pre-paused" : "domain-pre-unpaused", NULL);
    r = life_ask(s, d, pause ? HELPER_PAUSE : HELPER_UNPAUSE, &d->asked_id);
    return r ? failed(d, pause ? "paused" : "unpaused", r, refusal) : 0;
}

int life_ask_figures(struct spawner *s, struct domain *d)
{
    return life_ask(s, d, HELPER_STATS, &d->stats_id);
}

static void on_paused(struct spawner *s, struct domain *d, const char *error)
{
    bool pause = d->state == STATE_RUNNING;

    d->asked_id = 0;
    if (!*error && (pause || d->state == STATE_PAUSED)) {
        life_set_state(s, d, pause ? STATE_PAUSED : STATE_RUNNING);
        spawner_event(s, d->name, pause ? "domain-paused" : "domain-unpaused", NULL);
    }
    server_domain_reached(s, d->name, WAIT_PAUSE, *error ? error : NULL);
}

static void on_figures(struct spawner *s, struct domain *d, const struct domain_stats *f)
{
    d->stats_id = 0;
    d->before = d->now;
    d->now = (struct domain_figures){f->memory_kib, f->maxmem_kib, f->cpu_ns, clock_ms()};
    server_domain_reached(s, d->name, WAIT_STATS, NULL);
    events_tell_figures(s, d);
}

void life_answer(struct spawner *s, const struct helper_message *m)
{
    for (size_t i = 0; i < s->domains.n; i++) {
        struct domain *d = s->domains.list[i];

        if (d->create_id == m->id && *m->text) {
            life_down(s, d, STATE_HALTED, m->text);
            return;
        }
        if (d->create_id == m->id && m->domid) {
            d->domid = m->domid;
            if (m->paused && (d->state == STATE_RUNNING || d->state == STATE_TRANSIENT))
                life_set_state(s, d, STATE_PAUSED);
        } else if (d->asked_id == m->id)
            on_paused(s, d, m->text);
        else if (d->stats_id == m->id)
            on_figures(s, d, &m->stats);
        else
            continue;
        return;
    }
    if (*m->text)
        log_warning("the backend refuses: %s", m->text);
}
