/* Readers and writers of bytes, and the sentences for their errors: see message.h. */
#include "libqrexec/wire/message.h"

static const char *const sentences[] = {
    [0] = "no error",
    [WIRE_E_SHORT] = "it ends too early",
    [WIRE_E_TAIL] = "bytes are left over",
    [WIRE_E_TYPE] = "this type of message does not belong here",
    [WIRE_E_LENGTH] = "its length is not allowed",
    [WIRE_E_VERSION] = "it belongs to another protocol version",
    [WIRE_E_IDENT] = "bad request identifier",
    [WIRE_E_SERVICE] = "bad service name",
    [WIRE_E_COMMAND] = "the command line is not NUL-terminated or too long",
    [WIRE_E_UNFIT] = "the peer's protocol version cannot express it",
    [WIRE_E_SPACE] = "it does not fit",
    [WIRE_E_TEXT] = "malformed text",
    [WIRE_E_TWICE] = "a key occurs twice",
    [WIRE_E_MISSING] = "something is missing",
    [WIRE_E_VALUE] = "a value is not allowed",
};

const char *wire_error_text(int error)
{
    if (error < 0 || error >= WIRE_E_LAST)
        return "unknown error";
    return sentences[error];
}

int wire_fail(struct wire_reader *r, int error)
{
    if (!r->error)
        r->error = error;
    return r->error;
}

const unsigned char *wire_get_bytes(struct wire_reader *r, size_t n)
{
    const unsigned char *p;

    if (!r->error && n > r->len - r->offset)
        wire_fail(r, WIRE_E_SHORT);
    if (r->error)
        return NULL;
    p = r->data + r->offset;
    r->offset += n;
    return p;
}

uint32_t wire_get_u32(struct wire_reader *r)
{
    const unsigned char *p = wire_get_bytes(r, 4);

    if (!p)
        return 0;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t wire_get_u64(struct wire_reader *r)
{
    uint64_t low = wire_get_u32(r), high = wire_get_u32(r);

    return r->error ? 0 : high << 32 | low;
}

int wire_end(struct wire_reader *r)
{
    if (!r->error && r->offset != r->len)
        wire_fail(r, WIRE_E_TAIL);
    return r->error;
}

void wire_put_bytes(struct wire_writer *w, const void *data, size_t n)
{
    if (!w->error && n > w->size - w->len)
        w->error = WIRE_E_SPACE;
    if (w->error || !n)
        return;
    memcpy(w->data + w->len, data, n);
    w->len += n;
}

void wire_put_u32(struct wire_writer *w, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 24)};

    wire_put_bytes(w, b, sizeof(b));
}

void wire_put_u64(struct wire_writer *w, uint64_t v)
{
    wire_put_u32(w, (uint32_t)v);
    wire_put_u32(w, (uint32_t)(v >> 32));
}

void wire_put_str(struct wire_writer *w, const char *s)
{
    wire_put_bytes(w, s, strlen(s));
}

void wire_put_text(struct wire_writer *w, struct wire_text t)
{
    wire_put_bytes(w, t.s, t.len);
}

void wire_put_nul(struct wire_writer *w)
{
    wire_put_bytes(w, "", 1);
}
