/* Lines, words and UTF-8 of policy files. */
#include "policy-engine/lib/lines.h"

/* Bytes up to the first line end. Most lines end at a LF that is near; a file of CRs has none. */
static size_t line_len(struct span text)
{
    size_t near = text.len < 256 ? text.len : 256, n = 0;
    const char *lf = memchr(text.data, '\n', near);
    const char *cr = memchr(text.data, '\r', lf ? (size_t)(lf - text.data) : near);

    if (cr || lf)
        return (size_t)((cr ? cr : lf) - text.data);
    for (n = near; n < text.len && text.data[n] != '\n' && text.data[n] != '\r';)
        n++;
    return n;
}

bool line_next(struct span *text, struct span *ret)
{
    size_t end;

    if (!text->len)
        return false;
    end = line_len(*text);
    *ret = (struct span){text->data, end};
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

enum { WORD, BLANK, HIGH };

/* ASCII is a blank or a part of a word; what a byte above it is, its code point says. */
static const unsigned char classes[256] = {
    [0x09 ... 0x0d] = BLANK, [0x1c ... 0x20] = BLANK, [0x80 ... 0xff] = HIGH};

static bool is_high_blank(uint32_t c)
{
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Bytes of the code point at the start of s, which is HIGH; 1 for a byte that is none. */
static size_t high_len(struct span s, bool *ret_blank)
{
    uint32_t point = 0;
    size_t n = utf8_take(s, &point);

    *ret_blank = n && is_high_blank(point);
    return n ? n : 1;
}

static size_t blanks_len(struct span s)
{
    size_t at = 0;

    while (true) {
        bool blank;
        size_t n;

        while (at < s.len && classes[(unsigned char)s.data[at]] == BLANK)
            at++;
        if (at == s.len || classes[(unsigned char)s.data[at]] == WORD)
            return at;
        n = high_len(span_skip(s, at), &blank);
        if (!blank)
            return at;
        at += n;
    }
}

static size_t word_len(struct span s)
{
    size_t at = 0;

    while (true) {
        bool blank;
        size_t n;

        while (at < s.len && classes[(unsigned char)s.data[at]] == WORD)
            at++;
        if (at == s.len || classes[(unsigned char)s.data[at]] == BLANK)
            return at;
        n = high_len(span_skip(s, at), &blank);
        if (blank)
            return at;
        at += n;
    }
}

bool word_next(struct span *line, struct span *ret)
{
    struct span rest = span_skip(*line, blanks_len(*line));

    *ret = (struct span){rest.data, word_len(rest)};
    *line = span_skip(rest, ret->len);
    return ret->len > 0;
}

/* A NUL or a byte of 0x80 and above among these eight; at times, by a borrow, 0x01 as well. */
static bool may_be_bad(const char *eight)
{
    uint64_t w;

    memcpy(&w, eight, sizeof(w));
    return ((w - 0x0101010101010101) | w) & 0x8080808080808080;
}

/* Plain ASCII for sure, and no NUL. */
static bool is_plain(struct span s)
{
    if (s.len < 8)
        return false;
    for (size_t at = 0; at + 8 < s.len; at += 8)
        if (may_be_bad(s.data + at))
            return false;
    return !may_be_bad(s.data + s.len - 8);
}

const char *line_bad_bytes(struct span line)
{
    if (is_plain(line))
        return NULL;
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

char line_first(struct span line)
{
    line = span_skip(line, blanks_len(line));
    return !line.len || line.data[0] == '#' ? '\0' : line.data[0];
}
