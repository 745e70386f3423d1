/* Arguments to try: see argument.h. The sampler reads patterns as PCRE2 would, roughly. */
#include "policy-engine/lib/argument.h"

void argument_require(struct argument_need *need, const char *column)
{
    if (!column || strcmp(column, "*") == 0)
        return;
    if (column[0] == '~')
        need->pattern = column + 1;
    else if (need->literal && strcmp(need->literal, column) != 0)
        need->none = true;
    else
        need->literal = column;
}

void arguments_add(struct arguments *a, const char *text)
{
    size_t n = strlen(text);

    if (a->n == ARGUMENTS_MAX || n >= ARGUMENT_BYTES)
        return;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->text[i], text) == 0)
            return;
    memcpy(a->text[a->n++], text, n + 1);
}

/*
 * One text from a pattern: `choice` says which alternative, member of a class and number of
 * repetitions to take, so that several choices give several texts.
 */
struct sampler {
    const char *p;
    unsigned choice, depth;
    char *out;
    size_t n;
};

static void put(struct sampler *s, char c)
{
    if (s->n + 1 < ARGUMENT_BYTES)
        s->out[s->n++] = c;
}

/* The character that stands for an escape. */
static char escaped(char c)
{
    switch (c) {
    case 'd': return '0';
    case 'w':
    case 'S': return 'a';
    case 'D':
    case 'W': return '-';
    case 's': return ' ';
    default: return c;
    }
}

/* Behind "[": the choice-th member, or a character that is none of them. */
static char class_member(struct sampler *s)
{
    char members[64];
    size_t n = 0;
    bool not = *s->p == '^';

    if (not )
        s->p++;
    for (bool first = true; *s->p && (first || *s->p != ']'); first = false) {
        char c = *s->p == '\\' && s->p[1] ? escaped(*++s->p) : *s->p;

        s->p++;
        if (n + 2 < sizeof(members))
            members[n++] = c;
        if (s->p[0] == '-' && s->p[1] && s->p[1] != ']') {
            if (n + 2 < sizeof(members))
                members[n++] = s->p[1];
            s->p += 2;
        }
    }
    if (*s->p)
        s->p++;
    members[n] = 0;
    if (!not )
        return n ? members[s->choice % n] : 'x';
    for (const char *c = "xZ0-_.+"; *c; c++)
        if (!strchr(members, *c))
            return *c;
    return 'x';
}

static unsigned number(struct sampler *s)
{
    unsigned n = 0;

    while (*s->p >= '0' && *s->p <= '9' && n < 1000)
        n = n * 10 + (unsigned)(*s->p++ - '0');
    return n;
}

/* How often the atom before is taken; 1 where nothing follows it. */
static unsigned repetitions(struct sampler *s)
{
    unsigned low = 1;

    if (*s->p == '?' || *s->p == '*')
        low = s->choice % 2;
    else if (*s->p == '+')
        low = 1 + s->choice % 2;
    else if (*s->p == '{') {
        s->p++;
        low = number(s);
        while (*s->p && *s->p != '}')
            s->p++;
    }
    if (*s->p == '?' || *s->p == '*' || *s->p == '+' || *s->p == '}')
        s->p++;
    if (*s->p == '?' || *s->p == '+') /* lazy, possessive */
        s->p++;
    return low;
}

static void alternatives(struct sampler *s);

static void atom(struct sampler *s)
{
    size_t start = s->n, len;
    unsigned times;
    char c = *s->p++;

    if (c == '(') {
        if (s->p[0] == '?' && s->p[1] == ':')
            s->p += 2;
        alternatives(s);
        if (*s->p == ')')
            s->p++;
    } else if (c == '[') {
        put(s, class_member(s));
    } else if (c == '\\' && *s->p) {
        put(s, escaped(*s->p++));
    } else if (c != '^' && c != '$') {
        put(s, c == '.' ? 'x' : c);
    }
    len = s->n - start;
    times = repetitions(s);
    if (!times)
        s->n = start;
    for (unsigned i = 1; i < times; i++)
        for (size_t k = 0; k < len; k++)
            put(s, s->out[start + k]);
}

/* Reads all alternatives up to the closing bracket, keeps one. */
static void alternatives(struct sampler *s)
{
    size_t start = s->n, kept = 0;
    char best[ARGUMENT_BYTES];
    unsigned nth = 0, wanted = s->choice % 3;
    bool over = ++s->depth > 32;

    while (!over && *s->p && *s->p != ')') {
        s->n = start;
        while (*s->p && *s->p != '|' && *s->p != ')')
            atom(s);
        if (nth <= wanted) {
            kept = s->n - start;
            memcpy(best, s->out + start, kept);
        }
        nth++;
        if (*s->p == '|')
            s->p++;
    }
    memcpy(s->out + start, best, kept);
    s->n = start + kept;
    s->depth--;
}

void arguments_sample(struct arguments *a, const char *pattern)
{
    for (unsigned choice = 0; choice < 6; choice++) {
        char text[ARGUMENT_BYTES + 1] = "+";
        struct sampler s = {.p = pattern, .choice = choice, .out = text + 1};

        alternatives(&s);
        text[1 + s.n] = 0;
        arguments_add(a, text);
    }
}
