/* Calls that are carried without us: see carried.h. */
#include "qrexec-daemon/carried.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <inttypes.h>

void carried_text(char *ret, size_t size, struct wire_text text)
{
    text.len = size_min(text.len, size - 1);
    (void)wire_text_copy(text, ret, size);
}

static void log_incoming(const struct daemon *d, const struct carried *c, const char *how)
{
    log_info("call %s: domain %u -> %s, port %u: %s: %s; us: port %" PRIu64 ", running %" PRIu64,
             c->id, c->domain, d->name, c->port, c->service, how, c->spent[CALL_ASKING_PORT],
             c->spent[CALL_RUNNING]);
}

static void log_outgoing(const struct carried *c, const char *how)
{
    log_info("call %s: %s -> %s = %s: %s: %s; us: deciding %" PRIu64 ", making %" PRIu64
             ", port %" PRIu64 ", running %" PRIu64,
             c->id, c->source, c->asked, c->target, c->service, how, c->spent[CALL_DECIDING],
             c->spent[CALL_MAKING], c->spent[CALL_ASKING_PORT], c->spent[CALL_RUNNING]);
}

static void end(struct daemon *d, struct carried *c, const char *how)
{
    c->spent[CALL_RUNNING] = clock_us() - c->entered_at;
    if (!log_limit_take(c->incoming ? &d->clients_log : &d->calls_log, d->name, "calls"))
        ;
    else if (c->incoming)
        log_incoming(d, c, how);
    else
        log_outgoing(c, how);
    *(c->prev ? &c->prev->next : &d->carried) = c->next;
    *(c->next ? &c->next->prev : &d->carried_last) = c->prev;
    d->n_carried--;
    see_forget_counts(d, &c->counts);
    see_carried_changed(d, c, how);
    free(c);
}

static void end_lost(struct daemon *d, uint32_t domain, uint32_t port)
{
    for (struct carried *c = d->carried, *next; c; c = next) {
        next = c->next;
        if (c->lost && c->domain == domain && c->port == port)
            end(d, c, "over, and its end was not seen");
    }
}

void carried_add(struct daemon *d, const struct carried *call)
{
    struct carried *c = malloc(sizeof(*c));

    if (!c)
        return;
    end_lost(d, call->domain, call->port);
    if (d->n_carried == CARRIED_MOST)
        end(d, d->carried_last, "forgotten: too many whose end the agent did not report");
    *c = *call;
    c->prev = NULL;
    c->next = d->carried;
    *(c->next ? &c->next->prev : &d->carried_last) = c;
    d->carried = c;
    d->n_carried++;
    see_carried_changed(d, c, NULL);
}

void carried_terminated(struct daemon *d, uint32_t domain, uint32_t port)
{
    struct carried *c = d->carried_last;

    while (c && (c->domain != domain || c->port != port))
        c = c->prev;
    if (c)
        end(d, c, "over");
}

void carried_lose(struct daemon *d)
{
    for (struct carried *c = d->carried; c; c = c->next)
        c->lost = !c->incoming;
}

void carried_forget(struct daemon *d)
{
    while (d->carried)
        end(d, d->carried, "its end was not seen");
}
