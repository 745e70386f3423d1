/*
 * Messages written: see message.h.
 *
 * A message that does not fit leaves the writer as it was but for its error.
 */
#include "libqrexec/wire/message.h"

/* Takes back what was written of a message that did not fit. */
static int finish(struct wire_writer *w, size_t start)
{
    if (w->error)
        w->len = start;
    return w->error;
}

int wire_write_header(struct wire_writer *w, uint32_t type, uint32_t len)
{
    size_t start = w->len;

    wire_put_u32(w, type);
    wire_put_u32(w, len);
    return finish(w, start);
}

int wire_write_hello(struct wire_writer *w, uint32_t version)
{
    size_t start = w->len;

    wire_write_header(w, MSG_HELLO, 4);
    wire_put_u32(w, version);
    return finish(w, start);
}

int wire_write_exec(struct wire_writer *w, uint32_t type, uint32_t domain, uint32_t port,
                    struct wire_text cmdline)
{
    size_t start = w->len;

    if (cmdline.len > WIRE_EXEC_AGENT_MAX - 9 || (cmdline.len && memchr(cmdline.s, 0, cmdline.len)))
        return WIRE_E_COMMAND;
    wire_write_header(w, type, (uint32_t)cmdline.len + 9);
    wire_put_u32(w, domain);
    wire_put_u32(w, port);
    wire_put_text(w, cmdline);
    wire_put_nul(w);
    return finish(w, start);
}

int wire_write_bare_peer(struct wire_writer *w, uint32_t domain, uint32_t port)
{
    size_t start = w->len;

    wire_put_u32(w, domain);
    wire_put_u32(w, port);
    return finish(w, start);
}

int wire_write_peer(struct wire_writer *w, uint32_t type, uint32_t domain, uint32_t port)
{
    size_t start = w->len;

    wire_write_header(w, type, 8);
    wire_write_bare_peer(w, domain, port);
    return finish(w, start);
}

int wire_write_connect(struct wire_writer *w, uint32_t domain, uint32_t port,
                       const struct wire_ident *ident)
{
    size_t start = w->len;

    wire_write_header(w, MSG_SERVICE_CONNECT, 8 + WIRE_IDENT_SIZE);
    wire_write_bare_peer(w, domain, port);
    wire_put_bytes(w, ident->bytes, WIRE_IDENT_SIZE);
    return finish(w, start);
}

int wire_write_refused(struct wire_writer *w, const struct wire_ident *ident)
{
    size_t start = w->len;

    wire_write_header(w, MSG_SERVICE_REFUSED, WIRE_IDENT_SIZE);
    wire_put_bytes(w, ident->bytes, WIRE_IDENT_SIZE);
    return finish(w, start);
}

int wire_write_bare_counts(struct wire_writer *w, const struct wire_counts *c)
{
    size_t start = w->len;

    wire_put_u32(w, c->domain);
    wire_put_u32(w, c->port);
    wire_put_u64(w, c->sent);
    wire_put_u64(w, c->received);
    wire_put_u64(w, c->first_us);
    return finish(w, start);
}

int wire_write_counts(struct wire_writer *w, const struct wire_counts *c)
{
    size_t start = w->len;

    wire_write_header(w, MSG_CALL_COUNTS, WIRE_COUNTS_SIZE);
    wire_write_bare_counts(w, c);
    return finish(w, start);
}

/* A fixed field, NUL-padded; text was checked to be shorter. */
static void put_field(struct wire_writer *w, const char *text, size_t text_len, size_t size)
{
    static const char zeroes[WIRE_NAME_SIZE];

    wire_put_bytes(w, text, text_len);
    wire_put_bytes(w, zeroes, size - text_len);
}

static int write_trigger2(struct wire_writer *w, const struct wire_trigger *t)
{
    size_t name = t->service.len - 1, target = strlen(t->target), start = w->len;

    /* the field's own NUL may be missing or doubled: the daemon would judge another name then */
    if (t->source[0] || name >= WIRE_NAME_SIZE || target >= 32)
        return WIRE_E_UNFIT;
    if (memchr(t->service.s, 0, t->service.len) != t->service.s + name)
        return WIRE_E_SERVICE;
    wire_write_header(w, MSG_TRIGGER_SERVICE, WIRE_NAME_SIZE + 32 + WIRE_IDENT_SIZE);
    put_field(w, t->service.s, name, WIRE_NAME_SIZE);
    put_field(w, t->target, target, 32);
    wire_put_bytes(w, t->ident.bytes, WIRE_IDENT_SIZE);
    return finish(w, start);
}

int wire_write_trigger(struct wire_writer *w, uint32_t version, const struct wire_trigger *t)
{
    uint32_t fixed = WIRE_NAME_SIZE + WIRE_IDENT_SIZE;
    size_t start = w->len;

    if (!t->service.len || t->service.len > WIRE_SERVICE_SIZE)
        return WIRE_E_SERVICE;
    if (version <= 2)
        return write_trigger2(w, t);
    if (version == 3 && t->source[0])
        return WIRE_E_UNFIT;
    if (version == 3) {
        wire_write_header(w, MSG_TRIGGER_SERVICE3, fixed + (uint32_t)t->service.len);
    } else {
        fixed += WIRE_NAME_SIZE;
        wire_write_header(w, MSG_TRIGGER_SERVICE4, fixed + (uint32_t)t->service.len);
        put_field(w, t->source, strlen(t->source), WIRE_NAME_SIZE);
    }
    put_field(w, t->target, strlen(t->target), WIRE_NAME_SIZE);
    wire_put_bytes(w, t->ident.bytes, WIRE_IDENT_SIZE);
    wire_put_text(w, t->service);
    return finish(w, start);
}

struct wire_trigger wire_trigger_new(const char *source, const char *target, const char *service,
                                     const struct wire_ident *ident)
{
    struct wire_trigger t = {.type = MSG_TRIGGER_SERVICE4, .ident = *ident};

    memcpy(t.source, source, strnlen(source, WIRE_NAME_SIZE - 1));
    memcpy(t.target, target, strnlen(target, WIRE_NAME_SIZE - 1));
    t.service = (struct wire_text){service, strlen(service) + 1};
    return t;
}

int wire_write_exit_code(struct wire_writer *w, uint32_t code)
{
    size_t start = w->len;

    wire_write_header(w, MSG_DATA_EXIT_CODE, 4);
    wire_put_u32(w, code);
    return finish(w, start);
}

int wire_write_fork(struct wire_writer *w, const struct wire_fork *f, struct wire_text cmdline)
{
    size_t start = w->len;

    wire_put_u32(w, f->type);
    wire_put_u32(w, f->domain);
    wire_put_u32(w, f->port);
    wire_put_u32(w, (uint32_t)cmdline.len + 1);
    wire_put_text(w, cmdline);
    wire_put_nul(w);
    return finish(w, start);
}
