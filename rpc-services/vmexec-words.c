/* The argument of qubes.VMExec: see vmexec-words.h. */
#include "rpc-services/vmexec-words.h"

#include <errno.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_';
}

/* One character of a word: how many bytes of the text it took, 0 if it is none. */
static size_t decode_one(const char *text, char *ret)
{
    int high, low;

    if (is_plain(text[0])) {
        *ret = text[0];
        return 1;
    }
    if (text[0] != '-')
        return 0;
    if (text[1] == '-') {
        *ret = '-';
        return 2;
    }
    high = hex(text[1]);
    low = high < 0 ? -1 : hex(text[2]);
    if (low < 0 || (high == 0 && low == 0))
        return 0;
    *ret = (char)(high * 16 + low);
    return 3;
}

int vmexec_words(const char *text, char **ret_bytes, char ***ret_words)
{
    _cleanup_(freep) char *bytes = malloc(strlen(text) + 1);
    _cleanup_(freep) char **words = calloc(strlen(text) + 2, sizeof(*words));
    char *out = bytes;
    size_t n = 0, used;

    if (!bytes || !words)
        return -ENOMEM;
    words[n++] = out;
    for (; *text; text += used) {
        if (*text == '+') {
            *out++ = 0;
            words[n++] = out;
            used = 1;
            continue;
        }
        used = decode_one(text, out);
        if (!used)
            return -EINVAL;
        out++;
    }
    *out = 0;
    *ret_bytes = take(bytes);
    *ret_words = take(words);
    return 0;
}
