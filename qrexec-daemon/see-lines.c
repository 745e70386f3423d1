/* A call as a line: see see.h. */
#include "qrexec-daemon/see.h"

#include "libqrexec/base/io.h"

#include <inttypes.h>

/* What could end a field or steer a terminal is not in a line. */
static int put(struct buf *b, const char *key, const char *value)
{
    char clean[256];
    size_t n = 0;

    for (; value[n] && n + 1 < sizeof(clean); n++)
        clean[n] = value[n] < ' ' || value[n] > '~' ? '_' : value[n];
    clean[n] = 0;
    return buf_appendf(b, "\t%s=%s", key, clean);
}

static int put_number(struct buf *b, const char *key, uint64_t value)
{
    return buf_appendf(b, "\t%s=%" PRIu64, key, value);
}

static int put_counts(struct buf *b, const struct call_counts *c)
{
    int r = c->known ? put_number(b, "sent", c->sent) : 0;

    if (!r && c->known)
        r = put_number(b, "received", c->received);
    if (!r && c->first_us)
        r = put_number(b, "first", c->first_us);
    return r;
}

/* now: the state that goes on; it has lasted since entered_at. */
static int put_stages(struct buf *b, const uint64_t *spent, enum call_state now,
                      uint64_t entered_at)
{
    static const char *const keys[CALL_STATES] = {
        [CALL_DECIDING] = "deciding",     [CALL_MAKING] = "making",   [CALL_ASKING_PORT] = "asking",
        [CALL_CONNECTING] = "connecting", [CALL_RUNNING] = "running", [CALL_ENDING] = "ending"};
    int r = 0;

    for (int i = 0; i < CALL_STATES && !r; i++)
        r = put_number(b, keys[i], spent[i] + (i == (int)now ? clock_us() - entered_at : 0));
    return r;
}

static int put_names(struct buf *b, const char *source, const char *asked, const char *target,
                     const char *service)
{
    int r = put(b, "source", source);

    if (!r)
        r = put(b, "asked", asked);
    if (!r)
        r = put(b, "target", target);
    return r ? r : put(b, "service", service);
}

/* The other end of the data connection, once it is agreed. */
static int put_peer(struct buf *b, uint32_t domain, uint32_t port)
{
    int r = port ? put_number(b, "domain", domain) : 0;

    return r || !port ? r : put_number(b, "port", port);
}

static int put_head(struct buf *b, const char *word, const char *id, bool incoming,
                    enum call_state state)
{
    int r = buf_append_str(b, word);

    if (!r)
        r = put(b, "id", id);
    if (!r)
        r = put(b, "direction", incoming ? "in" : "out");
    return r ? r : put(b, "state", call_state_name(state));
}

int see_line_running(struct buf *b, const char *word, const struct running_call *c, const char *how)
{
    static const char *const targets[] = {
        [CALL_TO_DOM0] = "dom0", [CALL_TO_VM] = "", [CALL_TO_DISPOSABLE] = ""};
    const char *target = *c->target_name ? c->target_name
                         : *c->target    ? c->target
                                         : targets[c->machine.target];
    int r = put_head(b, word, c->id, false, c->machine.state);

    if (c->machine.state == CALL_DECIDING)
        target = "";
    if (!r)
        r = put_names(b, c->daemon->name, *c->request.target ? c->request.target : "@default",
                      target, c->service);
    if (!r)
        r = put_peer(b, c->domain, c->port);
    if (!r)
        r = put_number(b, "since", c->since);
    if (!r)
        r = put_stages(b, c->spent, c->last_state, c->entered_at);
    if (!r)
        r = put_counts(b, &c->counts);
    return r || !how ? r : put(b, "how", how);
}

int see_line_carried(struct buf *b, const char *word, const struct carried *c, const char *how)
{
    int r = put_head(b, word, c->id, c->incoming, CALL_RUNNING);

    if (!r)
        r = put_names(b, c->source, c->asked, c->target, c->service);
    if (!r)
        r = put_peer(b, c->domain, c->port);
    if (!r)
        r = put_number(b, "since", c->since);
    if (!r)
        r = put_stages(b, c->spent, how ? CALL_STATES : CALL_RUNNING, c->entered_at);
    if (!r)
        r = put_counts(b, &c->counts);
    return r || !how ? r : put(b, "how", how);
}
