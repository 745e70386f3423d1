/* The Admin API as bytes: see admin.h. */
#include "libqrexec/wire/admin.h"

/* The next word of a header, which must not be empty. */
static bool take_word(struct wire_text *rest, struct wire_text *ret)
{
    return wire_text_split(rest, ' ', ret) && ret->len;
}

static int read_header(struct wire_text header, struct admin_request *q)
{
    struct wire_text rest = header, full, type;

    if (!take_word(&rest, &full) || !take_word(&rest, &q->source) || !take_word(&rest, &type))
        return WIRE_E_TEXT;
    q->dest = rest;
    if (!rest.len || memchr(rest.s, ' ', rest.len))
        return WIRE_E_TEXT;
    q->keyword = wire_text_is(type, "keyword");
    if (!q->keyword && !wire_text_is(type, "name"))
        return WIRE_E_TEXT;
    q->argument = full;
    if (!wire_text_split(&q->argument, '+', &q->method)) {
        q->method = full;
        q->argument = wire_text("");
    }
    return q->method.len ? 0 : WIRE_E_TEXT;
}

int admin_read_request(const void *data, size_t len, struct admin_request *ret)
{
    struct admin_request q = {.keyword = false};
    struct wire_text header;
    int r;

    if (len > ADMIN_REQUEST_MAX)
        return WIRE_E_LENGTH;
    q.payload = (struct wire_text){data, len};
    if (!wire_text_split(&q.payload, 0, &header))
        return WIRE_E_SHORT;
    r = read_header(header, &q);
    if (!r)
        *ret = q;
    return r;
}

static int finish(struct wire_writer *w, size_t start)
{
    if (w->error)
        w->len = start;
    return w->error;
}

int admin_write_request(struct wire_writer *w, const char *method, const char *argument,
                        const char *source, const char *dest, bool keyword, const void *payload,
                        size_t payload_len)
{
    size_t start = w->len;

    if (!*method || !*source || !*dest || strpbrk(method, " +") || strchr(argument, ' ') ||
        strchr(source, ' ') || strchr(dest, ' '))
        return WIRE_E_VALUE;
    wire_put_str(w, method);
    wire_put_str(w, "+");
    wire_put_str(w, argument);
    wire_put_str(w, " ");
    wire_put_str(w, source);
    wire_put_str(w, keyword ? " keyword " : " name ");
    wire_put_str(w, dest);
    wire_put_nul(w);
    wire_put_bytes(w, payload, payload_len);
    return finish(w, start);
}

/* The kind of an answer or event: '0', '1', '2', each with a NUL. 0 if not all there. */
static char take_kind(struct wire_text *rest)
{
    struct wire_text kind;

    return wire_text_split(rest, 0, &kind) && kind.len == 1 ? kind.s[0] : 0;
}

int admin_read_answer(const void *data, size_t len, struct admin_answer *ret)
{
    struct wire_text rest = {data, len}, traceback;
    struct admin_answer a = {.success = false};

    if (len < 2)
        return WIRE_E_SHORT;
    switch (take_kind(&rest)) {
    case '0':
        a.success = true;
        a.content = rest;
        break;
    case '2':
        if (!wire_text_split(&rest, 0, &a.type) || !wire_text_split(&rest, 0, &traceback) ||
            !wire_text_split(&rest, 0, &a.format))
            return WIRE_E_SHORT;
        a.fields = rest;
        break;
    default: return WIRE_E_TYPE;
    }
    *ret = a;
    return 0;
}

/* As much of t as fits. */
static void put_cut(struct wire_writer *w, struct wire_text t)
{
    if (t.len > w->size - w->len)
        t.len = w->size - w->len;
    wire_put_text(w, t);
}

/* One '%' place of a format: "%%" or a field. Anything else stays as it stands. */
static void put_place(struct wire_writer *w, struct wire_text *format, struct wire_text *fields)
{
    struct wire_text field = wire_text("%");
    char c = format->len ? format->s[0] : 0;

    if (c == '%' || (c && strchr("sdiur", c) && wire_text_split(fields, 0, &field))) {
        format->s++;
        format->len--;
    }
    put_cut(w, field);
}

void admin_exception_text(const struct admin_answer *a, char *buf, size_t size)
{
    struct wire_text format = a->format, fields = a->fields, plain;
    struct wire_writer w = wire_writer(buf, size - 1);

    while (wire_text_split(&format, '%', &plain)) {
        put_cut(&w, plain);
        put_place(&w, &format, &fields);
    }
    put_cut(&w, format);
    buf[w.len] = 0;
}

int admin_write_success(struct wire_writer *w, const void *content, size_t len)
{
    size_t start = w->len;

    wire_put_bytes(w, "0", 2);
    wire_put_bytes(w, content, len);
    return finish(w, start);
}

int admin_write_exception(struct wire_writer *w, const char *type, const char *text)
{
    size_t start = w->len;

    wire_put_bytes(w, "2", 2);
    wire_put_bytes(w, type, strlen(type) + 1);
    wire_put_nul(w);
    for (; *text; text++) {
        if (*text == '%')
            wire_put_bytes(w, "%", 1);
        wire_put_bytes(w, text, 1);
    }
    wire_put_nul(w);
    return finish(w, start);
}

int admin_read_event(const void *data, size_t len, struct admin_event *ret, size_t *ret_used)
{
    struct wire_text rest = {data, len}, key, value;
    struct admin_event e;

    if (len < 2)
        return WIRE_E_SHORT;
    if (take_kind(&rest) != '1')
        return WIRE_E_TYPE;
    if (!wire_text_split(&rest, 0, &e.subject) || !wire_text_split(&rest, 0, &e.event))
        return WIRE_E_SHORT;
    e.pairs = (struct wire_text){rest.s, 0};
    for (;;) {
        if (!wire_text_split(&rest, 0, &key))
            return WIRE_E_SHORT;
        if (!key.len)
            break;
        if (!wire_text_split(&rest, 0, &value))
            return WIRE_E_SHORT;
        e.pairs.len = (size_t)(rest.s - e.pairs.s);
    }
    *ret = e;
    *ret_used = len - rest.len;
    return 0;
}

struct wire_text admin_event_value(const struct admin_event *e, const char *key)
{
    struct wire_text rest = e->pairs, k, v;

    while (wire_text_split(&rest, 0, &k) && wire_text_split(&rest, 0, &v))
        if (wire_text_is(k, key))
            return v;
    return WIRE_TEXT_NULL;
}

int admin_write_event(struct wire_writer *w, const char *subject, const char *event,
                      const char *const *pairs)
{
    size_t start = w->len;

    wire_put_bytes(w, "1", 2);
    wire_put_bytes(w, subject, strlen(subject) + 1);
    wire_put_bytes(w, event, strlen(event) + 1);
    for (; pairs && pairs[0]; pairs += 2) {
        wire_put_bytes(w, pairs[0], strlen(pairs[0]) + 1);
        wire_put_bytes(w, pairs[1], strlen(pairs[1]) + 1);
    }
    wire_put_nul(w);
    return finish(w, start);
}
