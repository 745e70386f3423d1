/*
 * Shrinking: one part after another is taken away; what still differs without it stays so, until
 * nothing more can go.
 */
#include "tests/random/case.h"

#include <stdlib.h>
#include <string.h>

static bool keeps(struct test_case *c, const struct test_case *smaller)
{
    char what[8192];

    if (case_check(smaller, what, sizeof(what)) != CASE_DIFFERS)
        return false;
    *c = *smaller;
    return true;
}

static bool shrink_files(struct test_case *c, struct test_case *s)
{
    for (size_t i = 0; i < c->n_files; i++) {
        *s = *c;
        s->n_files--;
        memmove(&s->file[i], &s->file[i + 1], (s->n_files - i) * sizeof(s->file[0]));
        if (keeps(c, s))
            return true;
        for (size_t k = 0; k < c->file[i].n; k++) {
            *s = *c;
            s->file[i].n--;
            memmove(s->file[i].line[k], s->file[i].line[k + 1],
                    (s->file[i].n - k) * sizeof(s->file[i].line[0]));
            if (keeps(c, s))
                return true;
        }
    }
    return false;
}

/* Blanks of all kinds become one plain blank. False: they are already. */
static bool plain_blanks(char *text)
{
    bool changed = false;
    size_t n = 0;

    for (const char *p = text; *p; p++) {
        bool wide = p[0] == '\xc2' && p[1] == '\xa0', other = *p && strchr("\t\v\x1c", *p);

        if (wide)
            p++;
        changed |= wide || other || (*p == ' ' && n && text[n - 1] == ' ');
        if (!(wide || other || *p == ' '))
            text[n++] = *p;
        else if (n && text[n - 1] != ' ')
            text[n++] = ' ';
    }
    changed |= text[0] == ' ';
    text[n] = 0;
    return changed;
}

/* A line with plain blanks, without its last word, with words that become *. */
static bool shrink_line(struct test_case *c, struct test_case *s, size_t file, size_t line)
{
    char *text = s->file[file].line[line], *last;
    size_t n;

    *s = *c;
    if (plain_blanks(text) && keeps(c, s))
        return true;
    *s = *c;
    last = strrchr(text, ' ');
    if (last) {
        *last = 0;
        if (keeps(c, s))
            return true;
    }
    for (size_t at = 0; c->file[file].line[line][at]; at += n) {
        *s = *c;
        n = strcspn(text + at, " ");
        if (n > 1) {
            text[at] = '*';
            memmove(text + at + 1, text + at + n, strlen(text + at + n) + 1);
            if (keeps(c, s))
                return true;
        }
        n += n == 0 || c->file[file].line[line][at + n] == ' ';
    }
    return false;
}

static bool shrink_lines(struct test_case *c, struct test_case *s)
{
    for (size_t i = 0; i < c->n_files; i++)
        for (size_t k = 0; k < c->file[i].n; k++)
            if (shrink_line(c, s, i, k))
                return true;
    return false;
}

/* Tries it with that string gone. */
static bool shrink_string(struct test_case *c, struct test_case *s, size_t domain, size_t offset)
{
    const char *none = NULL;
    char *at = (char *)&s->domain[domain] + offset;

    *s = *c;
    if (memcmp(at, &none, sizeof(none)) == 0)
        return false;
    memcpy(at, &none, sizeof(none));
    return keeps(c, s);
}

static bool shrink_domain(struct test_case *c, struct test_case *s, size_t i)
{
    static const size_t strings[] = {
        offsetof(struct policy_domain, uuid),           offsetof(struct policy_domain, type),
        offsetof(struct policy_domain, default_dispvm), offsetof(struct policy_domain, power_state),
        offsetof(struct policy_domain, guivm),          offsetof(struct policy_domain, relayvm),
        offsetof(struct policy_domain, transport_rpc)};

    *s = *c;
    s->n_domains--;
    memmove(&s->domain[i], &s->domain[i + 1], (s->n_domains - i) * sizeof(s->domain[0]));
    memmove(&s->tag[i], &s->tag[i + 1], (s->n_domains - i) * sizeof(s->tag[0]));
    /* dom0 is always there: without it another difference might be found */
    if (strcmp(c->domain[i].name, "dom0") != 0 && keeps(c, s))
        return true;
    for (size_t k = 0; k < sizeof(strings) / sizeof(strings[0]); k++)
        if (shrink_string(c, s, i, strings[k]))
            return true;
    *s = *c;
    s->domain[i].internal = s->domain[i].template_for_dispvms = false;
    s->tag[i][0] = NULL;
    return (c->domain[i].internal || c->domain[i].template_for_dispvms || c->tag[i][0]) &&
           keeps(c, s);
}

static bool shrink_domains(struct test_case *c, struct test_case *s)
{
    for (size_t i = 0; i < c->n_domains; i++)
        if (shrink_domain(c, s, i))
            return true;
    return false;
}

static bool shrink_request(struct test_case *c, struct test_case *s)
{
    *s = *c;
    *s->requested_source = 0;
    if (*c->requested_source && keeps(c, s))
        return true;
    *s = *c;
    memcpy(s->argument, "+", sizeof("+"));
    if (c->argument[1] && keeps(c, s))
        return true;
    *s = *c;
    *s->target = 0;
    if (*c->target && keeps(c, s))
        return true;
    *s = *c;
    s->just_evaluate = false;
    return c->just_evaluate && keeps(c, s);
}

void case_shrink(struct test_case *c)
{
    struct test_case *s = malloc(sizeof(*s));

    while (s && (shrink_files(c, s) || shrink_domains(c, s) || shrink_request(c, s) ||
                 shrink_lines(c, s)))
        ;
    free(s);
}
