/*
 * Domains that outlived the helper, or us: Xen's do.
 *
 * A new helper tells of each domain that it sees, then says hello. Those whose uuid is in the
 * registry are taken over as they are: one that was being started goes on starting. Disposables are
 * ended, since the daemon that their call went through is gone; a start of one has failed at once.
 * One that nobody sees any more is down. A disposable that an earlier spawner made is known by the
 * journal, so its record stays until a helper has seen it end. Others' domains are never touched.
 *
 * What this helper was asked to create before its hello is not taken over: the backend does that
 * itself if the domain lives. Its create is younger than the helper (create_id, helper_first).
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/log.h"

#include <errno.h>
#include <time.h>

#define AGAIN_MS 20 /* the helper has not read all of it yet */
#define ENDED    "the backend ended"

static bool is_local(const struct domain *d)
{
    return d->class != CLASS_ADMIN && d->class != CLASS_REMOTE;
}

static bool is_up(const struct domain *d)
{
    return is_local(d) && domain_is_up(d);
}

/* Nobody waits for it any more; the next helper ends what there is of it. */
static void give_up(struct spawner *s, struct domain *d)
{
    const char *const reason[] = {"reason", ENDED, NULL};

    life_set_state(s, d, STATE_DYING);
    spawner_event(s, d->name, "domain-start-failed", reason);
    server_domain_reached(s, d->name, WAIT_RUNNING, ENDED);
}

static void wait_for_next(struct spawner *s, struct domain *d)
{
    if (!s->outlive)
        life_down(s, d, STATE_HALTED, d->state == STATE_TRANSIENT ? ENDED : NULL);
    else if (d->class == CLASS_DISP && d->state == STATE_TRANSIENT && d->create_id)
        give_up(s, d);
}

void adopt_wait(struct spawner *s)
{
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;

        if (!d)
            continue;
        d->found = false;
        if (!is_up(d))
            continue;
        server_domain_reached(s, d->name, WAIT_PAUSE, ENDED);
        server_domain_reached(s, d->name, WAIT_STATS, NULL);
        wait_for_next(s, d);
    }
}

void adopt_found(struct spawner *s, const char *uuid)
{
    struct domain *d = domains_find_uuid(&s->domains, uuid);
    int r = d ? 0 : disposable_found(s, uuid, &d);

    if (r && r != -ENOENT)
        log_error("a disposable is left (uuid %s) and cannot be ended: %s", uuid, strerror(-r));
    if (!r)
        d->found = true;
}

static bool is_asked_for(const struct spawner *s, const struct domain *d)
{
    return d->create_id > s->helper_first;
}

static int adopt_one(struct spawner *s, struct domain *d)
{
    struct helper_request rq = {.type = HELPER_ADOPT};
    int r = life_spec(s, d, &rq.spec);

    rq.spec.starting = d->starting && d->state == STATE_TRANSIENT;
    r = r ? r : helper_link_tell(s, &rq);
    if (r)
        return r;
    d->create_id = rq.id;
    d->ever_started = true;
    if (!domain_is_up(d))
        life_set_state(s, d, STATE_TRANSIENT);
    if (d->class == CLASS_DISP)
        life_set_state(s, d, STATE_DYING); /* the helper ends it */
    else if (d->state == STATE_DYING)
        r = life_ask(s, d, HELPER_DESTROY, NULL);
    else if (d->state == STATE_HALTING)
        r = life_ask(s, d, HELPER_SHUTDOWN, NULL);
    if (r)
        log_warning("%s: how it was to end is lost; say it again", d->name);
    return 0;
}

static void adopt_on(struct spawner *s)
{
    for (size_t i = 0; i < s->domains.n; i++) {
        struct domain *d = s->domains.list[i];
        int r = d->found && !is_asked_for(s, d) ? adopt_one(s, d) : 0;

        if (r == -EAGAIN) {
            timer_set(&s->adopt, AGAIN_MS);
            return;
        }
        if (r)
            log_error("%s: it runs, but cannot be taken over: %s", d->name, strerror(-r));
        d->found = false;
    }
}

static void on_timer(struct timer *t)
{
    adopt_on(container_of(t, struct spawner, adopt));
}

/* Names of disposables that an earlier spawner made and that are no more. */
static void release_names(struct spawner *s)
{
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        if (*s->journal.uuid[i] && !domains_find_uuid(&s->domains, s->journal.uuid[i]))
            (void)journal_release(&s->journal, i, (int64_t)time(NULL));
}

/* One that waits for its netvm was not created yet, so there is nothing to be seen. */
static bool is_missing(const struct spawner *s, const struct domain *d)
{
    return is_up(d) && !d->found && !is_asked_for(s, d) &&
           (d->state != STATE_TRANSIENT || d->create_id);
}

void adopt_begin(struct spawner *s)
{
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;

        if (d && is_missing(s, d))
            life_down(s, d, STATE_HALTED, d->state == STATE_TRANSIENT ? ENDED : NULL);
    }
    release_names(s);
    s->adopt.fn = on_timer;
    adopt_on(s);
}
