/* The argument of qubes.VMExec: see vmexec.h. */
#include "libqrexec/wire/vmexec.h"

/* What stands for itself. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_';
}

static void put_encoded(struct wire_writer *w, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char b = (unsigned char)c;
    const char code[3] = {'-', hex[b >> 4], hex[b & 15]};

    if (is_plain(c))
        wire_put_bytes(w, &c, 1);
    else if (c == '-')
        wire_put_bytes(w, "--", 2);
    else
        wire_put_bytes(w, code, 3);
}

int vmexec_encode(struct wire_writer *w, const char *const *argv, size_t n)
{
    size_t start = w->len;

    if (!n)
        return WIRE_E_MISSING;
    for (size_t i = 0; i < n; i++) {
        if (i)
            wire_put_bytes(w, "+", 1);
        for (const char *p = argv[i]; *p; p++)
            put_encoded(w, *p);
    }
    if (w->error)
        w->len = start;
    return w->error;
}

/* -1: not an upper-case hex digit. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* What a dash at the front of *rest stands for; takes it off. -1: nothing. */
static int take_dash(struct wire_text *rest)
{
    int high, low, value;
    size_t used = 2;

    if (rest->len < 2)
        return -1;
    if (rest->s[1] == '-') {
        value = '-';
    } else {
        if (rest->len < 3)
            return -1;
        high = hex_value(rest->s[1]);
        low = hex_value(rest->s[2]);
        value = high < 0 || low < 0 ? -1 : high * 16 + low;
        used = 3;
    }
    rest->s += used;
    rest->len -= used;
    return value;
}

int vmexec_decode(struct wire_writer *w, struct wire_text text, size_t *ret_words)
{
    struct wire_text rest = text;
    size_t words = 1;

    while (rest.len && !w->error) {
        char c = rest.s[0];

        if (c == '-') {
            int value = take_dash(&rest);

            if (value <= 0)
                return WIRE_E_VALUE;
            c = (char)value;
            wire_put_bytes(w, &c, 1);
            continue;
        }
        if (c != '+' && !is_plain(c))
            return WIRE_E_VALUE;
        words += c == '+';
        wire_put_bytes(w, c == '+' ? "" : &c, 1);
        rest.s++;
        rest.len--;
    }
    wire_put_nul(w);
    if (w->error)
        return w->error;
    *ret_words = words;
    return 0;
}
