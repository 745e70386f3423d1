/* Bytes as talks write them: see daemon-bytes.h. */
#include "tests/talk/daemon-bytes.h"

#include <ctype.h>

static const struct type_name {
    const char *name;
    uint32_t type;
} types[] = {
    {"STDIN", STDIN},     {"STDOUT", STDOUT},     {"STDERR", STDERR},
    {"EXIT", EXIT_CODE},  {"EXEC", EXEC},         {"JUST_EXEC", JUST_EXEC},
    {"CONNECT", CONNECT}, {"REFUSED", REFUSED},   {"TRIGGER2", TRIGGER2},
    {"OVER", TERMINATED}, {"TRIGGER3", TRIGGER3}, {"TRIGGER4", TRIGGER4},
    {"HELLO", HELLO},
};

struct parser {
    const char *p;
    struct bytes *b;
    const char *error;
};

static void read_words(struct parser *s, char end);

bool bytes_type(const char *name, size_t n, uint32_t *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, name, n) == 0) {
            *ret = types[i].type;
            return true;
        }
    if (n < 2 || name[0] != 'T' || !isdigit((unsigned char)name[1]))
        return false;
    *ret = (uint32_t)strtoul(name + 1, NULL, 0);
    return true;
}

static uint32_t read_number(struct parser *s)
{
    char *end;
    unsigned long v = strtoul(s->p, &end, 0);

    if (end == s->p)
        s->error = "a number is missing";
    s->p = end;
    return (uint32_t)v;
}

static void read_text(struct parser *s)
{
    for (s->p++; *s->p && *s->p != '\''; s->p++) {
        char c = *s->p == '~' ? '\n' : *s->p;

        put_text(s->b, &c, 1);
    }
    if (*s->p != '\'')
        s->error = "a ' is missing";
    else
        s->p++;
}

static void read_range(struct parser *s)
{
    uint32_t first, last;

    s->p++;
    first = last = read_number(s);
    if (s->p[0] == '.' && s->p[1] == '.') {
        s->p += 2;
        last = read_number(s);
    }
    for (uint32_t v = first; v <= last; v++) {
        char c = (char)v;

        put_text(s->b, &c, 1);
    }
}

/* The length is put in when it is known. */
static void read_message(struct parser *s, uint32_t type)
{
    bool said = *s->p == ':';
    uint32_t len = 0;
    size_t at;

    if (said) {
        s->p++;
        len = read_number(s);
    }
    put_u32(s->b, type);
    at = s->b->len;
    put_u32(s->b, len);
    if (*s->p != '(') {
        s->error = "a ( is missing";
        return;
    }
    s->p++;
    read_words(s, ')');
    if (!said)
        len = (uint32_t)(s->b->len - at - 4);
    memcpy(s->b->data + at, &len, sizeof(len));
}

static void read_name(struct parser *s)
{
    const char *start = s->p;
    uint32_t type;

    while (isalnum((unsigned char)*s->p) || *s->p == '_')
        s->p++;
    if (!bytes_type(start, (size_t)(s->p - start), &type))
        s->error = "no such message";
    else
        read_message(s, type);
}

static void read_suffix(struct parser *s, size_t start)
{
    size_t n = s->b->len - start, size;
    char how = *s->p;

    if (how == 'z') {
        put_text(s->b, "", 1);
        s->p++;
    }
    if (how != '/' && how != '*')
        return;
    s->p++;
    size = read_number(s);
    if (how == '/') {
        assert_true(n <= size && start + size <= sizeof(s->b->data));
        memset(s->b->data + s->b->len, 0, size - n);
        s->b->len = start + size;
        return;
    }
    assert_true(start + n * size <= sizeof(s->b->data));
    for (size_t i = 1; i < size; i++)
        memcpy(s->b->data + start + i * n, s->b->data + start, n);
    s->b->len = start + n * size;
}

static void read_word(struct parser *s)
{
    size_t start = s->b->len;

    if (*s->p == '\'')
        read_text(s);
    else if (*s->p == 'b')
        read_range(s);
    else if (isdigit((unsigned char)*s->p))
        put_u32(s->b, read_number(s));
    else if (*s->p == '[') {
        s->p++;
        read_words(s, ']');
    } else
        read_name(s);
    read_suffix(s, start);
}

static void read_words(struct parser *s, char end)
{
    for (;;) {
        while (*s->p == ' ')
            s->p++;
        if (s->error)
            return;
        if (*s->p == end || !*s->p || *s->p == '\n')
            break;
        read_word(s);
    }
    if (*s->p == end && end)
        s->p++;
    else if (end)
        s->error = "a bracket is not closed";
}

bool bytes_read(const char *text, struct bytes *ret, const char **reterr)
{
    struct parser s = {.p = text, .b = ret};

    ret->len = 0;
    read_words(&s, 0);
    *reterr = s.error;
    return !s.error;
}
