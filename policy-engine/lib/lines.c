/* Lines, words and UTF-8 of policy files. */
#include "policy-engine/lib/lines.h"

bool line_next(struct span *text, struct span *ret)
{
    size_t n = 0;
    size_t end;

    if (!text->len)
        return false;
    while (n < text->len && ((unsigned char)text->data[n] > '\r' ||
                             (text->data[n] != '\n' && text->data[n] != '\r')))
        n++;
    *ret = (struct span){text->data, n};
    end = n;
    if (end < text->len && text->data[end] == '\r')
        end++;
    if (end < text->len && text->data[end] == '\n')
        end++;
    *text = span_skip(*text, end);
    return true;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the code point at the start of s (not empty), 0 if they are no UTF-8. */
static size_t utf8_take(struct span s, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = (unsigned char)s.data[0];
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    uint32_t point = n == 1 ? c : c & (0x7fu >> n);

    if ((n == 4 && (c & 0xf8) != 0xf0) || n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (!is_tail((unsigned char)s.data[i]))
            return 0;
        point = point << 6 | ((unsigned char)s.data[i] & 0x3f);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret = point;
    return n;
}

static bool is_blank(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Length of the blank at the start of s, 0 if there is none. */
static size_t blank_len(struct span s)
{
    uint32_t point = 0;
    size_t n;

    if (!s.len)
        return 0;
    if ((unsigned char)s.data[0] < 0x80)
        return is_blank((unsigned char)s.data[0]);
    n = utf8_take(s, &point);
    return n && is_blank(point) ? n : 0;
}

static void skip_blanks(struct span *s)
{
    size_t n;

    while ((n = blank_len(*s)))
        *s = span_skip(*s, n);
}

/* Bytes of a word at the start of s: up to a blank. Whole code points, or single bad bytes. */
static size_t word_len(struct span s)
{
    size_t at = 0;

    while (at < s.len) {
        unsigned char c = (unsigned char)s.data[at];
        uint32_t point;
        size_t n = 1;

        if (c > 0x20 && c < 0x80) {
            at++;
            continue;
        }
        if (blank_len(span_skip(s, at)))
            return at;
        if (c >= 0x80)
            n = utf8_take(span_skip(s, at), &point);
        at += n ? n : 1;
    }
    return at;
}

bool word_next(struct span *line, struct span *ret)
{
    skip_blanks(line);
    *ret = (struct span){line->data, word_len(*line)};
    *line = span_skip(*line, ret->len);
    return ret->len > 0;
}

/* Bytes at the start of s that are plain ASCII without NUL, in steps of eight. */
static size_t plain_len(struct span s)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    size_t at = 0;

    for (uint64_t w; s.len - at >= sizeof(w); at += sizeof(w)) {
        memcpy(&w, s.data + at, sizeof(w));
        if (((w - ones) | w) & tops) /* a zero byte borrows; so may its neighbours, harmlessly */
            break;
    }
    return at;
}

const char *line_bad_bytes(struct span line)
{
    line = span_skip(line, plain_len(line));
    while (line.len) {
        uint32_t point;
        size_t n = utf8_take(line, &point);

        if (!n)
            return "not UTF-8 text";
        if (!point)
            return "a NUL byte in the text";
        line = span_skip(line, n);
    }
    return NULL;
}

bool line_is_empty(struct span line)
{
    skip_blanks(&line);
    return !line.len || line.data[0] == '#';
}
