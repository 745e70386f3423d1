/* Words for a shell at the other end: see quote.h. */
#include "rpc-services/quote.h"

#include "libqrexec/base/buf.h"

static int put_quoted(struct buf *b, const char *word)
{
    int r = 0;

    for (; !r && *word; word++)
        r = *word == '\'' ? buf_append_str(b, "'\\''") : buf_append(b, word, 1);
    return r;
}

char *quote_shell_line(char *const *words, size_t n)
{
    struct buf b = BUF_NULL(SIZE_MAX / 4);
    int r = buf_append_str(&b, "exec bash -c '");

    for (size_t i = 0; !r && i < n; i++) {
        r = i ? buf_append_str(&b, " ") : 0;
        if (!r)
            r = put_quoted(&b, words[i]);
    }
    if (!r)
        r = buf_append(&b, "' || exit 127\n", strlen("' || exit 127\n") + 1);
    if (!r)
        return (char *)b.data; /* nothing was consumed: the text starts there */
    buf_deinit(&b);
    return NULL;
}
