/* How a value stands in an INI file: see registry.h. */
#include "domain-spawner/registry.h"

#define WORD_MAX 60 /* bytes of a word before it is cut, so that each line fits */

char *registry_escape(const char *value)
{
    size_t n = strlen(value), at = 0, word = 0;
    char *out = malloc(n * 4 + 1);

    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        char c = value[i], before = i ? value[i - 1] : ' ';

        if (word >= WORD_MAX && c != ' ') {
            memcpy(out + at, "\\- ", 3);
            at += 3;
            word = 0;
            before = ' ';
        }
        if (c == ' ' && before != ' ' && i + 1 < n) {
            out[at++] = c;
            word = 0;
            continue;
        }
        if (c == ' ' || c == '\\' || c == '\n' || c == '\r' ||
            (before == ' ' && strchr(";#[", c))) {
            out[at++] = '\\';
            c = c == ' ' ? 's' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
            word++;
        }
        out[at++] = c;
        word++;
    }
    out[at] = 0;
    return out;
}

char *registry_unescape(const char *text)
{
    size_t at = 0;
    char *out = malloc(strlen(text) + 1);

    if (!out)
        return NULL;
    for (const char *p = text; *p; p++) {
        if (*p != '\\' || !p[1]) {
            out[at++] = *p;
            continue;
        }
        p++;
        if (*p == '-') {
            if (p[1] == ' ')
                p++;
        } else {
            out[at++] = *p == 's' ? ' ' : *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p;
        }
    }
    out[at] = 0;
    return out;
}
