/* Names for people: see shown.h. */
#include "policy-engine/prompt/shown.h"

#define SHOWN_MAX     (16U << 20)
#define CALL_ARGUMENT 512

int shown_put(struct buf *out, const char *text)
{
    int r = 0;

    for (; !r && *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c > 0x20 && c <= 0x7e && c != '\\')
            r = buf_append(out, text, 1);
        else
            r = buf_appendf(out, "\\x%02x", c);
    }
    return r;
}

int shown_put_target(struct buf *out, const char *target)
{
    const char *prefix = "@dispvm:";
    int r;

    if (!str_starts(target, prefix))
        return shown_put(out, target);
    r = buf_append_str(out, "a new disposable (");
    if (!r)
        r = shown_put(out, target + strlen(prefix));
    return r ? r : buf_append_str(out, ")");
}

/* NUL behind it; the buffer's bytes become the text. */
static char *finish(struct buf *b, int r)
{
    char *text = NULL;

    if (!r && buf_append(b, "", 1) == 0)
        text = strdup((const char *)buf_data(b));
    buf_deinit(b);
    return text;
}

char *shown_text(const char *text)
{
    struct buf b = BUF_NULL(SHOWN_MAX);

    return finish(&b, shown_put(&b, text));
}

char *shown_target(const char *target)
{
    struct buf b = BUF_NULL(SHOWN_MAX);

    return finish(&b, shown_put_target(&b, target));
}

char *shown_argument(const char *argument, size_t most)
{
    _cleanup_(freep) char *start = NULL, *text = NULL;
    size_t n;

    if (*argument == '+')
        argument++;
    n = strlen(argument);
    if (!n)
        return strdup("(none)");
    start = strndup(argument, most);
    text = start ? shown_text(start) : NULL;
    if (!text || n <= most)
        return take(text);
    return format_new("%s (%zu more bytes)", text, n - most);
}

char *shown_call(const struct prompt_request *q, const char *target)
{
    _cleanup_(freep) char *service = shown_text(q->service), *source = shown_text(q->source);
    _cleanup_(freep) char *argument = shown_argument(q->argument, CALL_ARGUMENT);
    _cleanup_(freep) char *to = shown_text(target);

    if (!service || !source || !argument || !to)
        return NULL;
    return format_new("%s+%s: %s -> %s", service, q->argument[0] && q->argument[1] ? argument : "",
                      source, to);
}
