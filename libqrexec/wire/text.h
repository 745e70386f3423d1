/*
 * Text inside other bytes: spans, the character sets of names, and what may reach a terminal.
 */
#ifndef QREXEC_WIRE_TEXT_H
#define QREXEC_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A part of bytes that belong to somebody else; not NUL-terminated. s NULL: absent. */
struct wire_text {
    const char *s;
    size_t len;
};

#define WIRE_TEXT_NULL ((struct wire_text){NULL, 0})
/* For "%.*s". */
#define WIRE_TEXT_ARGS(t) (int)(t).len, (t).s ? (t).s : ""

static inline struct wire_text wire_text(const char *s)
{
    return (struct wire_text){s, s ? strlen(s) : 0};
}

static inline bool wire_text_is(struct wire_text t, const char *s)
{
    return t.s && t.len == strlen(s) && memcmp(t.s, s, t.len) == 0;
}

bool wire_text_starts(struct wire_text t, const char *prefix);

/* A target that is dom0: "dom0", "@adminvm", the zero UUID. (wire.md, "After an allow") */
bool wire_text_is_dom0(struct wire_text target);

/* As a C string. False if it does not fit or has a NUL inside; an absent one is "". */
bool wire_text_copy(struct wire_text t, char *buf, size_t size);

/* Takes what is before the first c off the front of *rest, and c too. False: no c in it. */
bool wire_text_split(struct wire_text *rest, char c, struct wire_text *ret);

/* Which bytes a string from a VM may hold; the others become '_' when it is cleaned. */
enum wire_charset {
    WIRE_CHARS_IDENT,   /* letters, digits, "_ - . " and blank */
    WIRE_CHARS_NAME,    /* letters, digits, "_ - . @ :" (targets, sources) */
    WIRE_CHARS_SERVICE, /* letters, digits, "_ - . @ : +" (service names with arguments) */
};
bool wire_char_allowed(enum wire_charset set, char c);
bool wire_text_allowed(enum wire_charset set, struct wire_text t);

/*
 * Replaces by '_' what could steer a terminal: all but 0x20 to 0x7e, tab, newline, carriage
 * return, backspace, bell.
 */
void wire_filter_unsafe(void *data, size_t n);

#endif
