/* Spans, character sets, what may reach a terminal: see text.h. */
#include "libqrexec/wire/text.h"

bool wire_text_starts(struct wire_text t, const char *prefix)
{
    size_t n = strlen(prefix);

    return t.s && t.len >= n && memcmp(t.s, prefix, n) == 0;
}

bool wire_text_is_dom0(struct wire_text target)
{
    return wire_text_is(target, "dom0") || wire_text_is(target, "@adminvm") ||
           wire_text_is(target, "uuid:00000000-0000-0000-0000-000000000000");
}

bool wire_text_copy(struct wire_text t, char *buf, size_t size)
{
    if (t.len >= size || (t.len && memchr(t.s, 0, t.len)))
        return false;
    if (t.len)
        memcpy(buf, t.s, t.len);
    buf[t.len] = 0;
    return true;
}

bool wire_text_split(struct wire_text *rest, char c, struct wire_text *ret)
{
    const char *p = rest->len ? memchr(rest->s, c, rest->len) : NULL;
    size_t n;

    if (!p)
        return false;
    n = (size_t)(p - rest->s);
    *ret = (struct wire_text){rest->s, n};
    *rest = (struct wire_text){p + 1, rest->len - n - 1};
    return true;
}

bool wire_char_allowed(enum wire_charset set, char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    switch (c) {
    case '_':
    case '-':
    case '.': return true;
    case ' ': return set == WIRE_CHARS_IDENT;
    case '@':
    case ':': return set != WIRE_CHARS_IDENT;
    case '+': return set == WIRE_CHARS_SERVICE;
    default: return false;
    }
}

bool wire_text_allowed(enum wire_charset set, struct wire_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!wire_char_allowed(set, t.s[i]))
            return false;
    return true;
}

void wire_filter_unsafe(void *data, size_t n)
{
    unsigned char *p = data;

    for (size_t i = 0; i < n; i++) {
        bool safe = (p[i] >= 0x20 && p[i] <= 0x7e) || p[i] == '\t' || p[i] == '\n' ||
                    p[i] == '\r' || p[i] == '\b' || p[i] == '\a';

        if (!safe)
            p[i] = '_';
    }
}
