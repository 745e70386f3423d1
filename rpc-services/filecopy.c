/* The stream of qubes.Filecopy: see filecopy.h. */
#include "rpc-services/filecopy.h"

#include <errno.h>
#include <glib.h>
#include <zlib.h>

static void put_le(unsigned char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

void filecopy_put_header(unsigned char to[static FILECOPY_HEADER], const struct filecopy_header *h)
{
    put_le(to, h->namelen, 4);
    put_le(to + 4, h->mode, 4);
    put_le(to + 8, h->filelen, 8);
    put_le(to + 16, h->atime, 4);
    put_le(to + 20, h->atime_nsec, 4);
    put_le(to + 24, h->mtime, 4);
    put_le(to + 28, h->mtime_nsec, 4);
}

void filecopy_get_header(const unsigned char from[static FILECOPY_HEADER],
                         struct filecopy_header *ret)
{
    *ret = (struct filecopy_header){
        .namelen = (uint32_t)get_le(from, 4),
        .mode = (uint32_t)get_le(from + 4, 4),
        .filelen = get_le(from + 8, 8),
        .atime = (uint32_t)get_le(from + 16, 4),
        .atime_nsec = (uint32_t)get_le(from + 20, 4),
        .mtime = (uint32_t)get_le(from + 24, 4),
        .mtime_nsec = (uint32_t)get_le(from + 28, 4),
    };
}

static bool is_safe_script(GUnicodeScript s)
{
    switch (s) {
    case G_UNICODE_SCRIPT_COMMON:
    case G_UNICODE_SCRIPT_LATIN:
    case G_UNICODE_SCRIPT_GREEK:
    case G_UNICODE_SCRIPT_CYRILLIC:
    case G_UNICODE_SCRIPT_BRAILLE:
    case G_UNICODE_SCRIPT_HAN:
    case G_UNICODE_SCRIPT_HIRAGANA:
    case G_UNICODE_SCRIPT_KATAKANA:
    case G_UNICODE_SCRIPT_HANGUL:
    case G_UNICODE_SCRIPT_BOPOMOFO: return true;
    default: return false;
    }
}

/* Letters, digits, punctuation, currency and mathematical signs of scripts that cannot mislead. */
static bool is_safe_point(gunichar c)
{
    if (c < 0x80)
        return c >= 0x20 && c <= 0x7e;
    if (!is_safe_script(g_unichar_get_script(c)))
        return false;
    switch (g_unichar_type(c)) {
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
    case G_UNICODE_CONNECT_PUNCTUATION:
    case G_UNICODE_DASH_PUNCTUATION:
    case G_UNICODE_CLOSE_PUNCTUATION:
    case G_UNICODE_FINAL_PUNCTUATION:
    case G_UNICODE_INITIAL_PUNCTUATION:
    case G_UNICODE_OTHER_PUNCTUATION:
    case G_UNICODE_OPEN_PUNCTUATION:
    case G_UNICODE_CURRENCY_SYMBOL:
    case G_UNICODE_MATH_SYMBOL: return true;
    default: return g_unichar_get_script(c) == G_UNICODE_SCRIPT_BRAILLE;
    }
}

bool filecopy_is_safe_text(const char *text)
{
    if (!g_utf8_validate(text, -1, NULL))
        return false;
    for (; *text; text = g_utf8_next_char(text))
        if (!is_safe_point(g_utf8_get_char(text)))
            return false;
    return true;
}

static bool is_dots(const char *p, size_t n)
{
    return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
}

int filecopy_check_name(const char *name, bool all_names)
{
    const char *p = name;

    if (!*name || (!all_names && !filecopy_is_safe_text(name)))
        return EILSEQ;
    for (;;) {
        size_t n = strcspn(p, "/");

        if (n == 0 || is_dots(p, n))
            return EILSEQ;
        if (!p[n])
            return 0;
        p += n + 1;
    }
}

static size_t count_components(const char *name)
{
    size_t n = 1;

    for (; *name; name++)
        n += *name == '/';
    return n;
}

int filecopy_check_link(const char *name, const char *target)
{
    size_t depth = count_components(name), ups = 0;
    bool leading = true;

    if (!*target)
        return ENOENT;
    if (depth < 2 || *target == '/')
        return ENOLINK;
    while (*target) {
        size_t n = strcspn(target, "/");

        if (n == 2 && memcmp(target, "..", 2) == 0) {
            if (!leading || ++ups > depth - 2)
                return ENOLINK;
        } else if (n > 0 && !(n == 1 && *target == '.')) {
            leading = false;
        }
        target += n + (target[n] == '/');
    }
    return 0;
}

const char *filecopy_error_text(uint32_t error)
{
    switch (error) {
    case EEXIST: return "it exists already";
    case EILSEQ: return "the name is not allowed";
    case ENOLINK: return "a link that could point out of what is copied";
    case ENAMETOOLONG: return "the name is too long";
    case ENOENT: return "the directory for it is not there, or a link leads to nothing";
    case ENOTDIR: return "a file or link is there in place of a directory";
    case EINVAL: return "neither file, directory nor link, or with an impossible time";
    case EDQUOT: return "over a limit";
    case EREMOTEIO:
    case FILECOPY_E_CUT: return "the stream ended early";
    default: return strerror((int)error);
    }
}

void filecopy_clean(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"')
            text[i] = '_';
}

uint32_t filecopy_crc(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)crc32_z(crc, data, n);
}
