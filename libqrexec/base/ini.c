/* INI files: see ini.h. */
#include "libqrexec/base/ini.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <ini.h>

#define FILE_MAX (4U << 20)

struct reading {
    const char *at, *end;
    ini_pair_fn handler;
    void *user;
    int line;     /* of the bytes handed out last */
    int too_long; /* first such line, or 0 */
    int refused;  /* first line that the handler refused, or 0 */
};

/* inih's reader: one line; an over-long or NUL-holding one ends the file here, noted. */
static char *next_line(char *out, int size, void *stream)
{
    struct reading *rd = stream;
    const char *nl;
    size_t n;

    if (rd->at == rd->end || rd->too_long)
        return NULL;
    nl = memchr(rd->at, '\n', (size_t)(rd->end - rd->at));
    n = (size_t)((nl ? nl : rd->end) - rd->at);
    rd->line++;
    if (n > INI_LINE_MAX || n + 2 > (size_t)size || memchr(rd->at, 0, n)) {
        rd->too_long = rd->line;
        return NULL;
    }
    memcpy(out, rd->at, n);
    out[n] = '\n';
    out[n + 1] = 0;
    rd->at = nl ? nl + 1 : rd->end;
    return out;
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *rd = user;

    if (rd->refused)
        return 0;
    if (rd->handler(rd->user, section, key, value ? value : "", rd->line))
        return 1;
    rd->refused = rd->line;
    return 0;
}

int ini_read_text(const char *text, size_t n, ini_pair_fn handler, void *user, int *ret_line)
{
    struct reading rd = {.at = text, .end = text + n, .handler = handler, .user = user};
    int r = ini_parse_stream(next_line, &rd, on_pair, &rd);

    if (r == -2)
        return -ENOMEM;
    if (rd.too_long) {
        *ret_line = rd.too_long;
        return INI_E_TOO_LONG;
    }
    if (rd.refused && (r == 0 || r >= rd.refused)) {
        *ret_line = rd.refused;
        return INI_E_HANDLER;
    }
    if (r > 0) {
        *ret_line = r;
        return INI_E_SYNTAX;
    }
    return 0;
}

int ini_read(const char *path, ini_pair_fn handler, void *user, int *ret_line)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r = file_read(path, FILE_MAX, &text, &n);

    return r ? r : ini_read_text(text, n, handler, user, ret_line);
}

/* The longest part of value that fits in room, cut behind a word; 0: none fits. */
static size_t part(const char *value, size_t room)
{
    size_t n = strlen(value);

    if (n <= room)
        return n;
    for (n = room; n > 0 && value[n] != ' '; n--)
        ;
    return n;
}

int ini_write(FILE *f, const char *key, const char *value)
{
    size_t used = strlen(key) + 3, n;

    if (used >= INI_LINE_MAX || strpbrk(value, "\r\n") || strstr(value, " ;"))
        return -EINVAL;
    fprintf(f, "%s = ", key);
    for (;;) {
        n = part(value, INI_LINE_MAX - used);
        if (!n && *value)
            return -EINVAL;
        fprintf(f, "%.*s\n", (int)n, value);
        value += n;
        if (!*value)
            return ferror(f) ? -EIO : 0;
        while (*value == ' ')
            value++;
        fputs("  ", f);
        used = 2;
    }
}
