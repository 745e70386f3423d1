/* The calls that qrexec-calls shows: see calls-table.h. */
#include "qrexec-daemon/calls-table.h"

#include "libqrexec/base/call-id.h"
#include "libqrexec/base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

const char *const table_stages[TABLE_STAGES] = {"deciding",   "making",  "asking",
                                                "connecting", "running", "ending"};

void table_read(struct shown *ret, const struct asked *from, const char *line)
{
    struct shown s = {.since = 0};
    char direction[8];
    uint64_t sent = 0, received = 0;

    (void)from;
    (void)ask_field(line, "id", s.id, sizeof(s.id));
    (void)ask_field(line, "state", s.state, sizeof(s.state));
    (void)ask_field(line, "source", s.source, sizeof(s.source));
    (void)ask_field(line, "asked", s.asked, sizeof(s.asked));
    (void)ask_field(line, "target", s.target, sizeof(s.target));
    (void)ask_field(line, "service", s.service, sizeof(s.service));
    (void)ask_field(line, "direction", direction, sizeof(direction));
    s.outgoing = str_equal(direction, "out");
    (void)ask_number(line, "since", &s.since);
    (void)ask_number(line, "domain", &s.domain);
    s.has_bytes = ask_number(line, "sent", &sent) && ask_number(line, "received", &received);
    s.has_first = ask_number(line, "first", &s.first_us);
    s.to_target = s.outgoing ? sent : received;
    s.to_source = s.outgoing ? received : sent;
    for (size_t i = 0; i < TABLE_STAGES; i++)
        (void)ask_number(line, table_stages[i], &s.stages[i]);
    *ret = s;
}

static void take_bytes(struct shown *to, const struct shown *from)
{
    to->has_bytes = from->has_bytes;
    to->to_target = from->to_target;
    to->to_source = from->to_source;
    to->has_first = from->has_first;
    to->first_us = from->first_us;
}

/* Both ends of one call: the caller's daemon is right, but for bytes that it does not know. */
static void join(struct shown *known, const struct shown *new)
{
    struct shown old = *known;

    if (new->outgoing && !known->outgoing)
        *known = *new;
    if (!known->has_bytes)
        take_bytes(known, new->has_bytes ? new : &old);
}

int table_take(struct table *t, const struct asked *from, const char *line)
{
    struct shown s, *grown;

    table_read(&s, from, line);
    if (!call_id_is_valid(s.id))
        return 0;
    for (size_t i = 0; i < t->n; i++)
        if (str_equal(t->calls[i].id, s.id)) {
            join(&t->calls[i], &s);
            return 0;
        }
    grown = realloc(t->calls, (t->n + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    t->calls = grown;
    t->calls[t->n++] = s;
    return 0;
}

void table_name(struct shown *s, const struct ask *a)
{
    if (*s->source)
        return;
    (void)format(s->source, sizeof(s->source), s->domain ? "domain %" PRIu64 : "dom0", s->domain);
    for (size_t i = 0; i < a->n; i++)
        if (s->domain && a->daemons[i].domain == s->domain && *a->daemons[i].name)
            (void)format(s->source, sizeof(s->source), "%s", a->daemons[i].name);
}

static int older(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;

    return x->since != y->since ? (x->since > y->since) - (x->since < y->since)
                                : strcmp(x->id, y->id);
}

void table_sort(struct table *t)
{
    if (t->n)
        qsort(t->calls, t->n, sizeof(*t->calls), older);
}

void table_deinit(struct table *t)
{
    free(t->calls);
}

/* ---- For people ---- */

static const char *bytes(char buf[static 24], const struct shown *s, uint64_t n)
{
    if (!s->has_bytes)
        return "-";
    (void)format(buf, 24, "%" PRIu64, n);
    return buf;
}

static const char *age(char buf[static 24], uint64_t since)
{
    uint64_t now = call_id_clock(), s = now > since ? (now - since) / 1000 : 0;

    if (s < 60)
        (void)format(buf, 24, "%" PRIu64 "s", s);
    else if (s < 3600)
        (void)format(buf, 24, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else
        (void)format(buf, 24, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    return buf;
}

static const char *target_of(const struct shown *s)
{
    return *s->target ? s->target : *s->asked ? s->asked : "-";
}

#define COLUMNS 8

static void cells_of(const struct shown *s, char store[static 3][24], const char *ret[COLUMNS])
{
    const char *all[COLUMNS] = {s->id,
                                s->state,
                                age(store[0], s->since),
                                s->source,
                                target_of(s),
                                bytes(store[1], s, s->to_target),
                                bytes(store[2], s, s->to_source),
                                s->service};

    memcpy(ret, all, sizeof(all));
}

static void print_row(const char *const cells[COLUMNS], const size_t widths[COLUMNS])
{
    for (size_t k = 0; k + 1 < COLUMNS; k++)
        printf("%-*s  ", (int)widths[k], cells[k]);
    printf("%s\n", cells[COLUMNS - 1]);
}

void table_print(const struct table *t)
{
    static const char *const heads[COLUMNS] = {"ID",     "STATE",     "SINCE",     "SOURCE",
                                               "TARGET", "TO-TARGET", "TO-SOURCE", "SERVICE"};
    size_t widths[COLUMNS];
    const char *cells[COLUMNS];
    char store[3][24];

    for (size_t k = 0; k < COLUMNS; k++)
        widths[k] = strlen(heads[k]);
    for (size_t i = 0; i < t->n; i++) {
        cells_of(&t->calls[i], store, cells);
        for (size_t k = 0; k < COLUMNS; k++)
            widths[k] = strlen(cells[k]) > widths[k] ? strlen(cells[k]) : widths[k];
    }
    print_row(heads, widths);
    for (size_t i = 0; i < t->n; i++) {
        cells_of(&t->calls[i], store, cells);
        print_row(cells, widths);
    }
}

/* ---- For programs ---- */

static json_t *number_or_null(bool known, uint64_t n)
{
    return known ? json_integer((json_int_t)n) : json_null();
}

static json_t *object_of(const struct shown *s)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:o, s:o}", "id", s->id, "state",
                          s->state, "source", s->source, "requested_target", s->asked, "target",
                          s->target, "service", s->service, "since", (double)s->since / 1000,
                          "bytes_to_target", number_or_null(s->has_bytes, s->to_target),
                          "bytes_to_source", number_or_null(s->has_bytes, s->to_source));
    json_t *micros = json_object();

    for (size_t i = 0; i < TABLE_STAGES; i++)
        json_object_set_new(micros, table_stages[i], json_integer((json_int_t)s->stages[i]));
    json_object_set_new(micros, "first_byte", number_or_null(s->has_first, s->first_us));
    json_object_set_new(o, "micros", micros);
    return o;
}

static int print_json(json_t *o, size_t flags)
{
    int r = o ? json_dumpf(o, stdout, flags) : -1;

    json_decref(o);
    putchar('\n');
    return r ? -ENOMEM : 0;
}

int table_print_json(const struct table *t)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list, object_of(&t->calls[i]));
    return print_json(list, JSON_INDENT(2));
}

int table_print_event_json(const struct shown *s, const char *event, const char *how)
{
    json_t *o = object_of(s);

    json_object_set_new(o, "event", json_string(event));
    if (*how)
        json_object_set_new(o, "how", json_string(how));
    return print_json(o, JSON_COMPACT);
}
