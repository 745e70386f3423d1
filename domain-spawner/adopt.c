/*
 * Domains that outlived the helper, or us: Xen's do.
 *
 * A new helper tells of each domain that it sees, then says hello. Those whose uuid is in the
 * registry are taken over as they are; disposables are ended, since the daemon that their call went
 * through is gone. One that nobody sees any more is down. A disposable that an earlier spawner made
 * is known by the journal. Others' domains are never touched.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/log.h"

#include <errno.h>
#include <time.h>

#define AGAIN_MS 20 /* the helper has not read all of it yet */

static bool is_local(const struct domain *d)
{
    return d->class != CLASS_ADMIN && d->class != CLASS_REMOTE;
}

void adopt_wait(struct spawner *s)
{
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;

        if (!d || !is_local(d) || !domain_is_up(d))
            continue;
        d->found = false;
        d->asked_id = d->stats_id = 0;
        if (d->state == STATE_TRANSIENT)
            life_down(s, d, STATE_HALTED, "the backend ended");
        else if (!s->outlive)
            life_down(s, d, STATE_HALTED, NULL);
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

static int adopt_one(struct spawner *s, struct domain *d)
{
    struct helper_request rq = {.type = HELPER_ADOPT};
    int r = life_spec(s, d, &rq.spec);

    r = r ? r : helper_link_tell(s, &rq);
    if (r)
        return r;
    d->found = false;
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
        int r = d->found ? adopt_one(s, d) : 0;

        if (r == -EAGAIN) {
            timer_set(&s->adopt, AGAIN_MS);
            return;
        }
        if (r)
            log_error("%s: it runs, but cannot be taken over: %s", d->name, strerror(-r));
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

void adopt_begin(struct spawner *s)
{
    for (size_t i = s->domains.n; i-- > 0;) {
        struct domain *d = i < s->domains.n ? s->domains.list[i] : NULL;

        if (d && is_local(d) && domain_is_up(d) && !d->found && d->state != STATE_TRANSIENT)
            life_down(s, d, STATE_HALTED, NULL);
    }
    release_names(s);
    s->adopt.fn = on_timer;
    adopt_on(s);
}
